"""`kinedepth evaluate RUN SOURCE`: errors under a named protocol, beside rows that need no learning."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from kinedepth.cli.flags import nearest, parsed
from kinedepth.errors import UsageError

EXAMPLE = """examples:
  kinedepth evaluate runs/first drives/test
  kinedepth evaluate runs/first KITTI --protocol kitti-eigen -o tables/first
  kinedepth evaluate runs/first kitti_odometry_00 --protocol odometry-5-frames"""


@dataclass(frozen=True)
class Evaluate:
    """Measure a run against true depth and motion, beside rows that need no learning.

    Without --protocol, depth is judged by the protocol that suits the source's truth, and the camera's path
    as well where its poses were measured.
    """

    run: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="RUN")]
    """A run folder of `kinedepth train`, or a checkpoint."""
    source: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="SOURCE")]
    """A drive or a folder of drives with truth, the root of KITTI raw, or a sequence with measured poses."""
    protocol: Annotated[str, tyro.conf.arg(metavar="NAME")] = ""
    """synthetic, kitti-garg-improved, kitti-garg-scan, kitti-eigen, kitti-eigen-benchmark, odometry-5-frames,
    odometry-5-frames-complete; empty takes what suits the source."""
    align: Literal["median", "one_factor", "none"] | None = None
    """What brings depth to the truth's scale: the median of each image, one factor for all, or none. By
    default none where the model is metric, else the median."""
    flip: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Blend in the prediction of the mirrored picture, for twice the time."""
    output: Annotated[Path | None, tyro.conf.arg(aliases=["-o"])] = None
    """A new folder for tables, the errors of each image, and error maps of the worst and the median image."""
    overwrite: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Replace an older evaluation in that folder."""
    device: str = "auto"
    """cpu, cuda, mps or auto."""


def main(argv: list[str]) -> int:
    """Judge a run, print tables, and write them where asked."""
    asked = parsed(Evaluate, argv, "evaluate", EXAMPLE)
    from kinedepth import judging
    from kinedepth.evaluation.written import MARK
    from kinedepth.inference.whole import check_output
    from kinedepth.recipe import load_predictor

    _refuse_unknown(asked.protocol, judging.protocol_names())
    if asked.output is not None:
        check_output(asked.output, overwrite=asked.overwrite, source=asked.source, mark=MARK)
    predictor = load_predictor(asked.run, asked.device, asked.flip)
    question = judging.Question(
        asked.run, asked.source, asked.protocol, asked.align, asked.output, asked.overwrite
    )
    judging.judged(question, predictor, judging.wide_console())
    return 0


def _refuse_unknown(name: str, known: list[str]) -> None:
    if not name or name in known:
        return
    near = nearest(name, known)
    hint = f"did you mean '{near}'?" if near else f"there are {', '.join(known)}."
    raise UsageError(f"There is no protocol '{name}': {hint}")
