"""Whole paths: alignments, errors between neighbors, drift; worked numbers and invariances."""

import math
from types import ModuleType

import numpy as np
import pytest

from kinedepth.errors import KinedepthError
from kinedepth.evaluation.drift import LENGTHS, drift_segments
from kinedepth.evaluation.matching import Matched
from kinedepth.evaluation.odometry import positions
from kinedepth.evaluation.path_protocol import EVO, KITTI_ODOMETRY
from kinedepth.evaluation.path_table import PathTable, path_table
from kinedepth.evaluation.trajectory import (
    ALIGNMENTS,
    aligned,
    distances,
    is_straight,
    relative_errors,
    rotation_angles,
    statistics,
    umeyama,
)

Paths = tuple[np.ndarray, np.ndarray]


def matched(predicted: np.ndarray, truth: np.ndarray) -> Matched:
    """Frame by frame."""
    names = tuple(map(str, range(len(truth))))
    neighbors = np.ones(len(truth) - 1, dtype=bool)
    return Matched(predicted, truth, np.arange(len(truth)), names, neighbors, "frame by frame")


@pytest.fixture(scope="module")
def table(drive: Paths) -> PathTable:
    return path_table(matched(*drive))


COLUMNS = ("t_err_percent", "r_err_deg_per_100m", "ate_m", "rpe_m", "rpe_deg", "segments")


@pytest.mark.parametrize(
    ("align", "expected"),
    [
        ("none", (90.689686, 1.150617, 620.507185, 0.947504, 0.011459, 600)),
        ("scale", (4.326615, 1.150617, 62.061312, 0.024950, 0.011459, 600)),
        ("scale_7dof", (4.233076, 1.150617, 62.339003, 0.023801, 0.011459, 600)),
        ("7dof", (4.233076, 1.150617, 10.988433, 0.023801, 0.011459, 600)),
        ("6dof", (90.689686, 1.150617, 310.509549, 0.947504, 0.011459, 600)),
    ],
)
def test_reference_table(table: PathTable, drive: Paths, align: str, expected: tuple[float, ...]) -> None:
    values = table.row(align).values()
    assert [values[name] for name in COLUMNS] == pytest.approx(expected, abs=6e-7)


def test_every_alignment_of_the_protocol_has_a_row(table: PathTable) -> None:
    assert [row.align for row in table.rows] == list(KITTI_ODOMETRY.alignments)
    assert set(KITTI_ODOMETRY.alignments) == set(ALIGNMENTS)


@pytest.mark.parametrize("entry", ["t_err_percent", "r_err_deg_per_100m", "rpe_m", "rpe_deg"])
@pytest.mark.parametrize(("one", "other"), [("7dof", "scale_7dof"), ("6dof", "none")])
def test_a_rigid_motion_changes_no_relative_error(table: PathTable, entry: str, one: str, other: str) -> None:
    assert table.row(one).entry(entry) == pytest.approx(table.row(other).entry(entry), rel=1e-9)


def test_drive_itself(drive: tuple[np.ndarray, np.ndarray]) -> None:
    path, truth = (positions(poses) for poses in drive)
    np.testing.assert_allclose(truth[-1], (520.4331, 0.0, 1005.9192), atol=5e-5)
    assert umeyama(path, truth).scale == pytest.approx(19.055913, abs=5e-7)


@pytest.mark.parametrize("align", ALIGNMENTS)
def test_another_world_frame_changes_nothing(
    known: ModuleType, drive: tuple[np.ndarray, np.ndarray], align: str
) -> None:
    predicted, truth = drive
    moved = known.step(0.7, (3.0, -2.0, 5.0)) @ predicted
    ours, theirs = (path_table(matched(path, truth)).row(align) for path in (moved, predicted))
    assert ours.absolute.rmse == pytest.approx(theirs.absolute.rmse)


def test_similarity_is_recovered(known: ModuleType, drive: tuple[np.ndarray, np.ndarray]) -> None:
    points = positions(drive[1])
    rotation = known.step(0.4, (0, 0, 0))[:3, :3]
    moved = 2.5 * points @ rotation.T + [1.0, 2.0, 3.0]
    found = umeyama(points, moved)
    np.testing.assert_allclose(found.apply(points), moved, atol=1e-8)
    np.testing.assert_allclose(found.rotation, rotation, atol=1e-10)


def test_straight_path_has_an_error_too(known: ModuleType) -> None:
    truth, predicted = known.straight_drive(21), known.straight_drive(21, 0.1)
    left = distances(aligned(predicted, truth), truth)
    np.testing.assert_allclose(left, 0.0, atol=1e-9)


def test_standing_camera_has_no_scale(known: ModuleType) -> None:
    truth = known.straight_drive(5)
    with pytest.raises(KinedepthError, match="never moves"):
        aligned(np.tile(np.eye(4), (5, 1, 1)), truth, "7dof")


def test_unknown_alignment(drive: tuple[np.ndarray, np.ndarray]) -> None:
    with pytest.raises(KinedepthError, match="choose from none, scale"):
        aligned(*drive, "sim3")


# Between neighbors


def test_steps_over_missing_frames_have_no_error(known: ModuleType) -> None:
    truth, predicted = known.straight_drive(6), known.straight_drive(6, 0.9)
    kept = relative_errors(predicted, truth, np.array([True, True, False, True, True]))
    assert kept.translation == pytest.approx([0.1] * 4)


