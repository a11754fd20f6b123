"""Depth of a clip in colours: one range for all of it, in a video or in pictures."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Float32
from PIL import Image

from kinedepth.errors import KinedepthError
from kinedepth.inference.notes import Scale
from kinedepth.inference.video import DepthHistogram, Picture, Timing, lengths, video_writer
from kinedepth.visualize.colors import DEPTH_TABLE, METRIC_TABLE, colored_depth, colored_metric
from kinedepth.visualize.panels import color_bar

Mode = Literal["disparity", "metric"]
PERCENTILE = 95.0


@dataclass(frozen=True)
class Look:
    """How depth is shown."""

    mode: Mode = "disparity"
    """Inverse depth, or metres with a bar that says them."""
    table: str = ""
    """A colour table of matplotlib; by default magma, and another one for metres."""
    low: float | None = None
    """Of the range of colours, in inverse depth or metres; by default what the clip holds."""
    high: float | None = None
    """As `low`; by default the clip's 95th percentile."""

    def check(self, scale: Scale) -> None:
        """Raises KinedepthError when metres are wanted of depth that is not in metres."""
        if self.mode == "metric" and scale != "metric":
            raise KinedepthError(
                "Colours of mode metric need depth in metres, but this depth is relative, one unknown factor "
                "away from them: use mode disparity."
            )


@dataclass(frozen=True)
class Paint:
    """Colours with their range: the same depth looks the same in every frame."""

    look: Look
    limits: tuple[float, float]

    @staticmethod
    def of(histogram: DepthHistogram, look: Look) -> "Paint":
        """The paint of a clip whose depth was counted."""
        low, high = histogram.limits(PERCENTILE)
        if look.mode == "metric":
            low, high = 1 / max(histogram.percentile(99.0), 1e-9), 1 / max(histogram.percentile(5.0), 1e-9)
        return Paint(look, (low if look.low is None else look.low, high if look.high is None else look.high))

    @property
    def table(self) -> str:
        """The colour table's name."""
        return self.look.table or (METRIC_TABLE if self.look.mode == "metric" else DEPTH_TABLE)

    @property
    def said(self) -> str:
        """What the colours mean, in words."""
        low, high = self.limits
        if self.look.mode == "metric":
            return f"depth from {low:.4g} to {high:.4g} m, colours {self.table}"
        return f"inverse depth from {low:.4g} to {high:.4g}, colours {self.table}"

    def __call__(self, depth: Float32[np.ndarray, "h w"]) -> Picture:
        """The map in colours; metres have their bar below."""
        if self.look.mode == "disparity":
            return colored_depth(depth, self.limits, self.table)
        bar = color_bar(depth.shape[1], self.limits, self.table, "m")
        return np.concatenate((colored_metric(depth, self.limits, self.table), bar))


def write_pictures(pictures: Iterable[tuple[str, Picture]], place: Callable[[str], Path]) -> None:
    """Writes each picture as PNG where `place` says of its name."""
    for name, picture in pictures:
        Image.fromarray(picture).save(place(name))


def write_video(
    path: Path, pictures: Iterator[tuple[str, Picture]], seconds: list[float], timing: Timing, comment: str
) -> None:
    """Writes upright pictures as a video with the input's times (`seconds`, one each) and rotation tag."""
    spans = lengths(seconds, timing.fps)
    with video_writer(path, timing, comment) as video:
        for (_, picture), second, span in zip(pictures, seconds, spans, strict=True):
            if timing.uneven:
                video.write(picture, second - seconds[0], span)
            else:
                video.write(picture)
