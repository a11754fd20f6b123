"""Read an image at pixels."""

from typing import Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional as F


def normalized_pixels(pixels: Float[Tensor, "b 2 h w"], size: tuple[int, int]) -> Float[Tensor, "b h w 2"]:
    """Pixels as `grid_sample` wants them: -1 at the first pixel's centre, +1 at the last one's."""
    height, width = size
    last = pixels.new_tensor((width - 1, height - 1))
    return (pixels.permute(0, 2, 3, 1) / last - 0.5) * 2


def read(
    image: Float[Tensor, "b c h w"],
    pixels: Float[Tensor, "b 2 i j"],
    padding: Literal["border", "zeros"] = "border",
    align_corners: bool = True,
) -> Float[Tensor, "b c i j"]:
    """The image at fractional pixels, bilinearly.

    Args:
        image: what is read.
        pixels: where, as (x, y) with (0, 0) at the centre of the first pixel.
        padding: outside the image, its nearest border pixel or zero.
        align_corners: False repeats what Monodepth2's code does on today's PyTorch: positions normalised by
            size - 1 but read as if by size, up to half a pixel off. For comparison only.
    """
    grid = normalized_pixels(pixels, (image.shape[-2], image.shape[-1]))
    # On a CPU the gradient of reading at NaN writes anywhere and ends the process, so NaN reads the border.
    grid = grid.nan_to_num(nan=-1.0)
    return F.grid_sample(image, grid, mode="bilinear", padding_mode=padding, align_corners=align_corners)


def inside(pixels: Float[Tensor, "b 2 h w"], size: tuple[int, int]) -> Bool[Tensor, "b 1 h w"]:
    """Where pixels lie on an image of `size`, its outermost centres included."""
    height, width = size
    last = torch.tensor((width - 1, height - 1), device=pixels.device, dtype=pixels.dtype)[:, None, None]
    return ((pixels >= 0) & (pixels <= last)).all(dim=1, keepdim=True)
