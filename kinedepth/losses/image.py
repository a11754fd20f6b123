"""How much two images differ, per pixel; nothing here is reduced."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional as F

from kinedepth.geometry.counted import image_mean

C1 = 0.01**2
C2 = 0.03**2


def local_mean(values: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
    """The mean of each 3x3 neighbourhood; the image is mirrored beyond its border."""
    return F.avg_pool2d(F.pad(values, (1, 1, 1, 1), mode="reflect"), 3, stride=1)


@dataclass(frozen=True)
class Moments:
    """An image with its local mean and variance, so that a target is measured once for all its sources."""

    image: Float[Tensor, "b c h w"]
    mean: Float[Tensor, "b c h w"]
    variance: Float[Tensor, "b c h w"]

    @staticmethod
    def of(image: Float[Tensor, "b c h w"]) -> "Moments":
        """The moments of an image."""
        mean = local_mean(image)
        return Moments(image, mean, local_mean(image.square()) - mean.square())


def _ssim_distance(a: Moments, b: Moments) -> Float[Tensor, "b c h w"]:
    covariance = local_mean(a.image * b.image) - a.mean * b.mean
    similar = (2 * a.mean * b.mean + C1) * (2 * covariance + C2)
    total = (a.mean.square() + b.mean.square() + C1) * (a.variance + b.variance + C2)
    return ((1 - similar / total) / 2).clamp(0, 1)


def ssim_distance(a: Float[Tensor, "b c h w"], b: Float[Tensor, "b c h w"]) -> Float[Tensor, "b c h w"]:
    """How unlike two images are in structure, 0 (equal) to 1, per channel and pixel.

    Uniform 3x3 windows and population variances. Source: Wang et al. 2004, as used by Godard et al. 2017.
    """
    return _ssim_distance(Moments.of(a), Moments.of(b))


def photometric_error(
    a: Float[Tensor, "b c h w"], b: Float[Tensor, "b c h w"] | Moments, ssim: float = 0.85
) -> Float[Tensor, "b 1 h w"]:
    """How unlike two images are: `ssim` parts structure, the rest mean absolute difference.

    Source: Godard et al. 2019, equation 2. `b` may be given with its moments when many images are compared
    with it.
    """
    target = b.image if isinstance(b, Moments) else b
    difference = (a - target).abs().mean(1, keepdim=True)
    if ssim == 0:
        return difference
    moments = b if isinstance(b, Moments) else Moments.of(b)
    return ssim * _ssim_distance(Moments.of(a), moments).mean(1, keepdim=True) + (1 - ssim) * difference


def edge_aware_smoothness(
    inverse_depth: Float[Tensor, "b 1 h w"],
    image: Float[Tensor, "b 3 h w"],
    counts: Bool[Tensor, "b 1 h w"] | None = None,
) -> tuple[Float[Tensor, "b 1 h _"], Float[Tensor, "b 1 _ w"]]:
    """How much inverse depth changes to the right and downwards where the image does not.

    Divided by its mean first (where pixels count), so that a scene cannot become smooth by shrinking. Forward
    differences: one column or row shorter than the map. Source: Godard et al. 2019, equation 3.
    """
    relative = inverse_depth / (image_mean(inverse_depth, counts) + 1e-7)
    return _weighted(relative, image, -1), _weighted(relative, image, -2)


def _weighted(values: Float[Tensor, "b 1 _ _"], image: Float[Tensor, "b 3 _ _"], axis: int) -> Tensor:
    edges = torch.diff(image, dim=axis).abs().mean(1, keepdim=True)
    return torch.diff(values, dim=axis).abs() * torch.exp(-edges)
