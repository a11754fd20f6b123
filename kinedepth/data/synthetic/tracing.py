"""What every ray of a camera meets first."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from kinedepth.data.synthetic.placing import Matrix
from kinedepth.data.synthetic.settings import DriveSettings, intrinsics_of
from kinedepth.data.synthetic.surfaces import Surfaces, joined
from kinedepth.data.synthetic.textures import Values
from kinedepth.data.synthetic.world import Stage

Directions = Float[np.ndarray, "3 n"]


@dataclass(frozen=True)
class Rays:
    """Rays (x, y, 1) of a camera at `pose` (world_from_camera); one pixel spans `pixel` along x and y."""

    pose: Matrix
    x: Values
    y: Values
    pixel: tuple[float, float]

    def some(self, where: Int[np.ndarray, " k"]) -> "Rays":
        """A choice of the rays."""
        return Rays(self.pose, self.x[where], self.y[where], self.pixel)

    def shifted(self, shifts: Float[np.ndarray, "k 2"]) -> "Rays":
        """All rays moved by the first shift in pixels, then all by the second, and so on."""
        step = (shifts * np.array(self.pixel)).astype(np.float32)
        return Rays(self.pose, (self.x + step[:, :1]).ravel(), (self.y + step[:, 1:]).ravel(), self.pixel)

    def in_world(self) -> Directions:
        """The directions in world axes, camera z being 1."""
        turn = self.pose[:3, :3].astype(np.float32)
        return np.stack([row[0] * self.x + row[1] * self.y + row[2] for row in turn])


def camera_rays(settings: DriveSettings, pose: Matrix) -> Rays:
    """The rays through the centers of all pixels, row by row."""
    height, width = settings.size
    fx, fy, cx, cy = intrinsics_of(settings)
    x, y = np.meshgrid((np.arange(width) - cx) / fx, (np.arange(height) - cy) / fy)
    return Rays(pose, x.ravel().astype(np.float32), y.ravel().astype(np.float32), (1 / fx, 1 / fy))


@dataclass(frozen=True)
class Seen:
    """What rays meet: the row of a triangle in `surfaces` (-1 for none) and inverse depth (0 for none).

    `inverse` holds the N of every triangle with 1 / depth = N . (x, y, 1).
    """

    surfaces: Surfaces
    inverse: Float[np.ndarray, "m 3"]
    row: Int[np.ndarray, " n"]
    nearness: Values


def look(stage: Stage, rays: Rays) -> Seen:
    """The nearest triangle along every ray; depth comes from its plane, not from the tracer's distance."""
    directions = np.ascontiguousarray(rays.in_world().T)
    origins = np.empty_like(directions)
    origins[:] = rays.pose[:3, 3]
    still = stage.still_tracer.run(origins, directions)
    surfaces, row = _used(stage.still, still)
    if stage.moving is None or stage.moving_tracer is None:
        inverse = _inverse(surfaces, rays.pose)
        return Seen(surfaces, inverse, row, _nearness(inverse, row, rays))
    moving = stage.moving_tracer.run(origins, directions)
    before = len(surfaces.level)
    surfaces = joined([surfaces, stage.moving])
    inverse = _inverse(surfaces, rays.pose)
    nearness = _nearness(inverse, row, rays)
    hit = np.flatnonzero(moving >= 0)
    candidate = moving[hit] + before
    closer = _nearness(inverse, candidate, rays.some(hit))
    wins = closer > nearness[hit]
    row[hit[wins]], nearness[hit[wins]] = candidate[wins], closer[wins]
    return Seen(surfaces, inverse, row, nearness)


def _used(surfaces: Surfaces, met: Int[np.ndarray, " n"]) -> tuple[Surfaces, Int[np.ndarray, " n"]]:
    """Only the triangles that were met, and their new rows; -1 stays."""
    flags = np.zeros(len(surfaces.level) + 1, dtype=bool)
    flags[met] = True
    used = np.flatnonzero(flags[:-1])
    rows = np.full(len(flags), -1, dtype=np.int32)
    rows[used] = np.arange(len(used), dtype=np.int32)
    return surfaces.take(used), rows[met]


def _inverse(surfaces: Surfaces, pose: Matrix) -> Float[np.ndarray, "m 3"]:
    away = surfaces.level - surfaces.normal @ pose[:3, 3]
    away = np.where(np.abs(away) < 1e-7, 1e-7, away)
    return np.asarray((surfaces.normal @ pose[:3, :3]) / away[:, None], dtype=np.float32)


def _nearness(inverse: Float[np.ndarray, "m 3"], row: Int[np.ndarray, " n"], rays: Rays) -> Values:
    if not len(inverse):
        return np.zeros(len(row), dtype=np.float32)
    columns = np.ascontiguousarray(inverse.T)
    value = columns[0].take(row) * rays.x + columns[1].take(row) * rays.y + columns[2].take(row)
    return np.where(row >= 0, value, 0)
