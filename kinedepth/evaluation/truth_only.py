"""Truth without pictures: a folder of depth files, or Monodepth2's `gt_depths.npz`."""

import os
from collections.abc import Sequence
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from kinedepth.data.camera_files import guessed
from kinedepth.data.frames import PICTURE_ENDINGS
from kinedepth.data.moments import Frame, Moment, Truth
from kinedepth.data.video import VIDEO_ENDINGS
from kinedepth.errors import KinedepthError
from kinedepth.evaluation.archive import read_packed
from kinedepth.evaluation.depth_files import ENDINGS, files_below, is_16_bit, named_files
from kinedepth.evaluation.names import parts, published_names


def is_truth_only(path: Path) -> bool:
    """Whether a folder holds files of depth and neither pictures nor videos.

    A PNG of 8 bits is a picture, unless arrays lie beside it: then it was meant as depth, and reading fails.
    """
    found = False
    for place, folders, files in os.walk(path):
        folders[:] = sorted(each for each in folders if not each.startswith("."))
        kinds = {Path(name).suffix.lower() for name in files}
        if kinds & VIDEO_ENDINGS or kinds & (PICTURE_ENDINGS - {".png"}):
            return False
        if kinds & ENDINGS == {".png"}:
            first = min(name for name in files if name.lower().endswith(".png"))
            if not is_16_bit(Path(place) / first):
                return False
        found = found or bool(kinds & ENDINGS)
    return found


def is_8_bit_pictures(path: Path) -> bool:
    """Whether a folder holds nothing but 8-bit PNG, which may have been meant as depth."""
    files = [entry for entry in path.iterdir() if entry.is_file()] if path.is_dir() else []
    return bool(files) and all(each.suffix.lower() == ".png" and not is_16_bit(each) for each in files)


def truth_moments(path: Path) -> list[Moment]:
    """A moment for each depth file below `path`, named by its place; its target is the file itself.

    Raises:
        KinedepthError: there is none, or one image comes in two formats.
    """
    return [_moment(path, name, Truth(file, "map")) for name, file in named_files(path).items()]


def rendered_moments(path: Path) -> list[Moment]:
    """The same for rendered truth, which also holds classes and what moves."""
    return [_moment(path, name, Truth(file, "npz")) for name, file in named_files(path).items()]


def packed_moments(path: Path, names: Sequence[str] | None) -> list[Moment]:
    """A moment for each map of a gt_depths.npz, in the order of `names` or of the published list.

    Raises:
        KinedepthError: the order is not known, or the list has another length.
    """
    count = len(read_packed(path))
    known = published_names(count) if names is None else names
    if known is None:
        raise KinedepthError(f"{path} holds {count} maps whose order is unknown: give --names FILE.")
    if len(known) != count:
        raise KinedepthError(f"{path} holds {count} maps and the list has {len(known)} names.")
    return [_moment(path, name, Truth(path, "packed", entry=place)) for place, name in enumerate(known)]


def _moment(root: Path, name: str, truth: Truth) -> Moment:
    sequence = "/".join(parts(name)[:-1]) or root.resolve().stem
    full = name if "/" in name else f"{sequence}/{name}"
    return Moment(full, sequence, Frame(truth.path), guessed((1, 1)), truth=truth)


def is_rendered(path: Path) -> bool:
    """Whether the first file below a folder is rendered truth, with its masks."""
    first = next(files_below(path), None)
    if first is None or first.suffix.lower() != ".npz":
        return False
    try:
        with np.load(first, allow_pickle=False) as arrays:
            return {"depth", "moving", "classes"} <= set(arrays.files)
    except (OSError, ValueError, EOFError, BadZipFile):
        return False
