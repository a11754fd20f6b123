"""Which moments are taken, by motion that is made up."""

from pathlib import Path

import numpy as np
import pytest

from kinedepth.data import choosing
from kinedepth.data.choosing import WANTED, Choice, Rules, choose, choose_all, gap_of, summary
from kinedepth.data.masking import Mask
from kinedepth.data.moments import Calibration, Frame, Sequence
from kinedepth.data.motion import Motion
from kinedepth.data.understood import curve, facts
from kinedepth.errors import KinedepthError

CAMERA = Calibration(50.0, 40.0, 47.5, 31.5, 96, 64)
ALL = Rules(gap=0, standstill=True, cuts=True)


def sequence(count: int, name: str = "drive", fps: float | None = 30.0) -> Sequence:
    frames = tuple(Frame(Path(f"{name}/{i:06d}.png")) for i in range(count))
    return Sequence(name, frames, CAMERA, (64, 96), fps)


def motion(ways: list[float], cuts: tuple[int, ...] = (), still: tuple[int, ...] = ()) -> Motion:
    """Ways in units of what is usual; numbers of the pairs that are cuts, and of those that stand."""
    numbers = np.arange(len(ways))
    cut = np.isin(numbers, cuts)
    moved = np.where(cut, np.nan, WANTED * np.array(ways))
    return Motion(moved, cut, np.isin(numbers, still))


def targets(choice: Choice) -> list[int]:
    return [int(moment.target.label) for moment in choice.moments]


def test_nothing_is_measured_where_nothing_is_asked() -> None:
    drive = sequence(9)
    assert not Rules().by_motion
    assert list(choose(drive, (-1, 1), Rules()).moments) == drive.moments((-1, 1))
    assert choose_all([drive], (-1, 1), Rules())[0].motion is None


@pytest.mark.parametrize(("pace", "gap"), [(1.0, 1), (0.34, 3), (0.6, 2), (1.7, 1), (4.0, 1), (0.13, 8)])
def test_gap_makes_the_picture_move_as_usual(pace: float, gap: int) -> None:
    assert gap_of(motion([pace] * 60), (-1, 1)) == gap


def test_gap_is_of_the_drive_and_not_of_the_waiting() -> None:
    stop = tuple(range(20, 60))
    ways = [0.001 if i in stop else 0.5 for i in range(80)]
    assert gap_of(motion(ways, still=stop), (-1, 1)) == 2


@pytest.mark.parametrize(("frames", "offsets", "gap"), [(12, (-1, 1), 3), (12, (-1,), 6), (13, (-2, 1), 2)])
def test_gap_leaves_half_of_a_short_drive(frames: int, offsets: tuple[int, ...], gap: int) -> None:
    assert gap_of(motion([0.05] * (frames - 1)), offsets) == gap


def test_gap_leaves_half_of_a_usual_shot() -> None:
    assert gap_of(motion([0.1] * 59, cuts=(11, 23, 35, 47)), (-1, 1)) == 3


def test_gap_that_is_given_stays() -> None:
    choice = choose(sequence(21), (-1, 1), Rules(gap=2, cuts=True), motion([0.1] * 20))
    assert (choice.gap, targets(choice)[0], targets(choice)[-1]) == (2, 2, 18)


def test_moments_across_a_cut_are_dropped() -> None:
    choice = choose(sequence(12), (-1, 1), ALL, motion([1.0] * 11, cuts=(5,)))
    assert (choice.across, choice.standing) == (2, 0)
    assert targets(choice) == [1, 2, 3, 4, 7, 8, 9, 10]


def test_cuts_stay_where_they_may() -> None:
    choice = choose(sequence(12), (-1, 1), Rules(standstill=True), motion([1.0] * 11, cuts=(5,)))
    assert targets(choice) == list(range(1, 11))


def test_moments_of_which_a_neighbor_stands_are_dropped() -> None:
    ways = [1.0] * 4 + [0.001] * 4 + [1.0] * 4
    choice = choose(sequence(13), (-1, 1), ALL, motion(ways))
    assert choice.standing == 5
    assert targets(choice) == [1, 2, 3, 9, 10, 11]


def test_noise_of_a_standing_camera_does_not_add_up() -> None:
    still = tuple(range(10, 30))
    ways = [0.02 if i in still else 0.2 for i in range(60)]
    assert set(targets(choose(sequence(61), (-1, 1), ALL, motion(ways, still=still)))).isdisjoint(
        range(16, 25)
    )


def test_doubled_frames_are_stepped_over() -> None:
    choice = choose(sequence(21), (-1, 1), ALL, motion([1.0, 0.0] * 10))
    assert (choice.gap, choice.standing) == (2, 0)


