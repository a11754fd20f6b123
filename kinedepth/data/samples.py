"""Moments become samples: the one data set of kinedepth, and the only place that opens a training picture."""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal
from zipfile import BadZipFile

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.utils.data import Dataset

from kinedepth.data.augment import Augment, augmented
from kinedepth.data.frames import picture_size, read_labels
from kinedepth.data.lens import labels_undistorted
from kinedepth.data.lidar import lidar_depth, read_lidar_camera, read_scan
from kinedepth.data.moments import Frame, Moment, Partner, Rectification, Size, Truth
from kinedepth.data.store import FrameStore
from kinedepth.data.video import frames
from kinedepth.errors import KinedepthError
from kinedepth.geometry.camera import Convention
from kinedepth.geometry.pose import Pose
from kinedepth.scene import Inputs, Sample, View

Key = int | tuple[int, int]
Baseline = Literal["unit", "metres"]

UNIT_BASELINE = 0.1
"""The distance of stereo cameras in Monodepth2's unit; predicted depth times (metres / 0.1) is in metres."""

_DEPTH_PNG_STEPS = 256.0

# How far the proportions of a mask may be from the picture's: sizes are rounded, but it must be the same cut.
_PROPORTIONS = math.log(1.02)


@dataclass(eq=False)
class Samples(Dataset[Sample]):
    """Samples at one size, read when asked for: `samples[i]`, or `samples[epoch, i]` as varied in that epoch.

    Raises KinedepthError when made: there is nothing to read, or moments lack what is asked.
    """

    moments: Sequence[Moment]
    inputs: Inputs
    size: Size
    """(height, width) of what is given, a multiple of 32 for most networks: see `rounded_size`."""
    augment: Augment | None = None
    """How samples are varied; nothing is varied without it."""
    seed: int = 0
    convention: Convention = "centers"
    """How cameras follow a resize and a mirror; `official` is Monodepth2's."""
    baseline: Baseline = "unit"
    """Length of a stereo pose: Monodepth2's 0.1, or metres where the data say them."""
    truth: bool = False
    """Whether measured depth is read too, at its own size; only where every moment has it."""
    workers: int = 0
    """Threads that read ahead in `batches`, for whoever asks."""
    store: FrameStore = field(default=None)  # type: ignore[assignment]
    """Where decoded frames are kept; by default one of its own."""

    def __post_init__(self) -> None:
        """Refuses what cannot be read later."""
        if not self.moments:
            raise KinedepthError("there are no frames to read: the list of moments is empty")
        if min(self.size) < 1:
            raise KinedepthError(f"the size {self.size[1]}x{self.size[0]} is no picture size")
        if self.store is None:
            self.store = FrameStore(self.size)
        for moment in self.moments:
            _check(moment, self.inputs)
        # For all or for none, so that samples can be put into one batch.
        self._masked = any(
            moment.mask is not None or any(frame.rectified is not None for frame in self._frames(moment))
            for moment in self.moments
        )
        self._check_masks()
        self.truth = self.truth and all(moment.truth is not None for moment in self.moments)

    def __len__(self) -> int:
        """The number of moments."""
        return len(self.moments)

    def __getitem__(self, key: Key) -> Sample:
        """The sample of a moment, varied as (seed, epoch, index) say.

        Raises:
            KinedepthError: a file is missing or damaged; it is named.
        """
        epoch, index = key if isinstance(key, tuple) else (0, key)
        sample = self._read(self.moments[index])
        if self.augment is None:
            return sample
        return augmented(sample, self.augment.draw(self.seed, epoch, index), self.convention)

    def subset(self, indices: Iterable[int]) -> "Samples":
        """The samples of some moments, from the same store."""
        return replace(self, moments=[self.moments[i] for i in indices])

    def prepare(self, progress: Callable[[int, int], None] | None = None) -> None:
        """Decode every frame before the first is needed, so that a damaged file is found now.

        Args:
            progress: called with how many frames are done and how many there are.

        Raises:
            KinedepthError: a picture or video cannot be read.
        """
        wanted = dict.fromkeys(frame for moment in self.moments for frame in self._frames(moment))
        for number, frame in enumerate(wanted, 1):
            self.store.read(frame)
            if progress is not None:
                progress(number, len(wanted))

    def _check_masks(self) -> None:
        firsts = {(moment.mask, moment.sequence): moment for moment in reversed(self.moments)}
        for (mask, _), moment in firsts.items():
            if mask is not None:
                _check_proportions(mask, moment)
                self.store.counts(moment.target, mask)

    def _frames(self, moment: Moment) -> list[Frame]:
        beside = [moment.neighbors[offset] for offset in self.inputs.offsets]
        partner = self._partner(moment)
        return [moment.target, *beside, *([] if partner is None else [partner.frame])]

    def _partner(self, moment: Moment) -> Partner | None:
        return moment.partner if "stereo" in self.inputs.priors else None

    def _read(self, moment: Moment) -> Sample:
        images = self._images(self._frames(moment))
        times = {0: moment.target, **{offset: moment.neighbors[offset] for offset in self.inputs.offsets}}
        views = [
            self._view(moment, frame, offset, image)
            for (offset, frame), image in zip(times.items(), images, strict=False)
        ]
        partner = self._partner(moment)
        if partner is not None:
            views.append(self._partner_view(partner, images[-1]))
        depth = read_truth(moment.truth) if self.truth and moment.truth is not None else None
        if depth is not None and moment.target.rectified is not None:
            # Along the same rays: what was measured for the file's pixels belongs to these, and z stays z.
            depth = torch.from_numpy(labels_undistorted(depth[0].numpy(), moment.target.rectified))[None]
        return Sample(views[0], tuple(views[1:]), depth, (moment.name,))

    def _images(self, frames: list[Frame]) -> Float[Tensor, "n 3 h w"]:
        pixels = np.stack([self.store.read(frame) for frame in frames])
        return torch.from_numpy(pixels).float().div_(255)

    def _view(self, moment: Moment, frame: Frame, offset: int, image: Float[Tensor, "3 h w"]) -> View:
        labels: dict[str, Any] = {
            kind: _labels(getattr(frame, kind), self.size, array, frame.rectified)
            for kind, array in (("instances", "instances"), ("semantics", "classes"))
            if kind in self.inputs.priors
        }
        camera = moment.calibration.camera(self.size, self.convention)
        return View(image, camera, offset, counts=self._counts(frame, moment.mask), **labels)

    def _counts(self, frame: Frame, mask: Path | None = None) -> Bool[Tensor, "1 h w"] | None:
        return self.store.counts(frame, mask) if self._masked else None

    def _partner_view(self, partner: Partner, image: Float[Tensor, "3 h w"]) -> View:
        length = UNIT_BASELINE if self.baseline == "unit" else partner.baseline
        if length is None:
            raise KinedepthError("the distance of the stereo cameras in metres is not known: give --baseline")
        sign = -1.0 if partner.side == "left" else 1.0
        pose = Pose(torch.eye(3), torch.tensor((sign * length, 0.0, 0.0)))
        camera = partner.calibration.camera(self.size, self.convention)
        # The mask shows the target's camera; of the other one only the lens is known.
        return View(image, camera, 0, pose, counts=self._counts(partner.frame))


