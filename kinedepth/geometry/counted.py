"""The arithmetic of pixels that count: what a mask becomes at another size, where it is read, in a mean.

A mask is True where pixels count; None means that all do, and leaves every number as it is to the bit.
Everything errs on one side: a pixel that was made from any other that does not count does not count.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional as F

from kinedepth.geometry.warp import read


def shrunk_counts(counts: Bool[Tensor, "b 1 h w"], size: tuple[int, int]) -> Bool[Tensor, "b 1 i j"]:
    """Where pixels count at another size: where all of the area that they show does."""
    if (counts.shape[-2], counts.shape[-1]) == size:
        return counts
    return F.interpolate((~counts).float(), size=size, mode="area") == 0


def intact(counts: Bool[Tensor, "b 1 h w"]) -> Bool[Tensor, "b 1 h w"]:
    """Where the whole 3x3 neighbourhood counts; beyond the border nothing is asked."""
    return F.max_pool2d((~counts).float(), 3, stride=1, padding=1) == 0


def counts_read(
    counts: Bool[Tensor, "b 1 h w"], pixels: Float[Tensor, "b 2 i j"], align_corners: bool = True
) -> Bool[Tensor, "b 1 i j"]:
    """Where reading at fractional pixels touches only pixels that count.

    Errs by up to one pixel on the careful side: a pixel without weight in the value still moves the gradient.
    """
    left_out = (~intact(counts)).float()
    return read(left_out, pixels.detach(), "border", align_corners) == 0


def both(
    one: Bool[Tensor, "b 1 h w"] | None, other: Bool[Tensor, "b 1 h w"] | None
) -> Bool[Tensor, "b 1 h w"] | None:
    """Where a pixel counts in two masks."""
    if one is None or other is None:
        return other if one is None else one
    return one & other


def channels(
    masks: Sequence[Bool[Tensor, "b 1 h w"] | None],
) -> Bool[Tensor, "b n h w"] | None:
    """The masks as channels of one; None where all of them are."""
    given = next((mask for mask in masks if mask is not None), None)
    if given is None:
        return None
    return torch.cat([torch.ones_like(given) if mask is None else mask for mask in masks], dim=1)


def counted_mean(
    values: Float[Tensor, "b 1 h w"], counts: Bool[Tensor, "b 1 h w"] | None
) -> Float[Tensor, ""]:
    """The mean over the pixels of all images that count; 0 without any."""
    if counts is None:
        return values.mean()
    # Not a product: what is left out may be infinite.
    return torch.where(counts, values, 0.0).sum() / counts.sum().clamp_min(1)


def image_mean(
    values: Float[Tensor, "b 1 h w"], counts: Bool[Tensor, "b 1 h w"] | None
) -> Float[Tensor, "b 1 1 1"]:
    """The mean of each image over its pixels that count; 0 without any."""
    if counts is None:
        return values.mean((2, 3), keepdim=True)
    number = counts.sum((2, 3), keepdim=True).clamp_min(1)
    return torch.where(counts, values, 0.0).sum((2, 3), keepdim=True) / number
