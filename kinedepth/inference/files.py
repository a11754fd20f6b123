"""Depth on disk: npy, npz, 16-bit PNG, EXR, PFM; each says its unit, the source of its scale, its camera.

Every value is camera depth (z), never disparity, at the size of the input picture; 0 is "no value". A
file's note is JSON: inside npz, PNG (a tEXt chunk `kinedepth`) and EXR (an attribute `kinedepth`), and for
npy, PNG and PFM in a sidecar `<file>.json`.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal
from zipfile import BadZipFile

import numpy as np
from jaxtyping import Float, Float32, Shaped, UInt16
from PIL import Image, PngImagePlugin, UnidentifiedImageError

from kinedepth.errors import KinedepthError
from kinedepth.inference.floats import read_exr, read_pfm, write_exr, write_pfm
from kinedepth.inference.notes import ENTRY, DepthNote, note_beside, parsed_note, sidecar, write_json
from kinedepth.inference.whole import whole_file

Format = Literal["npy", "npz", "png16", "exr", "pfm"]
Map = Float32[np.ndarray, "h w"]
KITTI_FACTOR = 256.0
PNG_MAX = 65535
ENTRIES = ("depth", "disp")
"""Names of a map in other programs' npz files, first to last."""
_FAILURES = (
    OSError,
    ValueError,
    KeyError,
    TypeError,
    EOFError,
    BadZipFile,
    UnidentifiedImageError,
    SyntaxError,
)


def cleaned(depth: Map) -> Map:
    """The depth, 0 where it is no number, infinite, or not above 0."""
    return np.where(np.isfinite(depth) & (depth > 0), depth, np.float32(0))


def _content(depth: Map, note: DepthNote) -> dict[str, Any]:
    return note.as_json((depth.shape[0], depth.shape[1]))


def write_npy(path: Path, depth: Map, note: DepthNote, *, sync: bool = True) -> None:
    """Writes float32 depth as npy with its note beside it; `sync` as in `whole_file`."""
    with whole_file(path, sync=sync) as draft, draft.open("wb") as opened:
        np.save(opened, cleaned(depth), allow_pickle=False)
    write_json(sidecar(path), _content(depth, note), sync=sync)


def write_npz(path: Path, depth: Map, note: DepthNote, *, sync: bool = True) -> None:
    """Writes compressed npz: `depth`, `intrinsics` (3x3 in pixels, where known) and `note` (JSON text)."""
    entries: dict[str, Any] = {"depth": cleaned(depth), "note": np.array(json.dumps(_content(depth, note)))}
    if note.camera is not None:
        entries["intrinsics"] = note.camera.matrix().numpy()
    with whole_file(path, sync=sync) as draft, draft.open("wb") as opened:
        np.savez_compressed(opened, allow_pickle=False, **entries)


def write_depth_exr(path: Path, depth: Map, note: DepthNote, *, sync: bool = True) -> None:
    """Writes OpenEXR with the 32-bit channel Z; the note is an attribute, its unit and scale two more."""
    content = _content(depth, note)
    text = {ENTRY: json.dumps(content), "scale": content["scale"], "unit": content["unit"]}
    with whole_file(path, sync=sync) as draft:
        write_exr(draft, cleaned(depth), text)


def write_depth_pfm(path: Path, depth: Map, note: DepthNote, *, sync: bool = True) -> None:
    """Writes a portable float map with its note beside it."""
    with whole_file(path, sync=sync) as draft:
        write_pfm(draft, cleaned(depth))
    write_json(sidecar(path), _content(depth, note), sync=sync)


def fitting_factor(largest: float) -> float:
    """The largest power of two by which depths up to `largest` fit into 16 bits."""
    if not 0 < largest < np.inf:
        return 1.0
    return float(2.0 ** np.floor(np.log2(PNG_MAX / largest)))


def quantized(depth: Map, factor: float) -> UInt16[np.ndarray, "h w"]:
    """Depth times `factor`, rounded; 0 where there is no depth or where it does not fit into 16 bits.

    A depth too small for the factor becomes 1, so that it stays valid.
    """
    known = cleaned(depth)
    steps = np.where(known > 0, np.maximum(np.rint(known.astype(np.float64) * factor), 1), 0)
    return np.where(steps > PNG_MAX, 0, steps).astype(np.uint16)


def write_png16(
    path: Path, depth: Map, note: DepthNote, factor: float | None = None, *, sync: bool = True
) -> float:
    """Writes 16-bit PNG and gives its factor: stored = depth * factor, 0 = no value.

    Without `factor` the note's is taken, and without that the largest power of two by which the range fits;
    `KITTI_FACTOR` (metres * 256) is what KITTI's tools read. Depths beyond 65535 / factor become 0. The note
    is in a tEXt chunk and in the sidecar.
    """
    factor = factor or note.factor or fitting_factor(float(cleaned(depth).max(initial=0.0)))
    content = _content(depth, replace(note, factor=factor))
    chunks = PngImagePlugin.PngInfo()
    chunks.add_text(ENTRY, json.dumps(content))
    with whole_file(path, sync=sync) as draft:
        Image.fromarray(quantized(depth, factor)).save(draft, format="PNG", pnginfo=chunks)
    write_json(sidecar(path), content, sync=sync)
    return factor


PLACES: Mapping[Format, tuple[str, str]] = {
    "npy": ("depth", ".npy"),
    "png16": ("depth_png16", ".png"),
    "npz": ("depth_npz", ".npz"),
    "exr": ("depth_exr", ".exr"),
    "pfm": ("depth_pfm", ".pfm"),
}
"""Folder of a prediction and ending of each format."""
WRITERS: Mapping[Format, Callable[..., Any]] = {
    "npy": write_npy,
    "npz": write_npz,
    "png16": write_png16,
    "exr": write_depth_exr,
    "pfm": write_depth_pfm,
}
"""Each takes (path, depth, note, sync=...)."""


