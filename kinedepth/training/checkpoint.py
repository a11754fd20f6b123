"""What a run can go on from: weights, optimizer, random state and position, whole or not at all.

`checkpoints/*.safetensors` are what users take away; `state/state.pt` is what `--resume` reads. All are
written under other names before any is renamed, so that neither a full disk nor a kill leaves halves of
different steps.
"""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Shaped
from torch import Tensor

from kinedepth.errors import KinedepthError
from kinedepth.inference.weights import write_weights
from kinedepth.inference.whole import whole_file

Tensors = dict[str, Shaped[Tensor, "..."]]


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


def state_of(folder: Path) -> Path:
    """Where a run keeps what it goes on from."""
    return folder / "state" / "state.pt"


def model_of(folder: Path, name: str) -> Path:
    """Where a run keeps the model called `name`: last or best."""
    return folder / "checkpoints" / f"{name}.safetensors"


def save_run(
    folder: Path, state: Mapping[str, Any], models: Mapping[str, Tensors], header: Mapping[str, Any]
) -> None:
    """Write the state of a run and its models (name -> tensors): all of them or none.

    Raises:
        KinedepthError: the disk refuses, a full one for instance; what was saved before is untouched.
    """
    paths = [state_of(folder), *(model_of(folder, name) for name in models)]
    try:
        # The state is renamed last: if killed between two renames, a resumed run writes the models again.
        with ExitStack() as drafts:
            for path in paths:
                path.parent.mkdir(parents=True, exist_ok=True)
            first, *others = [drafts.enter_context(whole_file(path)) for path in paths]
            for draft, tensors in zip(others, models.values(), strict=True):
                write_weights(draft, tensors, header)
            # A file that we opened: given a path, torch hides what the system said.
            with first.open("wb") as file:
                torch.save(dict(state), file)
    except (OSError, RuntimeError, KinedepthError) as error:
        refusal = _refusal(error)
        if refusal is None:
            raise
        raise _cannot_be_written(folder, refusal) from None


def _refusal(error: BaseException) -> OSError | None:
    """What the system said, behind whatever the writers made of it."""
    behind: BaseException | None = error
    while behind is not None and not isinstance(behind, OSError):
        behind = behind.__cause__ or behind.__context__
    return behind


def _cannot_be_written(folder: Path, error: OSError) -> KinedepthError:
    return KinedepthError(
        f"The run folder '{folder}' cannot be written ({error.strerror or error}): make room and go on with "
        "--resume, what was saved before is untouched."
    )


@contextmanager
def writable(folder: Path) -> Iterator[None]:
    """Says in one sentence that the run folder cannot be written.

    Raises:
        KinedepthError: instead of an OSError.
    """
    try:
        yield
    except OSError as error:
        raise _cannot_be_written(folder, error) from None


def remove_drafts(folder: Path) -> None:
    """Remove what a killed run left half written."""
    for draft in folder.rglob(".partial-*"):
        draft.unlink(missing_ok=True)


def read_state(folder: Path) -> dict[str, Any]:
    """The state of the run in `folder`.

    Raises:
        KinedepthError: there is none, or it is damaged.
    """
    path = state_of(folder)
    if not path.is_file():
        raise KinedepthError(
            f"'{folder}' holds no resumable state: give the folder of a run of `kinedepth train`."
        )
    try:
        state = dict(torch.load(path, map_location="cpu", weights_only=True))
    except Exception as error:
        # torch raises anything from EOFError to UnpicklingError here.
        raise KinedepthError(
            f"The state '{path}' is damaged ({type(error).__name__}): start again with --init {folder}."
        ) from None
    return state


@contextmanager
def fitting(folder: Path) -> Iterator[None]:
    """Says in one sentence that a state does not belong to the networks at hand.

    Raises:
        KinedepthError: instead of what PyTorch says of keys and shapes.
    """
    try:
        yield
    except (AttributeError, KeyError, RuntimeError, TypeError, ValueError) as error:
        why = " ".join(str(error).split())[:200]
        raise KinedepthError(
            f"The state in '{folder}' does not fit its recipe.toml ({why}): undo what was changed there, "
            f"or start a new run with --init {folder}."
        ) from None
