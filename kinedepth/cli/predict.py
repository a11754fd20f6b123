"""`kinedepth predict RUN SOURCE -o OUT`: depth, poses and a video of a picture, a folder or a video."""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import tyro

from kinedepth.cli.flags import IsValue, parsed
from kinedepth.errors import KinedepthError, UsageError

EXAMPLE = """examples:
  kinedepth predict runs/first drive.mp4 -o out
  kinedepth predict runs/first frames -o out --format npz --fps 10 --side-by-side
  kinedepth predict runs/first/checkpoints/last.safetensors picture.jpg -o out --no-video
  kinedepth predict runs/stereo drive.mp4 -o out --mode metric --cloud frames --cloud-every 10 --fov 80"""
Format = Literal["npy", "npz", "png16", "exr", "pfm"]
Poses = Literal["auto", "tum", "kitti", "none"]


@dataclass(frozen=True)
class Predict:
    """Depth at the input's size, the camera's path and a colour video, from a trained run.

    Every file says whether its numbers are relative or metric. OUT is whole or absent.
    """

    run: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="RUN")]
    """A run folder (its best checkpoint is taken), or a checkpoint file."""
    source: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="SOURCE")]
    """A video, a folder of frames, a picture; or a folder of several, each predicted into a folder of OUT."""
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])]
    """The folder that is written."""
    format: tuple[Format, ...] = ("npy", "png16")
    """Files of depth: float32 npy, npz, exr or pfm, 16-bit PNG with its factor in the metadata."""
    video: bool = True
    """A colour video at the input's rate, or colour pictures where there is no rate."""
    side_by_side: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """The input above its depth in the video."""
    mode: Literal["disparity", "metric"] = "disparity"
    """What colours show: inverse depth up to the clip's 95th percentile, or metres, with a bar of them."""
    cmap: str = ""
    """A colour map of matplotlib: by default magma, viridis_r for metres."""
    vmin: Annotated[float | None, tyro.conf.arg(metavar="FLOAT")] = None
    """Where the colours begin, in inverse depth or metres; by default where the clip does."""
    vmax: Annotated[float | None, tyro.conf.arg(metavar="FLOAT")] = None
    """Where the colours end."""
    median_scale: Annotated[str, tyro.conf.arg(metavar="clip|FLOAT")] = ""
    """Scale each frame's depth to one median: the clip's, or this number. It is relative then."""
    cloud: Literal["none", "frames"] = "none"
    """Point clouds (PLY), one for each frame; they need a camera that is not guessed."""
    cloud_every: int = 1
    """A cloud for every this many frames."""
    cloud_range: Annotated[tuple[float, float] | None, tyro.conf.arg(metavar="NEAR FAR")] = None
    """Depths that a cloud keeps: metres (0.1 80), or multiples of a relative frame's median (0.02 5)."""
    cloud_edge: float = 0.05
    """How far inverse depth may bend, as a share of itself, before a cloud lacks the pixel; 0 keeps all."""
    poses: tuple[Poses, ...] = ("auto",)
    """Files of the camera's path; auto is both for sequences, if the run has a pose network."""
    fps: Annotated[float | None, tyro.conf.arg(metavar="FLOAT")] = None
    """Frames per second of a folder of frames; a video knows its own."""
    intrinsics: str = ""
    """A file with the camera's intrinsics, or "fx fy cx cy"; by default what lies beside the source, else the
    run's."""
    fov: float = 0.0
    """Horizontal field of view in degrees, where there is no file."""
    flip: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Blend in the mirrored picture's prediction: a little better, twice the time."""
    batch: int = 1
    """Frames that go through the network together."""
    device: str = "auto"
    """cpu, cuda, mps or auto."""
    overwrite: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Replace OUT if it is an older result."""


def main(argv: list[str]) -> int:
    """Predict, and say what was written."""
    asked = parsed(
        Predict, argv, "predict", EXAMPLE, lists={"--format": one_of(Format), "--poses": one_of(Poses)}
    )
    _check(asked)
    from kinedepth.cli.prediction import predict  # heavy, so only after the flags are understood

    predict(asked)
    return 0


def one_of(literal: Any) -> IsValue:
    """Whether a word is one of a literal's values."""
    return frozenset(get_args(literal)).__contains__


def median_of(asked: Predict) -> float | None:
    """The number of `--median-scale`, None where it is not one.

    Raises:
        UsageError: it is neither a number above zero nor "clip".
    """
    if asked.median_scale in ("", "clip"):
        return None
    try:
        median = float(asked.median_scale)
    except ValueError:
        median = 0.0
    if not 0 < median < float("inf"):
        raise UsageError(
            f"--median-scale {asked.median_scale} is no median: give clip, or a number above zero."
        )
    return median


def _check(asked: Predict) -> None:
    for flag in ("fps", "fov", "vmin", "vmax", "cloud_edge"):
        value = getattr(asked, flag)
        if value is not None and not math.isfinite(value):
            raise UsageError(f"--{flag.replace('_', '-')} {value} is no number to count with: give another.")
    if asked.batch < 1:
        raise UsageError(f"--batch {asked.batch} holds no frame: give 1 or more.")
    if asked.fps is not None and asked.fps <= 0:
        raise UsageError(f"--fps {asked.fps:g} is no frame rate: give a number above zero.")
    if not asked.format and not asked.video and asked.cloud == "none":
        raise UsageError("Nothing would be written: name a --format, or leave out --no-video.")
    median_of(asked)
    _check_colors(asked)
    _check_clouds(asked)
    if not asked.source.exists():
        raise KinedepthError(
            f"There is nothing at {asked.source}: give a video, a folder of pictures, or a picture."
        )


def _check_colors(asked: Predict) -> None:
    if asked.vmin is not None and asked.vmax is not None and asked.vmin >= asked.vmax:
        raise UsageError(f"--vmin {asked.vmin:g} is not below --vmax {asked.vmax:g}: exchange them.")
    if asked.vmax is not None and asked.vmax <= 0:
        raise UsageError(f"--vmax {asked.vmax:g} is no depth: give a number above zero.")


def _check_clouds(asked: Predict) -> None:
    if asked.cloud_every < 1:
        raise UsageError(f"--cloud-every {asked.cloud_every} is no step: give 1 or more.")
    if asked.cloud_edge < 0:
        raise UsageError(
            f"--cloud-edge {asked.cloud_edge:g} is below zero: give a share, or 0 for all pixels."
        )
    if asked.cloud_range is None:
        return
    near, far = asked.cloud_range
    if not 0 <= near < far:
        raise UsageError(
            f"--cloud-range {near:g} {far:g} is empty: give the nearest depth, at least 0, then the farthest."
        )
