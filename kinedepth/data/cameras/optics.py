"""Cameras from what is known of their optics: an angle, millimetres, or what a picture's EXIF says."""

import math
import re
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image, UnidentifiedImageError

from kinedepth.data.moments import Calibration, Size
from kinedepth.errors import KinedepthError

GUESSED_FOV = math.radians(60)
"""Angle across the longer side of a picture whose camera is not known: between a phone and a dash camera."""

FILM_DIAGONAL_MM = math.hypot(36, 24)
"""Of 35-mm film. EXIF's "focal length in 35 mm film" (and CIPA DCG-001) means the same angle across the
diagonal, 43.27 mm, whatever the proportions of the sensor."""

_NUMBER = r"(\d+(?:\.\d+)?)\s*"
_ANGLE = re.compile(rf"\s*{_NUMBER}(?:deg|degs|degree|degrees|\N{{DEGREE SIGN}})\s*")
_ON_FILM = re.compile(rf"\s*{_NUMBER}mm\s*")
_ON_SENSOR = re.compile(rf"\s*{_NUMBER}mm\s*/\s*{_NUMBER}mm\s*")

# EXIF 2.3: names of the entries used, and what the resolution's unit is in millimetres.
_EXIF, _FOCAL, _FOCAL_35MM, _PLANE_X, _PLANE_UNIT = 0x8769, 0x920A, 0xA405, 0xA20E, 0xA210
_TAKEN_WIDTH, _TAKEN_HEIGHT = 0xA002, 0xA003
_UNIT_MM = {2: 25.4, 3: 10.0, 4: 1.0, 5: 0.001}


def from_fov(fov: float, size: Size) -> Calibration:
    """The camera with square pixels whose view is `fov` radians wide, for pictures of `size` (height, width).

    Raises:
        KinedepthError: the angle is not between 0 and 180 degrees.
    """
    if not 0 < fov < math.pi:
        raise KinedepthError(
            f"a field of view of {math.degrees(fov):g} degrees is impossible: give 1 to 179 degrees"
        )
    return _square(size[1] / 2 / math.tan(fov / 2), size)


def guessed(size: Size) -> Calibration:
    """The camera assumed when nothing is known: `GUESSED_FOV` across the longer side."""
    height, width = size
    across = 2 * math.atan(math.tan(GUESSED_FOV / 2) * width / max(size))
    return from_fov(across, (height, width))


def from_focal_mm(focal_mm: float, sensor_mm: float | tuple[float, float], size: Size) -> Calibration:
    """The camera of a lens of `focal_mm` before a sensor, for pictures of `size` (height, width).

    Args:
        focal_mm: the real focal length, not an equivalent.
        sensor_mm: the sensor's longer side, which is across the picture's longer side (so that a telephone
            held upright needs no other numbers); or both sides, where pixels are not square.
        size: (height, width) of the pictures.

    Raises:
        KinedepthError: a length is not positive.
    """
    sides = sensor_mm if isinstance(sensor_mm, tuple) else (sensor_mm,)
    for what, length in (("focal length", focal_mm), *(("sensor", side) for side in sides)):
        if not (length > 0 and math.isfinite(length)):
            raise KinedepthError(f"a {what} of {length:g} mm is impossible: give millimetres above 0")
    along = focal_mm * max(size) / max(sides)
    if len(sides) == 1:
        return _square(along, size)
    across = focal_mm * min(size) / min(sides)
    fx, fy = (along, across) if size[1] >= size[0] else (across, along)
    return Calibration(fx, fy, (size[1] - 1) / 2, (size[0] - 1) / 2, size[1], size[0])


def from_focal_35mm(focal_mm: float, size: Size) -> Calibration:
    """The camera of a 35-mm-equivalent focal length, by the diagonal; see `FILM_DIAGONAL_MM`.

    Raises:
        KinedepthError: the length is not positive.
    """
    if not (focal_mm > 0 and math.isfinite(focal_mm)):
        raise KinedepthError(f"a focal length of {focal_mm:g} mm is impossible: give millimetres above 0")
    return _square(focal_mm * math.hypot(*size) / FILM_DIAGONAL_MM, size)


def from_exif(path: Path, size: Size) -> Calibration | None:
    """The camera that a picture's EXIF tells of, for pictures of `size` (height, width) as they are shown.

    The focal length in 35 mm film where it is there, else the real one with the sensor's resolution.
    None where neither is there or the file cannot be read.
    """
    try:
        with warnings.catch_warnings(action="ignore"), Image.open(path) as picture:
            entries = dict(picture.getexif().get_ifd(_EXIF))
            own = picture.size
        equivalent = float(entries.get(_FOCAL_35MM, 0))
        if _possible(equivalent):
            return from_focal_35mm(equivalent, size)
        taken = max(int(entries.get(side, 0)) for side in (_TAKEN_WIDTH, _TAKEN_HEIGHT)) or max(own)
        unit = _UNIT_MM[int(entries.get(_PLANE_UNIT, 2))]
        focal = float(entries[_FOCAL]) * float(entries[_PLANE_X]) / unit * max(size) / taken
    except (OSError, ValueError, TypeError, KeyError, SyntaxError, ZeroDivisionError, UnidentifiedImageError):
        return None
    return _square(focal, size) if _possible(focal) else None


def is_optics(text: str) -> bool:
    """Whether the text is an angle or a focal length: "80deg", "24mm", "4.25mm/5.6mm"."""
    return any(form.fullmatch(text) for form in (_ANGLE, _ON_FILM, _ON_SENSOR))


def optics_text(text: str, size: Size | None, name: str) -> Calibration:
    """The camera of "80deg" (across the width), "24mm" (35-mm equivalent) or "4.25mm/5.6mm" (sensor's width).

    Raises:
        KinedepthError: the size (height, width) of the pictures is not known, or there is no such camera.
    """
    size = _needed(size, name)
    if angle := _ANGLE.fullmatch(text):
        return from_fov(math.radians(float(angle[1])), size)
    if lengths := _ON_SENSOR.fullmatch(text):
        return from_focal_mm(float(lengths[1]), float(lengths[2]), size)
    return from_focal_35mm(float(text.strip().removesuffix("mm")), size)


def optics_keys(entries: Mapping[str, float], size: Size | None, name: str) -> Calibration | None:
    """The camera of the entries `fov_degrees`, `focal_35mm`, or `focal_mm` with `sensor_width_mm`; else None.

    Raises:
        KinedepthError: one of them is there but another that it needs is not, or there is no such camera.
    """
    if "fov_degrees" in entries:
        return from_fov(math.radians(entries["fov_degrees"]), _needed(size, name))
    if "focal_35mm" in entries:
        return from_focal_35mm(entries["focal_35mm"], _needed(size, name))
    if "focal_mm" not in entries:
        return None
    if "sensor_width_mm" not in entries:
        raise KinedepthError(f"{name} has a focal_mm but not the sensor's: add sensor_width_mm")
    sensor: Any = entries["sensor_width_mm"]
    if "sensor_height_mm" in entries:
        sensor = (sensor, entries["sensor_height_mm"])
    return from_focal_mm(entries["focal_mm"], sensor, _needed(size, name))


def _needed(size: Size | None, name: str) -> Size:
    if size is None:
        raise KinedepthError(f"{name} does not say the size of the pictures: add width and height")
    return size


def _square(focal: float, size: Size) -> Calibration:
    return Calibration(focal, focal, (size[1] - 1) / 2, (size[0] - 1) / 2, size[1], size[0])


def _possible(value: float) -> bool:
    return math.isfinite(value) and value > 0
