"""A frame of a drive: picture, depth and ids, by one ray a pixel and four more where edges would alias."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from kinedepth.data.synthetic.materials import GROUND, Hits, albedo, sky
from kinedepth.data.synthetic.settings import Matrix, intrinsics_of
from kinedepth.data.synthetic.surfaces import Surfaces, joined
from kinedepth.data.synthetic.textures import Values
from kinedepth.data.synthetic.world import Drive, Stage

AMBIENT, DIRECT = 0.62, 0.5
HAZE = 450.0
"""Metres after which a surface has 63 % of the horizon's color."""
HORIZON_COLOR = np.array([[0.86], [0.89], [0.92]], dtype=np.float32)
EDGE = 0.03
"""Pixels on two triangles whose colors differ by more than this are traced again."""
OFFSETS = ((-0.375, -0.125), (0.125, -0.375), (0.375, 0.125), (-0.125, 0.375))


@dataclass(frozen=True)
class Frame:
    """One picture with what is true in it; all maps have the picture's size.

    `depth` is camera z in metres, 0 where the ray meets nothing (sky). `instances` counts from 1, 0 is background; `classes` index
    `CLASSES`; `bodies` are the numbers of `Drive.body_poses`. `pose` is world_from_camera, `gain` the exposure that was applied.
    """

    index: int
    image: UInt8[np.ndarray, "h w 3"]
    depth: Float[np.ndarray, "h w"]
    instances: Int[np.ndarray, "h w"]
    classes: Int[np.ndarray, "h w"]
    bodies: Int[np.ndarray, "h w"]
    pose: Float[np.ndarray, "4 4"]
    gain: float


@dataclass(frozen=True)
class Seen:
    """What rays meet: the row of a triangle in `surfaces` (-1 for none) and inverse depth (0 for none)."""

    surfaces: Surfaces
    inverse: Float[np.ndarray, "m 3"]
    row: Int[np.ndarray, " n"]
    nearness: Values


def render(drive: Drive, index: int, *, right: bool = False) -> Frame:
    """Frame `index` as the left camera sees it, or the right one of the stereo pair."""
    height, width = drive.settings.size
    stage, pose = drive.stage(index), drive.camera_pose(index, right=right)
    x, y = rays(drive)
    seen = look(stage, pose, x, y)
    color = shade(drive, pose, seen, x, y)
    again = np.flatnonzero(_edges(color.reshape(3, height, width), seen.row.reshape(height, width)))
    fx, fy, _, _ = intrinsics_of(drive.settings)
    if len(again):
        total = color[:, again]
        for shift_x, shift_y in OFFSETS:
            sub_x, sub_y = x[again] + np.float32(shift_x / fx), y[again] + np.float32(shift_y / fy)
            total = total + shade(drive, pose, look(stage, pose, sub_x, sub_y), sub_x, sub_y)
        color[:, again] = total / (1 + len(OFFSETS))
    gain = float(drive.journey.gain[index])
    picture = np.clip(color * np.float32(255 * gain) + np.float32(0.5), 0, 255).astype(np.uint8)
    maps = [_labels(seen, name).reshape(height, width) for name in ("instance", "label", "body")]
    depth = 1 / np.where(seen.nearness > 0, seen.nearness, np.float32(np.inf))
    image = np.ascontiguousarray(picture.T).reshape(height, width, 3)
    return Frame(index, image, depth.reshape(height, width), *maps, pose=pose, gain=gain)


def rays(drive: Drive) -> tuple[Values, Values]:
    """Normalised image coordinates (x/z, y/z) of every pixel, row by row."""
    height, width = drive.settings.size
    fx, fy, cx, cy = intrinsics_of(drive.settings)
    across, down = (np.arange(width) - cx) / fx, (np.arange(height) - cy) / fy
    x, y = np.meshgrid(across, down)
    return x.ravel().astype(np.float32), y.ravel().astype(np.float32)


def look(stage: Stage, pose: Matrix, x: Values, y: Values) -> Seen:
    """The nearest triangle along every ray; depth comes from its plane, not from the tracer's distance."""
    rotation = pose[:3, :3].astype(np.float32)
    directions = np.empty((len(x), 3), dtype=np.float32)
    for axis in range(3):
        directions[:, axis] = rotation[axis, 0] * x + rotation[axis, 1] * y + rotation[axis, 2]
    origins = np.empty_like(directions)
    origins[:] = pose[:3, 3]
    still = stage.still_tracer.run(origins, directions)
    met = np.zeros(len(stage.still.level) + 1, dtype=bool)
    met[still] = True
    used = np.flatnonzero(met[:-1])
    rows = np.full(len(met), -1, dtype=np.int32)
    rows[used] = np.arange(len(used), dtype=np.int32)
    row = rows[still]
    surfaces = stage.still.take(used)
    if stage.moving is not None and stage.moving_tracer is not None:
        surfaces = joined([surfaces, stage.moving])
        moving = stage.moving_tracer.run(origins, directions)
        inverse = _inverse(surfaces, pose)
        nearness = _nearness(inverse, row, x, y)
        hit = np.flatnonzero(moving >= 0)
        candidate = moving[hit] + len(used)
        closer = _nearness(inverse, candidate, x[hit], y[hit])
        wins = closer > nearness[hit]
        row[hit[wins]], nearness[hit[wins]] = candidate[wins], closer[wins]
        return Seen(surfaces, inverse, row, nearness)
    inverse = _inverse(surfaces, pose)
    return Seen(surfaces, inverse, row, _nearness(inverse, row, x, y))


