"""Mirror images and colors of a sample; one draw for all of its frames, so that equal pixels stay equal.

Monodepth2's augmentation: each sample is mirrored with probability 1/2, and its colors are changed with
probability 1/2 (brightness, contrast, saturation, hue, in random order). Only what networks see is changed
in color; losses read the clean image. Ours differs: the mirrored camera's centre is moved exactly (theirs
is left, see `official`), and the draw belongs to (seed, epoch, item): it does not depend on workers, order
or a resumed run.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from kinedepth.geometry.camera import Convention
from kinedepth.geometry.pose import Pose
from kinedepth.scene import Boxes, Sample, View

# ITU-R BT.601 weights of red, green and blue in brightness, as Pillow and torchvision round them.
_LUMA = (0.299, 0.587, 0.114)

_OPERATIONS = 4


@dataclass(frozen=True)
class Jitter:
    """One change of color: factors, a turn of the hue in full circles, the order of the four operations."""

    brightness: float = 1.0
    contrast: float = 1.0
    saturation: float = 1.0
    hue: float = 0.0
    order: tuple[int, ...] = tuple(range(_OPERATIONS))


@dataclass(frozen=True)
class Draw:
    """What happens to one sample."""

    flip: bool = False
    jitter: Jitter | None = None


@dataclass(frozen=True)
class Augment:
    """How samples are varied; the defaults are Monodepth2's."""

    flip: float = 0.5
    """Probability of mirroring."""
    jitter: float = 0.5
    """Probability of changed colors."""
    brightness: float = 0.2
    """Factors lie within 1 - this and 1 + this; so for contrast and saturation."""
    contrast: float = 0.2
    saturation: float = 0.2
    hue: float = 0.1
    """Turns lie within minus and plus this share of the circle."""

    def draw(self, seed: int, epoch: int, index: int) -> Draw:
        """What happens to item `index` in `epoch`: the same for the same three numbers, anywhere."""
        random = np.random.default_rng((seed, epoch, index))
        flip, change = random.random(2)
        widths = (self.brightness, self.contrast, self.saturation, self.hue)
        brightness, contrast, saturation, hue = random.uniform(-1, 1, _OPERATIONS) * widths
        order = tuple(random.permutation(_OPERATIONS).tolist())
        jitter = Jitter(float(1 + brightness), float(1 + contrast), float(1 + saturation), float(hue), order)
        return Draw(bool(flip < self.flip), jitter if change < self.jitter else None)


def _luma(images: Float[Tensor, "*b 3 h w"]) -> Float[Tensor, "*b 1 h w"]:
    red, green, blue = images.unbind(-3)
    return (_LUMA[0] * red + _LUMA[1] * green + _LUMA[2] * blue).unsqueeze(-3)


def _blend(
    images: Float[Tensor, "*b 3 h w"], other: Float[Tensor, "*b 1 _ _"], factor: float
) -> Float[Tensor, "*b 3 h w"]:
    return (images * factor + other * (1 - factor)).clamp_(0, 1)


def brightened(images: Float[Tensor, "*b 3 h w"], factor: float) -> Float[Tensor, "*b 3 h w"]:
    """The images times `factor`, cut off at white."""
    return (images * factor).clamp_(0, 1)


def contrasted(images: Float[Tensor, "*b 3 h w"], factor: float) -> Float[Tensor, "*b 3 h w"]:
    """The images drawn away from (factor > 1) or towards their own mean brightness."""
    return _blend(images, _luma(images).mean((-2, -1), keepdim=True), factor)


def saturated(images: Float[Tensor, "*b 3 h w"], factor: float) -> Float[Tensor, "*b 3 h w"]:
    """The images drawn away from (factor > 1) or towards gray."""
    return _blend(images, _luma(images), factor)


