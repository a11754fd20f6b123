"""Video out: H.264 with the input's times, number of frames and rotation tag; one colour range for a clip.

The range comes from a histogram that is filled while predictions stream by: constant memory, all pixels
counted, and the order of frames does not matter.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.codec.context import Flags
from av.error import FFmpegError
from jaxtyping import Float32, Int64, UInt8

from kinedepth.errors import KinedepthError
from kinedepth.inference.whole import whole_file

Picture = UInt8[np.ndarray, "_ _ 3"]
CODEC = "libx264"
# Without frames out of order MP4 tells the length of every frame, the last one's too.
_OPTIONS = {"crf": "18", "bf": "0"}
_BT709, _LIMITED = 1, 1
_STREAMABLE = {"movflags": "+faststart"}
_LOG_LOW, _LOG_HIGH, _BINS = np.log(1e-7), np.log(1e7), 1 << 15


def exact_rate(fps: float | int | Fraction) -> Fraction:
    """The frame rate as a fraction: 29.97003 is 30000/1001, the rate of television."""
    return Fraction(fps).limit_denominator(1001)


@dataclass(frozen=True)
class Timing:
    """When the frames of a video are shown, and how players turn them."""

    fps: Fraction
    """Frames per second, the mean where they are uneven."""
    uneven: bool = False
    """Whether each frame comes with its own time."""
    rotation: int = 0
    """Degrees counter-clockwise by which players turn what is stored: 0, 90, 180, 270."""

    @property
    def tick(self) -> Fraction:
        """Seconds in a unit of the file's clock: a frame, or 1/90000 as in most recordings."""
        return Fraction(1, 90_000) if self.uneven else 1 / self.fps


class DepthHistogram:
    """Counts of inverse depth over a clip, in 32768 bins of equal ratio (0.1 % each) from 1e-7 to 1e7."""

    def __init__(self) -> None:
        self.counts: Int64[np.ndarray, " n"] = np.zeros(_BINS, dtype=np.int64)

    def add(self, depth: Float32[np.ndarray, "h w"]) -> None:
        """Counts the valid pixels (finite, > 0) of a depth map."""
        valid = depth[np.isfinite(depth) & (depth > 0)]
        position = (-np.log(valid) - _LOG_LOW) * (_BINS / (_LOG_HIGH - _LOG_LOW))
        bins = np.clip(position.astype(np.int64), 0, _BINS - 1)
        self.counts += np.bincount(bins, minlength=_BINS)

    def percentile(self, percent: float) -> float:
        """The inverse depth below which `percent` of the pixels lie, to 0.1 %; 0 when nothing was counted."""
        total = int(self.counts.sum())
        if not total:
            return 0.0
        reached = np.cumsum(self.counts) >= max(percent / 100 * total, 1)
        center = (int(np.argmax(reached)) + 0.5) / _BINS
        return float(np.exp(_LOG_LOW + center * (_LOG_HIGH - _LOG_LOW)))

    def limits(self, percentile: float = 95.0) -> tuple[float, float]:
        """The colour range of the clip: the smallest inverse depth, and the `percentile`."""
        return self.percentile(0.0), self.percentile(percentile)


def even(picture: Picture) -> Picture:
    """The picture, its last row or column repeated where height or width is odd: 4:2:0 video needs even."""
    height, width = picture.shape[:2]
    return np.pad(picture, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")


class VideoWriter:
    """Encodes pictures one by one; made by `video_writer`."""

    def __init__(self, container: Any, stream: Any, timing: Timing) -> None:
        self._container, self._stream, self._timing = container, stream, timing
        self._size: tuple[int, int] | None = None
        self._next = 0
        self.frames = 0

    def write(
        self, picture: Picture, seconds: float | None = None, lasting: float | int | None = None
    ) -> None:
        """Adds an upright picture, of the size of the first; odd ones are padded by a repeated row or column.

        `seconds` after the start and how long the picture is `lasting` count where the timing is uneven.
        """
        size = (picture.shape[0], picture.shape[1])
        stored = np.ascontiguousarray(np.rot90(even(picture), -self._timing.rotation // 90))
        if self._size is None:
            self._begin(stored)
            self._size = size
        if size != self._size:
            raise KinedepthError(
                f"Frame {self.frames} is {size}, the video is {self._size} (height, width): resize it."
            )
        frame = av.VideoFrame.from_ndarray(stored, format="rgb24")
        frame = frame.reformat(format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG")
        tick = self._timing.tick
        start = self._next if seconds is None else max(round(seconds / tick), self._next)
        length = 1 if lasting is None else max(round(lasting / tick), 1)
        frame.pts, frame.time_base, frame.duration = start, tick, length
        self._container.mux(self._stream.encode(frame))
        # Two frames at one time, as damaged recordings have, would not be encoded.
        self._next = start + (1 if seconds is not None else length)
        self.frames += 1

    def _begin(self, stored: Picture) -> None:
        self._stream.height, self._stream.width = stored.shape[:2]
        context = self._stream.codec_context
        context.time_base = self._timing.tick
        context.flags |= Flags.frame_duration
        context.colorspace = context.color_primaries = context.color_trc = _BT709
        context.color_range = _LIMITED


@contextmanager
def video_writer(path: Path, timing: Fraction | Timing, comment: str = "") -> Iterator[VideoWriter]:
    """Gives a writer whose H.264 video (yuv420p) is at `path` when the block ends well, else nothing is.

    `timing` is the rate, or more; `comment` goes into the file's metadata. Raises KinedepthError when the
    place cannot be written, when the encoder is missing, and when no frame came.
    """
    if CODEC not in av.codecs_available:
        raise KinedepthError(f"This FFmpeg has no {CODEC}: install `av` from PyPI, whose wheels hold it.")
    timing = timing if isinstance(timing, Timing) else Timing(timing)
    with whole_file(path) as draft:
        try:
            with av.open(str(draft), "w", options=_STREAMABLE) as container:
                container.metadata["comment"] = comment
                stream: Any = container.add_stream(CODEC, rate=timing.fps, options=_OPTIONS)
                stream.pix_fmt = "yuv420p"
                if timing.rotation:
                    stream.set_display_rotation(timing.rotation)
                writer = VideoWriter(container, stream, timing)
                yield writer
                if not writer.frames:
                    raise KinedepthError(f"{path} would hold no frame: give at least one.")
                container.mux(stream.encode(None))
        except FFmpegError as error:
            raise KinedepthError(f"{path} could not be encoded ({error}), nothing is left of it.") from error


def lengths(seconds: Sequence[float], fps: Fraction) -> list[float]:
    """How long each frame of a clip stands, if all of them last as long as at the mean rate `fps`."""
    whole = len(seconds) / float(fps)
    rest = whole - (seconds[-1] - seconds[0])
    return [*np.diff(seconds).tolist(), rest if rest > 0 else 1 / float(fps)]


def stacked(above: Picture, below: Picture) -> Picture:
    """Two pictures of one width, one over the other."""
    return np.concatenate((above, below), axis=0)
