"""Point clouds: depth and its picture as coloured points in a PLY file that the usual viewers show upright.

Left out are pixels without depth, outside a range, and at edges, where a network's depth runs smoothly from a
near thing to what is behind it and would hang in the air as a veil. A plane has linear inverse depth across
the picture, so an edge is where inverse depth bends; a road is kept however flatly it is seen, up to a limit.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float32, Shaped, UInt8

from kinedepth.errors import KinedepthError
from kinedepth.geometry.camera import Camera
from kinedepth.inference.files import cleaned
from kinedepth.inference.notes import UNITS, DepthNote, Scale, kinedepth_version
from kinedepth.inference.whole import whole_file

RANGES: dict[Scale, tuple[float, float]] = {"metric": (0.1, 80.0), "relative": (0.02, 5.0)}
"""What is kept unless told: metres, or multiples of the map's median where depth is relative."""
EDGE = 0.05
STEEPEST = (20.0, 50.0)
"""Sideways and downwards, the tangent between a ray and the normal of what it meets: 50 is flat ground 80 m
away seen from 1.6 m; nothing else is seen that flatly."""
NEEDS_CAMERA = (
    "A point cloud needs the camera: give --fov or --intrinsics; with a guessed one it would be bent."
)
_RGB = ("red", "green", "blue")
_VERTEX = np.dtype([(name, "<f4") for name in "xyz"] + [(name, "u1") for name in _RGB])


@dataclass(frozen=True)
class Cut:
    """What is left out of a cloud."""

    range: tuple[float, float] | None = None
    """Nearest and farthest depth: metres, or multiples of the map's median where depth is relative; None for
    `RANGES`."""
    edge: float = EDGE
    """How far a pixel's inverse depth may be from the line through its neighbours', as a share of itself; 0
    keeps edges."""

    def limits(self, depth: Float32[np.ndarray, "h w"], scale: Scale) -> tuple[float, float]:
        """The range in the unit of `depth`."""
        near, far = self.range or RANGES[scale]
        valid = depth[depth > 0]
        unit = 1.0 if scale == "metric" or not valid.size else float(np.median(valid))
        return near * unit, far * unit


def points(depth: Float32[np.ndarray, "h w"], camera: Camera) -> Float32[np.ndarray, "h w 3"]:
    """Where each pixel's point is: x right, y up, z backwards, the camera at the origin, in depth's unit.

    The axes of OpenGL, which viewers show upright; a pixel (u, v) of depth d is
    ((u - cx) d / fx, -(v - cy) d / fy, -d). `camera` is in pixels of the map.
    """
    (fx, fy), (cx, cy) = camera.focal.tolist(), camera.center.tolist()
    v, u = np.mgrid[: depth.shape[0], : depth.shape[1]]
    xyz = np.stack(((u - cx) / fx, -(v - cy) / fy, -np.ones(depth.shape)), axis=-1) * depth[..., None]
    return np.asarray(xyz, dtype=np.float32)


def without_edges(
    depth: Float32[np.ndarray, "h w"], camera: Camera, edge: float = EDGE
) -> Bool[np.ndarray, "h w"]:
    """Where a pixel lies on one surface with its four neighbours.

    False where inverse depth bends by more than `edge` of itself, and where the surface is steeper to the
    ray than `STEEPEST`: an edge that was blurred over several pixels bends little but is steep. Neighbours
    without depth do not count. All true for an `edge` of 0.
    """
    smooth = np.ones(depth.shape, dtype=bool)
    if edge <= 0:
        return smooth
    inverse = np.divide(1.0, depth, out=np.full(depth.shape, np.nan), where=depth > 0)
    for axis, focal, steepest in zip((1, 0), camera.focal.tolist(), STEEPEST, strict=True):
        values = np.moveaxis(inverse, axis, -1)
        steps = np.diff(values, axis=-1, prepend=np.nan, append=np.nan)
        before, after = steps[..., :-1], steps[..., 1:]
        # Comparisons with NaN are false, so that a missing neighbour is no edge.
        wrong = np.abs(after - before) / 2 > edge * values
        for step in (before, after):
            wrong |= np.abs(step) * focal > steepest * values
        smooth &= ~np.moveaxis(wrong, -1, axis)
    return smooth


def write_ply(
    path: Path,
    depth: Float32[np.ndarray, "h w"],
    picture: UInt8[np.ndarray, "h w 3"],
    note: DepthNote,
    cut: Cut | None = None,
    *,
    sync: bool = True,
) -> int:
    """Writes the cloud of a map (binary little endian PLY, colours of `picture`) and gives its size.

    The camera is the note's, in pixels of the map; it, the scale and its source are comments in the header.
    The file is whole or absent.

    Raises:
        KinedepthError: the camera is not known, or it is not a pinhole: a wrong one bends the cloud.
    """
    if note.camera is None:
        raise KinedepthError(NEEDS_CAMERA)
    if note.lens is not None:
        raise KinedepthError(
            "A point cloud is made from a pinhole's view: undistort picture and depth first."
        )
    cut, camera = cut or Cut(), note.camera
    known = cleaned(depth)
    near, far = cut.limits(known, note.scale)
    kept = (known >= near) & (known <= far) & (known > 0) & without_edges(known, camera, cut.edge)
    vertices = _vertices(points(known, camera)[kept], picture[kept])
    lines = [*_comments(note, camera, (near, far), cut.edge), f"element vertex {len(vertices)}"]
    lines += [*(f"property float {name}" for name in "xyz"), *(f"property uchar {name}" for name in _RGB)]
    header = "\n".join(("ply", "format binary_little_endian 1.0", *lines, "end_header\n"))
    with whole_file(path, sync=sync) as draft:
        draft.write_bytes(header.encode("ascii", "replace") + vertices.tobytes())
    return len(vertices)


def _vertices(xyz: Float32[np.ndarray, "n 3"], rgb: UInt8[np.ndarray, "n 3"]) -> Shaped[np.ndarray, " n"]:
    vertices = np.empty(len(xyz), dtype=_VERTEX)
    for place, name in enumerate("xyz"):
        vertices[name], vertices[_RGB[place]] = xyz[:, place], rgb[:, place]
    return vertices


def _comments(note: DepthNote, camera: Camera, limits: tuple[float, float], edge: float) -> list[str]:
    (fx, fy), (cx, cy) = camera.focal.tolist(), camera.center.tolist()
    said = [
        f"kinedepth {kinedepth_version()}",
        f"scale {note.scale}, from {note.source}",
        f"unit {UNITS[note.scale]}",
        f"camera pinhole fx {fx:.6g} fy {fy:.6g} cx {cx:.6g} cy {cy:.6g}, top-left pixel centre is (0, 0)",
        f"camera_source {note.camera_source or 'not noted'}",
        "axes x right, y up, z backwards; the camera is at the origin",
        f"kept depth from {limits[0]:.4g} to {limits[1]:.4g}, edges beyond {edge:g} left out",
    ]
    return [f"comment {' '.join(line.split())}" for line in said]
