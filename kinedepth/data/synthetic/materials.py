"""What color a surface has at a point, averaged over the pixel that looks at it."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from kinedepth.data.synthetic.shapes import (
    ASPHALT,
    CLOTH,
    FACADE,
    FENCE,
    GLASS,
    LEAVES,
    PAINT,
    PANEL,
    PLAIN,
    ROAD,
    ROOF,
    SIDEWALK,
    TERRAIN,
)
from kinedepth.data.synthetic.textures import Values, band, fade, hashed, noise, pulse

Colors = Float[np.ndarray, "3 n"]
Tile = Float[np.ndarray, "h w"]


@dataclass(frozen=True)
class Grain:
    """Noise of a material: contrast, how much finer than usual, how far its color wanders to the accent."""

    contrast: float
    scale: float
    hue: float


GRAINS = {
    ROAD: Grain(0.62, 1.0, 0.2),
    ASPHALT: Grain(0.62, 1.0, 0.2),
    SIDEWALK: Grain(0.55, 1.3, 0.2),
    TERRAIN: Grain(1.1, 0.9, 0.3),
    PLAIN: Grain(0.8, 2.0, 0.2),
    FACADE: Grain(0.5, 1.6, 0.07),
    ROOF: Grain(0.65, 1.6, 0.15),
    GLASS: Grain(0.5, 1.4, 0.25),
    PANEL: Grain(0.0, 1.0, 0.0),
    PAINT: Grain(0.22, 1.7, 0.0),
    LEAVES: Grain(1.7, 1.8, 0.3),
    FENCE: Grain(0.8, 1.5, 0.15),
    CLOTH: Grain(1.0, 4.0, 0.12),
}
CONTRAST, SCALE, HUE = (
    np.array([getattr(GRAINS[kind], name) for kind in range(len(GRAINS))], dtype=np.float32)
    for name in ("contrast", "scale", "hue")
)
OCTAVES = ((0.11, 0.08), (0.27, 0.08), (0.62, 0.09), (1.45, 0.11), (3.4, 0.12), (7.9, 0.11))
"""Frequency in cells per metre and strength of each band of grain."""
STREAKS = ((0.45, 0.03, 0.05), (1.3, 0.06, 0.075), (3.1, 0.14, 0.085))
"""Frequency across, along, and strength: wear along the way, which is what is seen of a road far ahead."""
GROUND = (ROAD, ASPHALT, SIDEWALK, TERRAIN)


@dataclass(frozen=True)
class Hits:
    """Points on surfaces: texture coordinates in metres, metres spanned by one pixel, material."""

    u: Values
    v: Values
    fu: Values
    fv: Values
    kind: Int[np.ndarray, " n"]
    color: Colors
    accent: Colors
    phase: Values


def albedo(tile: Tile, hits: Hits) -> Colors:
    """Color before light, in [0, 1]."""
    grain, hue = _grain(tile, hits)
    color = hits.color + (hits.accent - hits.color) * hue
    present = np.bincount(hits.kind, minlength=len(GRAINS))
    for kind, paint in PATTERNS.items():
        if present[kind]:
            where = np.flatnonzero(hits.kind == kind)
            part = Hits(*(getattr(hits, name)[..., where] for name in Hits.__dataclass_fields__))
            color[:, where] = paint(part, color[:, where])
    for kind in GROUND:
        if present[kind]:
            where = np.flatnonzero(hits.kind == kind)
            grain[where] += _streaks(tile, hits, where)
    return np.asarray(color * (1 + grain))


def _grain(tile: Tile, hits: Hits) -> tuple[Values, Values]:
    """Relative brightness of the multi-scale grain, and how far the color leans to its accent."""
    scale = SCALE[hits.kind]
    u, v, fu, fv = hits.u * scale, hits.v * scale, hits.fu * scale, hits.fv * scale
    total = np.zeros(len(u), dtype=np.float32)
    hue = np.zeros(len(u), dtype=np.float32)
    for number, (frequency, strength) in enumerate(OCTAVES):
        shift = hits.phase + (13.7 * number)
        value = noise(tile, u * frequency + shift, v * frequency + shift * 1.7)
        value *= fade(frequency, frequency, fu, fv)
        total += strength * value
        if number in (1, 2):
            hue += value
    strength = HUE[hits.kind]
    return total * CONTRAST[hits.kind], np.clip(0.3 + strength * hue, 0, 1) * (strength > 0)


def _streaks(tile: Tile, hits: Hits, where: Int[np.ndarray, " k"]) -> Values:
    u, v, fu, fv = hits.u[where], hits.v[where], hits.fu[where], hits.fv[where]
    total = np.zeros(len(u), dtype=np.float32)
    for number, (across, along, strength) in enumerate(STREAKS):
        value = noise(tile, u * across + (5.3 * number), v * along)
        total += strength * value * fade(across, along, fu, fv)
    return total


def _mix(color: Colors, other: tuple[float, float, float], share: Values) -> Colors:
    target = np.array(other, dtype=np.float32)[:, None]
    return np.asarray(color + (target - color) * share)


def _road(hits: Hits, color: Colors) -> Colors:
    """Lane marks: a dashed middle, solid edges, a gutter, and joints where tar was mended."""
    u, v, fu, fv = hits.u, hits.v, hits.fu, hits.fv
    dashes = band(np.abs(u), -1.0, 0.08, fu) * pulse(v, 6.0, 1.5, fv)
    edges = band(np.abs(u), 3.55, 3.68, fu)
    bays = band(np.abs(u), 3.68, 6.0, fu) * pulse(v, 5.5, 0.06, fv)
    color = _mix(color, (0.9, 0.89, 0.84), np.maximum(np.maximum(dashes, edges), 0.8 * bays))
    mended = hashed(np.floor(v / 7), np.floor(u / 3), hits.phase) < 0.22
    inside = (1 - pulse(v, 7.0, 0.3, fv)) * (1 - pulse(u, 3.0, 0.1, fu)) * np.clip(1 - fv / 4, 0, 1)
    return np.asarray(color * (1 - 0.22 * inside * mended))


def _sidewalk(hits: Hits, color: Colors) -> Colors:
    """Slabs with joints, each a little different."""
    joints = np.maximum(pulse(hits.u, 0.8, 0.025, hits.fu), pulse(hits.v, 0.8, 0.025, hits.fv))
    slab = hashed(np.floor(hits.u / 0.8), np.floor(hits.v / 0.8), hits.phase)
    strength = np.clip(1.2 - 2.5 * np.maximum(hits.fu, hits.fv), 0, 1)
    return np.asarray(color * (1 - 0.4 * joints + 0.22 * (slab - 0.5) * strength))


def _facade(hits: Hits, color: Colors) -> Colors:
    """Rows of framed windows, a ledge below every floor, a darker base; plaster or brick by phase."""
    style = np.floor(hits.phase) % 3
    column, half = 2.3 + 0.4 * style, 0.2 + 0.05 * style
    u, fu, v, fv = hits.u / column, hits.fu / column, hits.v - 1.65, hits.fv
    above = band(hits.v, 0.3, 60.0, fv)
    frame = pulse(u, 1.0, half + 0.04, fu) * pulse(v, 3.0, 0.82, fv) * above
    pane = pulse(u, 1.0, half, fu) * pulse(v, 3.0, 0.7, fv) * above
    bar = np.maximum(pulse(u, 1.0, 0.015, fu), pulse(v - 0.2, 3.0, 0.03, fv))
    ledge, base = pulse(hits.v - 3.2, 3.0, 0.1, fv) * above, band(hits.v, -9.0, 0.5, fv)
    color = color * (1 - 0.25 * ledge - 0.3 * base - _bricks(hits) * (hits.phase % 5 < 2))
    color = _mix(color, (0.93, 0.91, 0.87), np.maximum(frame - pane, pane * bar))
    light = hashed(np.round(u), np.round(v / 3), hits.phase)
    glass = np.stack([0.16 + 0.34 * light, 0.2 + 0.36 * light, 0.26 + 0.36 * light])
    return np.asarray(color + (glass - color) * (pane * (1 - bar)))


def _bricks(hits: Hits) -> Values:
    """How much the joints between courses of large bricks darken a wall."""
    courses = pulse(hits.v, 0.3, 0.03, hits.fv)
    upright = pulse(hits.u + 0.3 * np.floor(hits.v / 0.3), 0.6, 0.03, hits.fu)
    return np.asarray(0.22 * courses + 0.16 * upright)


def _roof(hits: Hits, color: Colors) -> Colors:
    """Courses of tiles."""
    rows = pulse(hits.v, 0.42, 0.06, hits.fv)
    tiles = pulse(hits.u + 0.16 * np.floor(hits.v / 0.42), 0.36, 0.03, hits.fu)
    return np.asarray(color * (1 - 0.4 * np.maximum(rows, 0.6 * tiles)))


def _fence(hits: Hits, color: Colors) -> Colors:
    gaps = pulse(hits.u, 0.24, 0.03, hits.fu)
    return np.asarray(color * (1 - 0.6 * gaps))


def _glass(hits: Hits, color: Colors) -> Colors:
    """Panes between dark pillars, lighter towards the top."""
    pillar = pulse(hits.u, 1.5, 0.05, hits.fu)
    rise = np.clip((hits.v - 0.9) * 0.5, 0, 1)
    return np.asarray((color + 0.12 * rise) * (1 - 0.5 * pillar))


def _paint(hits: Hits, color: Colors) -> Colors:
    """Sheet metal: doors, a crease, darker below."""
    doors = pulse(hits.u + 0.55, 1.1, 0.02, hits.fu)
    crease = band(hits.v, 0.6, 0.64, hits.fv)
    shade = np.clip(0.78 + 0.34 * hits.v, 0.86, 1.1)
    return np.asarray(color * (shade - 0.3 * np.maximum(doors, crease)))


PATTERNS = {
    ROAD: _road,
    SIDEWALK: _sidewalk,
    FACADE: _facade,
    ROOF: _roof,
    FENCE: _fence,
    GLASS: _glass,
    PAINT: _paint,
}


def sky(tile: Tile, directions: Float[np.ndarray, "3 n"], pixel: float) -> Colors:
    """Color of the sky along directions (x, y down, z) in the world.

    `pixel` is the angle in radians that one pixel spans. Clouds lie on a flat ceiling, whose
    frequencies are per ceiling height.
    """
    east, down, north = directions / np.linalg.norm(directions, axis=0)
    low, high = np.array([[0.86], [0.89], [0.92]]), np.array([[0.34], [0.56], [0.84]])
    color = low + (high - low) * np.sqrt(np.clip(-1.6 * down, 0, 1))
    rise = np.maximum(-down, 0) + 0.25
    across, along, span = east / rise, north / rise, pixel / rise**2
    cloud = np.zeros(len(down), dtype=np.float32)
    for frequency, strength in ((1.1, 0.5), (2.6, 0.4), (6.5, 0.3), (16.0, 0.25)):
        value = noise(tile, across * frequency + frequency, along * frequency)
        cloud += strength * value * fade(frequency, frequency, span, span * 0)
    share = np.clip(0.35 + 0.55 * cloud, 0, 1) * np.clip(0.4 - 12 * down, 0, 1)
    return np.asarray(color + (0.97 - color) * share, dtype=np.float32)
