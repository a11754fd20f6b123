"""A laser scan as a depth map: rounding, collisions, borders, files."""

from pathlib import Path

import numpy as np
import pytest

from kinedepth.data.lidar import LidarCamera, image_from_lidar, lidar_depth, read_lidar_camera, read_scan
from kinedepth.errors import KinedepthError

SIZE = (4, 6)
# Camera axes from scanner axes: right = -left, down = -up, forward = forward; focal length 1, center (0, 0).
AXES = np.array([[0.0, -1, 0, 0], [0, 0, -1, 0], [1, 0, 0, 0]])
CAMERA = LidarCamera(AXES, SIZE)


def point_at(u: float, v: float, z: float) -> list[float]:
    """The scanner's point that projects to (u, v) at depth z."""
    return [z, -u * z, -v * z, 0.0]


def scan(*points: list[float]) -> np.ndarray:
    return np.array(points, dtype=np.float64)


def filled(depth: np.ndarray) -> dict[tuple[int, int], float]:
    return {(int(row), int(column)): float(depth[row, column]) for row, column in np.argwhere(depth)}


@pytest.mark.parametrize("official", [True, False])
@pytest.mark.parametrize(
    ("u", "v", "pixel"),
    [
        (1.0, 1.0, (0, 0)),
        (3.4, 2.6, (2, 2)),
        (2.5, 3.5, (3, 1)),
        (6.4, 4.4, (3, 5)),
    ],
    ids=["first", "nearest", "half-even", "last"],
)
def test_pixels_count_from_one_and_halves_go_to_even(
    u: float, v: float, pixel: tuple[int, int], official: bool
) -> None:
    assert filled(lidar_depth(scan(point_at(u, v, 8.0)), CAMERA, official=official)) == {pixel: 8.0}


@pytest.mark.parametrize("official", [True, False])
@pytest.mark.parametrize(("u", "v"), [(0.4, 2), (2, 0.4), (6.6, 2), (2, 4.6)])
def test_outside_is_dropped(u: float, v: float, official: bool) -> None:
    assert filled(lidar_depth(scan(point_at(u, v, 8.0)), CAMERA, official=official)) == {}


@pytest.mark.parametrize("official", [True, False])
@pytest.mark.parametrize("order", [(5.0, 9.0, 7.0), (9.0, 7.0, 5.0), (9.0, 5.0, 7.0)])
def test_nearest_point_wins(order: tuple[float, ...], official: bool) -> None:
    points = scan(*(point_at(2, 2, z) for z in order))
    assert filled(lidar_depth(points, CAMERA, official=official)) == {(1, 1): 5.0}


def test_points_behind_the_scanner_are_dropped() -> None:
    assert filled(lidar_depth(scan([-8.0, -16.0, -16.0, 0.0]), CAMERA)) == {}


def test_points_behind_the_camera_are_dropped() -> None:
    behind = np.column_stack((AXES[:, :3], [0, 0, -5.0]))
    points = scan([1.0, 8.0, 8.0, 0.0])
    assert filled(lidar_depth(points, LidarCamera(behind, SIZE))) == {}
    assert filled(lidar_depth(points, LidarCamera(behind, SIZE), official=True)) == {(1, 1): 1.0}


def test_point_in_the_plane_of_the_camera() -> None:
    beside = np.column_stack((AXES[:, :3], [0, 0, -1.0]))
    assert filled(lidar_depth(scan([1.0, 0.0, 0.0, 0.0]), LidarCamera(beside, SIZE))) == {}


@pytest.mark.parametrize(("distance", "expected"), [("forward", 8.0), ("camera_z", 7.5)])
def test_distance_is_named(distance: str, expected: float) -> None:
    shifted = np.column_stack((AXES[:, :3], [0, 0, -0.5]))
    point = scan([8.0, -2 * 7.5, -2 * 7.5, 0.0])
    assert filled(lidar_depth(point, LidarCamera(shifted, SIZE), distance)) == {(1, 1): expected}


@pytest.mark.parametrize(
    ("official", "expected"),
    [(False, {(0, 5): 9.0, (1, 0): 5.0}), (True, {(0, 5): 5.0, (1, 0): 7.0})],
    ids=["exact", "official"],
)
def test_end_of_a_row_and_start_of_the_next(official: bool, expected: dict[tuple[int, int], float]) -> None:
    points = scan(point_at(6, 1, 9.0), point_at(1, 2, 5.0), point_at(1, 2, 7.0))
    assert filled(lidar_depth(points, CAMERA, official=official)) == expected


def test_empty_scan() -> None:
    assert not lidar_depth(np.zeros((0, 4)), CAMERA).any()


def test_chain_of_calibrations() -> None:
    projection = np.array([[2.0, 0, 1, 0.5], [0, 2, 1, 0], [0, 0, 1, 0]])
    turn = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
    matrix = image_from_lidar(projection, turn, AXES[:, :3], np.array([0.1, 0.2, 0.3]))
    point = np.array([4.0, 1.0, 2.0])
    moved = turn @ (AXES[:, :3] @ point + [0.1, 0.2, 0.3])
    np.testing.assert_allclose(matrix @ [*point, 1], projection @ [*moved, 1])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    projection = " ".join(["2", "0", "1", "0.5", "0", "2", "1", "0", "0", "0", "1", "0"])
    eye = "1 0 0 0 1 0 0 0 1"
    entries = ["calib_time: 09-Jan-2012 13:57:47", "S_rect_02: 6.0e+00 4.0e+00", f"R_rect_00: {eye}"]
    (tmp_path / "calib_cam_to_cam.txt").write_text("\n".join([*entries, f"P_rect_03: {projection}"]) + "\n")
    (tmp_path / "calib_velo_to_cam.txt").write_text("calib_time: now\nR: 0 -1 0 0 0 -1 1 0 0\nT: 0 0 -0.5\n")
    return tmp_path


def test_camera_is_read(folder: Path) -> None:
    camera = read_lidar_camera(folder, camera=3)
    assert camera.size == SIZE
    np.testing.assert_allclose(camera.image_from_lidar, [[1, -2, 0, 0], [1, 0, -2, -0.5], [1, 0, 0, -0.5]])


def test_missing_entry_is_named(folder: Path) -> None:
    with pytest.raises(KinedepthError, match="P_rect_02"):
        read_lidar_camera(folder)


def test_missing_calibration_is_named(tmp_path: Path) -> None:
    with pytest.raises(KinedepthError, match=r"calib_cam_to_cam\.txt"):
        read_lidar_camera(tmp_path)


def test_scan_is_read(tmp_path: Path) -> None:
    points = np.random.default_rng(0).normal(size=(7, 4)).astype(np.float32)
    points.tofile(tmp_path / "scan.bin")
    np.testing.assert_array_equal(read_scan(tmp_path / "scan.bin"), points)


@pytest.mark.parametrize("length", [None, 0, 17, 20])
def test_bad_scan_is_named(tmp_path: Path, length: int | None) -> None:
    path = tmp_path / "scan.bin"
    if length is not None:
        path.write_bytes(bytes(length))
    with pytest.raises(KinedepthError, match=r"scan\.bin"):
        read_scan(path)
