"""Pose: rigid motion between two frames, named b_from_a: points_b = b_from_a.apply(points_a)."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from kinedepth.geometry.precision import outside_autocast
from kinedepth.geometry.record import Record


def rotation_from_axis_angle(axis_angle: Float[Tensor, "*b 3"]) -> Float[Tensor, "*b 3 3"]:
    """The rotation about `axis_angle` by its length in radians (Rodrigues' formula).

    The axis is v / (|v| + 1e-7) as in Godard et al.'s code: orthonormal to about 1e-7 / |v|, exactly the
    identity at zero, and its gradient at exactly zero is zero instead of NaN (the length is never
    differentiated at zero).
    """
    squared = axis_angle.square().sum(-1, keepdim=True)
    is_zero = squared == 0
    angle = torch.where(is_zero, squared.new_ones(()), squared).sqrt().masked_fill(is_zero, 0.0)
    x, y, z = (axis_angle / (angle + 1e-7)).unbind(-1)
    cos, sin = torch.cos(angle)[..., 0], torch.sin(angle)[..., 0]
    rest = 1 - cos
    rows = (
        (x * x * rest + cos, x * y * rest - z * sin, z * x * rest + y * sin),
        (x * y * rest + z * sin, y * y * rest + cos, y * z * rest - x * sin),
        (z * x * rest - y * sin, y * z * rest + x * sin, z * z * rest + cos),
    )
    return torch.stack([torch.stack(row, dim=-1) for row in rows], dim=-2)


@dataclass(frozen=True)
class Pose(Record):
    """A rotation, then a translation: X_b = R X_a + t."""

    rotation: Float[Tensor, "*b 3 3"]
    translation: Float[Tensor, "*b 3"]

    @staticmethod
    def from_axis_angle(axis_angle: Float[Tensor, "*b 3"], translation: Float[Tensor, "*b 3"]) -> "Pose":
        """The pose that turns by `axis_angle` (radians) and then moves by `translation`."""
        return Pose(rotation_from_axis_angle(axis_angle), translation)

    @staticmethod
    def from_matrix(matrix: Float[Tensor, "*b _ 4"]) -> "Pose":
        """The pose of a 3x4 or 4x4 matrix."""
        return Pose(matrix[..., :3, :3], matrix[..., :3, 3])

    @staticmethod
    def identity(batch: int, like: Tensor) -> "Pose":
        """`batch` poses that move nothing, on the device and in the type of `like`."""
        eye = torch.eye(3, device=like.device, dtype=like.dtype).expand(batch, 3, 3)
        return Pose(eye, like.new_zeros(batch, 3))

    def matrix(self) -> Float[Tensor, "*b 4 4"]:
        """The homogeneous matrix."""
        top = torch.cat((self.rotation, self.translation[..., None]), dim=-1)
        last = top.new_tensor((0.0, 0.0, 0.0, 1.0)).expand(*top.shape[:-2], 1, 4)
        return torch.cat((top, last), dim=-2)

    def __matmul__(self, other: "Pose") -> "Pose":
        """c_from_b @ b_from_a gives c_from_a."""
        with outside_autocast(self.rotation):
            moved = (self.rotation @ other.translation[..., None])[..., 0]
            return Pose(self.rotation @ other.rotation, moved + self.translation)

    def inverse(self) -> "Pose":
        """a_from_b; the rotation is transposed, as in the official code."""
        back = self.rotation.transpose(-1, -2)
        with outside_autocast(back):
            return Pose(back, -(back @ self.translation[..., None])[..., 0])

    def apply(self, points: Float[Tensor, "b 3 *n"]) -> Float[Tensor, "b 3 *n"]:
        """The points, moved."""
        flat = points.flatten(2) if points.ndim > 2 else points[..., None]
        with outside_autocast(flat):
            return torch.baddbmm(self.translation[..., None], self.rotation, flat).view(points.shape)
