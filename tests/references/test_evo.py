"""Trajectory errors and alignments against evo, which is a dependency of the tests only."""

from collections.abc import Callable

import numpy as np
import pytest

from kinedepth.evaluation.odometry import anchored, positions, trajectory_error, umeyama

evo_metrics = pytest.importorskip("evo.core.metrics")
evo_trajectory = pytest.importorskip("evo.core.trajectory")

Align = Callable[[object, object], object]


def turn(angle: float) -> np.ndarray:
    cos, sin = np.cos(angle), np.sin(angle)
    return np.array([[cos, 0, sin], [0, 1, 0], [-sin, 0, cos]])


def walk(count: int, drift: float, scale: float, seed: int) -> np.ndarray:
    """A winding path with noise in all three axes, not beginning at the identity."""
    noise = np.random.default_rng(seed).normal(scale=0.01, size=(count, 3))
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = turn(0.3 * seed), (seed, 2.0, -1.0)
    poses = [pose]
    for index in range(count):
        step = np.eye(4)
        step[:3, :3] = turn(0.05 * np.sin(index / 20) + drift)
        step[:3, 3] = scale * (np.array([0.0, 0.02 * np.cos(index / 9), 1.0]) + noise[index])
        poses.append(poses[-1] @ step)
    return np.stack(poses)


@pytest.fixture(scope="module")
def paths() -> tuple[np.ndarray, np.ndarray]:
    return walk(200, drift=0.002, scale=0.05, seed=1), walk(200, drift=0.0, scale=1.0, seed=2)


def evo_error(predicted: np.ndarray, truth: np.ndarray, align: Align) -> float:
    reference = evo_trajectory.PosePath3D(poses_se3=list(truth))
    estimate = evo_trajectory.PosePath3D(poses_se3=list(predicted))
    align(estimate, reference)
    metric = evo_metrics.APE(evo_metrics.PoseRelation.translation_part)
    metric.process_data((reference, estimate))
    return metric.get_statistic(evo_metrics.StatisticsType.rmse)


@pytest.mark.parametrize(
    ("align", "theirs"),
    [
        ("none", lambda estimate, truth: estimate.align_origin(truth)),
        ("6dof", lambda estimate, truth: estimate.align(truth)),
        ("7dof", lambda estimate, truth: estimate.align(truth, correct_scale=True)),
    ],
)
def test_trajectory_error(paths: tuple[np.ndarray, np.ndarray], align: str, theirs: Align) -> None:
    predicted, truth = paths
    expected = evo_error(predicted, truth, theirs)
    assert trajectory_error(predicted, truth, align) == pytest.approx(expected, rel=1e-6)


def test_scale_only_through_the_first_pose(paths: tuple[np.ndarray, np.ndarray]) -> None:
    predicted, truth = (anchored(path) for path in paths)
    expected = evo_error(predicted, truth, lambda path, other: path.align(other, correct_only_scale=True))
    assert trajectory_error(*paths, "scale_7dof") == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("with_scale", [True, False])
@pytest.mark.parametrize("mirrored", [False, True], ids=["straight", "mirrored"])
def test_umeyama(paths: tuple[np.ndarray, np.ndarray], with_scale: bool, mirrored: bool) -> None:
    geometry = pytest.importorskip("evo.core.geometry")
    source, target = (positions(path) for path in paths)
    source = source * [-1, 1, 1] if mirrored else source
    rotation, translation, scale = geometry.umeyama_alignment(source.T, target.T, with_scale)
    ours = umeyama(source, target, with_scale)
    assert ours.scale == pytest.approx(scale, rel=1e-9)
    np.testing.assert_allclose(ours.rotation, rotation, atol=1e-9)
    np.testing.assert_allclose(ours.translation, translation, atol=1e-7)
    assert np.linalg.det(ours.rotation) == pytest.approx(1.0)
