"""Which camera took some pictures: the one given, else one written beside them, in their EXIF, or a guess."""

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from kinedepth.data.camera_files import (
    GUESSED_FOV,
    from_exif,
    from_fov,
    guessed,
    read_intrinsics,
    read_kitti,
)
from kinedepth.data.lens import rectification
from kinedepth.data.moments import Calibration, Sequence, Size

CAMERA_FILES = (
    "intrinsics.json",
    "cam.txt",
    "intrinsics.txt",
    "calibration.yaml",
    "calibration.yml",
    "camera.yaml",
    "camera.yml",
    "camera_info.yaml",
    "camera_info.yml",
    "cameras.txt",
    "camera.json",
    "sparse/0/cameras.txt",
    "sparse/0/cameras.bin",
)
"""What is looked for beside the pictures, in this order; see `read_intrinsics` for what may be in it."""

_PROPORTIONS = 0.05


@dataclass(frozen=True)
class Given:
    """What the user says of the cameras; the rest is looked for beside the pictures."""

    intrinsics: Path | str | None = None
    """A file, or the numbers; see `read_intrinsics`."""
    fov_degrees: float | None = None
    """How wide the view is, where no intrinsics are known."""
    baseline: float | None = None
    """Metres between the cameras of a stereo rig."""


@dataclass(frozen=True)
class OwnCamera:
    """What is known of the camera of some pictures."""

    calibration: Calibration
    origin: str
    """For people; begins with GUESSED where nothing is known."""
    baseline: float | None = None
    fps: float | None = None


@dataclass(frozen=True)
class Place:
    """Where to look for the camera of some pictures."""

    root: Path
    """The folder of the drive or video."""
    others: tuple[Path, ...] = ()
    """Other folders that may hold its camera, the likeliest first."""
    picture: Path | None = None
    """One of the pictures, for its EXIF; None for a video."""


@dataclass(frozen=True)
class Cameras:
    """Finds the camera of one group of pictures after another, with what the user gave."""

    given: Given = field(default_factory=Given)
    _sizes: dict[str, Size] = field(default_factory=dict)
    """Of which size a file in pixels is that does not say it: of the first pictures that it was read for."""

    def of(self, place: Place, size: Size) -> OwnCamera:
        """The camera of pictures of `size` (height, width).

        Raises:
            KinedepthError: what is given or found makes no sense.
        """
        file = next(_files(place), None)
        known = {} if file is None else _json(file)
        baseline = _number(known | _json(place.root / "stereo.json"), ("baseline", "baseline_m"))
        found = self._given(size) or self._beside(file, size) or _kitti(place.root, size)
        found = found or _of_exif(place.picture, size) or _guess(size)
        baseline = found.baseline if baseline is None else baseline
        return replace(found, baseline=baseline, fps=_number(known, ("fps",)))

    def _given(self, size: Size) -> OwnCamera | None:
        intrinsics, fov = self.given.intrinsics, self.given.fov_degrees
        if intrinsics is not None:
            name = Path(intrinsics).name if _is_file(intrinsics) else "the numbers given"
            return OwnCamera(self._read(intrinsics, size), f"from {name}")
        if fov is not None:
            return OwnCamera(from_fov(math.radians(fov), size), "from the field of view")
        return None

    def _beside(self, file: Path | None, size: Size) -> OwnCamera | None:
        if file is None:
            return None
        return OwnCamera(self._read(file, size), f"from {file.name} beside the pictures")

    def _read(self, source: Path | str, size: Size) -> Calibration:
        return read_intrinsics(source, self._sizes.setdefault(str(source), size))


def _files(place: Place) -> Iterator[Path]:
    folders = dict.fromkeys((place.root, *place.others))
    return (folder / name for folder in folders for name in CAMERA_FILES if (folder / name).is_file())


def _is_file(given: Path | str) -> bool:
    try:
        return Path(given).exists()
    except OSError:  # numbers, too long for a file's name
        return False


def _kitti(root: Path, size: Size) -> OwnCamera | None:
    for path in (root.parent / "calib_cam_to_cam.txt", root / "calib_cam_to_cam.txt", root / "calib.txt"):
        if path.is_file():
            left, right = (read_kitti(path, camera, size) for camera in (2, 3))
            return OwnCamera(left.calibration, f"from {path.name}", right.offset - left.offset)
    return None


def _of_exif(picture: Path | None, size: Size) -> OwnCamera | None:
    found = None if picture is None else from_exif(picture, size)
    return OwnCamera(found, f"from the EXIF of {picture.name}") if found and picture else None


def _guess(size: Size) -> OwnCamera:
    return OwnCamera(
        guessed(size),
        f"GUESSED {math.degrees(GUESSED_FOV):.0f} degrees across the longer side, since nothing is known "
        "of the camera (give --intrinsics or --fov)",
    )


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _number(content: dict[str, Any], keys: tuple[str, ...]) -> float | None:
    return next((float(content[key]) for key in keys if isinstance(content.get(key), int | float)), None)


def with_camera(sequence: Sequence, calibration: Calibration) -> Sequence:
    """The sequence with its camera; where that has a lens, every frame is undistorted when it is read.

    A stereo partner is taken to have the same lens.

    Raises:
        KinedepthError: the lens bends so much that next to nothing of the picture is left.
    """
    if calibration.lens is None:
        return replace(sequence, calibration=calibration)
    rectified = rectification(calibration, sequence.size)
    frames, partners = (
        tuple(replace(frame, rectified=rectified) for frame in group)
        for group in (sequence.frames, sequence.partners)
    )
    return replace(sequence, calibration=rectified.pinhole, frames=frames, partners=partners)


def doubts(sequence: Sequence, calibration: Calibration) -> list[str]:
    """What the user should know of a camera and the pictures that it is for."""
    notes = []
    size = sequence.size
    own, ours = calibration.width / calibration.height, size[1] / size[0]
    if not calibration.normalized and abs(own / ours - 1) > _PROPORTIONS:
        notes.append(
            f"the camera is for {calibration.width}x{calibration.height} but the pictures of {sequence.name} "
            f"are {size[1]}x{size[0]}, of other proportions: if they were cropped, crop the camera too"
        )
    if calibration.lens is not None and sequence.partners:
        notes.append(
            f"the stereo partner of {sequence.name} is undistorted with the same lens: rectify the pair "
            "first if it has another one"
        )
    return notes
