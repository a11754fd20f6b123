"""Errors along a path, as curves: where a trajectory leaves the truth."""

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float, UInt8
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from kinedepth.visualize.panels import LINES

_DOTS = 100


def error_plot(
    along: Float[np.ndarray, " n"],
    errors: Mapping[str, Float[np.ndarray, " n"]],
    size: tuple[int, int] = (320, 640),
) -> UInt8[np.ndarray, "_ _ 3"]:
    """Distance to the truth over distance travelled, both in meters, a curve for each alignment.

    Raises ValueError when there is no curve.
    """
    if not errors:
        raise ValueError("A plot needs at least one curve.")
    figure = Figure(figsize=(size[1] / _DOTS, size[0] / _DOTS), dpi=_DOTS, layout="constrained")
    canvas = FigureCanvasAgg(figure)
    axes = figure.subplots()
    for place, (name, values) in enumerate(errors.items()):
        color = [channel / 255 for channel in LINES[place % len(LINES)]]
        axes.plot(along, values, label=name, color=color, linewidth=1.4)
    axes.set_xlabel("along the true path, m")
    axes.set_ylabel("distance to the truth, m")
    axes.set_ylim(bottom=0)
    axes.grid(color="0.9")
    axes.legend(frameon=False, fontsize="small")
    canvas.draw()  # type: ignore[no-untyped-call]
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()  # type: ignore[no-untyped-call]