@pytest.mark.parametrize("angle", ["trace", "logarithm"])
@pytest.mark.parametrize("turn", [0.0, 0.3, 3.0, math.pi])
def test_angles(known: ModuleType, angle: str, turn: float) -> None:
    assert rotation_angles(known.step(turn, (0, 0, 0))[None, :3, :3], angle) == pytest.approx(
        [turn], abs=1e-7
    )


def test_the_logarithm_is_blind_to_printed_digits() -> None:
    """A diagonal that misses one by 1e-7 is 0.018 degrees to the trace."""
    rotation = np.diag([1 - 1e-7, 1.0, 1.0])[None]
    assert rotation_angles(rotation, "trace")[0] == pytest.approx(math.sqrt(1e-7), rel=1e-3)
    assert rotation_angles(rotation, "logarithm")[0] == pytest.approx(0.0, abs=1e-12)


def test_statistics() -> None:
    found = statistics(np.array([0.0, 3.0, 6.0, 3.0]))
    assert (found.mean, found.median, found.max, found.count) == (3.0, 3.0, 6.0, 4)
    assert found.rmse == pytest.approx(math.sqrt(54 / 4))
    assert found.std == pytest.approx(math.sqrt(18 / 4))
    assert math.isnan(statistics(np.zeros(0)).rmse)


# Drift


def test_truth_has_no_drift(drive: Paths) -> None:
    found = drift_segments(drive[1], drive[1], np.arange(1201))
    assert (found.t_err, found.r_err) == pytest.approx((0, 0), abs=1e-5)


def test_short_straight_prediction(known: ModuleType) -> None:
    """Each segment ends one frame behind its nominal length, for the length must be passed."""
    truth, predicted = known.straight_drive(1001), known.straight_drive(1001, 0.9)
    row = path_table(matched(predicted, truth)).row("none")
    assert row.t_err == pytest.approx(10.043588, abs=5e-7)
    assert (row.r_err, row.translation.mean, row.segments) == pytest.approx((0, 0.1, 440), abs=1e-9)


def test_a_segment_ends_beyond_its_length(known: ModuleType) -> None:
    truth = known.straight_drive(300)
    found = drift_segments(truth, truth, np.arange(300))
    assert (found.last - found.first == found.length + 1).all()
    assert set(found.length) == {100.0, 200.0}
    assert set(found.first % 10) == {0}


def test_all_segments_are_averaged_at_once(table: PathTable) -> None:
    found = table.segments["7dof"]
    by_length = [found.translation[found.length == length].mean() for length in LENGTHS]
    assert found.t_err == pytest.approx(100 * found.translation.mean())
    assert abs(found.t_err - 100 * np.mean(by_length)) > 1e-3


def test_segments_need_both_ends(drive: Paths) -> None:
    places = np.arange(5, 1201)
    found = drift_segments(drive[0][places], drive[1], places)
    assert found.first.min() == 10
    tail = drift_segments(drive[0][:1100], drive[1], np.arange(1100))
    assert len(tail.first) < len(table_segments(drive))


def table_segments(drive: Paths) -> np.ndarray:
    """The starts of all segments."""
    return drift_segments(drive[0], drive[1], np.arange(1201)).first


# What cannot be measured


def test_a_path_under_100_m_has_no_drift(known: ModuleType) -> None:
    found = path_table(matched(known.straight_drive(90, 0.5), known.straight_drive(90)))
    row = found.row("7dof")
    assert math.isnan(row.t_err)
    assert math.isnan(row.r_err)
    assert row.segments == 0
    assert row.values()["t_err_percent"] is None
    assert "too short: no segment of 100 m in 89.0 m of path" in found.notes[0]


def test_a_camera_that_never_moves_is_judged_where_it_can_be(drive: Paths) -> None:
    still = np.tile(np.eye(4), (1201, 1, 1))
    found = path_table(matched(still, drive[1]))
    assert math.isnan(found.row("7dof").absolute.rmse)
    assert found.row("none").t_err > 50
    assert any("never moves" in note for note in found.notes)
    assert "7dof" not in found.errors


def test_a_straight_path_is_said(known: ModuleType, drive: Paths) -> None:
    straight = path_table(matched(known.straight_drive(150, 0.3), known.straight_drive(150)))
    assert straight.row("7dof").absolute.rmse == pytest.approx(0, abs=1e-9)
    assert any("straight" in note for note in straight.notes)
    assert not path_table(matched(*drive)).notes
    assert is_straight(positions(known.straight_drive(9)), positions(drive[1])[:9])


def test_truth_that_stands_still(known: ModuleType) -> None:
    found = path_table(matched(known.straight_drive(20), np.tile(np.eye(4), (20, 1, 1))))
    assert found.row("7dof").absolute.rmse == pytest.approx(0, abs=1e-9)
    assert found.row("none").absolute.max == pytest.approx(19)


def test_too_few_frames_for_a_window(known: ModuleType) -> None:
    found = path_table(matched(known.straight_drive(4), known.straight_drive(4)))
    assert found.snippets == ()
    assert any("no five frames" in note for note in found.notes)


def test_evo_takes_paths_as_they_come(known: ModuleType, drive: Paths) -> None:
    moved = known.step(0.7, (30.0, -2.0, 5.0)) @ drive[1]
    apart = path_table(matched(drive[1], moved), EVO)
    assert apart.row("none").absolute.rmse > 10
    assert path_table(matched(drive[1], moved)).row("none").absolute.rmse == pytest.approx(0, abs=1e-6)
    assert apart.row("6dof").absolute.rmse == pytest.approx(0, abs=1e-6)


def test_unknown_row(table: PathTable) -> None:
    with pytest.raises(KinedepthError, match="no alignment 'sim3'"):
        table.row("sim3")
