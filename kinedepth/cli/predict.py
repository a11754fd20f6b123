"""`kinedepth predict RUN SOURCE -o OUT`: depth, poses and a video of a picture, a folder or a video."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

import tyro

from kinedepth.cli.flags import IsValue, parsed
from kinedepth.errors import KinedepthError, UsageError

EXAMPLE = """examples:
  kinedepth predict runs/first drive.mp4 -o out
  kinedepth predict runs/first frames -o out --format npz --fps 10 --side-by-side
  kinedepth predict runs/first/checkpoints/last.safetensors picture.jpg -o out --no-video"""
Format = Literal["npy", "npz", "png16"]
Poses = Literal["auto", "tum", "kitti", "none"]


@dataclass(frozen=True)
class Predict:
    """Depth at the input's size, the camera's path and a colour video, from a trained run.

    Every file says whether its numbers are relative or metric. OUT is whole or absent.
    """

    run: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="RUN")]
    """A run folder (its best checkpoint is taken), or a checkpoint file."""
    source: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="SOURCE")]
    """A video, a folder of frames, or a picture."""
    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])]
    """The folder that is written."""
    format: tuple[Format, ...] = ("npy", "png16")
    """Files of depth: float32 npy or npz, 16-bit PNG with its factor in the metadata."""
    video: bool = True
    """A colour video at the input's rate, or colour pictures where there is no rate."""
    side_by_side: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """The input above its depth in the video."""
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


def _check(asked: Predict) -> None:
    if asked.batch < 1:
        raise UsageError(f"--batch {asked.batch} holds no frame: give 1 or more.")
    if asked.fps is not None and asked.fps <= 0:
        raise UsageError(f"--fps {asked.fps:g} is no frame rate: give a number above zero.")
    if not asked.format and not asked.video:
        raise UsageError("Nothing would be written: name a --format, or leave out --no-video.")
    if not asked.source.exists():
        raise KinedepthError(
            f"There is nothing at {asked.source}: give a video, a folder of pictures, or a picture."
        )
