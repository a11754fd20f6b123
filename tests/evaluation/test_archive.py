"""Official arrays: only numbers come out of them, whatever they hold."""

import os
import pickle
import zipfile
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from numpy.lib import format as npy

from kinedepth.errors import KinedepthError
from kinedepth.evaluation.archive import is_packed, is_stack, open_stack, read_packed

MAPS = [np.full((2, 3), 4.0, np.float32), np.arange(20, dtype=np.float64).reshape(4, 5)]


def many_sizes() -> np.ndarray:
    content = np.empty(len(MAPS), dtype=object)
    content[:] = MAPS
    return content


@pytest.mark.parametrize("content", [many_sizes(), np.ones((2, 4, 5), np.float32)], ids=["objects", "plain"])
def test_maps_come_back(tmp_path: Path, content: np.ndarray) -> None:
    path = tmp_path / "gt_depths.npz"
    np.savez_compressed(path, data=content)
    assert is_packed(path)
    for ours, given in zip(read_packed(path), content, strict=True):
        np.testing.assert_array_equal(ours, given)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_pickles_of_every_numpy(tmp_path: Path, protocol: int) -> None:
    path = tmp_path / "gt_depths.npz"
    write_pickle(path, many_sizes(), protocol)
    if protocol == 2:
        # Bytes were text then, and turning them back asks for a codec.
        with pytest.raises(KinedepthError, match="no code of a file is ever run"):
            read_packed(path)
    else:
        np.testing.assert_array_equal(read_packed(path)[1], MAPS[1])


def write_pickle(path: Path, content: object, protocol: int = 4) -> None:
    """An npz whose array is a pickle, as numpy lays it out."""
    stream = BytesIO()
    npy.write_array_header_1_0(stream, {"descr": "|O", "fortran_order": False, "shape": (2,)})
    with zipfile.ZipFile(path, "w") as packed:
        packed.writestr("data.npy", stream.getvalue() + pickle.dumps(content, protocol))


class Harmful:
    """Makes a folder when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, (str(self.path),)


def test_no_code_of_a_file_is_run(tmp_path: Path) -> None:
    path, harm = tmp_path / "gt_depths.npz", tmp_path / "harm"
    write_pickle(path, [Harmful(harm)])
    with pytest.raises(KinedepthError, match=r"asks for \w+\.mkdir.*no code of a file is ever run"):
        read_packed(path)
    assert not harm.exists()


@pytest.mark.parametrize(
    "content",
    [np.array(["a", "b"]), np.ones(3), np.zeros((0, 2, 2)), np.array([np.ones(3), None], dtype=object)],
    ids=["text", "row", "nothing", "none"],
)
def test_something_else_than_maps(tmp_path: Path, content: np.ndarray) -> None:
    path = tmp_path / "gt_depths.npz"
    np.savez(path, data=content)
    with pytest.raises(KinedepthError, match=r"gt_depths\.npz"):
        read_packed(path)


def test_a_damaged_archive(tmp_path: Path) -> None:
    path = tmp_path / "gt_depths.npz"
    np.savez(path, data=many_sizes())
    path.write_bytes(path.read_bytes()[:200])
    assert not is_packed(path)
    with pytest.raises(KinedepthError, match="damaged"):
        read_packed(path)


@pytest.mark.parametrize("shape", [(3, 4, 5), (3, 1, 4, 5), (3, 4, 5, 1)], ids=str)
def test_stacks_of_every_shape(tmp_path: Path, shape: tuple[int, ...]) -> None:
    path = tmp_path / "disps.npy"
    np.save(path, np.arange(60, dtype=np.float32).reshape(shape))
    assert is_stack(path)
    np.testing.assert_array_equal(open_stack(path), np.arange(60).reshape(3, 4, 5))


@pytest.mark.parametrize(
    "content", [np.ones((2, 3, 4), int), np.ones((2, 2, 3, 4)), many_sizes()], ids=["int", "4d", "objects"]
)
def test_no_stack(tmp_path: Path, content: np.ndarray) -> None:
    path = tmp_path / "disps.npy"
    np.save(path, content, allow_pickle=True)
    with pytest.raises(KinedepthError, match=r"disps\.npy"):
        open_stack(path)
