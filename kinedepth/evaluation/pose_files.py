"""Trajectory files -> camera-to-world poses: KITTI, TUM and EuRoC, plain or .gz, told apart by their columns.

KITTI   12 numbers a line, the rows of [R | t]; or the frame number before them
TUM     timestamp tx ty tz qx qy qz qw, seconds
EuRoC   timestamp, x, y, z, qw, qx, qy, qz and whatever follows; commas, nanoseconds

A rotation that is off by no more than printed digits is taken as it stands; one that is further off is
replaced by the nearest rotation and counted; one that is none is refused by its line.
"""

import gzip
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Float, Int
from scipy.spatial.transform import Rotation

from kinedepth.errors import KinedepthError
from kinedepth.inference.poses import nearest_rotation

CONVENTION = "camera-to-world, x right, y down, z forward"
SUFFIXES = (".txt", ".csv", ".tum", ".kitti")
ROUNDING, DAMAGE = 1e-5, 0.1
"""How far R^T R may be from the identity: by printed digits; before it is no rotation any more."""

Form = Literal["KITTI", "TUM", "EuRoC"]
Rotations = Float[np.ndarray, "n 3 3"]
Lines = Int[np.ndarray, " n"]


@dataclass(frozen=True)
class Trajectory:
    """Camera-to-world poses, each with the number of its frame or its time, ascending."""

    poses: Float[np.ndarray, "n 4 4"]
    frames: Int[np.ndarray, " n"] | None = None
    """Numbers of the frames; where the file has none, those of its lines from 0. None: there are stamps."""
    stamps: Float[np.ndarray, " n"] | None = None
    """Seconds."""
    numbered: bool = True
    """Whether the frame numbers stood in the file."""
    form: Form = "KITTI"
    name: str = "the trajectory"
    """The file, for sentences."""
    mended: int = 0
    """How many rotations were replaced by the nearest one."""

    def __str__(self) -> str:
        """File, format and number of poses, for people."""
        mended = f", {self.mended} rotations replaced by the nearest one" if self.mended else ""
        return f"{self.name} ({self.form}, {len(self.poses)} poses{mended})"


def read_trajectory(path: Path) -> Trajectory:
    """The poses of a KITTI, TUM or EuRoC file.

    Raises:
        KinedepthError: the file is missing, empty, no table of finite numbers or of another format; a line
            holds no rotation; frame numbers or timestamps do not ascend.
    """
    rows, lines, commas = _table(path)
    columns = rows.shape[1]
    if commas:
        return _euroc(path, rows, lines)
    if columns == 8:
        return _stamped(path, rows, lines, "TUM")
    if columns in (12, 13):
        return _kitti(path, rows, lines)
    raise KinedepthError(
        f"{path}: a line has {columns} numbers; a line of poses has 12 finite numbers or the frame number "
        "before them (KITTI), or timestamp tx ty tz qx qy qz qw (TUM)."
    )


def read_kitti_poses(path: Path) -> Trajectory:
    """The poses of a file that must be KITTI's, for it is matched by frame.

    Raises:
        KinedepthError: as `read_trajectory`, and where the file holds timestamps.
    """
    found = read_trajectory(path)
    if found.frames is None:
        raise KinedepthError(
            f"{path} holds timestamps ({found.form}) where KITTI's 12 numbers a line are needed: convert it."
        )
    return found


def stem(path: Path) -> str:
    """The name of a sequence: that of its file without .gz and the ending.

    >>> stem(Path("gt/09.txt.gz"))
    '09'
    """
    name = path.name.removesuffix(".gz")
    return Path(name).stem if name.endswith(SUFFIXES) else name


def may_be_trajectory(path: Path) -> bool:
    """Whether a file is named as trajectories are; what it holds is another matter."""
    return path.name.removesuffix(".gz").endswith(SUFFIXES) and not path.name.startswith(".")


# Lines