def test_where_nothing_could_be_followed_nothing_is_dropped() -> None:
    ways = [1.0] * 5 + [float("nan")] + [1.0] * 5
    assert targets(choose(sequence(12), (-1, 1), ALL, motion(ways))) == list(range(1, 11))


def test_a_stereo_rig_may_stand() -> None:
    rules = Rules(gap=0, standstill=True, stereo=True)
    stands = motion([0.001] * 11, still=tuple(range(11)))
    assert len(choose(sequence(12), (-1, 1), rules, stands).moments) == 10


def test_stereo_alone_measures_nothing() -> None:
    (choice,) = choose_all([sequence(5)], (), ALL)
    assert (len(choice.moments), choice.motion) == (5, None)


@pytest.fixture
def known(monkeypatch: pytest.MonkeyPatch) -> dict[str, Motion]:
    """Motions by name of the sequence."""
    motions: dict[str, Motion] = {}
    monkeypatch.setattr(choosing, "measured", lambda drive, step: motions[drive.name])
    return motions


STANDS = motion([0.004] * 11, still=tuple(range(11)))


def test_a_camera_that_never_moves_is_refused(known: dict[str, Motion]) -> None:
    known["tripod"] = STANDS
    with pytest.raises(
        KinedepthError, match=r"does not move in tripod \(median displacement 0.0016 % of the"
    ):
        choose_all([sequence(12, "tripod")], (-1, 1), ALL)


def test_one_that_stands_among_others_is_left_out_and_named(known: dict[str, Motion]) -> None:
    known.update(tripod=STANDS, drive=motion([1.0] * 11))
    choices = choose_all([sequence(12, "tripod"), sequence(12)], (-1, 1), ALL)
    assert [len(choice.moments) for choice in choices] == [0, 10]
    assert "left out, without a moment in motion: tripod" in "\n".join(summary(choices))


def test_nothing_left_is_said_with_the_reasons(known: dict[str, Motion]) -> None:
    known["cut up"] = motion([1.0] * 6, cuts=(1, 3, 5))
    with pytest.raises(KinedepthError, match="no moment of cut up is left: 5 span a cut"):
        choose_all([sequence(7, "cut up")], (-1, 1), ALL)


def test_summary_says_what_was_done() -> None:
    ways = [0.33] * 60 + [0.0] * 20 + [0.33] * 19
    measured = motion(ways, cuts=(30,), still=tuple(range(60, 80)))
    choice = choose(sequence(100), (-1, 1), ALL, measured)
    inverted = Choice(**(vars(choice) | {"mask": Mask(Path("m.png"), 0.78, "m.png")}))
    assert summary([inverted])[-1].endswith("is it inverted?")
    with_mask = Choice(**(vars(choice) | {"mask": Mask(Path("m.png"), 0.113, "bonnet")}))
    (line,) = summary([with_mask])
    assert line.startswith("motion     median 0.13 % of the width a frame; gap 3 (10 Hz of 30); ")
    assert f"{choice.standing} of 94 moments dropped: standstill" in line
    assert "6 of 94 moments dropped: across 1 cut; mask leaves out 11 % (bonnet)" in line


def test_summary_of_several_has_ranges() -> None:
    choices = [
        choose(sequence(60, name, fps), (-1, 1), ALL, motion([pace] * 59))
        for name, fps, pace in (("a", 10.0, 1.0), ("b", 30.0, 0.34))
    ]
    assert summary(choices) == ["motion     median 0.14 to 0.4 % of the width a frame; gap 1 to 3"]


def test_nothing_measured_is_nothing_said() -> None:
    assert summary([choose(sequence(5), (-1, 1), Rules())]) == []


@pytest.mark.parametrize(("pairs", "points"), [(3, 3), (500, 500), (1201, 500)])
def test_a_curve_is_short_enough_to_draw(pairs: int, points: int) -> None:
    measured = motion([i / pairs for i in range(pairs)])
    frames, ways = curve(measured)
    assert (len(frames), len(ways), frames[0]) == (points, points, 0)
    assert frames == sorted(set(frames))
    assert np.mean([way for way in ways if way is not None]) == pytest.approx(
        measured.displacement.mean(), rel=0.15
    )


def test_facts_need_no_pictures() -> None:
    from kinedepth.data.source import Source

    drive = sequence(12)
    choice = choose(drive, (-1, 1), ALL, motion([1.0] * 11, cuts=(5,)))
    told = facts(Source(Path("a"), "a drive", (drive,), ("from cam.txt",)), [choice])
    (one,) = told["sequences"]
    assert (one["moments"], one["dropped"]) == (8, {"standstill": 0, "cuts": 2})
    assert (one["camera"]["source"], one["camera"]["raw"], one["mask"]) == ("from cam.txt", None, None)
    assert one["motion"]["cuts"] == [6]
    assert one["motion"]["displacement"][5] is None
