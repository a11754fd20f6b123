"""Flip post-processing: a prediction blended with that of the mirrored image.

Source: Godard et al. 2017, section 3.4 (post-processing), with the ramp of Monodepth2's evaluation. A
stereo-trained network is unsure at the border that the other camera did not see; the mirrored prediction is
sure there.
"""

from typing import overload

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

RAMP_START, RAMP_SLOPE = 0.05, 20.0


def _left_share(width: int) -> Float[np.ndarray, " w"]:
    """How far each column belongs to the left border: 1 up to 5 % of the width, 0 from 10 %."""
    x = np.linspace(0.0, 1.0, width)
    return 1.0 - np.clip(RAMP_SLOPE * (x - RAMP_START), 0.0, 1.0)


def _shares(width: int) -> tuple[Float[np.ndarray, " w"], Float[np.ndarray, " w"]]:
    """The columns' weights on the direct and on the mirrored prediction; they add up to one."""
    left = _left_share(width)
    right = left[::-1]
    middle = 0.5 * (1.0 - left - right)
    return right + middle, left + middle


@overload
def blend_flipped(
    direct: Float[np.ndarray, "*b h w"], mirrored: Float[np.ndarray, "*b h w"]
) -> Float[np.ndarray, "*b h w"]: ...


@overload
def blend_flipped(
    direct: Float[Tensor, "*b h w"], mirrored: Float[Tensor, "*b h w"]
) -> Float[Tensor, "*b h w"]: ...


def blend_flipped(
    direct: Float[np.ndarray, "*b h w"] | Float[Tensor, "*b h w"],
    mirrored: Float[np.ndarray, "*b h w"] | Float[Tensor, "*b h w"],
) -> Float[np.ndarray, "*b h w"] | Float[Tensor, "*b h w"]:
    """The mean of both inverse depths; near the left border the mirrored one, near the right the direct one.

    `mirrored` is the prediction of the mirrored image, already mirrored back. In the type of `direct`.
    """
    on_direct, on_mirrored = _shares(direct.shape[-1])
    if isinstance(direct, Tensor):
        weights = torch.as_tensor(
            np.stack((on_direct, on_mirrored)), dtype=direct.dtype, device=direct.device
        )
        return weights[0] * direct + weights[1] * torch.as_tensor(mirrored)
    blended = on_direct * direct + on_mirrored * np.asarray(mirrored)
    return np.asarray(blended, dtype=direct.dtype)
