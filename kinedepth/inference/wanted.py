"""What a session is asked for and what it wrote."""

from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Literal

from kinedepth.data.moments import Rectification
from kinedepth.geometry.camera import Camera
from kinedepth.inference.cloud import Cut
from kinedepth.inference.files import Format
from kinedepth.inference.painting import Look
from kinedepth.inference.video import Timing, exact_rate


@dataclass(frozen=True)
class Clouds:
    """Which frames become point clouds, and what is left out of them."""

    every: int = 1
    """1 for each frame, 10 for the first, the eleventh, and so on."""
    cut: Cut = field(default_factory=Cut)


@dataclass(frozen=True)
class Wanted:
    """What a session writes."""

    formats: tuple[Format, ...] = ("npy", "png16")
    colors: bool = True
    """A colour video if `fps` is known, else colour pictures."""
    look: Look = field(default_factory=Look)
    """Of the colours."""
    side_by_side: bool = False
    """The input above the depth in the video."""
    poses: tuple[Literal["tum", "kitti"], ...] = ()
    clouds: Clouds | None = None
    """Point clouds, one a frame, in the frame's own camera."""
    fps: float | int | Fraction | Timing | None = None
    """Of the input, with its rotation tag and whether frames come at a varying rate; None when it has no
    rate."""
    clip_anchor: bool = False
    """Adaptive depth range: each frame's depth is scaled to the median of the clip's medians."""
    png_factor: float | None = None
    """Of PNG16; without it the largest power of two by which the clip fits. 256 with metres is KITTI's."""
    camera: Camera | None = None
    """In pixels of the frames, once undistorted; without it the predictor's own, at their size."""
    camera_source: str = ""
    """Where the camera comes from, in words, for the notes."""
    lens: Rectification | None = None
    """How frames are undistorted before anything is predicted; depth comes back on their own pixels."""
    batch: int = 1
    checkpoint: str = ""
    """Its name, for the note."""
    overwrite: bool = False

    @property
    def timing(self) -> Timing | None:
        """Of the video."""
        if self.fps is None or isinstance(self.fps, Timing):
            return self.fps
        return Timing(exact_rate(self.fps))


@dataclass(frozen=True)
class Written:
    """What a session wrote."""

    output: Path
    frames: int
    scale: str
    files: tuple[str, ...]
    """Kinds of output, relative to `output`."""
    notes: tuple[str, ...]
    """What the user should be told."""
