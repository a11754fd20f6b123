"""Who moves, where and when: no two of them ever share a place."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float

from kinedepth.data.synthetic.ground import GAP, SIDEWALK_HEIGHT, near_crossing
from kinedepth.data.synthetic.journey import Journey
from kinedepth.data.synthetic.people import Body, cyclist, pedestrian
from kinedepth.data.synthetic.placing import planar_poses
from kinedepth.data.synthetic.road import ARM, EDGE, KERB, LANE, Road
from kinedepth.data.synthetic.settings import DriveSettings
from kinedepth.data.synthetic.shapes import Patch
from kinedepth.data.synthetic.vehicles import bus, car, truck, van

Size = tuple[float, float, float]
NEAR = 8.0
"""No mover reaches further than this many metres from its middle."""
Times = Float[np.ndarray, " n"]


@dataclass(frozen=True)
class Mover:
    """Something with an identity: bodies, (width, height, length) in metres, world_from_object by frame."""

    label: int
    size: Size
    bodies: tuple[Body, ...]
    poses: Float[np.ndarray, "n 4 4"]
    active: Bool[np.ndarray, " n"]
    travelled: Times
    instance: int = 0

    @property
    def moves(self) -> bool:
        """Whether it ever changes its place."""
        return bool(np.ptp(self.travelled) > 0)


def make_traffic(settings: DriveSettings, road: Road, journey: Journey) -> list[Mover]:
    """All movers and parked vehicles, numbered from 1; the earlier wins where two would collide."""
    rng = np.random.default_rng([settings.seed, 4])
    movers = _Collector(_ego_circles(journey), list(_parked(rng, road, settings.frames + 1)))
    if settings.traffic:
        plan = _Plan(rng, settings, road, journey)
        for group in (plan.ahead, plan.crossing, plan.oncoming, plan.cyclists, plan.pedestrians):
            for mover in group():
                movers.add(mover)
    return [replace(mover, instance=number + 1) for number, mover in enumerate(movers.kept)]


class _Collector:
    """Keeps movers that touch neither the camera's vehicle, nor a parked one, nor an earlier mover."""

    def __init__(self, ego: Float[np.ndarray, "n k 3"], parked: list[Mover]) -> None:
        self.kept = list(parked)
        parked_circles = [np.concatenate([_circles(mover)[0] for mover in parked])] if parked else []
        self._parked = np.concatenate([*parked_circles, np.zeros((0, 3))])
        self._circles = [ego]
        self._middles = np.full((64, len(ego), 2), np.nan, dtype=np.float32)
        self._middles[0] = ego[:, 1, :2]

    def add(self, mover: Mover) -> None:
        """Takes the mover if it never overlaps."""
        circles = _circles(mover)
        middle = np.where(mover.active[:, None], mover.poses[:, [0, 2], 3], np.nan).astype(np.float32)
        if self._on_parked(circles, middle) or self._on_mover(circles, middle):
            return
        if len(self._circles) == len(self._middles):
            self._middles = np.concatenate([self._middles, np.full_like(self._middles, np.nan)])
        self._middles[len(self._circles)] = middle
        self._circles.append(circles)
        self.kept.append(mover)

    def _on_parked(self, circles: Float[np.ndarray, "n k 3"], middle: Float[np.ndarray, "n 2"]) -> bool:
        near = (np.abs(middle[:, None] - self._parked[None, :, :2].astype(np.float32)) < NEAR).all(-1)
        frames, others = np.flatnonzero(near.any(1)), np.flatnonzero(near.any(0))
        return _overlap(circles[frames], self._parked[None, others])

    def _on_mover(self, circles: Float[np.ndarray, "n k 3"], middle: Float[np.ndarray, "n 2"]) -> bool:
        near = (np.abs(self._middles[: len(self._circles)] - middle) < 2 * NEAR).all(-1)
        for other in np.flatnonzero(near.any(1)):
            frames = np.flatnonzero(near[other])
            if _overlap(circles[frames], self._circles[other][frames]):
                return True
        return False


def _overlap(first: Float[np.ndarray, "n a 3"], second: Float[np.ndarray, "m b 3"]) -> bool:
    """Whether any two circles of the same row overlap; one row stands for all."""
    gap = first[:, :, None, :2] - second[:, None, :, :2]
    reach = first[:, :, None, 2] + second[:, None, :, 2]
    return bool(((gap**2).sum(-1) < reach**2).any())


