"""Depth against the truth, as part of a report: tables under their protocol, and an evaluation's verdicts."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kinedepth.evaluation.depth import HIGHER_IS_BETTER
from kinedepth.evaluation.output import MARK, MODEL
from kinedepth.evaluation.protocol import WHOLE
from kinedepth.reporting.paths import Errors, main_errors, windows, with_unit
from kinedepth.reporting.reading import Facts, facts, mapping_of, number_of
from kinedepth.reporting.words import OURS, decimal, joined, plain
from kinedepth.visualize.report.content import Block, Cell, Group, Prose, Row, Section, Table, Verdict

_FIRST = "abs_rel"
_BARE = 5
_LEVEL = 1e-3
_TOLD = ("ate_m", "t_err_percent", "r_err_deg_per_100m")


@dataclass(frozen=True)
class Means:
    """The rows of one region under one alignment."""

    region: str
    by_label: Mapping[str, Facts]
    """Label -> metric -> mean."""
    intervals: Mapping[str, Facts]
    images: Mapping[str, object]

    @property
    def metrics(self) -> list[str]:
        """The columns."""
        return list(dict.fromkeys(name for row in self.by_label.values() for name in row))

    def best(self, metric: str) -> float | None:
        """The best value of a column, among the rows."""
        values = [number_of(row.get(metric)) for row in self.by_label.values()]
        found = [value for value in values if value is not None]
        if len(values) < 2:
            return None
        return (max if metric in HIGHER_IS_BETTER else min)(found, default=None)


@dataclass(frozen=True)
class Judgement:
    """One table: a protocol and an alignment."""

    line: str
    regions: tuple[Means, ...]
    details: tuple[Means, ...] = ()
    """By class and by distance."""
    intervals: str = ""
    """What the intervals were drawn over."""


def judgements(folder: Path) -> list[Judgement]:
    """The tables of an evaluation folder, the preferred alignment first."""
    tables = {label: mapping_of(table) for label, table in facts(folder / "table.json").items()}
    tables = {label: table for label, table in tables.items() if "regions" in table}
    if tables:
        first = next(iter(tables.values()))
        line, drawn = protocol_line(mapping_of(first.get("protocol"))), plain(first.get("interval_95", ""))
        return [Judgement(line, _regions(tables), _regions(tables, "details"), drawn)]
    note = facts(folder / MARK)
    means = {label: mapping_of(regions) for label, regions in mapping_of(note.get("means")).items()}
    if not means:
        return []
    bare = {
        label: {"regions": {region: {"mean": mean} for region, mean in regions.items()}}
        for label, regions in means.items()
    }
    protocols = plain(note.get("protocols", [])) or "unknown"
    return [Judgement(f"{protocols} · scale: {plain(note.get('alignment'))}", _regions(bare))]


def _regions(tables: Mapping[str, Mapping[str, Any]], key: str = "regions") -> tuple[Means, ...]:
    entries = {label: mapping_of(table.get(key)) for label, table in tables.items()}
    names = dict.fromkeys(region for regions in entries.values() for region in regions)
    return tuple(
        _means(name, {label: mapping_of(each.get(name)) for label, each in entries.items()}) for name in names
    )


def _means(region: str, entries: Mapping[str, Mapping[str, Any]]) -> Means:
    return Means(
        region,
        {label: dict(mapping_of(entry.get("mean"))) for label, entry in entries.items()},
        {label: dict(mapping_of(entry.get("interval_95"))) for label, entry in entries.items()},
        {label: entry.get("images") for label, entry in entries.items()},
    )


def protocol_line(protocol: Mapping[str, Any]) -> str:
    """A protocol as its tables print it: what may change the numbers."""
    crop = protocol.get("crop")
    parts = [
        plain(protocol.get("name", "unknown protocol")),
        f"truth: {plain(protocol['truth'])}" if protocol.get("truth") else "",
        _range(protocol),
        f"crop: {plain(mapping_of(crop).get('name') or crop or 'none')}",
        f"scale: {plain(protocol['alignment'])}" if protocol.get("alignment") else "",
        f"prediction clamped to [{plain(protocol['clamp'])}] m" if protocol.get("clamp") else "",
        f"prediction resized by {plain(protocol['resize'])}"
        if protocol.get("resize") not in (None, "bilinear")
        else "",
    ]
    return " · ".join(part for part in parts if part)


def _range(protocol: Mapping[str, Any]) -> str:
    near, far = number_of(protocol.get("near")), number_of(protocol.get("far"))
    if near is None and far is None:
        return ""
    return f"{near or 0:g} < depth{'' if far is None else f' < {far:g}'} m"


def verdicts(folder: Path) -> list[Verdict]:
    """How the model stands to the rows beside it: over the whole picture, by region, on the path."""
    found = judgements(folder)
    said = (
        [compared(_scores(each), _first_of(each), each.region) for each in found[0].regions] if found else []
    )
    odometry = mapping_of(facts(folder / MARK).get("odometry"))
    return [*(verdict for verdict in said if verdict is not None), *_path_verdicts(odometry)]


def _first_of(means: Means) -> str:
    return _FIRST if _FIRST in means.metrics else next(iter(means.metrics), "")


def _scores(means: Means) -> dict[str, float]:
    """The first metric of every row that has it."""
    found = {label: number_of(row.get(_first_of(means))) for label, row in means.by_label.items()}
    return {label: score for label, score in found.items() if score is not None}


def behind_of(scores: Mapping[str, float], metric: str) -> list[str]:
    """The rows that the model does not beat; by less than a thousandth is not beaten."""
    sign = -1 if metric in HIGHER_IS_BETTER else 1
    limit = sign * scores[MODEL] + _LEVEL * abs(scores[MODEL])
    return [label for label, score in scores.items() if label != MODEL and sign * score <= limit]


def compared(scores: Mapping[str, float], metric: str, where: str, unit: str = "") -> Verdict | None:
    """The model's score against all others in one sentence; None where it has none."""
    if MODEL not in scores:
        return None
    sign = -1 if metric in HIGHER_IS_BETTER else 1
    own = scores[MODEL]
    others = {label: score for label, score in scores.items() if label != MODEL}
    behind = behind_of(scores, metric)
    place = "" if where == WHOLE else f"On {where}: "
    said = f"{metric} {decimal(own)}{unit}"
    if not others:
        return Verdict(f"{place}{said}; nothing was measured beside it.", None)
    if not behind:
        label = min(others, key=lambda name: sign * others[name])
        return Verdict(
            f"{place}better than {joined(others)}: {said}, "
            f"against {decimal(others[label])}{unit} of {label}.",
            True,
        )
    listed = joined(f"{label} ({decimal(others[label])}{unit})" for label in behind)
    beaten = [label for label in others if label not in behind]
    rest = f"; better than {joined(beaten)}" if beaten else "; better than none of them"
    return Verdict(f"{place}NOT better than {listed}: {said}{rest}.", False)


