"""Pedestrians and cyclists whose limbs swing: several rigid bodies that make one instance, facing +z."""

from dataclasses import dataclass

import numpy as np

from kinedepth.data.synthetic.ground import CLASS
from kinedepth.data.synthetic.placing import Matrix
from kinedepth.data.synthetic.props import pick
from kinedepth.data.synthetic.shapes import (
    CLOTH,
    PLAIN,
    Coat,
    Color,
    Patch,
    blob,
    box,
    cylinder,
    hexahedron,
    labelled,
    merged,
    tapered,
)

SHIRTS: tuple[Color, ...] = (
    (0.75, 0.2, 0.2),
    (0.2, 0.4, 0.7),
    (0.9, 0.75, 0.3),
    (0.3, 0.55, 0.35),
    (0.85, 0.85, 0.85),
    (0.45, 0.25, 0.5),
)
TROUSERS: tuple[Color, ...] = ((0.18, 0.22, 0.34), (0.3, 0.27, 0.24), (0.15, 0.15, 0.17), (0.5, 0.46, 0.38))
SKINS: tuple[Color, ...] = ((0.85, 0.66, 0.54), (0.62, 0.44, 0.33), (0.4, 0.28, 0.21))


Place = tuple[float, float, float]


@dataclass(frozen=True)
class Body:
    """One rigid part of a mover: its triangles, and how it swings about the x axis through its pivot.

    The angle is `swing` * sin(`rate` * metres travelled + `turn`) radians, or `rate` * metres where it
    `spins`.
    """

    patch: Patch
    pivot: tuple[float, float, float] = (0.0, 0.0, 0.0)
    swing: float = 0.0
    rate: float = 0.0
    turn: float = 0.0
    spins: bool = False

    def pose(self, travelled: float) -> Matrix:
        """object_from_body after so many metres."""
        angle = (
            self.rate * travelled if self.spins else self.swing * np.sin(self.rate * travelled + self.turn)
        )
        cosine, sine = np.cos(angle), np.sin(angle)
        rotation = np.array([[1, 0, 0], [0, cosine, -sine], [0, sine, cosine]])
        pivot = np.array(self.pivot)
        pose = np.eye(4)
        pose[:3, :3], pose[:3, 3] = rotation, pivot - rotation @ pivot
        return pose


def _head(height: float, z: float, rng: np.random.Generator) -> list[Patch]:
    skin = Coat(PLAIN, pick(rng, SKINS, 0.03))
    hair = Coat(PLAIN, pick(rng, ((0.15, 0.1, 0.08), (0.45, 0.3, 0.15), (0.7, 0.6, 0.4)), 0.03))
    return [
        blob(np.array([0.0, -height, z]), (0.115, 0.15, 0.125), skin, 2),
        blob(np.array([0.0, -height - 0.05, z - 0.02]), (0.13, 0.13, 0.135), hair, 3),
    ]


def _limb(x: float, z: float, heights: tuple[float, float], thickness: float, coat: Coat) -> Patch:
    half, thin = thickness / 2, thickness / 2.7
    low, high = (x - thin, x + thin, z - thin, z + thin), (x - half, x + half, z - half, z + half)
    return tapered(low, high, heights, coat)


