"""What needs no learning: rows that stand in every table. A model that loses to one of them says so.

Each gives inverse depth, as a model does, and goes through the same evaluation.
"""

from collections.abc import Iterable

import numpy as np
from jaxtyping import Float

from kinedepth.errors import KinedepthError
from kinedepth.evaluation.depth import Map
from kinedepth.geometry.camera import Camera

KITTI_CAMERA_HEIGHT = 1.65
"""Meters above the road (Geiger et al. 2013, figure 3)."""


def constant_depth(size: tuple[int, int], depth: float = 1.0) -> Float[np.ndarray, "h w"]:
    """The inverse of one depth everywhere; which one matters only where nothing is aligned."""
    return np.full(size, 1 / depth)


def flat_ground(
    size: tuple[int, int], camera: Camera, height: float = KITTI_CAMERA_HEIGHT, far: float = 80.0
) -> Float[np.ndarray, "h w"]:
    """The inverse depth (1/m) of a level road `height` meters below a level camera, cut at `far` meters.

    The horizon is the camera's center row; depth below it is height * focal_y / (row - center_y).
    """
    focal, horizon = float(camera.focal[..., 1]), float(camera.center[..., 1])
    below = np.arange(size[0], dtype=np.float64) - horizon
    column = np.maximum(below / (height * focal), 1 / far)
    return np.repeat(column[:, None], size[1], axis=1)


def mean_depth(depths: Iterable[Map], far: float = 80.0) -> Float[np.ndarray, "h w"]:
    """The inverse of the mean measured depth of each pixel, over training images of one size.

    Only depths between 0 and `far` count. A pixel that was never measured takes the mean of its row, a row
    that never was takes the nearest row that was.

    Raises:
        KinedepthError: the images differ in size or measure nothing.
    """
    total, count = _sums(depths, far)
    rows = np.flatnonzero(count.any(axis=1))
    if not rows.size:
        raise KinedepthError(
            f"No training depth below {far:g} m was given; the mean depth needs measured images."
        )
    of_rows = total.sum(axis=1)[rows] / count.sum(axis=1)[rows]
    nearest = np.abs(np.arange(len(total))[:, None] - rows).argmin(axis=1)
    filled = np.where(count > 0, total / np.maximum(count, 1), of_rows[nearest][:, None])
    return np.asarray(1 / filled)


def _sums(depths: Iterable[Map], far: float) -> tuple[Float[np.ndarray, "h w"], Float[np.ndarray, "h w"]]:
    total = count = np.zeros((0, 0))
    for depth in depths:
        if not total.size:
            total, count = np.zeros(depth.shape), np.zeros(depth.shape)
        if depth.shape != total.shape:
            raise KinedepthError(
                f"Training depths differ in size, {depth.shape} and {total.shape}; resize them first."
            )
        measured = (depth > 0) & (depth < far)
        total += np.where(measured, depth, 0.0)
        count += measured
    return total, count
