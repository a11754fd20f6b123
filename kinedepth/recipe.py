"""Settings -> data, method, trainer, predictor. The only reader of the tables."""

import difflib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from torch import Tensor, nn

from kinedepth import catalog
from kinedepth import settings as options
from kinedepth.data.moments import Calibration, Lens
from kinedepth.errors import KinedepthError
from kinedepth.footage import Data as Data
from kinedepth.footage import Footage as Footage
from kinedepth.footage import flat_ground as flat_ground
from kinedepth.footage import header as header
from kinedepth.footage import open_data as open_data
from kinedepth.footage import understand as understand
from kinedepth.inference.predictor import Predictor, Unit
from kinedepth.inference.weights import read_header, read_weights
from kinedepth.method import Method, Parts
from kinedepth.networks import DepthNetwork
from kinedepth.networks.blocks.range import FlatGround, InverseDepthRange
from kinedepth.networks.explain import Explainability
from kinedepth.optimizer import Cosine, Optimizer, Schedule, Steps
from kinedepth.settings import recipe as recipe
from kinedepth.settings import recipe_names as recipe_names

T = TypeVar("T")


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

    def make_explain(depth: DepthNetwork) -> nn.Module:
        return Explainability(depth.encoder.channels, len(sources) + settings.monodepth2.stereo)

    parts = Parts(
        settings,
        make_depth,
        lambda depth: make_pose(settings, depth, at_once),
        make_explain,
        optimizer(settings.train),
    )
    return make_method(parts)


def optimizer(train: options.Train) -> Optimizer:
    """The optimizer that settings describe."""
    schedule: Schedule = Steps((train.drop_after,))
    if train.schedule == "cosine":
        schedule = Cosine(warmup=train.warmup)
    return Optimizer(train.lr, schedule=schedule)


class CameraNote(NamedTuple):
    """What a checkpoint says of the camera that it was trained with."""

    source: str
    """Where it came from, for people; begins with GUESSED where nothing was known."""
    raw: Calibration | None
    """With its lens, in pixels of the training's pictures; None where they were taken as they are."""


def camera_note(path: Path) -> CameraNote:
    """What a checkpoint or run folder says of its camera; older ones say little.

    Raises:
        KinedepthError: the file is missing, damaged or foreign.
    """
    note = read_header(checkpoint_of(path))
    raw = note.get("raw_camera")
    if raw is None:
        return CameraNote(str(note.get("camera_source", "of the training, origin not noted")), None)
    lens = Lens(raw["lens"]["model"], tuple(raw["lens"]["coefficients"]))
    return CameraNote(str(note["camera_source"]), Calibration(**(raw | {"lens": lens})))


def load_method(path: Path) -> tuple[Method, dict[str, Any]]:
    """The method of a checkpoint with its weights, and the checkpoint's header; nothing is downloaded.

    Raises:
        KinedepthError: the file is missing, damaged, foreign, or does not fit its own recipe.
    """
    tensors, note = read_weights(checkpoint_of(path))
    if "settings" not in note:
        raise KinedepthError(f"The checkpoint '{path}' does not hold its recipe: train it again.")
    settings = options.from_mapping(note["settings"], f"checkpoint '{path}'")
    method = build_method(options.changed(settings, network={"weights": "scratch"}))
    try:
        method.networks.load_state_dict(tensors)
    except RuntimeError as error:
        why = " ".join(str(error).split())[:200]
        raise KinedepthError(f"The weights of '{path}' do not fit its own recipe: {why}.") from None
    return method.eval(), note


def checkpoint_of(path: Path) -> Path:
    """The checkpoint that a path means: a file, or a run folder's best.

    Raises:
        KinedepthError: a folder without checkpoints.
    """
    if not path.is_dir():
        return path
    for name in ("best", "last"):
        candidate = path / "checkpoints" / f"{name}.safetensors"
        if candidate.is_file():
            return candidate
    raise KinedepthError(
        f"The folder '{path}' holds no checkpoint: give a run of `kinedepth train`, or its file."
    )


def load_predictor(path: Path, device: str = "cpu", flip: bool = False) -> Predictor:
    """A predictor from a checkpoint file or a run folder.

    Raises:
        KinedepthError: as `load_method`.
    """
    method, note = load_method(path)
    if not {"unit", "size", "camera"} <= note.keys():
        raise KinedepthError(f"The checkpoint '{path}' does not hold its camera and unit: train it again.")
    unit = Unit(note["unit"]["scale"], note["unit"]["source"], note["unit"]["factor"])
    size = (int(note["size"][0]), int(note["size"][1]))
    camera = Calibration(**note["camera"]).camera(size)
    predictor = Predictor(method, size, unit, camera, flip, device)
    predictor.camera_source = f"the run's: {note.get('camera_source', 'not said')}"
    predictor.gap = int(note.get("gap", 1))
    return predictor


def initialize(method: Method, path: Path) -> list[str]:
    """Take over the networks of a checkpoint that fit; gives a line for each network.

    The range of depth and the flat ground stay those of the recipe, which describes the new run's camera.

    Raises:
        KinedepthError: the file cannot be read, or nothing in it fits.
    """
    tensors, _ = read_weights(checkpoint_of(path))
    lines, learned = [], 0
    for name, network in method.networks.items():
        state = _without_range(network)
        given = {key[len(name) + 1 :]: value for key, value in tensors.items() if key.startswith(f"{name}.")}
        fitting = {
            key: value for key, value in given.items() if key in state and state[key].shape == value.shape
        }
        network.load_state_dict(fitting, strict=False)
        learned += len(fitting.keys() & dict(network.named_parameters()).keys())
        lines.append(f"{name:<10} {len(fitting)} of {len(state)} tensors from the checkpoint")
        lines[-1] += _listed("; as they were: ", set(state) - set(fitting))
        lines[-1] += _listed("; not used: ", set(given) - set(network.state_dict()))
    if not learned:
        raise KinedepthError(
            f"No weights of '{path}' fit this recipe: choose the recipe that they were trained with."
        )
    others = {key.partition(".")[0] for key in tensors} - set(method.networks)
    return [*lines, *(f"{name:<10} of the checkpoint is not part of this recipe" for name in sorted(others))]


def _without_range(network: nn.Module) -> dict[str, Tensor]:
    """The state of a network less what the recipe says of depth."""
    ranges = [name for name, part in network.named_modules() if isinstance(part, InverseDepthRange)]
    return {
        key: value
        for key, value in network.state_dict().items()
        if not any(key.startswith(f"{name}.") for name in ranges)
    }


def _listed(before: str, names: set[str]) -> str:
    shown = sorted(names)[:3]
    return f"{before}{', '.join(shown)}{' …' if len(names) > len(shown) else ''}" if names else ""
