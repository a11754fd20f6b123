"""Four numbers and a few coefficients, as a file states them, made into a `Calibration`.

Pixels or fractions of the picture are told apart by magnitude; a mixture is refused by the entry's name.
"""

import math
import re
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Float64

from kinedepth.data.moments import Calibration, Lens, Size
from kinedepth.errors import KinedepthError

ENTRIES = ("fx", "fy", "cx", "cy")

Values = tuple[float, float, float, float]

# What is not above these is a fraction of the picture, else pixels: no usual lens has a focal length of ten
# picture widths, and no picture is three pixels wide.
_FRACTION_FOCAL, _FRACTION_CENTER = 10.0, 3.0

# Names for lenses, without capitals, underscores and hyphens.
_KINDS = {
    "brown": (
        *("brown", "brownconrady", "plumbbob", "radtan", "radialtangential", "rationalpolynomial"),
        *("opencv", "fullopencv"),
    ),
    "fisheye": (
        *(
            "fisheye",
            "equidistant",
            "equi",
            "kannalabrandt",
            "kannalabrandt4",
            "kannalabrandt8",
            "kb4",
            "kb8",
        ),
        "opencvfisheye",
    ),
    "none": ("none", "nodistortion"),
    None: ("", "pinhole", "perspective", "simplepinhole"),
}

_COUNTS = {"brown": (4, 5, 8), "fisheye": (4,)}


@dataclass(frozen=True)
class Stated:
    """What a file says of one camera, before pixels and fractions are told apart."""

    values: Values
    """fx, fy, cx, cy."""
    size: Size | None = None
    """(height, width), where the file says it."""
    lens: Lens | None = None

    def calibration(self, size: Size | None, name: str) -> Calibration:
        """The camera, whose size is the file's own or else `size` (height, width).

        Raises:
            KinedepthError: pixels and fractions are mixed, or the size of a K in pixels is not known.
        """
        if _are_fractions(self.values, self.size, name):
            return Calibration(*self.values, lens=self.lens)
        if self.size is None and size is None:
            raise KinedepthError(f"{name} is in pixels but does not say of which size: add width and height")
        height, width = self.size or size or (1, 1)
        return Calibration(*self.values, width, height, self.lens)


def four(content: Any, name: str) -> Values:
    """fx, fy, cx, cy of a 3x3 or 4x4 matrix, of nine or sixteen numbers, or of the four themselves.

    Raises:
        KinedepthError: it holds something else, or is no camera matrix.
    """
    matrix = numbers(content, name, "a matrix of numbers")
    if matrix.size == len(ENTRIES):
        fx, fy, cx, cy = matrix.ravel().tolist()
        return fx, fy, cx, cy
    side = math.isqrt(matrix.size)
    if side not in (3, 4) or side * side != matrix.size:
        raise KinedepthError(f"{name} holds {matrix.size} numbers: give K as 3x3 or 4x4, or fx fy cx cy")
    return _of_matrix(matrix.reshape(side, side), name)


def numbers(content: Any, name: str, what: str) -> Float64[np.ndarray, "..."]:
    """The content as an array of finite numbers; `what` it should have been is for the error.

    Raises:
        KinedepthError: it is not numbers, or one is not finite.
    """
    try:
        array = np.asarray(content, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise KinedepthError(f"{name} does not hold {what}") from error
    if not np.isfinite(array).all():
        raise KinedepthError(f"{name} holds a number that is not finite in {what}")
    return array


def kind_of(model: Any, name: str) -> str | None:
    """`brown`, `fisheye` or `none` for a lens as OpenCV, ROS, Kalibr and COLMAP name it; None for no name.

    Raises:
        KinedepthError: no such lens is known.
    """
    plain = "" if model is None else re.sub(r"[\W_]", "", str(model)).lower()
    for kind, names in _KINDS.items():
        if plain in names:
            return kind
    raise KinedepthError(
        f"{name} has a lens of the kind {model}, which is not known: plumb_bob, radtan and "
        "rational_polynomial (brown), equidistant and fisheye (Kannala-Brandt), and none are"
    )


def lens_of(kind: str, coefficients: Any, name: str) -> Lens | None:
    """The `brown` or `fisheye` lens of coefficients in OpenCV's order; None where nothing is bent.

    Zeros at the end that say nothing are left out.

    Raises:
        KinedepthError: the coefficients are too few, too many or no numbers.
    """
    what = "distortion coefficients as numbers"
    given = [] if coefficients is None else numbers(coefficients, name, what).ravel().tolist()
    if not given or (kind == "brown" and not any(given)):
        return None
    count = next((n for n in _COUNTS[kind] if n <= len(given) and not any(given[n:])), None)
    if count is None:
        allowed = " or ".join(map(str, _COUNTS[kind]))
        hint = "; thin prism and tilted sensor are not supported" if len(given) in (12, 14) else ""
        raise KinedepthError(
            f"{name} holds {len(given)} distortion coefficients: a lens of the kind {kind} has "
            f"{allowed}{hint}"
        )
    return Lens("fisheye" if kind == "fisheye" else "brown", tuple(given[:count]))


def _of_matrix(matrix: Float[np.ndarray, "n n"], name: str) -> Values:
    expected = np.eye(len(matrix))
    expected[:2, :3] = matrix[:2, :3]
    if not np.allclose(matrix, expected) or abs(matrix[1, 0]) > 0:
        raise KinedepthError(f"{name} is no camera matrix: its rows must be [fx 0 cx], [0 fy cy], [0 0 1]")
    if abs(matrix[0, 1]) > 1e-3 * abs(matrix[0, 0]):
        raise KinedepthError(
            f"{name} has a skew of {matrix[0, 1]:g}: only cameras without skew are supported"
        )
    return float(matrix[0, 0]), float(matrix[1, 1]), float(matrix[0, 2]), float(matrix[1, 2])


def _are_fractions(values: Values, own_size: Size | None, name: str) -> bool:
    limits = (_FRACTION_FOCAL, _FRACTION_FOCAL, _FRACTION_CENTER, _FRACTION_CENTER)
    small = [abs(value) <= limit for value, limit in zip(values, limits, strict=True)]
    if all(small) or not any(small):
        return all(small)
    fractions = [f"{key}={value:g}" for key, value, yes in zip(ENTRIES, values, small, strict=True) if yes]
    pixels = [f"{key}={value:g}" for key, value, yes in zip(ENTRIES, values, small, strict=True) if not yes]
    remedy = "give all four in pixels" if own_size else "normalize all four or none"
    raise KinedepthError(
        f"{name} is half normalized: {', '.join(fractions)} as a fraction of the picture but "
        f"{', '.join(pixels)} in pixels; {remedy}"
    )
