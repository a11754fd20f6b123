"""A predictor over images with measured depth: a table for it, and one for every baseline on the same images.

Depth is predicted as in training, from the network's own input, and inverse depth is brought to the size
of the truth in one step: so do the published evaluations.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from kinedepth.data.frames import picture_size
from kinedepth.data.loading import batches
from kinedepth.data.moments import Moment
from kinedepth.data.samples import Samples
from kinedepth.errors import KinedepthError
from kinedepth.evaluation import baselines
from kinedepth.evaluation.benchmark import Pair, evaluate_depth
from kinedepth.evaluation.depth import Map, Regions
from kinedepth.evaluation.output import MODEL as MODEL
from kinedepth.evaluation.protocol import WHOLE, Alignment, Protocol
from kinedepth.evaluation.table import Table, losses_to
from kinedepth.evaluation.truth import judgeable
from kinedepth.inference.clips import chunks
from kinedepth.inference.predictor import Predictor

Guess = Callable[[Sequence[Moment]], Iterable[Map]]
"""Inverse depth (1/m or up to scale) of every image, of any size."""

Progress = Callable[[int], None]
"""Is told how many further images are done."""

_TOGETHER = 16
"""Images whose truth is in memory at a time."""


def by_predictor(predictor: Predictor, batch: int = 4) -> Guess:
    """What a predictor says, in its own unit (1/m if it is metric), at the network's size."""

    def guess(moments: Sequence[Moment]) -> Iterator[Map]:
        samples = Samples(moments, predictor.method.predicts_from, predictor.size)
        names = (moment.name for moment in moments)
        for sample in batches(samples, batch, shuffle=False, drop_last=False):
            inverse = predictor.inverse_depth(sample.to(predictor.device))
            for each in (inverse[:, 0] / predictor.unit.factor).cpu().numpy():
                yield _finite(next(names), each)

    return guess


def _finite(name: str, inverse: Map) -> Map:
    if not np.isfinite(inverse).all():
        raise KinedepthError(
            f"{name}: the network gives depth that is not finite; its checkpoint is damaged."
        )
    return inverse


def by_constant(depth: float | int = 1.0) -> Guess:
    """The same depth everywhere."""
    return lambda moments: (baselines.constant_depth((1, 1), depth) for _ in moments)


def by_flat_ground(camera_height: float | int) -> Guess:
    """A level road `camera_height` meters below a level camera, as the camera of each image sees it."""
    return lambda moments: (_ground(moment, camera_height) for moment in moments)


def _ground(moment: Moment, camera_height: float | int) -> Map:
    known = moment.calibration
    size = picture_size(moment.target.path) if known.normalized else (known.height, known.width)
    return baselines.flat_ground(size, known.camera(size), camera_height)


def by_map(inverse_depth: Map) -> Guess:
    """One map for every image, the mean of the training depth for instance."""
    return lambda moments: (inverse_depth for _ in moments)


def remembered(guess: Guess, folder: Path) -> Guess:
    """The same guess, asked once for each image; what it said lies in `folder` from then on."""
    places: dict[str, Path] = {}

    def recall(moments: Sequence[Moment]) -> Iterator[Map]:
        fresh = iter(guess([moment for moment in moments if moment.name not in places]))
        for moment in moments:
            if moment.name in places:
                yield np.load(places[moment.name], allow_pickle=False)
                continue
            inverse = next(fresh)
            place = folder / f"{len(places)}.npy"
            np.save(place, inverse, allow_pickle=False)
            places[moment.name] = place
            yield inverse

    return recall


def median_scaled(guess: Guess) -> Guess:
    """Each prediction scaled so that the median of its depth is 1: the adaptive depth range.

    D' = D m / median(D) with m = 1; under one factor for the set, m changes nothing. The median is over the
    whole map as it was predicted.
    """

    def scaled(moments: Sequence[Moment]) -> Iterator[Map]:
        for moment, inverse in zip(moments, guess(moments), strict=True):
            middle = float(np.nanmedian(inverse.astype(np.float64)))
            if not middle > 0:
                raise KinedepthError(f"{moment.name}: the median of the prediction is no depth.")
            yield inverse / middle

    return scaled


