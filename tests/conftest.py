"""What all tests share: one thread, where fixtures lie, a small rendered world."""

import os
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parent.parent

torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _fresh_seed() -> None:
    torch.manual_seed(0)


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
