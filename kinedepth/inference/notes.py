"""What a depth file says about itself: unit, where the scale comes from, camera and lens; as JSON."""

import json
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Literal

import torch

from kinedepth.data.moments import Lens
from kinedepth.geometry.camera import Camera
from kinedepth.inference.whole import whole_file

Scale = Literal["relative", "metric"]
ENTRY = "kinedepth"
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
    lens: Lens | None = None
    """How the lens bends what `camera` alone would show; None where straight lines are straight."""
    camera_source: str = ""
    """Where the camera comes from, in words; says GUESSED where nobody told."""

    def as_json(self, size: tuple[int, int]) -> dict[str, Any]:
        """The note as JSON; `size` is (height, width) of the depth map."""
        camera = None
        if self.camera is not None:
            camera = camera_json(self.camera, size, self.lens) | {"source": self.camera_source}
        return {
            "quantity": "depth",
            "scale": self.scale,
            "unit": UNITS[self.scale],
            "scale_source": self.source,
            "scale_uncertainty": self.uncertainty,
            "invalid": 0,
            "factor": self.factor,
            "size": list(size),
            "camera": camera,
            ENTRY: kinedepth_version(),
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
            lens=None if camera is None else _lens(camera),
            camera_source="" if camera is None else str(camera.get("source", "")),
        )


def camera_json(camera: Camera, size: tuple[int, int], lens: Lens | None = None) -> dict[str, Any]:
    """A camera for JSON, in pixels of a picture of `size` (height, width)."""
    bent = {} if lens is None else {"coefficients": list(lens.coefficients)}
    return {
        "model": "pinhole" if lens is None else lens.model,
        **bent,
        "focal": [float(value) for value in camera.focal],
        "center": [float(value) for value in camera.center],
        "size": list(size),
        "pixel_convention": "centre of the top-left pixel is (0, 0)",
    }


def _lens(camera: dict[str, Any]) -> Lens | None:
    if camera["model"] == "pinhole":
        return None
    return Lens(camera["model"], tuple(float(value) for value in camera["coefficients"]))


def sidecar(path: Path) -> Path:
    """Where the note of a depth file lies: `depth.npy` -> `depth.npy.json`."""
    return path.with_name(path.name + ".json")


def write_json(path: Path, content: dict[str, Any], *, sync: bool = True) -> None:
    """Writes `content` as indented JSON, whole or not at all."""
    with whole_file(path, sync=sync) as draft:
        draft.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def note_beside(path: Path) -> str | None:
    """The text of a file's sidecar, None where there is none."""
    beside = sidecar(path)
    return beside.read_text(encoding="utf-8") if beside.is_file() else None


def parsed_note(text: str | None) -> DepthNote | None:
    """The note in a text, None where it is another program's; ValueError or KeyError when ours is damaged."""
    content = None if text is None else json.loads(text)
    if not isinstance(content, dict) or ENTRY not in content:
        return None
    return DepthNote.from_json(content)
