"""From logits to inverse depth: the range, and a start at flat ground.

Source of the range: Godard et al. 2019, section 3. The flat-ground start is ours, for cameras that ride level
and have no pretrained weights: the last layers begin at zero and their logit is added to that of the prior.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from kinedepth.errors import KinedepthError
from kinedepth.geometry.depth import inverse_depth_from_sigmoid
from kinedepth.networks.blocks.layers import at_least_float32

MARGIN = 1e-3
"""How far the prior's sigmoid stays from 0 and 1, where gradients vanish."""


@dataclass(frozen=True)
class FlatGround:
    """A level camera above a plane; defaults are KITTI's camera, in units of about 13 m.

    Raises:
        KinedepthError: a value outside its range.
    """

    focal: float = 1.92
    """Vertical focal length, by image height: fy / H."""
    horizon: float = 0.5
    """Where the horizon lies between the upper (0) and the lower edge (1): (cy + 1/2) / H."""
    height: float = 0.0
    """Camera height in units of depth; 0 chooses it so that the ground's pixels have median depth one."""
    background: float = 5.0
    """Depth above the horizon, and the largest below it."""

    def __post_init__(self) -> None:
        """Refuses what no level camera has."""
        if not 0 < self.horizon < 1:
            raise KinedepthError(
                f"horizon {self.horizon} is outside the image: flat ground needs it between 0 and 1"
            )
        if self.focal <= 0 or self.height < 0 or self.background <= 0:
            raise KinedepthError(
                "flat ground needs focal > 0, background > 0 and height > 0 (or 0 to choose it)"
            )

    @property
    def camera_height(self) -> float:
        """`height`, or the one that was chosen."""
        return self.height or (1 - self.horizon) / (2 * self.focal)

    @staticmethod
    def below_camera(focal: float, center: float, image_height: int, height: float = 0.0) -> "FlatGround":
        """The ground under a camera whose vertical `focal` length and `center` are in pixels of an image."""
        return FlatGround(focal / image_height, (center + 0.5) / image_height, height)


def ground_inverse_depth(
    rows: int, horizon: Float[Tensor, ""], rise: Float[Tensor, ""], background: Float[Tensor, ""]
) -> Float[Tensor, "1 1 {rows} 1"]:
    """Inverse depth of flat ground for each row of an image of any size: 1 / z = (v - horizon) * rise.

    `v` is the row's center between the upper (0) and the lower edge (1), `rise` is 1 / (height * focal).
    Inverse depth is linear there, so nothing is singular at the horizon, where it meets the constant
    background.
    """
    centers = (torch.arange(rows, device=horizon.device, dtype=horizon.dtype) + 0.5) / rows
    return torch.maximum((centers - horizon) * rise, background)[None, None, :, None]


class InverseDepthRange(nn.Module):
    """Logits to inverse depth in (1 / far, 1 / near).

    The range lies in the state dict (`limits`), and so does the ground (`ground`: horizon, rise, background
    inverse depth) where there is one: a checkpoint brings both along.

    Args:
        near: the smallest depth.
        far: the largest depth.
        ground: added to the logits as a prior, if given.

    Raises:
        KinedepthError: not 0 < near < far.
    """

    limits: Tensor
    ground: Tensor | None

    def __init__(self, near: float = 0.1, far: float = 100.0, ground: FlatGround | None = None) -> None:
        super().__init__()
        self.register_buffer("limits", torch.zeros(2))
        self.register_buffer("ground", None if ground is None else _numbers(ground))
        self.reset(near, far)
        self.register_load_state_dict_post_hook(_reread)  # type: ignore[no-untyped-call]

    def reset(self, near: float, far: float) -> None:
        """Another range from now on, as an evaluation protocol may ask."""
        if not 0 < near < far:
            raise KinedepthError(f"a range of depth needs 0 < near < far, not near {near} and far {far}")
        self.near, self.far = near, far
        self.limits.copy_(torch.tensor((near, far)))

    def forward(self, logits: Sequence[Float[Tensor, "b 1 _ _"]]) -> tuple[Float[Tensor, "b 1 _ _"], ...]:
        """Inverse depth of each map of logits, float32 at least."""
        return tuple(self._one(at_least_float32(logit)) for logit in logits)

    def prior(self, rows: int) -> Float[Tensor, "1 1 {rows} 1"] | None:
        """The logit of the ground for an image of `rows` rows, if there is a ground."""
        if self.ground is None:
            return None
        inverse_depth = ground_inverse_depth(rows, *at_least_float32(self.ground))
        sigmoid = (inverse_depth - 1 / self.far) / (1 / self.near - 1 / self.far)
        return torch.logit(sigmoid.clamp(MARGIN, 1 - MARGIN))

    def _one(self, logit: Float[Tensor, "b 1 h w"]) -> Float[Tensor, "b 1 h w"]:
        prior = self.prior(logit.shape[-2])
        logit = logit if prior is None else logit + prior
        return inverse_depth_from_sigmoid(logit.sigmoid(), self.near, self.far)


def _numbers(ground: FlatGround) -> Float[Tensor, "3"]:
    rise = 1 / (ground.camera_height * ground.focal)
    return torch.tensor((ground.horizon, rise, 1 / ground.background))


def _reread(module: nn.Module, _: Any) -> None:
    # Python floats, so that a forward pass waits for no device; seven digits are what float32 keeps.
    assert isinstance(module, InverseDepthRange)
    near, far = (float(f"{value:.7g}") for value in module.limits.tolist())
    module.reset(near, far)
