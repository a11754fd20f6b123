"""A depth evaluation as people read it: protocol, means, intervals, classes, the worst images, a verdict."""

from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.markup import escape

from kinedepth.evaluation.console import grid, say
from kinedepth.evaluation.error_maps import WORST, ranked, worst_and_median
from kinedepth.evaluation.judge import MODEL, Judged, verdict
from kinedepth.evaluation.protocol import WHOLE
from kinedepth.evaluation.table import Table, comparable

Cells = Sequence[str]


def print_judged(result: Judged, console: Console, latex: bool = False) -> None:
    """All tables of a depth evaluation with a verdict; with `latex` also rows as papers paste them."""
    table = result.tables[MODEL]
    print_tables(result.tables, console)
    print_intervals(table, console)
    if len(result.aligned) > 1:
        print_alignments(result.aligned, console)
    print_details(table, console)
    _print_images(table, console)
    if result.left_out:
        say(console, f"left out, without truth that counts: {', '.join(result.left_out)}")
    say(console, *(verdict(result.tables, region) for region in table.protocol.regions))
    if latex:
        say(console, *_latex(result))


def print_tables(tables: Mapping[str, Table], console: Console) -> None:
    """One table with a line for each predictor and region.

    Raises:
        KinedepthError: the predictors were judged by different protocols or on different images.
    """
    first = comparable(tables)
    by_region = first.protocol.regions != (WHOLE,)
    names, metrics = (["", "region"], first.protocol.metrics) if by_region else ([""], first.protocol.metrics)
    rows = [
        _cells(label, table, region, by_region)
        for region in first.protocol.regions
        for label, table in tables.items()
    ]
    console.print(str(first.protocol), highlight=False, markup=False)
    _print_rows(console, names, [*metrics, "images"] if by_region else list(metrics), rows)
    for label, table in tables.items():
        console.print(f"{label}: {table.caption()}", highlight=False, markup=False)


def print_intervals(table: Table, console: Console) -> None:
    """The mean and the 95 % interval of every metric, a column for each region that occurs."""
    regions = [region for region in table.protocol.regions if table.of(region)]
    rows = [
        [metric, *(_with_interval(table, metric, region) for region in regions)]
        for metric in table.protocol.metrics
    ]
    console.print(f"{MODEL}, with 95 % intervals ({table.interval_note})", highlight=False, markup=False)
    _print_rows(console, [""], regions, rows)


def print_details(table: Table, console: Console) -> None:
    """The means by class and by true depth, where there are any."""
    found = table.detailed
    if not found:
        return
    rows = [
        [
            name,
            *_means(table, name),
            str(len(table.of(name))),
            f"{sum(row.pixels for row in table.of(name)):,}",
        ]
        for name in found
    ]
    console.print(
        f"{MODEL}, by class and by true depth; the scale is that of the whole image", highlight=False
    )
    _print_rows(console, [""], [*table.protocol.metrics, "images", "pixels"], rows)


def print_alignments(tables: Mapping[str, Table], console: Console) -> None:
    """One predictor under several alignments, which are the labels of `tables`."""
    metrics = next(iter(tables.values())).protocol.metrics
    rows = [[escape(name), *_means(table, WHOLE)] for name, table in tables.items()]
    console.print(f"{MODEL}, by what brings it to the truth's scale (whole pictures)", highlight=False)
    _print_rows(console, [""], list(metrics), rows)


def _print_rows(console: Console, names: Cells, numbers: Cells, rows: Sequence[Cells]) -> None:
    table = grid(names, numbers)
    for row in rows:
        table.add_row(*row)
    console.print(table)


def _means(table: Table, region: str) -> list[str]:
    known = bool(table.of(region))
    return [f"{value:.3f}" if known else "-" for value in table.mean(region).values()]


def _cells(label: str, table: Table, region: str, by_region: bool) -> list[str]:
    means = _means(table, region)
    # Names may hold brackets, which rich would read as styles.
    return (
        [escape(label), region, *means, str(len(table.of(region)))] if by_region else [escape(label), *means]
    )


def _with_interval(table: Table, metric: str, region: str) -> str:
    low, high = table.interval(metric, region)
    # A backslash keeps rich from reading the bracket as a style.
    return f"{table.mean(region)[metric]:.3f} \\[{low:.3f}, {high:.3f}]"


def _print_images(table: Table, console: Console) -> None:
    metric = table.protocol.metrics[0]
    for kind, row in worst_and_median(table).items():
        say(console, f"{kind + ' image':<12} {row.name} ({metric} {row.errors[metric]:.3f})")
    rest = ranked(table)[::-1][1:WORST]
    if rest:
        others = ", ".join(f"{row.name} ({row.errors[metric]:.3f})" for row in rest)
        say(console, f"{'then':<12} {others}")


def _latex(result: Judged) -> list[str]:
    """Rows as papers paste them, the chosen alignment first."""
    rows = [f"{label} & {table.latex(WHOLE)}" for label, table in result.tables.items()]
    return rows + [f"{MODEL}, {words} & {table.latex(WHOLE)}" for words, table in result.aligned.items()]
