"""Files of poses: formats by their columns, and what is refused by its line."""

import gzip
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from kinedepth.errors import KinedepthError
from kinedepth.evaluation.pose_files import (
    may_be_trajectory,
    read_kitti_poses,
    read_trajectory,
    stem,
)
from kinedepth.inference.poses import quaternion, write_kitti, write_tum

IDENTITY = "1 0 0 0 0 1 0 0 0 0 1 0"
GOOD = f"{IDENTITY}\n{IDENTITY}\n"


@pytest.fixture(scope="module")
def poses(drive: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    return drive[1][::100]


@pytest.mark.parametrize("zipped", [False, True])
@pytest.mark.parametrize("frames", [None, list(range(3, 16))], ids=["bare", "numbered"])
def test_kitti(
    tmp_path: Path, known: ModuleType, poses: np.ndarray, frames: list[int] | None, zipped: bool
) -> None:
    content = known.kitti_text(poses, frames).encode()
    path = tmp_path / ("poses.txt.gz" if zipped else "poses.txt")
    path.write_bytes(gzip.compress(content) if zipped else content)
    read = read_kitti_poses(path)
    assert read.frames is not None
    assert read.frames.tolist() == (frames or list(range(13)))
    assert (read.numbered, read.form, read.mended) == (frames is not None, "KITTI", 0)
    np.testing.assert_array_equal(read.poses, poses)


def test_tum(tmp_path: Path, known: ModuleType, poses: np.ndarray) -> None:
    stamps = [1403636579.76 + 0.1 * place for place in range(len(poses))]
    read = read_trajectory(known.write(tmp_path / "path.tum", known.tum_text(poses, stamps)))
    assert read.stamps is not None
    assert read.stamps.tolist() == stamps
    assert (read.frames, read.form) == (None, "TUM")
    np.testing.assert_allclose(read.poses, poses, atol=1e-9)


def test_euroc(tmp_path: Path, known: ModuleType, poses: np.ndarray) -> None:
    lines = [
        "#timestamp, p_RS_R_x [m], p_RS_R_y [m], p_RS_R_z [m], q_RS_w [], q_RS_x [], q_RS_y [], q_RS_z []"
    ]
    for place, pose in enumerate(poses):
        x, y, z, w = quaternion(pose[:3, :3])
        numbers = (1403636580838555648 + place * 5000000, *pose[:3, 3], w, x, y, z, 0.1, 0.2, 0.3)
        lines.append(",".join(str(number) for number in numbers))
    read = read_trajectory(known.write(tmp_path / "data.csv", "\r\n".join(lines)))
    assert read.form == "EuRoC"
    assert read.stamps is not None
    assert np.diff(read.stamps) == pytest.approx(0.005, abs=1e-6)
    np.testing.assert_allclose(read.poses, poses, atol=1e-9)


def test_what_predict_writes_is_read(tmp_path: Path, poses: np.ndarray) -> None:
    write_tum(tmp_path / "poses_tum.txt", [0.1 * place for place in range(len(poses))], poses, "relative")
    write_kitti(tmp_path / "poses_kitti.txt", poses)
    np.testing.assert_allclose(read_trajectory(tmp_path / "poses_tum.txt").poses, poses, atol=1e-8)
    np.testing.assert_allclose(read_trajectory(tmp_path / "poses_kitti.txt").poses, poses, atol=1e-8)


@pytest.mark.parametrize(
    ("noise", "mended"), [(1e-7, 0), (1e-3, 1), (0.02, 1)], ids=["digits", "coarse", "bent"]
)
def test_small_deviations_become_the_nearest_rotation(
    tmp_path: Path, known: ModuleType, poses: np.ndarray, noise: float, mended: int
) -> None:
    bent = poses.copy()
    bent[4, :3, :3] *= 1 + noise
    read = read_trajectory(known.write(tmp_path / "poses.txt", known.kitti_text(bent)))
    assert read.mended == mended
    expected = poses if mended else bent
    np.testing.assert_allclose(read.poses, expected, atol=1e-12)
    assert ("1 rotations replaced" in str(read)) == bool(mended)


def scaled(factor: float, flip: float = 1.0) -> str:
    """A third line whose 3x3 part is no rotation."""
    return GOOD + f"{factor * flip} 0 0 0 0 {factor} 0 0 0 0 {factor} 0\n"


BAD = {
    "empty": ("", "is empty"),
    "comments": ("# nothing\n\n", "is empty"),
    "prose": ("These are the poses\nof my drive\n", "no table of poses: line 1 begins 'These are"),
    "columns": ("1 2 3\n", "a line has 3 numbers; a line of poses has 12 finite numbers"),
    "matrices": (" ".join("0" * 16), "a line has 16 numbers"),
    "ragged": (f"{GOOD}1 0 0 0 0 1 0", "line 3: 7 numbers where line 1 has 12; is the file cut off"),
    "nan": (f"{IDENTITY}\n" + "nan " * 12, "line 2: .* 12 finite numbers"),
    "inf": ("inf " * 12, "line 1: .* finite"),
    "twice": (f"3 {IDENTITY}\n3 {IDENTITY}", "line 2: frame numbers must ascend"),
    "back": (f"4 {IDENTITY}\n3 {IDENTITY}", "line 2: frame numbers must ascend"),
    "fraction": (f"0.5 {IDENTITY}", "a frame number, a whole one"),
    "scaled": (scaled(2.0), r"line 3: its 3x3 part is no rotation \(determinant 8\)"),
    "mirror": (scaled(1.0, -1.0), r"line 3: .* no rotation \(determinant -1\)"),
    "zeros": ("0 " * 12, r"line 1: .* no rotation \(determinant 0\)"),
    "stamps": ("2 0 0 0 0 0 0 1\n1 0 0 0 0 0 0 1", "line 2: timestamps must ascend"),
    "quaternion": ("1 0 0 0 0 0 0 1\n2 0 0 0 0 0 0 3", "line 2: the quaternion has length 3, it must be 1"),
    "commas": ("1.5,0,0,0,0,0,0,1", "EuRoC's table is expected"),
}


@pytest.mark.parametrize(("content", "message"), BAD.values(), ids=BAD)
def test_bad_files(tmp_path: Path, known: ModuleType, content: str, message: str) -> None:
    path = known.write(tmp_path / "poses.txt", content)
    with pytest.raises(KinedepthError, match=message) as raised:
        read_trajectory(path)
    assert str(path) in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (gzip.compress(GOOD.encode())[:20], "damaged .gz"),
        (b"\x1f\x8b\x08no gzip at all", "damaged .gz"),
        (b"\x80\x81\xfe", "no text file"),
    ],
    ids=["cut", "damaged", "binary"],
)
def test_files_that_are_no_text(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "poses.txt"
    path.write_bytes(content)
    with pytest.raises(KinedepthError, match=message):
        read_trajectory(path)


def test_a_mark_at_the_start_is_no_word(tmp_path: Path) -> None:
    path = tmp_path / "poses.txt"
    path.write_bytes(b"\xef\xbb\xbf" + GOOD.encode())
    assert len(read_trajectory(path).poses) == 2


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(KinedepthError, match=r"absent\.txt cannot be read"):
        read_trajectory(tmp_path / "absent.txt")


def test_times_where_frames_are_needed(tmp_path: Path, known: ModuleType) -> None:
    path = known.write(tmp_path / "poses.txt", "1 0 0 0 0 0 0 1\n")
    with pytest.raises(KinedepthError, match=r"holds timestamps \(TUM\) where KITTI's 12"):
        read_kitti_poses(path)


@pytest.mark.parametrize(
    ("name", "short", "trajectory"),
    [
        ("09.txt", "09", True),
        ("09.txt.gz", "09", True),
        ("V1_01.csv", "V1_01", True),
        ("my.path.tum", "my.path", True),
        ("a.kitti.gz", "a", True),
        (".hidden.txt", ".hidden", False),
        ("depth.npy", "depth.npy", False),
        ("scan.bin.gz", "scan.bin", False),
    ],
)
def test_names(name: str, short: str, trajectory: bool) -> None:
    assert may_be_trajectory(Path(name)) == trajectory
    assert stem(Path(name)) == short
