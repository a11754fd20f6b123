"""Our maps against OpenCV's projection of points in space, the ground that they claim to stand on."""

import json
import math
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from kinedepth.data.camera_files import read_intrinsics
from kinedepth.data.cameras.bending import bent, reach, straight, view_angle
from kinedepth.data.lens import (
    depth_on_original,
    lens_pixels,
    pinhole_pixels,
    rectification,
    seen,
    undistorted,
)
from kinedepth.data.moments import Calibration, Lens
from kinedepth.data.video import frames

PLAIN = Calibration(301.0, 299.0, 161.5, 118.25, 320, 240)
SIZE = (240, 320)
LENSES = {
    "brown 4": Lens("brown", (-0.25, 0.06, 0.003, -0.002)),
    "brown 5": Lens("brown", (-0.257, 0.0434, -0.0007, 0.0001, -0.115)),
    "brown 8": Lens("brown", (0.3, -0.1, 0.002, 0.001, 0.02, 0.55, -0.05, 0.01)),
    "fisheye": Lens("fisheye", (0.03, -0.01, 0.002, -0.0003)),
}


def matrix(camera: Calibration) -> np.ndarray:
    return np.array([[camera.fx, 0, camera.cx], [0, camera.fy, camera.cy], [0, 0, 1]])


def projected(points: np.ndarray, camera: Calibration) -> np.ndarray:
    """Pixels of points in space through the lens, as OpenCV has them."""
    still, lens = np.zeros(3), camera.lens
    assert lens is not None
    coefficients = np.array(lens.coefficients)
    if lens.model == "fisheye":
        found = cv2.fisheye.projectPoints(points[:, None], still, still, matrix(camera), coefficients)[0]
    else:
        found = cv2.projectPoints(points[:, None], still, still, matrix(camera), coefficients)[0]
    return found.reshape(-1, 2)


def in_space(pinhole: Calibration) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Points somewhere along the rays of some of the pinhole's pixels, with their columns and rows."""
    random = np.random.default_rng(3)
    x, y, z = random.integers(0, 320, 400), random.integers(0, 240, 400), random.uniform(0.5, 30, 400)
    rays = np.stack(((x - pinhole.cx) / pinhole.fx, (y - pinhole.cy) / pinhole.fy, np.ones(400)), -1)
    return rays * z[:, None], x, y


@pytest.mark.parametrize("name", LENSES)
def test_a_point_lands_where_the_map_says(name: str) -> None:
    rectified = rectification(replace(PLAIN, lens=LENSES[name]))
    points, x, y = in_space(rectified.pinhole)
    found = pinhole_pixels(rectified, SIZE)[:, y, x].T
    np.testing.assert_allclose(found, projected(points, rectified.raw), atol=2e-3)


@pytest.mark.parametrize("name", LENSES)
@pytest.mark.parametrize("size", [(120, 160), (240, 320), (100, 300)])
def test_the_way_back_is_opencvs(name: str, size: tuple[int, int]) -> None:
    rectified = rectification(replace(PLAIN, lens=LENSES[name]))
    raw, pinhole = rectified.raw.resized(size), rectified.pinhole.resized(size)
    x, y = lens_pixels(rectified, size).reshape(2, -1).astype(float)
    there = np.isfinite(x)
    assert there.mean() > 0.95
    points = np.stack(((x - pinhole.cx) / pinhole.fx, (y - pinhole.cy) / pinhole.fy, np.ones_like(x)), -1)
    rows, columns = np.mgrid[: size[0], : size[1]].reshape(2, -1)
    expected = np.stack((columns, rows), -1)
    np.testing.assert_allclose(projected(points[there], raw), expected[there], atol=2e-3)


@pytest.mark.parametrize("name", LENSES)
def test_bending_and_its_inverse(name: str) -> None:
    lens = LENSES[name]
    angles = np.random.default_rng(5).uniform(0, 2 * math.pi, 300)
    radii = np.random.default_rng(6).uniform(0, min(1.2, 0.95 * reach(lens)), 300)
    rays = radii[:, None] * np.stack((np.cos(angles), np.sin(angles)), -1)
    np.testing.assert_allclose(straight(bent(rays, lens), lens), rays, atol=1e-6)


def test_what_a_fisheye_sees_is_the_angle_it_projects_to_the_edge() -> None:
    lens = LENSES["fisheye"]
    half = view_angle(0.6, lens) / 2
    points = np.array([[math.sin(half), 0, math.cos(half)]])
    camera = Calibration(1.0, 1.0, 0.0, 0.0, 1, 1, lens)
    np.testing.assert_allclose(projected(points, camera), [[0.6, 0]], atol=1e-5)


@pytest.mark.parametrize("name", LENSES)
def test_depth_of_a_plane_lands_on_the_pixels_that_see_it(name: str) -> None:
    """Each pixel of the pinhole knows a point of the plane; OpenCV says which pixel of the file sees it."""
    rectified = rectification(replace(PLAIN, lens=LENSES[name]))
    pinhole = rectified.pinhole
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    rays = np.stack(((x - pinhole.cx) / pinhole.fx, (y - pinhole.cy) / pinhole.fy, np.ones(SIZE)), -1)
    depth = 4 / (rays @ (0.3, 0.5, 0.8))
    original = depth_on_original(depth.astype(np.float32), rectified)
    pixels = projected((rays * depth[..., None]).reshape(-1, 3), rectified.raw)
    nearest = np.rint(pixels).astype(int)
    close = (np.abs(pixels - nearest) < 0.05).all(-1)
    measured = original[nearest[:, 1], nearest[:, 0]]
    met = close & (measured > 0)
    assert met.sum() > 300
    np.testing.assert_allclose(measured[met], depth.reshape(-1)[met], rtol=1e-3)


def sagitta(image: np.ndarray, left: float, right: float) -> float:
    """How far a dark-below edge bows between column 5 and 420, near the line from row `left` to `right`."""
    gray = cv2.GaussianBlur(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(float), (0, 0), 1.5)
    slope, columns = np.gradient(gray, axis=0), np.arange(5, 420)
    near = np.linspace(left, right, len(columns)).astype(int)
    rows = near - 12 + np.argmin(slope[near[:, None] + np.arange(-12, 13), columns[:, None]], axis=1)
    kept = np.abs(rows - np.polyval(np.polyfit(columns, rows, 2), columns)) < 2
    return float(abs(np.polyfit(columns[kept], rows[kept], 2)[0]) * (415 / 2) ** 2)


def test_the_wall_beside_a_real_road_becomes_straight(real_data_root: Path) -> None:
    folder = real_data_root / "dashcam_udacity"
    known = json.loads((folder / "intrinsics.json").read_text())
    if (known["width"], known["height"]) != (1280, 720):
        pytest.skip("another video")
    rectified = rectification(read_intrinsics(folder / "intrinsics.json"))
    frame = next(iter(frames(folder / "test_video.mp4", stop=1)))
    assert seen(rectified, (720, 1280)).all()
    assert sagitta(frame, 457, 437) > 0.4
    assert sagitta(undistorted(frame, rectified), 456, 438) < 0.15
