"""Colours of the field: magma on inverse depth up to its 95th percentile; errors from blue to red.

Metres have another table (viridis, near bright), so that nobody takes one picture for the other.
"""

import difflib
from functools import cache

import matplotlib
import numpy as np
from jaxtyping import Bool, Float, UInt8

from kinedepth.errors import KinedepthError

Picture = UInt8[np.ndarray, "h w 3"]
Limits = tuple[float, float]
DEPTH_TABLE, METRIC_TABLE, ERROR_TABLE = "magma", "viridis_r", "jet"
_STEPS = 256


@cache
def _table(name: str) -> UInt8[np.ndarray, "n 3"]:
    colors = matplotlib.colormaps[name](np.linspace(0.0, 1.0, _STEPS))[:, :3]
    return np.asarray(np.rint(colors * 255), dtype=np.uint8)


def known_table(name: str) -> str:
    """The name of a matplotlib colour table, as it was given.

    Raises:
        KinedepthError: there is none of that name; says the nearest.
    """
    names = list(matplotlib.colormaps)
    if name in names:
        return name
    lower = {known.lower(): known for known in names}
    near = difflib.get_close_matches(name.lower(), lower, 1, 0.5)
    hint = (
        f"did you mean '{lower[near[0]]}'?"
        if near
        else "matplotlib's names are meant: magma, viridis, turbo."
    )
    raise KinedepthError(f"There is no colour map '{name}': {hint}")


def valid_values(values: Float[np.ndarray, "h w"]) -> Bool[np.ndarray, "h w"]:
    """Where a map of depth or inverse depth holds something: finite and > 0."""
    return np.asarray(np.isfinite(values) & (values > 0))


def color_limits(inverse_depth: Float[np.ndarray, "h w"], percentile: float = 95.0) -> Limits:
    """The values that the colours span: the smallest, and the `percentile`; (0, 1) when nothing is valid.

    Source: the look of Godard et al. 2019 and its descendants.
    """
    valid = inverse_depth[valid_values(inverse_depth)]
    if not valid.size:
        return 0.0, 1.0
    return float(valid.min()), float(np.percentile(valid, percentile))


def spread(values: Float[np.ndarray, "h w"], limits: Limits, table: str = DEPTH_TABLE) -> Picture:
    """The values in colours of a matplotlib table, whose ends stand for `limits` and all beyond."""
    low, high = limits
    width = high - low if high > low else 1.0
    place = np.clip((np.nan_to_num(values, nan=low, posinf=high, neginf=low) - low) / width, 0.0, 1.0)
    return np.asarray(_table(table)[np.minimum((place * _STEPS).astype(np.intp), _STEPS - 1)])


def colored(
    inverse_depth: Float[np.ndarray, "h w"], limits: Limits | None = None, table: str = DEPTH_TABLE
) -> Picture:
    """Inverse depth in colours, near bright and far dark; black where there is none.

    Without `limits` the map's own are taken; give the same ones for every frame of a clip, or it flickers.
    """
    picture = spread(inverse_depth, limits or color_limits(inverse_depth), table)
    picture[~valid_values(inverse_depth)] = 0
    return picture


def colored_depth(
    depth: Float[np.ndarray, "h w"], limits: Limits | None = None, table: str = DEPTH_TABLE
) -> Picture:
    """Depth in the colours of its inverse; `limits` are of inverse depth."""
    inverse = np.divide(1.0, depth, out=np.zeros_like(depth), where=valid_values(depth))
    return colored(inverse, limits, table)


def colored_metric(depth: Float[np.ndarray, "h w"], limits: Limits, table: str = METRIC_TABLE) -> Picture:
    """Depth itself in colours, evenly from the near to the far of `limits`; black where there is none."""
    picture = spread(depth, limits, table)
    picture[~valid_values(depth)] = 0
    return picture