def read_depth(path: Path) -> tuple[Map, DepthNote]:
    """Depth in its own unit and its note, from a file of ours in any format; 0 where there is no value.

    Raises KinedepthError for a missing or damaged file, for another kind of file, and for one without a
    note: its unit would be a guess.
    """
    depth, note = _read(path, None)
    if depth.ndim != 2:
        raise KinedepthError(f"{path} holds an array of shape {depth.shape}: depth has two dimensions.")
    if note is None:
        raise KinedepthError(
            f"{path} is no depth file of kinedepth, or {sidecar(path).name} beside it is missing, so its "
            "unit is unknown: keep both files together."
        )
    return cleaned(_scaled(path, depth, note, None)), note


def read_map(
    path: Path, key: str | None = None, factor: float | int | None = None
) -> tuple[Float32[np.ndarray, "*n h w"], DepthNote | None]:
    """Depth or disparity from anybody's npy, npz, 16-bit PNG, EXR or PFM, and the note where it has one.

    What the numbers are is for the caller to know where the note is None. Several maps in one array stay
    together; axes of length one before and after are dropped. What is no number or infinite stays; see
    `finite`.

    Args:
        path: the file; pickled objects in it are refused.
        key: the array of an npz file; by default `depth`, `disp`, or the only one.
        factor: of a 16-bit PNG without a note, stored = value * factor; 256 for KITTI's depth.

    Raises:
        KinedepthError: it is missing or damaged, holds no such array, or is a PNG without a factor.
    """
    stored, note = _read(path, key)
    values = _scaled(path, stored, note, factor)
    while values.ndim > 2 and 1 in (values.shape[0], values.shape[-1]):
        values = values[0] if values.shape[0] == 1 else values[..., 0]
    if values.ndim not in (2, 3):
        raise KinedepthError(f"{path} holds an array of shape {values.shape}: a map has two dimensions.")
    return values, note


def finite(values: Float32[np.ndarray, "..."]) -> Float32[np.ndarray, "..."]:
    """The values, 0 where they are no number or infinite."""
    return np.where(np.isfinite(values), values, np.float32(0))


def _scaled(
    path: Path, stored: Shaped[np.ndarray, "..."], note: DepthNote | None, factor: float | int | None
) -> Float32[np.ndarray, "..."]:
    """What was stored, in its own unit: integers of a PNG are divided by the note's factor, else `factor`."""
    if path.suffix.lower() != ".png":
        return stored.astype(np.float32)
    known = factor if note is None else note.factor
    if not known:
        raise KinedepthError(
            f"{path} does not say what its integers stand for: give its factor (256 for KITTI's depth)."
        )
    return (stored / known).astype(np.float32)


def _read(path: Path, key: str | None) -> tuple[Shaped[np.ndarray, "..."], DepthNote | None]:
    """What is stored, and the note inside or beside the file."""
    suffix = path.suffix.lower()
    if suffix not in _READERS:
        raise KinedepthError(f"{path} is no depth file: its name must end in {', '.join(_READERS)}.")
    if not path.is_file():
        raise KinedepthError(f"{path} does not exist: name a depth file.")
    try:
        stored, text = _READERS[suffix](path, key)
        note = parsed_note(note_beside(path) if text is None else text)
        return stored, note
    except _FAILURES as error:
        raise _refusal(path, error) from error


def _refusal(path: Path, error: Exception) -> KinedepthError:
    if "allow_pickle" in str(error):
        return KinedepthError(f"{path} holds pickled objects, which are never loaded: save plain numbers.")
    why = f" ({error.args[0]})" if isinstance(error, KeyError) else ""
    return KinedepthError(f"{path} is damaged or not a depth file{why}: write it again.")


def _read_npy(path: Path, key: str | None) -> tuple[Float[np.ndarray, "..."], str | None]:
    return _numbers(np.load(path, allow_pickle=False)), None


def _read_npz(path: Path, key: str | None) -> tuple[Float[np.ndarray, "..."], str | None]:
    with np.load(path, allow_pickle=False) as entries:
        names = [key] if key else [name for name in ENTRIES if name in entries.files] or entries.files
        if len(names) != 1 and names[0] not in ENTRIES:
            raise KeyError(f"arrays {', '.join(names)}, none called {' or '.join(ENTRIES)}")
        return _numbers(entries[names[0]]), str(entries["note"]) if "note" in entries.files else None


def _numbers(values: Shaped[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
    """Floats from any real numbers; ValueError for anything else."""
    if values.dtype.kind not in "fiu":
        raise ValueError(values.dtype)
    return values.astype(np.float32)


def _read_png16(path: Path, key: str | None) -> tuple[Shaped[np.ndarray, "..."], str | None]:
    with Image.open(path) as image:
        text = getattr(image, "text", {}).get(ENTRY)
        steps = np.asarray(image)
    if steps.dtype != np.uint16:
        raise ValueError("not 16 bits")
    return steps, text


def _read_exr(path: Path, key: str | None) -> tuple[Float32[np.ndarray, "h w"], str | None]:
    values, text = read_exr(path)
    return values, text.get(ENTRY)


def _read_pfm(path: Path, key: str | None) -> tuple[Float32[np.ndarray, "h w"], str | None]:
    return read_pfm(path), None


_READERS: Mapping[str, Callable[[Path, str | None], tuple[Shaped[np.ndarray, "..."], str | None]]] = {
    ".npy": _read_npy,
    ".npz": _read_npz,
    ".png": _read_png16,
    ".exr": _read_exr,
    ".pfm": _read_pfm,
}
