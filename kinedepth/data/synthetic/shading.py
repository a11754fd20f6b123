"""The color that reaches the camera: material, light, shadow on the ground, mirror images, haze, and sky."""

import numpy as np
from jaxtyping import Float

from kinedepth.data.synthetic.materials import GRAINS, GROUND, Colors, Hits, albedo, sky
from kinedepth.data.synthetic.placing import Matrix
from kinedepth.data.synthetic.shapes import GLASS, PAINT, PANEL
from kinedepth.data.synthetic.surfaces import Surfaces
from kinedepth.data.synthetic.textures import Values
from kinedepth.data.synthetic.tracing import Rays, Seen
from kinedepth.data.synthetic.world import Drive, Stage

AMBIENT, DIRECT = 0.68, 0.58
SHADE = 0.45
"""Share of the light on the ground that a shadow takes."""
HAZE = 450.0
"""Metres after which a surface has 63 % of the horizon's color."""
HORIZON_COLOR = np.array([[0.86], [0.89], [0.92]], dtype=np.float32)
MIRRORS = {GLASS: 0.35, PAINT: 0.12, PANEL: 0.2}
"""How much of what faces them head-on these materials reflect when they are specular."""


def shade(drive: Drive, stage: Stage, rays: Rays, seen: Seen) -> Colors:
    """The color that reaches the camera along every ray, before exposure."""
    color = np.empty((3, len(rays.x)), dtype=np.float32)
    void = np.flatnonzero(seen.row < 0)
    if len(void):
        color[:, void] = sky(drive.tile, rays.some(void).in_world(), rays.pixel[0])
    solid = np.flatnonzero(seen.row >= 0)
    if len(solid):
        chosen = Seen(seen.surfaces, seen.inverse, seen.row[solid], seen.nearness[solid])
        color[:, solid] = _surface_color(drive, stage, rays.some(solid), chosen)
    return color


def _surface_color(drive: Drive, stage: Stage, rays: Rays, seen: Seen) -> Colors:
    depth = 1 / seen.nearness
    hits = _hits(rays, seen, depth)
    light = _light(drive, seen.surfaces, rays.pose)[seen.row]
    ground = np.flatnonzero(hits.kind < len(GROUND))
    if len(ground):
        x, _, z = rays.some(ground).in_world() * depth[ground] + rays.pose[:3, 3:].astype(np.float32)
        lit = stage.shadows.read(x, z, np.maximum(hits.fu[ground], hits.fv[ground]))
        light[ground] *= 1 - SHADE * (1 - lit)
    color = albedo(drive.tile, hits) * light
    if drive.settings.specular:
        color = _reflected(drive, rays, seen, hits, color)
    return np.asarray(HORIZON_COLOR + (color - HORIZON_COLOR) * np.exp(-depth / HAZE))


def _hits(rays: Rays, seen: Seen, depth: Values) -> Hits:
    """Texture coordinates with their derivatives by a pixel, from the planes of the triangles."""
    surfaces, row, pose = seen.surfaces, seen.row, rays.pose
    n_x, n_y = (np.ascontiguousarray(seen.inverse[:, k]).take(row) for k in (0, 1))
    found = []
    for gradient, offset in ((surfaces.across, surfaces.across_at), (surfaces.along, surfaces.along_at)):
        level = (gradient @ pose[:3, 3] + offset)[:, None]
        slope = ((gradient @ pose[:3, :3]) + level * seen.inverse).astype(np.float32).T
        a, b, c = (np.ascontiguousarray(part).take(row) for part in slope)
        value = (a * rays.x + b * rays.y + c) * depth
        by_x, by_y = (a - value * n_x) * rays.pixel[0], (b - value * n_y) * rays.pixel[1]
        found.append((value, np.hypot(by_x, by_y) * depth))
    (u, fu), (v, fv) = found
    colors = (surfaces.color, surfaces.accent)
    color, accent = (np.ascontiguousarray(part.T.astype(np.float32))[:, row] for part in colors)
    kind, phase = surfaces.kind.astype(np.int32)[row], surfaces.phase.astype(np.float32)[row]
    return Hits(u, v, fu, fv, kind, color, accent, phase)


def _side(surfaces: Surfaces, pose: Matrix) -> Float[np.ndarray, " t"]:
    """1 where the camera is on the side that the normal points to, -1 on the other."""
    return np.where(surfaces.normal @ pose[:3, 3] > surfaces.level, 1.0, -1.0)


def _light(drive: Drive, surfaces: Surfaces, pose: Matrix) -> Values:
    """Brightness of every triangle on the side that the camera sees."""
    side = _side(surfaces, pose)
    facing = np.maximum(side * (surfaces.normal @ drive.sun), 0)
    overhead = 0.5 - 0.5 * side * surfaces.normal[:, 1]
    return np.asarray(AMBIENT * (0.75 + 0.35 * overhead) + DIRECT * facing, dtype=np.float32)


def _reflected(drive: Drive, rays: Rays, seen: Seen, hits: Hits, color: Colors) -> Colors:
    """Mirror images of sky and sun on glass, paint and panels; Fresnel's law after Schlick (1994)."""
    share = np.zeros(len(GRAINS), dtype=np.float32)
    share[list(MIRRORS)] = list(MIRRORS.values())
    where = np.flatnonzero(share[hits.kind] > 0)
    toward = rays.some(where).in_world()
    toward = toward / np.linalg.norm(toward, axis=0)
    outward = seen.surfaces.normal * _side(seen.surfaces, rays.pose)[:, None]
    normal = outward.astype(np.float32).T[:, seen.row[where]]
    cosine = -(toward * normal).sum(0)
    mirrored = toward + 2 * cosine * normal
    seen_there = sky(drive.tile, mirrored, 4 * rays.pixel[0]) * np.clip(1 - 6 * mirrored[1], 0.35, 1)
    sun = np.clip(drive.sun.astype(np.float32) @ mirrored, 0, 1) ** 80
    base = share[hits.kind[where]]
    mix = base + (1 - base) * np.clip(1 - cosine, 0, 1) ** 5
    result = color.copy()
    result[:, where] += (seen_there - result[:, where]) * mix + 2 * sun * base
    return result
