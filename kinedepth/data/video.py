"""Video files: what is in them, and their frames in order.

Decoding goes through PyAV (FFmpeg). The rotation tag of phones is applied, so that what is given is upright.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

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
            count = sum(1 for packet in container.demux(stream) if packet.size and not packet.is_discard)
        except (av.FFmpegError, OSError, ValueError) as error:
            raise refusal(path) from error
        rate = stream.average_rate or stream.guessed_rate
        fps = float(rate) if rate else 0.0
    first = next(_decoded(path), None)
    if count < 2 or first is None:
        raise KinedepthError(
            f"the video {path} has {0 if first is None else count} frame(s): depth is learned from motion, "
            "give a longer video"
        )
    turns = round(first.rotation / _QUARTER) % 4
    size = (first.width, first.height) if turns % 2 else (first.height, first.width)
    return Video(path, count, size, fps, count / fps if fps else 0.0, turns * _QUARTER)


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
