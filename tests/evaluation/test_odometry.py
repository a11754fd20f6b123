"""Windows of known paths: worked numbers, invariances, gaps."""

import math
from dataclasses import replace

import numpy as np
import pytest

from kinedepth.errors import KinedepthError
from kinedepth.evaluation.odometry import (
    accumulated,
    anchored,
    positions,
    relative_steps,
    snippet_error,
    snippet_errors,
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


def test_steps_and_poses_are_inverse_to_each_other(drive: tuple[np.ndarray, np.ndarray]) -> None:
    truth = drive[1]
    rebuilt = accumulated(np.linalg.inv(relative_steps(truth)))
    np.testing.assert_allclose(rebuilt, anchored(truth), atol=1e-8)


def test_windows_over_missing_frames_are_left_out(drive: tuple[np.ndarray, np.ndarray]) -> None:
    steps, true_steps = (relative_steps(path)[:20] for path in drive)
    known = np.arange(20) != 9
    full = snippet_errors(steps, true_steps, ODOMETRY_5_FRAMES_COMPLETE)
    holed = snippet_errors(steps, true_steps, ODOMETRY_5_FRAMES_COMPLETE, known)
    np.testing.assert_array_equal(holed.errors, np.delete(full.errors, [6, 7, 8, 9]))


def test_no_window_without_a_gap() -> None:
    with pytest.raises(KinedepthError, match="missing in every window"):
        snippet_errors(PREDICTED_STEPS, TRUE_STEPS, ODOMETRY_5_FRAMES_COMPLETE, np.zeros(4, dtype=bool))
