"""The table of an evaluation: a row for each image and region, their means, the protocol above."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int

from kinedepth.errors import KinedepthError
from kinedepth.evaluation.depth import HIGHER_IS_BETTER
from kinedepth.evaluation.protocol import WHOLE, Protocol, band_name

ENOUGH_SEQUENCES = 5
"""From so many drives on, whole drives are drawn for an interval; fewer say too little."""


@dataclass(frozen=True)
class Row:
    """One image in one region."""

    name: str
    region: str
    pixels: int
    """How many were compared."""
    ratio: float
    """median(truth) / median(prediction) of the whole image, before the alignment."""
    factor: float
    """What the prediction was multiplied by."""
    errors: dict[str, float]


@dataclass(frozen=True)
class Table:
    """The errors of a predictor under one protocol. Means are over images, never over pixels."""

    protocol: Protocol
    rows: tuple[Row, ...]
    """Every image in every region of the protocol."""
    details: tuple[Row, ...] = ()
    """Every image by class and by true depth; the scale is that of the whole image."""

    def of(self, region: str = WHOLE) -> tuple[Row, ...]:
        """The rows of the images that have pixels in the region, class or range of depth."""
        known = self.rows if region in self.protocol.regions else self.details
        return tuple(row for row in known if row.region == region)

    @property
    def detailed(self) -> tuple[str, ...]:
        """The classes and ranges of depth that occur, in the protocol's order."""
        found = {row.region for row in self.details}
        known = (*self.protocol.classes, *(band_name(band) for band in self.protocol.bands))
        return tuple(name for name in known if name in found)

    def values(self, metric: str, region: str = WHOLE) -> Float[np.ndarray, " n"]:
        """One metric, image by image."""
        return np.array([row.errors[metric] for row in self.of(region)], dtype=np.float64)

    def mean(self, region: str = WHOLE) -> dict[str, float]:
        """Every metric, averaged over the images that have pixels in the region; nan where none has."""
        rows = self.of(region)
        metrics = self.protocol.metrics
        return {name: float(np.mean(self.values(name, region))) if rows else float("nan") for name in metrics}

    def interval(self, metric: str, region: str = WHOLE) -> tuple[float, float]:
        """The 95 % bootstrap interval of a mean: over drives where there are enough, else over images."""
        groups = _sequences(self.of(region))
        whole_drives = len(set(_sequences(self.of()))) >= ENOUGH_SEQUENCES
        drawn = np.unique(groups, return_inverse=True)[1] if whole_drives and groups else None
        return bootstrap_interval(self.values(metric, region), groups=drawn)

    @property
    def interval_note(self) -> str:
        """What the intervals were drawn over, and whether to trust them."""
        sequences, images = len(set(_sequences(self.of()))), len(self.of())
        if sequences >= ENOUGH_SEQUENCES:
            return f"bootstrap over the {sequences} drives"
        if not sequences or sequences == images:
            return "bootstrap over the images"
        drives = "one drive" if sequences == 1 else f"{sequences} drives"
        return (
            f"bootstrap over the images, too narrow: they come from {drives}, where neighbours are alike "
            f"(drives are drawn from {ENOUGH_SEQUENCES} on)"
        )

    @property
    def ratios(self) -> Float[np.ndarray, " n"]:
        """median(truth) / median(prediction) of each image."""
        return np.array([row.ratio for row in self.of()], dtype=np.float64)

    @property
    def ratio_median(self) -> float:
        """The median of the ratios."""
        return float(np.median(self.ratios))

    @property
    def ratio_spread(self) -> float:
        """The standard deviation of the ratios, divided by their median: how much the scale wanders."""
        return float(np.std(self.ratios / self.ratio_median))

    def ratio_line(self) -> str:
        """The ratios as the field prints them."""
        return f"Scaling ratios | med: {self.ratio_median:0.3f} | std: {self.ratio_spread:0.3f}"

    def caption(self) -> str:
        """How many images, and how the scale behaved."""
        images = len(self.of())
        published = self.protocol.images
        of = "" if published in (None, images) else f" of the {published} published"
        applied = " (not applied)" if self.protocol.align == "none" else ""
        return f"{images} image{'s' if images > 1 else ''}{of} · {self.ratio_line()}{applied}"

    def latex(self, region: str = WHOLE) -> str:
        """The mean row as papers paste it."""
        return " & ".join(f"{value:.3f}" for value in self.mean(region).values()) + r" \\"

    def to_dict(self) -> dict[str, Any]:
        """All of it as plain values, for a JSON file."""
        return {
            "protocol": asdict(self.protocol) | {"alignment": self.protocol.alignment},
            "images": len(self.of()),
            "ratio_median": self.ratio_median,
            "ratio_spread": self.ratio_spread,
            "regions": {region: self._region_summary(region) for region in self.protocol.regions},
            "details": {
                label: {"images": len(self.of(label)), "mean": self.mean(label)} for label in self.detailed
            },
            "interval_95": self.interval_note,
            "rows": [asdict(row) for row in self.rows],
        }

    def _region_summary(self, region: str) -> dict[str, Any]:
        images = len(self.of(region))
        mean = {name: value if images else None for name, value in self.mean(region).items()}
        metrics = self.protocol.metrics
        intervals = {name: self.interval(name, region) for name in metrics} if images else {}
        return {"images": images, "mean": mean, "interval_95": intervals}

    def csv_lines(self, rows: tuple[Row, ...]) -> list[list[object]]:
        """Some of the rows as lines of values, with the headings first."""
        metrics = self.protocol.metrics
        header = ["name", "region", *metrics, "pixels", "ratio", "factor", "protocol", "alignment"]
        stamp = [self.protocol.name, self.protocol.alignment]
        lines = [
            [
                row.name,
                row.region,
                *(row.errors[name] for name in metrics),
                row.pixels,
                row.ratio,
                row.factor,
                *stamp,
            ]
            for row in rows
        ]
        return [list[object](header), *lines]