def _circles(mover: Mover) -> Float[np.ndarray, "n k 3"]:
    """Circles (x, z, radius) that cover a mover's footprint at every frame; nowhere while it is inactive."""
    width, _, length = mover.size
    radius = width / 2
    count = max(1, round(length / width))
    reach = np.linspace(-1, 1, count) * max(length / 2 - radius, 0) if count > 1 else np.zeros(1)
    centers = mover.poses[:, None, [0, 2], 3] + reach[None, :, None] * mover.poses[:, None, [0, 2], 2]
    centers = np.where(mover.active[:, None, None], centers, np.nan)
    return np.concatenate([centers, np.full((*centers.shape[:2], 1), radius + 0.1)], -1)


def _ego_circles(journey: Journey) -> Float[np.ndarray, "n k 3"]:
    poses = journey.poses
    centers = (
        poses[:, None, [0, 2], 3] + np.array([0.8, -0.9, -2.6])[None, :, None] * poses[:, None, [0, 2], 2]
    )
    return np.concatenate([centers, np.full((*centers.shape[:2], 1), 1.0)], -1)


def _mover(
    made: tuple[Patch | tuple[Body, ...], Size],
    road: Road,
    along: Times,
    offset: Times,
    heading: float,
    height: float = 0.0,
) -> Mover:
    """A mover at (along, offset) of the road at every frame; `heading` radians is added to the road's own."""
    shape, size = made
    bodies = (Body(shape),) if isinstance(shape, Patch) else shape
    x, z, road_heading = road.place(along, offset)
    poses = planar_poses(x, -height, z, road_heading + heading)
    steps = np.concatenate([[0.0], np.hypot(np.diff(x), np.diff(z))])
    active = (along > road.along[0] + 1) & (along < road.along[-1] - 1) & (np.abs(offset) < ARM)
    return Mover(int(bodies[0].patch.label[0]), size, bodies, poses, active, np.cumsum(steps))


def _parked(rng: np.random.Generator, road: Road, count: int) -> Iterator[Mover]:
    """Rows of parked cars on both sides, now and then with a bus or van among them."""
    for side in (-1.0, 1.0):
        along = road.along[0] + 10.0
        while along < road.along[-1] - 15:
            if rng.random() < 0.35:
                along += float(rng.uniform(6, 25))
            kind = rng.random()
            made = bus(rng) if kind < 0.06 else van(rng) if kind < 0.14 else car(rng)
            width, _, length = made[1]
            middle = along + length / 2
            heading = 0.0 if side > 0 else np.pi
            if not near_crossing(road, np.array([middle]), GAP + 3.5 + length / 2)[0]:
                offset = side * (KERB - 0.12 - width / 2)
                yield _mover(made, road, np.full(count, middle), np.full(count, offset), heading)
            along += length + float(rng.uniform(0.7, 2.0))