def _path_verdicts(odometry: Mapping[str, Any]) -> list[Verdict]:
    """By the mean error of short windows over the sequences; a path without rows beside it by its numbers."""
    found = windows(odometry)
    scores: dict[str, list[float]] = {}
    for each in found:
        if each.way == found[0].way and "mean" in each.values:
            scores.setdefault(each.label, []).append(float(each.values["mean"]))
    means = {label: sum(values) / len(values) for label, values in scores.items()}
    verdict = compared(means, "ATE of short windows", "the camera's path", " m")
    return [verdict] if verdict is not None else [_bare(each) for each in main_errors(odometry)[:_BARE]]


def _bare(each: Errors) -> Verdict:
    """The numbers of one path, with no judgement."""
    said = joined(with_unit(name, value) for name, value in each.values.items() if name in _TOLD)
    name = "/".join(part for part in (each.label, each.sequence) if part)
    return Verdict(f"{name}, {each.way}: {said}.", None)


def section(folder: Path) -> Section | None:
    """The tables, with the protocol above each; None where depth was not judged."""
    blocks: list[Block] = []
    for found in judgements(folder):
        blocks += [
            Prose(f"Protocol: {found.line}."),
            _table(found),
        ]
        blocks += [_details(found.details)] if found.details else []
    note = facts(folder / MARK)
    blocks += _side_by_side(mapping_of(note.get("alignments"))) if blocks else []
    left_out = note.get("left_out")
    if left_out:
        blocks.append(Prose(f"Left out, without truth that counts: {plain(left_out)}.", quiet=True))
    return Section("evaluation", "Depth against the truth", tuple(blocks)) if blocks else None