def _sequences(rows: tuple[Row, ...]) -> list[str]:
    """The drive of each image, by the folder in its name; nothing where a name has none."""
    found = [row.name.rpartition("/")[0] for row in rows]
    return found if all(found) else []


def bootstrap_interval(
    values: Float[np.ndarray, " n"],
    draws: int = 1000,
    seed: int = 0,
    groups: Int[np.ndarray, " n"] | None = None,
) -> tuple[float, float]:
    """The 2.5th and 97.5th percentile of the mean, over images drawn anew with replacement.

    With `groups` (a number from 0 for each image, without gaps) whole groups are drawn, so that neighbours
    of one drive do not count as independent. Source: Efron 1979; Davison and Hinkley 1997, section 3.8.
    """
    labels = np.arange(len(values)) if groups is None else groups
    sums, counts = np.bincount(labels, values), np.bincount(labels)
    picks = np.random.default_rng(seed).integers(len(sums), size=(draws, len(sums)))
    means = sums[picks].sum(axis=1) / counts[picks].sum(axis=1)
    low, high = np.percentile(means, (2.5, 97.5))
    return float(low), float(high)


def losses_to(
    tables: Mapping[str, Table], label: str, metric: str = "abs_rel", region: str = WHOLE
) -> list[str]:
    """The predictors that are at least as good as `label`; a model that loses to a baseline says so.

    Raises:
        KinedepthError: the predictors were judged by different protocols or on different images.
    """
    comparable(tables)
    sign = -1 if metric in HIGHER_IS_BETTER else 1
    score = {name: sign * table.mean(region)[metric] for name, table in tables.items()}
    return [name for name in tables if name != label and score[name] <= score[label]]


def comparable(tables: Mapping[str, Table]) -> Table:
    """The first of the tables, once it is known that they can stand side by side.

    Raises:
        KinedepthError: the predictors were judged by different protocols or on different images.
    """
    first_label, first = next(iter(tables.items()))
    for label, table in tables.items():
        if table.protocol != first.protocol:
            raise KinedepthError(
                f"{label} and {first_label} were judged by different protocols; judge both by one."
            )
        if [row.name for row in table.of()] != [row.name for row in first.of()]:
            raise KinedepthError(
                f"{label} and {first_label} were judged on different images; judge both on the same."
            )
    return first
