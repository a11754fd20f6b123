"""What may change an evaluation's numbers, as data: it is chosen by name and printed with every table."""

from dataclasses import dataclass, replace
from typing import Literal

from kinedepth.data.synthetic import CLASSES

Alignment = Literal["median", "one_factor", "none"]

Resize = Literal["bilinear", "nearest"]

WHOLE = "whole"
"""The region that every table has: all valid pixels."""

SEVEN = ("abs_rel", "sq_rel", "rmse", "rmse_log", "a1", "a2", "a3")
"""The metrics of the field, in its order."""

BANDS = ((0.0, 10.0), (10.0, 20.0), (20.0, 40.0), (40.0, 80.0))
"""Meters of true depth: the first end belongs to a band, the second one to the next."""

_ALIGNMENTS: dict[Alignment, str] = {
    "median": "median of each image",
    "one_factor": "one factor for the set",
    "none": "none",
}


@dataclass(frozen=True)
class Crop:
    """A rectangle in fractions of the height and the width."""

    name: str
    rows: tuple[float, float]
    columns: tuple[float, float]

    def bounds(self, size: tuple[int, int]) -> tuple[int, int, int, int]:
        """First row, row after the last, first column, column after the last; fractions are cut off.

        >>> GARG.bounds((375, 1242))
        (153, 371, 44, 1197)
        """
        height, width = size
        top, bottom = (int(share * height) for share in self.rows)
        left, right = (int(share * width) for share in self.columns)
        return top, bottom, left, right


GARG = Crop("Garg", rows=(0.40810811, 0.99189189), columns=(0.03594771, 0.96405229))
"""Where the KITTI LiDAR measures and the car's bonnet does not reach (Garg et al. 2016)."""


@dataclass(frozen=True)
class Protocol:
    """How predicted depth is compared with measured depth. Depths are in meters."""

    name: str
    truth: str
    """What the measured depth is, in words."""
    near: float = 0.0
    """Truth counts above it, strictly."""
    far: float | None = None
    """Truth counts below it, strictly; None: all of it."""
    clamp: tuple[float, float] = (1e-3, 80.0)
    """Predictions are brought into this range, after the alignment."""
    crop: Crop | None = None
    align: Alignment = "median"
    """`median`: each image by median(truth) / median(prediction); `one_factor`: all images by the median of
    these ratios; `none`: meters are taken at their word."""
    factor: float = 1.0
    """Multiplies every prediction before anything else: meters in a unit of the model (5.4 for Monodepth2's
    stereo)."""
    regions: tuple[str, ...] = (WHOLE,)
    """Rows of the table. The alignment always comes from all valid pixels of the image."""
    images: int | None = None
    """How many the published split has."""
    split: str = ""
    """The published list, which is the order of official arrays."""
    metrics: tuple[str, ...] = SEVEN
    """Which errors are taken, in the order of the table."""
    classes: tuple[str, ...] = ()
    """What a pixel may show, where the truth knows it: a row of details for each."""
    bands: tuple[tuple[float, float], ...] = BANDS
    """Ranges of true depth, a row of details for each; truth beyond the last is in none."""
    resize: Resize = "bilinear"
    """How the predicted inverse depth is brought to the truth's size."""

    def aligned(self, align: Alignment, factor: float = 1.0) -> "Protocol":
        """The same comparison under another alignment; `factor` multiplies every prediction first."""
        return replace(self, align=align, factor=factor)

    def cropped(self, crop: Crop | None) -> "Protocol":
        """The same comparison within another rectangle, or everywhere."""
        return replace(self, crop=crop)

    @property
    def alignment(self) -> str:
        """How the predictions were brought to the truth's scale, in words."""
        words = _ALIGNMENTS[self.align]
        return words if self.factor == 1.0 else f"{words}, fixed factor {self.factor:g}"

    def __str__(self) -> str:
        """The one line that stands above a table."""
        upper = "" if self.far is None else f" < {self.far:g}"
        resize = "" if self.resize == "bilinear" else f" · prediction resized by {self.resize}"
        return (
            f"{self.name} · truth: {self.truth}, {self.near:g} < depth{upper} m"
            f" · crop: {self.crop.name if self.crop else 'none'} · scale: {self.alignment}"
            f" · prediction clamped to [{self.clamp[0]:g}, {self.clamp[1]:g}] m{resize}"
        )


def band_name(band: tuple[float, float]) -> str:
    """What a range of depth is called in tables.

    >>> band_name((0.0, 10.0))
    '0-10 m'
    """
    return f"{band[0]:g}-{band[1]:g} m"


