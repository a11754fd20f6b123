"""Predictions that need no learning."""

import numpy as np
import pytest
import torch

from kinedepth.errors import KinedepthError
from kinedepth.evaluation.baselines import constant_depth, flat_ground, mean_depth
from kinedepth.geometry.camera import Camera

CAMERA = Camera(torch.tensor([100.0, 50.0]), torch.tensor([3.5, 1.5]))


def test_constant_depth() -> None:
    np.testing.assert_array_equal(constant_depth((2, 3), depth=4.0), np.full((2, 3), 0.25))


def test_flat_ground_lies_at_camera_height() -> None:
    depth = 1 / flat_ground((60, 8), CAMERA, height=1.65)
    points = CAMERA.unproject(torch.from_numpy(depth)[None, None])
    np.testing.assert_allclose(points[0, 1, 3:], 1.65, rtol=1e-6)


def test_flat_ground_is_far_at_and_above_the_horizon() -> None:
    depth = 1 / flat_ground((60, 8), CAMERA, height=1.65, far=60.0)
    np.testing.assert_allclose(depth[:2], 60.0)
    assert depth.max() == pytest.approx(60.0)


def test_mean_depth_of_each_pixel() -> None:
    depths = [np.array([[2.0, 10.0]]), np.array([[4.0, 30.0]])]
    np.testing.assert_allclose(1 / mean_depth(depths), [[3.0, 20.0]])


@pytest.mark.parametrize("empty", [0.0, 80.0, np.inf, np.nan], ids=str)
def test_mean_depth_leaves_out_what_is_not_measured(empty: float) -> None:
    depths = [np.array([[2.0, 10.0]]), np.array([[4.0, empty]])]
    np.testing.assert_allclose(1 / mean_depth(depths, far=80.0), [[3.0, 10.0]])


def test_mean_depth_fills_from_its_row_and_the_nearest_row() -> None:
    depths = [np.array([[0.0, 0.0], [4.0, 0.0], [0.0, 0.0], [0.0, 0.0], [0.0, 9.0]])]
    np.testing.assert_allclose(1 / mean_depth(depths)[:, 0], [4, 4, 4, 9, 9])


def test_mean_depth_needs_measurements() -> None:
    with pytest.raises(KinedepthError, match="No training depth"):
        mean_depth([np.zeros((2, 2))])


def test_mean_depth_needs_one_size() -> None:
    with pytest.raises(KinedepthError, match=r"\(3, 2\) and \(2, 2\)"):
        mean_depth([np.ones((2, 2)), np.ones((3, 2))])
