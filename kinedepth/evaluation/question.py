"""What is to be judged and how: all that runs and predictions made elsewhere have in common."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress

from kinedepth.data.moments import Moment
from kinedepth.data.synthetic import DriveSettings
from kinedepth.errors import KinedepthError
from kinedepth.evaluation import judge
from kinedepth.evaluation.baselines import KITTI_CAMERA_HEIGHT
from kinedepth.evaluation.console import say
from kinedepth.evaluation.depth_printing import print_judged
from kinedepth.evaluation.error_maps import WORST, HowMany
from kinedepth.evaluation.findings import Findings, write_findings
from kinedepth.evaluation.judge import MODEL, Guess, Judged
from kinedepth.evaluation.names import read_names
from kinedepth.evaluation.output import provenance
from kinedepth.evaluation.predictions import Reading
from kinedepth.evaluation.protocol import (
    CROPS,
    DEPTH_PROTOCOLS,
    SNIPPET_PROTOCOLS,
    Alignment,
    Protocol,
    SnippetProtocol,
)
from kinedepth.evaluation.sources import Measured
from kinedepth.evaluation.table import Table

CONSTANT, GROUND = "constant depth", "flat ground"
"""The labels of the rows that need no network."""
CONSTANT_DEPTH = 10.0
"""Meters; seen only where nothing is aligned."""
MEDIAN_SCALED = "one factor for the set, each prediction first scaled to its own median"


@dataclass(frozen=True)
class Question:
    """What is to be judged, and how."""

    run: Path
    """A run folder or a checkpoint; or predictions that were made elsewhere."""
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
    crop: str = ""
    """A name out of CROPS instead of the protocol's own rectangle; empty keeps it."""
    names: str = ""
    """A file or a bundled list of the images that are judged, and the order of arrays."""
    reading: Reading = Reading()
    """How predictions of another program are to be read."""
    median_scale: bool = False
    """Whether the model is also judged with each prediction first scaled to its own median."""
    error_maps: HowMany = WORST
    latex: bool = False
    partial: bool = False
    """Whether images that have a prediction or a truth alone are left aside; without it they are an error."""

    def listed(self) -> list[str] | None:
        """The names that were asked for, None where all images count."""
        return read_names(self.names) if self.names else None


def protocols_of(name: str, found: Measured) -> tuple[Protocol | None, SnippetProtocol | None]:
    """The protocol asked for; else the preferred ones of depth and of the path, where there is truth."""
    if name:
        found.require(name)
        return DEPTH_PROTOCOLS.get(name), SNIPPET_PROTOCOLS.get(name)
    depth = next((name for name in found.protocols if name in DEPTH_PROTOCOLS), "")
    path = next((name for name in found.protocols if name in SNIPPET_PROTOCOLS), "")
    return DEPTH_PROTOCOLS.get(depth), SNIPPET_PROTOCOLS.get(path)


def alignment(asked: Alignment | None, scale: str) -> Alignment:
    """What was asked; by default meters are taken at their word where the model has them.

    A scale that is "unknown" is the user's to know.

    Raises:
        KinedepthError: no alignment is asked of a model without meters.
    """
    if asked == "none" and scale == "relative":
        raise KinedepthError(
            "--align none needs a metric model and this one is relative, its unit is unknown: use median "
            "or one_factor."
        )
    return asked or ("none" if scale == "metric" else "median")


def adapted(depth: Protocol, asked: Question, align: Alignment) -> Protocol:
    """The protocol under the alignment and within the rectangle that were asked for."""
    protocol = depth.aligned(align)
    return protocol.cropped(CROPS[asked.crop]) if asked.crop else protocol


def plain_rows(protocol: Protocol, found: Measured) -> dict[str, Guess]:
    """The rows that need no network; flat ground only where the camera is more than a guess."""
    height = KITTI_CAMERA_HEIGHT if protocol.name.startswith("kitti") else DriveSettings().camera_height
    constant = f"{CONSTANT} {CONSTANT_DEPTH:g} m" if protocol.align == "none" else CONSTANT
    plain = {constant: judge.by_constant(CONSTANT_DEPTH)}
    if found.camera_known:
        plain[GROUND] = judge.by_flat_ground(height)
    return plain


def judge_depth(
    asked: Question,
    moments: Sequence[Moment],
    protocol: Protocol,
    guesses: Mapping[str, Guess],
    metric: bool,
    console: Console,
) -> Judged:
    """The tables of the model and of every row beside it, printed with a verdict.

    The model alone is told under every alignment that makes sense, the chosen one first; taking meters at
    their word makes sense only where it is `metric`.

    Raises:
        KinedepthError: an image, its truth or its prediction cannot be read or is missing.
    """
    with Progress(console=console, transient=True) as bar:
        task = bar.add_task("images", total=None)

        def step(count: int) -> None:
            bar.update(task, advance=count)

        result = judge.depth_tables(moments, protocol, {**guesses, **asked.more}, step)
        main, model = result.tables[MODEL], guesses[MODEL]
        side_by_side = judge.alignments(moments, main, model, _possible(protocol.align, metric), step)
        if asked.median_scale:
            side_by_side[MEDIAN_SCALED] = _median_scaled(moments, main, model, step)
    result = replace(result, aligned=side_by_side)
    print_judged(result, console, asked.latex)
    return result


def _possible(chosen: Alignment, metric: bool) -> list[Alignment]:
    possible: tuple[Alignment, ...] = ("median", "one_factor", *(("none",) if metric else ()))
    return [chosen, *(each for each in possible if each != chosen)]


def _median_scaled(moments: Sequence[Moment], main: Table, model: Guess, step: judge.Progress) -> Table:
    protocol = main.protocol.aligned("one_factor", main.protocol.factor)
    scaled = {MODEL: judge.median_scaled(model)}
    return judge.depth_tables(moments, protocol, scaled, step).tables[MODEL]


def note_of(asked: Question, protocols: Sequence[str]) -> dict[str, Any]:
    """What was asked, for evaluation.json."""
    return {
        **provenance(),
        "source": str(asked.source.resolve()),
        "protocols": list(protocols),
        "crop": asked.crop or "the protocol's",
        "names": asked.names,
    }


def write_if_asked(
    asked: Question, result: Findings, moments: Sequence[Moment], guess: Guess, console: Console
) -> Findings:
    """The findings, written into the folder that was asked for.

    Raises:
        KinedepthError: the folder exists and may not be overwritten, or cannot be written.
    """
    if asked.output is not None:
        files = write_findings(asked.output, result, moments, guess, asked.source, asked.overwrite)
        say(console, f"written    {asked.output}: {', '.join(files)}")
    return result
