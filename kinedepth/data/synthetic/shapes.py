"""Triangles with a texture and a label, and the solids that streets are made of.

Local frame of every solid: x right, y down (the ground is y = 0, up is negative), z forward; metres.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import trimesh
from jaxtyping import Float, Int

from kinedepth.data.synthetic.placing import Matrix

Color = tuple[float, float, float]

ROAD, ASPHALT, SIDEWALK, TERRAIN, PLAIN, FACADE, ROOF, GLASS, PANEL, PAINT, LEAVES, FENCE, CLOTH = range(13)
"""The kinds of material; `materials.py` says how each looks. The first four are ground."""


@dataclass(frozen=True)
class Coat:
    """How a solid looks: material, two colors in [0, 1], and the phase that sets its texture apart."""

    kind: int
    color: Color
    accent: Color | None = None
    phase: float = 0.0


@dataclass(frozen=True)
class Patch:
    """A heap of triangles: corners in metres, texture coordinates in metres, material and labels of each."""

    corners: Float[np.ndarray, "t 3 3"]
    uv: Float[np.ndarray, "t 3 2"]
    kind: Int[np.ndarray, " t"]
    color: Float[np.ndarray, "t 3"]
    accent: Float[np.ndarray, "t 3"]
    phase: Float[np.ndarray, " t"]
    label: Int[np.ndarray, " t"]
    instance: Int[np.ndarray, " t"]


def patch(
    corners: Float[np.ndarray, "t 3 3"], uv: Float[np.ndarray, "t 3 2"], coat: Coat, label: int = 0
) -> Patch:
    """Triangles in one coat, belonging to no instance."""
    count = len(corners)
    accent = coat.color if coat.accent is None else coat.accent
    return Patch(
        corners,
        uv,
        np.full(count, coat.kind),
        np.tile(np.array(coat.color, dtype=np.float64), (count, 1)),
        np.tile(np.array(accent, dtype=np.float64), (count, 1)),
        np.full(count, coat.phase),
        np.full(count, label),
        np.zeros(count, dtype=np.int64),
    )


def merged(patches: Sequence[Patch]) -> Patch:
    """All triangles of several patches in order."""
    fields = Patch.__dataclass_fields__
    return Patch(**{name: np.concatenate([getattr(part, name) for part in patches]) for name in fields})


def moved(part: Patch, pose: Matrix) -> Patch:
    """The patch carried by a rigid transform; its texture travels with it."""
    return replace(part, corners=part.corners @ pose[:3, :3].T + pose[:3, 3])


def labelled(part: Patch, label: int, instance: int = 0) -> Patch:
    """The patch with one class and one instance id."""
    count = len(part.corners)
    return replace(part, label=np.full(count, label), instance=np.full(count, instance))


def box_texture(corners: Float[np.ndarray, "t 3 3"]) -> Float[np.ndarray, "t 3 2"]:
    """Texture coordinates seen along each triangle's dominant axis; on walls v is the height above ground."""
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    axis = np.abs(normal * np.array([1.0, 0.8, 1.0])).argmax(1)
    x, height, z = corners[..., 0], -corners[..., 1], corners[..., 2]
    across = np.where((axis == 0)[:, None], z, x)
    along = np.where((axis == 1)[:, None], z, height)
    return np.stack([across, along], -1)


def solid_texture(corners: Float[np.ndarray, "t 3 3"]) -> Float[np.ndarray, "t 3 2"]:
    """Texture coordinates cut from a block, continuous over the edges of a round solid."""
    x, y, z = corners[..., 0], corners[..., 1], corners[..., 2]
    return np.stack([x + 0.45 * z + 0.2 * y, 0.9 * y - 0.35 * x + 0.5 * z], -1)


def hexahedron(bottom: Float[np.ndarray, "4 3"], top: Float[np.ndarray, "4 3"], coat: Coat) -> Patch:
    """The body between two quadrilaterals whose corners follow each other in the same sense."""
    faces = [(0, 1, 2, 3), (7, 6, 5, 4)]
    faces += [(k, k + 4, (k + 1) % 4 + 4, (k + 1) % 4) for k in range(4)]
    triangles = np.array([[(a, b, c), (a, c, d)] for a, b, c, d in faces]).reshape(-1, 3)
    corners = np.concatenate([bottom, top])[triangles]
    if np.linalg.det(corners - corners.mean((0, 1))).sum() < 0:
        corners = corners[:, ::-1].copy()
    return patch(corners, box_texture(corners), coat)


def tapered(
    low: tuple[float, ...], high: tuple[float, ...], heights: tuple[float, float], coat: Coat
) -> Patch:
    """A block between two levels; `low` and `high` are (x0, x1, z0, z1) at the two heights above ground."""
    return hexahedron(_ring(low, heights[0]), _ring(high, heights[1]), coat)


def _ring(extent: tuple[float, ...], height: float) -> Float[np.ndarray, "4 3"]:
    """The corners of a level rectangle, one after the other."""
    x0, x1, z0, z1 = extent
    return np.array([[x0, -height, z0], [x1, -height, z0], [x1, -height, z1], [x0, -height, z1]])


def box(
    center: tuple[float, float], extent: tuple[float, float], heights: tuple[float, float], coat: Coat
) -> Patch:
    """An upright block: (x, z) of its middle, (width, length), lower and upper height above ground."""
    (x, z), (width, length) = center, extent
    sides = (x - width / 2, x + width / 2, z - length / 2, z + length / 2)
    return tapered(sides, sides, heights, coat)


@cache
def _unit(name: str, variant: int) -> Float[np.ndarray, "t 3 3"]:
    """Corners of a template of about unit size around the origin; blobs differ in their dents."""
    if name == "cylinder":
        return np.asarray(trimesh.creation.cylinder(radius=1.0, height=1.0, sections=variant).triangles)
    mesh = trimesh.creation.icosphere(subdivisions=1)
    dents = np.random.default_rng(variant).uniform(0.72, 1.12, len(mesh.vertices))
    vertices = np.asarray(mesh.vertices * dents[:, None])
    return np.asarray(vertices[np.asarray(mesh.faces)])


def cylinder(
    center: Float[np.ndarray, " 3"], radius: float, length: float, axis: str, coat: Coat, sections: int = 8
) -> Patch:
    """A cylinder around its center along "x", "y" or "z"."""
    unit = _unit("cylinder", sections) * np.array([radius, radius, length])
    turned = {"x": unit[..., [2, 0, 1]], "y": unit[..., [1, 2, 0]], "z": unit}[axis]
    corners = turned + center
    return patch(corners, solid_texture(corners), coat)


def disc(center: Float[np.ndarray, " 3"], radius: float, coat: Coat, sections: int = 8) -> Patch:
    """A flat polygon across the x axis."""
    angles = np.arange(sections) * 2 * np.pi / sections
    rim = np.stack([np.zeros(sections), np.sin(angles), np.cos(angles)], -1) * radius + center
    corners = np.stack([np.repeat(rim[:1], sections - 2, 0), rim[1:-1], rim[2:]], 1)
    return patch(corners, box_texture(corners), coat)


def blob(
    center: Float[np.ndarray, " 3"], radii: tuple[float, float, float], coat: Coat, variant: int = 0
) -> Patch:
    """A dented ball: a tree's crown, a bush, a head."""
    corners = _unit("blob", variant) * np.array(radii) + center
    return patch(corners, solid_texture(corners), coat)
