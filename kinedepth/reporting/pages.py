"""What stands on the page of a run, an evaluation or a demo: its parts, their order, its title."""

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from kinedepth.errors import KinedepthError
from kinedepth.evaluation.output import MARK
from kinedepth.inference.whole import whole_file
from kinedepth.reporting import curves, depth_tables, images, paths, provenance, strips, understood
from kinedepth.reporting.curves import Log
from kinedepth.reporting.reading import Facts, facts, film, header, mapping_of, positions, text
from kinedepth.reporting.words import plain, sized, spoken
from kinedepth.visualize.report import page
from kinedepth.visualize.report.content import (
    Block,
    Charts,
    Fact,
    Report,
    Scale,
    Section,
    Verdict,
)
from kinedepth.visualize.report.content import Facts as FactsBlock

NAME = "report.html"
_TELL_NOTHING = (
    "images",
    "image",
    "frames",
    "data",
    "train",
    "test",
    "video",
    "image_02",
    "image_2",
    "gt",
    "truth",
    "poses",
)


def write_report(folder: Path, output: Path | None = None) -> Path:
    """Write the report of a run, evaluation or demo folder, whole or not at all; gives the file.

    Args:
        folder: what the report is about; parts that it lacks are left out.
        output: the file; by default report.html in the folder. An older one is replaced.

    Raises:
        KinedepthError: the folder is none of ours, or the file cannot be written.
    """
    content = page(report_of(folder))
    path = output or folder / NAME
    if path.is_dir():
        raise KinedepthError(f"'{path}' is a folder: name a file for the report, such as {path / NAME}.")
    with whole_file(path) as draft:
        draft.write_text(content, encoding="utf-8")
    return path


def report_of(folder: Path) -> Report:
    """What the report of a folder says.

    Raises:
        KinedepthError: the folder is no run, no evaluation and no demo.
    """
    if (folder / "demo.json").is_file():
        return _of_demo(folder)
    if (folder / MARK).is_file():
        return _of_evaluation(folder)
    if _is_run(folder):
        return _of_run(folder)
    raise KinedepthError(
        f"'{folder}' is no folder of a run, an evaluation or a demo: give one that `kinedepth train`, "
        "`kinedepth evaluate -o` or `kinedepth demo` made."
    )


def _is_run(folder: Path) -> bool:
    return (folder / "recipe.toml").is_file() and (folder / "metrics.jsonl").is_file()


def _of_run(run: Path) -> Report:
    log, environment, recipe = Log.of(run), facts(run / "environment.json"), _recipe(run)
    scale = _scale(mapping_of(_header(run).get("unit")))
    name = _name(environment.get("source"), run)
    return Report(
        f"Depth learned from {name}",
        f"Training · run {run.resolve().name}",
        tuple(curves.verdicts(log)),
        scale,
        (
            *_training(run, log),
            provenance.section(
                provenance.training_facts(environment, recipe, log.best),
                provenance.listings(run, environment),
            ),
            provenance.limits(scale, {}, trained=True),
        ),
        strips.last(run),
    )


def _training(run: Path, log: Log) -> list[Section]:
    """What was given, the curves, the strips."""
    environment, seen = facts(run / "environment.json"), strips.section(run)
    first = understood.section(run, environment, _recipe(run), _header(run))
    return [first, curves.section(log), *([seen] if seen is not None else [])]


def _of_evaluation(folder: Path) -> Report:
    note = facts(folder / MARK)
    scale = _scale(note, source="scale_source", uncertainty="scale_uncertainty")
    truth = note.get("source") or note.get("truth")
    return Report(
        " on ".join([f"{_measured_what(note)} measured", *([_name(truth, folder)] if truth else [])]),
        f"Evaluation · {_checkpoint(note, folder)}",
        _capital(
            depth_tables.verdicts(folder),
            "These predictions are" if "predictions" in note else "This model is",
        )
        or (Verdict("Nothing was measured.", None),),
        scale,
        (
            *_measured(folder),
            provenance.section(provenance.evaluation_facts(note), []),
            provenance.limits(scale, note),
        ),
    )


