"""`kinedepth report FOLDER`: one HTML page about a run, an evaluation or a demo, made anew from its files."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from kinedepth.cli.flags import parsed

EXAMPLE = """examples:
  kinedepth report runs/first
  kinedepth report tables/first -o first.html
  kinedepth report demo"""


@dataclass(frozen=True)
class Page:
    """Write the report of a run, an evaluation or a demo: one HTML file that needs no network.

    `train`, `evaluate -o` and `demo` write it by themselves; this makes it anew, while a training runs for
    instance.
    """

    folder: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="FOLDER")]
    """What `kinedepth train`, `kinedepth evaluate -o` or `kinedepth demo` made."""
    output: Annotated[Path | None, tyro.conf.arg(aliases=["-o"], metavar="PATH")] = None
    """The file; by default report.html in the folder. An older report is replaced."""


def main(argv: list[str]) -> int:
    """Write the page and say where it lies."""
    asked = parsed(Page, argv, "report", EXAMPLE)
    from kinedepth.reporting import write_report

    path = write_report(asked.folder, asked.output)
    print(f"report     {path} ({path.stat().st_size / 1e6:.1f} MB)")
    return 0
