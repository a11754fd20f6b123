"""Trajectory files: evo reads them as they are, and they give back what went in."""

from pathlib import Path

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from kinedepth.errors import KinedepthError
from kinedepth.inference.poses import (
    Trail,
    chained,
    nearest_rotation,
    quaternion,
    read_kitti,
    read_tum,
    rotation_from_quaternion,
    write_kitti,
    write_tum,
)

HALF_TURNS = [(np.pi, 0, 0), (0, np.pi, 0), (0, 0, np.pi), (np.pi / np.sqrt(2), np.pi / np.sqrt(2), 0)]
SMALL = [(0, 0, 0), (1e-9, 0, 0), (0, -1e-4, 1e-4)]


@pytest.fixture
def poses() -> np.ndarray:
    rng = np.random.default_rng(3)
    motions = np.tile(np.eye(4), (20, 1, 1))
    motions[:, :3, :3] = Rotation.from_rotvec(rng.normal(0, 0.3, (20, 3))).as_matrix()
    motions[:, :3, 3] = rng.normal(0, 1, (20, 3))
    return chained(motions)


@pytest.fixture
def timestamps() -> list[float]:
    return [1317384506.3 + 0.1036 * index for index in range(21)]


@pytest.mark.parametrize(
    "vector", HALF_TURNS + SMALL + list(map(tuple, np.random.default_rng(0).normal(0, 2, (9, 3))))
)
def test_quaternion_is_scipys(vector: tuple[float, float, float]) -> None:
    rotation = Rotation.from_rotvec(vector)
    ours, theirs = quaternion(rotation.as_matrix()), rotation.as_quat(canonical=True)
    assert min(np.abs(ours - theirs).max(), np.abs(ours + theirs).max()) < 1e-9
    assert ours[3] >= 0
    np.testing.assert_allclose(rotation_from_quaternion(ours), rotation.as_matrix(), atol=1e-9)


def test_a_trail_is_the_chain_of_its_motions() -> None:
    rng = np.random.default_rng(0)
    motions = []
    for _ in range(5):
        motion = np.eye(4)
        motion[:3, :3] = nearest_rotation(np.eye(3) + 0.1 * rng.normal(size=(3, 3)))
        motion[:3, 3] = rng.normal(size=3)
        motions.append(motion)
    trail = Trail()
    trail.begin()
    for motion in motions:
        trail.move(motion)
    np.testing.assert_array_equal(trail.matrices(), chained(motions))


def test_evo_reads_tum_unedited(tmp_path: Path, poses: np.ndarray, timestamps: list[float]) -> None:
    file_interface = pytest.importorskip("evo.tools.file_interface")
    write_tum(tmp_path / "poses_tum.txt", timestamps, poses, "translation is relative")
    trajectory = file_interface.read_tum_trajectory_file(tmp_path / "poses_tum.txt")
    assert trajectory.check()[0]
    np.testing.assert_allclose(trajectory.timestamps, timestamps, atol=1e-6)
    np.testing.assert_allclose(np.stack(trajectory.poses_se3), poses, atol=1e-9)


def test_evo_reads_kitti_unedited(tmp_path: Path, poses: np.ndarray) -> None:
    file_interface = pytest.importorskip("evo.tools.file_interface")
    write_kitti(tmp_path / "poses_kitti.txt", poses)
    trajectory = file_interface.read_kitti_poses_file(tmp_path / "poses_kitti.txt")
    assert trajectory.check()[0]
    np.testing.assert_allclose(np.stack(trajectory.poses_se3), poses, atol=1e-9)
    lines = (tmp_path / "poses_kitti.txt").read_text().split("\n")
    assert all(line == line.strip() for line in lines)
    assert {len(line.split(" ")) for line in lines[:-1]} == {12}
    assert lines[0] == "1 0 0 0 0 1 0 0 0 0 1 0"


def test_ours_reads_both(tmp_path: Path, poses: np.ndarray, timestamps: list[float]) -> None:
    write_tum(tmp_path / "tum.txt", timestamps, poses)
    write_kitti(tmp_path / "kitti.txt", poses)
    times, from_tum = read_tum(tmp_path / "tum.txt")
    np.testing.assert_allclose(times, timestamps, atol=1e-6)
    np.testing.assert_allclose(from_tum, poses, atol=1e-9)
    np.testing.assert_allclose(read_kitti(tmp_path / "kitti.txt"), poses, atol=1e-9)


def test_driving_forward_goes_along_z() -> None:
    """The second camera is one further along z, so what the first sees at z the second sees at z - 1."""
    motion = np.eye(4)
    motion[2, 3] = -1.0
    np.testing.assert_allclose(chained([motion] * 3)[:, 2, 3], [0, 1, 2, 3])


def test_a_chain_stays_a_rotation() -> None:
    """Monodepth2's rotation is orthonormal to 1e-7 / angle only, which two thousand frames would multiply."""
    motion = np.eye(4)
    motion[:3, :3] = Rotation.from_rotvec([0, 0.01, 0]).as_matrix() * (1 + 1e-4)
    last = chained([motion] * 2000)[-1, :3, :3]
    np.testing.assert_allclose(last @ last.T, np.eye(3), atol=1e-10)


def test_nearest_rotation_is_no_mirror() -> None:
    assert np.linalg.det(nearest_rotation(np.diag([1.0, 1.0, -0.9]))) == pytest.approx(1)


def test_one_timestamp_for_each_pose(tmp_path: Path, poses: np.ndarray) -> None:
    with pytest.raises(KinedepthError, match="3 timestamps for 21 poses"):
        write_tum(tmp_path / "a.txt", [0.0, 1.0, 2.0], poses)


@pytest.mark.parametrize("content", [None, "", "1 2 3\n", "a b c d e f g h\n", "\xff"])
@pytest.mark.parametrize("read", [read_tum, read_kitti])
def test_refusals(tmp_path: Path, read: object, content: str | None) -> None:
    path = tmp_path / "poses.txt"
    if content is not None:
        path.write_bytes(content.encode("latin-1"))
    with pytest.raises(KinedepthError, match=r"poses.txt"):
        read(path)  # type: ignore[operator]
