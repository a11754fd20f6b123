"""What an evaluation leaves behind: one folder, whole or absent.

evaluation.json   what was judged, by which protocol, with which command; every mean
table.json        every row of every table
images.csv        the model, image by image
error_worst.png, error_median.png      picture, prediction, truth, relative error
path_<sequence>.png, .txt   the predicted path beside the measured one; its poses as KITTI writes them
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from kinedepth.data.moments import Moment
from kinedepth.data.samples import read_truth
from kinedepth.data.store import FrameStore
from kinedepth.evaluation.depth import Map, counted, resized
from kinedepth.evaluation.judge import MODEL, Guess, Judged
from kinedepth.evaluation.odometry import umeyama
from kinedepth.evaluation.table import Row, Table
from kinedepth.evaluation.tracks import PathErrors
from kinedepth.inference.files import write_json
from kinedepth.inference.poses import write_kitti
from kinedepth.inference.whole import whole_folder
from kinedepth.visualize.colors import color_limits, colored_depth
from kinedepth.visualize.panels import error_map, strip, trajectory_plot

MARK = "evaluation.json"
Picture = UInt8[np.ndarray, "_ _ 3"]
_SPARSE = 0.3
"""A truth that fills less of the picture is drawn with larger dots."""

_NARROWEST = 480
"""Pixels across which the label of an error map fits."""


@dataclass(frozen=True)
class Findings:
    """All that was found out about a model."""

    note: Mapping[str, Any]
    """What was judged and how, for evaluation.json."""
    depth: Judged | None = None
    paths: Mapping[str, Sequence[PathErrors]] = field(default_factory=dict)


def ranked(table: Table, metric: str = "abs_rel") -> list[Row]:
    """The images of a table, best first."""
    return sorted(table.of(), key=lambda row: row.errors[metric])


def worst_and_median(table: Table) -> dict[str, Row]:
    """The images that are worth a look."""
    rows = ranked(table)
    return {"worst": rows[-1], "median": rows[(len(rows) - 1) // 2]}


def error_strip(moment: Moment, row: Row, inverse_depth: Map, table: Table) -> Picture:
    """The picture, the prediction and the truth in the colors of the truth, and the relative error."""
    assert moment.truth is not None
    truth = read_truth(moment.truth)[0].numpy()
    size = (truth.shape[0], truth.shape[1])
    clamp = table.protocol.clamp
    with np.errstate(divide="ignore"):
        predicted = np.clip(row.factor / resized(inverse_depth, size), *clamp)
    image = FrameStore(size).read(moment.target).transpose(1, 2, 0)
    inverse = np.divide(1.0, truth, out=np.zeros_like(truth), where=truth > 0)
    limits = color_limits(inverse)
    judged = np.where(counted(truth, table.protocol), truth, 0.0)
    dot = 1 if np.mean(judged > 0) > _SPARSE else max(2, size[1] // 400)
    panels = [
        (row.name, _enlarged(image)),
        ("prediction, aligned as in the table", colored_depth(predicted, limits)),
        ("truth", colored_depth(truth, limits)),
        (
            f"relative error, blue 0 to red 0.3: abs_rel {row.errors['abs_rel']:.3f}",
            error_map(predicted, judged, image, dot=dot),
        ),
    ]
    return strip(panels, columns=2 if size[1] < 2 * size[0] else 1)


def _enlarged(picture: Picture) -> Picture:
    """A small picture with its pixels repeated, so that labels fit; the others follow the first."""
    times = -(-_NARROWEST // picture.shape[1])
    return picture.repeat(times, axis=0).repeat(times, axis=1)


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
            _write_depth(draft, found.depth, moments, model)
        for path in found.paths.get(MODEL, ()):
            _write_path(draft, path)
        write_json(draft / MARK, _summary(found))
        return sorted(entry.name for entry in draft.iterdir())


def _write_depth(draft: Path, judged: Judged, moments: Sequence[Moment], model: Guess) -> None:
    table = judged.tables[MODEL]
    write_json(draft / "table.json", {label: each.to_dict() for label, each in judged.tables.items()})
    table.write_csv(draft / "images.csv")
    by_name = {moment.name: moment for moment in moments}
    for kind, row in worst_and_median(table).items():
        moment = by_name[row.name]
        inverse = next(iter(model([moment])))
        Image.fromarray(error_strip(moment, row, inverse, table)).save(draft / f"error_{kind}.png")


def _write_path(draft: Path, path: PathErrors) -> None:
    name = path.sequence.replace("/", "_")
    write_kitti(draft / f"path_{name}.txt", path.predicted)
    aligned = path.predicted.copy()
    where = path.measured[:, :3, 3]
    aligned[:, :3, 3] = umeyama(path.predicted[:, :3, 3], where).apply(path.predicted[:, :3, 3])
    paths = {"measured": path.measured, "predicted, aligned by 7dof": aligned}
    Image.fromarray(trajectory_plot(paths, unit="m")).save(draft / f"path_{name}.png")


def _summary(found: Findings) -> dict[str, Any]:
    summary = dict(found.note)
    if found.depth is not None:
        tables = found.depth.tables
        summary["means"] = {
            label: {region: table.mean(region) for region in table.protocol.regions if table.of(region)}
            for label, table in tables.items()
        }
        summary["left_out"] = list(found.depth.left_out)
    if found.paths:
        summary["odometry"] = {
            label: [each.as_json() for each in paths] for label, paths in found.paths.items()
        }
    return summary
