"""Official arrays: `gt_depths.npz` of Monodepth2's export and `.npy` files of predicted disparities.

The first is an array of arrays of many sizes, which numpy can only store as a pickle. Here such a file is
read by an unpickler that knows nothing but numpy arrays: whatever else it asks for is refused, so that no
code of the file ever runs.
"""

import io
import pickle
import zipfile
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy.lib import format as npy

from kinedepth.errors import KinedepthError

NAME = "data"
"""Of the array in gt_depths.npz."""
_MODULES = ("numpy.core.multiarray", "numpy._core.multiarray", "numpy.core.numeric", "numpy._core.numeric")
_ALLOWED = {
    *((module, "_reconstruct") for module in _MODULES[:2]),
    *((module, "_frombuffer") for module in _MODULES[2:]),
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
}


class _ArraysOnly(pickle.Unpickler):
    """Builds numpy arrays and refuses everything else."""

    def find_class(self, module: str, name: str) -> Any:
        """The function or class of a name that an array needs."""
        if (module, name) not in _ALLOWED:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}")
        return super().find_class(module, name)


def is_packed(path: Path) -> bool:
    """Whether `path` is an npz file with the array of gt_depths.npz; its content is not looked at."""
    if path.suffix.lower() != ".npz" or not path.is_file():
        return False
    try:
        with zipfile.ZipFile(path) as packed:
            return f"{NAME}.npy" in packed.namelist()
    except (OSError, zipfile.BadZipFile):
        return False


@lru_cache(maxsize=1)
def read_packed(path: Path) -> tuple[Float[np.ndarray, "_ _"], ...]:
    """All maps of a gt_depths.npz, in order; the last file stays in memory.

    Raises:
        KinedepthError: it is damaged, holds something else than maps, or asks for code to be run.
    """
    try:
        with zipfile.ZipFile(path) as packed, packed.open(f"{NAME}.npy") as stream:
            content = _array(io.BytesIO(stream.read()))
    except pickle.UnpicklingError as error:
        raise KinedepthError(
            f"{path} is a pickle of something else than arrays ({error}), and no code of a file is ever run: "
            "export the depth as a folder of .npy files, one for each image."
        ) from error
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, KeyError, TypeError, IndexError) as error:
        raise KinedepthError(f"{path} is damaged or holds no array '{NAME}' of depth maps.") from error
    maps = tuple(content)
    if not maps or any(not _is_map(each) for each in maps):
        raise KinedepthError(f"{path} holds something else than depth maps: each must be rows x columns.")
    return tuple(np.asarray(each, dtype=np.float32) for each in maps)


def _array(stream: io.BytesIO) -> Any:
    version = npy.read_magic(stream)
    header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, fortran, kind = header(stream)
    if kind.hasobject:
        return _ArraysOnly(stream).load()
    values = np.frombuffer(stream.read(), dtype=kind)
    return values.reshape(shape, order="F" if fortran else "C")


def _is_map(value: Any) -> bool:
    return isinstance(value, np.ndarray) and value.ndim == 2 and value.dtype.kind in "fiu"


def open_stack(path: Path) -> Float[np.ndarray, "n _ _"]:
    """The maps of an official `.npy` file, read from the disk when they are used; axes of length 1 dropped.

    Raises:
        KinedepthError: it is missing, damaged, or no stack of maps.
    """
    try:
        stack = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise KinedepthError(
            f"{path} is missing, damaged, or holds pickled objects: save the maps as one array of numbers."
        ) from error
    if stack.ndim == 4 and 1 in (stack.shape[1], stack.shape[3]):
        stack = stack[:, 0] if stack.shape[1] == 1 else stack[..., 0]
    if stack.ndim != 3 or stack.dtype.kind != "f":
        raise KinedepthError(
            f"{path} holds an array of shape {stack.shape} and type {stack.dtype}; a stack of maps is "
            "images x rows x columns of floats."
        )
    return np.asarray(stack)


def is_stack(path: Path) -> bool:
    """Whether `path` is a `.npy` file of several maps; only its header is read."""
    if path.suffix.lower() != ".npy" or not path.is_file():
        return False
    try:
        return bool(np.load(path, mmap_mode="r", allow_pickle=False).ndim > 2)
    except (OSError, ValueError, EOFError):
        return False
