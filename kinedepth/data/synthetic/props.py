"""What lines a street: houses, trees, hedges, fences, lamps, signs; their fronts face local -x."""

import numpy as np

from kinedepth.data.synthetic.ground import CLASS
from kinedepth.data.synthetic.shapes import (
    FACADE,
    FENCE,
    LEAVES,
    PANEL,
    PLAIN,
    ROOF,
    Coat,
    Color,
    Patch,
    blob,
    box,
    cylinder,
    labelled,
    merged,
    tapered,
)

WALLS: tuple[Color, ...] = (
    (0.87, 0.80, 0.66),
    (0.78, 0.52, 0.40),
    (0.91, 0.88, 0.82),
    (0.66, 0.72, 0.76),
    (0.86, 0.68, 0.44),
    (0.62, 0.42, 0.36),
    (0.74, 0.78, 0.66),
    (0.83, 0.70, 0.66),
)
ROOFS: tuple[Color, ...] = ((0.58, 0.30, 0.22), (0.36, 0.34, 0.36), (0.48, 0.36, 0.28), (0.30, 0.34, 0.40))
GREENS: tuple[Color, ...] = ((0.28, 0.46, 0.18), (0.40, 0.52, 0.20), (0.22, 0.40, 0.22), (0.52, 0.50, 0.18))
BARK = Coat(PLAIN, (0.36, 0.28, 0.21), (0.26, 0.2, 0.16))
METAL = Coat(PLAIN, (0.42, 0.44, 0.46), (0.34, 0.35, 0.37))


def pick(rng: np.random.Generator, colors: tuple[Color, ...], spread: float = 0.06) -> Color:
    """One of the colors, a little off."""
    chosen = np.clip(
        np.array(colors[rng.integers(len(colors))]) + rng.uniform(-spread, spread, 3), 0.02, 0.98
    )
    return float(chosen[0]), float(chosen[1]), float(chosen[2])


def house(rng: np.random.Generator, length: float, depth: float, floors: int) -> Patch:
    """A house of some floors: `length` along the road (z), `depth` away from it (x)."""
    phase = float(rng.uniform(0, 900))
    wall = Coat(FACADE, pick(rng, WALLS), pick(rng, WALLS), phase)
    tiles = Coat(ROOF, pick(rng, ROOFS), pick(rng, ROOFS), phase)
    top = 3.0 * floors + 0.5
    parts = [box((0.0, 0.0), (depth, length), (-0.2, top), wall)]
    over = 0.35
    low = (-depth / 2 - over, depth / 2 + over, -length / 2 - over, length / 2 + over)
    if floors > 3 or rng.random() < 0.2:
        parts.append(
            box(
                (0.0, 0.0),
                (depth + 0.5, length + 0.5),
                (top, top + 0.6),
                Coat(PLAIN, wall.accent or wall.color),
            )
        )
    elif rng.random() < 0.6:
        parts.append(
            tapered(low, (-0.05, 0.05, low[2], low[3]), (top, top + rng.uniform(0.3, 0.45) * depth), tiles)
        )
    else:
        inner = max(length / 2 - depth / 2, 0.1)
        parts.append(tapered(low, (-0.05, 0.05, -inner, inner), (top, top + 0.38 * depth), tiles))
    chimney = Coat(PLAIN, (0.5, 0.32, 0.27), (0.4, 0.28, 0.24))
    parts.append(box((depth / 5, length / 4), (0.7, 0.7), (top, top + 0.42 * depth), chimney))
    door = Coat(PLAIN, pick(rng, ((0.45, 0.2, 0.16), (0.2, 0.3, 0.4), (0.3, 0.36, 0.25))), None, phase)
    parts.append(box((-depth / 2, float(rng.uniform(-0.3, 0.3) * length)), (0.16, 1.3), (-0.2, 2.3), door))
    return labelled(merged(parts), CLASS["building"])


