"""A run folder: made, described, trained, resumed.

runs/<name>/{recipe.toml, environment.json, source.json, mask.png, metrics.jsonl, tensorboard/, samples/,
             state/, checkpoints/{last,best}.safetensors}
"""

import json
import platform
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from kinedepth import settings as options
from kinedepth.errors import KinedepthError
from kinedepth.inference.whole import check_output
from kinedepth.recipe import build_method, flat_ground, header, initialize, open_data, understand
from kinedepth.reporting import write_report
from kinedepth.training.checkpoint import state_of
from kinedepth.training.log import require_logger
from kinedepth.training.step import settled_precision
from kinedepth.training.trainer import Trainer, TrainingData

Say = Callable[[str], None]
PACKAGES = ("kinedepth", "torch", "timm", "lightning-fabric", "numpy")


def start(
    source: Path, settings: options.Settings, folder: Path, init: Path | None = None, say: Say = print
) -> Path:
    """Train on a source into a new run folder; gives the last checkpoint.

    Raises:
        KinedepthError: the folder exists, or anything on the way fails; no folder is left of a run that never
            began.
    """
    if folder.exists():
        raise KinedepthError(
            f"The run folder '{folder}' exists: give another --name, or go on with --resume {folder}."
        )
    check_output(folder, source=source)
    settings = options.changed(
        _from_anywhere(settings), train={"precision": settled_precision(settings.train)}
    )
    trainer, note = _trainer(source, settings, settings, folder, say)
    for line in initialize(trainer.method, init) if init is not None else ():
        say(line)
    try:
        _describe(folder, settings, source, note)
        return _fit(trainer, folder)
    finally:
        if not state_of(folder).exists():
            shutil.rmtree(folder, ignore_errors=True)


def _describe(folder: Path, settings: options.Settings, source: Path, note: dict[str, Any]) -> None:
    """Make the run folder and write down what the run is."""
    try:
        folder.mkdir(parents=True)
        (folder / "recipe.toml").write_text(options.to_toml(settings), encoding="utf-8")
        _write(folder / "environment.json", environment(source))
        _write(folder / "source.json", _with_masks(folder, note))
    except OSError as error:
        raise KinedepthError(
            f"The run folder '{folder}' cannot be made ({error.strerror or error}): name another place."
        ) from None


def _write(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False), encoding="utf-8")


def _with_masks(folder: Path, note: dict[str, Any]) -> dict[str, Any]:
    """What was understood, with its masks copied into the run folder and named there."""
    masks = [sequence["mask"] for sequence in note["sequences"] if sequence["mask"]]
    for number, path in enumerate(dict.fromkeys(mask["path"] for mask in masks), 1):
        copy = folder / f"mask{f'-{number}' if number > 1 else ''}{Path(path).suffix}"
        shutil.copyfile(path, copy)
        for mask in masks:
            if mask["path"] == path:
                mask["file"] = copy.name
    return note


def resume(folder: Path, say: Say = print, source: Path | None = None) -> Path:
    """Go on with a run at the step where it stopped, as if it never had; gives the last checkpoint.

    `source` is where the pictures lie now, if they were moved.

    Raises:
        KinedepthError: the folder is no run, or its source is gone or has changed.
    """
    settings, before = _described(folder)
    # All weights come from the state, so nothing is downloaded or read for them.
    untrained = options.changed(settings, network={"weights": "scratch"})
    trainer, _ = _trainer(source or before, settings, untrained, folder, say)
    return _fit(trainer, folder, resume=True)


def _fit(trainer: Trainer, folder: Path, resume: bool = False) -> Path:
    """Train to the end or to an interruption; what there is then has a report."""
    try:
        return trainer.fit(resume=resume)
    finally:
        if state_of(folder).exists():
            write_report(folder)


def _described(folder: Path) -> tuple[options.Settings, Path]:
    """Settings and source of a run, from its folder."""
    recipe, note = folder / "recipe.toml", folder / "environment.json"
    if not recipe.is_file() or not note.is_file():
        raise KinedepthError(f"'{folder}' is no run folder: give one that `kinedepth train` made.")
    try:
        source = Path(json.loads(note.read_text(encoding="utf-8"))["source"])
    except (ValueError, KeyError, TypeError):
        raise KinedepthError(f'\'{note}\' is damaged: write {{"source": "/path"}} into it.') from None
    return options.read_recipe(recipe), source


def _from_anywhere(settings: options.Settings) -> options.Settings:
    """Settings whose files are found from any folder, so that a run can be resumed from another."""
    files = {name: getattr(settings.data, name) for name in ("intrinsics", "mask")}
    found = {name: str(Path(given).resolve()) for name, given in files.items() if _is_there(given)}
    return options.changed(settings, data=found)


def _is_there(given: str) -> bool:
    try:
        return bool(given) and Path(given).exists()
    except OSError:  # numbers, too long for a file's name
        return False


def _trainer(
    source: Path, settings: options.Settings, built: options.Settings, folder: Path, say: Say
) -> tuple[Trainer, dict[str, Any]]:
    """The trainer of a run, and what was understood of its source.

    Its method is built from `built`, all else from `settings`.
    """
    require_logger(settings.train.logger)
    torch.manual_seed(settings.train.seed)
    footage = understand(source, settings.data)
    say(footage.summary)
    method = build_method(built, flat_ground(settings, footage))
    with _measuring(0 if footage.source is None else footage.source.count) as step:
        data = open_data(footage, settings, method.learns_from, step)
    for line in data.notes:
        say(line)
    parts = TrainingData(data.learn, data.held_out, settings.data.workers)
    note = header(settings, footage, data.gap)
    return Trainer(method, parts, folder, settings.train, note), data.facts


@contextmanager
def _measuring(frames: int) -> Iterator[Callable[[], None]]:
    """A bar that goes on with each frame whose motion is measured, and then away."""
    columns = (TextColumn("measuring motion"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, transient=True) as progress:
        task = progress.add_task("frames", total=frames, visible=False)
        yield lambda: progress.update(task, advance=1, visible=True)


def environment(source: Path) -> dict[str, Any]:
    """Where and with what a run was made."""
    return {
        "source": str(source.resolve()),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": sys.argv,
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}, {torch.get_num_threads()} threads",
        "cuda": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "packages": {name: version(name) for name in PACKAGES},
    }
