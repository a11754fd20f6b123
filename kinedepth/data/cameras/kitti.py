"""KITTI's calibration files: `calib_cam_to_cam.txt` (raw) and `calib.txt` (odometry, tracking)."""

import re
from typing import NamedTuple

from kinedepth.data.moments import Calibration, Size
from kinedepth.errors import KinedepthError

_ROW = re.compile(r"^P(_rect_0)?\d:", re.MULTILINE)


class KittiCamera(NamedTuple):
    """One rectified camera of a KITTI calibration file."""

    calibration: Calibration
    offset: float
    """Metres to the right of the reference camera."""


def is_kitti(text: str) -> bool:
    """Whether the text has rows of projections, as KITTI writes them."""
    return _ROW.search(text) is not None


def kitti_camera(text: str, camera: int, name: str, size: Size | None) -> KittiCamera:
    """Camera `camera` of the file's text; `size` (height, width) where the file does not say its own.

    Raises:
        KinedepthError: the text does not hold this camera, or its size is nowhere said.
    """
    lines = dict(re.findall(r"^(\w+):?[ \t]+(.*)$", text, re.MULTILINE))
    raw = f"P_rect_{camera:02d}" in lines
    row = lines.get(f"P_rect_{camera:02d}" if raw else f"P{camera}")
    if row is None:
        raise KinedepthError(
            f"{name} does not hold camera {camera} of KITTI (P_rect_{camera:02d} or P{camera})"
        )
    projection = _floats(row, 12, name)
    if raw:
        width, height = map(int, _floats(lines.get(f"S_rect_{camera:02d}", ""), 2, name))
        size = (height, width)
    if size is None:
        raise KinedepthError(f"{name} does not say for which picture size it is: give the frames as well")
    fx, cx, fy, cy = projection[0], projection[2], projection[5], projection[6]
    offset = -projection[3] / fx if fx else 0.0
    return KittiCamera(Calibration(fx, fy, cx, cy, size[1], size[0]), offset)


def _floats(row: str, count: int, name: str) -> list[float]:
    try:
        found = [float(word) for word in row.split()]
    except ValueError:
        found = []
    if len(found) != count:
        raise KinedepthError(
            f"{name} is a damaged calibration of KITTI: its rows P and S hold 12 and 2 numbers"
        )
    return found
