"""Every form of intrinsics that users have, read into a `Calibration`, with a check whether it makes sense.

Forms: JSON with `fx fy cx cy` (or a matrix `K`) in pixels and its `width height`; a 3x3 or 4x4 matrix or
the four numbers in JSON, text or NPY, in pixels or normalized; KITTI's `calib_cam_to_cam.txt` (raw) and
`calib.txt` (odometry, tracking). Pixels or fractions are told apart by magnitude; a mixture is refused.
"""

import json
import math
import re
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from kinedepth.data.moments import Calibration, Size
from kinedepth.errors import KinedepthError

GUESSED_FOV = math.radians(60)
"""Angle across the longer side of a picture whose camera is not known: between a phone and a dash camera."""

OFFICIAL_KITTI = Calibration(0.58, 1.92, 0.5, 0.5)
"""The one normalized camera that Monodepth2 uses for all of KITTI; not for other videos."""

# What is not above these is a fraction of the picture, else pixels: no usual lens has a focal length of ten
# picture widths, and no picture is three pixels wide.
_FRACTION_FOCAL, _FRACTION_CENTER = 10.0, 3.0

_ENTRIES = ("fx", "fy", "cx", "cy")


class KittiCamera(NamedTuple):
    """One rectified camera of a KITTI calibration file."""

    calibration: Calibration
    offset: float
    """Metres to the right of the reference camera."""


def from_fov(fov: float, size: Size) -> Calibration:
    """The camera with square pixels whose view is `fov` radians wide, for pictures of `size` (height, width).

    Raises:
        KinedepthError: the angle is not between 0 and 180 degrees.
    """
    if not 0 < fov < math.pi:
        raise KinedepthError(
            f"a field of view of {math.degrees(fov):g} degrees is impossible: give 1 to 179 degrees"
        )
    height, width = size
    focal = width / 2 / math.tan(fov / 2)
    return Calibration(focal, focal, (width - 1) / 2, (height - 1) / 2, width, height)


def guessed(size: Size) -> Calibration:
    """The camera assumed when nothing is known: `GUESSED_FOV` across the longer side."""
    height, width = size
    across = 2 * math.atan(math.tan(GUESSED_FOV / 2) * width / max(size))
    return from_fov(across, (height, width))


def read_intrinsics(given: Path | str, size: Size | None = None, camera: int = 2) -> Calibration:
    """The camera in a file, or in the text itself ("721.5 721.5 609.6 172.9" or JSON).

    Args:
        given: path or text.
        size: (height, width) of the frames, taken as the size of a K in pixels that does not say its own.
        camera: which camera of a KITTI file.

    Raises:
        KinedepthError: the file is missing or in no known form; K mixes pixels and fractions, has its centre
            outside the picture, or is no camera matrix.
    """
    name, content = _content(given)
    if isinstance(content, str):
        if re.search(r"^P(_rect_0)?\d:", content, re.MULTILINE):
            return checked(_kitti(content, camera, name, size).calibration, name)
        content = _numbers_or_json(content, name)
    return _understood(content, size, name)


def read_kitti(path: Path, camera: int, size: Size | None = None) -> KittiCamera:
    """Camera `camera` of KITTI's `calib_cam_to_cam.txt` or `calib.txt` (which does not say its `size`).

    Raises:
        KinedepthError: the file is missing or does not hold this camera.
    """
    name, content = _content(path)
    return _kitti(str(content), camera, name, size)


def _content(given: Path | str) -> tuple[str, Any]:
    path = Path(given)
    looks_like_text = re.fullmatch(r"\s*([\[{].*|[-+\d.eE]+[\s,;][-+\d.eE\s,;]+)", str(given), re.DOTALL)
    if isinstance(given, str) and looks_like_text and not _exists(path):
        return "the intrinsics given", str(given)
    try:
        if path.suffix == ".npy":
            return str(path), np.load(path).tolist()
        return str(path), path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise KinedepthError(f"there is no intrinsics file {path}") from error
    except (OSError, ValueError) as error:
        raise KinedepthError(f"the intrinsics {path} cannot be read as text, JSON or NPY: {error}") from error


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # too long for a name: it is text
        return False


