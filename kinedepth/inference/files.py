"""Depth on disk: float npy and npz, 16-bit PNG; each says its unit, the source of its scale, its camera.

Every value is camera depth (z), never disparity, at the size of the input picture; 0 is "no value". A
file's note is JSON: inside npz and PNG (a tEXt chunk `kinedepth`), and for npy and PNG also in a sidecar
`<file>.json`.
"""

import json
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import Float32, UInt16
from PIL import Image, PngImagePlugin, UnidentifiedImageError

from kinedepth.errors import KinedepthError
from kinedepth.geometry.camera import Camera
from kinedepth.inference.whole import whole_file

Scale = Literal["relative", "metric"]
ENTRY = "kinedepth"
KITTI_FACTOR = 256.0
PNG_MAX = 65535
UNITS: dict[Scale, str] = {"relative": "unknown: one factor away from metres", "metric": "metre"}


def kinedepth_version() -> str:
    """The installed version, "unknown" in a bare source tree."""
    try:
        return version("kinedepth")
    except PackageNotFoundError:
        return "unknown"


@dataclass(frozen=True)
class DepthNote:
    """What a depth file says about itself."""

    scale: Scale = "relative"
    source: str = ""
    """What the scale comes from: "monocular training", "baseline 0.54 m", ..."""
    uncertainty: float | None = None
    """Relative standard deviation of a metric scale (0.05 is five per cent)."""
    camera: Camera | None = None
    """In pixels of the depth map."""
    factor: float | None = None
    """PNG16 only: stored integer = depth * factor."""

    def as_json(self, size: tuple[int, int]) -> dict[str, Any]:
        """The note as JSON; `size` is (height, width) of the depth map."""
        return {
            "quantity": "depth",
            "scale": self.scale,
            "unit": UNITS[self.scale],
            "scale_source": self.source,
            "scale_uncertainty": self.uncertainty,
            "invalid": 0,
            "factor": self.factor,
            "size": list(size),
            "camera": None if self.camera is None else camera_json(self.camera, size),
            "kinedepth": kinedepth_version(),
        }

    @staticmethod
    def from_json(note: dict[str, Any]) -> "DepthNote":
        """The note that `as_json` gave; KeyError, TypeError or ValueError when something is missing."""
        if note["scale"] not in UNITS:
            raise ValueError(note["scale"])
        camera = note["camera"]
        return DepthNote(
            scale=note["scale"],
            source=str(note["scale_source"]),
            uncertainty=note["scale_uncertainty"],
            camera=None
            if camera is None
            else Camera(torch.tensor(camera["focal"]), torch.tensor(camera["center"])),
            factor=note["factor"],
        )


def camera_json(camera: Camera, size: tuple[int, int]) -> dict[str, Any]:
    """A camera for JSON, in pixels of a picture of `size` (height, width)."""
    return {
        "model": "pinhole",
        "focal": [float(value) for value in camera.focal],
        "center": [float(value) for value in camera.center],
        "size": list(size),
        "pixel_convention": "centre of the top-left pixel is (0, 0)",
    }


def sidecar(path: Path) -> Path:
    """Where the note of a depth file lies: `depth.npy` -> `depth.npy.json`."""
    return path.with_name(path.name + ".json")


def write_json(path: Path, content: dict[str, Any], *, sync: bool = True) -> None:
    """Writes `content` as indented JSON, whole or not at all."""
    with whole_file(path, sync=sync) as draft:
        draft.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def write_npy(path: Path, depth: Float32[np.ndarray, "h w"], note: DepthNote, *, sync: bool = True) -> None:
    """Writes float32 depth as npy with its note beside it; `sync` as in `whole_file`."""
    with whole_file(path, sync=sync) as draft, draft.open("wb") as opened:
        np.save(opened, depth, allow_pickle=False)
    write_json(sidecar(path), note.as_json((depth.shape[0], depth.shape[1])), sync=sync)


def write_npz(path: Path, depth: Float32[np.ndarray, "h w"], note: DepthNote, *, sync: bool = True) -> None:
    """Writes compressed npz: `depth`, `intrinsics` (3x3 in pixels, where known) and `note` (JSON text)."""
    entries: dict[str, Any] = {
        "depth": depth,
        "note": np.array(json.dumps(note.as_json((len(depth), depth.shape[1])))),
    }
    if note.camera is not None:
        entries["intrinsics"] = note.camera.matrix().numpy()
    with whole_file(path, sync=sync) as draft, draft.open("wb") as opened:
        np.savez_compressed(opened, allow_pickle=False, **entries)


