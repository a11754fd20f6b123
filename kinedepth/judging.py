"""A run, judged beside rows that need no learning: printed and written.

`kinedepth evaluate` and `kinedepth demo` are short scripts over this. It stands above `evaluation`, since the
untrained network beside a run is built by its recipe; predictions made elsewhere need none, and are judged in
`evaluation.external`.
"""

import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from rich.console import Console

from kinedepth.data.moments import Moment
from kinedepth.errors import KinedepthError
from kinedepth.evaluation import judge, make3d, tracks
from kinedepth.evaluation.console import say
from kinedepth.evaluation.findings import Findings
from kinedepth.evaluation.judge import MODEL, Guess
from kinedepth.evaluation.protocol import (
    DEPTH_PROTOCOLS,
    MAKE3D,
    SNIPPET_PROTOCOLS,
    Protocol,
    SnippetProtocol,
)
from kinedepth.evaluation.question import CONSTANT as CONSTANT
from kinedepth.evaluation.question import Question as Question
from kinedepth.evaluation.question import (
    adapted,
    alignment,
    judge_depth,
    note_of,
    plain_rows,
    protocols_of,
    write_if_asked,
)
from kinedepth.evaluation.sources import Measured, find_truth
from kinedepth.evaluation.tracks import Mover, PathErrors
from kinedepth.inference.predictor import Predictor
from kinedepth.inference.weights import read_header
from kinedepth.networks.blocks.range import FlatGround
from kinedepth.recipe import build_method, checkpoint_of
from kinedepth.settings import changed, from_mapping

UNTRAINED, STRAIGHT = "untrained network", "straight ahead"
"""The labels of rows that stand beside every model."""


def judged(asked: Question, predictor: Predictor, console: Console) -> Findings:
    """The tables of a predictor, printed as they come and written where asked.

    Raises:
        KinedepthError: the source has no truth, or not the one that the protocol needs; a file of it is
            missing or damaged; the output exists.
    """
    names = asked.listed()
    found = find_truth(asked.source, predictor.method.predicts_from.offsets, names)
    depth, path = protocols_of(asked.protocol, found)
    metric = predictor.unit.scale == "metric"
    align = alignment(asked.align, predictor.unit.scale)
    say(console, found.summary, f"checkpoint {checkpoint_of(asked.run)}", f"scale      {scale_of(predictor)}")
    beside = untrained(asked.run, predictor)
    if path is not None and not asked.protocol and not knows_motion(predictor):
        say(console, "note       the poses are left aside: this model was trained without a pose network")
        path = None
    note = note_of(asked, [each.name for each in (depth, path) if each is not None])
    note |= _about_run(asked.run, predictor) | {"alignment": align}
    with TemporaryDirectory(prefix="kinedepth-") as memory:
        table, moments, guess = None, list[Moment](), judge.by_constant()
        if depth is not None:
            moments, protocol = found.listed(depth.name, names), adapted(depth, asked, align)
            guesses = rows(predictor, beside, protocol, found)
            guess = guesses[MODEL] = judge.remembered(guesses[MODEL], Path(memory))
            table = judge_depth(asked, moments, protocol, guesses, metric, console)
        paths = {} if path is None else judge_paths(found, path, predictor, beside, console)
        return write_if_asked(asked, Findings(note, table, paths, asked.error_maps), moments, guess, console)


def protocol_names() -> list[str]:
    """What `protocol` of a question may be."""
    return [*DEPTH_PROTOCOLS, *SNIPPET_PROTOCOLS]


def wide_console() -> Console:
    """A console on which no table is folded: a narrow terminal wraps it, a file gets all of it."""
    return Console(width=max(120, shutil.get_terminal_size((120, 24)).columns))


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


def rows(predictor: Predictor, beside: Predictor, protocol: Protocol, found: Measured) -> dict[str, Guess]:
    """The model and the rows that stand in every table of depth."""
    guess = make3d.by_predictor if protocol.name == MAKE3D.name else judge.by_predictor
    return {MODEL: guess(predictor), UNTRAINED: guess(beside), **plain_rows(protocol, found)}


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
    say(console, tracks.verdict(result))
    return result


def _about_run(run: Path, predictor: Predictor) -> dict[str, Any]:
    checkpoint = checkpoint_of(run)
    return {
        "checkpoint": str(checkpoint.resolve()),
        "step": read_header(checkpoint).get("step"),
        "scale": predictor.unit.scale,
        "scale_source": predictor.unit.source,
        "flip": predictor.flip,
        "network_size": list(predictor.size),
    }
