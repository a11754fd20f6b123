"""What was understood of the data, as a report says it."""

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from kinedepth.reporting.reading import Facts, facts, mapping_of, number_of, or_nan, picture
from kinedepth.reporting.words import percent, plain, short, sized, spoken
from kinedepth.visualize.report.charts import LINES, Labels, Line, drawn_lines
from kinedepth.visualize.report.content import (
    Block,
    Cell,
    Chart,
    Charts,
    Fact,
    Group,
    Key,
    Photos,
    Prose,
    Row,
    Section,
    Table,
)
from kinedepth.visualize.report.content import Facts as FactsBlock

_ALARMS = ("guess", "implausible", "not plausible", "does not move", "stands still")
_IN_SUMMARY = ("summary", "path", "kind", "frames", "notes", "sequences")
MOST_SEQUENCES = 40
_WORDS = ("mask", "camera from")


def section(run: Path, environment: Facts, recipe: Mapping[str, Any], header: Facts) -> Section:
    """Source, camera, motion and mask of a run: all that its folder tells."""
    source = facts(run / "source.json")
    told = tuple([*_told(source)] or [*_from_recipe(environment, recipe, header)])
    nothing = Prose("The run folder does not tell what it was given.", quiet=True)
    blocks: list[Block] = [
        FactsBlock("What the training was given, as it was understood.", told) if told else nothing
    ]
    found = source.get("sequences")
    sequences = [mapping_of(each) for each in found] if isinstance(found, list) else []
    blocks += [_table(sequences)] if sequences else []
    blocks += _motion(sequences)
    blocks += _masks(run)
    return Section("data", "What was understood of the data", tuple(blocks))


def _fact(name: object, value: Any) -> Fact:
    said = plain(value)
    return Fact(spoken(name), said, any(alarm in said.lower() for alarm in _ALARMS))


def _told(source: Facts) -> Iterator[Fact]:
    """The lines of the summary, then what the file says beside them."""
    summary = source.get("summary")
    lines = summary.splitlines() if isinstance(summary, str) else summary
    for line in lines if isinstance(lines, list) else []:
        name, _, rest = str(line).partition("  ")
        yield _fact(name, rest.strip()) if rest else _fact("", name)
    hidden = _IN_SUMMARY if lines else ("summary", "sequences")
    yield from (_fact(name, value) for name, value in source.items() if name not in hidden)


def _table(sequences: Sequence[Mapping[str, Any]]) -> Table:
    """A line for each sequence; columns of which no sequence tells anything are left out."""
    lines = [_line(each) for each in sequences[:MOST_SEQUENCES]]
    columns = [name for name in lines[0] if any(line[name] != "–" for line in lines)]
    if len(lines) == 1:  # the summary above says it
        columns = [name for name in columns if name != "camera from"]
    rows = tuple(
        Row(plain(each.get("name", "")), tuple(Cell(line[name], words=name in _WORDS) for name in columns))
        for each, line in zip(sequences, lines, strict=False)
    )
    rest = len(sequences) - len(rows)
    foot = f"And {rest} more, in source.json." if rest else ""
    return Table("Sequences.", "sequence", tuple(columns), (Group("", rows),), foot)


def _line(sequence: Mapping[str, Any]) -> dict[str, str]:
    """What the table says of a sequence, by the head of its column."""
    dropped, motion = mapping_of(sequence.get("dropped")), mapping_of(sequence.get("motion"))
    camera, mask = mapping_of(sequence.get("camera")), mapping_of(sequence.get("mask"))
    size = sequence.get("size")
    cuts = motion.get("cuts")
    return {
        "frames": _count(sequence.get("frames")),
        "fps": short(sequence.get("fps")),
        "size": sized(size) if size else "–",
        "gap": _count(sequence.get("gap")),
        "moments": _count(sequence.get("moments")),
        "dropped: standstill": _count(dropped.get("standstill")),
        "dropped: cut": _count(dropped.get("cuts")),
        "cuts": str(len(cuts)) if isinstance(cuts, list) else "–",
        "still": percent(motion.get("still_share")),
        "motion, median": percent(motion.get("median")),
        "masked": percent(mask.get("share")),
        "mask": plain(mask.get("origin") or "–"),
        "camera from": plain(camera.get("source") or "–"),
    }


def _count(value: object) -> str:
    number = number_of(value)
    return "–" if number is None else f"{number:.0f}"


def _motion(sequences: Sequence[Mapping[str, Any]]) -> list[Block]:
    """How far the picture moves from frame to frame, for the first sequences of which that is known."""
    drawn: list[Line] = []
    keys: list[Key] = []
    for sequence in sequences:
        line = _moved(mapping_of(sequence.get("motion")), len(drawn))
        if line is not None and len(drawn) < LINES:
            drawn.append(line)
            keys.append(Key(plain(sequence.get("name", "")), line.number))
    if not drawn:
        return []
    every = np.concatenate([line.y[np.isfinite(line.y)] for line in drawn])
    said = f"median {np.median(every):.2g} %, largest {np.max(every):.2g} % of the picture's width"
    svg = drawn_lines(drawn, Labels("frame", "% of the picture's width"))
    title = "Motion of the picture from frame to frame"
    return [Charts((Chart(title, svg, f"{title}: {said}.", tuple(keys), f"{said.capitalize()}."),))]


def _moved(motion: Mapping[str, Any], number: int) -> Line | None:
    frames, ways = motion.get("frame"), motion.get("displacement")
    if not isinstance(frames, list) or not isinstance(ways, list) or len(frames) != len(ways):
        return None
    x, y = or_nan(frames), or_nan(ways)
    return Line(x, 100 * y, number) if np.isfinite(x).all() and np.isfinite(y).any() else None


def _masks(run: Path) -> list[Block]:
    found = [
        picture(path, "A mask: black never counts", path.stem, 640) for path in sorted(run.glob("mask*.png"))
    ]
    kept = tuple(each for each in found if each is not None)[:4]
    return [Prose("The mask: white counts in the loss, black never does."), Photos(kept)] if kept else []


def _from_recipe(environment: Facts, recipe: Mapping[str, Any], header: Facts) -> Iterator[Fact]:
    """What an older run tells: where its pictures were, and the camera of its checkpoint."""
    if "source" in environment:
        yield _fact("source", environment["source"])
    yield from _camera(header)
    data = mapping_of(recipe.get("data"))
    names = {"size": "network size (width × height)", "split": "split", "held_out": "share held out"}
    for key, name in names.items():
        if data.get(key) not in (None, ""):
            yield _fact(name, sized(data[key]) if key == "size" else data[key])
    if data.get("fov") or data.get("intrinsics"):
        yield _fact("camera given as", data.get("intrinsics") or f"FOV {plain(data['fov'])}°")


def _camera(header: Facts) -> Iterator[Fact]:
    """Field of view and center of a checkpoint's camera."""
    camera, size = mapping_of(header.get("camera")), header.get("size")
    values = [number_of(camera.get(name)) for name in ("fx", "fy", "cx", "cy")]
    if not isinstance(size, list) or len(size) != 2:
        return
    fx, fy, cx, cy = (value or math.nan for value in values)
    height, width = (number_of(side) or math.nan for side in size)
    wide, high = (
        math.degrees(2 * math.atan(side / 2 / focal)) for side, focal in ((width, fx), (height, fy))
    )
    if math.isfinite(wide + high + cx + cy):
        center = f"{(cx + 0.5) / width:.2f}/{(cy + 0.5) / height:.2f}"
        yield Fact("camera", f"FOV {wide:.0f}° × {high:.0f}°, centre {center}")
