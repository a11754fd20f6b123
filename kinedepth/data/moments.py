"""Where a sample's files lie, and with which camera they were taken: paths and numbers, no pixels.

A data set is a function from a folder to a list of `Moment`; only `Samples` opens pictures.
"""

from collections.abc import Mapping
from collections.abc import Sequence as Items
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import torch

from kinedepth.errors import KinedepthError
from kinedepth.geometry.camera import Camera, Convention

Size = tuple[int, int]
Side = Literal["left", "right"]
TruthKind = Literal["npz", "png", "velodyne", "map", "packed", "laser"]
"""`map`: any depth file in metres; `packed`: one array of `gt_depths.npz`; `laser`: Make3D's grid."""


@dataclass(frozen=True)
class Lens:
    """How a real lens bends what a pinhole would show; coefficients are OpenCV's, for any picture size.

    `brown`: k1 k2 p1 p2 [k3 [k4 k5 k6]], 4, 5 or 8 of them (Brown 1966, rational from the sixth on);
    `fisheye`: k1 k2 k3 k4 (Kannala and Brandt 2006).
    """

    model: Literal["brown", "fisheye"]
    coefficients: tuple[float, ...]


@dataclass(frozen=True)
class Calibration:
    """A pinhole camera in pixels of a `width` x `height` picture; centre of the top-left pixel is (0, 0).

    With `width` = `height` = 1 it is the normalized form: entries are fractions of the picture, measured from
    its top-left corner, so that a centre of 0.5 is the middle of any picture.
    """

    fx: float
    fy: float
    cx: float
    cy: float
    width: int = 1
    height: int = 1
    lens: Lens | None = None
    """None where straight lines are straight in the picture."""

    @property
    def normalized(self) -> bool:
        """Whether the entries are fractions of the picture."""
        return self.width == 1 and self.height == 1

    def resized(self, size: Size, convention: Convention = "centers") -> "Calibration":
        """The same camera for pictures of `size` (height, width), in pixels.

        `centers` keeps pixel centres where they are, cx' = (cx + 1/2) s - 1/2, and reads a normalized cx as
        measured from the corner (cx' = cx w - 1/2); `official` scales all of it, cx' = cx s.
        """
        height, width = size
        x, y = width / self.width, height / self.height
        inward = 0.0 if convention == "official" else 0.5
        from_corner = 0.0 if self.normalized else inward
        return Calibration(
            self.fx * x,
            self.fy * y,
            (self.cx + from_corner) * x - inward,
            (self.cy + from_corner) * y - inward,
            width,
            height,
            self.lens,
        )

    def camera(self, size: Size, convention: Convention = "centers") -> Camera:
        """The camera of pictures of `size` (height, width), for one sample."""
        scaled = self.resized(size, convention)
        return Camera(torch.tensor((scaled.fx, scaled.fy)), torch.tensor((scaled.cx, scaled.cy)))


@dataclass(frozen=True)
class Rectification:
    """What is done to a picture when it is read, so that a pinhole could have taken it; see `lens.py`."""

    raw: Calibration
    """The camera of the file's pictures, with its lens, in pixels of their size."""
    pinhole: Calibration
    """The camera of what is given, without a lens, at the same size."""


@dataclass(frozen=True)
class Frame:
    """One picture: a file, or one frame of a video, with the priors that belong to it."""

    path: Path
    index: int | None = None
    """Number within a video, from 0; None where the file is the picture."""
    instances: Path | None = None
    """A picture or array of object ids, 0 = background."""
    semantics: Path | None = None
    rectified: Rectification | None = None
    """How the picture is undistorted when it is read."""

    @property
    def label(self) -> str:
        """What to call the frame: the file's name without its ending, or the number in the video."""
        return self.path.stem if self.index is None else f"{self.index:06d}"


@dataclass(frozen=True)
class Partner:
    """The other picture of a rectified stereo pair."""

    frame: Frame
    calibration: Calibration
    side: Side = "left"
    """On which side the TARGET is."""
    baseline: float | None = None
    """Distance of the two cameras in metres, where it is known."""


