"""Camera: from points to pixels and back. The pixel convention lives here.

The centre of the top-left pixel is (0, 0). Intrinsics are in pixels of their image, and change with
every resize, crop and flip. Two conventions of resizing are met in the field:

* `centers` keeps pixel centres fixed, cx' = (cx + 1/2) s - 1/2, which is what image resizing does;
* `official` scales all of it, cx' = cx s, which is what Monodepth2's code and published weights expect.
"""

from dataclasses import dataclass
from typing import Literal, TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor

from kinedepth.geometry.pose import Pose
from kinedepth.geometry.precision import outside_autocast
from kinedepth.geometry.record import Record

Convention = Literal["centers", "official"]

# What Monodepth2 adds to the depth before it divides: keeps z = 0 finite, moves nothing in front of a camera.
DIVISION_GUARD = 1e-7


def pixel_grid(size: tuple[int, int], like: Tensor) -> Float[Tensor, "2 h w"]:
    """The (x, y) position of every pixel of an image of `size`, on the device and in the type of `like`."""
    height, width = size
    y, x = torch.meshgrid(
        torch.arange(height, device=like.device, dtype=like.dtype),
        torch.arange(width, device=like.device, dtype=like.dtype),
        indexing="ij",
    )
    return torch.stack((x, y))


Projected: TypeAlias = tuple[Float[Tensor, "b 2 h w"], Float[Tensor, "b 1 h w"]]
"""Pixels (x, y) and depth."""


@dataclass(frozen=True)
class Camera(Record):
    """A pinhole camera; x points right, y down, z forward."""

    focal: Float[Tensor, "*b 2"]
    center: Float[Tensor, "*b 2"]

    @staticmethod
    def from_matrix(matrix: Float[Tensor, "*b _ _"]) -> "Camera":
        """The camera of a 3x3 or 4x4 intrinsic matrix in pixels, without skew."""
        focal = torch.stack((matrix[..., 0, 0], matrix[..., 1, 1]), dim=-1)
        return Camera(focal, matrix[..., :2, 2].clone())

    def matrix(self) -> Float[Tensor, "*b 3 3"]:
        """The intrinsic matrix K in pixels."""
        matrix = torch.diag_embed(torch.cat((self.focal, torch.ones_like(self.focal[..., :1])), dim=-1))
        matrix[..., :2, 2] = self.center
        return matrix

    def rays(self, size: tuple[int, int]) -> Float[Tensor, "*b 3 h w"]:
        """The direction in which each pixel of an image of `size` looks, with z = 1."""
        x, y = pixel_grid(size, self.focal)
        along = [(1 / self.focal[..., i, None, None]) for i in range(2)]
        start = [-self.center[..., i, None, None] / self.focal[..., i, None, None] for i in range(2)]
        x, y = along[0] * x + start[0], along[1] * y + start[1]
        return torch.stack((x, y, torch.ones_like(x)), dim=-3)

    def unproject(self, depth: Float[Tensor, "b 1 h w"]) -> Float[Tensor, "b 3 h w"]:
        """The point that each pixel sees at `depth` (camera z), in the depth's unit."""
        return depth * self.rays((depth.shape[-2], depth.shape[-1]))

    def project(self, points: Float[Tensor, "b 3 h w"], moved: Pose | None = None) -> Projected:
        """The pixel (x, y) on which each point falls after it has `moved`, and its depth there.

        Intrinsics and motion are multiplied first, so that a dense map is read and written once. Pixels mean
        nothing where depth <= 0. Source: Godard et al. 2019, reference code: 1e-7 is added to z before the
        division.
        """
        matrix = self.matrix()
        if moved is None:
            motion = Pose(matrix, torch.zeros_like(matrix[..., 0]))
        else:
            with outside_autocast(matrix):
                motion = Pose(matrix @ moved.rotation, (matrix @ moved.translation[..., None])[..., 0])
        scaled = motion.apply(points)
        depth = scaled[..., 2:, :, :]
        return scaled[..., :2, :, :] / (depth + DIVISION_GUARD), depth

    def resized(self, factor: tuple[float, float], convention: Convention = "centers") -> "Camera":
        """The camera of the image whose width and height are multiplied by `factor` (x, y)."""
        scale = torch.as_tensor(factor, device=self.focal.device, dtype=self.focal.dtype)
        if convention == "official":
            return Camera(self.focal * scale, self.center * scale)
        return Camera(self.focal * scale, (self.center + 0.5) * scale - 0.5)

    def cropped(self, left: float, top: float) -> "Camera":
        """The camera of the image that begins `left` columns and `top` rows further in."""
        return Camera(self.focal, self.center - self.center.new_tensor((left, top)))

    def flipped(self, width: int) -> "Camera":
        """The camera of the mirrored image: cx' = width - 1 - cx."""
        return Camera(self.focal, torch.stack((width - 1 - self.center[..., 0], self.center[..., 1]), dim=-1))
