"""What `kinedepth predict` does once its flags are read."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Literal

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from kinedepth.cli.predict import Predict
from kinedepth.data.camera_files import from_fov, read_intrinsics
from kinedepth.data.frames import PICTURE_ENDINGS, picture_size
from kinedepth.data.moments import Calibration, Size
from kinedepth.data.source import Given, open_source
from kinedepth.errors import KinedepthError
from kinedepth.geometry.camera import Camera
from kinedepth.inference.clips import Clip, open_clip
from kinedepth.inference.predictor import Predictor
from kinedepth.inference.session import Wanted, Written, predict_source
from kinedepth.inference.video import exact_rate
from kinedepth.inference.whole import check_output
from kinedepth.judging import knows_motion
from kinedepth.recipe import checkpoint_of, load_predictor

PoseFile = Literal["tum", "kitti"]


@dataclass(frozen=True)
class Known:
    """What is known of the source beside its pictures."""

    camera: Camera | None = None
    origin: str = "from the run, scaled to the source's size"
    fps: float | None = None


def predict(asked: Predict) -> Written:
    """Predict a source into a folder, and say what is read and written.

    Raises:
        KinedepthError: the source, the run or the output folder cannot be used.
    """
    check_output(asked.output, overwrite=asked.overwrite, source=asked.source, mark="prediction.json")
    clip = open_clip(asked.source, asked.fps)
    known = _known(asked)
    if clip.fps is None and known.fps:
        clip = replace(clip, fps=exact_rate(known.fps))
    predictor = load_predictor(asked.run, asked.device, asked.flip)
    wanted = _wanted(asked, clip, predictor, known)
    for line in _outline(asked, clip, predictor, known, wanted):
        print(line)
    with _progress(clip.count) as advance:
        written = predict_source(predictor, clip.frames(), asked.output, wanted, asked.source, advance)
    print(f"wrote      {written.frames} frames to {written.output}: {', '.join(written.files)}")
    for note in written.notes:
        print(f"note       {note}")
    return written


def _known(asked: Predict) -> Known:
    """The camera that the user gives, else the one beside the source, else none: then the run's is taken."""
    if asked.source.is_file() and asked.source.suffix.lower() in PICTURE_ENDINGS:
        return _given(asked, picture_size(asked.source))
    try:
        source = open_source(asked.source, Given(asked.intrinsics or None, asked.fov or None))
    except KinedepthError as error:
        if asked.intrinsics or asked.fov:
            raise
        return Known(origin=f"{Known.origin} ({error})")
    first = source.sequences[0]
    if source.guessed:
        return Known(fps=first.fps)
    return Known(first.calibration.camera(first.size), source.cameras[0], first.fps)


def _given(asked: Predict, size: Size) -> Known:
    calibration: Calibration | None = None
    if asked.intrinsics:
        calibration = read_intrinsics(asked.intrinsics, size)
    elif asked.fov:
        calibration = from_fov(math.radians(asked.fov), size)
    return Known() if calibration is None else Known(calibration.camera(size), "as given")


def _wanted(asked: Predict, clip: Clip, predictor: Predictor, known: Known) -> Wanted:
    return Wanted(
        formats=asked.format,
        colors=asked.video,
        side_by_side=asked.side_by_side,
        poses=_poses(asked, clip, predictor),
        fps=clip.fps,
        camera=known.camera,
        batch=asked.batch,
        checkpoint=str(checkpoint_of(asked.run)),
        overwrite=asked.overwrite,
    )


def _poses(asked: Predict, clip: Clip, predictor: Predictor) -> tuple[PoseFile, ...]:
    """The files of the camera's path that are asked for; `auto` is what there can be."""
    files: tuple[PoseFile, ...] = ("tum", "kitti")
    if "auto" in asked.poses:
        return files if clip.count > 1 and knows_motion(predictor) else ()
    return tuple(file for file in files if file in asked.poses)


def _outline(asked: Predict, clip: Clip, predictor: Predictor, known: Known, wanted: Wanted) -> list[str]:
    """What was understood, before anything is predicted."""
    rate = f" at {float(clip.fps):.4g} frames/s" if clip.fps else ""
    metres = "metres" if predictor.unit.scale == "metric" else "metres only up to one unknown factor"
    return [
        f"run        {wanted.checkpoint}",
        f"source     {asked.source} ({clip.count} frame{'' if clip.count == 1 else 's'}{rate})",
        f"camera     {known.origin}",
        f"scale      {predictor.unit.scale}, from {predictor.unit.source}: depth is in {metres}",
        f"poses      {', '.join(wanted.poses) or 'none'}",
        f"device     {predictor.device}",
    ]


@contextmanager
def _progress(total: int) -> Iterator[Callable[[int], None]]:
    """A bar that is told how many frames are done."""
    columns = (TextColumn("predicting"), BarColumn(bar_width=30), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns) as progress:
        task = progress.add_task("predicting", total=total)
        yield lambda done: progress.update(task, completed=done)
