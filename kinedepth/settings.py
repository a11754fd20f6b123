"""Settings: frozen, typed, with a sentence for each field. Sees nothing of ours and builds nothing.

A recipe is a short TOML file of differences from these defaults, which are Monodepth2's; flags change single
fields.
"""

import difflib
import json
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, fields, is_dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from kinedepth.errors import UsageError

STRICT = ConfigDict(extra="forbid")
BUNDLED = files("kinedepth") / "recipes"

Count = Annotated[int, Field(ge=1)]
CountOrNone = Annotated[int, Field(ge=0)]
Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, le=1)]
ShareBelowOne = Annotated[float, Field(ge=0, lt=1)]


@dataclass(frozen=True, config=STRICT)
class Network:
    """The depth network."""

    name: str = "monodepth2"
    """A name of the catalog of depth networks."""
    encoder: str = "resnet18"
    """The encoder's name: resnet18, resnet34, resnet50, resnet101."""
    weights: str = "imagenet"
    """How encoders begin: "imagenet" (downloaded once by timm), "scratch", or the path of a weights file."""
    near: Positive = 0.1
    """Least depth that the network can say, in its own unit."""
    far: Positive = 100.0
    """Largest depth that the network can say, in its own unit."""
    start: Literal["network", "flat_ground"] = "network"
    """Where untrained depth begins: as the network falls, or flat ground below a horizon (level cameras)."""
    camera_height: Positive = 1.5
    """Height of the camera above the ground, in metres; shapes the flat-ground start only."""


@dataclass(frozen=True, config=STRICT)
class PoseNetwork:
    """The pose network."""

    kind: Literal["separate", "shared", "all", "posecnn"] = "separate"
    """Own encoder on pairs; the depth encoder's features; all frames at once; SfMLearner's small PoseCNN."""
    encoder: str = "resnet18"
    """The encoder's name: resnet18 or resnet50."""
    slots: Literal[1, 2] = 1
    """Motions that the head predicts; official checkpoints have 2 and use the first."""


@dataclass(frozen=True, config=STRICT)
class Monodepth2:
    """Monodepth2 (Godard et al. 2019) and each of its ablations."""

    frames: tuple[int, ...] = (-1, 1)
    """Source frames beside the target; () learns from stereo alone (S)."""
    stereo: bool = False
    """The other camera of a rig is a source too (S, MS)."""
    reprojection: Literal["minimum", "average"] = "minimum"
    """Which error of several sources counts."""
    automask: bool = True
    """Leave out pixels that the unmoved source explains better."""
    full_resolution: bool = True
    """Judge every scale at the image's size."""
    explainability: bool = False
    """SfMLearner's predicted mask with its regulariser; needs automask off."""
    explainability_weight: NotNegative = 0.2
    """Weight of that regulariser."""
    ssim: Share = 0.85
    """Share of structural similarity in the photometric error; 0 is plain difference."""
    smoothness: NotNegative = 1e-3
    """Weight of edge-aware smoothness."""
    tie_noise: NotNegative = 1e-5
    """Noise that breaks exact ties in favour of the auto-mask."""
    align_corners: bool = True
    """False repeats the official code's sampling on today's PyTorch; for comparison only."""


@dataclass(frozen=True, config=STRICT)
class Data:
    """What is read and how."""

    size: tuple[Count, Count] = (192, 640)
    """Height and width that networks see; rounded to multiples of 32."""
    camera_convention: Literal["centers", "official"] = "centers"
    """How intrinsics follow a resize: pixel centres stay, or everything is scaled as in Monodepth2's code."""
    intrinsics: str = ""
    """A file with the camera's intrinsics; empty looks beside the source."""
    fov: NotNegative = 0.0
    """Horizontal field of view in degrees, where there is no file; 0 is unset."""
    split: str = ""
    """A bundled split for KITTI roots: eigen_zhou, eigen_full, benchmark, odom; empty takes all frames."""
    held_out: ShareBelowOne = 0.1
    """Share of each sequence's end that is kept for the label-free score."""
    flip: bool = True
    """Mirror half of the samples."""
    jitter: bool = True
    """Change brightness, contrast, saturation and hue of half of the samples, for networks only."""
    gap: CountOrNone = 1
    """Frames from a target to its first neighbour; 0 chooses it by the measured motion."""
    standstill: bool = False
    """Drop moments in which the camera stands; it is measured."""
    cuts: bool = False
    """Drop moments that span a cut of the video; it is measured."""
    mask: str = ""
    """Left out of every loss: "" nothing, "auto" the car's own bonnet if found, or a picture (0 is out)."""
    baseline: NotNegative = 0.0
    """Distance of a stereo pair's cameras in metres; 0 takes the source's own or the official unit of 0.1."""
    workers: CountOrNone = 1
    """Threads that read ahead; 0 reads when a batch is wanted."""
    memory: NotNegative = 2.0
    """Gigabytes of resized frames that are kept in memory."""


