"""A scan of KITTI's laser scanner as a depth map of one of its cameras.

Source: the KITTI raw development kit (Geiger et al. 2013), as the depth evaluations of the field use it:
pixels are round(u) - 1, halves to even. Ours differs, unless `official` is asked for, in that every pixel
keeps its nearest point, and that points behind the camera are dropped.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Float, Int

from kinedepth.errors import KinedepthError

Distance = Literal["forward", "camera_z"]


@dataclass(frozen=True)
class LidarCamera:
    """A rectified camera beside the scanner."""

    image_from_lidar: Float[np.ndarray, "3 4"]
    """From the scanner's (x, y, z, 1), meters, to the camera's (u z, v z, z)."""
    size: tuple[int, int]


def image_from_lidar(
    projection: Float[np.ndarray, "3 4"],
    rectification: Float[np.ndarray, "3 3"],
    rotation: Float[np.ndarray, "3 3"],
    translation: Float[np.ndarray, "3"],
) -> Float[np.ndarray, "3 4"]:
    """P_rect of a camera, times R_rect of camera 0, times camera 0 from the scanner."""
    camera_from_lidar = np.eye(4)
    camera_from_lidar[:3] = np.column_stack((rotation, translation))
    rectified = np.eye(4)
    rectified[:3, :3] = rectification
    return np.asarray(projection @ rectified @ camera_from_lidar)


def read_lidar_camera(folder: Path, camera: int = 2) -> LidarCamera:
    """The camera of a KITTI raw day, from `calib_cam_to_cam.txt` and `calib_velo_to_cam.txt` in `folder`.

    The size is camera 2's for all cameras, as in the field's depth maps.

    Raises:
        KinedepthError: a file or an entry is missing.
    """
    cameras, scanner = folder / "calib_cam_to_cam.txt", folder / "calib_velo_to_cam.txt"
    matrix = image_from_lidar(
        _entry(cameras, f"P_rect_{camera:02d}", 12).reshape(3, 4),
        _entry(cameras, "R_rect_00", 9).reshape(3, 3),
        _entry(scanner, "R", 9).reshape(3, 3),
        _entry(scanner, "T", 3),
    )
    width, height = _entry(cameras, "S_rect_02", 2).astype(int)
    return LidarCamera(matrix, (int(height), int(width)))


def _entry(path: Path, name: str, count: int) -> Float[np.ndarray, " n"]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise KinedepthError(f"{path} cannot be read: {error.strerror}.") from error
    for line in lines:
        key, _, values = line.partition(":")
        if key.strip() == name and len(values.split()) == count:
            return np.array(values.split(), dtype=np.float64)
    raise KinedepthError(
        f"{path} has no entry {name} of {count} numbers; it must be KITTI's own calibration file."
    )


def read_scan(path: Path) -> Float[np.ndarray, "n 4"]:
    """The x (forward), y (left), z (up) in meters and reflectance of every point of a .bin file.

    Raises:
        KinedepthError: the file is missing, empty or cut short.
    """
    try:
        values = np.fromfile(path, dtype=np.float32)
    except OSError as error:
        raise KinedepthError(f"{path} cannot be read: {error.strerror}.") from error
    if not values.size or path.stat().st_size % 16:
        raise KinedepthError(
            f"{path} is no whole scan: {path.stat().st_size} bytes are not a multiple of 16."
        )
    return values.reshape(-1, 4)


def lidar_depth(
    points: Float[np.ndarray, "n _"],
    camera: LidarCamera,
    distance: Distance = "forward",
    official: bool = False,
) -> Float[np.ndarray, "h w"]:
    """Depth in meters where a point falls, 0 elsewhere; points behind the scanner are dropped.

    `forward` is the scanner's x, which the raw KITTI evaluation compares with; `camera_z` is depth in the
    camera. `official` reproduces two slips of the field's code: the last column of a row and the first of the
    next count as one pixel when the nearest point is chosen, and points behind the camera stay. They lie
    outside the Garg crop.
    """
    points = points[points[:, 0] >= 0, :3].astype(np.float64)
    columns, rows, z = _pixels(points, camera.image_from_lidar)
    height, width = camera.size
    kept = (columns >= 0) & (columns < width) & (rows >= 0) & (rows < height) & (official | (z > 0))
    columns, rows = columns[kept].astype(np.int64), rows[kept].astype(np.int64)
    values = (points[:, 0] if distance == "forward" else z)[kept]
    fill = _merged if official else _nearest
    return fill(rows, columns, values, camera.size).astype(np.float32)


def _pixels(
    points: Float[np.ndarray, "n 3"], matrix: Float[np.ndarray, "3 4"]
) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"], Float[np.ndarray, " n"]]:
    projected = points @ matrix[:, :3].T + matrix[:, 3]
    z = projected[:, 2]
    with np.errstate(divide="ignore", invalid="ignore"):
        # The development kit counts pixels from 1.
        columns, rows = np.round(projected[:, :2] / z[:, None]).T - 1
    return columns, rows, z


def _nearest(
    rows: Int[np.ndarray, " n"],
    columns: Int[np.ndarray, " n"],
    values: Float[np.ndarray, " n"],
    size: tuple[int, int],
) -> Float[np.ndarray, "h w"]:
    depth = np.full(size, np.inf)
    np.minimum.at(depth, (rows, columns), values)
    return np.where(np.isfinite(depth), depth, 0.0)


def _merged(
    rows: Int[np.ndarray, " n"],
    columns: Int[np.ndarray, " n"],
    values: Float[np.ndarray, " n"],
    size: tuple[int, int],
) -> Float[np.ndarray, "h w"]:
    depth = np.zeros(size)
    depth[rows, columns] = values  # of several points the last stays, where the next step does not reach
    shared = rows * (size[1] - 1) + columns - 1
    _, first, group = np.unique(shared, return_index=True, return_inverse=True)
    smallest = np.full(len(first), np.inf)
    np.minimum.at(smallest, group, values)
    depth[rows[first], columns[first]] = smallest
    return np.maximum(depth, 0.0)