def tree(rng: np.random.Generator) -> Patch:
    """A tree: round, tall or a conifer."""
    green, other = pick(rng, GREENS, 0.05), pick(rng, GREENS, 0.05)
    phase, variant = float(rng.uniform(0, 900)), int(rng.integers(5))
    height = float(rng.uniform(2.0, 2.8))
    leaves = Coat(LEAVES, green, other, phase)
    parts = [cylinder(np.array([0, -height / 2, 0]), float(rng.uniform(0.13, 0.24)), height + 1.0, "y", BARK)]
    form = rng.random()
    if form < 0.2:
        for level in range(3):
            reach = 1.9 - 0.5 * level
            tip = (-0.05, 0.05, -0.05, 0.05)
            levels = (1.2 + 1.5 * level, 3.6 + 1.5 * level)
            parts.append(tapered((-reach, reach, -reach, reach), tip, levels, leaves))
    else:
        radius, tall = (
            (1.0, 2.4) if form < 0.35 else (float(rng.uniform(1.5, 2.2)), float(rng.uniform(1.4, 2.0)))
        )
        for _ in range(3):
            x, y, z = rng.uniform(-0.55, 0.55, 3) * radius
            center = np.array([x, -height - 0.75 * tall + y, z])
            parts.append(blob(center, (0.8 * radius, 0.8 * tall, 0.8 * radius), leaves, variant))
    return labelled(merged(parts), CLASS["vegetation"])


def bush(rng: np.random.Generator) -> Patch:
    """A round bush."""
    size = float(rng.uniform(0.5, 1.1))
    coat = Coat(LEAVES, pick(rng, GREENS), pick(rng, GREENS), float(rng.uniform(0, 900)))
    return labelled(
        blob(np.array([0, -0.5 * size, 0]), (size, size, size), coat, int(rng.integers(5))),
        CLASS["vegetation"],
    )


def hedge(rng: np.random.Generator, length: float) -> Patch:
    """A hedge, a fence of boards or a low wall along z."""
    form, phase = rng.random(), float(rng.uniform(0, 900))
    if form < 0.45:
        coat = Coat(LEAVES, pick(rng, GREENS), pick(rng, GREENS), phase)
        size, label = (0.7, float(rng.uniform(0.8, 1.5))), "vegetation"
    elif form < 0.75:
        color = pick(rng, ((0.62, 0.46, 0.3), (0.85, 0.83, 0.78), (0.42, 0.34, 0.28)))
        coat, size, label = (
            Coat(FENCE, color, (0.3, 0.25, 0.2), phase),
            (0.1, float(rng.uniform(0.9, 1.4))),
            "building",
        )
    else:
        coat = Coat(ROOF, pick(rng, ((0.62, 0.4, 0.33), (0.66, 0.62, 0.56))), (0.5, 0.46, 0.42), phase)
        size, label = (0.3, float(rng.uniform(0.5, 1.0))), "building"
    return labelled(box((0.0, 0.0), (size[0], length), (-0.2, size[1]), coat), CLASS[label])


def lamp() -> Patch:
    """A street lamp, its arm over the road."""
    parts = [
        cylinder(np.array([0, -2.8, 0]), 0.075, 5.8, "y", METAL),
        box((-0.7, 0.0), (1.5, 0.1), (5.55, 5.65), METAL),
        box((-1.4, 0.0), (0.6, 0.25), (5.42, 5.56), Coat(PANEL, (0.9, 0.9, 0.85))),
    ]
    return labelled(merged(parts), CLASS["pole"])


def sign(rng: np.random.Generator) -> Patch:
    """A traffic sign that faces the traffic."""
    rim = pick(rng, ((0.8, 0.12, 0.12), (0.1, 0.3, 0.7), (0.9, 0.75, 0.1)))
    parts = [
        cylinder(np.array([0, -1.2, 0]), 0.04, 2.8, "y", METAL),
        cylinder(np.array([0, -2.4, -0.06]), 0.36, 0.03, "z", Coat(PANEL, rim), 12),
        cylinder(np.array([0, -2.4, -0.08]), 0.25, 0.03, "z", Coat(PANEL, (0.95, 0.95, 0.95)), 12),
    ]
    return labelled(merged(parts), CLASS["pole"])
