"""The camera's path of an evaluation as parts of a report: drawings from above, errors by alignment."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from kinedepth.errors import KinedepthError
from kinedepth.evaluation.output import MARK, MODEL
from kinedepth.evaluation.path_drawing import flat_axes
from kinedepth.evaluation.trajectory import umeyama
from kinedepth.reporting.reading import facts, mapping_of, number_of, or_nan, picture, positions, rows
from kinedepth.reporting.words import OURS, decimal, plain, spoken
from kinedepth.visualize.report.charts import LINES, Labels, Line, drawn_lines, drawn_paths
from kinedepth.visualize.report.content import (
    Block,
    Cell,
    Chart,
    Charts,
    Group,
    Key,
    Notes,
    Photos,
    Prose,
    Row,
    Section,
    Table,
)

Points = Float[np.ndarray, "n 3"]
_COUNTS = ("segments", "windows", "frames")
_HEADS = {
    "ate_m": "ATE (m)",
    "rpe_m": "RPE (m)",
    "rpe_deg": "RPE (°)",
    "t_err_percent": "t_err (%)",
    "r_err_deg_per_100m": "r_err (°/100 m)",
    "mean": "ATE of a window (m)",
    "std": "its deviation (m)",
}
_ALIGNED = {
    "none": "nothing aligned",
    "scale": "scale aligned",
    "scale_7dof": "scale of the 7 DoF alignment",
    "6dof": "6 DoF aligned",
    "7dof": "7 DoF aligned",
}


@dataclass(frozen=True)
class Axes:
    """From where a path is seen."""

    shown: tuple[int, int]
    names: tuple[str, str]
    caption: str


FROM_ABOVE = Axes((0, 2), ("right", "forward"), "From above, forward up")


@dataclass(frozen=True)
class Errors:
    """The errors of one path under one way of counting."""

    label: str
    sequence: str
    way: str
    """The alignment, or the protocol of the windows."""
    values: Mapping[str, float | int]


def section(folder: Path) -> Section | None:
    """Drawings, tables and notes; None where no path was judged."""
    odometry = mapping_of(facts(folder / MARK).get("odometry"))
    timed = any("time" in str(way) for way in _found(odometry, "matched"))
    blocks: list[Block] = [*_drawings(folder, timed)]
    blocks += _along(folder)
    blocks += _lines(odometry)
    blocks += _table("Short windows, each scaled by itself.", windows(odometry))
    blocks += _table("The whole path, by what was aligned to the truth before.", whole(odometry))
    notes = tuple(dict.fromkeys(plain(note) for entry in _found(odometry, "notes") for note in _list(entry)))
    blocks += [Notes(notes)] if notes else []
    return Section("path", "The camera's path", tuple(blocks)) if blocks else None


def _drawings(folder: Path, timed: bool) -> Iterator[Block]:
    """`timed` paths are of a world in which any axis may be up."""
    charts, photos = [], []
    for path in sorted(folder.glob("path_*.txt")):
        if path.stem.endswith(("_measured", "_aligned")):
            continue
        name = path.stem.removeprefix("path_")
        predicted, measured = positions(path), positions(path.with_name(f"{path.stem}_measured.txt"))
        drawing = picture(path.with_suffix(".png"), f"Path of {name} from above", f"Sequence {name}.", 480)
        if len(measured) and len(measured) == len(predicted):
            axes = _least_used(measured) if timed else FROM_ABOVE
            charts.append(path_chart(f"Sequence {name}", _both(predicted, measured), "m", axes))
        elif drawing is not None:
            photos.append(drawing)
        elif len(predicted):
            charts.append(path_chart(f"Sequence {name}", {"predicted": predicted}, "in the model's unit"))
    yield from ([Charts(tuple(charts))] if charts else [])
    yield from ([Photos(tuple(photos))] if photos else [])


def _both(predicted: Points, measured: Points) -> dict[str, Points]:
    """Measured, and predicted after rotation, translation and scale."""
    try:
        fitted = umeyama(predicted, measured).apply(predicted)
    except (KinedepthError, np.linalg.LinAlgError):
        return {"measured (the predicted camera never moves)": measured}
    return {"predicted, 7 DoF aligned": fitted, "measured": measured}


def path_chart(title: str, paths: Mapping[str, Points], unit: str, axes: Axes = FROM_ABOVE) -> Chart:
    """Camera paths from above, forward up."""
    first = next(iter(paths.values()))
    length = float(np.linalg.norm(np.diff(first, axis=0), axis=1).sum())
    keys = tuple(Key(label, number) for number, label in enumerate(paths))
    alt = f"{title}: the path from above, {len(first)} positions, {length:.3g} long ({unit})"
    labels = Labels(f"{axes.names[0]} ({unit})", f"{axes.names[1]} ({unit})")
    svg = drawn_paths([path[:, axes.shown] for path in paths.values()], labels)
    return Chart(title, svg, alt + ".", keys, f"{axes.caption}; a dot marks the start.")


def _least_used(measured: Points) -> Axes:
    """From the side that shows most, for a world of which any axis may be up; y in doubt."""
    x, y = flat_axes(measured)
    (up,) = {0, 1, 2} - {x, y}
    return Axes((x, y), ("xyz"[x], "xyz"[y]), f"Seen along {'xyz'[up]}")


def _along(folder: Path) -> list[Block]:
    """The error at each pose, for the alignments whose errors are of one size."""
    charts = []
    for path in sorted(folder.glob("errors_*.csv")):
        lines = rows(path)
        names = [name for name in (lines[0] if lines else {}) if name not in ("frame", "time_s", "along_m")]
        x = _column(lines, "along_m")
        drawn = [Line(x, _column(lines, name), number) for number, name in enumerate(names[:LINES])]
        drawn = [line for line in drawn if np.isfinite(line.y).any() and np.isfinite(x).all()]
        if drawn:
            title = f"Distance to the truth along {path.stem.removeprefix('errors_')}"
            svg = drawn_lines(drawn, Labels("way along the true path (m)", "distance (m)"))
            keys = tuple(
                Key(_ALIGNED.get(names[line.number], names[line.number]), line.number) for line in drawn
            )
            largest = ", ".join(f"{names[line.number]} {np.nanmax(line.y):.3g} m" for line in drawn)
            charts.append(Chart(title, svg, f"{title}; largest: {largest}.", keys))
    return [Charts(tuple(charts))] if charts else []


def _column(lines: Sequence[Mapping[str, str]], name: str) -> Float[np.ndarray, " n"]:
    return or_nan(line.get(name) for line in lines)


def windows(odometry: Mapping[str, Any]) -> list[Errors]:
    """The errors of short windows, for each path and way of counting."""
    return [
        Errors(label, sequence, _protocol_name(one), _scalars(one))
        for label, sequence, entry in _entries(odometry)
        for one in _list(entry.get("all_snippets") or entry.get("snippets"))
        if isinstance(one, dict)
    ]


def whole(odometry: Mapping[str, Any]) -> list[Errors]:
    """The errors of whole paths, for each path and alignment."""
    found = []
    for label, sequence, entry in _entries(odometry):
        kept = mapping_of(entry.get("whole_path_ate_m"))
        full = {
            str(row.get("align")): _scalars(row)
            for row in _list(entry.get("alignments"))
            if isinstance(row, dict)
        }
        by_align = {
            align: full.get(align, _scalars({"ate_m": value})) for align, value in kept.items()
        } or full
        found += [
            Errors(label, sequence, _aligned(align), values) for align, values in by_align.items() if values
        ]
    return found


def main_errors(odometry: Mapping[str, Any]) -> list[Errors]:
    """One alignment of each path: the one that the evaluation calls its main one, else the last."""
    by_path: dict[tuple[str, str], Errors] = {}
    main = {_aligned(align) for align in _found(odometry, "main_alignment")}
    for each in whole(odometry):
        before = by_path.get((each.label, each.sequence))
        if before is None or before.way not in main:
            by_path[each.label, each.sequence] = each
    return list(by_path.values())


def _aligned(align: object) -> str:
    return _ALIGNED.get(str(align), spoken(align))


def _protocol_name(snippets: Mapping[str, Any]) -> str:
    """What distinguishes one way of counting windows from another."""
    protocol = mapping_of(snippets.get("protocol"))
    rest = {key: value for key, value in protocol.items() if key != "name"}
    return " · ".join(part for part in (plain(protocol.get("name", "")), plain(rest) if rest else "") if part)


def _entries(odometry: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    for label, found in odometry.items():
        for entry in _list(found):
            known = mapping_of(entry)
            yield str(label), plain(known.get("sequence", "")), known


def _list(value: object) -> Sequence[Any]:
    return value if isinstance(value, list) else [value] if isinstance(value, dict | str) else []


def _found(value: object, name: str) -> Iterator[Any]:
    """Every value under a name, however deep."""
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else []
    if isinstance(value, dict) and name in value:
        yield value[name]
        parts = [part for key, part in value.items() if key not in (name, "protocol")]
    for part in parts:
        yield from _found(part, name)


def _scalars(entry: Mapping[str, Any]) -> dict[str, float | int]:
    numbers = {name: number_of(value) for name, value in entry.items() if not isinstance(value, str)}
    return {name: number for name, number in numbers.items() if number is not None}


def _lines(odometry: Mapping[str, Any]) -> list[Block]:
    """The protocols in words, where the file has them."""
    found = dict.fromkeys(line for line in _found(odometry, "line") if isinstance(line, str))
    return [Prose(f"Protocol: {line}.") for line in found]


def _table(caption: str, errors: Sequence[Errors]) -> list[Block]:
    """A group for each sequence and way of counting, in which paths can be compared."""
    columns = list(dict.fromkeys(name for each in errors for name in each.values if name != "frames"))
    grouped: dict[str, list[Errors]] = {}
    for each in errors:
        parts = (f"sequence {each.sequence}" if each.sequence else "", each.way)
        grouped.setdefault(" · ".join(part for part in parts if part), []).append(each)
    groups = tuple(Group(name, tuple(_rows(found, columns))) for name, found in grouped.items())
    heads = tuple(head(name) for name in columns)
    return [Table(caption, "", heads, groups)] if columns else []


def head(name: str) -> str:
    """What an error is called, with its unit."""
    return _HEADS.get(name, spoken(name))


def with_unit(name: str, value: float | int) -> str:
    """An error as it stands in a sentence.

    >>> with_unit("t_err_percent", 2.5)
    't_err 2.500 %'
    """
    short, _, unit = head(name).partition(" (")
    return f"{short} {decimal(value)} {unit.removesuffix(')')}".strip()


def _rows(found: Sequence[Errors], columns: Sequence[str]) -> Iterator[Row]:
    for each in found:
        ours = each.label == MODEL
        cells = tuple(_cell(name, each, found) for name in columns)
        yield Row(OURS if ours else each.label, cells, marked=ours)


def _cell(name: str, each: Errors, found: Sequence[Errors]) -> Cell:
    if name not in each.values:
        return Cell("–")
    if name in _COUNTS:
        return Cell(f"{each.values[name]:.0f}")
    least = min(other.values[name] for other in found if name in other.values)
    return Cell(
        decimal(each.values[name]), best=len(found) > 1 and name != "std" and each.values[name] == least
    )
