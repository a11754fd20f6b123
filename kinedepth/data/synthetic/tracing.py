"""What every ray of a camera meets first."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from kinedepth.data.synthetic.settings import DriveSettings, Matrix, intrinsics_of
from kinedepth.data.synthetic.surfaces import Surfaces, joined
from kinedepth.data.synthetic.textures import Values
from kinedepth.data.synthetic.world import Stage


@dataclass(frozen=True)
class Seen:
    """What rays meet: the row of a triangle in `surfaces` (-1 for none) and inverse depth (0 for none)."""

    surfaces: Surfaces
    inverse: Float[np.ndarray, "m 3"]
    row: Int[np.ndarray, " n"]
    nearness: Values


def rays(settings: DriveSettings) -> tuple[Values, Values]:
    """Normalised image coordinates (x/z, y/z) of every pixel, row by row."""
    height, width = settings.size
    fx, fy, cx, cy = intrinsics_of(settings)
    across, down = (np.arange(width) - cx) / fx, (np.arange(height) - cy) / fy
    x, y = np.meshgrid(across, down)
    return x.ravel().astype(np.float32), y.ravel().astype(np.float32)


def look(stage: Stage, pose: Matrix, x: Values, y: Values) -> Seen:
    """The nearest triangle along every ray; depth comes from its plane, not from the tracer's distance."""
    rotation = pose[:3, :3].astype(np.float32)
    directions = np.empty((len(x), 3), dtype=np.float32)
    for axis in range(3):
        directions[:, axis] = rotation[axis, 0] * x + rotation[axis, 1] * y + rotation[axis, 2]
    origins = np.empty_like(directions)
    origins[:] = pose[:3, 3]
    still = stage.still_tracer.run(origins, directions)
    met = np.zeros(len(stage.still.level) + 1, dtype=bool)
    met[still] = True
    used = np.flatnonzero(met[:-1])
    rows = np.full(len(met), -1, dtype=np.int32)
    rows[used] = np.arange(len(used), dtype=np.int32)
    row = rows[still]
    surfaces = stage.still.take(used)
    if stage.moving is not None and stage.moving_tracer is not None:
        surfaces = joined([surfaces, stage.moving])
        moving = stage.moving_tracer.run(origins, directions)
        inverse = _inverse(surfaces, pose)
        nearness = _nearness(inverse, row, x, y)
        hit = np.flatnonzero(moving >= 0)
        candidate = moving[hit] + len(used)
        closer = _nearness(inverse, candidate, x[hit], y[hit])
        wins = closer > nearness[hit]
        row[hit[wins]], nearness[hit[wins]] = candidate[wins], closer[wins]
        return Seen(surfaces, inverse, row, nearness)
    inverse = _inverse(surfaces, pose)
    return Seen(surfaces, inverse, row, _nearness(inverse, row, x, y))


def _inverse(surfaces: Surfaces, pose: Matrix) -> Float[np.ndarray, "m 3"]:
    """N with 1 / depth = N . (x, y, 1) on every triangle's plane."""
    away = surfaces.level - surfaces.normal @ pose[:3, 3]
    away = np.where(np.abs(away) < 1e-7, 1e-7, away)
    return ((surfaces.normal @ pose[:3, :3]) / away[:, None]).astype(np.float32)


def _nearness(inverse: Float[np.ndarray, "m 3"], row: Int[np.ndarray, " n"], x: Values, y: Values) -> Values:
    if not len(inverse):
        return np.zeros(len(row), dtype=np.float32)
    columns = np.ascontiguousarray(inverse.T)
    value = columns[0].take(row) * x + columns[1].take(row) * y + columns[2].take(row)
    return np.where(row >= 0, value, np.float32(0))
