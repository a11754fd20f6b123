"""The ground: carriageway and sidewalks along the road, side streets, a plain that runs to the horizon."""

import numpy as np
from jaxtyping import Bool, Float

from kinedepth.data.synthetic.placing import planar_pose
from kinedepth.data.synthetic.road import ARM, EDGE, KERB, Road
from kinedepth.data.synthetic.settings import CLASSES
from kinedepth.data.synthetic.shapes import (
    ASPHALT,
    ROAD,
    SIDEWALK,
    TERRAIN,
    Coat,
    Patch,
    box,
    labelled,
    merged,
    moved,
    patch,
)

HORIZON = 3000.0
SIDEWALK_HEIGHT = 0.11
GAP = 4.3
"""Half the length of sidewalk that a side street takes away."""
CLASS = {name: number for number, name in enumerate(CLASSES)}
STONE = Coat(SIDEWALK, (0.6, 0.57, 0.53), (0.5, 0.48, 0.48))
KERBSTONE = Coat(SIDEWALK, (0.72, 0.71, 0.69), (0.6, 0.6, 0.6))
TAR = ((0.37, 0.37, 0.39), (0.46, 0.44, 0.42))


def near_crossing(road: Road, along: Float[np.ndarray, " n"], reach: float) -> Bool[np.ndarray, " n"]:
    """Which places along the road are within `reach` metres of a side street's middle."""
    gaps = np.abs(along[:, None] - np.array(road.crossings or (1e9,))[None])
    return np.asarray(gaps.min(1) < reach)


def ground(road: Road, rng: np.random.Generator) -> list[Patch]:
    """The strips along the road, the side streets, and the plain just below them."""
    low = -SIDEWALK_HEIGHT
    parts = [_strip(road, (-KERB, 0.0), (KERB, 0.0), Coat(ROAD, *TAR))]
    for side in (-1.0, 1.0):
        inner, outer = side * KERB, side * EDGE
        walks = [((inner, 0.0), (inner, low), KERBSTONE), ((inner, low), (outer, low), STONE)]
        walks.append(((outer, low), (outer, 0.06), KERBSTONE))
        parts += [_strip(road, left, right, coat) for left, right, coat in walks]
    green = np.array([0.4, 0.5, 0.23]) + rng.uniform(-0.05, 0.05, 3)
    dry = np.array([0.6, 0.54, 0.36]) + rng.uniform(-0.06, 0.06, 3)
    middle = (float(road.x.mean()), float(road.z.mean()))
    grass = Coat(TERRAIN, (green[0], green[1], green[2]), (dry[0], dry[1], dry[2]))
    plain = box(middle, (2 * HORIZON, 2 * HORIZON), (-0.3, -0.04), grass)
    return [*parts, labelled(plain, CLASS["terrain"]), *_side_streets(road)]


def _strip(road: Road, left: tuple[float, float], right: tuple[float, float], coat: Coat) -> Patch:
    """A band along the road between two (offset, y) lines; u is the offset, v the way along.

    Bands of stone leave out the mouths of side streets.
    """
    along = road.along[::2]
    lines, coordinates = [], []
    width = float(np.hypot(right[0] - left[0], right[1] - left[1]))
    for (offset, y), u in ((left, left[0]), (right, left[0] + width)):
        x, z, _ = road.place(along, np.full(len(along), offset))
        lines.append(np.stack([x, np.full(len(x), y), z], -1))
        coordinates.append(np.stack([np.full(len(along), u), along], -1))
    corners, uv = _quads(*lines), _quads(*coordinates)
    if coat.kind == ROAD:
        return patch(corners, uv, coat, CLASS["road"])
    keep = ~near_crossing(road, np.repeat((along[:-1] + along[1:]) / 2, 2), GAP)
    return patch(corners[keep], uv[keep], coat, CLASS["sidewalk"])


def _quads(left: Float[np.ndarray, "k c"], right: Float[np.ndarray, "k c"]) -> Float[np.ndarray, "t 3 c"]:
    """Two triangles for each step of a band."""
    first = np.stack([left[:-1], left[1:], right[1:]], 1)
    second = np.stack([left[:-1], right[1:], right[:-1]], 1)
    return np.stack([first, second], 1).reshape(-1, 3, left.shape[-1])


def _side_streets(road: Road) -> list[Patch]:
    """The arms of every crossing: carriageway with its sidewalks."""
    parts = []
    for along in road.crossings:
        x, z, heading = road.place(along, 0.0)
        pose = planar_pose(float(x), 0.0, float(z), float(heading))
        for side in (-1.0, 1.0):
            lane = box(
                (side * (KERB + ARM) / 2, 0.0), (ARM - KERB, 2 * GAP), (-0.3, 0.0), Coat(ASPHALT, *TAR)
            )
            middle = side * (EDGE + ARM) / 2
            walks = [
                box((middle, z0), (ARM - EDGE, 2.0), (-0.3, SIDEWALK_HEIGHT), STONE) for z0 in (-5.3, 5.3)
            ]
            parts.append(labelled(moved(lane, pose), CLASS["road"]))
            parts.append(labelled(moved(merged(walks), pose), CLASS["sidewalk"]))
    return parts
