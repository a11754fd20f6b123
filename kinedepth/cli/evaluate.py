"""`kinedepth evaluate RUN SOURCE`: errors under a named protocol, beside rows that need no learning."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from kinedepth.cli.flags import nearest, parsed
from kinedepth.errors import KinedepthError, UsageError

if TYPE_CHECKING:
    from kinedepth.evaluation.protocol import Alignment
    from kinedepth.evaluation.question import Question

EXAMPLE = """examples:
  kinedepth evaluate runs/first drives/test
  kinedepth evaluate runs/first KITTI --protocol kitti-eigen -o tables/first
  kinedepth evaluate runs/first kitti_odometry_00 --protocol odometry-5-frames
  kinedepth evaluate disps_eigen_split.npy gt_depths.npz --protocol kitti-eigen
  kinedepth evaluate --pred out --gt gt_png16 --protocol kitti-garg-improved --error-maps all -o tables/out
  kinedepth evaluate poses_tum.txt groundtruth.txt"""


@dataclass(frozen=True)
class Evaluate:
    """Measure a run, or predictions made elsewhere, against true depth and motion.

    Rows that need no learning stand beside it. Without --protocol, depth is judged by the protocol that suits
    the source's truth, and the camera's path as well where its poses were measured. Every table is preceded
    by its protocol; a prediction or a truth that is missing is named and nothing is evaluated.
    """

    run: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="RUN")]
    """A run folder of `kinedepth train`, or a checkpoint. Or predictions (also --pred): the folder of
    `kinedepth predict`, a folder of depth files (npy, npz, 16-bit PNG, EXR, PFM) matched by name, an official
    .npy array of disparities; a file of camera poses."""
    source: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="SOURCE")]
    """What holds the truth (also --gt): a drive or a folder of drives, the root of KITTI raw, Make3D, a
    sequence with measured poses; or true depth without pictures: a folder of depth files, gt_depths.npz."""
    protocol: Annotated[str, tyro.conf.arg(metavar="NAME")] = ""
    """synthetic, kitti-garg-improved, kitti-garg-scan, kitti-eigen, kitti-eigen-benchmark, make3d,
    depth-files, odometry-5-frames, odometry-5-frames-complete, kitti-2015-disparity, kitti-2015-flow; of
    files of poses kitti-odometry or evo. Empty takes what suits the source."""
    align: Annotated[
        Literal["median", "one_factor", "none", "all"] | None,
        tyro.conf.arg(metavar="median|one_factor|none|all"),
    ] = None
    """What brings depth to the truth's scale in the main table: the median of each image, one factor for all,
    or none. By default none where the model is metric, else the median. The model is shown under all of them
    in any case, none only where it is metric."""
    crop: Annotated[Literal["garg", "none"] | None, tyro.conf.arg(metavar="garg|none")] = None
    """The rectangle that counts; by default the protocol's own."""
    names: Annotated[str, tyro.conf.arg(metavar="FILE")] = ""
    """The images that count, one a line: a name or `folder frame side`. It is the order of an array, and each
    of them must have a truth and a prediction. Also a bundled list: eigen/test, eigen_benchmark/test."""
    partial: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Leave aside what has a prediction or a truth alone, and say how many; without it that is an error."""
    quantity: Annotated[
        Literal["depth", "inverse_depth", "disparity"] | None,
        tyro.conf.arg(metavar="depth|inverse_depth|disparity"),
    ] = None
    """What the numbers in files of other programs are; files of kinedepth say it themselves."""
    factor: float = 1.0
    """Multiplies depth of such files: 5.4 for Monodepth2's stereo, focal length x baseline for pixels."""
    png_steps: float = 256.0
    """Of such 16-bit PNG: stored = value x this (256: KITTI, 1000: millimeters)."""
    median_scale: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Also judge the model under one factor with each prediction first scaled to its own median (adaptive
    depth range)."""
    flip: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Blend in the prediction of the mirrored picture, for twice the time."""
    output: Annotated[Path | None, tyro.conf.arg(aliases=["-o"], metavar="PATH")] = None
    """A new folder for tables, the errors of each image, and error maps."""
    overwrite: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Replace an older evaluation in that folder."""
    error_maps: Annotated[int | Literal["all"], tyro.conf.arg(metavar="N|all")] = 5
    """How many of the worst images are drawn beside the median one; blue is a small error, red a large."""
    tolerance: Annotated[float | None, tyro.conf.arg(metavar="SECONDS")] = None
    """Of files of poses: how far two times that belong together may lie apart; by default half the denser
    file's usual interval."""
    first_frame: Annotated[int | None, tyro.conf.arg(metavar="N")] = None
    """Of files of poses without numbers of frames: the frame that the first predicted line belongs to."""
    latex: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Print the rows as papers paste them, too."""
    device: str = "auto"
    """cpu, cuda, mps or auto."""


def main(argv: list[str]) -> int:
    """Judge a run or predictions, print tables, and write them with a report where asked."""
    asked = parsed(Evaluate, positional(argv), "evaluate", EXAMPLE)
    _judge(asked)
    if asked.output is not None:
        from kinedepth.reporting import write_report

        print(f"report     {write_report(asked.output)}")
    return 0


def _judge(asked: Evaluate) -> None:
    from kinedepth import judging
    from kinedepth.evaluation import disparity, paths
    from kinedepth.evaluation.output import MARK
    from kinedepth.evaluation.predictions import is_predictions
    from kinedepth.inference.whole import check_output

    console = judging.wide_console()
    if paths.is_trajectory(asked.run):
        _refuse_for_poses(asked)
        usual = paths.PathQuestion()
        question = paths.PathQuestion(asked.protocol or usual.protocol, asked.tolerance, asked.first_frame)
        paths.judge_files(asked.run, asked.source, asked.output, asked.overwrite, console, question)
        return
    _refuse_unknown(asked.protocol, [*judging.protocol_names(), *disparity.PIXEL_PROTOCOLS])
    _refuse_missing(asked)
    if asked.output is not None:
        check_output(asked.output, overwrite=asked.overwrite, source=asked.source, mark=MARK)
    if asked.protocol in disparity.PIXEL_PROTOCOLS:
        protocol = disparity.PIXEL_PROTOCOLS[asked.protocol]
        disparity.judge_files(asked.run, asked.source, protocol, asked.output, asked.overwrite, console)
    elif is_predictions(asked.run):
        _judge_predictions(asked)
    else:
        _judge_run(asked)


def positional(argv: Sequence[str]) -> list[str]:
    """The words with `--pred X --gt Y` as the arguments RUN and SOURCE that they are."""
    named: dict[str, str] = {}
    rest: list[str] = []
    words = iter(argv)
    for word in words:
        flag, given, value = word.partition("=")
        if flag not in ("--pred", "--gt"):
            rest.append(word)
            continue
        named[flag] = value if given else next(words, "")
        if not named[flag]:
            raise UsageError(f"{flag} needs a path.")
    first = [named["--pred"]] if "--pred" in named else []
    truth = [named["--gt"]] if "--gt" in named else []
    return [*first, *truth, *rest] if first else [*rest, *truth]


def _judge_predictions(asked: Evaluate) -> None:
    from kinedepth import judging
    from kinedepth.evaluation.external import judged_predictions

    if asked.flip:
        raise UsageError("--flip is for a run: these are predictions that were made already.")
    judged_predictions(_question(asked), judging.wide_console())


def _judge_run(asked: Evaluate) -> None:
    from kinedepth import judging
    from kinedepth.recipe import load_predictor

    if asked.quantity is not None or asked.factor != 1.0:
        raise UsageError(f"--quantity and --factor are for depth files, and {asked.run} is none.")
    predictor = load_predictor(asked.run, asked.device, asked.flip)
    judging.judged(_question(asked), predictor, judging.wide_console())


OF_DEPTH = ("align", "crop", "names", "partial", "quantity", "factor", "median_scale", "flip", "latex")


def _refuse_for_poses(asked: Evaluate) -> None:
    usual = Evaluate(asked.run, asked.source)
    given = [name for name in OF_DEPTH if getattr(asked, name) != getattr(usual, name)]
    if given:
        flag = given[0].replace("_", "-")
        raise UsageError(
            f"--{flag} is for depth, and {asked.run} holds poses, which are shown under every alignment."
        )


def _question(asked: Evaluate) -> "Question":
    from kinedepth.evaluation.predictions import Reading
    from kinedepth.evaluation.question import Question

    align: Alignment | None = None if asked.align == "all" else asked.align
    return Question(
        asked.run,
        asked.source,
        asked.protocol,
        align,
        asked.output,
        asked.overwrite,
        crop=asked.crop or "",
        names=asked.names,
        reading=Reading(asked.quantity, asked.factor, asked.png_steps),
        median_scale=asked.median_scale,
        error_maps=asked.error_maps,
        latex=asked.latex,
        partial=asked.partial,
    )


def _refuse_missing(asked: Evaluate) -> None:
    for path in (asked.run, asked.source):
        if not path.exists():
            raise KinedepthError(f"There is nothing at {path}: check the path.")
    if asked.run.is_dir() and not any(asked.run.iterdir()):
        raise KinedepthError(f"The folder {asked.run} is empty: give a run, or a folder of depth files.")
    if not (0 < asked.factor < float("inf") and 0 < asked.png_steps < float("inf")):
        raise UsageError("--factor and --png-steps must be numbers above zero.")
    if isinstance(asked.error_maps, int) and asked.error_maps < 0:
        raise UsageError("--error-maps is a number from 0, or all.")


def _refuse_unknown(name: str, known: list[str]) -> None:
    if not name or name in known:
        return
    near = nearest(name, known)
    hint = f"did you mean '{near}'?" if near else f"there are {', '.join(known)}."
    raise UsageError(f"There is no protocol '{name}': {hint}")
