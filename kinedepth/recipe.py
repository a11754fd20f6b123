"""Settings -> data, method, trainer, predictor. The only reader of the tables."""

import difflib
from collections.abc import Iterable, Mapping
from importlib.resources import files
from pathlib import Path
from typing import TypeVar

from torch import nn

from kinedepth import catalog
from kinedepth import settings as options
from kinedepth.errors import KinedepthError
from kinedepth.method import Method, Parts
from kinedepth.networks import DepthNetwork
from kinedepth.networks.blocks.range import FlatGround
from kinedepth.networks.explain import Explainability
from kinedepth.optimizer import Cosine, Optimizer, Schedule, Steps


T = TypeVar("T")


def recipe_names() -> list[str]:
    """The recipes that ship with the package."""
    folder = files("kinedepth") / "recipes"
    return sorted(Path(entry.name).stem for entry in folder.iterdir() if entry.name.endswith(".toml"))


def recipe(name_or_path: str) -> options.Settings:
    """The settings of a bundled recipe, or of a TOML file.

    Raises:
        KinedepthError: neither exists, or it says something unknown.
    """
    path = Path(name_or_path)
    if path.suffix == ".toml":
        return options.read_recipe(path)
    names = recipe_names()
    if name_or_path not in names:
        raise KinedepthError(f"There is no recipe '{name_or_path}'.{_nearest(name_or_path, names)}")
    return options.read_recipe(Path(str(files("kinedepth") / "recipes" / f"{name_or_path}.toml")))


def _nearest(name: str, known: Iterable[str]) -> str:
    known = list(known)
    near = difflib.get_close_matches(name, known, 1, 0.5)
    return f" Did you mean '{near[0]}'?" if near else f" Known: {', '.join(known)}."


def _look_up(table: Mapping[str, T], name: str, what: str) -> T:
    if name not in table:
        raise KinedepthError(f"There is no {what} '{name}'.{_nearest(name, table)}")
    return table[name]


def build_method(settings: options.Settings, ground: FlatGround | None = None) -> Method:
    """The method that settings describe; `ground` shapes the flat-ground start and comes from the camera.

    Raises:
        KinedepthError: a name that no table holds, or choices that exclude each other.
    """
    make_method = _look_up(catalog.METHODS, settings.method, "method")
    make_network = _look_up(catalog.DEPTH_NETWORKS, settings.network.name, "depth network")
    make_pose = _look_up(catalog.POSE_NETWORKS, settings.pose.kind, "pose network")
    for encoder in (settings.network.encoder, settings.pose.encoder):
        _look_up(catalog.ENCODERS, encoder, "encoder")
    sources = settings.monodepth2.frames
    at_once = 1 + len(sources) if settings.pose.kind == "all" else 2

    def make_depth() -> DepthNetwork:
        return make_network(settings.network, ground)

    def make_explain(depth: nn.Module) -> nn.Module:
        return Explainability(depth.encoder.channels, len(sources) + settings.monodepth2.stereo)

    parts = Parts(
        settings, make_depth, lambda depth: make_pose(settings, depth, at_once), make_explain, optimizer(settings.train)
    )
    return make_method(parts)


def optimizer(train: options.Train) -> Optimizer:
    """The optimizer that settings describe."""
    schedule: Schedule = Steps((train.drop_after,))
    if train.schedule == "cosine":
        schedule = Cosine(warmup=train.warmup)
    return Optimizer(train.lr, schedule=schedule)
