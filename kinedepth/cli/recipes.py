"""`kinedepth recipes`: what ships, by name and first line; `kinedepth recipes NAME` prints the TOML."""

from dataclasses import dataclass
from typing import Annotated

import tyro

from kinedepth.cli.flags import parsed
from kinedepth.settings import recipe_names, recipe_path

EXAMPLE = """examples:
  kinedepth recipes
  kinedepth recipes monodepth2_official > mine.toml
  kinedepth train drive.mp4 --recipe mine.toml"""


@dataclass(frozen=True)
class Recipes:
    """List the bundled recipes, or show one."""

    name: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="NAME")] = ""
    """The recipe to print as TOML; without it, all are listed."""


def main(argv: list[str]) -> int:
    """Print the recipes."""
    asked = parsed(Recipes, argv, "recipes", EXAMPLE)
    if asked.name:
        print(recipe_path(asked.name).read_text(encoding="utf-8"), end="")
        return 0
    width = max(map(len, recipe_names()))
    for name in recipe_names():
        print(f"{name:<{width}}  {first_comment(recipe_path(name).read_text(encoding='utf-8'))}")
    return 0


def first_comment(toml: str) -> str:
    """The first line of a recipe, without its mark; empty where it is no comment."""
    line = toml.partition("\n")[0]
    return line.removeprefix("#").strip() if line.startswith("#") else ""
