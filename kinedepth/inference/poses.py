"""Trajectory files: TUM (with timestamps) and KITTI (rows of a 3x4 matrix), and what they share.

Both hold world_from_camera: where the camera is and how it is turned, x right, y down, z forward, the first
camera being the world. Units are those of the trajectory; relative ones are said so in the TUM header
(KITTI files have none).
"""

from array import array
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float64

from kinedepth.errors import KinedepthError
from kinedepth.inference.whole import whole_file

Matrix = Float64[np.ndarray, "4 4"]
Matrices = Float64[np.ndarray, "n 4 4"]
TUM_COLUMNS, KITTI_COLUMNS = 8, 12
CONVENTION = "camera-to-world, x right, y down, z forward, the first camera is the world; seconds"


def nearest_rotation(matrix: Float64[np.ndarray, "*n 3 3"]) -> Float64[np.ndarray, "*n 3 3"]:
    """The rotation closest to `matrix` (orthogonal Procrustes).

    Network rotations are orthonormal to about 1e-4 for small angles only, which a chain of thousands would
    multiply.
    """
    u, _, vt = np.linalg.svd(matrix)
    sign = np.ones(matrix.shape[:-1])
    sign[..., -1] = np.linalg.det(u @ vt)
    return np.asarray(u * sign[..., None, :] @ vt)


def quaternion(rotation: Float64[np.ndarray, "3 3"]) -> Float64[np.ndarray, " 4"]:
    """The unit quaternion (x, y, z, w) of a rotation, w >= 0.

    Divides by the largest component, so it is exact at half turns. Source: Shepperd 1978.
    """
    trace = np.trace(rotation)
    # Four times the products q q^T of (x, y, z, w): any row gives q, the one of the largest diagonal safely.
    products = np.empty((4, 4))
    products[:3, :3] = rotation + rotation.T
    products[range(3), range(3)] = 1.0 + 2.0 * np.diag(rotation) - trace
    products[3, :3] = products[:3, 3] = (
        rotation[2, 1] - rotation[1, 2],
        rotation[0, 2] - rotation[2, 0],
        rotation[1, 0] - rotation[0, 1],
    )
    products[3, 3] = 1.0 + trace
    row = products[int(np.argmax(np.diag(products)))]
    unit = row / np.linalg.norm(row)
    return np.asarray(unit if unit[3] >= 0 else -unit)


def rotation_from_quaternion(unit: Float64[np.ndarray, " 4"]) -> Float64[np.ndarray, "3 3"]:
    """The rotation of a quaternion (x, y, z, w), which is normalised first."""
    x, y, z, w = unit / np.linalg.norm(unit)
    return np.array(
        (
            (1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)),
            (2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)),
            (2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)),
        )
    )


def chained(second_from_first: Iterable[Matrix]) -> Matrices:
    """world_from_camera of every frame, from the motions between them; the first camera is the world."""
    poses = [np.eye(4)]
    for motion in second_from_first:
        poses.append(next_pose(poses[-1], motion))
    return np.stack(poses)


def rigid(motion: Matrix) -> Matrix:
    """The motion with its rotation made orthonormal."""
    exact = np.eye(4)
    exact[:3, :3] = nearest_rotation(motion[:3, :3])
    exact[:3, 3] = motion[:3, 3]
    return exact


def next_pose(world_from_first: Matrix, second_from_first: Matrix) -> Matrix:
    """world_from_second; the motion's rotation is made orthonormal first."""
    return np.asarray(world_from_first @ np.linalg.inv(rigid(second_from_first)))


class Trail:
    """world_from_camera of a clip as it runs by, 96 bytes a pose; the first camera is the world."""

    def __init__(self) -> None:
        self._entries = array("d")
        self._last = np.eye(4)

    def begin(self) -> None:
        """Adds the first camera."""
        self._keep(np.eye(4))

    def move(self, second_from_first: Matrix) -> None:
        """Adds the camera that moved so since the last one."""
        self._keep(next_pose(self._last, second_from_first))

    def matrices(self) -> Matrices:
        """All poses."""
        rows = np.array(self._entries).reshape(-1, 3, 4)
        poses = np.tile(np.eye(4), (len(rows), 1, 1))
        poses[:, :3] = rows
        return poses

    def _keep(self, pose: Matrix) -> None:
        self._last = pose
        self._entries.extend(pose[:3].ravel().tolist())


def _numbers(values: Iterable[float]) -> str:
    """The numbers with a space between, none at the end; twelve digits, and no minus before a zero."""
    return " ".join(f"{value + 0.0:.12g}" for value in values)


def write_tum(path: Path, timestamps: Sequence[float], world_from_camera: Matrices, note: str = "") -> None:
    """Writes `timestamp tx ty tz qx qy qz qw` a line (seconds; camera-to-world), whole or not at all.

    `note` is added to the comment at the top: the unit and its source. Raises KinedepthError when the
    numbers of timestamps and poses differ.
    """
    if len(timestamps) != len(world_from_camera):
        raise KinedepthError(
            f"{path}: {len(timestamps)} timestamps for {len(world_from_camera)} poses, give one each."
        )
    lines = ["# timestamp tx ty tz qx qy qz qw", f"# {CONVENTION}"]
    lines += [f"# {note}"] if note else []
    for timestamp, pose in zip(timestamps, world_from_camera, strict=True):
        lines.append(f"{timestamp:.9f} " + _numbers((*pose[:3, 3], *quaternion(pose[:3, :3]))))
    _write_lines(path, lines)


def write_kitti(path: Path, world_from_camera: Matrices) -> None:
    """Writes the twelve numbers of [R | t] a line, row by row, and no header (KITTI's readers know none)."""
    _write_lines(path, [_numbers(pose[:3].ravel()) for pose in world_from_camera])


def _write_lines(path: Path, lines: Sequence[str]) -> None:
    with whole_file(path) as draft:
        draft.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def read_tum(path: Path) -> tuple[Float64[np.ndarray, " n"], Matrices]:
    """Timestamps in seconds and world_from_camera of a TUM file; KinedepthError for anything else."""
    rows = _table(path, TUM_COLUMNS, "TUM")
    poses = np.tile(np.eye(4), (len(rows), 1, 1))
    poses[:, :3, 3] = rows[:, 1:4]
    for pose, row in zip(poses, rows, strict=True):
        pose[:3, :3] = rotation_from_quaternion(row[4:])
    return rows[:, 0].copy(), poses


def read_kitti(path: Path) -> Matrices:
    """world_from_camera of a KITTI pose file; KinedepthError for anything else."""
    rows = _table(path, KITTI_COLUMNS, "KITTI")
    poses = np.tile(np.eye(4), (len(rows), 1, 1))
    poses[:, :3] = rows.reshape(-1, 3, 4)
    return poses


def _table(path: Path, columns: int, kind: str) -> Float64[np.ndarray, "n c"]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        rows = [[float(word) for word in line.split()] for line in lines if line.strip() and line[0] != "#"]
    except (OSError, ValueError) as error:
        raise KinedepthError(
            f"{path} cannot be read as a {kind} trajectory: give a text file of numbers."
        ) from error
    if not rows or any(len(row) != columns for row in rows):
        raise KinedepthError(f"{path} is no {kind} trajectory: each line must hold {columns} numbers.")
    return np.array(rows, dtype=np.float64)
