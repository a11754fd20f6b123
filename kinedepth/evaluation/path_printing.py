"""The tables of paths as people read them: protocol above, alignments side by side, what is missing below."""

import math
from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.markup import escape

from kinedepth.evaluation.console import grid
from kinedepth.evaluation.odometry import SnippetErrors
from kinedepth.evaluation.path_table import PathTable


def print_path_tables(tables: Mapping[str, PathTable], console: Console) -> None:
    """A line for each path and alignment, below the protocol and above the notes."""
    protocol = next(iter(tables.values())).protocol
    printed = grid(("path", "alignment"), list(protocol.columns))
    for label, table in tables.items():
        for row in table.rows:
            cells = [significant(row.entry(entry)) for entry in protocol.columns.values()]
            printed.add_row(escape(label), row.align, *cells)
        printed.add_section()
    console.print(str(protocol), highlight=False, markup=False)
    console.print(printed)
    for label, table in tables.items():
        for line in table.notes:
            console.print(f"{label}: {line}", highlight=False, markup=False)


def print_snippets(paths: Mapping[str, Sequence[SnippetErrors]], console: Console) -> None:
    """The 5-frame errors of every path under each way of counting; nothing where no path has any."""
    protocols = list(dict.fromkeys(each.protocol for snippets in paths.values() for each in snippets))
    if not protocols:
        return
    printed = grid(("path",), [head for each in protocols for head in (each.name, "std", "windows")])
    for label, snippets in paths.items():
        found = {each.protocol: each for each in snippets}
        cells = [cell for protocol in protocols for cell in _cells(found.get(protocol))]
        printed.add_row(escape(label), *cells)
    for protocol in protocols:
        console.print(str(protocol), highlight=False, markup=False)
    console.print(printed)


def _cells(errors: SnippetErrors | None) -> tuple[str, str, str]:
    if errors is None:
        return "-", "-", "-"
    return f"{errors.mean:.4f}", f"{errors.std:.4f}", str(len(errors.errors))


def significant(value: float | int | None) -> str:
    """A number with the digits that matter; "-" for what does not exist, never 0.

    >>> significant(None), significant(958), significant(0.0569), significant(10.73)
    ('-', '958', '0.0569', '10.730')
    """
    if value is None or not math.isfinite(value):
        return "-"
    if isinstance(value, int):
        return str(value)
    return f"{value:.4f}" if abs(value) < 1 else f"{value:.3f}"
