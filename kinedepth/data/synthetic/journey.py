"""How the camera travels: speed over time, standstill, fast stretches, shake, exposure."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from kinedepth.data.synthetic.placing import planar_poses
from kinedepth.data.synthetic.road import LANE, Road
from kinedepth.data.synthetic.settings import DriveSettings


@dataclass(frozen=True)
class Journey:
    """The camera at every frame and at one more after the last, so that every frame has a next.

    `along` is metres along the road, `poses` are world_from_camera, `gain` is the exposure of each picture.
    """

    along: Float[np.ndarray, " n"]
    offset: Float[np.ndarray, " n"]
    poses: Float[np.ndarray, "n 4 4"]
    gain: Float[np.ndarray, " n"]


def make_journey(settings: DriveSettings, road: Road) -> Journey:
    """The camera in the right lane of the road."""
    rng = np.random.default_rng([settings.seed, 2])
    factor = _pace(rng, settings)
    along = np.zeros(settings.frames + 1)
    for frame, share in enumerate(factor):
        bend = abs(float(np.interp(along[frame] + 1.0, road.along, road.curvature)))
        slow = 1 - 0.45 * min(1.0, bend * 14)
        along[frame + 1] = along[frame] + settings.speed / settings.fps * share * slow
    wander = 0.18 * np.sin(along / 17 + rng.uniform(0, 6)) + 0.08 * np.sin(along / 7.3 + rng.uniform(0, 6))
    return Journey(
        along, LANE + wander, _poses(rng, settings, road, along, LANE + wander), _gain(rng, settings)
    )


def _pace(rng: np.random.Generator, settings: DriveSettings) -> Float[np.ndarray, " n"]:
    """Motion of every frame as a share of cruising: exactly 0 in the standing share, 2 in the fast one."""
    frames = settings.frames
    pace = 1 + 0.1 * np.sin(np.arange(frames) / 9 + rng.uniform(0, 6))
    kinds = np.ones(frames)
    free = list(range(frames))
    for kind, share in ((0.0, settings.standstill), (2.0, settings.fast)):
        for start, stop in _stretches(rng, len(free), round(share * frames)):
            kinds[free[start:stop]] = kind
        free = [frame for frame in free if kinds[frame] == 1.0]
    near_stop = np.convolve(np.pad(kinds == 0, 2), np.ones(5), mode="valid") > 0
    pace = np.where(near_stop, 0.55 * pace, pace)
    return pace * kinds


def _stretches(rng: np.random.Generator, free: int, total: int) -> list[tuple[int, int]]:
    """Disjoint stretches of frames that sum to `total`, each of 6 to 16 where possible."""
    lengths: list[int] = []
    while sum(lengths) < total:
        lengths.append(min(int(rng.integers(6, 17)), total - sum(lengths)))
    gaps = rng.multinomial(max(free - total, 0), np.ones(len(lengths) + 1) / (len(lengths) + 1))
    starts = np.cumsum(gaps[:-1]) + np.concatenate([[0], np.cumsum(lengths)[:-1]]) if lengths else np.zeros(0)
    return [(int(start), int(start) + length) for start, length in zip(starts, lengths, strict=True)]


def _poses(
    rng: np.random.Generator,
    settings: DriveSettings,
    road: Road,
    along: Float[np.ndarray, " n"],
    offset: Float[np.ndarray, " n"],
) -> Float[np.ndarray, "n 4 4"]:
    """world_from_camera; the shake depends on the way travelled, so a standing camera is still."""
    x, z, heading = road.place(along, offset)
    shake = [_swing(rng, along, np.radians(degrees) * settings.shake) for degrees in (0.25, 0.35, 0.2)]
    heave = _swing(rng, along, 0.008 * settings.shake)
    poses = planar_poses(x, -settings.camera_height, z, heading)
    poses[:, 1, 3] += heave
    return np.asarray(poses @ np.stack([_tilt(*angles) for angles in zip(*shake, strict=True)]))


def _swing(
    rng: np.random.Generator, along: Float[np.ndarray, " n"], strength: float
) -> Float[np.ndarray, " n"]:
    """A smooth wobble along the way."""
    waves = [(3.1, 0.5), (7.7, 0.8), (21.0, 0.6)]
    return strength * sum(
        (share * np.sin(2 * np.pi * along / length + rng.uniform(0, 6)) for length, share in waves),
        np.zeros(len(along)),
    )


def _tilt(pitch: float, yaw: float, roll: float) -> Float[np.ndarray, "4 4"]:
    """A small rotation of the camera, radians: yaw after pitch after roll."""
    cosine, sine = np.cos([pitch, yaw, roll]), np.sin([pitch, yaw, roll])
    about_x = np.array([[1, 0, 0], [0, cosine[0], -sine[0]], [0, sine[0], cosine[0]]])
    about_y = np.array([[cosine[1], 0, sine[1]], [0, 1, 0], [-sine[1], 0, cosine[1]]])
    about_z = np.array([[cosine[2], -sine[2], 0], [sine[2], cosine[2], 0], [0, 0, 1]])
    tilt = np.eye(4)
    tilt[:3, :3] = about_y @ about_x @ about_z
    return tilt


def _gain(rng: np.random.Generator, settings: DriveSettings) -> Float[np.ndarray, " n"]:
    """Exposure: a slow wander and a few jumps, as an automatic exposure makes."""
    frames = np.arange(settings.frames + 1)
    wander = 0.6 * np.sin(frames / 11 + rng.uniform(0, 6)) + 0.4 * np.sin(frames / 4.1 + rng.uniform(0, 6))
    jumps = np.cumsum((rng.random(len(frames)) < 0.04) * rng.choice([-1.0, 1.0], len(frames)))
    return np.exp(settings.exposure * np.clip(wander + 0.7 * np.sin(jumps * 1.3), -1.2, 1.2))
