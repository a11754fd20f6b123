"""A run, judged: the model beside rows that need no learning, printed and written.

`kinedepth evaluate` and `kinedepth demo` are short scripts over this.
"""

import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console
from rich.progress import Progress

from kinedepth.data.moments import Moment
from kinedepth.data.synthetic import DriveSettings
from kinedepth.errors import KinedepthError
from kinedepth.evaluation import judge, tracks
from kinedepth.evaluation.baselines import KITTI_CAMERA_HEIGHT
from kinedepth.evaluation.judge import MODEL, Guess, Judged
from kinedepth.evaluation.protocol import Alignment, Protocol, SnippetProtocol
from kinedepth.evaluation.sources import DEPTH_PROTOCOLS, PATH_PROTOCOLS, Measured, find_truth
from kinedepth.evaluation.table import print_tables
from kinedepth.evaluation.tracks import Mover, PathErrors
from kinedepth.evaluation.written import Findings, worst_and_median, write_findings
from kinedepth.inference.files import kinedepth_version
from kinedepth.inference.predictor import Predictor
from kinedepth.inference.weights import read_header
from kinedepth.networks.blocks.range import FlatGround
from kinedepth.recipe import build_method, checkpoint_of
from kinedepth.settings import changed, from_mapping

UNTRAINED, CONSTANT, GROUND, STRAIGHT = "untrained network", "constant depth", "flat ground", "straight ahead"
"""The labels of the rows that stand beside every model."""
CONSTANT_DEPTH = 10.0
"""Meters; seen only where nothing is aligned."""


@dataclass(frozen=True)
class Question:
    """What is to be judged, and how."""

    run: Path
    """A run folder or a checkpoint."""
    source: Path
    """What holds the truth."""
    protocol: str = ""
    """A name; empty takes what suits the source: depth, and the path where poses were measured."""
    align: Alignment | None = None
    """None takes a metric model at its word, and scales a relative one by the median of each image."""
    output: Path | None = None
    overwrite: bool = False
    more: Mapping[str, Guess] = field(default_factory=dict)
    """Further rows of the depth table, by their labels."""


def judged(asked: Question, predictor: Predictor, console: Console) -> Findings:
    """The tables of a predictor, printed as they come and written where asked.

    Raises:
        KinedepthError: the source has no truth, or not the one that the protocol needs; a file of it is
            missing or damaged; the output exists.
    """
    found = find_truth(asked.source, predictor.method.predicts_from.offsets)
    depth, path = _protocols(asked.protocol, found)
    align = alignment(asked.align, predictor)
    _say(
        console, found.summary, f"checkpoint {checkpoint_of(asked.run)}", f"scale      {scale_of(predictor)}"
    )
    beside = untrained(asked.run, predictor)
    moments = [] if depth is None else found.images[depth.name]()
    table = None
    if depth is not None:
        table = judge_depth(moments, depth.aligned(align), predictor, beside, asked.more, console)
    if path is not None and not asked.protocol and not knows_motion(predictor):
        _say(console, "note       the poses are left aside: this model was trained without a pose network")
        path = None
    paths = {} if path is None else judge_paths(found, path, predictor, beside, console)
    result = Findings(
        _note(asked, predictor, [each.name for each in (depth, path) if each is not None]), table, paths
    )
    if asked.output is not None:
        guess = judge.by_predictor(predictor)
        files = write_findings(asked.output, result, moments, guess, asked.source, asked.overwrite)
        _say(console, f"written    {asked.output}: {', '.join(files)}")
    return result


def protocol_names() -> list[str]:
    """What `protocol` of a question may be."""
    return [*DEPTH_PROTOCOLS, *PATH_PROTOCOLS]


def wide_console() -> Console:
    """A console on which no table is folded: a narrow terminal wraps it, a file gets all of it."""
    return Console(width=max(120, shutil.get_terminal_size((120, 24)).columns))


def _say(console: Console, *lines: str) -> None:
    for line in lines:
        console.print(line, highlight=False, markup=False, soft_wrap=True)


def _protocols(name: str, found: Measured) -> tuple[Protocol | None, SnippetProtocol | None]:
    """The protocol asked for; else the preferred ones of depth and of the path, where there is truth."""
    if name:
        found.require(name)
        return DEPTH_PROTOCOLS.get(name), PATH_PROTOCOLS.get(name)
    depth = next((DEPTH_PROTOCOLS[each] for each in found.protocols if each in DEPTH_PROTOCOLS), None)
    return depth, next((PATH_PROTOCOLS[each] for each in found.protocols if each in PATH_PROTOCOLS), None)


def alignment(asked: Alignment | None, predictor: Predictor) -> Alignment:
    """What was asked; by default meters are taken at their word where the model has them.

    Raises:
        KinedepthError: no alignment is asked of a model without meters.
    """
    metric = predictor.unit.scale == "metric"
    if asked == "none" and not metric:
        raise KinedepthError(
            "--align none needs a metric model and this one is relative, its unit is unknown: use median "
            "or one_factor."
        )
    return asked or ("none" if metric else "median")