def _table(path: Path) -> tuple[Float[np.ndarray, "n c"], Lines, bool]:
    """The numbers, the line that each row stands in, and whether commas part them."""
    rows: list[list[float]] = []
    lines: list[int] = []
    commas = False
    for number, line in enumerate(_text(path).splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        commas = commas or "," in line
        rows.append(_row(path, number, line))
        lines.append(number)
        if len(rows[-1]) != len(rows[0]):
            raise KinedepthError(
                f"{path}, line {number}: {len(rows[-1])} numbers where line {lines[0]} has {len(rows[0])}; "
                "is the file cut off?"
            )
    if not rows:
        raise KinedepthError(f"{path} is empty: it holds no pose.")
    return np.array(rows, dtype=np.float64), np.array(lines, dtype=np.int64), commas


def _text(path: Path) -> str:
    try:
        content = path.read_bytes()
        packed = content.startswith(b"\x1f\x8b")
        return (gzip.decompress(content) if packed else content).decode("utf-8-sig")
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise KinedepthError(f"{path} is a damaged .gz file: {error}.") from error
    except OSError as error:
        raise KinedepthError(f"{path} cannot be read: {error.strerror or error}.") from error
    except UnicodeDecodeError as error:
        raise KinedepthError(f"{path} is no table of poses: it is no text file.") from error


def _row(path: Path, number: int, line: str) -> list[float]:
    words = line.replace(",", " ").split()
    try:
        values = [float(word) for word in words]
    except ValueError as error:
        raise KinedepthError(
            f"{path} is no table of poses: line {number} begins {line.strip()[:30]!r}."
        ) from error
    if not np.isfinite(values).all():
        raise KinedepthError(f"{path}, line {number}: a line of poses has 12 finite numbers, or 8 (TUM).")
    return values


# Formats


def _kitti(path: Path, rows: Float[np.ndarray, "n c"], lines: Lines) -> Trajectory:
    numbered = rows.shape[1] == 13
    frames = rows[:, 0].astype(np.int64) if numbered else np.arange(len(rows))
    if numbered and not np.array_equal(frames, rows[:, 0]):
        raise KinedepthError(f"{path}: the first of 13 numbers is a frame number, a whole one.")
    _ascending(path, frames.astype(np.float64), lines, "frame numbers")
    matrices = rows[:, -12:].reshape(-1, 3, 4)
    rotations, mended = _checked(path, matrices[:, :, :3], lines)
    poses = _poses(rotations, matrices[:, :, 3])
    return Trajectory(poses, frames, None, numbered, "KITTI", str(path), mended)


def _euroc(path: Path, rows: Float[np.ndarray, "n c"], lines: Lines) -> Trajectory:
    if rows.shape[1] < 8 or rows[0, 0] < 1e12:
        raise KinedepthError(
            f"{path}: with commas, EuRoC's table is expected: timestamp in nanoseconds, x, y, z, qw, qx, qy, "
            "qz."
        )
    order = (0, 1, 2, 3, 5, 6, 7, 4)
    return _stamped(path, rows[:, order] * np.array([1e-9] + [1.0] * 7), lines, "EuRoC")


def _stamped(path: Path, rows: Float[np.ndarray, "n 8"], lines: Lines, form: Form) -> Trajectory:
    _ascending(path, rows[:, 0], lines, "timestamps")
    lengths = np.linalg.norm(rows[:, 4:], axis=1)
    wrong = np.flatnonzero(np.abs(lengths - 1) > DAMAGE)
    if wrong.size:
        raise KinedepthError(
            f"{path}, line {lines[wrong[0]]}: the quaternion has length {lengths[wrong[0]]:.3g}, it must "
            f"be 1; {form} holds {'qw qx qy qz' if form == 'EuRoC' else 'qx qy qz qw'} last."
        )
    rotations = Rotation.from_quat(rows[:, 4:]).as_matrix()
    return Trajectory(_poses(rotations, rows[:, 1:4]), None, rows[:, 0].copy(), True, form, str(path))


def _ascending(path: Path, values: Float[np.ndarray, " n"], lines: Lines, what: str) -> None:
    back = np.flatnonzero(np.diff(values) <= 0)
    if back.size:
        raise KinedepthError(
            f"{path}, line {lines[back[0] + 1]}: {what} must ascend; sort the lines and drop repeated ones."
        )


def _checked(path: Path, matrices: Rotations, lines: Lines) -> tuple[Rotations, int]:
    """The rotations, those beyond rounding replaced by the nearest, and how many those are."""
    off = np.abs(np.swapaxes(matrices, 1, 2) @ matrices - np.eye(3)).max(axis=(1, 2))
    determinant = np.linalg.det(matrices)
    wrong = np.flatnonzero((off > DAMAGE) | (determinant < 0))
    if wrong.size:
        worst = int(wrong[0])
        raise KinedepthError(
            f"{path}, line {lines[worst]}: its 3x3 part is no rotation (determinant "
            f"{determinant[worst]:.3g}); a line is the rows of [R | t]."
        )
    bent = off > ROUNDING
    rotations = matrices.copy()
    if bent.any():
        rotations[bent] = nearest_rotation(matrices[bent])
    return rotations, int(bent.sum())


def _poses(rotations: Rotations, places: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 4 4"]:
    poses = np.tile(np.eye(4), (len(rotations), 1, 1))
    poses[:, :3, :3], poses[:, :3, 3] = rotations, places
    return poses
