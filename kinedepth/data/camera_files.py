"""Every form of intrinsics that users have, read into a `Calibration`, with a check whether it makes sense.

Forms, told apart by their content:

- a 3x3 or 4x4 matrix or the four numbers `fx fy cx cy` in JSON, text, NPY or NPZ, in pixels or normalized
  (by magnitude; a mixture is refused): Monodepth2's and ManyDepth's normalized K, SfMLearner's `*_cam.txt`;
- JSON or YAML with `fx fy cx cy` or `K`, `width height`, `distortion` and `distortion_model`; ROS's
  camera_info, Kalibr's camchain, OpenCV's FileStorage (YAML, XML), Cityscapes' camera JSON;
- KITTI's `calib_cam_to_cam.txt` (raw) and `calib.txt` (odometry, tracking);
- COLMAP's `cameras.txt` and `cameras.bin`, or the folder that holds them;
- optics: "80deg" (view across the width), "24mm" (35-mm equivalent, by the diagonal), "4.25mm/5.6mm" (focal
  length over the sensor's longer side); with keys `fov_degrees`, `focal_35mm`, `focal_mm` and
  `sensor_width_mm`.
"""

import math
from collections.abc import Mapping
from pathlib import Path

from kinedepth.data.cameras.bending import view_angle
from kinedepth.data.cameras.colmap import colmap_binary, colmap_text, is_colmap
from kinedepth.data.cameras.keyed import from_keys
from kinedepth.data.cameras.kitti import KittiCamera, is_kitti, kitti_camera
from kinedepth.data.cameras.matrix import Stated, four
from kinedepth.data.cameras.optics import (
    GUESSED_FOV,
    from_exif,
    from_focal_35mm,
    from_focal_mm,
    from_fov,
    guessed,
    is_optics,
    optics_text,
)
from kinedepth.data.cameras.written import parsed, written
from kinedepth.data.moments import Calibration, Size
from kinedepth.errors import KinedepthError

__all__ = [
    "GUESSED_FOV",
    "OFFICIAL_KITTI",
    "KittiCamera",
    "checked",
    "described",
    "from_exif",
    "from_focal_35mm",
    "from_focal_mm",
    "from_fov",
    "guessed",
    "read_intrinsics",
    "read_kitti",
]

OFFICIAL_KITTI = Calibration(0.58, 1.92, 0.5, 0.5)
"""The one normalized camera that Monodepth2 uses for all of KITTI; not for other videos."""


def read_intrinsics(given: Path | str, size: Size | None = None, camera: int = 2) -> Calibration:
    """The camera in a file, or in the text itself ("721.5 721.5 609.6 172.9", "80deg", "24mm", JSON).

    Args:
        given: path or text; the module lists the forms.
        size: (height, width) of the frames, taken as the size of a K in pixels that does not say its own.
        camera: which camera of a KITTI file.

    Raises:
        KinedepthError: the file is missing or in no known form; K mixes pixels and fractions, has its centre
            outside the picture, or is no camera matrix; the lens is of no known kind; several cameras differ.
    """
    name, content = written(given)
    return checked(_understood(content, size, camera, name), name)


def read_kitti(path: Path, camera: int, size: Size | None = None) -> KittiCamera:
    """Camera `camera` of KITTI's `calib_cam_to_cam.txt` or `calib.txt` (which does not say its `size`).

    Raises:
        KinedepthError: the file is missing or does not hold this camera.
    """
    name, content = written(path)
    return kitti_camera(str(content), camera, name, size)


def _understood(content: object, size: Size | None, camera: int, name: str) -> Calibration:
    if isinstance(content, bytes):
        return colmap_binary(content, name).calibration(size, name)
    if isinstance(content, str):
        if is_kitti(content):
            return kitti_camera(content, camera, name, size).calibration
        if is_colmap(content):
            return colmap_text(content, name).calibration(size, name)
        if is_optics(content):
            return optics_text(content, size, name)
        content = parsed(content, name)
    if isinstance(content, Mapping):
        return from_keys(content, size, name)
    return Stated(four(content, name)).calibration(size, name)


def checked(calibration: Calibration, name: str) -> Calibration:
    """The calibration itself, if it can be a camera.

    Raises:
        KinedepthError: a focal length is not positive, or the centre lies outside the picture.
    """
    for key, focal in (("fx", calibration.fx), ("fy", calibration.fy)):
        if not (focal > 0 and math.isfinite(focal)):
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
    """What the camera means for pictures of `size`: "FOV 81 x 29 degrees, centre 0.49/0.46, plausible".

    With a lens, the angles are those that it lets see, and it is named: ", lens brown (k1 -0.24)".
    """
    scaled = calibration.resized(size)
    height, width = size
    halves = (width / 2 / scaled.fx, height / 2 / scaled.fy)
    seen = [view_angle(half, scaled.lens) for half in halves]
    across, down = (
        math.degrees(view_angle(half, None) if math.isnan(angle) else angle)
        for half, angle in zip(halves, seen, strict=True)
    )
    x, y = (scaled.cx + 0.5) / width, (scaled.cy + 0.5) / height
    doubts = _doubts(scaled, across, (x, y))
    if any(map(math.isnan, seen)):
        doubts.append("the lens folds the picture before its edge, are its coefficients right?")
    verdict = f"NOT plausible: {'; '.join(doubts)}" if doubts else "plausible"
    bent = f", lens {scaled.lens.model} (k1 {scaled.lens.coefficients[0]:.2f})" if scaled.lens else ""
    return f"FOV {across:.0f} x {down:.0f} degrees, centre {x:.2f}/{y:.2f}, {verdict}{bent}"


def _doubts(scaled: Calibration, across: float, center: tuple[float, float]) -> list[str]:
    doubts = []
    widest = 220 if scaled.lens is not None and scaled.lens.model == "fisheye" else 130
    if not 15 <= across <= widest:
        doubts.append("no usual lens sees so little or so much")
    if not all(0.3 <= share <= 0.7 for share in center):
        doubts.append("the centre is far from the middle, were the pictures cropped?")
    ratio = scaled.fx / scaled.fy
    if not 0.8 <= ratio <= 1.25:
        doubts.append(f"pixels are not square (fx/fy = {ratio:.2f}), is K divided by the right sides?")
    return doubts
