"""End-point error and outliers of disparity and optical flow as KITTI 2015 counts them, pooled over pixels.

An outlier is wrong by more than 3 pixels AND by more than 5 % of the true length, both strictly. Source:
Menze and Geiger 2015, with the development kit. Ours differs in one thing: the kit fills pixels without an
estimate from the background, here they count as 0, and how many there were is said.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float

from kinedepth.errors import KinedepthError

Vectors = Float[np.ndarray, "_ _ _"]
Valid = Bool[np.ndarray, "_ _"]


@dataclass(frozen=True)
class PixelProtocol:
    """How far pixels may be off."""

    name: str
    quantity: Literal["disparity", "flow"]
    pixels: float = 3.0
    share: float = 0.05

    def __str__(self) -> str:
        """The one line that stands above a table."""
        return (
            f"{self.name} · {self.quantity} in pixels · outlier: error > {self.pixels:g} px and "
            f"> {self.share:.0%} of the true length · pooled over all pixels with truth · no estimate: 0"
        )


PIXEL_PROTOCOLS: dict[str, PixelProtocol] = {
    protocol.name: protocol
    for protocol in (
        PixelProtocol("kitti-2015-disparity", "disparity"),
        PixelProtocol("kitti-2015-flow", "flow"),
    )
}


@dataclass(frozen=True)
class PixelErrors:
    """The errors of one image, or of several together."""

    name: str
    pixels: int
    """With truth."""
    without_estimate: int
    error_sum: float
    """Of the lengths of all errors, in pixels."""
    outliers: int

    @property
    def epe(self) -> float:
        """The mean end-point error in pixels."""
        return self.error_sum / self.pixels

    @property
    def outlier_rate(self) -> float:
        """The share of pixels that are outliers, 0 to 1."""
        return self.outliers / self.pixels


def is_outlier(
    predicted: Vectors, measured: Vectors, pixels: float | int = 3.0, share: float | int = 0.05
) -> Valid:
    """Where the error is more than `pixels` and more than `share` of the true length."""
    error = np.linalg.norm(predicted - measured, axis=-1)
    length = np.linalg.norm(measured, axis=-1)
    return np.asarray((error > pixels) & (error > share * length))


def pixel_errors(
    name: str, predicted: tuple[Vectors, Valid], measured: tuple[Vectors, Valid], protocol: PixelProtocol
) -> PixelErrors:
    """The errors of one image where it has truth.

    Raises:
        KinedepthError: the two differ in size, or there is no truth.
    """
    (estimate, has_estimate), (truth, counts) = predicted, measured
    if estimate.shape != truth.shape:
        raise KinedepthError(
            f"{name}: the estimate is {estimate.shape[1]}x{estimate.shape[0]} and the truth "
            f"{truth.shape[1]}x{truth.shape[0]}: {protocol.quantity} is judged at the size of the truth."
        )
    if not counts.any():
        raise KinedepthError(f"{name}: no pixel has truth; leave the image out.")
    filled = np.where(has_estimate[..., None], estimate, 0.0)
    error = np.linalg.norm(filled - truth, axis=-1)[counts]
    wrong = is_outlier(filled, truth, protocol.pixels, protocol.share)[counts]
    missing = int((counts & ~has_estimate).sum())
    return PixelErrors(name, int(counts.sum()), missing, float(error.sum()), int(wrong.sum()))


def pooled(images: Sequence[PixelErrors]) -> PixelErrors:
    """All pixels of all images as one: rates are never means of rates."""
    return PixelErrors(
        "all",
        sum(each.pixels for each in images),
        sum(each.without_estimate for each in images),
        sum(each.error_sum for each in images),
        sum(each.outliers for each in images),
    )
