"""Errors image by image and their maps, as parts of a report."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float

from kinedepth.evaluation.output import MARK, MODEL
from kinedepth.reporting.reading import facts, mapping_of, number_of, picture, rows
from kinedepth.reporting.words import OURS, decimal, plain
from kinedepth.visualize.panels import WORST_ERROR
from kinedepth.visualize.report.charts import LINES, Labels, Line, drawn_lines
from kinedepth.visualize.report.content import (
    Block,
    Cell,
    Chart,
    Charts,
    Group,
    Key,
    Photo,
    Photos,
    Prose,
    Row,
    Section,
    Table,
)

Values = Float[np.ndarray, " n"]
WORST = 5
MOST_MAPS = 6
_NOT_METRICS = ("name", "region", "pixels", "ratio", "factor", "protocol", "alignment")


def section(folder: Path) -> Section | None:
    """Sorted errors, the worst images by name, the error maps; None where there is none of them."""
    blocks = [*_sorted_errors(folder), *_maps(folder)]
    return Section("errors", "Errors image by image", tuple(blocks)) if blocks else None


def _sorted_errors(folder: Path) -> Iterator[Block]:
    own = [row for row in rows(folder / "images.csv") if row.get("region", "whole") == "whole"]
    metric = next((name for name in (own[0] if own else {}) if name not in _NOT_METRICS), "")
    kept = [row for row in own if number_of(row.get(metric)) is not None]
    if not kept:
        return
    values = {OURS: _values(row[metric] for row in kept), **_others(folder, metric)}
    yield Charts((_sorted_chart(values, metric),))
    worst = sorted(kept, key=lambda row: -float(row[metric]))[:WORST]
    yield _worst_table(worst, [name for name in kept[0] if name not in _NOT_METRICS], metric)


def _values(found: Iterator[object] | Sequence[object]) -> Values:
    numbers = [number for number in map(number_of, found) if number is not None]
    return np.sort(np.array(numbers, dtype=np.float64))


def _others(folder: Path, metric: str) -> dict[str, Values]:
    """The same errors of the rows beside the model."""
    found = {}
    for label, table in facts(folder / "table.json").items():
        entries = mapping_of(table).get("rows")
        whole = [
            row for row in entries or [] if isinstance(row, dict) and row.get("region", "whole") == "whole"
        ]
        values = _values([mapping_of(row.get("errors")).get(metric) for row in whole])
        if label != MODEL and len(values):
            found[label] = values
    return dict(list(found.items())[: LINES - 1])


def _sorted_chart(values: Mapping[str, Values], metric: str) -> Chart:
    drawn = [
        Line(np.linspace(0.0, 1.0, len(each)) if len(each) > 1 else np.ones(1), each, number)
        for number, each in enumerate(values.values())
    ]
    keys = tuple(Key(label, number) for number, label in enumerate(values))
    own = values[OURS]
    alt = (
        f"{metric} of {len(own)} images: best {own[0]:.3f}, median {np.median(own):.3f}, worst {own[-1]:.3f}"
    )
    svg = drawn_lines(drawn, Labels("share of images that are at least as good", metric))
    return Chart(f"{metric} of every image, from the best to the worst", svg, alt + ".", keys, alt + ".")


def _worst_table(worst: Sequence[Mapping[str, str]], metrics: list[str], by: str) -> Table:
    lines = tuple(
        Row(row.get("name", "–"), tuple(Cell(decimal(row.get(name))) for name in metrics)) for row in worst
    )
    return Table(f"The worst images by {by}.", "image", tuple(metrics), (Group("", lines),))


def _maps(folder: Path) -> Iterator[Block]:
    listed = facts(folder / MARK).get("error_maps")
    entries = [mapping_of(entry) for entry in listed] if isinstance(listed, list) else []
    known = {str(entry.get("file")): entry for entry in entries}
    found = sorted((*folder.glob("error_worst*.png"), *folder.glob("error_median*.png")), key=_worst_first)
    photos = (_map(path, known.get(path.name, {})) for path in found[:MOST_MAPS])
    kept = tuple(each for each in photos if each is not None)
    if kept:
        yield Prose(
            "Relative error |prediction − truth| / truth; the dimmed picture shows where there is no truth."
        )
        yield Photos(kept, error_scale=f"{WORST_ERROR:g}")


def _worst_first(path: Path) -> tuple[bool, int]:
    rank = path.stem.rpartition("_")[2]
    return path.stem.startswith("error_median"), int(rank) if rank.isdecimal() else 1


def _map(path: Path, entry: Mapping[str, object]) -> Photo | None:
    """A map under the image's name, where the evaluation tells it."""
    place = path.stem.removeprefix("error_").replace("_", " number ")
    errors = [
        f"{name} {decimal(value)}" for name, value in entry.items() if name not in ("file", "name", "rank")
    ]
    who = (
        f"{plain(entry['name'])} ({', '.join([place, *errors])})" if "name" in entry else f"The {place} image"
    )
    caption = f"{who}: picture, prediction, truth, and relative error."
    return picture(path, caption, caption, 1000)
