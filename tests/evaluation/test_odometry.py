"""Paths of known shape: worked numbers, invariances, windows, files."""

import gzip
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from kinedepth.errors import KinedepthError
from kinedepth.evaluation.odometry import (
    ALIGNMENTS,
    Trajectory,
    accumulated,
    anchored,
    common_poses,
    positions,
    read_kitti_poses,
    relative_steps,
    snippet_error,
    snippet_errors,
    trajectory_error,
    umeyama,
)
from kinedepth.evaluation.protocol import ODOMETRY_5_FRAMES, ODOMETRY_5_FRAMES_COMPLETE


def step(angle: float, translation: tuple[float, float, float]) -> np.ndarray:
    """A turn about y, then a translation."""
    cos, sin = math.cos(angle), math.sin(angle)
    matrix = np.eye(4)
    matrix[:3, :3] = [[cos, 0, sin], [0, 1, 0], [-sin, 0, cos]]
    matrix[:3, 3] = translation
    return matrix


TRUE_STEPS = np.stack([step(0.01 * k, (0.02, 0.0, -1 - 0.1 * k)) for k in range(4)])
PREDICTED_STEPS = np.stack([step(0.012 * k, (0.0, 0.01, -0.05)) for k in range(4)])


@pytest.fixture(scope="module")
def drive() -> tuple[np.ndarray, np.ndarray]:
    """A winding drive of 1,201 frames and a prediction with drift in angle and scale."""
    angles = [0.01 * math.sin(2 * math.pi * k / 300) for k in range(1200)]
    truth = accumulated(np.stack([step(angle, (0, 0, 1.0)) for angle in angles]))
    predicted = [step(angle + 2e-4, (0, 0, 0.05 * (1 + 0.1 * k / 1201))) for k, angle in enumerate(angles)]
    return accumulated(np.stack(predicted)), truth


def test_worked_snippet() -> None:
    path, true_path = positions(accumulated(PREDICTED_STEPS)), positions(accumulated(TRUE_STEPS))
    assert snippet_error(path, true_path) == pytest.approx(0.245213, abs=5e-7)
    assert np.sum(path * true_path) / np.sum(path**2) == pytest.approx(21.474066, abs=5e-7)


def test_worked_snippet_through_the_protocol() -> None:
    result = snippet_errors(PREDICTED_STEPS, TRUE_STEPS, replace(ODOMETRY_5_FRAMES_COMPLETE, path="inverse"))
    assert result.errors == pytest.approx([0.245213], abs=5e-7)


@pytest.mark.parametrize("shift", [0.0, 3.0])
@pytest.mark.parametrize("scale", [0.01, 1.0, 50.0])
def test_snippet_ignores_scale_and_place(scale: float, shift: float) -> None:
    path = positions(accumulated(TRUE_STEPS))
    assert snippet_error(scale * (path + shift), path) == pytest.approx(0.0, abs=1e-9)


def test_snippet_is_not_a_root_mean_square() -> None:
    truth = np.zeros((5, 3))
    truth[:, 2] = range(5)
    predicted = truth.copy()
    predicted[2, 0] = 1.0
    scale = np.sum(truth * predicted) / np.sum(predicted**2)
    summed = np.sum((scale * predicted - truth) ** 2)
    assert snippet_error(predicted, truth) == pytest.approx(math.sqrt(summed) / 5)


def test_standing_prediction_is_judged() -> None:
    path = positions(accumulated(TRUE_STEPS))
    assert snippet_error(np.zeros_like(path), path) == pytest.approx(np.linalg.norm(path) / 5)


def test_snippets_of_a_drive(drive: tuple[np.ndarray, np.ndarray]) -> None:
    steps, true_steps = (relative_steps(path) for path in drive)
    complete = snippet_errors(steps, true_steps, ODOMETRY_5_FRAMES_COMPLETE)
    assert len(complete.errors) == 1197
    assert complete.mean == pytest.approx(0.00027370, abs=5e-9)
    assert complete.std == pytest.approx(0.00000056, abs=5e-9)
    truncated = snippet_errors(steps, true_steps, replace(ODOMETRY_5_FRAMES_COMPLETE, truncated=True))
    assert len(truncated.errors) == 1200
    assert truncated.mean == pytest.approx(0.00027320, abs=5e-9)


def test_truncated_windows_are_divided_by_their_own_length() -> None:
    result = snippet_errors(PREDICTED_STEPS, TRUE_STEPS)
    last = positions(accumulated(PREDICTED_STEPS[3:])), positions(accumulated(TRUE_STEPS[3:]))
    assert len(result.errors) == 4
    assert result.errors[3] == pytest.approx(snippet_error(*last))


def test_result_names_its_protocol() -> None:
    line = str(snippet_errors(PREDICTED_STEPS, TRUE_STEPS))
    assert line.startswith("Trajectory error: 0.")
    assert str(ODOMETRY_5_FRAMES) in line


@pytest.mark.parametrize("protocol", [ODOMETRY_5_FRAMES, ODOMETRY_5_FRAMES_COMPLETE], ids=lambda p: p.name)
def test_too_short_a_sequence(protocol) -> None:
    with pytest.raises(KinedepthError, match="4 frames are too few"):
        snippet_errors(PREDICTED_STEPS[:3], TRUE_STEPS[:3], protocol)


