"""Video out: H.264 with the input's rate and number of frames, and one colour range for a whole clip.

The range comes from a histogram that is filled while predictions stream by: constant memory, all pixels
counted, and the order of frames does not matter.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.error import FFmpegError
from jaxtyping import Float32, Int64, UInt8

from kinedepth.errors import KinedepthError
from kinedepth.inference.whole import whole_file

Picture = UInt8[np.ndarray, "_ _ 3"]
CODEC = "libx264"
QUALITY = "18"
_BT709, _LIMITED = 1, 1
_STREAMABLE = {"movflags": "+faststart"}
_LOG_LOW, _LOG_HIGH, _BINS = np.log(1e-7), np.log(1e7), 1 << 15


def exact_rate(fps: float | int | Fraction) -> Fraction:
    """The frame rate as a fraction: 29.97003 is 30000/1001, the rate of television."""
    return Fraction(fps).limit_denominator(1001)


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

    def __init__(self, container: Any, stream: Any) -> None:
        self._container, self._stream = container, stream
        self._size: tuple[int, int] | None = None
        self.frames = 0

    def write(self, picture: Picture) -> None:
        """Adds a picture of the size of the first; an odd size is padded by a repeated row or column."""
        size = (picture.shape[0], picture.shape[1])
        if self._size is None:
            self._begin(even(picture))
            self._size = size
        if size != self._size:
            raise KinedepthError(
                f"Frame {self.frames} is {size}, the video is {self._size} (height, width): resize it."
            )
        frame = av.VideoFrame.from_ndarray(even(picture), format="rgb24")
        frame = frame.reformat(format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG")
        frame.pts, frame.time_base = self.frames, 1 / self._stream.codec_context.framerate
        self._container.mux(self._stream.encode(frame))
        self.frames += 1

    def _begin(self, picture: Picture) -> None:
        self._stream.height, self._stream.width = picture.shape[:2]
        context = self._stream.codec_context
        context.colorspace = context.color_primaries = context.color_trc = _BT709
        context.color_range = _LIMITED


@contextmanager
def video_writer(path: Path, fps: Fraction, comment: str = "") -> Iterator[VideoWriter]:
    """Gives a writer whose H.264 video (yuv420p) is at `path` when the block ends well, else nothing is.

    `comment` goes into the file's metadata. Raises KinedepthError when the place cannot be written, when
    the encoder is missing, and when no frame came.
    """
    if CODEC not in av.codecs_available:
        raise KinedepthError(f"This FFmpeg has no {CODEC}: install `av` from PyPI, whose wheels hold it.")
    with whole_file(path) as draft:
        try:
            with av.open(str(draft), "w", options=_STREAMABLE) as container:
                container.metadata["comment"] = comment
                stream: Any = container.add_stream(CODEC, rate=fps, options={"crf": QUALITY})
                stream.pix_fmt = "yuv420p"
                writer = VideoWriter(container, stream)
                yield writer
                if not writer.frames:
                    raise KinedepthError(f"{path} would hold no frame: give at least one.")
                container.mux(stream.encode(None))
        except FFmpegError as error:
            raise KinedepthError(f"{path} could not be encoded ({error}), nothing is left of it.") from error


def stacked(above: Picture, below: Picture) -> Picture:
    """Two pictures of one width, one over the other."""
    return np.concatenate((above, below), axis=0)
