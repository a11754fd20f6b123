"""Lenses undone at reading, and depth brought back to the pixels of the file.

Everything behind the reader sees a pinhole: pictures are remapped once (bilinearly) and labels by the nearest
pixel. A depth map of the pinhole's view goes back to the file's pixels along the same rays, so z stays z.

Which pinhole: the one with the file's size, principal point and pixel shape, whose focal length is the
shortest for which every pixel is seen (OpenCV's alpha = 0 and balance = 0, but without stretching pixels or
moving the centre), and whose longer side spans no more than 120 degrees, since a pinhole's corners are
stretched without bound as 180 degrees come near. The file's outermost corners may fall outside that view.

Maps are made once for a rectification and a size and kept, a few of them; then only the reading is left.
"""

import math
from functools import lru_cache

import cv2
import numpy as np
import torch
from jaxtyping import Bool, Float32, Float64, Integer, Shaped, UInt8

from kinedepth.data.cameras.bending import bent, reach, straight
from kinedepth.data.moments import Calibration, Rectification, Size
from kinedepth.errors import KinedepthError
from kinedepth.geometry import warp

_WIDEST = math.radians(120)

# A lens that needs more than this to fill the picture is none: wrong coefficients, or those of another model.
_STRONGEST_ZOOM = 4.0

_BORDER = 64
_HALVINGS = 50

# In pixels: less than this may be missing of what is read, since float32 cannot tell it from nothing.
_NEGLIGIBLE = 2e-3

# Rays of a large picture are straightened a part at a time, so that little memory is needed.
_AT_ONCE = 500_000

# Maps kept: those of a rig of six cameras. `_reading` takes 6 bytes a pixel, `seen` 1, the others 8.
_KEPT = 6


def rectification(calibration: Calibration, size: Size | None = None) -> Rectification:
    """How pictures of this camera become a pinhole's, and which pinhole's; see the module for the choice.

    Args:
        calibration: the camera with its lens; without one nothing is changed.
        size: (height, width) of the pictures, where the calibration is for another size or normalized.

    Raises:
        KinedepthError: the lens bends so much that next to nothing of the picture is left.
    """
    raw = calibration if size is None else calibration.resized(size)
    if raw.lens is None:
        return Rectification(raw, raw)
    zoom = _zoom(raw)
    pinhole = Calibration(raw.fx * zoom, raw.fy * zoom, raw.cx, raw.cy, raw.width, raw.height)
    return Rectification(raw, pinhole)


