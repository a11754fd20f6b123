"""What the parity tests share: the weight rule and readers of fixture folders; sizes come from the files."""

import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

Arrays = dict[str, Tensor]


def _module(name: str) -> ModuleType:
    # Tests are no package, so the module is loaded from its file.
    spec = importlib.util.spec_from_file_location(f"parity_{name}", Path(__file__).parent / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def fill() -> Callable[..., Arrays]:
    """fill(keys, seed, gain, aliases, constants) -> an official state dict."""
    return _module("fill").fill  # type: ignore[no-any-return]


@pytest.fixture(scope="session")
def parity_json(parity_root: Path) -> Callable[[str], dict[str, Any]]:
    """parity_json("monodepth2/case") -> the file's content."""
    return lambda name: json.loads((parity_root / f"{name}.json").read_text())


@pytest.fixture(scope="session")
def parity_arrays(parity_root: Path) -> Callable[[str], Arrays]:
    """parity_arrays("monodepth2/pose_net") -> its arrays; half precision widened, uint8 divided by 255."""

    def read(name: str) -> Arrays:
        with np.load(parity_root / f"{name}.npz") as arrays:
            return {key: _widened(torch.from_numpy(arrays[key])) for key in arrays.files}

    return read


@pytest.fixture(scope="session")
def common_inputs(parity_arrays: Callable[[str], Arrays]) -> Arrays:
    """Frames, intrinsics, inverse depths and poses that all cases share."""
    return parity_arrays("common/inputs")


@pytest.fixture(scope="session")
def official_state(
    fill: Callable[..., Arrays], parity_json: Callable[[str], dict[str, Any]]
) -> Callable[[str, str], Arrays]:
    """official_state("monodepth2", "encoder_r18") -> the official file's entries as the case filled them."""

    def state(folder: str, part: str) -> Arrays:
        case, entry = parity_json(f"{folder}/case"), parity_json(f"{folder}/state_dict")[part]
        gain = entry.get("gain", case.get("gains", {}).get(part, case.get("gain", 1.0)))
        return fill(entry["keys"], case["seed"], gain, entry.get("aliases"), entry.get("constants", ()))

    return state


def _widened(tensor: Tensor) -> Tensor:
    if tensor.dtype == torch.uint8:
        return tensor.float() / 255
    return tensor.float() if tensor.dtype == torch.float16 else tensor
