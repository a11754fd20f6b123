"""What a comparison of trajectory files leaves behind: records, and one folder, whole or absent.

evaluation.json   what was judged against what, by which protocol; every number
paths.csv         a line for each path and alignment
errors_<path>.csv, segments_<path>.csv      pose by pose, segment by segment
path_<path>.png, error_<path>.png           from above, and the error along the way
path_<path>.txt, path_<path>_measured.txt   the poses that were compared, as KITTI writes them
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from PIL import Image

from kinedepth.evaluation.matching import Matched
from kinedepth.evaluation.output import MARK, write_csv
from kinedepth.evaluation.path_drawing import from_above, write_path
from kinedepth.evaluation.path_table import PathTable, snippets_json
from kinedepth.evaluation.pose_files import Trajectory
from kinedepth.inference.notes import write_json
from kinedepth.inference.whole import whole_folder
from kinedepth.visualize.along import error_plot

PREDICTION = "prediction"
"""The label of paths that lie in no folder of their own."""
_CURVES = 5.0
"""An alignment whose error is so many times the least would flatten the other curves."""


@dataclass(frozen=True)
class JudgedPath:
    """One predicted path beside the true one."""

    predicted: Trajectory
    truth: Trajectory
    matched: Matched
    table: PathTable

    @property
    def lines(self) -> list[str]:
        """What was compared, for people."""
        return [f"predicted  {self.predicted}", f"truth      {self.truth}", *self.matched.lines]

    def as_json(self, sequence: str) -> dict[str, Any]:
        """Numbers, files and what was left out."""
        return {
            "sequence": sequence,
            "frames": len(self.matched.places),
            **({"snippets": snippets_json(self.table.snippets[0])} if self.table.snippets else {}),
            **self.table.as_json(),
            "all_snippets": [snippets_json(each) for each in self.table.snippets],
            "predicted": self.predicted.name,
            "truth": self.truth.name,
            "matched": self.matched.how,
            "missing": list(self.matched.missing),
            "without_truth": list(self.matched.unknown),
        }


@dataclass(frozen=True)
class PathFindings:
    """The tables of all paths, by their names."""

    judged: dict[str, JudgedPath]
    note: dict[str, Any]
    """What was judged and how."""

    @property
    def tables(self) -> dict[str, PathTable]:
        """By the path's name: folder and sequence."""
        return {label: each.table for label, each in self.judged.items()}

    def as_json(self) -> dict[str, Any]:
        """The content of evaluation.json: by folder, a list of sequences."""
        odometry: dict[str, list[dict[str, Any]]] = {}
        for label, each in self.judged.items():
            folder, _, sequence = label.rpartition("/")
            odometry.setdefault(folder or PREDICTION, []).append(each.as_json(sequence))
        return self.note | {"odometry": odometry}


def write_path_findings(
    folder: Path, found: PathFindings, source: Path, overwrite: bool = False
) -> list[str]:
    """Writes everything into `folder`, whole or not at all; gives the names of the files.

    Raises:
        KinedepthError: the folder exists and may not be overwritten, or holds the source.
    """
    with whole_folder(folder, overwrite=overwrite, source=source, mark=MARK) as draft:
        write_csv(draft / "paths.csv", _summary(found))
        for label, each in found.judged.items():
            _write_path(draft, label.replace("/", "_"), each)
        write_json(draft / MARK, found.as_json())
        return sorted(entry.name for entry in draft.iterdir())


def _write_path(draft: Path, name: str, each: JudgedPath) -> None:
    write_csv(draft / f"errors_{name}.csv", _pose_by_pose(each))
    write_csv(draft / f"segments_{name}.csv", _segment_by_segment(each.table))
    found, any_up = each.matched, each.truth.stamps is not None
    drawing = from_above(found.predicted, found.true, found.truth, any_up)
    write_path(draft, name, found.predicted, found.true, drawing)
    curves = error_plot(each.table.along, drawn_errors(each.table))
    Image.fromarray(curves).save(draft / f"error_{name}.png")


def _summary(found: PathFindings) -> Iterator[list[object]]:
    first = next(iter(found.tables.values())).rows[0].values()
    names = [name for name, value in first.items() if not isinstance(value, dict)]
    names += [f"{name}.{each}" for name, value in first.items() if isinstance(value, dict) for each in value]
    yield ["path", "alignment", *names, "protocol"]
    for label, table in found.tables.items():
        for row in table.rows:
            yield [label, row.align, *map(row.entry, names), table.protocol.name]


def _pose_by_pose(each: JudgedPath) -> Iterator[list[object]]:
    yield ["frame" if each.truth.stamps is None else "time_s", "along_m", *each.table.errors]
    for place, name in enumerate(each.matched.names):
        yield [name, each.table.along[place], *(values[place] for values in each.table.errors.values())]


def _segment_by_segment(table: PathTable) -> Iterator[list[object]]:
    yield ["alignment", "first", "last", "length_m", "t_err_percent", "r_err_deg_per_100m"]
    for align, them in table.segments.items():
        errors = (100 * them.translation, 100 * np.degrees(them.rotation))
        for line in zip(them.first, them.last, them.length, *errors, strict=True):
            yield [align, *line]


def drawn_errors(table: PathTable) -> dict[str, Float[np.ndarray, " _"]]:
    """The errors along the way that share a scale: those of alignments not far worse than the best."""
    largest = {align: float(np.max(values)) for align, values in table.errors.items()}
    limit = max(_CURVES * min(largest.values()), 1e-6)
    return {align: values for align, values in table.errors.items() if largest[align] <= limit}