def test_different_lengths() -> None:
    with pytest.raises(KinedepthError, match="4 predicted steps and 3 true"):
        snippet_errors(PREDICTED_STEPS, TRUE_STEPS[:3])


@pytest.mark.parametrize(
    ("align", "expected"),
    [
        ("none", 620.507185),
        ("scale", 62.061312),
        ("scale_7dof", 62.339003),
        ("7dof", 10.988433),
        ("6dof", 310.509549),
    ],
)
def test_trajectory_error_of_a_drive(
    drive: tuple[np.ndarray, np.ndarray], align: str, expected: float
) -> None:
    assert trajectory_error(*drive, align) == pytest.approx(expected, abs=5e-7)


def test_drive_itself(drive: tuple[np.ndarray, np.ndarray]) -> None:
    path, truth = (positions(poses) for poses in drive)
    np.testing.assert_allclose(truth[-1], (520.4331, 0.0, 1005.9192), atol=5e-5)
    assert umeyama(path, truth).scale == pytest.approx(19.055913, abs=5e-7)


@pytest.mark.parametrize("align", ALIGNMENTS)
def test_another_world_frame_changes_nothing(drive: tuple[np.ndarray, np.ndarray], align: str) -> None:
    predicted, truth = drive
    moved = step(0.7, (3.0, -2.0, 5.0)) @ predicted
    assert trajectory_error(moved, truth, align) == pytest.approx(trajectory_error(predicted, truth, align))


def test_similarity_is_recovered(drive: tuple[np.ndarray, np.ndarray]) -> None:
    points = positions(drive[1])
    rotation = step(0.4, (0, 0, 0))[:3, :3]
    moved = 2.5 * points @ rotation.T + [1.0, 2.0, 3.0]
    found = umeyama(points, moved)
    np.testing.assert_allclose(found.apply(points), moved, atol=1e-8)
    np.testing.assert_allclose(found.rotation, rotation, atol=1e-10)


def test_straight_path_has_an_error_too() -> None:
    truth = accumulated(np.stack([step(0, (0, 0, 1.0))] * 20))
    predicted = accumulated(np.stack([step(0, (0, 0, 0.1))] * 20))
    assert trajectory_error(predicted, truth) == pytest.approx(0.0, abs=1e-9)


def test_standing_camera_has_no_scale() -> None:
    truth = accumulated(TRUE_STEPS)
    with pytest.raises(KinedepthError, match="never moves"):
        trajectory_error(np.tile(np.eye(4), (5, 1, 1)), truth, "7dof")


def test_unknown_alignment(drive: tuple[np.ndarray, np.ndarray]) -> None:
    with pytest.raises(KinedepthError, match="choose from none, scale"):
        trajectory_error(*drive, "sim3")


def test_steps_and_poses_are_inverse_to_each_other(drive: tuple[np.ndarray, np.ndarray]) -> None:
    truth = drive[1]
    rebuilt = accumulated(np.linalg.inv(relative_steps(truth)))
    np.testing.assert_allclose(rebuilt, anchored(truth), atol=1e-8)


def lines(poses: np.ndarray, indexed: bool) -> str:
    rows = poses[:, :3].reshape(len(poses), 12)
    head = [f"{frame} " if indexed else "" for frame in range(3, 3 + len(rows))]
    bodies = [" ".join(map(repr, row.tolist())) for row in rows]
    return "".join(f"{start}{body}\n" for start, body in zip(head, bodies, strict=True))


@pytest.mark.parametrize(("indexed", "frames"), [(False, [0, 1, 2, 3, 4]), (True, [3, 4, 5, 6, 7])])
@pytest.mark.parametrize("zipped", [False, True])
def test_files_are_read(tmp_path: Path, indexed: bool, frames: list[int], zipped: bool) -> None:
    poses = accumulated(TRUE_STEPS)
    path = tmp_path / ("poses.txt.gz" if zipped else "poses.txt")
    content = lines(poses, indexed).encode()
    path.write_bytes(gzip.compress(content) if zipped else content)
    read = read_kitti_poses(path)
    assert read.frames.tolist() == frames
    np.testing.assert_array_equal(read.poses, poses)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "12 finite numbers"),
        ("1 2 3\n", "12 finite numbers"),
        ("a b c\n", "no table of poses"),
        ("nan " * 12, "12 finite numbers"),
        ("4 " + "0 " * 12 + "\n" + "3 " + "0 " * 12, "must ascend"),
    ],
    ids=["empty", "columns", "words", "nan", "order"],
)
def test_bad_files(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "poses.txt"
    path.write_text(content)
    with pytest.raises(KinedepthError, match=message):
        read_kitti_poses(path)


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(KinedepthError, match=r"absent\.txt"):
        read_kitti_poses(tmp_path / "absent.txt")


def test_frames_are_matched_by_number() -> None:
    truth = Trajectory(np.arange(5), accumulated(TRUE_STEPS))
    predicted = Trajectory(np.array([1, 3]), accumulated(PREDICTED_STEPS)[:2])
    true_poses, poses = common_poses(truth, predicted)
    np.testing.assert_array_equal(true_poses, truth.poses[[1, 3]])
    assert len(poses) == 2


def test_prediction_without_truth() -> None:
    truth = Trajectory(np.arange(4), accumulated(TRUE_STEPS)[:4])
    predicted = Trajectory(np.arange(5), accumulated(PREDICTED_STEPS))
    with pytest.raises(KinedepthError, match="Frame 4"):
        common_poses(truth, predicted)