def _table(found: Judgement) -> Table:
    metrics = list(dict.fromkeys(name for means in found.regions for name in means.metrics))
    groups = tuple(
        Group("whole picture" if means.region == WHOLE else means.region, tuple(_rows(means, metrics)))
        for means in found.regions
    )
    intervals = any(any(means.intervals.values()) for means in found.regions)
    drawn = f": {found.intervals}" if found.intervals else ""
    return Table(
        "Means over images, by region of the picture."
        + (f" Below each, its 95 % interval{drawn}." if intervals else ""),
        "",
        (*_heads(metrics), "images"),
        groups,
        "↓ smaller is better, ↑ larger is better; the best of each group is bold.",
    )


def _details(details: tuple[Means, ...]) -> Table:
    """The model alone by class and by true depth; of the rows beside it, those that it does not beat."""
    metrics = list(dict.fromkeys(name for means in details for name in means.metrics))
    shown = [means for means in details if MODEL in means.by_label]
    rows = tuple(_detail(means, metrics) for means in shown)
    caption = (
        "This model by class and by true depth; an empty last column means that it beats every row beside it."
    )
    return Table(caption, "", (*_heads(metrics), "images", "not better than"), (Group("", rows),))


def _detail(means: Means, metrics: list[str]) -> Row:
    mean, interval = means.by_label[MODEL], means.intervals[MODEL]
    cells = [
        _cell(mean.get(name), interval.get(name) if name == metrics[0] else None, None) for name in metrics
    ]
    images = Cell(plain(means.images[MODEL]) if means.images[MODEL] is not None else "–")
    scores = _scores(means)
    behind = behind_of(scores, metrics[0]) if MODEL in scores else []
    listed = joined(f"{label} ({decimal(scores[label])})" for label in behind)
    return Row(means.region, (*cells, images, Cell(listed, words=True)))


def _side_by_side(alignments: Mapping[str, Any]) -> list[Block]:
    """The model alone, under every alignment that was asked for."""
    means = {words: mapping_of(mean) for words, mean in alignments.items()}
    metrics = list(dict.fromkeys(name for mean in means.values() for name in mean))
    if len(means) < 2 or not metrics:
        return []
    rows = tuple(
        Row(words, tuple(Cell(decimal(mean.get(name))) for name in metrics)) for words, mean in means.items()
    )
    caption = "This model over the whole picture, by what was taken from the truth before the comparison."
    return [Table(caption, "scale", _heads(metrics), (Group("", rows),))]


def _heads(metrics: list[str]) -> tuple[str, ...]:
    return tuple(f"{name}\u00a0{'↑' if name in HIGHER_IS_BETTER else '↓'}" for name in metrics)


def _rows(means: Means, metrics: list[str]) -> Iterator[Row]:
    for label, row in means.by_label.items():
        cells = [_cell(row.get(name), means.intervals[label].get(name), means.best(name)) for name in metrics]
        images = Cell(plain(means.images[label]) if means.images[label] is not None else "–")
        yield Row(OURS if label == MODEL else label, (*cells, images), marked=label == MODEL)


def _cell(value: object, interval: object, best: float | None) -> Cell:
    number = number_of(value)
    ends = interval if isinstance(interval, list) and len(interval) == 2 else []
    note = "–".join(decimal(end) for end in ends)
    return Cell(decimal(value), note, best=number is not None and number == best)
