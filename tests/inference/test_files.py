"""Depth files: each format gives back what went in, and says its unit."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from kinedepth.errors import KinedepthError
from kinedepth.geometry.camera import Camera
from kinedepth.inference.files import (
    KITTI_FACTOR,
    DepthNote,
    fitting_factor,
    read_depth,
    sidecar,
    write_npy,
    write_npz,
    write_png16,
)

NOTE = DepthNote(
    "metric", "baseline 0.54 m", 0.03, Camera(torch.tensor([371.2, 368.6]), torch.tensor([319.5, 95.5]))
)


@pytest.fixture
def depth() -> np.ndarray:
    return np.random.default_rng(0).uniform(0.5, 79.0, (7, 11)).astype(np.float32)


@pytest.mark.parametrize(
    ("write", "name"), [(write_npy, "a.npy"), (write_npz, "a.npz"), (write_png16, "a.png")]
)
def test_round_trip(tmp_path: Path, depth: np.ndarray, write: object, name: str) -> None:
    write(tmp_path / name, depth, NOTE)  # type: ignore[operator]
    read, note = read_depth(tmp_path / name)
    assert read.dtype == np.float32
    step = 0.5 / note.factor if note.factor else 0.0
    np.testing.assert_allclose(read, depth, rtol=1e-6, atol=step)
    assert (note.scale, note.source, note.uncertainty) == ("metric", "baseline 0.54 m", 0.03)
    assert note.camera is not None
    torch.testing.assert_close(note.camera.matrix(), NOTE.camera.matrix())  # type: ignore[union-attr]


def test_numpy_reads_npy_and_npz(tmp_path: Path, depth: np.ndarray) -> None:
    write_npy(tmp_path / "a.npy", depth, NOTE)
    write_npz(tmp_path / "a.npz", depth, NOTE)
    np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), depth)
    with np.load(tmp_path / "a.npz") as entries:
        np.testing.assert_array_equal(entries["depth"], depth)
        np.testing.assert_array_equal(entries["intrinsics"], NOTE.camera.matrix().numpy())  # type: ignore[union-attr]


def test_opencv_reads_png16(tmp_path: Path, depth: np.ndarray) -> None:
    factor = write_png16(tmp_path / "a.png", depth, NOTE, KITTI_FACTOR)
    steps = cv2.imread(str(tmp_path / "a.png"), cv2.IMREAD_UNCHANGED)
    assert steps.dtype == np.uint16
    assert factor == KITTI_FACTOR
    np.testing.assert_allclose(steps / 256.0, depth, atol=0.5 / 256)


def test_the_file_says_its_unit(tmp_path: Path, depth: np.ndarray) -> None:
    write_png16(tmp_path / "a.png", depth, DepthNote(source="monocular video"))
    with Image.open(tmp_path / "a.png") as opened:
        inside = json.loads(opened.text["kinedepth"])  # type: ignore[attr-defined]
    assert inside == json.loads(sidecar(tmp_path / "a.png").read_text())
    assert inside["scale"] == "relative"
    assert "metre" not in inside["unit"].split(":")[0]
    assert inside["size"] == [7, 11]
    assert inside["factor"] == fitting_factor(float(depth.max()))


def test_png_without_its_sidecar_still_knows(tmp_path: Path, depth: np.ndarray) -> None:
    write_png16(tmp_path / "a.png", depth, NOTE)
    sidecar(tmp_path / "a.png").unlink()
    assert read_depth(tmp_path / "a.png")[1].source == "baseline 0.54 m"


def test_png_whose_chunk_was_stripped_asks_its_sidecar(tmp_path: Path, depth: np.ndarray) -> None:
    write_png16(tmp_path / "a.png", depth, NOTE)
    cv2.imwrite(str(tmp_path / "a.png"), cv2.imread(str(tmp_path / "a.png"), cv2.IMREAD_UNCHANGED))
    np.testing.assert_allclose(read_depth(tmp_path / "a.png")[0], depth, atol=0.5 / 512)


@pytest.mark.parametrize(
    ("largest", "factor"), [(79.0, 512.0), (65535.0, 1.0), (65536.0, 0.5), (0.001, 2.0**25), (0.0, 1.0)]
)
def test_factor_is_the_largest_power_of_two_that_fits(largest: float, factor: float) -> None:
    assert fitting_factor(largest) == factor


def test_no_value_stays_no_value(tmp_path: Path) -> None:
    depth = np.array([[0.0, np.nan, np.inf, -1.0, 0.0004, 300.0, 2.0]], dtype=np.float32)
    write_png16(tmp_path / "a.png", depth, NOTE, KITTI_FACTOR)
    np.testing.assert_allclose(read_depth(tmp_path / "a.png")[0], [[0, 0, 0, 0, 1 / 256, 0, 2]])


def _missing(path: Path) -> Path:
    return path / "a.npy"


def _bare(path: Path) -> Path:
    np.save(path / "a.npy", np.ones((2, 2), np.float32))
    return path / "a.npy"


def _truncated(path: Path) -> Path:
    write_npy(path / "a.npy", np.ones((9, 9), np.float32), NOTE)
    (path / "a.npy").write_bytes((path / "a.npy").read_bytes()[:200])
    return path / "a.npy"


def _truncated_png(path: Path) -> Path:
    write_png16(path / "a.png", np.random.default_rng(0).uniform(1, 9, (90, 90)).astype(np.float32), NOTE)
    (path / "a.png").write_bytes((path / "a.png").read_bytes()[:3000])
    return path / "a.png"


def _pickled(path: Path) -> Path:
    np.save(path / "a.npy", np.array([{}], dtype=object), allow_pickle=True)
    return path / "a.npy"


def _eight_bits(path: Path) -> Path:
    Image.fromarray(np.zeros((4, 4), np.uint8)).save(path / "a.png")
    sidecar(path / "a.png").write_text(json.dumps(NOTE.as_json((4, 4))))
    return path / "a.png"


def _foreign_npz(path: Path) -> Path:
    np.savez(path / "a.npz", data=np.zeros(3))
    return path / "a.npz"


def _picture(path: Path) -> Path:
    return path / "a.jpg"


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (_missing, "does not exist"),
        (_bare, "unit is unknown"),
        (_truncated, "damaged"),
        (_truncated_png, "damaged"),
        (_pickled, "damaged or not a depth file"),
        (_eight_bits, "damaged or not a depth file"),
        (_foreign_npz, "damaged or not a depth file"),
        (_picture, "must end in"),
    ],
)
def test_refusals(tmp_path: Path, make: object, why: str) -> None:
    with pytest.raises(KinedepthError, match=why):
        read_depth(make(tmp_path))  # type: ignore[operator]
