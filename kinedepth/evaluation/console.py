"""How every evaluation prints: lines that are never folded, and grids of names and numbers."""

from collections.abc import Sequence

import rich.box
import rich.table
from rich.console import Console


def say(console: Console, *lines: str) -> None:
    """Prints lines as they are: never folded, nothing in them read as style."""
    for line in lines:
        console.print(line, highlight=False, markup=False, soft_wrap=True)


def grid(names: Sequence[str], numbers: Sequence[str]) -> rich.table.Table:
    """An empty table with columns of names, which may fold, and of numbers, which may not."""
    empty = rich.table.Table(box=rich.box.MINIMAL, pad_edge=False)
    for name in names:
        empty.add_column(name, overflow="fold")
    for name in numbers:
        empty.add_column(name, justify="right", no_wrap=True)
    return empty
