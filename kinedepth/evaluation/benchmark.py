"""Runs a protocol over a data set: pairs of prediction and truth in, a table out."""

from collections.abc import Iterable, Iterator, Mapping

import numpy as np
from jaxtyping import Bool

from kinedepth.errors import KinedepthError
from kinedepth.evaluation.depth import Compared, Map, Regions, compared, masked_errors
from kinedepth.evaluation.protocol import Protocol
from kinedepth.evaluation.table import Row, Table

Pair = tuple[str, Map | None, Map, Regions]
"""Name, predicted inverse depth of any size, measured depth (0: none), masks of its regions at its size."""


def evaluate_depth(pairs: Iterable[Pair], protocol: Protocol, common: float | None = None) -> Table:
    """The errors of every image and region, under `protocol`.

    Pairs are read once, one at a time. `common` is the factor of `one_factor` where it is known; without it
    the pixels that count are kept until all ratios are there.

    Raises:
        KinedepthError: there is no image, a name comes twice, a prediction is missing or not usable, an
            image has no truth, or a region's mask is missing.
    """
    images: Iterable[Compared] = (compared(*pair, protocol) for pair in _named_once(pairs))
    if protocol.align == "one_factor" and common is None:
        images = list(images)
        common = float(np.median([image.ratio for image in images])) if images else None
    rows, details = [], []
    for image in images:
        factor = _factor(image, protocol, common)
        rows += _rows(image, image.regions, protocol, factor)
        details += _rows(image, image.details, protocol, factor)
    if not rows:
        raise KinedepthError(
            f"There is no image to evaluate under {protocol.name}; check the list and the folders."
        )
    return Table(protocol, tuple(rows), tuple(details))


def _named_once(pairs: Iterable[Pair]) -> Iterator[Pair]:
    seen: set[str] = set()
    for pair in pairs:
        if pair[0] in seen:
            raise KinedepthError(f"{pair[0]} is listed twice; every image counts once.")
        seen.add(pair[0])
        yield pair


def _factor(image: Compared, protocol: Protocol, common: float | None) -> float:
    """What the alignment multiplies a prediction by."""
    if protocol.align == "one_factor" and common is not None:
        return common
    return image.ratio if protocol.align == "median" else 1.0


def _rows(
    image: Compared, masks: Mapping[str, Bool[np.ndarray, " n"]], protocol: Protocol, factor: float
) -> list[Row]:
    found = masked_errors(image, masks, factor, protocol.clamp, protocol.metrics)
    return [
        Row(image.name, label, int(masks[label].sum()), image.ratio, protocol.factor * factor, errors)
        for label, errors in found.items()
    ]