@dataclass(frozen=True)
class Truth:
    """Where the measured depth of a target lies."""

    path: Path
    kind: TruthKind
    calibration: Path | None = None
    """For a LiDAR scan: the folder of its calibration files."""
    camera: int = 2
    """For a LiDAR scan: the number of the camera that it is seen from."""
    entry: int | None = None
    """For a file of many maps: which one, from 0."""


@dataclass(frozen=True)
class Moment:
    """A target frame, its neighbours in time, its stereo partner, its camera and its truth."""

    name: str
    """For people, unique: "drive/000012"."""
    sequence: str
    target: Frame
    calibration: Calibration
    neighbors: Mapping[int, Frame] = field(default_factory=dict)
    """By offset from the target, in frames."""
    partner: Partner | None = None
    truth: Truth | None = None
    mask: Path | None = None
    """A picture of the size of the file's, 0 where pixels never count: the car's own bonnet, a watermark."""

    def frames(self) -> tuple[Frame, ...]:
        """Every picture of the moment, target first."""
        beside = () if self.partner is None else (self.partner.frame,)
        return (self.target, *self.neighbors.values(), *beside)


@dataclass(frozen=True)
class Sequence:
    """Frames in order of time from one camera."""

    name: str
    frames: tuple[Frame, ...]
    calibration: Calibration
    size: Size
    """(height, width) of its pictures."""
    fps: float | None = None
    partners: tuple[Frame, ...] = ()
    """The right-hand pictures of a stereo rig, one for each frame."""
    baseline: float | None = None
    truths: tuple[Truth | None, ...] = ()
    poses: Path | None = None
    """Measured camera poses, for evaluation."""
    mask: Path | None = None
    """A picture that is 0 where pixels never count, in every frame."""
    times: tuple[float, ...] | None = None
    """Seconds at which the frames were taken, where they are known."""

    def moments(self, offsets: tuple[int, ...] = (-1, 1), gap: int = 1) -> list[Moment]:
        """A moment for each frame that has every neighbour; `gap` frames count as one step of an offset.

        Raises:
            KinedepthError: the sequence is shorter than the offsets reach.
        """
        before = -min((0, *offsets)) * gap
        after = max((0, *offsets)) * gap
        if len(self.frames) < before + after + 1:
            raise KinedepthError(
                f"the sequence {self.name} has {len(self.frames)} frames but offsets "
                f"{', '.join(f'{offset * gap:+d}' for offset in offsets) or '0'} need at least "
                f"{before + after + 1}: give a longer sequence or smaller offsets"
            )
        return [self._moment(i, offsets, gap) for i in range(before, len(self.frames) - after)]

    def _moment(self, i: int, offsets: tuple[int, ...], gap: int) -> Moment:
        frame = self.frames[i]
        partner = None
        if self.partners:
            partner = Partner(self.partners[i], self.calibration, "left", self.baseline)
        return Moment(
            name=f"{self.name}/{frame.label}",
            sequence=self.name,
            target=frame,
            calibration=self.calibration,
            neighbors={offset: self.frames[i + offset * gap] for offset in offsets},
            partner=partner,
            truth=self.truths[i] if self.truths else None,
            mask=self.mask,
        )


def split(moments: Items[Moment], share: float = 0.1) -> tuple[list[Moment], list[Moment]]:
    """Moments to learn from and moments held out: the last `share` (0 to 1) of each sequence, in one block.

    Moments that share a picture with the held-out block are in neither list.

    Raises:
        KinedepthError: nothing is left to learn from.
    """
    by_sequence: dict[str, list[Moment]] = {}
    for moment in moments:
        by_sequence.setdefault(moment.sequence, []).append(moment)
    kept: list[Moment] = []
    held: list[Moment] = []
    for group in by_sequence.values():
        count = min(len(group) - 1, max(1, round(share * len(group)))) if share > 0 else 0
        block = group[len(group) - count :]
        seen = {frame for moment in block for frame in moment.frames()}
        kept += [moment for moment in group[: len(group) - count] if seen.isdisjoint(moment.frames())]
        held += block
    if not kept:
        raise KinedepthError(
            f"{len(moments)} moments are too few to hold out {share:.0%} of them for validation: "
            "give more frames or hold out nothing"
        )
    return kept, held
