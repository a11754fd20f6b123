"""Curves and paths as SVG, drawn by matplotlib in the colors of the page they stand in.

No text of a user is drawn: names stand in the legend, which is HTML. The drawing of the same data is the same
to the byte.
"""

import hashlib
import io
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

import matplotlib
import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

Values = Float[np.ndarray, " n"]
Scaling = Literal["fitting", "zero", "share"]
SIZE = (5.6, 3.4)
"""Inches of 72 points: what stays readable on a phone and fits twice beside itself on a laptop."""
_PLACE = (0.17, 0.15, 0.815, 0.82)
"""Of the axes in the drawing, the same in all, so that drawings beside each other line up."""
LINES = 6
DASHES = ("solid", (0, (5, 2)), (0, (1, 1.5)), (0, (6, 2, 1, 2)), (0, (3, 1, 1, 1, 1, 1)), (0, (8, 3)))
MOST_POINTS = 400
"""Longer curves are averaged to so many points."""
_LEAST_SPAN = 0.15
"""An axis covers at least this share of its largest value."""
_LOG_SPAN = 30.0
"""Values that span more than this factor are drawn on a logarithmic axis."""

# Stand-ins that no drawing holds otherwise; each becomes a variable of the page's style.
_INK, _FAINT, _PAPER = "#010203", "#040506", "#070809"
_COLORS = tuple(f"#0a0b{number:02x}" for number in range(LINES))
_VARIABLES = {_INK: "--quiet", _FAINT: "--rule", _PAPER: "--card"} | {
    color: f"--line-{number}" for number, color in enumerate(_COLORS)
}
_STYLE: Mapping[Any, Any] = MappingProxyType(
    {
        "svg.fonttype": "none",
        "svg.hashsalt": "kinedepth",
        "text.parse_math": False,
        "axes.unicode_minus": False,
        "font.size": 11.0,
        "axes.edgecolor": _FAINT,
        "axes.labelcolor": _INK,
        "xtick.color": _INK,
        "ytick.color": _INK,
        "text.color": _INK,
        "grid.color": _FAINT,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "lines.linewidth": 1.8,
        "path.simplify": True,
    }
)


@dataclass(frozen=True)
class Line:
    """A curve; `number` chooses its color and dashes."""

    x: Values
    y: Values
    number: int = 0
    dots: bool = False
    """Whether each point is a measurement of its own and is shown."""


@dataclass(frozen=True)
class Labels:
    """What the axes hold, with units."""

    x: str
    y: str


def drawn_lines(
    lines: Sequence[Line],
    labels: Labels,
    marks: Sequence[tuple[float | int, float | int]] = (),
    scale: Scaling = "fitting",
) -> str:
    """Curves over a common axis as SVG; gaps where a value is not finite, a ring at each mark.

    The vertical axis is `fitting`: logarithmic where all values are positive and span more than a factor of
    30; or it begins at `zero`; or it shows a `share` of one in percent.
    """

    def draw(axes: Axes) -> None:
        for line in lines:
            _draw_line(axes, thinned(line))
        for x, y in marks:
            axes.plot([x], [y], "o", ms=9, mfc="none", mec=_INK, mew=1.4, zorder=5)
        _scale_axes(axes, lines, scale)
        axes.set_xlim(*_from_zero(lines))
        axes.set_xlabel(labels.x)
        axes.set_ylabel(labels.y)

    return _svg(draw)


def _from_zero(lines: Sequence[Line]) -> tuple[float, float]:
    """All of the horizontal axis, from 0, so that drawings of one log can be compared."""
    values = np.concatenate([line.x for line in lines]) if lines else np.zeros(0)
    last = float(values.max()) if len(values) else 0.0
    return 0.0, (last or 1.0) * 1.02


def drawn_paths(paths: Sequence[Float[np.ndarray, "_ 2"]], labels: Labels) -> str:
    """Paths (right, up the page) as SVG, both axes to one scale.

    A dot marks each start.
    """

    def draw(axes: Axes) -> None:
        for number, path in enumerate(paths):
            _draw_line(axes, Line(path[:, 0].astype(np.float64), path[:, 1].astype(np.float64), number))
            axes.plot(path[:1, 0], path[:1, 1], "o", ms=6, color=_COLORS[number % LINES])
        axes.set_aspect("equal", adjustable="datalim")
        axes.grid(axis="x", lw=0.7)
        axes.set_xlabel(labels.x)
        axes.set_ylabel(labels.y)
        _round_ticks(axes)

    return _svg(draw, (SIZE[0], SIZE[0] * 0.85))


def thinned(line: Line, most: int = MOST_POINTS) -> Line:
    """The curve with at most `most` points, each the mean of what is finite in its stretch."""
    if len(line.x) <= most:
        return line
    parts = np.array_split(np.arange(len(line.x)), most)
    x = np.array([line.x[part].mean() for part in parts], dtype=np.float64)
    return Line(
        x, np.array([_mean(line.y[part]) for part in parts], dtype=np.float64), line.number, line.dots
    )


def _mean(values: Values) -> float:
    finite = values[np.isfinite(values)]
    return float(finite.mean()) if len(finite) else float("nan")


