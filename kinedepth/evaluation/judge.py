"""A predictor over images with measured depth: a table for it, and one for every baseline on the same images.

Depth is predicted as in training, from the network's own input, and inverse depth is brought to the size
of the truth in one step: so do the published evaluations.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from kinedepth.data.frames import picture_size, read_labels
from kinedepth.data.loading import batches
from kinedepth.data.moments import Moment, Truth
from kinedepth.data.samples import Samples, read_truth
from kinedepth.errors import KinedepthError
from kinedepth.evaluation import baselines
from kinedepth.evaluation.benchmark import Pair, evaluate_depth
from kinedepth.evaluation.depth import Map, Regions, counted
from kinedepth.evaluation.protocol import SYNTHETIC, WHOLE, Protocol
from kinedepth.evaluation.table import Row, Table, losses_to
from kinedepth.inference.clips import chunks
from kinedepth.inference.predictor import Predictor

Guess = Callable[[Sequence[Moment]], Iterable[Map]]
"""Inverse depth (1/m or up to scale) of every image, of any size."""

MODEL = "model"
"""The label of the model that is judged, in every table."""
_TOGETHER = 16
"""Images whose truth is in memory at a time."""


def by_predictor(predictor: Predictor, batch: int = 4) -> Guess:
    """What a predictor says, in its own unit (1/m if it is metric), at the network's size."""

    def guess(moments: Sequence[Moment]) -> Iterator[Map]:
        samples = Samples(moments, predictor.method.predicts_from, predictor.size)
        for sample in batches(samples, batch, shuffle=False, drop_last=False):
            inverse = predictor.inverse_depth(sample.to(predictor.device))
            yield from (inverse[:, 0] / predictor.unit.factor).cpu().numpy()

    return guess


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


def regions_of(truth: Truth, protocol: Protocol) -> Regions:
    """The masks of the protocol's regions, from the labels that lie in the file of the truth.

    Raises:
        KinedepthError: the file holds no mask of what moves.
    """
    if protocol.regions != SYNTHETIC.regions:
        return {}
    moving = read_labels(truth.path, None, "moving").astype(bool)
    return {"dynamic objects": moving, "background": ~moving}


@dataclass(frozen=True)
class Judged:
    """Tables of one protocol on the same images, and what was left out."""

    tables: dict[str, Table]
    left_out: tuple[str, ...]
    """Images without a pixel of truth that counts."""


def depth_tables(
    moments: Sequence[Moment],
    protocol: Protocol,
    guesses: Mapping[str, Guess],
    progress: Callable[[int], None] | None = None,
) -> Judged:
    """A table for each guess; `progress` is told how many images are done. The truth of each is read once.

    Raises:
        KinedepthError: an image or its truth cannot be read, or none of them has truth that counts.
    """
    rows: dict[str, list[Row]] = {label: [] for label in guesses}
    left_out: list[str] = []
    # One factor for all images needs all of them at once.
    together = max(1, len(moments)) if protocol.align == "one_factor" else _TOGETHER
    for group in chunks(moments, together):
        known = [(moment, truth) for moment in group if (truth := _truth(moment, protocol)) is not None]
        seen = [moment for moment, _ in known]
        left_out += [moment.name for moment in group if moment not in seen]
        for label, guess in guesses.items():
            if seen:
                rows[label] += evaluate_depth(_pairs(known, guess(seen)), protocol).rows
        if progress is not None:
            progress(len(group))
    if len(left_out) == len(moments):
        raise KinedepthError(
            f"No image has truth that counts under {protocol.name}; check the folder of the truth."
        )
    return Judged({label: Table(protocol, tuple(rows[label])) for label in guesses}, tuple(left_out))


def _truth(moment: Moment, protocol: Protocol) -> tuple[Map, Regions] | None:
    """Measured depth with its regions; None where nothing counts."""
    if moment.truth is None:
        return None
    depth = read_truth(moment.truth)[0].numpy()
    return (depth, regions_of(moment.truth, protocol)) if counted(depth, protocol).any() else None


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
