"""A run folder: made, described, trained, resumed.

runs/<name>/{recipe.toml, environment.json, metrics.jsonl, tensorboard/, samples/, state/,
             checkpoints/{last,best}.safetensors}
"""

import json
import platform
import shutil
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from kinedepth import settings as options
from kinedepth.errors import KinedepthError
from kinedepth.inference.whole import check_output
from kinedepth.recipe import build_method, flat_ground, header, initialize, open_data, understand
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
    trainer = _trainer(source, settings, settings, folder, say)
    for line in initialize(trainer.method, init) if init is not None else ():
        say(line)
    try:
        _describe(folder, settings, source)
        return trainer.fit()
    finally:
        if not state_of(folder).exists():
            shutil.rmtree(folder, ignore_errors=True)


def _describe(folder: Path, settings: options.Settings, source: Path) -> None:
    """Make the run folder and write down what the run is."""
    try:
        folder.mkdir(parents=True)
        (folder / "recipe.toml").write_text(options.to_toml(settings), encoding="utf-8")
        note = json.dumps(environment(source), indent=2)
        (folder / "environment.json").write_text(note, encoding="utf-8")
    except OSError as error:
        raise KinedepthError(
            f"The run folder '{folder}' cannot be made ({error.strerror or error}): name another place."
        ) from None


def resume(folder: Path, say: Say = print, source: Path | None = None) -> Path:
    """Go on with a run at the step where it stopped, as if it never had; gives the last checkpoint.

    `source` is where the pictures lie now, if they were moved.

    Raises:
        KinedepthError: the folder is no run, or its source is gone or has changed.
    """
    settings, before = _described(folder)
    # All weights come from the state, so nothing is downloaded or read for them.
    untrained = options.changed(settings, network={"weights": "scratch"})
    return _trainer(source or before, settings, untrained, folder, say).fit(resume=True)


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
    given = settings.data.intrinsics
    try:
        is_file = bool(given) and Path(given).is_file()
    except OSError:  # numbers, too long for a file's name
        is_file = False
    return options.changed(settings, data={"intrinsics": str(Path(given).resolve())}) if is_file else settings


def _trainer(
    source: Path, settings: options.Settings, built: options.Settings, folder: Path, say: Say
) -> Trainer:
    """The trainer of a run; its method is built from `built`, all else from `settings`."""
    require_logger(settings.train.logger)
    torch.manual_seed(settings.train.seed)
    footage = understand(source, settings.data)
    say(footage.summary)
    method = build_method(built, flat_ground(settings, footage))
    data = open_data(footage, settings, method.learns_from)
    for line in data.notes:
        say(line)
    parts = TrainingData(data.learn, data.held_out, settings.data.workers)
    return Trainer(method, parts, folder, settings.train, header(settings, footage))


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
