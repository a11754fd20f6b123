"""Depth errors as pure functions, and what happens to one image before they are taken.

Source: Eigen et al. 2014, section 4.3; order of the steps: Godard et al. 2019, reference code. Ours differs
in that all errors are taken in float64.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np
from jaxtyping import Bool, Float

from kinedepth.errors import KinedepthError
from kinedepth.evaluation.protocol import GARG, SEVEN, WHOLE, Protocol, Resize, band_name

Pixels = Float[np.ndarray, " n"]
Map = Float[np.ndarray, "_ _"]
Regions = Mapping[str, Bool[np.ndarray, "_ _"]]


def abs_rel(predicted: Pixels, measured: Pixels) -> float:
    """The mean of |measured - predicted| / measured.

    >>> round(abs_rel(np.array([2.5, 7.5]), np.array([2.0, 5.0])), 3)
    0.375
    """
    return float(np.mean(np.abs(measured - predicted) / measured))


def sq_rel(predicted: Pixels, measured: Pixels) -> float:
    """The mean of (measured - predicted)^2 / measured, in the unit of depth."""
    return float(np.mean((measured - predicted) ** 2 / measured))


def rmse(predicted: Pixels, measured: Pixels) -> float:
    """The root of the mean squared error, in the unit of depth."""
    return float(np.sqrt(np.mean((measured - predicted) ** 2)))


def rmse_log(predicted: Pixels, measured: Pixels) -> float:
    """The root of the mean squared error of natural logarithms."""
    return float(np.sqrt(np.mean((np.log(measured) - np.log(predicted)) ** 2)))


def log10(predicted: Pixels, measured: Pixels) -> float:
    """The root of the mean squared error of decimal logarithms: what Make3D tables call log10."""
    return float(np.sqrt(np.mean((np.log10(measured) - np.log10(predicted)) ** 2)))


def share_within(predicted: Pixels, measured: Pixels, factor: float) -> float:
    """The share of pixels that are wrong by less than `factor`, up or down, strictly."""
    return float(np.mean(np.maximum(measured / predicted, predicted / measured) < factor))


def a1(predicted: Pixels, measured: Pixels) -> float:
    """The share of pixels that are wrong by a factor below 1.25."""
    return share_within(predicted, measured, 1.25)


def a2(predicted: Pixels, measured: Pixels) -> float:
    """The share of pixels that are wrong by a factor below 1.25 squared."""
    return share_within(predicted, measured, 1.25**2)


def a3(predicted: Pixels, measured: Pixels) -> float:
    """The share of pixels that are wrong by a factor below 1.25 cubed."""
    return share_within(predicted, measured, 1.25**3)


METRICS: dict[str, Callable[[Pixels, Pixels], float]] = {
    each.__name__: each for each in (abs_rel, sq_rel, rmse, rmse_log, a1, a2, a3, log10)
}
"""By the names that protocols give them."""

HIGHER_IS_BETTER = frozenset({"a1", "a2", "a3"})


def errors(predicted: Pixels, measured: Pixels, metrics: Sequence[str] = SEVEN) -> dict[str, float]:
    """The metrics of depths that are > 0 and in one unit."""
    predicted, measured = predicted.astype(np.float64), measured.astype(np.float64)
    return {name: METRICS[name](predicted, measured) for name in metrics}


def median_ratio(predicted: Pixels, measured: Pixels) -> float:
    """What brings the median of the prediction to the median of the truth."""
    return float(np.median(measured.astype(np.float64)) / np.median(predicted.astype(np.float64)))


def resized(values: Map, size: tuple[int, int], how: Resize = "bilinear") -> Map:
    """The map at `size` (height, width), without smoothing first.

    `bilinear` between pixel centers, or `nearest` as OpenCV takes it, from the upper left corner.
    """
    height, width = size
    kind = cv2.INTER_LINEAR if how == "bilinear" else cv2.INTER_NEAREST
    return np.asarray(cv2.resize(values, (width, height), interpolation=kind))


def counted(truth: Map, protocol: Protocol) -> Bool[np.ndarray, "_ _"]:
    """Where the truth counts: measured, within the limits and inside the crop."""
    mask = np.isfinite(truth) & (truth > protocol.near)
    if protocol.far is not None:
        mask &= truth < protocol.far
    if protocol.crop is not None:
        mask &= _inside(protocol.crop.bounds(truth.shape), truth.shape)
    return np.asarray(mask)


def _inside(bounds: tuple[int, int, int, int], size: tuple[int, ...]) -> Bool[np.ndarray, "_ _"]:
    top, bottom, left, right = bounds
    inside = np.zeros(size, dtype=bool)
    inside[top:bottom, left:right] = True
    return inside


@dataclass(frozen=True)
class Compared:
    """The pixels of one image that count, before the alignment."""

    name: str
    predicted: Float[np.ndarray, " n"]
    """Depth, times the protocol's fixed factor."""
    measured: Float[np.ndarray, " n"]
    """Depth, meters."""
    regions: dict[str, Bool[np.ndarray, " n"]]
    ratio: float
    """median(measured) / median(predicted)"""
    details: dict[str, Bool[np.ndarray, " n"]] = field(default_factory=dict)
    """Further masks: by class and by true depth."""