def _numbers_or_json(text: str, name: str) -> Any:
    if text.lstrip()[:1] in {"{", "["}:
        try:
            return json.loads(text)
        except json.JSONDecodeError as error:
            raise KinedepthError(f"{name} is not valid JSON (line {error.lineno}): {error.msg}") from error
    try:
        return [float(word) for word in re.split(r"[\s,;]+", text.strip())]
    except ValueError as error:
        raise KinedepthError(
            f"{name} is in no known form: give K as 3x3 numbers, fx fy cx cy, JSON, or a file of KITTI"
        ) from error


def _understood(content: Any, size: Size | None, name: str) -> Calibration:
    own_size: Size | None = None
    if isinstance(content, dict):
        if {"width", "height"} <= content.keys():
            own_size = (_whole(content["height"], "height", name), _whole(content["width"], "width", name))
        content = _from_keys(content, name)
    values = _four(content, name)
    if _are_fractions(values, own_size, name):
        return checked(Calibration(*values), name)
    if own_size is None and size is None:
        raise KinedepthError(f"{name} is in pixels but does not say of which size: add width and height")
    height, width = own_size or size or (1, 1)
    return checked(Calibration(*values, width, height), name)


def _whole(value: Any, key: str, name: str) -> int:
    if isinstance(value, int | float) and value == int(value) and value > 0:
        return int(value)
    raise KinedepthError(f"{key} in {name} is {value!r}: give the picture's {key} in pixels")


def _from_keys(content: dict[str, Any], name: str) -> Any:
    if content.keys() >= set(_ENTRIES):
        return [content[key] for key in _ENTRIES]
    for key in ("K", "intrinsics", "camera_matrix", "K_normalised", "K_normalized"):
        if isinstance(content.get(key), list):
            return content[key]
    raise KinedepthError(
        f"{name} holds neither fx, fy, cx, cy nor a matrix K: its keys are {', '.join(content)}"
    )