def pedestrian(rng: np.random.Generator) -> tuple[tuple[Body, ...], tuple[float, float, float]]:
    """A walking person, and (width, height, length)."""
    phase = float(rng.uniform(0, 900))
    shirt = Coat(CLOTH, pick(rng, SHIRTS), pick(rng, SHIRTS), phase)
    trousers = Coat(CLOTH, pick(rng, TROUSERS), pick(rng, TROUSERS), phase)
    shoe = Coat(PLAIN, (0.12, 0.1, 0.1))
    trunk = [
        tapered((-0.17, 0.17, -0.11, 0.11), (-0.23, 0.23, -0.12, 0.12), (0.84, 1.42), shirt),
        *_head(1.62, 0.02, rng),
    ]
    start = float(rng.uniform(0, 6.3))
    rate = 2 * np.pi / 1.45
    bodies = [Body(labelled(merged(trunk), CLASS["person"]))]
    for side in (-1.0, 1.0):
        leg = [
            _limb(side * 0.1, 0.0, (0.04, 0.88), 0.19, trousers),
            box((side * 0.1, 0.05), (0.11, 0.27), (0.0, 0.09), shoe),
        ]
        arm = _limb(side * 0.28, 0.0, (0.8, 1.4), 0.13, shirt)
        turn = start + (np.pi if side > 0 else 0.0)
        bodies.append(Body(labelled(merged(leg), CLASS["person"]), (0.0, -0.86, 0.0), 0.5, rate, turn))
        bodies.append(Body(labelled(arm, CLASS["person"]), (0.0, -1.38, 0.0), 0.45, rate, turn + np.pi))
    return tuple(bodies), (0.62, 1.77, 0.5)


def cyclist(rng: np.random.Generator) -> tuple[tuple[Body, ...], tuple[float, float, float]]:
    """A person on a bicycle whose wheels and legs turn, and (width, height, length)."""
    phase, label = float(rng.uniform(0, 900)), CLASS["cyclist"]
    frame, shirt = Coat(PLAIN, pick(rng, SHIRTS)), Coat(CLOTH, pick(rng, SHIRTS), pick(rng, SHIRTS), phase)
    trousers = Coat(CLOTH, pick(rng, TROUSERS), None, phase)
    tubes = (
        ((0.0, 0.0), (0.05, 1.0), (0.5, 0.56)),
        ((0.0, 0.45), (0.05, 0.06), (0.34, 1.02)),
        ((0.0, -0.3), (0.05, 0.06), (0.34, 0.95)),
        ((0.0, 0.47), (0.5, 0.05), (1.0, 1.05)),
    )
    trunk = [
        _slab((0.0, -0.95, -0.32), (0.0, -1.45, 0.08), (0.32, 0.42), 0.22, shirt),
        *[_slab((x, -1.45, 0.08), (x, -1.0, 0.48), (0.1, 0.1), 0.1, shirt) for x in (-0.21, 0.21)],
        *_head(1.62, 0.2, rng),
        *[box(*tube, frame) for tube in tubes],
    ]
    bodies = [Body(labelled(merged(trunk), label))]
    for z in (-0.52, 0.52):
        bodies.append(Body(labelled(_wheel(z), label), (0.0, -0.34, z), rate=-1 / 0.34, spins=True))
    for x, turn in ((-0.12, 0.0), (0.12, np.pi)):
        leg = _slab((x, -0.93, -0.28), (x, -0.2, -0.02), (0.16, 0.12), 0.15, trousers)
        bodies.append(Body(labelled(leg, label), (0.0, -0.93, -0.28), 0.3, 1.3, turn))
    return tuple(bodies), (0.55, 1.77, 1.75)


def _wheel(z: float) -> Patch:
    """A tire with spokes as a flat cross, so that its turning shows."""
    tire = Coat(PLAIN, (0.1, 0.1, 0.11), (0.14, 0.14, 0.15))
    steel = Coat(PLAIN, (0.7, 0.7, 0.72))
    center = np.array([0.0, -0.34, z])
    rim = cylinder(center, 0.34, 0.05, "x", tire, 12)
    spokes = [
        box((0.0, z), (0.06, 0.5), (0.31, 0.37), steel),
        box((0.0, z), (0.06, 0.06), (0.09, 0.59), steel),
    ]
    return merged([rim, *spokes])


def _slab(low: Place, high: Place, widths: tuple[float, float], thickness: float, coat: Coat) -> Patch:
    """A leaning board from one place to another, `widths` metres wide along x at its ends."""
    rings = []
    for (x, y, z), width in zip((low, high), widths, strict=True):
        left, right, near, far = x - width / 2, x + width / 2, z - thickness / 2, z + thickness / 2
        rings.append(np.array([[left, y, near], [right, y, near], [right, y, far], [left, y, far]]))
    return hexahedron(rings[0], rings[1], coat)