def compared(
    name: str, inverse_depth: Map | None, truth: Map, regions: Regions, protocol: Protocol
) -> Compared:
    """The pixels of one image that count under `protocol`.

    The inverse depth is resized to the truth, never the depth: so does the field. It may be NaN where
    nothing was predicted, as long as no truth counts there.

    Raises:
        KinedepthError: the prediction is missing, has holes where truth counts, is infinite, below zero or
            without scale; the image has no truth; a region that the protocol names was not given or has
            another size.
    """
    checked = _checked_prediction(name, inverse_depth)
    mask = counted(truth, protocol)
    if not mask.any():
        raise KinedepthError(
            f"{name}: no pixel of the truth counts under {protocol.name}; leave the image out."
        )
    with np.errstate(divide="ignore"):
        predicted = protocol.factor * (1 / resized(checked, truth.shape, protocol.resize)[mask])
    _refuse_holes(name, predicted)
    measured = truth[mask]
    ratio = median_ratio(predicted, measured)
    if ratio <= 0:
        raise KinedepthError(
            f"{name}: more than half of the prediction is infinitely far; it cannot be scaled."
        )
    selected = _selected_regions(name, regions, mask, protocol)
    return Compared(
        name, predicted, measured, selected, ratio, _details(name, regions, mask, measured, protocol)
    )


def _checked_prediction(name: str, inverse_depth: Map | None) -> Map:
    if inverse_depth is None:
        raise KinedepthError(
            f"{name}: the prediction is missing; predict this image or take it off the list."
        )
    if np.isinf(inverse_depth).any() or (inverse_depth < 0).any():
        raise KinedepthError(
            f"{name}: the predicted inverse depth has values that are not finite or below zero."
        )
    return inverse_depth


def _refuse_holes(name: str, predicted: Pixels) -> None:
    holes = int(np.isnan(predicted).sum())
    if holes:
        raise KinedepthError(
            f"{name}: the prediction is not finite or has no value in {holes} of the {predicted.size} pixels "
            "whose truth counts: predict all of the picture."
        )


def _selected_regions(
    name: str, regions: Regions, mask: Bool[np.ndarray, "_ _"], protocol: Protocol
) -> dict[str, Bool[np.ndarray, " n"]]:
    selected = {}
    for region in protocol.regions:
        inside = np.ones_like(mask) if region == WHOLE else regions.get(region)
        if inside is None:
            raise KinedepthError(
                f"{name}: {protocol.name} needs a mask of the region {region!r}, and none was given."
            )
        selected[region] = _within(name, region, inside, mask)
    return selected


def _within(
    name: str, region: str, inside: Bool[np.ndarray, "_ _"], mask: Bool[np.ndarray, "_ _"]
) -> Bool[np.ndarray, " n"]:
    if inside.shape != mask.shape:
        raise KinedepthError(f"{name}: the mask of {region!r} is {inside.shape}, the truth is {mask.shape}.")
    return np.asarray(inside[mask])


def _details(
    name: str, regions: Regions, mask: Bool[np.ndarray, "_ _"], measured: Pixels, protocol: Protocol
) -> dict[str, Bool[np.ndarray, " n"]]:
    """The pixels of every class that the truth knows and of every range of true depth."""
    known = (label for label in protocol.classes if label in regions)
    classes = {label: _within(name, label, regions[label], mask) for label in known}
    bands = {band_name(band): (measured >= band[0]) & (measured < band[1]) for band in protocol.bands}
    return {**classes, **bands}


def masked_errors(
    pixels: Compared,
    masks: Mapping[str, Bool[np.ndarray, " n"]],
    factor: float,
    clamp: tuple[float, float],
    metrics: Sequence[str],
) -> dict[str, dict[str, float]]:
    """The errors within each of `masks` that has pixels: the prediction times `factor`, then clamped."""
    predicted = np.clip(pixels.predicted.astype(np.float64) * factor, *clamp)
    return {
        label: errors(predicted[inside], pixels.measured[inside], metrics)
        for label, inside in masks.items()
        if inside.any()
    }


def monitored_errors(
    depth: Float[np.ndarray, "b _ _"], truth: Float[np.ndarray, "b h w"]
) -> dict[str, float]:
    """What Monodepth2 logs while it trains: quick, and not comparable with any table.

    It resizes depth, not inverse depth, takes all pixels of the batch as one image with one median (the lower
    one of an even number), and lets truth above 80 m count. Source: Godard et al. 2019, reference code.
    """
    clamp = (1e-3, 80.0)
    size = (truth.shape[1], truth.shape[2])
    mask = (truth > 0) & _inside(GARG.bounds(size), size)
    full = np.stack([resized(each, size) for each in depth]).astype(np.float64)
    predicted, measured = np.clip(full, *clamp)[mask], truth[mask].astype(np.float64)
    factor = _lower_median(measured) / _lower_median(predicted)
    return errors(np.clip(predicted * factor, *clamp), measured)


def _lower_median(values: Pixels) -> float:
    middle = (values.size - 1) // 2
    return float(np.partition(values, middle)[middle])
