"""A predictor over sequences with measured poses: its path's error, beside one that needs no learning."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import rich.box
import rich.table
from jaxtyping import Float
from rich.console import Console
from rich.markup import escape

from kinedepth.data import video
from kinedepth.data.frames import open_picture
from kinedepth.data.moments import Sequence as Frames
from kinedepth.errors import KinedepthError
from kinedepth.evaluation.judge import MODEL
from kinedepth.evaluation.odometry import (
    SnippetErrors,
    anchored,
    read_kitti_poses,
    relative_steps,
    snippet_errors,
    trajectory_error,
)
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


def pictures(sequence: Frames) -> Iterator[Picture]:
    """The pictures of a sequence at their own size, one at a time."""
    first = sequence.frames[0]
    if first.index is not None:
        yield from video.frames(first.path)
        return
    for frame in sequence.frames:
        yield np.asarray(open_picture(frame.path))


def by_predictor(predictor: Predictor) -> Mover:
    """What a predictor's pose network says, translation in the unit of its depth."""

    def move(sequence: Frames) -> Steps:
        return np.stack([predictor.pose(first, second) for first, second in pairwise(pictures(sequence))])

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
    whole: dict[str, float]
    """Root mean squared distance in meters of the whole path, by what was taken from it before."""
    predicted: Float[np.ndarray, "n 4 4"]
    """world_from_camera in the predictor's unit; the first camera is the world."""
    measured: Float[np.ndarray, "n 4 4"]
    """world_from_camera in meters; the first camera is the world."""

    def as_json(self) -> dict[str, Any]:
        """Numbers and protocol, without the paths."""
        short = {"mean": self.snippets.mean, "std": self.snippets.std, "windows": len(self.snippets.errors)}
        protocol = asdict(self.snippets.protocol)
        return {
            "sequence": self.sequence,
            "frames": self.frames,
            "snippets": short | {"protocol": protocol},
            "whole_path_ate_m": self.whole,
        }


def measured_poses(track: Track) -> Float[np.ndarray, "n 4 4"]:
    """The true pose of every frame: by the frame's number, or in order where there are as many.

    Raises:
        KinedepthError: the file is no table of poses, or lacks a frame.
    """
    known, frames = read_kitti_poses(track.poses), track.sequence.frames
    if len(known.frames) == len(frames):
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
        KinedepthError: the poses cannot be matched, the sequence is too short, or the camera never moves.
    """
    truth = measured_poses(track)
    path = chained(steps)
    return PathErrors(
        track.sequence.name,
        len(truth),
        snippet_errors(steps, relative_steps(truth), protocol),
        {align: trajectory_error(path, truth, align) for align in aligned},
        path,
        anchored(truth),
    )


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
    """One line for each sequence and predictor, below the protocol."""
    first = next(iter(results.values()))[0]
    printed = rich.table.Table(box=rich.box.MINIMAL, pad_edge=False)
    for name in ("", "sequence"):
        printed.add_column(name, overflow="fold")
    length = f"{first.snippets.protocol.frames}-frame error"
    for name in (length, "std", *(f"ATE {align} (m)" for align in first.whole), "frames"):
        printed.add_column(name, justify="right")
    for place in range(len(next(iter(results.values())))):
        for label, paths in results.items():
            path = paths[place]
            numbers = (path.snippets.mean, path.snippets.std, *path.whole.values())
            cells = [f"{value:.4f}" for value in numbers[:2]] + [f"{value:.2f}" for value in numbers[2:]]
            printed.add_row(escape(label), escape(path.sequence), *cells, str(path.frames))
    console.print(str(first.snippets.protocol), highlight=False, markup=False)
    console.print(printed)


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