def knows_motion(predictor: Predictor) -> bool:
    """Whether the method says how the camera moved; one that learned from stereo alone does not."""
    black = np.zeros((*predictor.size, 3), dtype=np.uint8)
    try:
        predictor.pose(black, black)
    except KinedepthError:
        return False
    return True


def scale_of(predictor: Predictor) -> str:
    """Relative or metric, and from what."""
    unit = predictor.unit
    factor = f", depth times {unit.factor:g}" if unit.factor != 1.0 else ""
    return f"{unit.scale} ({unit.source}{factor})"


def untrained(run: Path, trained: Predictor) -> Predictor:
    """The network of the same recipe before its first step, with its start.

    Nothing is downloaded for it: encoders begin at random, whatever the recipe says.
    """
    settings = from_mapping(read_header(checkpoint_of(run))["settings"], f"checkpoint '{run}'")
    with torch.random.fork_rng():
        torch.manual_seed(settings.train.seed)
        ground = _ground_of(trained, settings.network.camera_height)
        method = build_method(changed(settings, network={"weights": "scratch"}), ground)
    return Predictor(method, trained.size, trained.unit, trained.camera, trained.flip, str(trained.device))


def _ground_of(trained: Predictor, camera_height: float) -> FlatGround | None:
    """Flat ground as the training's camera sees it; its height is known to a metric model alone."""
    camera, unit = trained.camera, trained.unit
    if camera is None:
        return None
    height = camera_height / unit.factor if unit.scale == "metric" else 0.0
    return FlatGround.below_camera(
        float(camera.focal[..., 1]), float(camera.center[..., 1]), trained.size[0], height
    )


def rows(predictor: Predictor, beside: Predictor, protocol: Protocol) -> dict[str, Guess]:
    """The model and the rows that stand in every table of depth."""
    height = KITTI_CAMERA_HEIGHT if protocol.name.startswith("kitti") else DriveSettings().camera_height
    constant = f"{CONSTANT} {CONSTANT_DEPTH:g} m" if protocol.align == "none" else CONSTANT
    return {
        MODEL: judge.by_predictor(predictor),
        UNTRAINED: judge.by_predictor(beside),
        constant: judge.by_constant(CONSTANT_DEPTH),
        GROUND: judge.by_flat_ground(height),
    }


def judge_depth(
    moments: Sequence[Moment],
    protocol: Protocol,
    predictor: Predictor,
    beside: Predictor,
    more: Mapping[str, Guess],
    console: Console,
) -> Judged:
    """The tables of the model and of every row beside it, printed with a verdict."""
    with Progress(console=console, transient=True) as bar:
        task = bar.add_task("images", total=len(moments))
        guesses = {**rows(predictor, beside, protocol), **more}
        result = judge.depth_tables(moments, protocol, guesses, lambda count: bar.update(task, advance=count))
    print_tables(result.tables, console)
    for kind, row in worst_and_median(result.tables[MODEL]).items():
        _say(console, f"{kind + ' image':<12} {row.name} (abs_rel {row.errors['abs_rel']:.3f})")
    if result.left_out:
        _say(console, f"left out, without truth that counts: {', '.join(result.left_out)}")
    _say(console, *(judge.verdict(result.tables, region) for region in protocol.regions))
    return result


def judge_paths(
    found: Measured, protocol: SnippetProtocol, predictor: Predictor, beside: Predictor, console: Console
) -> dict[str, list[PathErrors]]:
    """The errors of the camera's path, printed with a verdict.

    Raises:
        KinedepthError: the model was trained without a pose network.
    """
    movers: dict[str, Mover] = {
        MODEL: tracks.by_predictor(predictor),
        UNTRAINED: tracks.by_predictor(beside),
        STRAIGHT: tracks.straight_ahead,
    }
    metric = predictor.unit.scale == "metric"
    result = tracks.judge_paths(found.tracks, movers, protocol, metric)
    tracks.print_paths(result, console)
    _say(console, tracks.verdict(result))
    return result


def _note(asked: Question, predictor: Predictor, protocols: Sequence[str]) -> dict[str, Any]:
    checkpoint = checkpoint_of(asked.run)
    return {
        "command": sys.argv,
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "kinedepth": kinedepth_version(),
        "checkpoint": str(checkpoint.resolve()),
        "step": read_header(checkpoint).get("step"),
        "source": str(asked.source.resolve()),
        "protocols": list(protocols),
        "alignment": alignment(asked.align, predictor),
        "scale": predictor.unit.scale,
        "scale_source": predictor.unit.source,
        "flip": predictor.flip,
        "network_size": list(predictor.size),
    }
