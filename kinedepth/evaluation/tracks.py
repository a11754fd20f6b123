"""A predictor over sequences with measured poses: its path's error, beside one that needs no learning."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from PIL import Image
from rich.console import Console
from rich.markup import escape

from kinedepth.data import video
from kinedepth.data.frames import as_pinhole, open_picture
from kinedepth.data.moments import Sequence as Frames
from kinedepth.errors import KinedepthError
from kinedepth.evaluation.console import grid
from kinedepth.evaluation.judge import MODEL
from kinedepth.evaluation.matching import Matched
from kinedepth.evaluation.odometry import SnippetErrors, anchored, relative_steps, snippet_errors
from kinedepth.evaluation.path_printing import print_path_tables, significant
from kinedepth.evaluation.path_protocol import KITTI_ODOMETRY
from kinedepth.evaluation.path_table import PathTable, path_table, snippets_json
from kinedepth.evaluation.pose_files import read_kitti_poses
from kinedepth.evaluation.protocol import SnippetProtocol
from kinedepth.evaluation.sources import Track
from kinedepth.inference.clips import Picture
from kinedepth.inference.poses import chained
from kinedepth.inference.predictor import Predictor

Steps = Float[np.ndarray, "k 4 4"]
Mover = Callable[[Frames], Steps]
"""next_from_current between neighbouring frames of a sequence."""
WHOLE_PATH = ("scale", "7dof")
"""What is taken from a whole path before its error; `none` is judged too where the model is metric."""
MAIN = "7dof"
"""The alignment under which drift and the error between neighbors are printed beside the 5-frame error."""


def pictures(sequence: Frames) -> Iterator[Picture]:
    """The pictures of a sequence at their own size, without the bending of a lens, one at a time."""
    first = sequence.frames[0]
    if first.index is not None:
        for picture in video.frames(first.path):
            yield np.asarray(as_pinhole(Image.fromarray(picture), first.rectified))
        return
    for frame in sequence.frames:
        yield np.asarray(as_pinhole(open_picture(frame.path), frame.rectified))


def by_predictor(predictor: Predictor) -> Mover:
    """What a predictor's pose network says, translation in the unit of its depth."""

    def move(sequence: Frames) -> Steps:
        odometer = predictor.odometer()
        for picture in pictures(sequence):
            odometer.see(picture)
        return relative_steps(odometer.path())

    return move


def straight_ahead(sequence: Frames) -> Steps:
    """One meter forward in each frame: what a camera does that never turns nor changes its speed."""
    step = np.eye(4)
    step[2, 3] = -1.0
    return np.tile(step, (len(sequence.frames) - 1, 1, 1))


@dataclass(frozen=True)
class PathErrors:
    """How far a predicted path is from the measured one."""

    sequence: str
    frames: int
    snippets: SnippetErrors
    table: PathTable
    """The whole path under every alignment: ATE, RPE, drift."""
    aligned: tuple[str, ...]
    """The alignments that mean something for this model; the others leave a relative path in its own unit."""
    predicted: Float[np.ndarray, "n 4 4"]
    """world_from_camera in the predictor's unit; the first camera is the world."""
    measured: Float[np.ndarray, "n 4 4"]
    """world_from_camera in meters; the first camera is the world."""

    @property
    def whole(self) -> dict[str, float]:
        """Root mean squared distance in meters of the whole path, by what was taken from it before."""
        return {align: self.table.row(align).absolute.rmse for align in self.aligned}

    def as_json(self) -> dict[str, Any]:
        """Numbers and protocol, without the paths."""
        short = {"sequence": self.sequence, "frames": self.frames, "snippets": snippets_json(self.snippets)}
        numbers = self.table.as_json(MAIN)
        kept = {align: numbers["whole_path_ate_m"][align] for align in self.aligned}
        return short | numbers | {"whole_path_ate_m": kept}


