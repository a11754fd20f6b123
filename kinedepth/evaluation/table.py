"""The table of an evaluation: a row for each image and region, their means, the protocol above."""

import csv
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rich.box
import rich.table
from jaxtyping import Float
from rich.console import Console
from rich.markup import escape

from kinedepth.errors import KinedepthError
from kinedepth.evaluation.depth import HIGHER_IS_BETTER, METRICS
from kinedepth.evaluation.protocol import WHOLE, Protocol
from kinedepth.inference.whole import whole_file


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

    def of(self, region: str = WHOLE) -> tuple[Row, ...]:
        """The rows of the images that have pixels in the region."""
        return tuple(row for row in self.rows if row.region == region)

    def values(self, metric: str, region: str = WHOLE) -> Float[np.ndarray, " n"]:
        """One metric, image by image."""
        return np.array([row.errors[metric] for row in self.of(region)], dtype=np.float64)

    def mean(self, region: str = WHOLE) -> dict[str, float]:
        """Every metric, averaged over the images that have pixels in the region; nan where none has."""
        rows = self.of(region)
        return {name: float(np.mean(self.values(name, region))) if rows else float("nan") for name in METRICS}

    def interval(self, metric: str, region: str = WHOLE) -> tuple[float, float]:
        """The 95 % bootstrap interval of a mean; too narrow where images are neighbours in one drive."""
        return bootstrap_interval(self.values(metric, region))

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
            "rows": [asdict(row) for row in self.rows],
        }

    def _region_summary(self, region: str) -> dict[str, Any]:
        images = len(self.of(region))
        mean = {name: value if images else None for name, value in self.mean(region).items()}
        intervals = {name: self.interval(name, region) for name in METRICS} if images else {}
        return {"images": images, "mean": mean, "interval_95": intervals}

    def write_csv(self, path: Path, overwrite: bool = False) -> None:
        """A line for each image and region; whole or absent.

        Raises:
            KinedepthError: the file exists and may not be overwritten, or cannot be written.
        """
        if path.exists() and not overwrite:
            raise KinedepthError(f"{path} exists; choose another name or allow overwriting.")
        with whole_file(path) as draft, draft.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows(self._csv_lines())

    def _csv_lines(self) -> list[list[object]]:
        header = ["name", "region", *METRICS, "pixels", "ratio", "factor", "protocol", "alignment"]
        stamp = [self.protocol.name, self.protocol.alignment]
        lines = [
            [
                row.name,
                row.region,
                *(row.errors[name] for name in METRICS),
                row.pixels,
                row.ratio,
                row.factor,
                *stamp,
            ]
            for row in self.rows
        ]
        return [list[object](header), *lines]

    def print(self, console: Console, label: str = "prediction") -> None:
        """The means in the field's order, below the protocol and above the number of images."""
        print_tables({label: self}, console)


def bootstrap_interval(
    values: Float[np.ndarray, " n"], draws: int = 1000, seed: int = 0
) -> tuple[float, float]:
    """The 2.5th and 97.5th percentile of the mean, over images drawn anew with replacement.

    Source: Efron 1979.
    """
    picks = np.random.default_rng(seed).integers(len(values), size=(draws, len(values)))
    low, high = np.percentile(values[picks].mean(axis=1), (2.5, 97.5))
    return float(low), float(high)


def print_tables(tables: Mapping[str, Table], console: Console) -> None:
    """One table with a line for each predictor and region.

    Raises:
        KinedepthError: the predictors were judged by different protocols or on different images.
    """
    first = _comparable(tables)
    by_region = first.protocol.regions != (WHOLE,)
    printed = rich.table.Table(box=rich.box.MINIMAL, pad_edge=False)
    for name in ["", "region"] if by_region else [""]:
        printed.add_column(name, overflow="fold")
    for name in [*METRICS, "images"] if by_region else METRICS:
        printed.add_column(name, justify="right", no_wrap=True)
    for region in first.protocol.regions:
        for label, table in tables.items():
            printed.add_row(*_cells(label, table, region, by_region))
    console.print(str(first.protocol), highlight=False, markup=False)
    console.print(printed)
    for label, table in tables.items():
        console.print(f"{label}: {table.caption()}", highlight=False, markup=False)


def _cells(label: str, table: Table, region: str, by_region: bool) -> list[str]:
    images = len(table.of(region))
    means = [f"{value:.3f}" if images else "-" for value in table.mean(region).values()]
    # Names may hold brackets, which rich would read as styles.
    return [escape(label), region, *means, str(images)] if by_region else [escape(label), *means]


def losses_to(
    tables: Mapping[str, Table], label: str, metric: str = "abs_rel", region: str = WHOLE
) -> list[str]:
    """The predictors that are at least as good as `label`; a model that loses to a baseline says so.

    Raises:
        KinedepthError: the predictors were judged by different protocols or on different images.
    """
    _comparable(tables)
    sign = -1 if metric in HIGHER_IS_BETTER else 1
    score = {name: sign * table.mean(region)[metric] for name, table in tables.items()}
    return [name for name in tables if name != label and score[name] <= score[label]]


def _comparable(tables: Mapping[str, Table]) -> Table:
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
