"""What all tests share: one thread, where fixtures lie, a rendered drive, a run of what users type."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from kinedepth.cli.main import main

ROOT = Path(__file__).parent.parent

torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _fresh_seed() -> None:
    torch.manual_seed(0)


@pytest.fixture(autouse=True, scope="session")
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Decoded frames, measured motion and found masks go to a folder that is not the user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


def _folder(variable: str, default: str) -> Path:
    folder = Path(os.environ.get(variable, ROOT.parent / "shared" / default))
    if not folder.is_dir():
        pytest.skip(f"{variable} is not set and the default folder is absent")
    return folder


@pytest.fixture(scope="session")
def parity_root() -> Path:
    """Arrays computed by the official implementations."""
    return _folder("KINEDEPTH_PARITY", "parity")


@pytest.fixture(scope="session")
def real_data_root() -> Path:
    """Real frames with poses, LiDAR and labels."""
    return _folder("KINEDEPTH_REAL_DATA", "data")


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