@dataclass(frozen=True, config=STRICT)
class Train:
    """The loop."""

    batch_size: Count = 12
    """Samples in a step."""
    epochs: Count = 20
    """Passes over the data."""
    steps: CountOrNone = 0
    """Ends each phase after so many steps, whatever the epochs; 0 leaves it to the epochs."""
    lr: Positive = 1e-4
    """Adam's learning rate."""
    schedule: Literal["steps", "cosine"] = "steps"
    """The rate drops tenfold after `drop_after` epochs, or follows half a cosine to zero."""
    drop_after: Count = 15
    """Epochs before the rate drops."""
    warmup: CountOrNone = 0
    """Steps in which a cosine's rate rises."""
    seed: CountOrNone = 0
    """Seeds weights, order and augmentation."""
    precision: Literal["32-true", "bf16-mixed", "auto"] = "32-true"
    """Of the networks; the rest is always float32. "auto" is bf16-mixed where the device is fast at it."""
    device: str = "auto"
    """cpu, cuda, mps or auto."""
    threads: CountOrNone = 0
    """CPU threads; 0 leaves it to PyTorch."""
    average: ShareBelowOne = 0.0
    """Decay of the running average of weights that is judged and saved as the model; 0 keeps the last."""
    log_every: Count = 20
    """Steps between lines of the log."""
    save_every: Count = 500
    """Steps between resumable checkpoints and held-out scores."""
    samples: CountOrNone = 4
    """Sample strips (target, depth, rebuilt views, auto-mask) written with each held-out score."""
    logger: Literal["tensorboard", "wandb", "none"] = "tensorboard"
    """Where scalars go beside metrics.jsonl."""


@dataclass(frozen=True, config=STRICT)
class Settings:
    """Everything that a recipe can say."""

    method: str = "monodepth2"
    """A name of the catalog of methods."""
    network: Network = Network()
    pose: PoseNetwork = PoseNetwork()
    monodepth2: Monodepth2 = Monodepth2()
    data: Data = Data()
    train: Train = Train()


def from_mapping(values: Mapping[str, Any], where: str = "recipe") -> Settings:
    """Settings from nested tables; what is not given keeps its default.

    Raises:
        UsageError: an unknown key (with the nearest name) or a value of the wrong type (with its path).
    """
    _refuse_unknown(values, Settings, where, ())
    try:
        settings: Settings = TypeAdapter(Settings).validate_python(dict(values))
    except ValidationError as error:
        first = error.errors()[0]
        path = ".".join(str(part) for part in first["loc"])
        raise UsageError(f"{where}: {path} = {first['input']!r} does not fit: {first['msg']}.") from None
    return settings


def _refuse_unknown(values: Mapping[str, Any], kind: Any, where: str, path: tuple[str, ...]) -> None:
    known = {field.name: field for field in fields(kind)}
    for key, value in values.items():
        full = ".".join((*path, key))
        if key not in known:
            near = difflib.get_close_matches(key, _all_names(Settings), 1, 0.5)
            hint = f" Did you mean '{near[0]}'?" if near else f" Known: {', '.join(known)}."
            raise UsageError(f"{where}: there is no setting '{full}'.{hint}")
        if is_dataclass(known[key].type):
            if not isinstance(value, Mapping):
                raise UsageError(f"{where}: '{full}' is a table of settings, not {value!r}.")
            _refuse_unknown(value, known[key].type, where, (*path, key))


def _all_names(kind: Any) -> list[str]:
    names = []
    for field in fields(kind):
        names.append(field.name)
        if is_dataclass(field.type):
            names += _all_names(field.type)
    return names


def read_recipe(path: Path) -> Settings:
    """The settings of a TOML file.

    Raises:
        UsageError: the file is missing or not TOML, or says something unknown.
    """
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError:
        raise UsageError(
            f"Recipe '{path}' cannot be read: give a TOML file or a name of `kinedepth recipes`."
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"Recipe '{path}' is not TOML: {error}.") from None
    return from_mapping(values, f"recipe '{path.name}'")


def recipe_names() -> list[str]:
    """The recipes that ship with the package."""
    return sorted(Path(entry.name).stem for entry in BUNDLED.iterdir() if entry.name.endswith(".toml"))


def recipe_path(name_or_path: str) -> Path:
    """The file of a bundled recipe, or the TOML file itself.

    Raises:
        UsageError: there is no bundled recipe of that name.
    """
    path = Path(name_or_path)
    if path.suffix == ".toml":
        return path
    names = recipe_names()
    if name_or_path not in names:
        near = difflib.get_close_matches(name_or_path, names, 1, 0.5)
        hint = f"Did you mean '{near[0]}'?" if near else f"Known: {', '.join(names)}."
        raise UsageError(f"There is no recipe '{name_or_path}'. {hint}")
    return Path(str(BUNDLED / f"{name_or_path}.toml"))


def recipe(name_or_path: str) -> Settings:
    """The settings of a bundled recipe, or of a TOML file.

    Raises:
        UsageError: neither exists, or it says something unknown.
    """
    return read_recipe(recipe_path(name_or_path))


def to_mapping(settings: Settings) -> dict[str, Any]:
    """Nested tables of plain values."""
    return asdict(settings)


def to_toml(settings: Settings) -> str:
    """All settings as TOML, one table for each group."""
    values = to_mapping(settings)
    lines = [f"{key} = {_toml_value(value)}" for key, value in values.items() if not isinstance(value, dict)]
    for key, table in values.items():
        if isinstance(table, dict):
            lines += ["", f"[{key}]", *(f"{name} = {_toml_value(value)}" for name, value in table.items())]
    return "\n".join(lines) + "\n"


def _toml_value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (tuple, list)):
        return "[" + ", ".join(_toml_value(item) for item in value) + "]"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False)
    return repr(value)


def changed(settings: Settings, **groups: Mapping[str, Any]) -> Settings:
    """Settings with fields of some groups replaced, as in `changed(settings, train={"steps": 3})`."""
    return replace(
        settings, **{name: replace(getattr(settings, name), **dict(new)) for name, new in groups.items()}
    )
