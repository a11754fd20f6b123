"""Where things stand along the road, so that no two share a place."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Bool, Float

from kinedepth.data.synthetic.ground import GAP, SIDEWALK_HEIGHT, ground, near_crossing
from kinedepth.data.synthetic.placing import Matrix, planar_pose
from kinedepth.data.synthetic.props import bush, hedge, house, lamp, sign, tree
from kinedepth.data.synthetic.road import ARM, EDGE, KERB, Road
from kinedepth.data.synthetic.shapes import Patch, moved


class Plots:
    """The ground that is still free; claiming a circle takes it away."""

    def __init__(self, road: Road) -> None:
        """The road and its side streets are taken from the start."""
        self.road = road
        self._circles = np.full((1, 3), 1e9)

    def claim(self, circles: Float[np.ndarray, "k 3"], from_road: float) -> bool:
        """Take circles (x, z, radius) together if all are clear of road, side streets and earlier claims."""
        clear = self.road.clearance(circles[:, :2]) - circles[:, 2] > from_road
        gap = np.hypot(*(circles[:, None, :2] - self._circles[None, :, :2]).transpose(2, 0, 1))
        apart = (gap > circles[:, None, 2] + self._circles[None, :, 2]).all(1)
        if not (clear & apart & ~self._on_arm(circles)).all():
            return False
        self._circles = np.concatenate([self._circles, circles])
        return True

    def _on_arm(self, circles: Float[np.ndarray, "k 3"]) -> Bool[np.ndarray, " k"]:
        hit = np.zeros(len(circles), dtype=bool)
        for along in self.road.crossings:
            x, z, heading = self.road.place(along, 0.0)
            east, north = circles[:, 0] - x, circles[:, 1] - z
            ahead = np.abs(east * np.sin(heading) + north * np.cos(heading))
            aside = np.abs(east * np.cos(heading) - north * np.sin(heading))
            hit |= (ahead < GAP + 2.4 + circles[:, 2]) & (aside < ARM + circles[:, 2])
        return hit


def street(road: Road, seed: int) -> list[Patch]:
    """Everything static but the parked cars."""
    rng = np.random.default_rng([seed, 3])
    plots = Plots(road)
    return [*ground(road, rng), *_lots(rng, road, plots), *_kerbside(rng, road), *_backdrop(rng, road, plots)]


def facing(road: Road, along: float, offset: float, height: float = 0.0) -> Matrix:
    """world_from_object of a thing beside the road whose front (local -x) looks at the center line."""
    x, z, heading = road.place(along, offset)
    return planar_pose(float(x), -height, float(z), float(heading) + (np.pi if offset < 0 else 0.0))


def _circles_of(pose: Matrix, depth: float, length: float) -> Float[np.ndarray, "k 3"]:
    """Circles that cover a level rectangle of `depth` along x and `length` along z."""
    radius = min(depth, length) / 2
    reach = np.linspace(-1, 1, 3) * (max(depth, length) / 2 - radius)
    axis = pose[[0, 2], 0] if depth > length else pose[[0, 2], 2]
    centers = pose[[0, 2], 3] + reach[:, None] * axis
    return np.concatenate([centers, np.full((3, 1), radius * 0.98)], 1)


def _lots(rng: np.random.Generator, road: Road, plots: Plots) -> Iterator[Patch]:
    """Houses with their hedges and garden trees, lot by lot on both sides."""
    floors = int(rng.integers(1, 4))
    for side in (-1.0, 1.0):
        along = road.along[0] + 5.0
        while along < road.along[-1] - 10:
            length, depth = float(rng.uniform(7, 14)), float(rng.uniform(6.5, 10))
            setback = EDGE + float(rng.choice([0.6, 1.5, 3.5])) + depth / 2
            pose = facing(road, along + length / 2, side * setback)
            if rng.random() < 0.9 and plots.claim(_circles_of(pose, depth, length), EDGE + 0.2):
                level = int(np.clip(floors + rng.integers(-1, 2), 1, 4))
                yield moved(house(rng, length, depth, level), pose)
                if (
                    setback - depth / 2 > EDGE + 1.4
                    and not near_crossing(road, np.array([along + length / 2]), 14.0)[0]
                ):
                    yield moved(hedge(rng, length), facing(road, along + length / 2, side * (EDGE + 0.6)))
            along += length + float(rng.choice([0.3, 2.0, 4.5]))


def _kerbside(rng: np.random.Generator, road: Road) -> Iterator[Patch]:
    """Trees at the outer edge of the sidewalks, lamps and signs at the kerb."""
    rate = float(rng.uniform(8, 18))
    for side in (-1.0, 1.0):
        along = road.along[0] + 4.0
        while along < road.along[-1] - 4:
            near = near_crossing(road, np.array([along]), GAP + 4.5)[0]
            kind = rng.random()
            if kind < 0.55 and not near:
                yield moved(tree(rng), facing(road, along, side * (EDGE - 0.45), SIDEWALK_HEIGHT))
            elif kind < 0.8:
                yield moved(lamp(), facing(road, along, side * (KERB + 0.3), SIDEWALK_HEIGHT))
            else:
                yield moved(sign(rng), facing(road, along, side * (KERB + 0.4), SIDEWALK_HEIGHT))
            along += float(rng.uniform(0.5, 1.5)) * rate


def _backdrop(rng: np.random.Generator, road: Road, plots: Plots) -> Iterator[Patch]:
    """Trees, bushes and taller houses behind the first row."""
    count = int((road.along[-1] - road.along[0]) * 0.9)
    for _ in range(count):
        along, offset = (
            rng.uniform(road.along[0], road.along[-1]),
            rng.choice([-1, 1]) * rng.uniform(EDGE + 1.2, 90),
        )
        pose = facing(road, float(along), float(offset))
        pose[:3, :3] = planar_pose(0.0, 0.0, 0.0, float(rng.uniform(0, 6.3)))[:3, :3]
        spot = np.array([pose[0, 3], pose[2, 3]])
        kind = rng.random()
        if kind < 0.2 and abs(offset) > 30:
            length, depth = rng.uniform(9, 20, 2)
            if plots.claim(_circles_of(pose, float(depth), float(length)), 24.0):
                yield moved(house(rng, float(length), float(depth), int(rng.integers(2, 6))), pose)
        elif plots.claim(np.array([[*spot, 1.9 if kind < 0.75 else 0.9]]), EDGE + 0.1):
            yield moved(tree(rng) if kind < 0.75 else bush(rng), pose)
