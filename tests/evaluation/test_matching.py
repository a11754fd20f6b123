"""Which pose belongs to which: by number, by time, never by order where counts differ."""

from dataclasses import replace

import numpy as np
import pytest

from kinedepth.errors import KinedepthError, listed
from kinedepth.evaluation.matching import match, nearest_times
from kinedepth.evaluation.pose_files import Trajectory


def poses(places: np.ndarray | list[float]) -> np.ndarray:
    """One pose at each place ahead."""
    made = np.tile(np.eye(4), (len(places), 1, 1))
    made[:, 2, 3] = places
    return made


def by_frame(frames: list[int], numbered: bool = True) -> Trajectory:
    return Trajectory(poses([float(f) for f in frames]), np.array(frames), None, numbered, name="some file")


def by_time(stamps: np.ndarray, name: str = "some file") -> Trajectory:
    return Trajectory(poses(stamps), None, stamps, form="TUM", name=name)


TRUTH = by_frame(list(range(10)), numbered=False)


def test_frames_are_matched_by_number() -> None:
    found = match(by_frame([1, 2, 3, 7]), TRUTH)
    np.testing.assert_array_equal(found.predicted, found.true)
    assert found.places.tolist() == [1, 2, 3, 7]
    assert found.neighbors.tolist() == [True, True, False]
    assert found.missing == ("0", "4", "5", "6", "8", "9")
    assert found.lines == [
        "4 poses compared, matched by frame number",
        "missing: 6 true frames have no prediction: 0, 4, 5, 6, 8, 9",
    ]


def test_predictions_without_truth_are_left_out_and_named() -> None:
    found = match(by_frame([7, 8, 9, 10, 12]), TRUTH)
    assert found.unknown == ("10", "12")
    assert found.lines[-1] == "left out: 2 predictions have no truth: 10, 12"
    assert len(found.predicted) == 3


def test_as_many_lines_are_matched_line_by_line() -> None:
    found = match(by_frame(list(range(10)), numbered=False), TRUTH)
    assert "line by line" in found.how
    assert not found.missing


def test_lines_without_numbers_need_the_truths_numbers() -> None:
    truth = by_frame([5, 6, 8])
    found = match(by_frame([0, 1, 2], numbered=False), truth)
    assert found.names == ("5", "6", "8")
    assert found.neighbors.tolist() == [True, False]


def test_order_is_not_taken_where_counts_differ() -> None:
    short = by_frame(list(range(8)), numbered=False)
    with pytest.raises(KinedepthError, match="8 lines without frame numbers and some file has 10"):
        match(short, TRUTH)
    found = match(short, TRUTH, first_frame=2)
    assert found.places.tolist() == list(range(2, 10))
    assert "the first one being frame 2" in found.how


@pytest.mark.parametrize("frames", [[0, 1], [40, 41, 42]])
def test_too_few_in_common(frames: list[int]) -> None:
    with pytest.raises(KinedepthError, match=r"have \d poses in common, too few"):
        match(by_frame(frames), TRUTH)


def test_times_and_frames_cannot_be_matched() -> None:
    with pytest.raises(KinedepthError, match="TUM file and some file a KITTI one"):
        match(by_time(np.arange(5.0)), TRUTH)


# Times


@pytest.mark.parametrize("shift", [0.0, 0.004, -0.004])
def test_a_denser_truth(shift: float) -> None:
    truth, predicted = by_time(np.arange(0, 3, 0.01)), by_time(np.arange(0.1, 2.9, 0.1) + shift)
    found = match(predicted, truth)
    assert len(found.places) == len(predicted.poses)
    assert np.abs(found.true[:, 2, 3] - found.predicted[:, 2, 3]).max() == pytest.approx(abs(shift))
    assert found.neighbors.all()
    assert "within 0.005 s, half the median interval of the denser file" in found.how


def test_a_denser_prediction() -> None:
    found = match(by_time(np.arange(0, 3, 0.033)), by_time(np.arange(0, 3, 0.1)))
    assert len(found.places) == 30
    assert len(set(found.names)) == 30
    assert found.neighbors.all()


def test_a_hole_in_the_truth() -> None:
    truth = np.arange(0, 3, 0.1)
    found = match(by_time(np.arange(0, 3, 0.1)), by_time(np.delete(truth, [4, 5])))
    assert found.unknown == ("0.400000 s", "0.500000 s")
    assert np.flatnonzero(~found.neighbors).tolist() == [3]
    assert len(found.places) == 28


def test_other_clocks() -> None:
    with pytest.raises(
        KinedepthError,
        match=r"No pose of own \(0.000 to 0.9.* s\) is within 0.05 s .* are the clocks different",
    ):
        match(by_time(np.arange(0, 1, 0.1), "own"), by_time(1.6e9 + np.arange(0, 1, 0.1), "other"))


def test_the_tolerance_that_is_asked_for() -> None:
    truth, late = by_time(np.arange(0.0, 5.0)), by_time(np.arange(0.0, 5.0) + 0.3)
    assert "within 0.3" in match(late, truth, tolerance=0.3 + 1e-9).how
    with pytest.raises(KinedepthError, match="within 0.2 s"):
        match(late, truth, tolerance=0.2)


def test_a_time_is_taken_once() -> None:
    own, other = nearest_times(np.array([0.0, 0.4, 0.6, 2.0]), np.array([0.5, 2.1]), 1.0)
    assert len(own) == len(set(other.tolist())) == 2
    assert other.tolist() == [0, 1]


@pytest.mark.parametrize("count", [1, 2])
def test_few_times(count: int) -> None:
    with pytest.raises(KinedepthError, match="too few"):
        match(by_time(np.arange(float(count))), by_time(np.arange(5.0)))


def test_names_of_many() -> None:
    assert listed(list(map(str, range(30))), 8) == "0, 1, 2, 3, 4, 5, 6, 7 and 22 more"


def test_a_trajectory_says_what_it_is() -> None:
    assert str(replace(TRUTH, mended=2)) == (
        "some file (KITTI, 10 poses, 2 rotations replaced by the nearest one)"
    )