CROPS: dict[str, Crop | None] = {"garg": GARG, "none": None}
"""What may be asked instead of a protocol's own rectangle."""

KITTI_EIGEN = Protocol(
    "kitti-eigen",
    truth="raw LiDAR, forward distance from the scanner",
    near=1e-3,
    far=80.0,
    crop=GARG,
    images=697,
    split="eigen/test",
)
"""The 697 images of Eigen et al. 2014 as Monodepth2 judges them."""

KITTI_GARG_IMPROVED = replace(
    KITTI_EIGEN,
    name="kitti-garg-improved",
    truth="improved ground truth of KITTI, camera z",
    images=None,
    split="",
)
"""KITTI_EIGEN's crop and limits on the improved truth of any KITTI drive."""

KITTI_GARG_SCAN = replace(
    KITTI_EIGEN,
    name="kitti-garg-scan",
    truth="one LiDAR scan in KITTI's depth maps, camera z",
    images=None,
    split="",
)
"""KITTI_EIGEN's crop and limits on the single scans that KITTI's depth benchmark ships."""

KITTI_EIGEN_BENCHMARK = Protocol(
    "kitti-eigen-benchmark",
    truth="improved ground truth of KITTI, camera z",
    images=652,
    split="eigen_benchmark/test",
)
"""The 652 of them that have improved truth: all of it counts, also above 80 m, where predictions are
clamped."""

SYNTHETIC = Protocol(
    "synthetic",
    truth="rendered depth, camera z",
    near=1e-3,
    far=80.0,
    regions=(WHOLE, "dynamic objects", "background"),
    classes=CLASSES,
)
"""The rendered street: every pixel has a truth, and it is known what it is and what moves."""

MAKE3D = Protocol(
    "make3d",
    truth="laser grid of Make3D, its rows 17-37 of 55; pictures cut to rows 710-1561 of 2272",
    far=70.0,
    clamp=(0.0, 70.0),
    images=134,
    metrics=("abs_rel", "sq_rel", "rmse", "log10"),
    bands=((0.0, 10.0), (10.0, 20.0), (20.0, 40.0), (40.0, 70.0)),
    resize="nearest",
)
"""The 134 test images of Saxena et al. 2009 as Monodepth2 judges them; nothing is clamped from below."""

DEPTH_FILES = Protocol("depth-files", truth="depth files, taken for meters", near=1e-3, far=80.0)
"""Any folder of measured depth that no published protocol belongs to."""


DEPTH_PROTOCOLS: dict[str, Protocol] = {
    protocol.name: protocol
    for protocol in (
        SYNTHETIC,
        KITTI_GARG_IMPROVED,
        KITTI_GARG_SCAN,
        KITTI_EIGEN,
        KITTI_EIGEN_BENCHMARK,
        MAKE3D,
        DEPTH_FILES,
    )
}
"""Of depth, in the order in which they are preferred where a source fits several."""


@dataclass(frozen=True)
class SnippetProtocol:
    """How the camera's path is compared over short windows, each with a scale of its own."""

    name: str
    frames: int = 5
    truncated: bool = True
    """Windows that the end of the sequence cuts short count too, divided by their own length."""
    path: Literal["inverse", "camera"] = "inverse"
    """`inverse`: the steps that move points from frame to frame are chained as they come, of truth and
    prediction alike (Monodepth2); `camera`: the positions of the camera (SfMLearner)."""

    def __str__(self) -> str:
        """The one line that stands beside a result."""
        tail = "with the cut windows at the end" if self.truncated else "complete windows only"
        return (
            f"{self.name} · windows of {self.frames} frames, {tail} · scale: least squares in each window"
            f" · path: {self.path} · root of the summed squares / number of frames"
        )


ODOMETRY_5_FRAMES = SnippetProtocol("odometry-5-frames")
"""The trajectory error of Monodepth2 on KITTI sequences 09 and 10."""

ODOMETRY_5_FRAMES_COMPLETE = SnippetProtocol("odometry-5-frames-complete", truncated=False, path="camera")
"""The same number as SfMLearner and SC-SfMLearner count it."""

SNIPPET_PROTOCOLS: dict[str, SnippetProtocol] = {
    protocol.name: protocol for protocol in (ODOMETRY_5_FRAMES, ODOMETRY_5_FRAMES_COMPLETE)
}
"""Of the camera's path over short windows."""
