"""`kinedepth render -o DIR`: synthetic drives as ordinary videos or folders, with their truth beside them."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import tyro

from kinedepth.cli.flags import parsed
from kinedepth.data.synthetic.settings import DriveSettings
from kinedepth.errors import KinedepthError, UsageError

EXAMPLE = """examples:
  kinedepth render -o drive --frames 60 --size 96 320 --video
  kinedepth render -o drives --count 3 --seed 10 --stereo --specular"""


@dataclass(frozen=True)
class Render:
    """Write synthetic drives through a street, with true depth, poses and objects.

    The same seed gives the same pixels.
    """

    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])]
    """The folder of the drive; with --count, the folder of the drives. It must be new."""
    count: int = 1
    """Drives to write, with consecutive seeds."""
    video: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """drive.mp4 in place of pictures."""
    stereo: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """The right camera's pictures too."""
    truth: bool = True
    """Depth, instances, classes, moving masks, poses and objects."""
    workers: int = 2
    """Processes that share the frames."""
    settings: Annotated[DriveSettings, tyro.conf.arg(name="")] = DriveSettings()


def main(argv: list[str]) -> int:
    """Render the drives."""
    asked = parsed(Render, argv, "render", EXAMPLE)
    if asked.count < 1 or asked.workers < 1:
        raise UsageError("--count and --workers are numbers from 1 on.")
    folders = drive_folders(asked.output, asked.count)
    if asked.output.exists():
        raise KinedepthError(f"{asked.output} exists already: name a new folder.")
    _make(folders[0].parent)
    for place, folder in enumerate(folders):
        _write(asked, replace(asked.settings, seed=asked.settings.seed + place), folder)
    print(f"next       kinedepth train {asked.output}")
    return 0


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise KinedepthError(f"{folder} cannot be made ({error.strerror}): name another folder.") from None


def _write(asked: Render, drive: DriveSettings, folder: Path) -> None:
    from kinedepth.data.synthetic import write_drive  # loads the ray tracer

    workers = min(asked.workers, drive.frames)
    write_drive(drive, folder, video=asked.video, stereo=asked.stereo, truth=asked.truth, workers=workers)
    form = "drive.mp4" if asked.video else "images"
    height, width = drive.size
    print(f"wrote      {folder} (seed {drive.seed}, {drive.frames} frames of {width}x{height} as {form})")


def drive_folders(output: Path, count: int) -> list[Path]:
    """Where each drive goes: the folder itself for one, numbered folders in it for several."""
    return [output] if count == 1 else [output / f"drive_{number:03d}" for number in range(count)]
