"""What the errors of an image look like: picture, prediction, truth, and where the prediction is wrong."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from PIL import Image

from kinedepth.data.moments import Moment
from kinedepth.evaluation.depth import Map, counted, resized
from kinedepth.evaluation.judge import Guess
from kinedepth.evaluation.table import Row, Table
from kinedepth.evaluation.truth import measured, picture_of
from kinedepth.visualize.colors import color_limits, colored_depth
from kinedepth.visualize.panels import WORST_ERROR, Picture, error_map, strip

HowMany = int | Literal["all"]
WORST = 5
"""Images that are drawn without being asked for."""
FOLDER = "errors"
"""Where the map of every image lies, if all are wanted."""
_SPARSE = 0.3
"""A truth that fills less of the picture is drawn with larger dots."""
_NARROWEST = 480
"""Pixels across which the label of an error map fits."""


class Drawn(NamedTuple):
    """One image that is drawn."""

    row: Row
    file: str
    """Below the folder of the evaluation."""
    rank: int
    """1 is the worst image."""


def ranked(table: Table) -> list[Row]:
    """The images of a table, best first, by the protocol's first metric."""
    return sorted(table.of(), key=lambda row: row.errors[table.protocol.metrics[0]])


def worst_and_median(table: Table) -> dict[str, Row]:
    """The images that are worth a look."""
    rows = ranked(table)
    return {"worst": rows[-1], "median": rows[(len(rows) - 1) // 2]}


def drawn(table: Table, how_many: HowMany = WORST) -> list[Drawn]:
    """Which images are drawn, and into which files: the worst and the median, or also all of them.

    error_worst.png, error_worst_2.png, ..., error_median.png, and errors/<rank>_<name>.png for all.
    """
    rows = ranked(table)[::-1]
    count = WORST if how_many == "all" else how_many
    names = ["error_worst.png", *(f"error_worst_{rank}.png" for rank in range(2, count + 1))][:count]
    found = [Drawn(row, name, rank) for rank, (row, name) in enumerate(zip(rows, names, strict=False), 1)]
    middle = len(rows) // 2
    if how_many != 0:
        found.append(Drawn(rows[middle], "error_median.png", middle + 1))
    if how_many == "all":
        found += [
            Drawn(row, f"{FOLDER}/{rank:04d}_{row.name.replace('/', '_')}.png", rank)
            for rank, row in enumerate(rows, 1)
        ]
    return found


def write_error_maps(
    folder: Path, wanted: Sequence[Drawn], moments: Sequence[Moment], model: Guess, table: Table
) -> None:
    """Draws every wanted image into `folder`; each is predicted once more."""
    by_name = {moment.name: moment for moment in moments}
    if any(each.file.startswith(FOLDER) for each in wanted):
        (folder / FOLDER).mkdir()
    for each, inverse in _predicted(wanted, by_name, model):
        picture = error_strip(by_name[each.row.name], each.row, inverse, table)
        Image.fromarray(picture).save(folder / each.file)


def _predicted(
    wanted: Sequence[Drawn], by_name: dict[str, Moment], model: Guess
) -> Iterator[tuple[Drawn, Map]]:
    for each in wanted:
        yield each, next(iter(model([by_name[each.row.name]])))


def error_strip(moment: Moment, row: Row, inverse_depth: Map, table: Table) -> Picture:
    """The picture, the prediction and the truth in the colors of the truth, and the relative error."""
    assert moment.truth is not None
    truth = measured(moment.truth)
    size = (truth.shape[0], truth.shape[1])
    protocol, metric = table.protocol, table.protocol.metrics[0]
    with np.errstate(divide="ignore"):
        full = resized(inverse_depth, size, protocol.resize).astype(np.float64)
        predicted = np.clip(row.factor / full, *protocol.clamp)
    picture = picture_of(moment, size)
    image = np.zeros((*size, 3), dtype=np.uint8) if picture is None else picture
    judged = np.where(counted(truth, protocol), truth, 0.0)
    limits = color_limits(np.divide(1.0, truth, out=np.zeros(size), where=truth > 0))
    dot = 1 if np.mean(judged > 0) > _SPARSE else max(2, size[1] // 400)
    title = row.name if picture is not None else f"{row.name} (no picture)"
    panels = [
        (title, _enlarged(image)),
        ("prediction, aligned as in the table", colored_depth(predicted, limits)),
        ("truth", colored_depth(truth.astype(np.float64), limits)),
        (
            f"relative error, blue 0 to red {WORST_ERROR:g}: {metric} {row.errors[metric]:.3f}",
            error_map(predicted, judged, image, dot=dot),
        ),
    ]
    return strip(panels, columns=2 if size[1] < 2 * size[0] else 1)


def _enlarged(picture: Picture) -> Picture:
    """A small picture with its pixels repeated, so that labels fit; the others follow the first."""
    times = -(-_NARROWEST // picture.shape[1])
    return picture.repeat(times, axis=0).repeat(times, axis=1)
