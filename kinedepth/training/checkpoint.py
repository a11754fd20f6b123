"""What a run can go on from: weights, optimizer, random state and position, in one file, whole or absent.

`checkpoints/*.safetensors` are what users take away; `state/state.pt` is what `--resume` reads. It is one file, so
that a kill between two writes cannot leave two halves of different steps.
"""

import contextlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from kinedepth.errors import KinedepthError


@dataclass(frozen=True)
class Position:
    """Where a run stands: `step` counts within the phase, `total` over the run."""

    phase: int = 0
    step: int = 0
    total: int = 0


def random_state() -> dict[str, Any]:
    """The state of PyTorch's generators; nothing else here draws numbers that matter."""
    return {"cpu": torch.get_rng_state(), "cuda": torch.cuda.get_rng_state_all()}


def restore_random_state(state: Mapping[str, Any]) -> None:
    """Set PyTorch's generators; those of devices that are absent are left alone."""
    torch.set_rng_state(state["cpu"])
    if len(state["cuda"]) == torch.cuda.device_count():
        torch.cuda.set_rng_state_all(state["cuda"])


def write_state(path: Path, state: Mapping[str, Any]) -> None:
    """Write the state of a run, whole or not at all.

    Raises:
        KinedepthError: the disk refuses, a full one for instance; the state before is kept.
    """
    draft = path.with_suffix(".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with draft.open("wb") as file:
            torch.save(dict(state), file)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except (OSError, RuntimeError) as error:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)
        raise KinedepthError(
            f"The state of the run cannot be written to '{path}' ({error}): free some space and resume, "
            "the checkpoint before is untouched."
        ) from None


def read_state(path: Path) -> dict[str, Any]:
    """The state of a run.

    Raises:
        KinedepthError: there is none, or it is damaged.
    """
    if not path.is_file():
        raise KinedepthError(f"'{path.parent.parent}' holds no resumable state: give the folder of a run of `kinedepth train`.")
    try:
        state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # noqa: BLE001 - torch raises anything from EOFError to UnpicklingError here
        raise KinedepthError(f"The state '{path}' is damaged ({type(error).__name__}): start again with --init from a checkpoint.") from None
    return state