@dataclass(frozen=True)
class Judged:
    """Tables of one protocol on the same images, and what was left out."""

    tables: dict[str, Table]
    left_out: tuple[str, ...]
    """Images without a pixel of truth that counts."""
    aligned: dict[str, Table] = field(default_factory=dict)
    """The model alone under several alignments, by their words."""


def depth_tables(
    moments: Sequence[Moment],
    protocol: Protocol,
    guesses: Mapping[str, Guess],
    progress: Progress | None = None,
) -> Judged:
    """A table for each guess; `progress` is told how many images are done.

    One factor for all images needs all ratios first, so that images are then read and guessed twice.

    Raises:
        KinedepthError: an image or its truth cannot be read, or none of them has truth that counts.
    """
    if protocol.align != "one_factor":
        return _one_pass(moments, protocol, guesses, {}, progress)
    first = _one_pass(moments, protocol.aligned("median", protocol.factor), guesses, {}, progress)
    common = {label: table.ratio_median for label, table in first.tables.items()}
    return _one_pass(moments, protocol, guesses, common, progress)


def alignments(
    moments: Sequence[Moment],
    main: Table,
    guess: Guess,
    wanted: Sequence[Alignment],
    progress: Progress | None = None,
) -> dict[str, Table]:
    """The table of one guess under each alignment; `main`, its table under one of them, gives the ratios."""
    found = {}
    for align in wanted:
        protocol = main.protocol.aligned(align, main.protocol.factor)
        table = main
        if align != main.protocol.align:
            common = {MODEL: main.ratio_median}
            table = _one_pass(moments, protocol, {MODEL: guess}, common, progress).tables[MODEL]
        found[protocol.alignment] = table
    return found


def _one_pass(
    moments: Sequence[Moment],
    protocol: Protocol,
    guesses: Mapping[str, Guess],
    common: Mapping[str, float],
    progress: Progress | None,
) -> Judged:
    """The truth of each image is read once, for all guesses."""
    tables: dict[str, list[Table]] = {label: [] for label in guesses}
    left_out: list[str] = []
    for group in chunks(moments, _TOGETHER):
        known = [(moment, truth) for moment in group if (truth := judgeable(moment, protocol)) is not None]
        seen = [moment for moment, _ in known]
        left_out += [moment.name for moment in group if moment not in seen]
        for label, guess in guesses.items():
            if seen:
                pairs = _pairs(known, guess(seen))
                tables[label].append(evaluate_depth(pairs, protocol, common.get(label)))
        if progress is not None:
            progress(len(group))
    if len(left_out) == len(moments):
        raise KinedepthError(
            f"No image has truth that counts under {protocol.name}; check the folder of the truth."
        )
    joined = {label: _joined(protocol, parts) for label, parts in tables.items()}
    return Judged(joined, tuple(left_out))


def _joined(protocol: Protocol, parts: Sequence[Table]) -> Table:
    rows = tuple(row for part in parts for row in part.rows)
    return Table(protocol, rows, tuple(row for part in parts for row in part.details))


def _pairs(known: Iterable[tuple[Moment, tuple[Map, Regions]]], guessed: Iterable[Map]) -> Iterator[Pair]:
    for (moment, (truth, regions)), inverse in zip(known, guessed, strict=True):
        yield moment.name, inverse, truth, regions


def verdict(tables: Mapping[str, Table], region: str = WHOLE, metric: str = "abs_rel") -> str:
    """Which of the other rows the model beats and to which it loses, in one sentence."""
    if not tables[MODEL].of(region):
        return f"{region}: no image has such pixels."
    value = {label: table.mean(region)[metric] for label, table in tables.items()}
    lost = losses_to(tables, MODEL, metric, region)
    beaten = [label for label in tables if label not in (MODEL, *lost)]
    parts = []
    if beaten:
        parts.append(f"beats {_named(beaten, value)}")
    if lost:
        parts.append(f"LOSES to {_named(lost, value)}")
    return f"{region}: the model ({metric} {value[MODEL]:.3f}) {' and '.join(parts) or 'stands alone'}."


def _named(labels: Sequence[str], value: Mapping[str, float]) -> str:
    return ", ".join(f"{label} ({value[label]:.3f})" for label in labels)
