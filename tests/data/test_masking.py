"""The mask of a sequence: given, found, remembered, refused."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from kinedepth.data import hood, store
from kinedepth.data.masking import AUTO, mask_of, masked, moving
from kinedepth.data.measuring import measured
from kinedepth.data.moments import Sequence
from kinedepth.data.motion import USUAL, Motion
from kinedepth.data.source import open_source
from kinedepth.errors import KinedepthError

Pictures = Callable[..., list[Path]]


def drive(folder: Path, bonnet: int, count: int = 24) -> Sequence:
    """A texture that moves by 4 pixels a frame above `bonnet` rows that never do."""
    noise = np.random.default_rng(7).random((200, 460, 3)).astype(np.float32)
    world = cv2.normalize(cv2.GaussianBlur(noise, (0, 0), 1.5), None, 0, 255, cv2.NORM_MINMAX).astype(
        np.uint8
    )
    folder.mkdir()
    for i in range(count):
        view = world[:120, 4 * i : 4 * i + 320].copy()
        if bonnet:
            view[-bonnet:] = 40
        Image.fromarray(view).save(folder / f"{i:03d}.png")
    return open_source(folder).sequences[0]


def test_none_is_asked_for(tmp_path: Path) -> None:
    sequence = drive(tmp_path / "a", 0, 3)
    assert mask_of(sequence, "", None) is None
    assert masked(sequence, None) is sequence


def test_a_bonnet_is_found_and_remembered(
    tmp_path: Path, cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sequence = drive(tmp_path / "a", 24)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "a").iterdir()}
    motion = measured(sequence)
    mask = mask_of(sequence, AUTO, motion)
    assert mask is not None
    assert mask.origin == "bonnet"
    assert mask.share == pytest.approx(0.2, abs=0.04)
    assert mask.path.is_relative_to(cache)
    with Image.open(mask.path) as picture:
        counts = np.asarray(picture)
    assert counts.shape == sequence.size
    assert not counts[-18:].any()
    assert counts[:90].all()
    assert masked(sequence, mask).moments()[0].mask == mask.path
    monkeypatch.setattr(hood, "find_hood", None)
    assert mask_of(sequence, AUTO, motion) == mask
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "a").iterdir()} == before


def test_that_there_is_none_is_remembered_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sequence = drive(tmp_path / "a", 0)
    motion = measured(sequence)
    assert mask_of(sequence, AUTO, motion) is None
    monkeypatch.setattr(hood, "find_hood", lambda frames: pytest.fail("looked again"))
    assert mask_of(sequence, AUTO, motion) is None


def test_a_picture_is_taken_as_it_is(tmp_path: Path, pictures: Pictures) -> None:
    pixels = np.full((64, 96), 255, np.uint8)
    pixels[48:] = 0
    Image.fromarray(pixels).save(tmp_path / "hood é.png")
    pictures(tmp_path / "a")
    mask = mask_of(open_source(tmp_path / "a").sequences[0], str(tmp_path / "hood é.png"), None)
    assert mask is not None
    assert (mask.path, mask.share, mask.origin) == (tmp_path / "hood é.png", 0.25, "hood é.png")


def test_a_missing_picture_is_named(tmp_path: Path, pictures: Pictures) -> None:
    pictures(tmp_path / "a")
    with pytest.raises(KinedepthError, match="no picture .*gone.png"):
        mask_of(open_source(tmp_path / "a").sequences[0], str(tmp_path / "gone.png"), None)


def test_a_cache_that_cannot_be_written_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sequence = drive(tmp_path / "a", 24)
    motion = measured(sequence)
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(KinedepthError, match="set XDG_CACHE_HOME to a folder with room, or give --mask"):
        mask_of(sequence, AUTO, motion)


def test_pictures_are_spread_over_the_way_and_not_over_the_time() -> None:
    ways = np.array([USUAL] * 50 + [0.0] * 800 + [USUAL] * 50)
    motion = Motion(ways, np.zeros(900, bool), ways == 0)
    numbers = moving(motion)
    assert len(numbers) > 60
    assert len([number for number in numbers if 50 < number < 850]) <= 1


def test_of_a_camera_that_hardly_moved_nothing_is_looked_at() -> None:
    assert moving(Motion(np.full(50, USUAL / 20), np.zeros(50, bool), np.zeros(50, bool))) == []


def test_measurements_are_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sequence = drive(tmp_path / "a", 0, 6)
    first = measured(sequence)
    steps: list[int] = []
    again = measured(sequence, lambda: steps.append(1))
    assert steps == []
    np.testing.assert_array_equal(first.displacement, again.displacement)
    Image.fromarray(np.zeros((120, 320, 3), np.uint8)).save(sequence.frames[3].path)
    assert not np.array_equal(measured(sequence, lambda: steps.append(1)).displacement, first.displacement)
    assert len(steps) == 6


def test_measurements_without_a_place_for_them_are_made_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sequence = drive(tmp_path / "a", 0, 6)
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert measured(sequence).pace == pytest.approx(4 / 320, rel=0.05)


def test_a_damaged_measurement_is_made_again(tmp_path: Path) -> None:
    sequence = drive(tmp_path / "a", 0, 6)
    measured(sequence)
    (kept,) = (store.cache_folder().parent / "motion").iterdir()
    kept.write_bytes(kept.read_bytes()[:100])
    assert measured(sequence).pace == pytest.approx(4 / 320, rel=0.05)
