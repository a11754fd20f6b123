"""Weights on disk: safetensors, with the recipe and whatever else describes the run as JSON in the header.

One entry of the file's metadata, `kinedepth`, holds `{"version", "sha256", "header"}`; the checksum is over
names, types, shapes and values of the tensors. A pickle is never loaded.
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Shaped
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from kinedepth.errors import KinedepthError
from kinedepth.inference.whole import whole_file

ENTRY = "kinedepth"
VERSION = 1
_PICKLE_STARTS = (b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")

Weights = dict[str, Shaped[Tensor, "..."]]


def write_weights(
    path: Path, tensors: Mapping[str, Shaped[Tensor, "..."]], header: Mapping[str, Any]
) -> None:
    """Writes `tensors` and `header` (anything JSON can hold) to `path`, whole or not at all.

    Same tensors and header give the same bytes. Raises KinedepthError when the disk is full or the folder
    cannot be written; a file that was there before is then still whole.
    """
    # A copy for each entry: safetensors refuses tensors that share memory, such as tied weights.
    stored = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    note = {"version": VERSION, "sha256": _checksum(stored), "header": dict(header)}
    content = save(stored, metadata={ENTRY: json.dumps(note)})
    with whole_file(path) as draft:
        draft.write_bytes(content)


def read_weights(path: Path, device: str = "cpu") -> tuple[Weights, dict[str, Any]]:
    """The tensors and the header of a file that `write_weights` wrote.

    Raises KinedepthError for a missing, truncated, damaged or foreign file.
    """
    _check_kind(path)
    try:
        with safe_open(path, framework="pt", device=device) as opened:
            note = _note(path, opened.metadata() or {})
            tensors = {name: opened.get_tensor(name) for name in _names(opened)}
    except (SafetensorError, OSError) as error:
        raise KinedepthError(
            f"{path} is truncated or not a safetensors file: copy or train the checkpoint again."
        ) from error
    if _checksum(tensors) != note["sha256"]:
        raise KinedepthError(
            f"{path} is damaged (its checksum does not match): copy or train the checkpoint again."
        )
    return tensors, note["header"]


def read_header(path: Path) -> dict[str, Any]:
    """The header alone, without reading the tensors; errors as in `read_weights`."""
    _check_kind(path)
    try:
        with safe_open(path, framework="pt") as opened:
            header: dict[str, Any] = _note(path, opened.metadata() or {})["header"]
    except (SafetensorError, OSError) as error:
        raise KinedepthError(
            f"{path} is truncated or not a safetensors file: copy or train the checkpoint again."
        ) from error
    return header


def _names(opened: Any) -> list[str]:
    return list(opened.keys())


def _check_kind(path: Path) -> None:
    """Refuses what safetensors would only describe in its own words."""
    if not path.is_file():
        raise KinedepthError(
            f"{path} does not exist or is not a file: name a checkpoint (checkpoints/last.safetensors)."
        )
    try:
        with path.open("rb") as opened:
            start = opened.read(4)
    except OSError as error:
        raise KinedepthError(f"{path} cannot be read ({error.strerror}): check its permissions.") from error
    if start.startswith(_PICKLE_STARTS):
        raise KinedepthError(
            f"{path} is a pickle, which is never loaded: bring it over with `kinedepth weights import`."
        )


def _note(path: Path, metadata: Mapping[str, str]) -> dict[str, Any]:
    if ENTRY not in metadata:
        raise KinedepthError(
            f"{path} holds tensors without a kinedepth header: bring it over with `kinedepth weights import`."
        )
    try:
        note = json.loads(metadata[ENTRY])
    except ValueError:
        note = None
    if not isinstance(note, dict) or note.get("version") != VERSION:
        raise KinedepthError(
            f"{path} was written by another version of kinedepth: update kinedepth, or train again."
        )
    return note


def _checksum(tensors: Mapping[str, Shaped[Tensor, "..."]]) -> str:
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].cpu().contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()
