"""Runs a protocol over a data set: pairs of prediction and truth in, a table out."""

from collections.abc import Iterable, Iterator, Mapping

import numpy as np

from kinedepth.errors import KinedepthError
from kinedepth.evaluation.depth import Compared, Map, Regions, compared, region_errors
from kinedepth.evaluation.protocol import Protocol
from kinedepth.evaluation.table import Row, Table

Pair = tuple[str, Map | None, Map, Regions]
"""Name, predicted inverse depth of any size, measured depth (0: none), masks of its regions at its size."""


def matched(
    predictions: Mapping[str, Map],
    truths: Mapping[str, Map],
    regions: Mapping[str, Regions] | None = None,
    names: Iterable[str] | None = None,
) -> Iterator[Pair]:
    """The pairs of `names`, matched by name and never by order; without `names`, of everything that is there.

    Raises:
        KinedepthError: a prediction or a truth is missing; its name is said before anything is evaluated.
    """
    wanted = sorted(predictions.keys() | truths.keys()) if names is None else list(names)
    _complete(wanted, predictions, "prediction")
    _complete(wanted, truths, "truth")
    masks = regions or {}
    return ((name, predictions[name], truths[name], masks.get(name, {})) for name in wanted)


def _complete(wanted: list[str], given: Mapping[str, Map], what: str) -> None:
    missing = [name for name in wanted if name not in given]
    if missing:
        more = f" and of {len(missing) - 1} more" if len(missing) > 1 else ""
        raise KinedepthError(f"The {what} of {missing[0]}{more} is missing; nothing was evaluated.")


def evaluate_depth(pairs: Iterable[Pair], protocol: Protocol) -> Table:
    """The errors of every image and region, under `protocol`.

    Pairs are read once, one at a time; `one_factor` keeps the pixels that count until the factor is known.

    Raises:
        KinedepthError: there is no image, a name comes twice, a prediction is missing or not usable, an image
        has no
            truth, or a region's mask is missing.
    """
    images: Iterable[Compared] = (compared(*pair, protocol) for pair in _named_once(pairs))
    common = None
    if protocol.align == "one_factor":
        images = list(images)
        common = float(np.median([image.ratio for image in images])) if images else None
    rows = tuple(row for image in images for row in _rows(image, protocol, common))
    if not rows:
        raise KinedepthError(
            f"There is no image to evaluate under {protocol.name}; check the list and the folders."
        )
    return Table(protocol, rows)


def _named_once(pairs: Iterable[Pair]) -> Iterator[Pair]:
    seen: set[str] = set()
    for pair in pairs:
        if pair[0] in seen:
            raise KinedepthError(f"{pair[0]} is listed twice; every image counts once.")
        seen.add(pair[0])
        yield pair


def _rows(image: Compared, protocol: Protocol, common: float | None) -> Iterator[Row]:
    own = image.ratio if protocol.align == "median" else 1.0
    factor = own if common is None else common
    for region, errors in region_errors(image, factor, protocol.clamp).items():
        pixels = int(image.regions[region].sum())
        yield Row(image.name, region, pixels, image.ratio, protocol.factor * factor, errors)
