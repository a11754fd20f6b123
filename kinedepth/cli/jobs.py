"""What `kinedepth predict` finds at its source: clips, each with what is known of its camera."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from kinedepth.cli.predict import Predict
from kinedepth.data import lens
from kinedepth.data.folder import layout
from kinedepth.data.frames import PICTURE_ENDINGS, picture_size
from kinedepth.data.moments import Calibration, Rectification, Sequence, Size
from kinedepth.data.own_camera import Cameras, Place
from kinedepth.data.source import Given, Source, open_source
from kinedepth.errors import KinedepthError
from kinedepth.inference.clips import Clip, clip_of, open_clip

GUESSED = "GUESSED"
FROM_RUN = "from the run, scaled to the source's size"


@dataclass(frozen=True)
class Job:
    """A clip to predict, and what is known of it beside its pictures."""

    clip: Clip
    name: str = ""
    """The folder of the output, where there are several clips."""
    camera: Calibration | None = None
    """Of the pinhole that the frames become; None when nobody told, then the run's is taken."""
    origin: str = FROM_RUN
    """Where the camera comes from, in words."""
    guessed: bool = False
    """Whether nobody told it, neither here nor when the run was trained."""
    lens: Rectification | None = None
    """How frames are undistorted."""
    size: Size | None = None
    """(height, width) of the frames, where they have one."""


def jobs(asked: Predict) -> list[Job]:
    """The clips at the source, in order of name.

    Raises:
        KinedepthError: there is none, two have one name, or the camera that is given makes no sense.
    """
    if asked.source.is_file() and asked.source.suffix.lower() in PICTURE_ENDINGS:
        return [_of_picture(asked)]
    try:
        source = open_source(asked.source, Given(asked.intrinsics or None, asked.fov or None))
    except KinedepthError as error:
        many = asked.source.is_dir() and layout(asked.source) is None
        if asked.intrinsics or asked.fov or many:
            raise
        return [Job(open_clip(asked.source, asked.fps), origin=f"{FROM_RUN} ({error})")]
    found = sorted(_of_source(asked, source), key=lambda job: job.name)
    names = [job.name for job in found]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise KinedepthError(
            f"{asked.source} holds two sequences called {twice}: rename one, their results would mix."
        )
    return found


def _of_picture(asked: Predict) -> Job:
    clip, size = open_clip(asked.source, asked.fps), picture_size(asked.source)
    path = asked.source.absolute()
    given = Given(asked.intrinsics or None, asked.fov or None)
    found = Cameras(given).of(Place(path.parent, _of_drive(path.parent), path), size)
    if found.origin.startswith(GUESSED):
        return Job(clip, size=size)
    camera = found.calibration.resized(size)
    rectified = None if camera.lens is None else lens.rectification(camera)
    pinhole = camera if rectified is None else rectified.pinhole
    return Job(clip, camera=pinhole, origin=found.origin, lens=rectified, size=size)


def _of_drive(folder: Path) -> tuple[Path, ...]:
    """The folder above one of pictures where both make a drive: there lies its camera."""
    where = layout(folder.parent)
    return (folder.parent,) if where is not None and where.images == folder else ()


def _of_source(asked: Predict, source: Source) -> Iterator[Job]:
    """A job for each video and each folder of pictures: what training cuts apart is predicted as a whole."""
    parts: dict[Path, list[tuple[Sequence, str]]] = {}
    for sequence, camera in zip(source.sequences, source.cameras, strict=True):
        first = sequence.frames[0]
        place = first.path if first.index is not None else first.path.parent
        parts.setdefault(place, []).append((sequence, camera))
    for place, group in parts.items():
        yield _of_place(asked, place, group)


def _of_place(asked: Predict, place: Path, group: list[tuple[Sequence, str]]) -> Job:
    (first, origin), *others = group
    clip = _clip(asked, place, first)
    name = first.name.rpartition("/")[0] or first.name if others else first.name
    if any(other.size != first.size for other, _ in others):
        if asked.intrinsics or asked.fov:
            raise KinedepthError(
                f"the pictures in {place} differ in size, so one camera cannot hold for all: put each size "
                "into a folder of its own"
            )
        return Job(clip, name, origin=f"{FROM_RUN}, since the pictures differ in size")
    if origin.startswith(GUESSED):
        return Job(clip, name, size=first.size)
    rectified = first.frames[0].rectified
    return Job(clip, name, first.calibration, origin, lens=rectified, size=first.size)


def _clip(asked: Predict, place: Path, first: Sequence) -> Clip:
    whole = open_clip(place, asked.fps) if place.is_file() or layout(place) is not None else None
    told = clip_of(first, asked.fps)
    if whole is None or whole.count == told.count:
        return told
    # Sequences were cut out of this folder: their times are not those of all its pictures.
    return replace(whole, fps=whole.fps or told.fps)