def _draw_line(axes: Axes, line: Line) -> None:
    number = line.number % LINES
    # A single point is no line: without a dot nothing would be seen.
    alone = np.isfinite(line.y).sum() < 2
    marker = "o" if line.dots or alone else ""
    y = np.where(np.isfinite(line.y), line.y, np.nan)
    axes.plot(line.x, y, color=_COLORS[number], ls=DASHES[number], marker=marker, ms=4.5, mec=_PAPER, mew=0.8)


def logarithmic(lines: Sequence[Line]) -> bool:
    """Whether the values are better seen on a logarithmic axis."""
    values = np.concatenate([line.y[np.isfinite(line.y)] for line in lines]) if lines else np.zeros(0)
    return bool(len(values) and values.min() > 0 and values.max() / values.min() > _LOG_SPAN)


def _scale_axes(axes: Axes, lines: Sequence[Line], scale: Scaling) -> None:
    _round_ticks(axes)
    if scale == "share":
        axes.set_ylim(0, 1)
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0%}"))
    elif scale == "zero":
        axes.set_ylim(0, 1.05 * max(float(axes.get_ylim()[1]), 1e-12))
    elif logarithmic(lines):
        _logarithmic_ticks(axes)
    else:
        _keep_proportion(axes)


def _keep_proportion(axes: Axes) -> None:
    """A change of a few percent must not fill the drawing."""
    low, high = (float(end) for end in axes.get_ylim())
    needed = _LEAST_SPAN * max(abs(low), abs(high))
    missing = needed - (high - low)
    if missing > 0:
        axes.set_ylim(low - missing / 2, high + missing / 2)


def _logarithmic_ticks(axes: Axes) -> None:
    axes.set_yscale("log")
    low, high = axes.get_ylim()
    decades = float(np.log10(high / low))
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if decades < 2.5 else (1.0,)))
    axes.yaxis.set_major_formatter(FuncFormatter(_plain))
    axes.yaxis.set_minor_formatter(NullFormatter())


def _round_ticks(axes: Axes) -> None:
    whole = all(float(x).is_integer() for line in axes.lines for x in np.asarray(line.get_xdata()))
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=whole))
    axes.yaxis.set_major_locator(MaxNLocator(5))
    axes.xaxis.set_major_formatter(FuncFormatter(_plain))
    axes.yaxis.set_major_formatter(FuncFormatter(_plain))


def _plain(value: float | int, _: object = None) -> str:
    """A number as people write it: 0.05, 300, 20k, 3e-5.

    >>> [_plain(value) for value in (0.05, 300.0, 20000, 0.00003, -2.5e6)]
    ['0.05', '300', '20k', '3e-5', '-2.5M']
    """
    size = abs(float(value))
    if size >= 1e6:
        return f"{value / 1e6:g}M"
    if size >= 1e4:
        return f"{value / 1e3:g}k"
    return re.sub(r"e-0?", "e-", f"{value:.6g}")


def _svg(draw: Callable[[Axes], None], size: tuple[float, float] = SIZE) -> str:
    with matplotlib.rc_context(dict(_STYLE)):
        figure = Figure(figsize=size)
        FigureCanvasSVG(figure)
        axes = figure.add_axes(_PLACE)
        axes.yaxis.set_label_coords(-0.175, 0.5)
        axes.grid(axis="y", lw=0.7)
        axes.set_axisbelow(True)
        axes.tick_params(which="both", length=0, pad=5)
        draw(axes)
        file = io.StringIO()
        no_date = {"Date": None, "Creator": None, "Format": None, "Type": None}
        figure.savefig(file, format="svg", transparent=True, metadata=no_date)
    return _for_a_page(file.getvalue())


_NEEDLESS = re.compile(
    r"<!--.*?-->|<style.*?</style>|<metadata>.*?</metadata>|<defs>\s*</defs>"
    r"| font-family: [^;]*;| transform=\"rotate\(-0 [^\"]*\"",
    re.DOTALL,
)


def _for_a_page(svg: str) -> str:
    """The drawing without what only a file of its own needs, in the colors and the letters of the page."""
    head = svg.index(">", svg.index("<svg"))
    view_box = re.search(r'viewBox="([^"]*)"', svg[:head])
    inside = _NEEDLESS.sub("", svg[head + 1 :]).replace("xlink:href", "href")
    for color, variable in _VARIABLES.items():
        inside = inside.replace(color, f"var({variable})")
    return f'<svg viewBox="{view_box.group(1) if view_box else ""}" aria-hidden="true">{_renamed(inside)}'


def _renamed(inside: str) -> str:
    """Only the names that the drawing refers to, and none that the next drawing of the page has too."""
    own = hashlib.sha256(inside.encode()).hexdigest()[:8]
    used = set(re.findall(r"#(\w+)", inside))

    def name(found: re.Match[str]) -> str:
        return f' id="{own}-{found[1]}"' if found[1] in used else ""

    inside = re.sub(r"#(?=\w+[\")])", f"#{own}-", re.sub(r' id="([^"]*)"', name, inside))
    return re.sub(r"\n\s*", "\n", inside).strip()