def _measured_what(note: Facts) -> str:
    if "odometry" not in note:
        return "Depth"
    return "Depth and motion" if note.get("means") else "Camera motion"


def _measured(folder: Path) -> list[Section]:
    """Tables, errors image by image, the path: those that are there."""
    found = (depth_tables.section(folder), images.section(folder), paths.section(folder))
    return [section for section in found if section is not None]


def _of_demo(folder: Path) -> Report:
    demo, run, tested = facts(folder / "demo.json"), folder / "run", folder / "evaluation"
    note, environment = facts(tested / MARK), facts(run / "environment.json")
    log = Log.of(run)
    scale = _scale(mapping_of(_header(run).get("unit"))) or _scale(note, source="scale_source")
    told = provenance.demo_facts(demo) + provenance.training_facts(environment, _recipe(run), log.best)
    return Report(
        "Depth learned from rendered drives",
        "Demo: render, train, measure, predict",
        _capital([*depth_tables.verdicts(tested), *curves.verdicts(log)]),
        scale,
        (
            *(_training(run, log) if _is_run(run) else []),
            *_measured(tested),
            *_predicted(folder / "prediction"),
            provenance.section(told, provenance.listings(run, environment)),
            provenance.limits(scale, note, trained=True),
        ),
        film(
            folder / "prediction" / "depth.mp4",
            "A video that the model never saw: picture above its predicted depth",
            "A video that the model never saw: picture above its predicted depth; bright is near.",
        ),
    )


def _predicted(folder: Path) -> Iterator[Section]:
    """The camera's path on a new video, and in which unit it and the depth are."""
    note = facts(folder / "prediction.json")
    path = positions(folder / "poses_tum.txt")
    names = (
        "frames",
        "fps",
        "sizes",
        "scale",
        "unit",
        "scale_source",
        "scale_uncertainty",
        "poses",
        "files",
        "notes",
    )
    told = tuple(
        Fact(spoken(name), sized(note[name]) if name == "sizes" else plain(note[name]))
        for name in names
        if note.get(name) not in (None, [], "")
    )
    blocks: list[Block] = []
    if len(path):
        unit = "m" if note.get("scale") == "metric" else "relative unit"
        blocks.append(Charts((paths.path_chart("The camera's path", {"predicted": path}, unit),)))
    blocks += [FactsBlock("What was written.", told)] if told else []
    if blocks:
        yield Section("prediction", "Depth of a new video", tuple(blocks))


def _capital(said: list[Verdict], subject: str = "This model is") -> tuple[Verdict, ...]:
    """The verdicts as sentences that stand alone: the lead says who is meant."""
    if not said:
        return ()
    first, *rest = said
    headless = first.text.startswith(("better", "NOT better"))
    return Verdict(f"{subject} {first.text}" if headless else first.text, first.holds), *rest


def _recipe(run: Path) -> Mapping[str, Any]:
    try:
        return tomllib.loads(text(run / "recipe.toml"))
    except tomllib.TOMLDecodeError:
        return {}


def _header(run: Path) -> Facts:
    return header(run, "best") or header(run, "last")


def _scale(
    found: Mapping[str, Any], source: str = "source", uncertainty: str = "uncertainty"
) -> Scale | None:
    if found.get("scale") not in ("relative", "metric"):
        return None
    known = found.get(uncertainty)
    return Scale(
        str(found["scale"]), str(found.get(source) or ""), "" if known is None else f"± {plain(known)}"
    )


def _name(path: object, otherwise: Path) -> str:
    """The last part of a path that tells anything, or the folder's own name."""
    given = Path(str(path)) if path else otherwise.resolve()
    return f"{given.parent.name}/{given.name}" if given.name in _TELL_NOTHING else given.name


def _checkpoint(note: Facts, folder: Path) -> str:
    """Which weights were judged: run, checkpoint and step."""
    path = Path(str(note.get("checkpoint") or note.get("predictions") or ""))
    run = path.parent.parent.name if path.parent.name == "checkpoints" else ""
    step = f"step {plain(note['step'])}" if note.get("step") is not None else ""
    return " · ".join(part for part in (run, path.stem if path.name else folder.resolve().name, step) if part)