def measured_poses(track: Track) -> Float[np.ndarray, "n 4 4"]:
    """The true pose of every frame: by the frame's number, or in order where there are as many.

    Raises:
        KinedepthError: the file is no table of poses, or lacks a frame.
    """
    known, frames = read_kitti_poses(track.poses), track.sequence.frames
    if known.frames is None or len(known.frames) == len(frames):
        return known.poses
    numbers = [int(frame.label) for frame in frames if frame.label.isdecimal()]
    found = np.isin(np.array(numbers, dtype=np.int64), known.frames)
    if len(numbers) < len(frames) or not found.all():
        raise KinedepthError(
            f"{track.poses} holds {len(known.frames)} poses for the {len(frames)} frames of "
            f"{track.sequence.name} that cannot be matched by number: give a pose for each frame."
        )
    return known.poses[np.searchsorted(known.frames, numbers)]


def path_errors(
    track: Track, steps: Steps, protocol: SnippetProtocol, aligned: Sequence[str] = WHOLE_PATH
) -> PathErrors:
    """The errors of one predicted path.

    Raises:
        KinedepthError: the poses cannot be matched, or the sequence is too short.
    """
    truth = anchored(measured_poses(track))
    path = chained(steps)
    places = np.arange(len(truth))
    names = tuple(frame.label for frame in track.sequence.frames)
    matched = Matched(path, truth, places, names, np.ones(len(truth) - 1, dtype=bool), "frame by frame")
    snippets = snippet_errors(steps, relative_steps(truth), protocol)
    table = path_table(matched, KITTI_ODOMETRY)
    return PathErrors(track.sequence.name, len(truth), snippets, table, tuple(aligned), path, truth)


def judge_paths(
    tracks: Sequence[Track], movers: Mapping[str, Mover], protocol: SnippetProtocol, metric: bool = False
) -> dict[str, list[PathErrors]]:
    """The errors of every track, for each mover by its label; `metric` judges without alignment as well."""
    aligned = (*WHOLE_PATH, "none") if metric else WHOLE_PATH
    return {
        label: [path_errors(track, mover(track.sequence), protocol, aligned) for track in tracks]
        for label, mover in movers.items()
    }


def print_paths(results: Mapping[str, Sequence[PathErrors]], console: Console) -> None:
    """One line for each sequence and predictor, below the protocol; then the model under every alignment."""
    first = next(iter(results.values()))[0]
    errors = [f"ATE {align} (m)" for align in first.whole]
    drift = ["RPE m", "RPE deg", "t_err %", "r_err deg/100m"]
    length = f"{first.snippets.protocol.frames}-frame error"
    printed = grid(("", "sequence"), [length, "std", *errors, *drift, "frames"])
    for place in range(len(next(iter(results.values())))):
        for label, paths in results.items():
            printed.add_row(escape(label), escape(paths[place].sequence), *_cells(paths[place]))
    console.print(str(first.snippets.protocol), highlight=False, markup=False)
    console.print(f"RPE, t_err and r_err after {MAIN}", highlight=False, markup=False)
    console.print(printed)
    if MODEL in results:
        print_path_tables({f"{MODEL}, {path.sequence}": path.table for path in results[MODEL]}, console)
        if "none" not in first.aligned:
            console.print("none, 6dof: a relative path in its own unit, not in meters", highlight=False)


def _cells(path: PathErrors) -> list[str]:
    row = path.table.row(MAIN)
    windows = [f"{value:.4f}" for value in (path.snippets.mean, path.snippets.std)]
    whole = [f"{value:.2f}" if np.isfinite(value) else "-" for value in path.whole.values()]
    drift = (row.translation.mean, row.rotation.mean, row.t_err, row.r_err)
    return [*windows, *whole, *map(significant, drift), str(path.frames)]


def verdict(results: Mapping[str, Sequence[PathErrors]], label: str = MODEL) -> str:
    """Which of the other paths the model's beats, in one sentence, over the windows of all sequences."""
    errors = {
        name: np.concatenate([path.snippets.errors for path in paths]) for name, paths in results.items()
    }
    means = {name: float(np.mean(values)) for name, values in errors.items()}
    own = means[label]
    said = {
        "beats": [name for name in means if name != label and means[name] > own],
        "LOSES to": [name for name in means if name != label and means[name] <= own],
    }
    parts = [
        f"{verb} {', '.join(f'{name} ({means[name]:.4f})' for name in names)}"
        for verb, names in said.items()
        if names
    ]
    length = next(iter(results.values()))[0].snippets.protocol.frames
    return f"path: the model ({length}-frame error {own:.4f} m) {' and '.join(parts) or 'stands alone'}."
