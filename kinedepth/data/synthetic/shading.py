"""The color that reaches the camera: material, light, shadow on the ground, haze, and sky."""

import numpy as np
from jaxtyping import Float, Int

from kinedepth.data.synthetic.materials import Hits, albedo, sky
from kinedepth.data.synthetic.settings import Matrix, intrinsics_of
from kinedepth.data.synthetic.surfaces import Surfaces
from kinedepth.data.synthetic.textures import Values
from kinedepth.data.synthetic.tracing import Seen
from kinedepth.data.synthetic.world import Drive

AMBIENT, DIRECT = 0.62, 0.5
HAZE = 450.0
"""Metres after which a surface has 63 % of the horizon's color."""
HORIZON_COLOR = np.array([[0.86], [0.89], [0.92]], dtype=np.float32)


def shade(drive: Drive, pose: Matrix, seen: Seen, x: Values, y: Values) -> Float[np.ndarray, "3 n"]:
    """The color that reaches the camera along every ray, before exposure."""
    color = np.empty((3, len(x)), dtype=np.float32)
    fx, fy, _, _ = intrinsics_of(drive.settings)
    void = np.flatnonzero(seen.row < 0)
    if len(void):
        rotation = pose[:3, :3].astype(np.float32)
        a, b = x[void], y[void]
        world = [rotation[k, 0] * a + rotation[k, 1] * b + rotation[k, 2] for k in range(3)]
        up = np.arctan2(-world[1], np.hypot(world[0], world[2]))
        color[:, void] = sky(drive.tile, np.arctan2(world[0], world[2]), up, 1 / fx)
    solid = np.flatnonzero(seen.row >= 0)
    if len(solid):
        color[:, solid] = _surface_color(drive, pose, seen, solid, (x[solid], y[solid]))
    return color


def _surface_color(
    drive: Drive, pose: Matrix, seen: Seen, solid: Int[np.ndarray, " k"], at: tuple[Values, Values]
) -> Float[np.ndarray, "3 k"]:
    surfaces, row = seen.surfaces, seen.row[solid]
    depth = 1 / seen.nearness[solid]
    fx, fy, _, _ = intrinsics_of(drive.settings)
    coordinates = []
    for gradient, offset in ((surfaces.across, surfaces.across_at), (surfaces.along, surfaces.along_at)):
        level = (gradient @ pose[:3, 3] + offset)[:, None]
        slope = ((gradient @ pose[:3, :3]) + level * seen.inverse).astype(np.float32).T
        a, b, c = (np.ascontiguousarray(part).take(row) for part in slope)
        value = (a * at[0] + b * at[1] + c) * depth
        n_x, n_y = (np.ascontiguousarray(seen.inverse[:, k]).take(row) for k in (0, 1))
        span = np.hypot((a - value * n_x) * np.float32(1 / fx), (b - value * n_y) * np.float32(1 / fy)) * depth
        coordinates.append((value, span))
    (u, fu), (v, fv) = coordinates
    looks = [np.ascontiguousarray(part.T.astype(np.float32))[:, row] for part in (surfaces.color, surfaces.accent)]
    hits = Hits(u, v, fu, fv, surfaces.kind.astype(np.int32)[row], *looks, surfaces.phase.astype(np.float32)[row])
    color = albedo(drive.tile, hits) * _light(drive, surfaces, pose)[row]
    clear = np.exp(depth * np.float32(-1 / HAZE))
    return HORIZON_COLOR + (color - HORIZON_COLOR) * clear


def _light(drive: Drive, surfaces: Surfaces, pose: Matrix) -> Values:
    """Brightness of every triangle on the side that the camera sees."""
    side = np.where(surfaces.normal @ pose[:3, 3] > surfaces.level, 1.0, -1.0)
    facing = np.maximum(side * (surfaces.normal @ drive.sun), 0)
    overhead = 0.5 - 0.5 * side * surfaces.normal[:, 1]
    return (AMBIENT * (0.75 + 0.35 * overhead) + DIRECT * facing).astype(np.float32)
