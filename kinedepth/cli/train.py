"""`kinedepth train SOURCE`: a video, a folder of frames or drives, or a data set becomes a run folder."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from pathlib import Path
from shlex import join
from typing import Annotated

import tyro

from kinedepth.cli.aliases import OF_SCRIPTS, short_names
from kinedepth.cli.flags import parsed, value_of
from kinedepth.errors import KinedepthError, UsageError
from kinedepth.settings import Settings, changed, recipe, to_toml

EXAMPLE = """examples:
  kinedepth train drive.mp4
  kinedepth train drive.mp4 --fov 70 --name first --train.epochs 5
  kinedepth train drives/ --intrinsics camera.yaml --mask hood.png
  kinedepth train KITTI --recipe monodepth2_official --train.batch-size 6
  kinedepth train --resume runs/first"""
DEFAULT = "video"


@dataclass(frozen=True)
class Train:
    """Learn depth and camera motion from a video, a folder of frames or drives, or KITTI.

    The recipe gives every setting; a flag changes one. The defaults shown are those of the recipe.
    """

    source: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="SOURCE")] = ""
    """A video, a folder of frames, a folder of drives, or the root of KITTI raw or odometry."""
    recipe: Annotated[str, tyro.conf.arg(metavar="NAME|FILE.toml")] = DEFAULT
    """A name that `kinedepth recipes` lists, or a TOML file of your own."""
    out: Path = Path("runs")
    """The folder of run folders."""
    name: str = ""
    """The run folder's name; empty takes the source's name and the time."""
    intrinsics: str = ""
    """A file with the camera's intrinsics, or "fx fy cx cy", "80deg", "24mm", "4.25mm/5.6mm"."""
    fov: float = 0.0
    """Horizontal field of view in degrees, where there is no file; short for --data.fov."""
    mask: str = ""
    """A picture that is 0 where pixels never count (your bonnet), "auto" to find it, "none"; --data.mask."""
    init: Annotated[Path | None, tyro.conf.arg(metavar="RUN|FILE")] = None
    """A checkpoint or run folder whose fitting networks are the beginning; the optimizer starts afresh."""
    resume: Annotated[Path | None, tyro.conf.arg(metavar="RUN")] = None
    """Go on with this run folder at the step where it stopped, by its own recipe."""
    print_config: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Print the resolved recipe as TOML and stop."""
    settings: Annotated[Settings, tyro.conf.arg(name="")] = Settings()


ALIASES = OF_SCRIPTS | short_names(Settings, (f"--{field.name.replace('_', '-')}" for field in fields(Train)))
"""Every setting by its bare name where only one group has it, and the names of the field's scripts."""


def main(argv: list[str]) -> int:
    """Train, or go on training."""
    asked = _asked(argv)
    if asked.resume is not None:
        return _resume(asked)
    if asked.print_config:
        print(to_toml(asked.settings), end="")
        return 0
    if not asked.source:
        raise UsageError("Nothing to learn from: give a SOURCE (a video, a folder), or --resume RUN.")
    from kinedepth.run import start

    folder = asked.out / (asked.name or default_name(asked.source, datetime.now()))
    print(f"run        {folder} (recipe {asked.recipe})")
    start(Path(asked.source), asked.settings, folder, asked.init)
    print(farewell(folder, asked.source))
    return 0


def _asked(argv: Sequence[str]) -> Train:
    """What the recipe says, then the flags."""
    name = value_of(argv, "--recipe") or DEFAULT
    default = Train(recipe=name, settings=recipe(name))
    lists = {"--monodepth2.frames": is_number}
    asked = parsed(Train, argv, "train", EXAMPLE, default, lists, aliases=ALIASES)
    given = {key: getattr(asked, key) for key in ("intrinsics", "fov", "mask") if getattr(asked, key)}
    given = {key: "" if (key, value) == ("mask", "none") else value for key, value in given.items()}
    return replace(asked, settings=changed(asked.settings, data=given))


def is_number(word: str) -> bool:
    """Whether a word is a whole number."""
    return word.lstrip("+-").isdecimal()


def default_name(source: str, now: datetime) -> str:
    """`<source's name>-<date>-<time>`."""
    path = Path(source).resolve()
    return f"{(path.name if path.is_dir() else path.stem) or 'run'}-{now:%Y%m%d-%H%M%S}"


def _resume(asked: Train) -> int:
    default = Train(source=asked.source, resume=asked.resume, recipe=DEFAULT, settings=recipe(DEFAULT))
    if asked != default or asked.resume is None:
        raise UsageError(
            "--resume goes on with the run's own recipe: leave out other flags, or begin anew with --init."
        )
    from kinedepth.run import resume

    print(f"run        {asked.resume}")
    resume(asked.resume, source=Path(asked.source) if asked.source else None)
    print(farewell(asked.resume, asked.source or "SOURCE"))
    return 0


def farewell(folder: Path, source: str) -> str:
    """Where the results of a run lie, and what to type next."""
    if not (folder / "checkpoints").is_dir():
        raise KinedepthError(f"The run '{folder}' has left no checkpoint: start it again.")
    strips = "\nstrips      " + f"{folder / 'samples'}" if (folder / "samples").is_dir() else ""
    return (
        f"checkpoint  {folder / 'checkpoints' / 'best.safetensors'} (and last.safetensors)"
        f"{strips}\nmetrics     {folder / 'metrics.jsonl'}\nreport      {folder / 'report.html'}"
        f"\nnext        {join(['kinedepth', 'predict', str(folder), source, '-o', f'{folder.name}-depth'])}"
    )
