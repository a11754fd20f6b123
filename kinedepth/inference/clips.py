"""What a user gives to predict, frame by frame: a picture, a folder of pictures, a video, arrays."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from pathlib import Path
from typing import TypeVar

import numpy as np
from jaxtyping import Shaped

from kinedepth.data import folder, video
from kinedepth.data.frames import PICTURE_ENDINGS, open_picture
from kinedepth.data.moments import Sequence as Drive
from kinedepth.errors import KinedepthError
from kinedepth.inference.video import Picture as Picture
from kinedepth.inference.video import Timing, exact_rate

Given = Shaped[np.ndarray, "..."] | Path | str
Frame = tuple[str, float, Picture]
"""Name (unique, may hold folders), seconds, picture."""
T = TypeVar("T")


@dataclass(frozen=True)
class Clip:
    """Frames that belong together; `frames` can be asked for again and again."""

    path: Path
    count: int
    fps: Fraction | None = None
    """None for pictures, unless the user told."""
    pictures: tuple[Path, ...] = ()
    """Empty for a video."""
    times: tuple[float, ...] = ()
    """Seconds of each picture, where they are written down; a video's frames carry theirs."""
    uneven: bool = False
    """Whether the frames of a video follow each other at a varying rate."""
    rotation: int = 0
    """Degrees counter-clockwise by which players turn the video; `frames` gives them upright."""

    @property
    def timing(self) -> Timing | None:
        """Of a video of this clip, None where it has no rate."""
        return None if self.fps is None else Timing(self.fps, self.uneven, self.rotation)

    def frames(self) -> Iterator[Frame]:
        """Each frame with its name and time, one at a time in memory.

        Pictures keep their names, frames of a video are numbered. Without times or a rate, time counts
        frames. Raises KinedepthError that names the file where one is damaged.
        """
        if not self.pictures:
            for index, (second, picture) in enumerate(video.timed_frames(self.path)):
                yield f"{index:06d}", second, picture
            return
        rate = float(self.fps or 1)
        for index, path in enumerate(self.pictures):
            second = self.times[index] if self.times else index / rate
            yield path.stem, second, np.asarray(open_picture(path))


def open_clip(path: Path | str, fps: float | int | Fraction | None = None) -> Clip:
    """The clip at `path`: a picture, a folder of pictures (a KITTI drive too), or a video.

    `fps` is for pictures; a video knows its own. Raises KinedepthError when there is none of them, and for
    a folder of several drives: their trajectories are not one.
    """
    path, rate = Path(path), None if fps is None else exact_rate(fps)
    if path.is_dir():
        where = folder.layout(path)
        if where is None:
            raise KinedepthError(
                f"{path} holds no pictures itself: name the folder of one drive, or a video."
            )
        found = tuple(folder.pictures(where.images))
        return Clip(path, len(found), rate, found)
    if path.suffix.lower() in PICTURE_ENDINGS:
        return Clip(path, 1, rate, (path,))
    facts = video.probe(path)
    own = exact_rate(facts.fps) if facts.fps else rate
    return Clip(path, facts.count, own, uneven=facts.uneven, rotation=facts.rotation)


def clip_of(drive: Drive, fps: float | int | Fraction | None = None) -> Clip:
    """The clip of a sequence that was found in a source: the whole video, or its pictures with their times.

    `fps` is for pictures, and then counts for more than what is written beside them.
    """
    path = drive.frames[0].path
    if drive.frames[0].index is not None:
        return open_clip(path, fps)
    pictures = tuple(frame.path for frame in drive.frames)
    if fps is not None:
        return Clip(path.parent, len(pictures), exact_rate(fps), pictures)
    rate = None if drive.fps is None else exact_rate(drive.fps)
    return Clip(path.parent, len(pictures), rate, pictures, drive.times or ())


def as_picture(given: Given) -> Picture:
    """The picture itself, or the one in the file (upright 8-bit RGB).

    Raises KinedepthError when the file cannot be read or the array is no 8-bit RGB.
    """
    if isinstance(given, str | Path):
        return np.asarray(open_picture(Path(given)))
    if given.dtype != np.uint8 or given.ndim != 3 or given.shape[2] != 3:
        raise KinedepthError(
            f"An array of shape {given.shape} and type {given.dtype} is no picture: give h x w x 3 uint8 RGB."
        )
    return given


def neighborhoods(frames: Iterable[T], offsets: Sequence[int]) -> Iterator[list[T]]:
    """Each frame followed by those at `offsets` from it; beyond the ends stands the nearest frame.

    Holds no more frames than the offsets span.
    """
    back, ahead = max(0, -min(offsets, default=0)), max(0, *offsets, 0)
    held: deque[T] = deque()
    dropped, count, current = 0, 0, 0

    def window() -> list[T]:
        places = [min(max(current + offset, dropped), count - 1) - dropped for offset in (0, *offsets)]
        return [held[place] for place in places]

    for frame in frames:
        held.append(frame)
        count += 1
        if count - 1 - current >= ahead:
            yield window()
            current += 1
        if current - dropped > back:
            held.popleft()
            dropped += 1
    while current < count:
        yield window()
        current += 1


def chunks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """The items in lists of `size`, the last one shorter."""
    rest = iter(items)
    while chunk := list(islice(rest, size)):
        yield chunk
