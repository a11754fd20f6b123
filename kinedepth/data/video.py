"""Video files: what is in them, and their frames in order.

Decoding goes through PyAV (FFmpeg). The rotation tag of phones is applied, so that what is given is upright.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal

import av
import numpy as np
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from jaxtyping import UInt8

from kinedepth.data.moments import Size
from kinedepth.errors import KinedepthError

VIDEO_ENDINGS = frozenset({".mp4", ".avi", ".mov", ".mkv", ".m4v", ".webm", ".mpg", ".mpeg", ".mts", ".wmv"})

_QUARTER = 90

# Time stamps are rounded, in Matroska to a millisecond: 33, 33, 34.
_UNEVEN = 0.25


@dataclass(frozen=True)
class Video:
    """What a video file holds."""

    path: Path
    count: int
    """Number of frames."""
    size: Size
    """(height, width) after the rotation tag."""
    fps: float
    """Frames per second, the mean over the file."""
    duration: float
    """Seconds."""
    rotation: int
    """Degrees counter-clockwise by which the stored frames are turned: 0, 90, 180, 270."""
    times: tuple[float, ...] = ()
    """Seconds at which each frame is shown, the first at 0; empty where the file does not say."""

    @property
    def uneven(self) -> bool:
        """Whether the rate varies: an interval is off the usual one by more than a quarter of it."""
        steps = np.diff(self.times)
        return steps.size > 0 and bool(np.abs(steps / np.median(steps) - 1).max() > _UNEVEN)


def refusal(path: Path) -> KinedepthError:
    """Why the file cannot be read as a video, in one sentence."""
    if not path.exists():
        return KinedepthError(f"there is no video {path}")
    if path.is_dir():
        return KinedepthError(f"{path} is a folder, not a video")
    if not os.access(path, os.R_OK):
        return KinedepthError(f"the video {path} may not be read: change its permissions")
    if path.stat().st_size == 0:
        return KinedepthError(f"the video {path} is empty (0 bytes): copy it again")
    return KinedepthError(
        f"{path} is not a video that can be decoded: it is damaged, cut off, or another kind of file"
    )


def _opened(path: Path) -> tuple[InputContainer, VideoStream]:
    try:
        container = av.open(str(path))
    except (av.FFmpegError, OSError, ValueError) as error:
        raise refusal(path) from error
    if not container.streams.video:
        container.close()
        raise KinedepthError(f"{path} holds no pictures, only sound or data: give a video")
    return container, container.streams.video[0]


def _upright(frame: VideoFrame) -> UInt8[np.ndarray, "h w 3"]:
    pixels = frame.to_ndarray(format="rgb24")
    turns = round(frame.rotation / _QUARTER) % 4
    return np.ascontiguousarray(np.rot90(pixels, turns)) if turns else pixels


def _decoded(path: Path) -> Iterator[VideoFrame]:
    container, stream = _opened(path)
    with container:
        stream.thread_type = "AUTO"
        count = 0
        try:
            for frame in container.decode(stream):
                yield frame
                count += 1
        except (av.FFmpegError, OSError, ValueError) as error:
            if count == 0:
                raise refusal(path) from error
            raise KinedepthError(
                f"the video {path} is damaged after frame {count - 1}: encode it again, or cut it there"
            ) from error


def probe(path: Path) -> Video:
    """What the video holds; its packets are counted, since headers often do not say.

    Raises:
        KinedepthError: it is missing, empty, no video, or holds fewer than two frames.
    """
    container, stream = _opened(path)
    with container:
        try:
            stamps = [p.pts for p in container.demux(stream) if p.size and not p.is_discard]
        except (av.FFmpegError, OSError, ValueError) as error:
            raise refusal(path) from error
        rate, count = stream.average_rate or stream.guessed_rate, len(stamps)
        times = _seconds(stamps, stream.time_base)
        fps = _mean_rate(times, float(rate) if rate else 0.0)
    first = next(_decoded(path), None)
    if count < 2 or first is None:
        raise KinedepthError(
            f"the video {path} has {0 if first is None else count} frame(s): depth is learned from motion, "
            "give a longer video"
        )
    turns = round(first.rotation / _QUARTER) % 4
    size = (first.width, first.height) if turns % 2 else (first.height, first.width)
    return Video(path, count, size, fps, count / fps if fps else 0.0, turns * _QUARTER, times)


def _seconds(stamps: list[int | None], unit: Fraction | None) -> tuple[float, ...]:
    """When each frame is shown, in order; nothing where a stamp is missing or stands twice."""
    known = sorted(stamp for stamp in stamps if stamp is not None)
    if unit is None or len(set(known)) < len(stamps):
        return ()
    return tuple(float((stamp - known[0]) * unit) for stamp in known)


def _mean_rate(times: tuple[float, ...], said: float) -> float:
    """Frames per second: what the header says, unless the frames' own times leave no room for it.

    Matroska's header gives one frame's usual length, whatever the frames do. How long the last frame stands
    is not in its time: up to twice as long as any other is believed.
    """
    if len(times) < 2:
        return said
    span, longest = times[-1], max(np.diff(times))
    lasting = len(times) / said if said else 0.0
    return said if span <= lasting <= span + 2 * longest else (len(times) - 1) / span


def frames(path: Path, start: int = 0, stop: int | None = None) -> Iterator[UInt8[np.ndarray, "h w 3"]]:
    """The upright RGB frames of a video in order, one at a time in memory, from `start` up to before `stop`.

    Raises:
        KinedepthError: it is missing, empty, no video, or damaged on the way.
    """
    for index, frame in enumerate(_decoded(path)):
        if stop is not None and index >= stop:
            return
        if index >= start:
            yield _upright(frame)


def timed_frames(path: Path) -> Iterator[tuple[float, UInt8[np.ndarray, "h w 3"]]]:
    """The upright RGB frames of a video, each with the second at which it is shown, the first at 0.

    Where the file has no time stamps, frames follow each other at its mean rate.

    Raises:
        KinedepthError: as `frames`.
    """
    start, rate = None, probe(path).fps or 1.0
    for index, frame in enumerate(_decoded(path)):
        stamp = frame.time
        start = stamp if start is None else start
        evenly = index / rate
        yield evenly if stamp is None or start is None else stamp - start, _upright(frame)


def small_frames(
    path: Path, at_most: int, kind: Literal["gray", "rgb24"] = "gray"
) -> Iterator[UInt8[np.ndarray, "h w *c"]]:
    """The upright frames of a video `at_most` pixels wide, gray or RGB; much cheaper than `frames`.

    Raises:
        KinedepthError: as `frames`.
    """
    for frame in _decoded(path):
        turns = round(frame.rotation / _QUARTER) % 4
        factor = min(1.0, at_most / (frame.height if turns % 2 else frame.width))
        width, height = (max(1, round(side * factor)) for side in (frame.width, frame.height))
        small = frame.reformat(width, height, kind, interpolation="AREA").to_ndarray()
        yield np.ascontiguousarray(np.rot90(small, turns)) if turns else small
