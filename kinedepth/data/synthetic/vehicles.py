"""Cars, vans, trucks and buses, standing on the ground around their middle, nose along +z."""

import numpy as np

from kinedepth.data.synthetic.ground import CLASS
from kinedepth.data.synthetic.props import pick
from kinedepth.data.synthetic.shapes import (
    GLASS,
    PAINT,
    PANEL,
    PLAIN,
    Coat,
    Color,
    Patch,
    box,
    cylinder,
    disc,
    labelled,
    merged,
    tapered,
)

PAINTS: tuple[Color, ...] = (
    (0.72, 0.14, 0.13),
    (0.16, 0.28, 0.55),
    (0.85, 0.86, 0.87),
    (0.2, 0.21, 0.23),
    (0.62, 0.64, 0.67),
    (0.13, 0.38, 0.3),
    (0.86, 0.68, 0.2),
    (0.5, 0.3, 0.2),
)
RUBBER = Coat(PLAIN, (0.1, 0.1, 0.11), (0.16, 0.16, 0.17))
HUB = Coat(PANEL, (0.62, 0.63, 0.66))
TRIM = Coat(PLAIN, (0.14, 0.14, 0.15), (0.2, 0.2, 0.21))
WINDOW = Coat(GLASS, (0.12, 0.16, 0.2), (0.42, 0.5, 0.58))
RED, WHITE = Coat(PANEL, (0.75, 0.06, 0.05)), Coat(PANEL, (0.95, 0.94, 0.88))


def _wheels(width: float, axles: tuple[float, ...], radius: float) -> list[Patch]:
    parts = []
    for z in axles:
        for side in (-1.0, 1.0):
            x = side * (width / 2 - 0.1)
            parts.append(cylinder(np.array([x, -radius, z]), radius, 0.22, "x", RUBBER, 10))
            parts.append(disc(np.array([x + side * 0.115, -radius, z]), 0.6 * radius, HUB))
    return parts


def _lights(width: float, front: float, back: float, height: float) -> list[Patch]:
    """Lamps and number plates that stand out of both ends."""
    parts = []
    for side in (-1.0, 1.0):
        x = side * (width / 2 - 0.24)
        parts.append(box((x, front), (0.36, 0.06), (height - 0.09, height + 0.09), WHITE))
        parts.append(box((x, back), (0.3, 0.06), (height - 0.08, height + 0.14), RED))
    parts += [box((0.0, z), (0.5, 0.06), (height - 0.25, height - 0.13), WHITE) for z in (front, back)]
    return parts


def car(rng: np.random.Generator) -> tuple[Patch, tuple[float, float, float]]:
    """A passenger car of some shape, and its (width, height, length)."""
    paint = Coat(PAINT, pick(rng, PAINTS, 0.04), None, float(rng.uniform(0, 900)))
    width, length, roof = (
        float(rng.uniform(1.7, 1.85)),
        float(rng.uniform(3.7, 4.7)),
        float(rng.uniform(1.4, 1.72)),
    )
    waist, nose, tail = 0.92, length / 2, -length / 2
    hood = nose - float(rng.uniform(0.8, 1.15))
    trunk = tail + float(rng.choice([0.08, 0.1, 0.7]))
    half = width / 2
    parts = [
        tapered((-half, half, tail, nose), (-half, half, tail - 0.02, nose), (0.28, 0.62), paint),
        tapered(
            (-half, half, tail - 0.02, nose),
            (-half + 0.07, half - 0.07, tail + 0.06, nose - 0.1),
            (0.62, waist),
            paint,
        ),
        tapered(
            (-half + 0.07, half - 0.07, trunk, hood),
            (-half + 0.2, half - 0.2, trunk + 0.25, hood - 0.75),
            (waist, roof - 0.06),
            WINDOW,
        ),
        tapered(
            (-half + 0.19, half - 0.19, trunk + 0.22, hood - 0.72),
            (-half + 0.24, half - 0.24, trunk + 0.3, hood - 0.85),
            (roof - 0.06, roof),
            paint,
        ),
        box((0.0, 0.0), (width - 0.1, length + 0.1), (0.2, 0.42), TRIM),
    ]
    parts += _wheels(width, (nose - 0.78, tail + 0.75), 0.32)
    parts += _lights(width, nose, tail, 0.68)
    return labelled(merged(parts), CLASS["car"]), (width, roof, length)


