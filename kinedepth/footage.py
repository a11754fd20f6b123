"""A source as a run takes it: what was understood, which samples are taken, what a checkpoint says of it."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from kinedepth import settings as options
from kinedepth.data import kitti
from kinedepth.data.augment import Augment
from kinedepth.data.camera_files import OFFICIAL_KITTI
from kinedepth.data.choosing import Choice, Rules, choose_all, summary
from kinedepth.data.frames import rounded_size
from kinedepth.data.moments import Calibration, Moment, split
from kinedepth.data.samples import UNIT_BASELINE, Samples
from kinedepth.data.source import Given, Source, open_source
from kinedepth.data.store import FrameStore
from kinedepth.data.understood import facts
from kinedepth.networks.blocks.range import FlatGround
from kinedepth.scene import Inputs


@dataclass(frozen=True)
class Footage:
    """What was understood of a source, before any picture of it is read."""

    path: Path
    source: Source | None
    """None for an official split, which lists its own frames."""
    calibration: Calibration
    baseline: float | None
    """Metres between a stereo rig's cameras, where known."""
    summary: str

    @property
    def camera_source(self) -> str:
        """Where the first camera comes from, for people."""
        return "the one camera of Monodepth2 for KITTI" if self.source is None else self.source.cameras[0]

    @property
    def raw_camera(self) -> dict[str, Any] | None:
        """The first camera with its lens, as plain values; None where it has none."""
        rectified = None if self.source is None else self.source.sequences[0].frames[0].rectified
        return None if rectified is None else asdict(rectified.raw)


def understand(path: Path, data: options.Data) -> Footage:
    """What lies at `path`.

    Raises:
        KinedepthError: nothing usable, or the camera makes no sense.
    """
    if data.split:
        summary = f"source     {path} (KITTI, official split {data.split})"
        return Footage(path, None, OFFICIAL_KITTI, kitti.BASELINE, summary)
    source = open_source(path, Given(data.intrinsics or None, data.fov or None, data.baseline or None))
    first = source.sequences[0]
    return Footage(path, source, first.calibration, first.baseline, source.summary())


@dataclass(frozen=True)
class Data:
    """Samples ready for training."""

    learn: Samples
    held_out: Samples | None
    notes: tuple[str, ...]
    choices: tuple[Choice, ...] = ()
    """What was taken of each sequence; nothing for an official split."""
    facts: dict[str, Any] = field(default_factory=dict)
    """What was understood and taken, as plain values."""

    @property
    def gap(self) -> int:
        """The usual gap of the sequences that are learned from."""
        gaps = sorted(choice.gap for choice in self.choices if choice.moments)
        return gaps[len(gaps) // 2] if gaps else 1


def open_data(
    footage: Footage, settings: options.Settings, inputs: Inputs, step: Callable[[], None] | None = None
) -> Data:
    """The samples that a method asks of a source; `step` is called after each frame whose motion is measured.

    Raises:
        KinedepthError: a sequence is too short, or lacks what the method needs.
    """
    choices = []
    if footage.source is not None:
        rules = _rules(settings.data, inputs)
        choices = choose_all(footage.source.sequences, inputs.offsets, rules, step)
    learn, held = _moments(footage, settings, inputs, choices)
    size = rounded_size(settings.data.size)
    notes = [f"moments    {len(learn)} to learn from, {len(held)} held out", *summary(choices)]
    if footage.source is None and _rules(settings.data, inputs) != Rules():
        notes.append("note       gap, standstill, cuts and mask are not used: an official split has its own")
    if size != tuple(settings.data.size):
        notes.append(f"note       networks see {size[1]}x{size[0]}: the size, rounded to multiples of 32")
    store = FrameStore(size, int(settings.data.memory * 1024**3))
    shared: dict[str, Any] = {"inputs": inputs, "size": size, "convention": settings.data.camera_convention}
    vary = Augment(0.5 * settings.data.flip, 0.5 * settings.data.jitter)
    train = Samples(learn, augment=vary, seed=settings.train.seed, store=store, **shared)
    judged = Samples(held, truth=_have_truth(held), store=store, **shared) if held else None
    return Data(train, judged, tuple(notes), tuple(choices), _facts(footage, choices, notes))


def _facts(footage: Footage, choices: list[Choice], notes: list[str]) -> dict[str, Any]:
    if footage.source is None:
        told: dict[str, Any] = {"path": str(footage.path), "kind": "KITTI, official split", "sequences": []}
        told["summary"] = footage.summary.splitlines()
    else:
        told = facts(footage.source, choices)
    return told | {"taken": notes}


def _rules(data: options.Data, inputs: Inputs) -> Rules:
    return Rules(data.gap, data.standstill, data.cuts, data.mask, "stereo" in inputs.priors)


def _moments(
    footage: Footage, settings: options.Settings, inputs: Inputs, choices: list[Choice]
) -> tuple[list[Moment], list[Moment]]:
    """Moments to learn from and moments held out."""
    if footage.source is not None:
        return split([moment for choice in choices for moment in choice.moments], settings.data.held_out)
    name = settings.data.split
    wanted = kitti.Wanted(inputs.offsets, "stereo" in inputs.priors)
    read = kitti.odometry_moments if name.startswith("odom") else kitti.raw_moments
    return read(footage.path, f"{name}/train", wanted), read(footage.path, f"{name}/val", wanted)


def _have_truth(moments: list[Moment]) -> bool:
    return all(moment.truth is not None and moment.truth.kind != "velodyne" for moment in moments)


def flat_ground(settings: options.Settings, footage: Footage) -> FlatGround:
    """Flat ground as the source's camera sees it.

    In stereo's unit (0.1 for the baseline) the camera's height is known; otherwise the unit is chosen so that
    the median depth of the ground is one.
    """
    size = rounded_size(settings.data.size)
    scaled = footage.calibration.resized(size, "centers")
    height = 0.0
    if settings.monodepth2.stereo and footage.baseline:
        height = settings.network.camera_height * UNIT_BASELINE / footage.baseline
    return FlatGround.below_camera(scaled.fy, scaled.cy, size[0], height)


def header(settings: options.Settings, footage: Footage, gap: int = 1) -> dict[str, Any]:
    """What every checkpoint carries, so that it can be used with no other file.

    `gap` is the number of frames from a target to its neighbour.
    """
    unit: dict[str, Any] = {"scale": "relative", "source": "monocular video", "factor": 1.0}
    if settings.monodepth2.stereo and footage.baseline:
        factor = footage.baseline / UNIT_BASELINE
        unit = {"scale": "metric", "source": f"stereo baseline {footage.baseline:.3f} m", "factor": factor}
    size = rounded_size(settings.data.size)
    camera = asdict(footage.calibration.resized(size, "centers"))
    note = {"settings": options.to_mapping(settings), "camera": camera, "size": size, "unit": unit}
    return note | {"camera_source": footage.camera_source, "raw_camera": footage.raw_camera, "gap": gap}
