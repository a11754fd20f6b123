"""Ours against OpenCV's projection."""

import cv2
import numpy as np
import pytest
import torch

from kinedepth.geometry.camera import Camera
from kinedepth.geometry.pose import Pose


@pytest.mark.parametrize("turn", [(0.0, 0.0, 0.0), (0.1, -0.2, 0.3), (-1.0, 0.4, 0.2), (0.0, 3.0, 0.0)])
def test_projection_of_moved_points(turn: tuple[float, float, float]) -> None:
    random = np.random.default_rng(0)
    step, center, focal = np.array((0.2, -0.1, 0.5)), np.array((320.5, 96.25)), np.array((371.2, 368.64))
    seen = random.uniform((-3, -2, 1), (3, 2, 20), (60, 3))
    rotation = cv2.Rodrigues(np.array(turn))[0]
    points = (seen - step) @ rotation
    matrix = np.array([[focal[0], 0, center[0]], [0, focal[1], center[1]], [0, 0, 1]])
    expected = cv2.projectPoints(points, np.array(turn), step, matrix, None)[0][:, 0]

    camera = Camera(torch.from_numpy(focal)[None], torch.from_numpy(center)[None])
    pose = Pose.from_axis_angle(torch.tensor([turn], dtype=torch.float64), torch.from_numpy(step)[None])
    pixels, depth = camera.project(torch.from_numpy(points.T.copy()).view(1, 3, 6, 10), pose)
    np.testing.assert_allclose(pixels[0].flatten(1).T.numpy(), expected, rtol=0, atol=5e-4)
    np.testing.assert_allclose(depth.flatten().numpy(), seen[:, 2], rtol=0, atol=1e-5)


@pytest.mark.parametrize("turn", [(0.1, -0.2, 0.3), (1e-3, 0.0, 0.0), (2.0, -1.0, 2.5)])
def test_rotation_from_axis_angle(turn: tuple[float, float, float]) -> None:
    pose = Pose.from_axis_angle(
        torch.tensor([turn], dtype=torch.float64), torch.zeros(1, 3, dtype=torch.float64)
    )
    np.testing.assert_allclose(pose.rotation[0].numpy(), cv2.Rodrigues(np.array(turn))[0], rtol=0, atol=3e-7)
