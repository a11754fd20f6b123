"""`kinedepth demo`: depth is learned from rendered drives, measured and shown, in minutes on two cores."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from kinedepth.cli.flags import parsed
from kinedepth.errors import UsageError

EXAMPLE = """examples:
  kinedepth demo
  kinedepth demo -o again --steps 1200"""


@dataclass(frozen=True)
class Demo:
    """Render drives, learn depth from them without labels, measure it on another drive, predict a video."""

    output: Annotated[Path, tyro.conf.arg(aliases=["-o"])] = Path("demo")
    """The folder that is written."""
    steps: int = 0
    """Training steps; 0 takes the recipe's."""
    overwrite: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Replace an older demo in that folder."""


def main(argv: list[str]) -> int:
    """Run the demo; 1 where the model does not even beat the untrained network and constant depth."""
    asked = parsed(Demo, argv, "demo", EXAMPLE)
    if asked.steps < 0:
        raise UsageError(f"--steps {asked.steps} cannot be: give a number above zero, or leave it out.")
    from kinedepth.cli.demonstration import Plan, demonstrate  # heavy, so only after the flags are understood

    return 0 if demonstrate(asked.output, Plan(steps=asked.steps), asked.overwrite) else 1