class _Plan:
    """The moving traffic of one drive, group by group."""

    def __init__(
        self, rng: np.random.Generator, settings: DriveSettings, road: Road, journey: Journey
    ) -> None:
        self.rng, self.settings, self.road, self.journey = rng, settings, road, journey
        self.times = np.arange(settings.frames + 1) / settings.fps
        self.reach = (float(journey.along[0]) - 10, float(journey.along[-1]) + 130)

    def _lane(self, along: Times, offset: float) -> tuple[Times, Times]:
        return along, np.full(len(along), offset)

    def ahead(self) -> Iterator[Mover]:
        """The vehicle ahead at the camera's own speed, now and then behind a bus that it half hides."""
        rng, frames = self.rng, len(self.times)
        made = (car, car, car, van, truck)[rng.integers(5)](rng)
        gap = float(rng.uniform(4.6, 9.5)) + made[1][2] / 2
        period = max(40.0, 10.0 * self.settings.fps)
        share = self.settings.lead
        cycle = ((np.arange(frames) / period) % 1.0 - share) / max(1e-6, 1 - share)
        away = np.sin(np.pi * np.clip(cycle, 0, 1)) ** 2 * 24
        along = self.journey.along + gap + away
        yield _mover(made, self.road, *self._lane(along, LANE), 0.0)
        if rng.random() < 0.5:
            large = bus(rng)
            further = along + made[1][2] / 2 + large[1][2] / 2 + float(rng.uniform(2.5, 6))
            yield _mover(large, self.road, *self._lane(further, LANE + 0.35), 0.0)

    def oncoming(self) -> Iterator[Mover]:
        """A stream in the other lane, some of it bumper to bumper."""
        rng, speed = self.rng, float(self.rng.uniform(7, 11))
        start = self.reach[0]
        while start < self.reach[1] + speed * self.times[-1]:
            kind = rng.random()
            made = (
                bus(rng)
                if kind < 0.08
                else truck(rng)
                if kind < 0.22
                else van(rng)
                if kind < 0.32
                else car(rng)
            )
            yield _mover(made, self.road, *self._lane(start - speed * self.times, -LANE), np.pi)
            close = rng.random() < 0.4
            start += made[1][2] / 2 + 4 + float(rng.uniform(2, 4) if close else rng.uniform(10, 38))

    def crossing(self) -> Iterator[Mover]:
        """Cars out of the side streets that cross just ahead of the camera."""
        for place in self.road.crossings:
            for _ in range(5):
                moment = self._when_near(place, float(self.rng.uniform(9, 32)))
                if moment is None:
                    continue
                direction = float(self.rng.choice([-1.0, 1.0]))
                aside = direction * float(self.rng.uniform(6, 9)) * (self.times - moment)
                along = np.full(len(aside), place - 2.1 * direction)
                made = (car, car, car, van, truck)[self.rng.integers(5)](self.rng)
                yield _mover(made, self.road, along, aside, direction * np.pi / 2)

    def cyclists(self) -> Iterator[Mover]:
        """Cyclists at the right of both lanes, slower than the cars."""
        speed = float(self.rng.uniform(3.6, 5.0))
        for side in (1.0, -1.0):
            for start in self._starts(side * speed, 22.0):
                along = start + side * speed * self.times
                heading = 0.0 if side > 0 else np.pi
                yield _mover(cyclist(self.rng), self.road, *self._lane(along, side * 3.15), heading)

    def pedestrians(self) -> Iterator[Mover]:
        """People on the sidewalks in both directions, and people who cross the street ahead of the camera."""
        for _ in range(2 + len(self.times) // 40):
            yield from self._crossing_person()
        for side in (-1.0, 1.0):
            for direction in (-1.0, 1.0):
                speed = direction * float(self.rng.uniform(1.1, 1.6))
                offset = side * (KERB + 0.95 + 0.45 * (1 + direction * side))
                for start in self._starts(speed, 15.0):
                    along = start + speed * self.times
                    person = pedestrian(self.rng)
                    lane = self._lane(along, min(abs(offset), EDGE - 0.4) * side)
                    yield _mover(person, self.road, *lane, 0.0 if direction > 0 else np.pi, SIDEWALK_HEIGHT)

    def _crossing_person(self) -> Iterator[Mover]:
        place = float(self.rng.uniform(self.journey.along[0] + 12, self.journey.along[-1] + 30))
        moment = self._when_near(place, float(self.rng.uniform(8, 24)))
        if moment is not None:
            direction = float(self.rng.choice([-1.0, 1.0]))
            aside = LANE + direction * 1.4 * (self.times - moment)
            aside = np.clip(aside, -KERB + 0.3, KERB - 0.3)
            yield _mover(
                pedestrian(self.rng), self.road, np.full(len(aside), place), aside, direction * np.pi / 2
            )

    def _starts(self, speed: float, spacing: float) -> Iterator[float]:
        """Places at the first frame of a stream that the camera meets."""
        low, high = sorted((0.0, speed * float(self.times[-1])))
        place = self.reach[0] - high
        while place < self.reach[1] - low:
            yield place
            place += float(self.rng.uniform(0.4, 1.6)) * spacing

    def _when_near(self, place: float, distance: float) -> float | None:
        """The time at which the camera comes within a distance of a place, if it does."""
        frame = int(np.searchsorted(self.journey.along, place - distance))
        return None if frame in (0, len(self.times)) else float(self.times[frame])
