"""COLMAP's cameras, `cameras.txt` and `cameras.bin`.

COLMAP's centre of the top-left pixel is (0.5, 0.5) and ours (0, 0), so half a pixel is taken off the centre.
Source: COLMAP's documentation, "Output Format" and "Camera Models".
"""

import re
import struct
from collections.abc import Mapping

from kinedepth.data.cameras.matrix import Stated, lens_of
from kinedepth.errors import KinedepthError

_ROW = re.compile(r"^\d+\s+[A-Z_]+\s+\d+\s+\d+(\s|$)")

# Names of the parameters in the file's order; `f` stands for fx and fy.
_PARAMETERS = {
    "SIMPLE_PINHOLE": "f cx cy",
    "PINHOLE": "fx fy cx cy",
    "SIMPLE_RADIAL": "f cx cy k1",
    "RADIAL": "f cx cy k1 k2",
    "OPENCV": "fx fy cx cy k1 k2 p1 p2",
    "OPENCV_FISHEYE": "fx fy cx cy k1 k2 k3 k4",
    "FULL_OPENCV": "fx fy cx cy k1 k2 p1 p2 k3 k4 k5 k6",
    "SIMPLE_RADIAL_FISHEYE": "f cx cy k1",
    "RADIAL_FISHEYE": "f cx cy k1 k2",
}

# Those that a model lacks are zero, and `lens_of` shortens the list.
_ORDERS = {"brown": "k1 k2 p1 p2 k3 k4 k5 k6", "fisheye": "k1 k2 k3 k4"}

# By the number that the binary form has for a model, and how many parameters follow.
_NUMBERED = (
    ("SIMPLE_PINHOLE", 3),
    ("PINHOLE", 4),
    ("SIMPLE_RADIAL", 4),
    ("RADIAL", 5),
    ("OPENCV", 8),
    ("OPENCV_FISHEYE", 8),
    ("FULL_OPENCV", 12),
    ("FOV", 5),
    ("SIMPLE_RADIAL_FISHEYE", 4),
    ("RADIAL_FISHEYE", 5),
    ("THIN_PRISM_FISHEYE", 12),
)


def is_colmap(text: str) -> bool:
    """Whether the first line that is no comment is a camera of COLMAP's."""
    rows = _rows(text)
    return bool(rows) and _ROW.match(rows[0]) is not None


def colmap_text(text: str, name: str) -> Stated:
    """The one camera of a `cameras.txt`.

    Raises:
        KinedepthError: it holds several that differ, a model that is not known, or a damaged line.
    """
    cameras = {}
    for row in _rows(text):
        words = row.split()
        try:
            identity, width, height = int(words[0]), int(words[2]), int(words[3])
            parameters = [float(word) for word in words[4:]]
        except (ValueError, IndexError) as error:
            raise KinedepthError(f"{name} has a line that is no camera of COLMAP's: {row[:60]}") from error
        cameras[identity] = _stated(words[1], (height, width), parameters, name)
    return _the_one(cameras, name)


def colmap_binary(content: bytes, name: str) -> Stated:
    """The one camera of a `cameras.bin`.

    Raises:
        KinedepthError: it holds several that differ, a model that is not known, or is damaged.
    """
    cameras = {}
    try:
        (count,) = struct.unpack_from("<Q", content)
        at = 8
        for _ in range(count):
            identity, number, width, height = struct.unpack_from("<iiQQ", content, at)
            model, parameters = _NUMBERED[number] if 0 <= number < len(_NUMBERED) else (f"number {number}", 0)
            values = struct.unpack_from(f"<{parameters}d", content, at + 24)
            cameras[identity] = _stated(model, (height, width), list(values), name)
            at += 24 + 8 * parameters
    except struct.error as error:
        raise KinedepthError(f"{name} is damaged or no cameras.bin of COLMAP: export it as text") from error
    return _the_one(cameras, name)


def _rows(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]


def _stated(model: str, size: tuple[int, int], parameters: list[float], name: str) -> Stated:
    if model not in _PARAMETERS:
        raise KinedepthError(
            f"{name} has a camera of the model {model}, which is not known: {', '.join(_PARAMETERS)} are"
        )
    keys = _PARAMETERS[model].split()
    if len(parameters) != len(keys):
        raise KinedepthError(f"{name} has {len(parameters)} parameters for {model}: it has {len(keys)}")
    if min(size) < 1:
        raise KinedepthError(f"{name} has a camera for pictures of {size[1]}x{size[0]} pixels")
    by_name = dict(zip(keys, parameters, strict=True))
    fx, fy = (by_name[key if key in by_name else "f"] for key in ("fx", "fy"))
    values = (fx, fy, by_name["cx"] - 0.5, by_name["cy"] - 0.5)
    kind = "fisheye" if "FISHEYE" in model else "brown"
    coefficients = [by_name.get(key, 0.0) for key in _ORDERS[kind].split()]
    return Stated(values, size, lens_of(kind, coefficients, name))


def _the_one(cameras: Mapping[int, Stated], name: str) -> Stated:
    if not cameras:
        raise KinedepthError(f"{name} holds no camera")
    if len(set(cameras.values())) > 1:
        raise KinedepthError(
            f"{name} holds {len(cameras)} cameras that differ ({', '.join(map(str, cameras))}): keep the one "
            "that took these pictures"
        )
    return next(iter(cameras.values()))