def hue_turned(images: Float[Tensor, "*b 3 h w"], turn: float) -> Float[Tensor, "*b 3 h w"]:
    """The images with the hue of the HSV cone turned by `turn` full circles; saturation and value stay.

    Source: Smith 1978, the hexcone model; the way back in its form without cases,
    channel = value - chroma max(0, min(k, 4 - k, 1)) with k = (n + 6 hue) mod 6 and n = 5, 3, 1.
    """
    red, green, blue = images.unbind(-3)
    value = images.amax(-3)
    chroma = value - images.amin(-3)
    safe = chroma.clamp_min(torch.finfo(images.dtype).tiny)
    sixths = torch.where(
        value == red,
        (green - blue) / safe,
        torch.where(value == green, (blue - red) / safe + 2, (red - green) / safe + 4),
    )
    shift = images.new_tensor((5.0, 3.0, 1.0))[:, None, None] + 6 * turn
    place = (sixths.unsqueeze(-3) + shift).remainder_(6)
    weight = torch.minimum(place, 4 - place).clamp_(0, 1)
    return (value.unsqueeze(-3) - chroma.unsqueeze(-3) * weight).clamp_(0, 1)


def jittered(images: Float[Tensor, "*b 3 h w"], jitter: Jitter) -> Float[Tensor, "*b 3 h w"]:
    """The images in other colors: the same change for all."""
    operations: tuple[Callable[[Tensor], Tensor], ...] = (
        lambda image: brightened(image, jitter.brightness),
        lambda image: contrasted(image, jitter.contrast),
        lambda image: saturated(image, jitter.saturation),
        lambda image: hue_turned(image, jitter.hue),
    )
    for number in jitter.order:
        images = operations[number](images)
    return images


def _mirrored_boxes(boxes: Boxes, width: int) -> Boxes:
    x0, y0, x1, y1 = boxes.corners.unbind(-1)
    return replace(boxes, corners=torch.stack((width - 1 - x1, y0, width - 1 - x0, y1), dim=-1))


def _mirrored_pose(pose: Pose) -> Pose:
    # The world is mirrored in x on both sides of the motion: R' = S R S, t' = S t with S = diag(-1, 1, 1).
    sign = pose.translation.new_tensor((-1.0, 1.0, 1.0))
    return Pose(pose.rotation * sign[:, None] * sign, pose.translation * sign)


def _mirrored_view(view: View, convention: Convention) -> View:
    width = view.image.shape[-1]
    flat: dict[str, Any] = {
        name: None if getattr(view, name) is None else getattr(view, name).flip(-1)
        for name in ("image", "jittered", "instances", "semantics", "counts")
    }
    return replace(
        view,
        **flat,
        camera=view.camera if convention == "official" else view.camera.flipped(width),
        view_from_target=None if view.view_from_target is None else _mirrored_pose(view.view_from_target),
        boxes=None if view.boxes is None else _mirrored_boxes(view.boxes, width),
    )


def mirrored(sample: Sample, convention: Convention = "centers") -> Sample:
    """The sample as a mirror shows it: images, labels, boxes, depth, cameras and known poses.

    `official` leaves the cameras as they are, as Monodepth2 does, which is exact only where cx is the middle.
    """
    return replace(
        sample,
        target=_mirrored_view(sample.target, convention),
        sources=tuple(_mirrored_view(view, convention) for view in sample.sources),
        depth=None if sample.depth is None else sample.depth.flip(-1),
    )


def recolored(sample: Sample, jitter: Jitter | None) -> Sample:
    """The sample with `jittered` set in every view: the changed image, or the clean one without a change."""
    views = (sample.target, *sample.sources)
    images = [view.image for view in views]
    seen = images if jitter is None else list(jittered(torch.stack(images), jitter))
    target, *sources = (replace(view, jittered=image) for view, image in zip(views, seen, strict=True))
    return replace(sample, target=target, sources=tuple(sources))


def augmented(sample: Sample, draw: Draw, convention: Convention = "centers") -> Sample:
    """The sample after a draw; every view then has `jittered`, so that samples can be put into one batch."""
    sample = recolored(sample, draw.jitter)
    return mirrored(sample, convention) if draw.flip else sample
