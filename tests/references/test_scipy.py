"""Ours against SciPy's rotations."""

import math

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from kinedepth.geometry.pose import Pose, rotation_from_axis_angle

RANDOM = np.random.default_rng(0)
TURNS = RANDOM.normal(size=(50, 3)) * RANDOM.uniform(0.01, math.pi / 2, size=(50, 1))


@pytest.mark.parametrize(
    "turns",
    [TURNS, 1e-3 * TURNS, np.array([[math.pi, 0.0, 0.0], [0.0, 0.0, 0.0]])],
    ids=["wide", "small", "ends"],
)
def test_rotation_from_axis_angle(turns: np.ndarray) -> None:
    ours = rotation_from_axis_angle(torch.from_numpy(turns)).numpy()
    np.testing.assert_allclose(ours, Rotation.from_rotvec(turns).as_matrix(), rtol=0, atol=3e-7)


def test_composition_and_inverse() -> None:
    a, b = Rotation.from_rotvec(TURNS), Rotation.from_rotvec(TURNS[::-1])
    still = torch.zeros(50, 3, dtype=torch.float64)
    one, other = (Pose(torch.from_numpy(rotation.as_matrix()), still) for rotation in (a, b))
    np.testing.assert_allclose((one @ other).rotation.numpy(), (a * b).as_matrix(), rtol=0, atol=1e-12)
    np.testing.assert_allclose(one.inverse().rotation.numpy(), a.inv().as_matrix(), rtol=0, atol=1e-12)


def test_moved_points() -> None:
    turn, step = TURNS[0], np.array((1.0, -2.0, 3.0))
    points = RANDOM.normal(size=(20, 3))
    pose = Pose.from_axis_angle(torch.from_numpy(turn)[None], torch.from_numpy(step)[None])
    moved = pose.apply(torch.from_numpy(points.T.copy())[None])[0].T.numpy()
    np.testing.assert_allclose(moved, Rotation.from_rotvec(turn).apply(points) + step, rtol=0, atol=1e-6)