def undistorted(picture: UInt8[np.ndarray, "h w 3"], rectified: Rectification) -> UInt8[np.ndarray, "h w 3"]:
    """The picture as the pinhole would have taken it, bilinearly; black where the lens shows nothing."""
    if rectified.raw.lens is None:
        return picture
    size = (picture.shape[0], picture.shape[1])
    whole, fractions, shown = _reading(rectified, size)
    read = cv2.remap(picture, whole, fractions, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    if not shown:
        read[~seen(rectified, size)] = 0
    return np.asarray(read, dtype=np.uint8)


def labels_undistorted(
    labels: Shaped[np.ndarray, "h w"], rectified: Rectification
) -> Shaped[np.ndarray, "h w"]:
    """Numbers for each pixel, or a mask, at the nearest pixel; 0 where the lens shows nothing."""
    if rectified.raw.lens is None:
        return labels
    size = (labels.shape[0], labels.shape[1])
    columns, rows = np.rint(pinhole_pixels(rectified, size)).astype(np.intp)
    picked = labels[rows.clip(0, size[0] - 1), columns.clip(0, size[1] - 1)]
    return np.asarray(np.where(seen(rectified, size), picked, np.zeros((), labels.dtype)))


def depth_on_original(
    depth: Float32[np.ndarray, "h w"], rectified: Rectification
) -> Float32[np.ndarray, "h w"]:
    """Depth of the pinhole's pixels on the pixels of the file; z along the camera's axis in both, 0 = none.

    Read bilinearly in inverse depth, which is linear across a plane, so planes stay planes. None where the
    pinhole's view does not reach or a pixel beside the ray has none.
    """
    if rectified.raw.lens is None:
        return depth
    size = (depth.shape[0], depth.shape[1])
    inverse = np.divide(1, depth, out=np.zeros_like(depth), where=depth > 0)
    both = torch.from_numpy(np.stack((inverse, (depth > 0).astype(np.float32))))[None]
    pixels = torch.tensor(lens_pixels(rectified, size))[None]
    value, share = warp.read(both, pixels)[0].numpy()
    whole = (share > 1 - _NEGLIGIBLE) & (value > 0) & _reached(rectified, size)
    return np.asarray(np.divide(share, value, out=np.zeros_like(depth), where=whole))


def _zoom(raw: Calibration) -> float:
    """The smallest factor of the focal length at which all is seen and the view is not too wide."""
    half = math.tan(_WIDEST / 2)
    low = max(raw.width / 2 / (raw.fx * half), raw.height / 2 / (raw.fy * half))
    high = max(_STRONGEST_ZOOM, low)
    if not _border_seen(raw, high):
        raise KinedepthError(
            f"the lens {raw.lens} bends so much that nothing of the picture is left: are its coefficients of "
            "this model, and the camera for pictures of this size?"
        )
    if _border_seen(raw, low):
        return low
    for _ in range(_HALVINGS):
        middle = math.sqrt(low * high)
        low, high = (low, middle) if _border_seen(raw, middle) else (middle, high)
    return 1.0 if abs(high - 1) < 1e-6 else high


def _border_seen(raw: Calibration, zoom: float) -> bool:
    assert raw.lens is not None
    last = np.array((1, 1) if raw.normalized else (raw.width - 1, raw.height - 1), dtype=np.float64)
    focal, center = np.array((raw.fx, raw.fy)), np.array((raw.cx, raw.cy))
    along = np.linspace(0, 1, _BORDER)
    zero, one = np.zeros_like(along), np.ones_like(along)
    sides = [(along, zero), (along, one), (zero, along), (one, along)]
    border = np.concatenate([np.stack(side, axis=-1) for side in sides]) * last
    rays = (border - center) / (focal * zoom)
    if np.hypot(*rays.T).max() > reach(raw.lens):
        return False
    pixels = bent(rays, raw.lens) * focal + center
    slack = 1e-7 * last
    return bool(((pixels >= -slack) & (pixels <= last + slack)).all())


@lru_cache(maxsize=_KEPT)
def _reading(
    rectified: Rectification, size: Size
) -> tuple[Integer[np.ndarray, "h w 2"], Integer[np.ndarray, "h w"], bool]:
    """OpenCV's fixed-point form of the map, which reads fastest, and whether everything is seen."""
    x, y = pinhole_pixels(rectified, size)
    whole, fractions = cv2.convertMaps(x, y, cv2.CV_16SC2)
    return whole, fractions, bool(seen(rectified, size).all())


@lru_cache(maxsize=2)
def pinhole_pixels(rectified: Rectification, size: Size) -> Float32[np.ndarray, "2 h w"]:
    """For each pixel of the pinhole's picture of `size`, where it lies in the lens's (x, y)."""
    raw, pinhole = rectified.raw.resized(size), rectified.pinhole.resized(size)
    if raw.lens is None:
        return _frozen(np.stack(np.meshgrid(*(np.arange(n, dtype=np.float32) for n in size[::-1]))))
    make = cv2.fisheye if raw.lens.model == "fisheye" else cv2
    coefficients = np.array(raw.lens.coefficients, dtype=np.float64)
    maps = make.initUndistortRectifyMap(
        _matrix(raw), coefficients, np.eye(3), _matrix(pinhole), size[::-1], cv2.CV_32FC1
    )
    return _frozen(np.stack(maps))


@lru_cache(maxsize=2)
def lens_pixels(rectified: Rectification, size: Size) -> Float32[np.ndarray, "2 h w"]:
    """For each pixel of the lens's picture of `size`, where it lies in the pinhole's (x, y).

    NaN where no pinhole can see. The inverse of `pinhole_pixels`.
    """
    raw, pinhole = rectified.raw.resized(size), rectified.pinhole.resized(size)
    rays = _rays(raw, size)
    if raw.lens is not None:
        parts = np.array_split(rays, 1 + len(rays) // _AT_ONCE)
        rays = np.concatenate([straight(part, raw.lens) for part in parts])
    pixels = rays * (pinhole.fx, pinhole.fy) + (pinhole.cx, pinhole.cy)
    return _frozen(np.ascontiguousarray(pixels.T.reshape(2, *size), dtype=np.float32))


@lru_cache(maxsize=_KEPT)
def seen(rectified: Rectification, size: Size) -> Bool[np.ndarray, "h w"]:
    """Which pixels of the pinhole's picture of `size` (height, width) the lens shows."""
    raw, pinhole = rectified.raw.resized(size), rectified.pinhole.resized(size)
    if raw.lens is None:
        return _frozen(np.ones(size, dtype=bool))
    x, y = pinhole_pixels(rectified, size)
    # A pixel is an area: half of it may lie beyond the outermost centres.
    shown = (x >= -0.5) & (x <= size[1] - 0.5) & (y >= -0.5) & (y <= size[0] - 0.5)
    # Beyond the model's reach rays are folded back into the picture, where they do not belong.
    described = np.hypot(*_rays(pinhole, size).T).reshape(size) <= reach(raw.lens)
    return _frozen(shown & described)


def _reached(rectified: Rectification, size: Size) -> Bool[np.ndarray, "h w"]:
    x, y = lens_pixels(rectified, size)
    near = -_NEGLIGIBLE
    return np.asarray((x >= near) & (x <= size[1] - 1 - near) & (y >= near) & (y <= size[0] - 1 - near))


def _rays(camera: Calibration, size: Size) -> Float64[np.ndarray, "n 2"]:
    y, x = np.mgrid[: size[0], : size[1]].reshape(2, -1)
    return np.stack(((x - camera.cx) / camera.fx, (y - camera.cy) / camera.fy), axis=-1)


def _matrix(camera: Calibration) -> Float64[np.ndarray, "3 3"]:
    return np.array([[camera.fx, 0, camera.cx], [0, camera.fy, camera.cy], [0, 0, 1]])


def _frozen(array: Shaped[np.ndarray, "..."]) -> Shaped[np.ndarray, "..."]:
    array.flags.writeable = False
    return array
