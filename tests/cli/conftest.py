"""A rendered drive and a run of two steps, made once by the commands that users type."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from kinedepth.cli.main import main

_SMALL = [
    *("--data.size", "64", "96", "--data.workers", "0", "--pose.kind", "posecnn", "--train.logger", "none"),
    *("--train.batch-size", "2", "--train.steps", "2", "--train.log-every", "1", "--train.save-every", "2"),
    *("--train.samples", "1", "--train.average", "0", "--train.device", "cpu"),
]


@dataclass(frozen=True)
class Said:
    """What a command left behind."""

    code: int
    out: str
    err: str


@pytest.fixture
def small() -> list[str]:
    """Flags of a training that takes seconds."""
    return _SMALL


@pytest.fixture
def kinedepth(capfd: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    """kinedepth("train", path, ...): runs a command in this process."""

    def run(*words: object) -> Said:
        capfd.readouterr()
        code = main([str(word) for word in words])
        return Said(code, *capfd.readouterr())

    return run


@pytest.fixture(scope="session")
def drive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a drive of 14 frames as a video, with its truth."""
    folder = tmp_path_factory.mktemp("rendered") / "drive"
    words = f"render -o {folder} --frames 14 --size 64 96 --video --workers 1"
    assert main(words.split()) == 0
    return folder


@pytest.fixture(scope="session")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a drive of 8 stereo pairs as pictures, without its truth."""
    folder = tmp_path_factory.mktemp("rendered") / "pair"
    words = f"render -o {folder} --frames 8 --size 64 96 --stereo --no-truth --workers 1 --seed 1"
    assert main(words.split()) == 0
    return folder


@pytest.fixture(scope="session")
def run(drive: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of two steps on the drive."""
    out = tmp_path_factory.mktemp("runs")
    assert main(["train", str(drive / "drive.mp4"), "--out", str(out), "--name", "first", *_SMALL]) == 0
    return out / "first"
