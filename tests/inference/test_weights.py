"""Weights files: exact, whole, and with clear words for what is none."""

import errno
import json
import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from kinedepth.errors import KinedepthError
from kinedepth.inference.weights import read_header, read_weights, write_weights


@pytest.fixture
def tensors() -> dict[str, torch.Tensor]:
    weight = torch.randn(4, 3)
    return {
        "depth.weight": weight,
        "depth.tied": weight,
        "depth.transposed": weight.t(),
        "half": torch.randn(5).bfloat16(),
        "count": torch.tensor(7),
        "flags": torch.tensor([True, False]),
        "empty": torch.zeros(0, 3),
    }


HEADER = {"recipe": {"name": "größe", "size": [192, 640]}, "phase": 2, "best": None}


def test_round_trip_is_exact(tmp_path: Path, tensors: dict[str, torch.Tensor]) -> None:
    write_weights(tmp_path / "last.safetensors", tensors, HEADER)
    read, header = read_weights(tmp_path / "last.safetensors")
    assert header == HEADER == read_header(tmp_path / "last.safetensors")
    assert {name: tensor.dtype for name, tensor in read.items()} == {n: t.dtype for n, t in tensors.items()}
    assert all(torch.equal(read[name], tensors[name]) for name in tensors)


def test_same_content_gives_the_same_bytes(tmp_path: Path, tensors: dict[str, torch.Tensor]) -> None:
    write_weights(tmp_path / "a", tensors, HEADER)
    write_weights(tmp_path / "b", dict(reversed(tensors.items())), HEADER)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_full_disk_leaves_the_old_checkpoint(
    tmp_path: Path, tensors: dict[str, torch.Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "last.safetensors"
    write_weights(path, tensors, {"step": 1})

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(KinedepthError, match=r"last.safetensors .*No space left.*make room"):
        write_weights(path, tensors, {"step": 2})
    assert read_header(path) == {"step": 1}
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("share", [0.0, 0.02, 0.5, 0.99])
def test_truncated_file(tmp_path: Path, tensors: dict[str, torch.Tensor], share: float) -> None:
    path = tmp_path / "cut.safetensors"
    write_weights(path, tensors, HEADER)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(KinedepthError, match=r"cut.safetensors is truncated"):
        read_weights(path)


def test_a_flipped_bit_is_found(tmp_path: Path, tensors: dict[str, torch.Tensor]) -> None:
    path = tmp_path / "last.safetensors"
    write_weights(path, tensors, HEADER)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(KinedepthError, match="damaged"):
        read_weights(path)


def _text(path: Path) -> None:
    path.write_text("these are no weights at all, but a longer text")


def _pickle(path: Path) -> None:
    torch.save({"a": torch.zeros(1)}, path)


def _old_pickle(path: Path) -> None:
    torch.save({"a": torch.zeros(1)}, path, _use_new_zipfile_serialization=False)


def _headerless(path: Path) -> None:
    save_file({"a": torch.zeros(1)}, path)


def _newer(path: Path) -> None:
    save_file({"a": torch.zeros(1)}, path, {"kinedepth": json.dumps({"version": 99})})


def _no_json(path: Path) -> None:
    save_file({"a": torch.zeros(1)}, path, {"kinedepth": "not json"})


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (_text, "truncated or not"),
        (_pickle, "pickle.*weights import"),
        (_old_pickle, "pickle.*weights import"),
        (_headerless, "without a kinedepth header"),
        (_newer, "another version"),
        (_no_json, "another version"),
    ],
)
@pytest.mark.parametrize("read", [read_weights, read_header])
def test_foreign_file(tmp_path: Path, make: object, why: str, read: object) -> None:
    path = tmp_path / "foreign.pth"
    make(path)  # type: ignore[operator]
    with pytest.raises(KinedepthError, match=f"foreign.pth.*{why}"):
        read(path)  # type: ignore[operator]


@pytest.mark.parametrize("name", ["missing.safetensors", "."])
def test_missing_file(tmp_path: Path, name: str) -> None:
    with pytest.raises(KinedepthError, match="does not exist or is not a file"):
        read_weights(tmp_path / name)
