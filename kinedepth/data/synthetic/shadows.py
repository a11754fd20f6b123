"""Shadows on the ground: traced once for what stands still, drawn anew every frame for what moves."""

from dataclasses import dataclass

import cv2
import numpy as np
from embreex.rtcore_scene import EmbreeScene
from jaxtyping import Float

from kinedepth.data.synthetic.textures import Values, bilinear
from kinedepth.data.synthetic.traffic import Mover

CELL = 0.25
AROUND = 55.0
"""Metres beyond the path that shadows reach; movers cast theirs within as much of the camera."""
LIFT = 0.16
"""Points tested lie this far above the road, clear of kerb and sidewalk."""
SOFT = 0.3
COARSE = 1.6
"""Blur in metres of the shadows seen from near, and of those seen at a distance."""
MOVING_SHADE = 0.35
"""Depth of a mover's shadow, that of a house being 1. No depth, pose or motion explains how it travels."""


@dataclass(frozen=True)
class ShadowMap:
    """Share of the sun that reaches the ground, by cells of `CELL` metres from `corner` (x, z) on."""

    corner: tuple[float, float]
    fine: Float[np.ndarray, "h w"]
    coarse: Float[np.ndarray, "h w"]

    def read(self, x: Values, z: Values, span: Values) -> Values:
        """Share of the sun at ground points, averaged over about `span` metres; all of it beyond the map."""
        column = (x - self.corner[0]) * (1 / CELL)
        row = (z - self.corner[1]) * (1 / CELL)
        near, far = bilinear(self.fine, column, row), bilinear(self.coarse, column, row)
        return np.asarray(near + (far - near) * np.clip(span * 1.2 - 0.2, 0, 1))

    def around(self, x: float, z: float) -> "ShadowMap":
        """The part within `AROUND` metres of a place along both axes."""
        reach = int(AROUND / CELL)
        column, row = round((x - self.corner[0]) / CELL), round((z - self.corner[1]) / CELL)
        left, top = max(column - reach, 0), max(row - reach, 0)
        part = slice(top, max(row + reach, top + 1)), slice(left, max(column + reach, left + 1))
        corner = (self.corner[0] + CELL * left, self.corner[1] + CELL * top)
        return ShadowMap(corner, self.fine[part], self.coarse[part])


def street_shadows(
    street: EmbreeScene, sun: Float[np.ndarray, " 3"], path: Float[np.ndarray, "n 2"]
) -> ShadowMap:
    """Traces the shadows of everything still around the camera's path; `sun` points to it."""
    low = np.floor(path.min(0)) - AROUND
    columns, rows = (np.ceil((path.max(0) + AROUND - low) / CELL)).astype(int)
    lit = np.ones((rows, columns), dtype=np.float32)
    x = (low[0] + CELL * np.arange(columns)).astype(np.float32)
    for row in range(rows):
        z = low[1] + CELL * row
        beside = path[np.abs(path[:, 1] - z) <= AROUND, 0]
        where = np.flatnonzero(
            (x > beside.min(initial=np.inf) - AROUND) & (x < beside.max(initial=-np.inf) + AROUND)
        )
        if len(where):
            origins = np.stack([x[where], np.full(len(where), -LIFT), np.full(len(where), z)], -1)
            directions = np.tile(sun.astype(np.float32), (len(where), 1))
            lit[row, where] = street.run(origins.astype(np.float32), directions, query="OCCLUDED") != 0
    return ShadowMap((float(low[0]), float(low[1])), _blurred(lit, SOFT), _blurred(lit, COARSE))


def with_movers(
    still: ShadowMap, movers: list[tuple[Mover, Float[np.ndarray, "4 4"]]], sun: Float[np.ndarray, " 3"]
) -> ShadowMap:
    """The map darkened under and behind movers that stand at the given poses; its rim stays lit."""
    shade = np.zeros(still.fine.shape, dtype=np.uint8)
    for mover, pose in movers:
        outline = (_outline(mover, pose, sun) - np.array(still.corner)) / CELL
        if (outline > -1e3).all() and (outline < 1e4).all():
            hull = cv2.convexHull(np.round(outline * 16).astype(np.int32))
            cv2.fillConvexPoly(shade, hull, 255, cv2.LINE_AA, 4)
    lit = 1 - shade.astype(np.float32) * (MOVING_SHADE / 255)
    fine, coarse = still.fine * _blurred(lit, SOFT), still.coarse * _blurred(lit, COARSE)
    for part in (fine, coarse):
        part[[0, -1]], part[:, [0, -1]] = 1, 1
    return ShadowMap(still.corner, fine, coarse)


def _outline(
    mover: Mover, pose: Float[np.ndarray, "4 4"], sun: Float[np.ndarray, " 3"]
) -> Float[np.ndarray, "8 2"]:
    """Footprint of a mover and the same thrown away from the sun, as (x, z)."""
    width, height, length = mover.size
    corners = np.array([[-1, -1], [1, -1], [1, 1], [-1, 1]]) * 0.5 * np.array([width, length])
    foot = corners @ np.stack([pose[[0, 2], 0], pose[[0, 2], 2]]) + pose[[0, 2], 3]
    throw = sun[[0, 2]] / sun[1] * 0.35 * height
    return np.concatenate([foot, foot + throw])


def _blurred(lit: Float[np.ndarray, "h w"], metres: float) -> Float[np.ndarray, "h w"]:
    return np.asarray(cv2.GaussianBlur(lit, (0, 0), metres / CELL), dtype=np.float32)
