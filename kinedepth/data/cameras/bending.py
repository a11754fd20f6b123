"""How a lens bends rays, both ways, on the plane one unit in front of the camera (x right, y down).

The forward way is OpenCV's own. The way back has no closed form: the radius is looked up in a table, and the
small tangential part of `brown` is taken off by fixed-point steps.
Sources: Brown 1966 with OpenCV's rational extension; Kannala and Brandt 2006, eq. 6.
"""

import math
from functools import lru_cache

import cv2
import numpy as np
from jaxtyping import Float, Float64

from kinedepth.data.moments import Lens

# Rays of a pinhole reach up to here; OpenCV's models are not defined beside the camera (90 degrees).
_STEEPEST = math.radians(89)
_STEPS = 8192

# A polynomial that stops to grow folds the picture over; shortly before, a pixel is stretched without bound.
# Where it grows less than this share of its growth at the axis it is not used.
_FLATTEST = 0.1

_BACK_STEPS = 5


def bent(rays: Float[np.ndarray, "n 2"], lens: Lens) -> Float64[np.ndarray, "n 2"]:
    """Where the lens puts rays that a pinhole would see at `rays`; both as x/z, y/z."""
    points = np.ascontiguousarray(rays, dtype=np.float64)[:, None]
    coefficients = np.array(lens.coefficients, dtype=np.float64)
    if lens.model == "fisheye":
        moved = cv2.fisheye.distortPoints(points, np.eye(3), coefficients)
    else:
        ahead = np.concatenate((points, np.ones_like(points[..., :1])), axis=-1)
        moved = cv2.projectPoints(ahead, np.zeros(3), np.zeros(3), np.eye(3), coefficients)[0]
    return np.asarray(moved, dtype=np.float64).reshape(-1, 2)


def reach(lens: Lens) -> float:
    """The radius of the outermost ray that the model describes: beyond it, rays are folded together."""
    return float(_profile(lens)[0][-1])


def straight(points: Float[np.ndarray, "n 2"], lens: Lens) -> Float64[np.ndarray, "n 2"]:
    """The inverse of `bent`: what a pinhole would see; NaN where no ray of a pinhole gets to."""
    sought = points.astype(np.float64)
    found = _unbent_radially(sought, lens)
    if lens.model == "brown" and any(lens.coefficients[2:4]):
        for _ in range(_BACK_STEPS):
            found = _unbent_radially(sought - _tangential(found, lens), lens)
    return found


def view_angle(half: float, lens: Lens | None) -> float:
    """The full angle, in radians, between two points `half` focal lengths left and right of the axis.

    NaN where the lens does not reach that far. A fisheye may see more than 180 degrees.
    """
    if lens is None:
        return 2 * math.atan(half)
    if lens.model == "fisheye":
        angles = np.linspace(0, math.pi, _STEPS)
        powers = angles[:, None] ** np.array((2, 4, 6, 8))
        radii = angles * (1 + powers @ np.array(lens.coefficients))
        end = _usable(angles, radii)
        return 2 * float(np.interp(half, radii[:end], angles[:end], right=math.nan))
    rays, radii = _profile(lens)
    return 2 * math.atan(float(np.interp(half, radii, rays, right=math.nan)))


@lru_cache(maxsize=32)
def _profile(lens: Lens) -> tuple[Float64[np.ndarray, " n"], Float64[np.ndarray, " n"]]:
    """Radii before and after bending, as far as the second grows well with the first."""
    rays = np.tan(np.linspace(0, _STEEPEST, _STEPS))
    radial = lens
    if lens.model == "brown":
        radial = Lens("brown", (*lens.coefficients[:2], 0.0, 0.0, *lens.coefficients[4:]))
    radii = bent(np.stack((rays, np.zeros_like(rays)), axis=-1), radial)[:, 0]
    end = _usable(rays, radii)
    return rays[:end], radii[:end]


def _usable(rays: Float64[np.ndarray, " n"], radii: Float64[np.ndarray, " n"]) -> int:
    """How many of the radii, from the first, grow well with the rays; at least two."""
    slopes = np.diff(radii) / np.diff(rays)
    flat = ~(slopes > _FLATTEST * slopes[0])
    return max(2, int(flat.argmax()) + 1 if flat.any() else len(radii))


def _unbent_radially(points: Float64[np.ndarray, "n 2"], lens: Lens) -> Float64[np.ndarray, "n 2"]:
    rays, radii = _profile(lens)
    length = np.hypot(points[:, 0], points[:, 1])
    unbent = np.interp(length, radii, rays, right=np.nan)
    # At the axis itself the ratio is that of the first step.
    ratio = np.where(length > radii[1], unbent / np.maximum(length, radii[1]), rays[1] / radii[1])
    unbent_points: Float64[np.ndarray, "n 2"] = points * ratio[:, None]
    return unbent_points


def _tangential(rays: Float64[np.ndarray, "n 2"], lens: Lens) -> Float64[np.ndarray, "n 2"]:
    x, y = rays.T
    p1, p2 = lens.coefficients[2:4]
    square = x * x + y * y
    return np.stack(
        (2 * p1 * x * y + p2 * (square + 2 * x * x), p1 * (square + 2 * y * y) + 2 * p2 * x * y), axis=-1
    )
