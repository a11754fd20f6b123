"""Files of depth found and read strictly, since a wrong reading gives a table that lies."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Float, Float32
from PIL import Image, UnidentifiedImageError

from kinedepth.data.folder import natural_key
from kinedepth.errors import KinedepthError
from kinedepth.inference.files import KITTI_FACTOR, finite, read_map
from kinedepth.inference.notes import DepthNote

ENDINGS = frozenset({".npy", ".npz", ".png", ".exr", ".pfm"})
"""What a file of depth may end in."""

Quantity = Literal["depth", "inverse_depth", "disparity"]
_ARRAYS = (".npy", ".npz")
_DEPTH = 8
"""How deep folders are looked through."""


def is_16_bit(path: Path) -> bool:
    """Whether a picture has one channel of 16 bits, as depth in PNG files has; only its header is read."""
    try:
        with Image.open(path) as picture:
            return picture.mode.startswith("I")
    except (OSError, SyntaxError, ValueError, UnidentifiedImageError):
        return False


def files_below(path: Path) -> Iterator[Path]:
    """Every file below `path` whose name ends like a depth file's, in natural order; hidden ones are left."""
    for place, folders, files in os.walk(path):
        folders[:] = sorted((each for each in folders if not each.startswith(".")), key=_by_name)
        if len(Path(place).relative_to(path).parts) >= _DEPTH:
            folders.clear()
        for name in sorted(files, key=_by_name):
            if Path(name).suffix.lower() in ENDINGS and not name.startswith("."):
                yield Path(place) / name


def _by_name(name: str) -> tuple[tuple[int, int, str], ...]:
    return natural_key(Path(name))


def named_files(path: Path) -> dict[str, Path]:
    """The depth files below `path`, by their place in it without the ending.

    Raises:
        KinedepthError: there is none, or one image comes in two formats.
    """
    found: dict[str, Path] = {}
    for file in files_below(path):
        name = file.relative_to(path).with_suffix("").as_posix()
        if name in found and not is_16_bit(file) and file.suffix.lower() == ".png":
            continue  # a picture to look at, beside its depth
        if name in found:
            raise KinedepthError(
                f"{path} holds {name} twice, as {found[name].name} and {file.name}: move one kind away."
            )
        found[name] = file
    if not found:
        raise KinedepthError(f"{path} holds no depth files ({', '.join(sorted(ENDINGS))}).")
    return found


def read_checked(
    path: Path, steps: float = KITTI_FACTOR
) -> tuple[Float32[np.ndarray, "h w"], DepthNote | None]:
    """One map and its note, 0 where there is no value; a PNG without a note is in steps of 1 / `steps`.

    Raises:
        KinedepthError: it is missing, damaged, an 8-bit picture, more than one map, or holds NaN.
    """
    if path.suffix.lower() == ".png" and path.is_file() and not is_16_bit(path):
        raise KinedepthError(
            f"{path} is an 8-bit picture, and an 8-bit picture is no depth (colors, or steps too "
            "coarse): give 16-bit PNG, npy, npz, EXR or PFM."
        )
    values, note = read_map(path, factor=steps)
    if values.ndim != 2:
        raise KinedepthError(f"{path} holds an array of shape {values.shape}: one map is needed.")
    if note is None and path.suffix.lower() in _ARRAYS:
        _refuse_nan(path, values)
    return finite(values), note


def _refuse_nan(path: Path, values: Float32[np.ndarray, "h w"]) -> None:
    """What is no number must not pass for "infinitely far"."""
    wrong = int(np.isnan(values).sum())
    if wrong:
        raise KinedepthError(
            f"{path} has {wrong} values that are not a number (NaN): write 0 where nothing was predicted."
        )


def inverse_of(
    path: Path, quantity: Quantity, steps: float = KITTI_FACTOR
) -> tuple[Float[np.ndarray, "h w"], DepthNote | None]:
    """The inverse of what the file holds, NaN where it has no value, and its note.

    A file of ours is depth whatever `quantity` says. In arrays a disparity of 0 is infinitely far, in
    pictures (PNG, EXR, PFM) it is no value.

    Raises:
        KinedepthError: as `read_checked`; values are below zero.
    """
    values, note = read_checked(path, steps)
    if (values < 0).any():
        raise KinedepthError(f"{path} has values below zero: neither depth nor disparity can be.")
    exact = values.astype(np.float64)
    if note is None and quantity != "depth":
        is_array = path.suffix.lower() in _ARRAYS
        return (exact if is_array else np.where(exact > 0, exact, np.nan)), note
    return np.divide(1.0, exact, out=np.full(exact.shape, np.nan), where=exact > 0), note
