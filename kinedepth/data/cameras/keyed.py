"""Cameras in named entries (JSON, YAML, XML, NPZ): ours, OpenCV's, ROS's, Kalibr's, Cityscapes'.

The forms differ in names, hardly in what they say, so that names are compared without capitals and
underscores and looked up in one table of synonyms.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from kinedepth.data.cameras.matrix import ENTRIES, Stated, Values, four, kind_of, lens_of, numbers
from kinedepth.data.cameras.optics import optics_keys
from kinedepth.data.moments import Calibration, Lens, Size
from kinedepth.errors import KinedepthError, listed

# Each in order of preference.
_MATRIX = ("k", "intrinsics", "cameramatrix", "intrinsicmatrix", "mtx", "knormalised", "knormalized")
_COEFFICIENTS = (
    *("distortion", "distortioncoefficients", "distortioncoeffs", "distcoeffs", "distcoefs", "distcoeff"),
    *("dist", "d"),
)
_SIZES = (("width", "height"), ("imagewidth", "imageheight"), ("w", "h"))
_OPTICS = ("fov_degrees", "focal_35mm", "focal_mm", "sensor_width_mm", "sensor_height_mm")

_ORDERS = {"brown": ("k1", "k2", "p1", "p2", "k3", "k4", "k5", "k6"), "fisheye": ("k1", "k2", "k3", "k4")}
_ORDER_IN_NAME = re.compile(r"dist(?:ortion)?((?:[kp]\d)+)")

# Cityscapes writes no size: all its pictures and their cameras have this one.
_CITYSCAPES = (1024, 2048)

_SHOWN = 12

Entries = Mapping[str, Any]


def from_keys(content: Mapping[Any, Any], size: Size | None, name: str) -> Calibration:
    """The camera of named entries; `size` (height, width) where they do not say their own.

    Raises:
        KinedepthError: there is none, an entry of it is missing or no number, or several cameras differ.
    """
    entries = {_plain(key): value for key, value in content.items()}
    optics = {key: _number(entries[_plain(key)], key, name) for key in _OPTICS if _plain(key) in entries}
    by_optics = optics_keys(optics, _size(entries, name) or size, name)
    return by_optics or _stated(entries, content, name).calibration(size, name)


def _plain(key: Any) -> str:
    return str(key).lower().replace("_", "")


def _number(value: Any, key: str, name: str) -> float:
    number = numbers(value, name, f"a number as {key}")
    if number.size != 1:
        raise KinedepthError(f"{name} does not hold a number as {key}")
    return float(number.item())


def _stated(entries: Entries, content: Mapping[Any, Any], name: str) -> Stated:
    if isinstance(entries.get("intrinsic"), Mapping):
        return _cityscapes(entries["intrinsic"], name)
    rig = {key: value for key, value in entries.items() if _is_camera(key, value)}
    if rig:
        return _the_one(rig, name)
    values = _values(entries, name)
    if values is None:
        keys = [str(key) for key in content]
        raise KinedepthError(
            f"{name} holds neither fx, fy, cx, cy nor a matrix K: its keys are {listed(keys, _SHOWN)}"
        )
    return Stated(values, _size(entries, name), _lens(entries, name))


def _cityscapes(intrinsic: Mapping[str, Any], name: str) -> Stated:
    wanted = ("fx", "fy", "u0", "v0")
    missing = [key for key in wanted if key not in intrinsic]
    if missing:
        raise KinedepthError(f"{name} looks like Cityscapes' but its intrinsic lacks {', '.join(missing)}")
    return Stated(four([intrinsic[key] for key in wanted], name), _CITYSCAPES)


def _is_camera(key: str, value: Any) -> bool:
    return isinstance(value, Mapping) and re.fullmatch(r"cam(era)?\d+", key) is not None


def _the_one(rig: Mapping[str, Mapping[Any, Any]], name: str) -> Stated:
    cameras = {
        key: _stated({_plain(k): v for k, v in one.items()}, one, f"{key} in {name}")
        for key, one in rig.items()
    }
    if len(set(cameras.values())) > 1:
        raise KinedepthError(
            f"{name} holds {len(cameras)} cameras that differ ({', '.join(cameras)}): keep the one that took "
            "these pictures"
        )
    return next(iter(cameras.values()))


def _values(entries: Entries, name: str) -> Values | None:
    if entries.keys() >= set(ENTRIES):
        return four([entries[key] for key in ENTRIES], name)
    given = _first(entries, _MATRIX)
    if isinstance(given, Mapping):
        inner = {_plain(key): value for key, value in given.items()}
        return four(inner["data"], name) if "data" in inner else _values(inner, name)
    return None if given is None or isinstance(given, str | int | float) else four(given, name)


def _first(entries: Entries, keys: Iterable[str]) -> Any:
    return next((entries[key] for key in keys if entries.get(key) is not None), None)


def _size(entries: Entries, name: str) -> Size | None:
    for width, height in _SIZES:
        if width in entries and height in entries:
            return _whole(entries[height], "height", name), _whole(entries[width], "width", name)
    resolution = _first(entries, ("resolution", "imagesize"))
    if isinstance(resolution, list | tuple) and len(resolution) == 2:
        return _whole(resolution[1], "height", name), _whole(resolution[0], "width", name)
    return None


def _whole(value: Any, key: str, name: str) -> int:
    if isinstance(value, int | float) and 0 < value < float("inf") and value == int(value):
        return int(value)
    raise KinedepthError(f"{key} in {name} is {value!r}: give the picture's {key} in pixels")


def _lens(entries: Entries, name: str) -> Lens | None:
    kinds = [kind_of(entries.get(key), name) for key in ("distortionmodel", "cameramodel", "lensmodel")]
    if entries.get("fisheyemodel"):
        kinds = ["fisheye"]
    if "none" in kinds:
        return None
    kind = next((kind for kind in kinds if kind is not None), "brown")
    return lens_of(kind, _coefficients(entries, kind, name), name)


def _coefficients(entries: Entries, kind: str, name: str) -> Any:
    """Of whatever form, in OpenCV's order."""
    given = _first(entries, _COEFFICIENTS)
    if isinstance(given, Mapping):
        inner = {_plain(key): value for key, value in given.items()}
        return inner["data"] if "data" in inner else _by_name(inner, kind, name)
    if given is not None:
        return given
    for key, value in entries.items():
        if ordered := _ORDER_IN_NAME.fullmatch(key):
            listed = numbers(value, name, "distortion coefficients as numbers").ravel()
            names = re.findall(r"[kp]\d", ordered[1])
            if len(names) != len(listed):
                raise KinedepthError(f"{name} holds {len(listed)} numbers for {', '.join(names)}")
            return _by_name(dict(zip(names, listed.tolist(), strict=True)), kind, name)
        if key.startswith("distort") and isinstance(value, list | np.ndarray):
            return value
    return _by_name(entries, kind, name)


def _by_name(entries: Entries, kind: str, name: str) -> list[float] | None:
    """Of k1, k2, p1 and so on; None where there are none."""
    order = _ORDERS[kind]
    named = [key for key in entries if re.fullmatch(r"[kp][1-9]", key)]
    foreign = [key for key in named if key not in order and entries[key]]
    if foreign:
        raise KinedepthError(
            f"{name} has the distortion {', '.join(foreign)}: a lens of the kind {kind} has "
            f"{', '.join(order)}"
        )
    return [_number(entries.get(key, 0.0), key, name) for key in order] if named else None
