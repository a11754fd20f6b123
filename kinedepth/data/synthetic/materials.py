"""What color a surface has at a point, averaged over the pixel that looks at it."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from kinedepth.data.synthetic.shapes import (
    ASPHALT, CLOTH, FACADE, FENCE, GLASS, LEAVES, PAINT, PANEL, PLAIN, ROAD, ROOF, SIDEWALK, TERRAIN,
)
from kinedepth.data.synthetic.textures import Values, band, fade, hashed, noise, pulse

@dataclass(frozen=True)
class Grain:
    """Noise of a material: relative contrast, how many times finer than usual, and how far its color wanders to the accent."""

    contrast: float
    scale: float
    hue: float


GRAINS = {
    ROAD: Grain(0.55, 1.0, 0.2),
    ASPHALT: Grain(0.55, 1.0, 0.2),
    SIDEWALK: Grain(0.55, 1.3, 0.2),
    TERRAIN: Grain(1.1, 0.9, 0.3),
    PLAIN: Grain(0.8, 2.0, 0.2),
    FACADE: Grain(0.5, 1.6, 0.07),
    ROOF: Grain(0.65, 1.6, 0.15),
    GLASS: Grain(0.35, 1.2, 0.25),
    PANEL: Grain(0.0, 1.0, 0.0),
    PAINT: Grain(0.16, 1.5, 0.0),
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
STREAKS = ((0.45, 0.03, 0.05), (1.3, 0.06, 0.065), (3.1, 0.14, 0.07))
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
    color: Float[np.ndarray, "3 n"]
    accent: Float[np.ndarray, "3 n"]
    phase: Values


def albedo(tile: Float[np.ndarray, "h w"], hits: Hits) -> Float[np.ndarray, "3 n"]:
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
    return color * (1 + grain)


def _grain(tile: Float[np.ndarray, "h w"], hits: Hits) -> tuple[Values, Values]:
    """Relative brightness of the multi-scale grain, and how far the color leans to its accent."""
    scale = SCALE[hits.kind]
    u, v, fu, fv = hits.u * scale, hits.v * scale, hits.fu * scale, hits.fv * scale
    total = np.zeros(len(u), dtype=np.float32)
    hue = np.zeros(len(u), dtype=np.float32)
    for number, (frequency, strength) in enumerate(OCTAVES):
        shift = hits.phase + np.float32(13.7 * number)
        value = noise(tile, u * np.float32(frequency) + shift, v * np.float32(frequency) + shift * np.float32(1.7))
        value *= fade(frequency, frequency, fu, fv)
        total += np.float32(strength) * value
        if number in (1, 2):
            hue += value
    return total * CONTRAST[hits.kind], np.clip(np.float32(0.3) + HUE[hits.kind] * hue, 0, 1) * (HUE[hits.kind] > 0)


def _streaks(tile: Float[np.ndarray, "h w"], hits: Hits, where: Int[np.ndarray, " k"]) -> Values:
    u, v, fu, fv = hits.u[where], hits.v[where], hits.fu[where], hits.fv[where]
    total = np.zeros(len(u), dtype=np.float32)
    for number, (across, along, strength) in enumerate(STREAKS):
        value = noise(tile, u * np.float32(across) + np.float32(5.3 * number), v * np.float32(along))
        total += np.float32(strength) * value * fade(across, along, fu, fv)
    return total


def _mix(color: Float[np.ndarray, "3 n"], other: tuple[float, float, float], share: Values) -> Float[np.ndarray, "3 n"]:
    target = np.array(other, dtype=np.float32)[:, None]
    return color + (target - color) * share


def _road(hits: Hits, color: Float[np.ndarray, "3 n"]) -> Float[np.ndarray, "3 n"]:
    """Lane marks: a dashed middle, solid edges, a gutter, and joints where tar was mended."""
    u, v, fu, fv = hits.u, hits.v, hits.fu, hits.fv
    dashes = band(np.abs(u), -1, np.float32(0.08), fu) * pulse(v, 6.0, np.float32(1.5), fv)
    edges = band(np.abs(u), np.float32(3.55), np.float32(3.68), fu)
    bays = band(np.abs(u), np.float32(3.68), np.float32(6.0), fu) * pulse(v, 5.5, np.float32(0.06), fv)
    color = _mix(color, (0.9, 0.89, 0.84), np.maximum(np.maximum(dashes, edges), 0.8 * bays))
    mended = hashed(np.floor(v / 7).astype(np.int64), np.floor((u + 6) / 3).astype(np.int64), hits.phase)
    dark = (mended < 0.22) * (1 - pulse(v, 7.0, np.float32(0.3), fv)) * (1 - np.clip(fv / 4, 0, 1))
    return color * (1 - np.float32(0.22) * dark.astype(np.float32))


def _sidewalk(hits: Hits, color: Float[np.ndarray, "3 n"]) -> Float[np.ndarray, "3 n"]:
    """Slabs with joints, each a little different."""
    joints = np.maximum(pulse(hits.u, 0.8, np.float32(0.025), hits.fu), pulse(hits.v, 0.8, np.float32(0.025), hits.fv))
    slab = hashed(np.floor(hits.u / 0.8).astype(np.int64), np.floor(hits.v / 0.8).astype(np.int64), hits.phase)
    strength = np.clip(1.2 - 2.5 * np.maximum(hits.fu, hits.fv), 0, 1)
    return color * (1 - np.float32(0.4) * joints + np.float32(0.22) * (slab - np.float32(0.5)) * strength)


def _facade(hits: Hits, color: Float[np.ndarray, "3 n"]) -> Float[np.ndarray, "3 n"]:
    """Rows of framed windows, a band below every floor, a darker base."""
    style = np.floor(hits.phase) % 3
    column = np.float32(2.3) + np.float32(0.4) * style
    u, fu = hits.u / column, hits.fu / column
    v = hits.v - np.float32(1.65)
    above = band(hits.v, np.float32(0.3), np.float32(60), hits.fv)
    half = np.float32(0.2) + np.float32(0.05) * style
    frame = pulse(u, 1.0, half + np.float32(0.04), fu) * pulse(v, 3.0, np.float32(0.82), hits.fv) * above
    pane = pulse(u, 1.0, half, fu) * pulse(v, 3.0, np.float32(0.7), hits.fv) * above
    bar = np.maximum(pulse(u, 1.0, np.float32(0.015), fu), pulse(v - np.float32(0.2), 3.0, np.float32(0.03), hits.fv))
    light = hashed(np.round(u).astype(np.int64), np.round(v / 3).astype(np.int64), hits.phase)
    ledge = pulse(hits.v - np.float32(3.2), 3.0, np.float32(0.1), hits.fv) * above
    brick = (hits.phase % 5 < 2) * (
        np.float32(0.22) * pulse(hits.v, 0.3, np.float32(0.03), hits.fv)
        + np.float32(0.16) * pulse(hits.u + np.float32(0.3) * np.floor(hits.v / np.float32(0.3)), 0.6, np.float32(0.03), hits.fu)
    )
    base = band(hits.v, -9, np.float32(0.5), hits.fv)
    color = color * (1 - np.float32(0.25) * ledge - np.float32(0.3) * base - brick.astype(np.float32))
    color = _mix(color, (0.93, 0.91, 0.87), np.maximum(frame - pane, pane * bar))
    glass = np.stack([0.16 + 0.34 * light, 0.2 + 0.36 * light, 0.26 + 0.36 * light]).astype(np.float32)
    return color + (glass - color) * (pane * (1 - bar))


def _roof(hits: Hits, color: Float[np.ndarray, "3 n"]) -> Float[np.ndarray, "3 n"]:
    """Courses of tiles."""
    rows = pulse(hits.v, 0.42, np.float32(0.06), hits.fv)
    tiles = pulse(hits.u + np.float32(0.16) * np.floor(hits.v / np.float32(0.42)), 0.36, np.float32(0.03), hits.fu)
    return color * (1 - np.float32(0.4) * np.maximum(rows, np.float32(0.6) * tiles))


def _fence(hits: Hits, color: Float[np.ndarray, "3 n"]) -> Float[np.ndarray, "3 n"]:
    gaps = pulse(hits.u, 0.24, np.float32(0.03), hits.fu)
    return color * (1 - np.float32(0.6) * gaps)


def _glass(hits: Hits, color: Float[np.ndarray, "3 n"]) -> Float[np.ndarray, "3 n"]:
    """Panes between dark pillars, lighter towards the top."""
    pillar = pulse(hits.u, 1.5, np.float32(0.05), hits.fu)
    rise = np.clip((hits.v - 0.9) * np.float32(0.5), 0, 1)
    return (color + np.float32(0.12) * rise) * (1 - np.float32(0.5) * pillar)


def _paint(hits: Hits, color: Float[np.ndarray, "3 n"]) -> Float[np.ndarray, "3 n"]:
    """Sheet metal: doors, a crease, darker below."""
    doors = pulse(hits.u + np.float32(0.55), 1.1, np.float32(0.02), hits.fu)
    crease = band(hits.v, np.float32(0.6), np.float32(0.64), hits.fv)
    shade = np.clip(np.float32(0.78) + np.float32(0.34) * hits.v, np.float32(0.86), np.float32(1.1))
    return color * (shade - np.float32(0.3) * np.maximum(doors, crease))


PATTERNS = {
    ROAD: _road, SIDEWALK: _sidewalk, FACADE: _facade, ROOF: _roof, FENCE: _fence, GLASS: _glass, PAINT: _paint,
}


def sky(tile: Float[np.ndarray, "h w"], across: Values, up: Values, pixel: float) -> Float[np.ndarray, "3 n"]:
    """Color of the sky by azimuth and elevation in radians; `pixel` is the angle one pixel spans."""
    height = np.clip(up * np.float32(1.6), 0, 1)
    low, high = np.array([[0.86], [0.89], [0.92]]), np.array([[0.34], [0.56], [0.84]])
    color = (low + (high - low) * np.sqrt(height)).astype(np.float32)
    span = np.full(len(up), pixel, dtype=np.float32)
    cloud = np.zeros(len(up), dtype=np.float32)
    for frequency, strength in ((2.5, 0.5), (6.0, 0.4), (15.0, 0.25), (40.0, 0.16)):
        tall = 2.2 * frequency
        value = noise(tile, across * np.float32(frequency) + np.float32(frequency), up * np.float32(tall))
        cloud += np.float32(strength) * value * fade(frequency, tall, span, span)
    share = np.clip(np.float32(0.35) + np.float32(0.55) * cloud, 0, 1) * np.clip(up * 12 + np.float32(0.4), 0, 1)
    return color + (np.float32(0.97) - color) * share
