"""Rigid transforms of things that stand level; x right, y down, z forward."""

import numpy as np
from jaxtyping import Float

Matrix = Float[np.ndarray, "4 4"]
"""A rigid transform `b_from_a` in homogeneous form."""


def planar_poses(
    x: Float[np.ndarray, " n"], y: float, z: Float[np.ndarray, " n"], heading: Float[np.ndarray, " n"]
) -> Float[np.ndarray, "n 4 4"]:
    """world_from_object at many places; `heading` in radians from +z towards +x."""
    poses = np.zeros((len(x), 4, 4))
    poses[:, 0, 0] = poses[:, 2, 2] = np.cos(heading)
    poses[:, 0, 2], poses[:, 2, 0] = np.sin(heading), -np.sin(heading)
    poses[:, 1, 1] = poses[:, 3, 3] = 1
    poses[:, 0, 3], poses[:, 1, 3], poses[:, 2, 3] = x, y, z
    return poses


def planar_pose(x: float, y: float, z: float, heading: float) -> Matrix:
    """world_from_object at one place."""
    return np.asarray(planar_poses(np.array([x]), y, np.array([z]), np.array([heading]))[0])