def van(rng: np.random.Generator) -> tuple[Patch, tuple[float, float, float]]:
    """A delivery van whose sides and back are one plain panel."""
    color = pick(rng, PAINTS, 0.04)
    panel, paint = Coat(PANEL, color), Coat(PAINT, color, None, float(rng.uniform(0, 900)))
    half, tail, nose, roof = 0.98, -2.6, 2.6, 2.3
    parts = [
        tapered((-half, half, tail, nose), (-half, half, tail, nose - 0.1), (0.3, 1.0), paint),
        tapered((-half, half, tail, 1.2), (-half + 0.06, half - 0.06, tail + 0.04, 1.2), (1.0, roof), panel),
        tapered(
            (-half, half, 1.2, nose - 0.45), (-half + 0.1, half - 0.1, 1.2, 1.5), (1.0, roof - 0.12), WINDOW
        ),
        box((0.0, 0.0), (1.9, 5.28), (0.22, 0.45), TRIM),
        *_wheels(1.96, (1.65, -1.6), 0.36),
        *_lights(1.96, nose, tail, 0.75),
    ]
    return labelled(merged(parts), CLASS["truck"]), (1.96, roof, 5.2)


def truck(rng: np.random.Generator) -> tuple[Patch, tuple[float, float, float]]:
    """A box truck: cab in front, a large plain box behind."""
    load = Coat(PANEL, pick(rng, ((0.9, 0.9, 0.88), (0.25, 0.4, 0.62), (0.82, 0.6, 0.25)), 0.04))
    cab = Coat(PAINT, pick(rng, PAINTS, 0.04), None, float(rng.uniform(0, 900)))
    parts = [
        box((0.0, -0.9), (2.3, 5.4), (0.95, 3.2), load),
        box((0.0, -0.4), (2.0, 6.6), (0.45, 0.95), TRIM),
        box((0.0, 2.9), (2.2, 1.7), (0.5, 1.5), cab),
        tapered((-1.1, 1.1, 2.05, 3.75), (-1.0, 1.0, 2.05, 3.35), (1.5, 2.35), WINDOW),
        tapered((-1.02, 1.02, 2.05, 3.4), (-0.95, 0.95, 2.1, 3.2), (2.35, 2.6), cab),
        *_wheels(2.3, (2.8, -2.3), 0.46),
        *_lights(2.2, 3.75, -3.62, 0.8),
    ]
    return labelled(merged(parts), CLASS["truck"]), (2.3, 3.2, 7.4)


def bus(rng: np.random.Generator) -> tuple[Patch, tuple[float, float, float]]:
    """A city bus with a band of windows."""
    paint = Coat(
        PAINT,
        pick(rng, ((0.85, 0.45, 0.1), (0.75, 0.15, 0.15), (0.15, 0.42, 0.62)), 0.04),
        None,
        float(rng.uniform(0, 900)),
    )
    roof = Coat(PANEL, (0.88, 0.88, 0.86))
    parts = [
        box((0.0, 0.0), (2.5, 10.5), (0.35, 1.45), paint),
        box((0.0, 0.0), (2.46, 10.4), (1.45, 2.55), WINDOW),
        box((0.0, 0.0), (2.5, 10.5), (2.55, 3.05), roof),
        *[
            box((side, z), (0.06, 0.14), (1.45, 2.55), paint)
            for side in (-1.22, 1.22)
            for z in np.arange(-4.5, 5, 1.5)
        ],
        *_wheels(2.5, (3.2, -3.0), 0.48),
        *_lights(2.4, 5.25, -5.25, 0.75),
    ]
    return labelled(merged(parts), CLASS["bus"]), (2.5, 3.05, 10.5)
