"""Depth files: each format gives back what went in, and says its unit."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import OpenEXR
import pytest
import torch
from PIL import Image

from kinedepth.data.moments import Lens
from kinedepth.errors import KinedepthError
from kinedepth.geometry.camera import Camera
from kinedepth.inference.files import (
    KITTI_FACTOR,
    finite,
    fitting_factor,
    read_depth,
    read_map,
    write_depth_exr,
    write_depth_pfm,
    write_npy,
    write_npz,
    write_png16,
)
from kinedepth.inference.notes import DepthNote, sidecar

NOTE = DepthNote(
    "metric", "baseline 0.54 m", 0.03, Camera(torch.tensor([371.2, 368.6]), torch.tensor([319.5, 95.5]))
)
WRITERS = [
    (write_npy, "a.npy"),
    (write_npz, "a.npz"),
    (write_png16, "a.png"),
    (write_depth_exr, "a.exr"),
    (write_depth_pfm, "a.pfm"),
]
every_format = pytest.mark.parametrize(("write", "name"), WRITERS, ids=[name for _, name in WRITERS])


@pytest.fixture
def depth() -> np.ndarray:
    return np.random.default_rng(0).uniform(0.5, 79.0, (7, 11)).astype(np.float32)


@every_format
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


def test_png_at_kittis_factor_has_no_value_where_depth_does_not_fit(tmp_path: Path) -> None:
    depth = np.array([[0.0, 0.0004, 300.0, 2.0]], dtype=np.float32)
    write_png16(tmp_path / "a.png", depth, NOTE, KITTI_FACTOR)
    np.testing.assert_allclose(read_depth(tmp_path / "a.png")[0], [[0, 1 / 256, 0, 2]])


@every_format
def test_no_value_is_zero(tmp_path: Path, write: object, name: str) -> None:
    depth = np.array([[0.0, np.nan, np.inf, -1.0, 2.0]], dtype=np.float32)
    write(tmp_path / name, depth, NOTE)  # type: ignore[operator]
    np.testing.assert_array_equal(read_depth(tmp_path / name)[0], [[0, 0, 0, 0, 2]])
    np.testing.assert_array_equal(read_map(tmp_path / name)[0], [[0, 0, 0, 0, 2]])


@every_format
@pytest.mark.parametrize("lens", [Lens("brown", (-0.3, 0.1, 0.001, -0.002)), Lens("fisheye", (0.1,) * 4)])
def test_the_lens_is_said(tmp_path: Path, depth: np.ndarray, write: object, name: str, lens: Lens) -> None:
    write(tmp_path / name, depth, replace(NOTE, lens=lens))  # type: ignore[operator]
    assert read_depth(tmp_path / name)[1].lens == lens


def test_openexr_reads_the_depth_channel(tmp_path: Path, depth: np.ndarray) -> None:
    write_depth_exr(tmp_path / "a.exr", depth, NOTE)
    with OpenEXR.File(str(tmp_path / "a.exr"), separate_channels=True) as opened:
        np.testing.assert_array_equal(opened.channels()["Z"].pixels, depth)
        assert opened.header()["unit"] == "metre"
        assert opened.header()["scale"] == "metric"


def test_opencv_reads_and_writes_pfm(tmp_path: Path, depth: np.ndarray) -> None:
    write_depth_pfm(tmp_path / "a.pfm", depth, NOTE)
    np.testing.assert_array_equal(cv2.imread(str(tmp_path / "a.pfm"), cv2.IMREAD_UNCHANGED), depth)
    cv2.imwrite(str(tmp_path / "theirs.pfm"), depth)
    values, note = read_map(tmp_path / "theirs.pfm")
    np.testing.assert_array_equal(values, depth)
    assert note is None


def test_opencv_reads_and_writes_exr(tmp_path: Path, depth: np.ndarray) -> None:
    """In another process: OpenCV asks the environment for leave when it is loaded."""
    write_depth_exr(tmp_path / "ours.exr", depth, NOTE)
    script = (
        "import cv2, sys\n"
        "picture = cv2.imread(sys.argv[1], cv2.IMREAD_UNCHANGED)\n"
        "sys.exit(77) if picture is None else cv2.imwrite(sys.argv[2], picture)"
    )
    words = [sys.executable, "-c", script, str(tmp_path / "ours.exr"), str(tmp_path / "theirs.exr")]
    ran = subprocess.run(words, env=os.environ | {"OPENCV_IO_ENABLE_OPENEXR": "1"}, check=False)
    if ran.returncode == 77:
        pytest.skip("this OpenCV was built without OpenEXR")
    assert ran.returncode == 0
    np.testing.assert_array_equal(read_map(tmp_path / "theirs.exr")[0], depth)


def _theirs_npy(path: Path, values: np.ndarray) -> Path:
    np.save(path / "a.npy", values.astype(np.float64))
    return path / "a.npy"


def _theirs_depth(path: Path, values: np.ndarray) -> Path:
    np.savez(path / "a.npz", depth=values, intrinsics=np.eye(3))
    return path / "a.npz"


def _theirs_disparity(path: Path, values: np.ndarray) -> Path:
    np.savez(path / "a.npz", image=np.zeros(3), disp=values[None, None])
    return path / "a.npz"


def _theirs_only(path: Path, values: np.ndarray) -> Path:
    np.savez(path / "a.npz", whatever=values[..., None])
    return path / "a.npz"


def _theirs_half(path: Path, values: np.ndarray) -> Path:
    OpenEXR.File({}, {"Y": values.astype(np.float16)}).write(str(path / "a.exr"))
    return path / "a.exr"


def _theirs_big_endian(path: Path, values: np.ndarray) -> Path:
    content = values[::-1].astype(">f4").tobytes()
    (path / "a.pfm").write_bytes(b"Pf\n%d %d\n1.0\n" % values.shape[::-1] + content)
    return path / "a.pfm"


@pytest.mark.parametrize(
    "make", [_theirs_npy, _theirs_depth, _theirs_disparity, _theirs_only, _theirs_half, _theirs_big_endian]
)
def test_maps_of_other_programs(tmp_path: Path, make: Callable[[Path, np.ndarray], Path]) -> None:
    values = np.arange(1, 13, dtype=np.float32).reshape(3, 4)
    values[0, 0] = np.inf
    read, note = read_map(make(tmp_path, values))
    assert (read.dtype, note) == (np.float32, None)
    np.testing.assert_array_equal(read, values)
    np.testing.assert_array_equal(finite(read), np.where(np.isinf(values), 0, values))


def test_several_maps_in_one_array_stay_together(tmp_path: Path) -> None:
    np.save(tmp_path / "eigen.npy", np.ones((5, 3, 4), np.float32))
    assert read_map(tmp_path / "eigen.npy")[0].shape == (5, 3, 4)


def test_kittis_png_needs_its_factor(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.array([[0, 256, 640]], np.uint16))
    with pytest.raises(KinedepthError, match="give its factor"):
        read_map(tmp_path / "a.png")
    np.testing.assert_array_equal(read_map(tmp_path / "a.png", factor=256)[0], [[0, 1, 2.5]])


def test_our_own_factor_counts(tmp_path: Path, depth: np.ndarray) -> None:
    write_png16(tmp_path / "a.png", depth, NOTE, 512.0)
    np.testing.assert_allclose(read_map(tmp_path / "a.png", factor=256)[0], depth, atol=1 / 1024)


def test_an_array_by_name(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", near=np.ones((2, 2)), far=np.full((2, 2), 9.0))
    np.testing.assert_array_equal(read_map(tmp_path / "a.npz", "far")[0], np.full((2, 2), 9.0))
    with pytest.raises(KinedepthError, match="near, far"):
        read_map(tmp_path / "a.npz")


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


def _truncated_exr(path: Path) -> Path:
    write_depth_exr(path / "a.exr", np.random.default_rng(0).uniform(1, 9, (90, 90)).astype(np.float32), NOTE)
    (path / "a.exr").write_bytes((path / "a.exr").read_bytes()[:3000])
    return path / "a.exr"


def _truncated_pfm(path: Path) -> Path:
    write_depth_pfm(path / "a.pfm", np.ones((9, 9), np.float32), NOTE)
    (path / "a.pfm").write_bytes((path / "a.pfm").read_bytes()[:200])
    return path / "a.pfm"


def _colors(path: Path) -> Path:
    (path / "a.pfm").write_bytes(b"PF\n1 1\n-1.0\n" + bytes(12))
    return path / "a.pfm"


def _lost_note(path: Path) -> Path:
    write_depth_pfm(path / "a.pfm", np.ones((9, 9), np.float32), NOTE)
    sidecar(path / "a.pfm").unlink()
    return path / "a.pfm"


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
        (_truncated_exr, "damaged"),
        (_truncated_pfm, "damaged"),
        (_colors, "damaged or not a depth file"),
        (_lost_note, "unit is unknown"),
        (_pickled, "pickled objects"),
        (_eight_bits, "damaged or not a depth file"),
        (_foreign_npz, "two dimensions"),
        (_picture, "must end in"),
    ],
)
def test_refusals(tmp_path: Path, make: object, why: str) -> None:
    with pytest.raises(KinedepthError, match=why):
        read_depth(make(tmp_path))  # type: ignore[operator]