def _check(moment: Moment, inputs: Inputs) -> None:
    lacking = [offset for offset in inputs.offsets if offset not in moment.neighbors]
    if lacking:
        raise KinedepthError(
            f"{moment.name} has no neighbour at {lacking[0]:+d}: list the moments with these offsets"
        )
    if "stereo" in inputs.priors and moment.partner is None:
        raise KinedepthError(
            f"{moment.name} has no stereo partner: give folders left/ and right/ with the same file names"
        )
    frames = (moment.target, *(moment.neighbors[offset] for offset in inputs.offsets))
    for kind in inputs.priors & {"instances", "semantics"}:
        if any(getattr(frame, kind) is None for frame in frames):
            raise KinedepthError(f"{moment.name} has no {kind}: make them with `kinedepth labels`")


def _picture_size(frame: Frame) -> Size:
    if frame.index is None:
        return picture_size(frame.path)
    height, width, _ = next(frames(frame.path)).shape
    return height, width


def _check_proportions(mask: Path, moment: Moment) -> None:
    """Raises KinedepthError where a mask has other proportions than the picture that it is for."""
    (height, width), (tall, wide) = picture_size(mask), _picture_size(moment.target)
    if abs(math.log(width * tall / (height * wide))) > _PROPORTIONS:
        raise KinedepthError(
            f"the mask {mask} is {width}x{height} but the pictures of {moment.sequence} are {wide}x{tall}: "
            "give a mask of the same proportions"
        )


def _labels(path: Path, size: Size, array: str, rectified: Rectification | None) -> Int[Tensor, "h w"]:
    return torch.from_numpy(read_labels(path, size, array, rectified).astype(np.int64))


def read_truth(truth: Truth) -> Float[Tensor, "1 H W"]:
    """Measured depth in metres at its own size, 0 where there is none.

    PNG steps are 1/256 m (KITTI's coding); a LiDAR scan gives its own forward distance, as the raw KITTI
    evaluation does.

    Raises:
        KinedepthError: the file is missing or damaged.
    """
    if truth.kind == "velodyne":
        camera = read_lidar_camera(truth.calibration or truth.path.parent, truth.camera)
        depth = lidar_depth(read_scan(truth.path), camera)
    elif truth.kind == "png":
        depth = read_labels(truth.path, None) / _DEPTH_PNG_STEPS
    else:
        try:
            with np.load(truth.path) as arrays:
                depth = arrays["depth"]
        except (OSError, ValueError, KeyError, BadZipFile) as error:
            raise KinedepthError(f"{truth.path} holds no readable array `depth`") from error
    finite = np.where(np.isfinite(depth), depth, 0.0).astype(np.float32)
    return torch.from_numpy(finite)[None]
