"""Inverse depth, its affine range, and the factors between two depths."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional as F


def inverse_depth_from_sigmoid(
    sigmoid: Float[Tensor, "*shape"], near: float, far: float
) -> Float[Tensor, "*shape"]:
    """Inverse depth between 1 / far (at 0) and 1 / near (at 1).

    Source: Godard et al. 2019, section 3: depth = 1 / (a sigma + b).
    """
    return 1 / far + (1 / near - 1 / far) * sigmoid


def resized_map(values: Float[Tensor, "b c _ _"], size: tuple[int, int]) -> Float[Tensor, "b c h w"]:
    """Maps read bilinearly at another size, by pixel areas (not by corners)."""
    if (values.shape[-2], values.shape[-1]) == size:
        return values
    return F.interpolate(values, size=size, mode="bilinear", align_corners=False, antialias=False)


def median_scale(
    predicted: Float[Tensor, "b 1 h w"], measured: Float[Tensor, "b 1 h w"], valid: Bool[Tensor, "b 1 h w"]
) -> Float[Tensor, " b"]:
    """The factor per image that gives `predicted` the median of `measured` where `valid`; 1 without any."""
    factors = []
    for one, other, mask in zip(predicted, measured, valid, strict=True):
        ratio = other[mask].median() / one[mask].median() if mask.any() else one.new_ones(())
        factors.append(ratio)
    return torch.stack(factors)
