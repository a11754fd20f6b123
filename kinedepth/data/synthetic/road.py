"""The center line of the street: straights, bends, right-angled turns, and where side streets cross."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from kinedepth.data.synthetic.settings import DriveSettings

STEP = 0.5
BEHIND, AHEAD = 60.0, 260.0
LANE, KERB, EDGE = 1.75, 6.2, 8.8
"""Offsets from the center line: middle of a lane, kerb, outer edge of the sidewalk. Right is positive."""
ARM = 75.0
SIDE_STREET = 6.4
"""Length and half width (with its sidewalks) of a side street."""


@dataclass(frozen=True)
class Road:
    """A center line sampled every half metre of its length; `start` is where the drive begins."""

    along: Float[np.ndarray, " k"]
    x: Float[np.ndarray, " k"]
    z: Float[np.ndarray, " k"]
    heading: Float[np.ndarray, " k"]
    curvature: Float[np.ndarray, " k"]
    crossings: tuple[float, ...] = ()

    def place(
        self, along: Float[np.ndarray, "*n"] | float, offset: Float[np.ndarray, "*n"] | float
    ) -> tuple[Float[np.ndarray, "*n"], Float[np.ndarray, "*n"], Float[np.ndarray, "*n"]]:
        """x, z and heading (radians from +z towards +x) of points `offset` metres right of the center."""
        heading = np.interp(along, self.along, self.heading)
        x = np.interp(along, self.along, self.x) + offset * np.cos(heading)
        z = np.interp(along, self.along, self.z) - offset * np.sin(heading)
        return np.asarray(x), np.asarray(z), np.asarray(heading)

    def clearance(self, points: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, " n"]:
        """Distance in metres of ground points (x, z) from the center line."""
        line = np.stack([self.x[::4], self.z[::4]], -1)
        return np.asarray(np.linalg.norm(points[:, None] - line[None], axis=-1).min(1))


def make_road(settings: DriveSettings) -> Road:
    """A center line long enough for the drive that does not come back to itself."""
    length = settings.frames / settings.fps * settings.speed * (1 + settings.fast) + BEHIND + AHEAD
    for attempt in range(60):
        rng = np.random.default_rng([settings.seed, 1, attempt])
        road = _line(_curvature(rng, length, settings.turns * max(0.0, 1 - attempt / 50)))
        if not _meets_itself(road):
            break
    return Road(road.along, road.x, road.z, road.heading, road.curvature, _crossings(rng, road))


def _curvature(rng: np.random.Generator, length: float, turns: float) -> Float[np.ndarray, " k"]:
    """Curvature in 1/m every half metre: straights and wide bends, and sharp turns at the rate asked for."""
    pieces = [np.zeros(int((BEHIND + rng.uniform(0, 20)) / STEP))]
    last_turn = 1.0 if rng.random() < 0.5 else -1.0
    while sum(map(len, pieces)) * STEP < length:
        straight = rng.uniform(22, 55)
        pieces.append(np.zeros(int(straight / STEP)))
        if rng.random() < turns * (straight + 35) / 100:
            last_turn = -last_turn
            radius = rng.uniform(13.5, 17)
            pieces.append(np.full(int(radius * np.pi / 2 / STEP), last_turn / radius))
        else:
            bend = rng.choice([-1.0, 1.0]) / rng.uniform(60, 160)
            pieces.append(np.full(int(rng.uniform(20, 45) / STEP), bend))
    raw = np.concatenate(pieces)[: int(length / STEP)]
    kernel = np.hanning(13) / np.hanning(13).sum()
    return np.convolve(np.pad(raw, 6, mode="edge"), kernel, mode="valid")


def _line(curvature: Float[np.ndarray, " k"]) -> Road:
    """The plane curve of a curvature; it starts behind the origin and runs through it along +z."""
    heading = np.concatenate([[0.0], np.cumsum(curvature[:-1]) * STEP])
    x = np.concatenate([[0.0], np.cumsum(np.sin(heading[:-1])) * STEP])
    z = np.concatenate([[0.0], np.cumsum(np.cos(heading[:-1])) * STEP]) - BEHIND
    along = np.arange(len(curvature)) * STEP - BEHIND
    return Road(along, x, z, heading, curvature)


def _meets_itself(road: Road, apart: float = 55.0) -> bool:
    """Whether stretches that are far apart along the road come close in the plane."""
    line = np.stack([road.x[::10], road.z[::10]], -1)
    distance = np.linalg.norm(line[:, None] - line[None], axis=-1)
    separation = np.abs(road.along[::10, None] - road.along[None, ::10])
    return bool(((distance < apart) & (separation > 1.7 * apart)).any())


def _crossings(rng: np.random.Generator, road: Road) -> tuple[float, ...]:
    """Where side streets cross at right angles: on straights, with both arms free of the road itself."""
    places = []
    along = road.along[0] + rng.uniform(20, 60)
    while along < road.along[-1] - 60:
        if _is_straight(road, along) and _arms_free(road, along):
            places.append(float(along))
            along += rng.uniform(45, 75)
        else:
            along += 6.0
    return tuple(places)


def _is_straight(road: Road, along: float) -> bool:
    near: Bool[np.ndarray, " k"] = np.abs(road.along - along) < 14
    return bool(np.abs(road.curvature[near]).max() < 1 / 400)


def _arms_free(road: Road, along: float) -> bool:
    offsets = np.concatenate([np.arange(-ARM - 10, -15, 8.0), np.arange(15, ARM + 10, 8.0)])
    x, z, _ = road.place(np.full(len(offsets), along), offsets)
    clear = road.clearance(np.stack([x, z], -1))
    return bool((clear > np.minimum(np.abs(offsets) - 1.0, 24)).all())
