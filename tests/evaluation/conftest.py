"""What the tests of camera paths share: paths of known shape, and files of them."""

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest


@pytest.fixture(scope="session")
def known() -> ModuleType:
    """step, winding_drive, straight_drive, kitti_text, tum_text, write: see known_paths.py."""
    # Tests are no package, so the module is loaded from its file.
    spec = importlib.util.spec_from_file_location("known_paths", Path(__file__).parent / "known_paths.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def drive(known: ModuleType) -> tuple[np.ndarray, np.ndarray]:
    """A winding drive of 1,201 frames: a prediction with drift in angle and scale, and the truth."""
    return known.winding_drive()
