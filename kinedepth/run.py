"""A run folder: made, described, trained, resumed.

    runs/<name>/{recipe.toml, environment.json, metrics.jsonl, tensorboard/, samples/, state/,
                 checkpoints/{last,best}.safetensors}
"""

import json
import platform
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from kinedepth import settings as options
from kinedepth.errors import KinedepthError
from kinedepth.recipe import build_method, flat_ground, header, initialize, open_data, understand
from kinedepth.training.trainer import Trainer, TrainingData

Say = Callable[[str], None]
PACKAGES = ("kinedepth", "torch", "timm", "lightning-fabric", "numpy")


def start(
    source: Path, settings: options.Settings, folder: Path, init: Path | None = None, say: Say = print
) -> Path:
    """Train on a source into a new run folder; gives the last checkpoint.

    Raises:
        KinedepthError: the folder exists, or anything on the way fails; nothing is left behind before training starts.
    """
    if folder.exists():
        raise KinedepthError(f"The run folder '{folder}' exists: give another --name, or go on with --resume {folder}.")
    trainer = _trainer(source, settings, folder, init, say)
    (folder / "checkpoints").mkdir(parents=True)
    (folder / "recipe.toml").write_text(options.to_toml(settings), encoding="utf-8")
    (folder / "environment.json").write_text(json.dumps(environment(source), indent=2), encoding="utf-8")
    return trainer.fit()


def resume(folder: Path, say: Say = print, source: Path | None = None) -> Path:
    """Go on with a run at the step where it stopped, as if it never had; gives the last checkpoint.

    `source` is where the pictures lie now, if they were moved.

    Raises:
        KinedepthError: the folder is no run, or its source is gone.
    """
    recipe, note = folder / "recipe.toml", folder / "environment.json"
    if not recipe.is_file() or not note.is_file():
        raise KinedepthError(f"'{folder}' is no run folder: give one that `kinedepth train` made.")
    settings = options.read_recipe(recipe)
    before = Path(json.loads(note.read_text(encoding="utf-8"))["source"])
    return _trainer(source or before, settings, folder, None, say).fit(resume=True)


def _trainer(
    source: Path, settings: options.Settings, folder: Path, init: Path | None, say: Say
) -> Trainer:
    torch.manual_seed(settings.train.seed)
    footage = understand(source, settings.data)
    say(footage.summary)
    method = build_method(settings, flat_ground(settings, footage))
    data = open_data(footage, settings, method.learns_from)
    for line in (*data.notes, *(initialize(method, init) if init is not None else ())):
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