def _inverse(surfaces: Surfaces, pose: Matrix) -> Float[np.ndarray, "m 3"]:
    """N with 1 / depth = N . (x, y, 1) on every triangle's plane."""
    away = surfaces.level - surfaces.normal @ pose[:3, 3]
    away = np.where(np.abs(away) < 1e-7, 1e-7, away)
    return ((surfaces.normal @ pose[:3, :3]) / away[:, None]).astype(np.float32)


def _nearness(inverse: Float[np.ndarray, "m 3"], row: Int[np.ndarray, " n"], x: Values, y: Values) -> Values:
    if not len(inverse):
        return np.zeros(len(row), dtype=np.float32)
    columns = np.ascontiguousarray(inverse.T)
    value = columns[0].take(row) * x + columns[1].take(row) * y + columns[2].take(row)
    return np.where(row >= 0, value, np.float32(0))


def _labels(seen: Seen, name: str) -> Int[np.ndarray, " n"]:
    values = np.append(getattr(seen.surfaces, name), 7 if name == "label" else 0)
    return values.astype(np.int32)[seen.row]


def _edges(color: Float[np.ndarray, "3 h w"], row: Int[np.ndarray, "h w"]) -> Bool[np.ndarray, "h w"]:
    """Pixels beside another triangle of another color."""
    mask = np.zeros(row.shape, dtype=bool)
    for a, b in (((slice(None), slice(1, None)), (slice(None), slice(None, -1))), ((slice(1, None),), (slice(None, -1),))):
        differs = row[a] != row[b]
        contrast = np.abs(color[(slice(None), *a)] - color[(slice(None), *b)]).max(0) > EDGE
        mask[a] |= differs & contrast
        mask[b] |= differs & contrast
    return mask


def shade(drive: Drive, pose: Matrix, seen: Seen, x: Values, y: Values) -> Float[np.ndarray, "3 n"]:
    """The color that reaches the camera along every ray, before exposure."""
    color = np.empty((3, len(x)), dtype=np.float32)
    fx, fy, _, _ = intrinsics_of(drive.settings)
    void = np.flatnonzero(seen.row < 0)
    if len(void):
        rotation = pose[:3, :3].astype(np.float32)
        a, b = x[void], y[void]
        world = [rotation[k, 0] * a + rotation[k, 1] * b + rotation[k, 2] for k in range(3)]
        up = np.arctan2(-world[1], np.hypot(world[0], world[2]))
        color[:, void] = sky(drive.tile, np.arctan2(world[0], world[2]), up, 1 / fx)
    solid = np.flatnonzero(seen.row >= 0)
    if len(solid):
        color[:, solid] = _surface_color(drive, pose, seen, solid, (x[solid], y[solid]))
    return color


def _surface_color(
    drive: Drive, pose: Matrix, seen: Seen, solid: Int[np.ndarray, " k"], at: tuple[Values, Values]
) -> Float[np.ndarray, "3 k"]:
    surfaces, row = seen.surfaces, seen.row[solid]
    depth = 1 / seen.nearness[solid]
    fx, fy, _, _ = intrinsics_of(drive.settings)
    coordinates = []
    for gradient, offset in ((surfaces.across, surfaces.across_at), (surfaces.along, surfaces.along_at)):
        level = (gradient @ pose[:3, 3] + offset)[:, None]
        slope = ((gradient @ pose[:3, :3]) + level * seen.inverse).astype(np.float32).T
        a, b, c = (np.ascontiguousarray(part).take(row) for part in slope)
        value = (a * at[0] + b * at[1] + c) * depth
        n_x, n_y = (np.ascontiguousarray(seen.inverse[:, k]).take(row) for k in (0, 1))
        span = np.hypot((a - value * n_x) * np.float32(1 / fx), (b - value * n_y) * np.float32(1 / fy)) * depth
        coordinates.append((value, span))
    (u, fu), (v, fv) = coordinates
    looks = [np.ascontiguousarray(part.T.astype(np.float32))[:, row] for part in (surfaces.color, surfaces.accent)]
    hits = Hits(u, v, fu, fv, surfaces.kind.astype(np.int32)[row], *looks, surfaces.phase.astype(np.float32)[row])
    color = albedo(drive.tile, hits) * _light(drive, surfaces, pose)[row]
    clear = np.exp(depth * np.float32(-1 / HAZE))
    return HORIZON_COLOR + (color - HORIZON_COLOR) * clear


def _light(drive: Drive, surfaces: Surfaces, pose: Matrix) -> Values:
    """Brightness of every triangle on the side that the camera sees."""
    side = np.where(surfaces.normal @ pose[:3, 3] > surfaces.level, 1.0, -1.0)
    facing = np.maximum(side * (surfaces.normal @ drive.sun), 0)
    overhead = 0.5 - 0.5 * side * surfaces.normal[:, 1]
    return (AMBIENT * (0.75 + 0.35 * overhead) + DIRECT * facing).astype(np.float32)


GROUND_KINDS = np.array(GROUND)