def _four(content: Any, name: str) -> tuple[float, float, float, float]:
    try:
        matrix = np.asarray(content, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise KinedepthError(f"{name} does not hold a matrix of numbers") from error
    if not np.isfinite(matrix).all():
        raise KinedepthError(f"{name} holds a number that is not finite")
    if matrix.size == len(_ENTRIES):
        fx, fy, cx, cy = matrix.ravel().tolist()
        return fx, fy, cx, cy
    side = math.isqrt(matrix.size)
    if side not in (3, 4) or side * side != matrix.size:
        raise KinedepthError(f"{name} holds {matrix.size} numbers: give K as 3x3 or 4x4, or fx fy cx cy")
    return _of_matrix(matrix.reshape(side, side), name)


def _of_matrix(matrix: Float[np.ndarray, "n n"], name: str) -> tuple[float, float, float, float]:
    expected = np.eye(len(matrix))
    expected[:2, :3] = matrix[:2, :3]
    if not np.allclose(matrix, expected) or abs(matrix[1, 0]) > 0:
        raise KinedepthError(f"{name} is no camera matrix: its rows must be [fx 0 cx], [0 fy cy], [0 0 1]")
    if abs(matrix[0, 1]) > 1e-3 * abs(matrix[0, 0]):
        raise KinedepthError(
            f"{name} has a skew of {matrix[0, 1]:g}: only cameras without skew are supported"
        )
    return float(matrix[0, 0]), float(matrix[1, 1]), float(matrix[0, 2]), float(matrix[1, 2])


def _are_fractions(values: tuple[float, ...], own_size: Size | None, name: str) -> bool:
    limits = (_FRACTION_FOCAL, _FRACTION_FOCAL, _FRACTION_CENTER, _FRACTION_CENTER)
    small = [abs(value) <= limit for value, limit in zip(values, limits, strict=True)]
    if all(small) or not any(small):
        return all(small)
    fractions = [f"{key}={value:g}" for key, value, yes in zip(_ENTRIES, values, small, strict=True) if yes]
    pixels = [f"{key}={value:g}" for key, value, yes in zip(_ENTRIES, values, small, strict=True) if not yes]
    remedy = "give all four in pixels" if own_size else "normalize all four or none"
    raise KinedepthError(
        f"{name} is half normalized: {', '.join(fractions)} as a fraction of the picture but "
        f"{', '.join(pixels)} in pixels; {remedy}"
    )


def _kitti(text: str, camera: int, name: str, size: Size | None) -> KittiCamera:
    lines = dict(re.findall(r"^(\w+):?[ \t]+(.*)$", text, re.MULTILINE))
    raw = f"P_rect_{camera:02d}" in lines
    row = lines.get(f"P_rect_{camera:02d}" if raw else f"P{camera}")
    if row is None:
        raise KinedepthError(
            f"{name} does not hold camera {camera} of KITTI (P_rect_{camera:02d} or P{camera})"
        )
    projection = [float(word) for word in row.split()]
    if raw:
        width, height = (int(float(word)) for word in lines[f"S_rect_{camera:02d}"].split())
        size = (height, width)
    if size is None:
        raise KinedepthError(f"{name} does not say for which picture size it is: give the frames as well")
    fx, cx, fy, cy = projection[0], projection[2], projection[5], projection[6]
    return KittiCamera(Calibration(fx, fy, cx, cy, size[1], size[0]), -projection[3] / fx)


def checked(calibration: Calibration, name: str) -> Calibration:
    """The calibration itself, if it can be a camera.

    Raises:
        KinedepthError: a focal length is not positive, or the centre lies outside the picture.
    """
    for key, focal in (("fx", calibration.fx), ("fy", calibration.fy)):
        if focal <= 0:
            raise KinedepthError(
                f"{key}={focal:g} in {name} is not positive: K must be [fx 0 cx], [0 fy cy], [0 0 1]"
            )
    sides = (
        ("cx", calibration.cx, calibration.width, "width"),
        ("cy", calibration.cy, calibration.height, "height"),
    )
    for key, center, side, what in sides:
        if not 0 <= center <= side:
            raise KinedepthError(
                f"{key}={center:g} in {name} lies outside the picture of {what} {side}: wrong size?"
            )
    return calibration


def described(calibration: Calibration, size: Size) -> str:
    """What the camera means for pictures of `size`: "FOV 81 x 29 degrees, centre 0.49/0.46, plausible"."""
    scaled = calibration.resized(size)
    height, width = size
    across = 2 * math.degrees(math.atan(width / 2 / scaled.fx))
    down = 2 * math.degrees(math.atan(height / 2 / scaled.fy))
    x, y = (scaled.cx + 0.5) / width, (scaled.cy + 0.5) / height
    doubts = _doubts(scaled, across, (x, y))
    verdict = f"NOT plausible: {'; '.join(doubts)}" if doubts else "plausible"
    return f"FOV {across:.0f} x {down:.0f} degrees, centre {x:.2f}/{y:.2f}, {verdict}"


def _doubts(scaled: Calibration, across: float, center: tuple[float, float]) -> list[str]:
    doubts = []
    if not 15 <= across <= 130:
        doubts.append("no usual lens sees so little or so much")
    if not all(0.3 <= share <= 0.7 for share in center):
        doubts.append("the centre is far from the middle, were the pictures cropped?")
    ratio = scaled.fx / scaled.fy
    if not 0.8 <= ratio <= 1.25:
        doubts.append(f"pixels are not square (fx/fy = {ratio:.2f}), is K divided by the right sides?")
    return doubts
