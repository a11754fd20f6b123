"""`kinedepth render`: drives that other verbs read."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from kinedepth.data.source import open_source


def test_a_video_is_a_source_with_camera_and_truth(drive: Path) -> None:
    source = open_source(drive)
    assert (source.count, source.size) == (14, (64, 96))
    assert not source.guessed
    assert source.sequences[0].fps == 10
    assert len(source.sequences[0].truths) == 14


def test_pairs_know_their_distance_and_leave_out_the_truth(pair: Path) -> None:
    source = open_source(pair)
    assert source.sequences[0].baseline == pytest.approx(0.54)
    assert len(source.sequences[0].partners) == 8
    assert not (pair / "truth").exists()


def test_several_drives_have_consecutive_seeds_and_all_settings(kinedepth: Callable, tmp_path: Path) -> None:
    flags = (
        "--count 2 --seed 5 --frames 2 --size 32 64 --no-traffic --specular --fps 5 --baseline 0.3 --stereo"
    )
    said = kinedepth("render", "-o", tmp_path / "drives", *flags.split(), "--workers", 1)
    assert said.code == 0
    assert "seed 5" in said.out
    assert "seed 6" in said.out
    assert f"kinedepth train {tmp_path / 'drives'}" in said.out
    folders = [tmp_path / "drives" / name for name in ("drive_000", "drive_001")]
    pictures = [(folder / "images" / "000001.png").read_bytes() for folder in folders]
    assert pictures[0] != pictures[1]
    assert [json.loads((folder / "stereo.json").read_text())["baseline"] for folder in folders] == [0.3, 0.3]
    assert (folders[0] / "truth" / "times.txt").read_text().split()[1] == "2.000000e-01"


@pytest.mark.parametrize(
    ("flags", "code", "words"),
    [
        ("--sed 3", 2, ["'--sed'", "'--seed'"]),
        ("--count 0", 2, ["--count"]),
        ("--frames 0", 1, ["at least one frame"]),
        ("--lead 2", 1, ["lead", "between 0 and 1"]),
        ("--size 33 64 --video", 1, ["even"]),
        ("--intrinsics 1 2 3", 2, ["--intrinsics"]),
    ],
)
def test_what_cannot_be_rendered_is_said_and_leaves_nothing(
    kinedepth: Callable, tmp_path: Path, flags: str, code: int, words: list[str]
) -> None:
    said = kinedepth("render", "-o", tmp_path / "new", *flags.split())
    assert said.code == code
    assert said.err.count("\n") == 1
    assert all(word in said.err for word in words)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_exists_is_left_alone(kinedepth: Callable, drive: Path) -> None:
    before = sorted(path.stat().st_mtime_ns for path in drive.rglob("*"))
    said = kinedepth("render", "-o", drive, "--frames", 2, "--size", 32, 64)
    assert said.code == 1
    assert "exists already" in said.err
    assert sorted(path.stat().st_mtime_ns for path in drive.rglob("*")) == before


def test_a_place_that_cannot_be_made(kinedepth: Callable, drive: Path) -> None:
    said = kinedepth("render", "-o", drive / "drive.mp4" / "below", "--frames", 2, "--size", 32, 64)
    assert said.code == 1
    assert "name another folder" in said.err
