"""Triangles made ready for tracing and shading: planes and texture gradients, carried by rigid motions."""

from dataclasses import dataclass

import numpy as np
from embreex.mesh_construction import TriangleMesh
from embreex.rtcore_scene import EmbreeScene
from jaxtyping import Float, Int

from kinedepth.data.synthetic.shapes import Patch


@dataclass(frozen=True)
class Surfaces:
    """For every triangle: its plane, the affine maps from space to texture, its look and labels.

    normal . P = level; u = across . P + across_at; v = along . P + along_at, in metres. `body`
    numbers the rigid bodies of a drive; 0 is the world.
    """

    corners: Float[np.ndarray, "t 3 3"]
    normal: Float[np.ndarray, "t 3"]
    level: Float[np.ndarray, " t"]
    across: Float[np.ndarray, "t 3"]
    across_at: Float[np.ndarray, " t"]
    along: Float[np.ndarray, "t 3"]
    along_at: Float[np.ndarray, " t"]
    kind: Int[np.ndarray, " t"]
    color: Float[np.ndarray, "t 3"]
    accent: Float[np.ndarray, "t 3"]
    phase: Float[np.ndarray, " t"]
    label: Int[np.ndarray, " t"]
    instance: Int[np.ndarray, " t"]
    body: Int[np.ndarray, " t"]

    def take(self, rows: Int[np.ndarray, " k"]) -> "Surfaces":
        """Some of the triangles."""
        return Surfaces(*(getattr(self, name)[rows] for name in FIELDS))


FIELDS = tuple(Surfaces.__dataclass_fields__)


def surfaces_of(part: Patch, body: Int[np.ndarray, " t"]) -> Surfaces:
    """Planes and texture gradients of a patch; triangles without area are dropped."""
    corners = part.corners.astype(np.float64)
    first, second = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    normal = np.cross(first, second)
    area = np.linalg.norm(normal, axis=1)
    keep = area > 1e-9
    normal = normal / np.maximum(area, 1e-12)[:, None]
    # The gradient in the plane: dual basis of the two edges.
    dual_first = np.cross(second, normal) / np.maximum(area, 1e-12)[:, None]
    dual_second = np.cross(normal, first) / np.maximum(area, 1e-12)[:, None]
    steps = part.uv[:, 1:] - part.uv[:, :1]
    gradients = [steps[:, 0, k, None] * dual_first + steps[:, 1, k, None] * dual_second for k in (0, 1)]
    at = [part.uv[:, 0, k] - (gradients[k] * corners[:, 0]).sum(1) for k in (0, 1)]
    level = (normal * corners[:, 0]).sum(1)
    look = (part.kind, part.color, part.accent, part.phase, part.label, part.instance, body)
    whole = Surfaces(corners, normal, level, gradients[0], at[0], gradients[1], at[1], *look)
    return whole.take(np.flatnonzero(keep))


def carried(local: Surfaces, poses: Float[np.ndarray, "b 4 4"], which: Int[np.ndarray, " t"]) -> Surfaces:
    """The surfaces moved by one rigid transform each, `poses[which]`."""
    rotation, shift = poses[which, :3, :3], poses[which, :3, 3]
    corners = local.corners @ rotation.transpose(0, 2, 1) + shift[:, None]
    turned = [np.einsum("tij,tj->ti", rotation, part) for part in (local.normal, local.across, local.along)]
    offsets = [(part * shift).sum(1) for part in turned]
    look = (getattr(local, name) for name in FIELDS[7:])
    return Surfaces(
        corners,
        turned[0],
        local.level + offsets[0],
        turned[1],
        local.across_at - offsets[1],
        turned[2],
        local.along_at - offsets[2],
        *look,
    )


def joined(parts: list[Surfaces]) -> Surfaces:
    """All triangles of several surfaces in order."""
    return Surfaces(*(np.concatenate([getattr(part, name) for part in parts]) for name in FIELDS))


def tracer(corners: Float[np.ndarray, "t 3 3"]) -> EmbreeScene:
    """A ray tracer over triangles; it answers with their row, or -1."""
    scene = EmbreeScene()
    TriangleMesh(scene, np.ascontiguousarray(corners, dtype=np.float32))
    return scene
