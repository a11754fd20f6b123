"""Motion of small frames whose motion is known, of rendered drives that stand, and of real ones."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from kinedepth.data.measuring import measured
from kinedepth.data.motion import STILL, USUAL, WINDOW, Motion, corners, displacement, motion_of
from kinedepth.data.source import open_source
from kinedepth.data.synthetic import Drive, DriveSettings, render


def texture(size: tuple[int, int] = (200, 700), seed: int = 0) -> np.ndarray:
    """Blurred noise: corners everywhere."""
    noise = np.random.default_rng(seed).random(size).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 2)
    return cv2.normalize(smooth, None, 0, 255, cv2.NORM_MINMAX).astype(np.uint8)


WORLD = texture()


def shot(
    x: float, y: float = 0.0, size: tuple[int, int] = (100, 320), world: np.ndarray = WORLD
) -> np.ndarray:
    """The world as a camera sees it that looks at its pixel (x, y)."""
    shift = np.float32([[1, 0, -x - 8], [0, 1, -y - 8]])
    return cv2.warpAffine(world, shift, size[::-1], flags=cv2.INTER_LINEAR)


@pytest.mark.parametrize("way", [(0.3, 0.0), (4.0, 0.0), (3.0, 4.0), (-9.0, 0.0)])
def test_way_of_a_shifted_picture(way: tuple[float, float]) -> None:
    pair = displacement(shot(40), shot(40 + way[0], way[1]))
    assert pair.displacement * 320 == pytest.approx(np.hypot(*way), abs=0.1)
    assert pair.followed > 0.6
    assert not pair.cut


def test_the_picture_itself_has_not_moved() -> None:
    assert displacement(shot(40), shot(40)).displacement < STILL / 100


def test_cars_across_a_standing_camera_are_a_minority() -> None:
    before, after = shot(40), shot(40)
    for frame, left in ((before, 20), (after, 45)):
        frame[55:95, left : left + 110] = texture(seed=3)[:40, :110]
    assert displacement(before, after).displacement < STILL


def test_another_scene_is_a_cut() -> None:
    assert displacement(shot(40), shot(40, world=texture(seed=5))).cut


def test_a_change_of_exposure_is_none() -> None:
    assert not displacement(shot(40), (shot(42) * 0.4).astype(np.uint8)).cut


@pytest.mark.parametrize("level", [0, 255])
def test_in_darkness_and_glare_nothing_moves(level: int) -> None:
    blind = np.full((100, 320), level, np.uint8)
    assert displacement(blind, blind).displacement == 0
    assert displacement(blind, blind).cut is False


def test_from_darkness_to_light_nothing_is_known() -> None:
    assert np.isnan(displacement(np.zeros((100, 320), np.uint8), shot(40)).displacement)


def test_corners_are_spread_over_the_picture() -> None:
    found = corners(shot(40))
    counts, _, _ = np.histogram2d(found[:, 1], found[:, 0], bins=(4, 8), range=((0, 100), (0, 320)))
    assert counts.min() >= 3
    assert counts.max() <= 6


@pytest.mark.parametrize("count", [0, 1])
def test_too_few_frames_have_no_motion(count: int) -> None:
    motion = motion_of([shot(0)] * count)
    assert (len(motion.cut), motion.median, motion.pace, motion.standing) == (0, 0.0, 0.0, False)


def test_an_even_drive() -> None:
    motion = motion_of(shot(3 * i) for i in range(25))
    assert motion.pace * 320 == pytest.approx(3, abs=0.05)
    assert motion.median == pytest.approx(motion.pace, rel=0.02)
    assert not (motion.cut | motion.still).any()
    assert not motion.standing
    assert motion.way[-1] * 320 == pytest.approx(72, abs=1)


def test_red_lights_do_not_slow_the_pace() -> None:
    places = [3 * i for i in range(30)] + [90] * 60 + [90 + 3 * i for i in range(30)]
    motion = motion_of(map(shot, places))
    assert motion.pace * 320 == pytest.approx(3, abs=0.3)
    assert motion.still[32:88].all()
    assert not motion.still[:28].any()
    assert not motion.standing


def test_doubled_frames_are_no_standstill() -> None:
    motion = motion_of(shot(4 * (i // 2)) for i in range(40))
    assert motion.pace * 320 == pytest.approx(2, abs=0.1)
    assert motion.doubled in (19, 20)
    assert not motion.standing


def test_creeping_is_told_from_noise() -> None:
    noise = np.random.default_rng(0)

    def grainy(x: float) -> np.ndarray:
        return np.clip(shot(x) + noise.normal(0, 3, (100, 320)), 0, 255).astype(np.uint8)

    assert motion_of(grainy(40) for _ in range(30)).standing
    creeping = motion_of(grainy(40 + 0.1 * i) for i in range(30))
    assert creeping.median < STILL
    assert not creeping.standing


def test_a_cut_is_where_the_scene_changes() -> None:
    other = texture(seed=9)
    motion = motion_of([shot(2 * i) for i in range(8)] + [shot(2 * i, world=other) for i in range(8)])
    assert np.flatnonzero(motion.cut).tolist() == [7]
    assert np.isnan(motion.displacement[7])
    assert motion.shot.tolist() == [0] * 8 + [1] * 8


def gray(drive: Drive, index: int) -> np.ndarray:
    return cv2.cvtColor(np.asarray(render(drive, index).image), cv2.COLOR_RGB2GRAY)


def test_a_rendered_drive_with_stops() -> None:
    settings = DriveSettings(seed=2, frames=16, size=(64, 192), standstill=0.5, speed=9.0)
    drive = Drive(settings)
    motion = motion_of(gray(drive, i) for i in range(16))
    places = np.array([render(drive, i).pose[:3, 3] for i in range(16)])
    stands = np.linalg.norm(np.diff(places, axis=0), axis=1) < 1e-6
    assert stands.sum() >= 4
    np.testing.assert_array_equal(motion.displacement < STILL, stands)


def test_real_drives_move_as_usual(real_data_root: Path) -> None:
    (sequence,) = open_source(real_data_root / "kitti_raw_0095").sequences
    part = type(sequence)("part", sequence.frames[:60], sequence.calibration, sequence.size)
    motion = measured(part)
    assert motion.pace == pytest.approx(USUAL, rel=0.2)
    assert not motion.cut.any()
    assert not (motion.displacement < 5 * STILL).any()


def test_a_real_camera_that_stands_while_cars_cross(real_data_root: Path) -> None:
    (sequence,) = open_source(real_data_root / "kitti_static_camera").sequences
    motion = measured(sequence)
    assert motion.standing
    assert motion.median < STILL / 5


def test_a_window_is_longer_than_any_gap() -> None:
    assert WINDOW >= 10
    assert Motion().way.tolist() == [0.0]