def fitting_factor(largest: float) -> float:
    """The largest power of two by which depths up to `largest` fit into 16 bits."""
    if not 0 < largest < np.inf:
        return 1.0
    return float(2.0 ** np.floor(np.log2(PNG_MAX / largest)))


def quantized(depth: Float32[np.ndarray, "h w"], factor: float) -> UInt16[np.ndarray, "h w"]:
    """Depth times `factor`, rounded; 0 where there is no depth or where it does not fit into 16 bits.

    A depth too small for the factor becomes 1, so that it stays valid.
    """
    valid = np.isfinite(depth) & (depth > 0)
    steps = np.rint(np.where(valid, depth, 0).astype(np.float64) * factor)
    steps = np.where(valid, np.maximum(steps, 1), 0)
    return np.where(steps > PNG_MAX, 0, steps).astype(np.uint16)


def write_png16(
    path: Path,
    depth: Float32[np.ndarray, "h w"],
    note: DepthNote,
    factor: float | None = None,
    *,
    sync: bool = True,
) -> float:
    """Writes 16-bit PNG and gives its factor: stored = depth * factor, 0 = no value.

    Without `factor` the largest power of two is taken by which the range fits; `KITTI_FACTOR` (metres *
    256) is what KITTI's tools read. Depths beyond 65535 / factor become 0. The note is in a tEXt chunk and
    in the sidecar.
    """
    if factor is None:
        finite = depth[np.isfinite(depth)]
        factor = fitting_factor(float(finite.max(initial=0.0)))
    content = DepthNote(note.scale, note.source, note.uncertainty, note.camera, factor).as_json(
        (depth.shape[0], depth.shape[1])
    )
    chunks = PngImagePlugin.PngInfo()
    chunks.add_text(ENTRY, json.dumps(content))
    with whole_file(path, sync=sync) as draft:
        Image.fromarray(quantized(depth, factor)).save(draft, format="PNG", pnginfo=chunks)
    write_json(sidecar(path), content, sync=sync)
    return factor


def read_depth(path: Path) -> tuple[Float32[np.ndarray, "h w"], DepthNote]:
    """Depth in its own unit and its note, from an npy, npz or PNG16 file of ours; 0 where there is no value.

    Raises KinedepthError for a missing or damaged file, for another kind of file, and for one without a
    note: its unit would be a guess.
    """
    readers = {".npy": _read_npy, ".npz": _read_npz, ".png": _read_png16}
    if path.suffix.lower() not in readers:
        raise KinedepthError(f"{path} is no depth file: its name must end in {', '.join(readers)}.")
    if not path.is_file():
        raise KinedepthError(f"{path} does not exist: name a depth file written by kinedepth.")
    try:
        depth, note = readers[path.suffix.lower()](path)
    except (OSError, ValueError, KeyError, TypeError, EOFError, UnidentifiedImageError) as error:
        raise KinedepthError(
            f"{path} is damaged or not a depth file of kinedepth: write it again."
        ) from error
    if depth.ndim != 2:
        raise KinedepthError(f"{path} holds an array of shape {depth.shape}: depth has two dimensions.")
    return depth, note


def _read_note(path: Path) -> DepthNote:
    beside = sidecar(path)
    if not beside.is_file():
        raise KinedepthError(
            f"{path} has no {beside.name} beside it, so its unit is unknown: keep both files together."
        )
    return DepthNote.from_json(json.loads(beside.read_text(encoding="utf-8")))


def _read_npy(path: Path) -> tuple[Float32[np.ndarray, "..."], DepthNote]:
    return np.load(path, allow_pickle=False).astype(np.float32), _read_note(path)


def _read_npz(path: Path) -> tuple[Float32[np.ndarray, "..."], DepthNote]:
    with np.load(path, allow_pickle=False) as entries:
        return entries["depth"].astype(np.float32), DepthNote.from_json(json.loads(str(entries["note"])))


def _read_png16(path: Path) -> tuple[Float32[np.ndarray, "..."], DepthNote]:
    with Image.open(path) as image:
        text = getattr(image, "text", {}).get(ENTRY)
        steps = np.asarray(image)
    note = _read_note(path) if text is None else DepthNote.from_json(json.loads(text))
    if steps.dtype != np.uint16 or not note.factor:
        raise ValueError("not 16 bits, or without a factor")
    return (steps / note.factor).astype(np.float32), note
