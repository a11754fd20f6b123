"""Layers of the decoders, and the precision of last layers."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from kinedepth.errors import KinedepthError
from kinedepth.geometry.precision import outside_autocast


class ConvELU(nn.Module):
    """3x3 convolution with reflected borders and bias, then ELU (alpha 1); no normalization.

    Source: Godard et al. 2019, supplement, table of the network.
    """

    def __init__(self, channels_in: int, channels_out: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels_in, channels_out, 3, padding=1, padding_mode="reflect")

    def forward(self, maps: Float[Tensor, "b _ h w"]) -> Float[Tensor, "b _ h w"]:
        """Maps of the same size."""
        return F.elu(self.conv(maps))


class FullPrecisionConv(nn.Conv2d):
    """A convolution that runs in its weights' own precision under autocast too.

    For last layers: eight bits of mantissa are too few for a logit of inverse depth, or for a pose of a
    thousandth.
    """

    def forward(self, maps: Float[Tensor, "b _ h w"]) -> Float[Tensor, "b _ h w"]:
        """The plain convolution, at least float32 if the weights are."""
        with outside_autocast(maps):
            result: Tensor = super().forward(maps.to(self.weight.dtype))
        return result


def at_least_float32(values: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """The same values, half precisions widened to float32."""
    return values.to(torch.promote_types(values.dtype, torch.float32))


def doubled(maps: Float[Tensor, "b c _ _"]) -> Float[Tensor, "b c _ _"]:
    """Each pixel repeated to 2 x 2."""
    return F.interpolate(maps, scale_factor=2.0, mode="nearest")


def require_size(image: Float[Tensor, "b c h w"], multiple: int, smallest: int) -> None:
    """Nothing, if height and width fit the network.

    Raises:
        KinedepthError: a side is not a multiple of `multiple`, or less than `smallest`.
    """
    height, width = image.shape[-2:]
    if height % multiple or width % multiple or min(height, width) < smallest:
        raise KinedepthError(
            f"an image of {width}x{height} does not fit this network: resize it so that both sides are "
            f"multiples of {multiple} and at least {smallest}"
        )
