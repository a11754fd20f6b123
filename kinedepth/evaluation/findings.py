"""What an evaluation leaves behind: one folder, whole or absent.

evaluation.json   what was judged, by which protocol, with which command; every mean
table.json        every row of every table
images.csv        the model, image by image; details.csv: by class and by true depth
worst.csv         the worst images, and which picture shows them
error_worst.png, error_worst_2.png, ..., error_median.png      picture, prediction, truth, relative error
errors/           the same of every image, if asked for
path_<sequence>.png, .txt   the predicted path beside the measured one; its poses as KITTI writes them
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kinedepth.data.moments import Moment
from kinedepth.evaluation.error_maps import WORST, Drawn, HowMany, drawn, ranked, write_error_maps
from kinedepth.evaluation.judge import MODEL, Guess, Judged
from kinedepth.evaluation.output import MARK, write_csv
from kinedepth.evaluation.path_drawing import from_above, write_path
from kinedepth.evaluation.table import Table
from kinedepth.evaluation.tracks import PathErrors
from kinedepth.inference.notes import write_json
from kinedepth.inference.whole import whole_folder

LISTED = 20
"""Lines of worst.csv."""


@dataclass(frozen=True)
class Findings:
    """All that was found out about a model."""

    note: Mapping[str, Any]
    """What was judged and how, for evaluation.json."""
    depth: Judged | None = None
    paths: Mapping[str, Sequence[PathErrors]] = field(default_factory=dict)
    error_maps: HowMany = WORST
    """How many of the worst images are drawn beside the median one."""


def write_findings(
    folder: Path,
    found: Findings,
    moments: Sequence[Moment],
    model: Guess,
    source: Path,
    overwrite: bool = False,
) -> list[str]:
    """Writes everything into `folder`, whole or not at all; gives the names of the files.

    Raises:
        KinedepthError: the folder exists and may not be overwritten, holds something else than an
            evaluation, or holds the source.
    """
    with whole_folder(folder, overwrite=overwrite, source=source, mark=MARK) as draft:
        if found.depth is not None:
            _write_depth(draft, found, moments, model)
        for path in found.paths.get(MODEL, ()):
            drawing = from_above(path.predicted, path.measured)
            write_path(draft, path.sequence, path.predicted, path.measured, drawing)
        write_json(draft / MARK, _summary(found))
        return sorted(entry.name for entry in draft.iterdir())


def _write_depth(draft: Path, found: Findings, moments: Sequence[Moment], model: Guess) -> None:
    assert found.depth is not None
    judged, table = found.depth, found.depth.tables[MODEL]
    content = {label: each.to_dict() for label, each in judged.tables.items()}
    write_json(draft / "table.json", content)
    write_csv(draft / "images.csv", table.csv_lines(table.rows))
    if table.details:
        write_csv(draft / "details.csv", table.csv_lines(table.details))
    wanted = drawn(table, found.error_maps)
    _write_worst(draft / "worst.csv", table, wanted)
    write_error_maps(draft, wanted, moments, model, table)


def _write_worst(path: Path, table: Table, wanted: Sequence[Drawn]) -> None:
    maps = {each.row.name: each.file for each in reversed(wanted)}
    metrics = table.protocol.metrics
    lines = [
        [rank, row.name, *(row.errors[metric] for metric in metrics), row.pixels, maps.get(row.name, "")]
        for rank, row in enumerate(ranked(table)[::-1][:LISTED], 1)
    ]
    write_csv(path, [["rank", "name", *metrics, "pixels", "error_map"], *lines])


def _summary(found: Findings) -> dict[str, Any]:
    summary = dict(found.note)
    if found.depth is not None:
        tables = found.depth.tables
        summary["means"] = {
            label: {region: table.mean(region) for region in table.protocol.regions if table.of(region)}
            for label, table in tables.items()
        }
        summary["left_out"] = list(found.depth.left_out)
        summary |= _about_model(found)
    if found.paths:
        summary["odometry"] = {
            label: [each.as_json() for each in paths] for label, paths in found.paths.items()
        }
    return summary


def _about_model(found: Findings) -> dict[str, Any]:
    """Alignments side by side, intervals, classes and ranges, and the images that are drawn."""
    assert found.depth is not None
    table = found.depth.tables[MODEL]
    regions = [region for region in table.protocol.regions if table.of(region)]
    metric = table.protocol.metrics[0]
    return {
        "alignments": {words: each.mean() for words, each in found.depth.aligned.items()},
        "intervals_95": {
            region: {name: table.interval(name, region) for name in table.protocol.metrics}
            for region in regions
        },
        "intervals_note": table.interval_note,
        "details": {label: table.mean(label) for label in table.detailed},
        "error_maps": [
            {"file": each.file, "name": each.row.name, "rank": each.rank, metric: each.row.errors[metric]}
            for each in drawn(table, found.error_maps)
        ],
    }
