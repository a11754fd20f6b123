"""The truth of a drive, read back from the files that `write_drive` left."""

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from kinedepth.data.synthetic.truth import ObjectTruth
from kinedepth.errors import KinedepthError


@dataclass(frozen=True)
class Truth:
    """What is true of one frame. Depth in metres, 0 where there is none (sky).

    `residual` is each point's displacement to the next frame without the camera's share, in the next camera's
    frame; `scene_flow` the whole displacement (see `truth.py`). `pose` is first_from_camera,
    `next_from_camera` is None at the last frame, where `scene_flow` holds the residual alone.
    """

    depth: Float[np.ndarray, "h w"]
    instances: Int[np.ndarray, "h w"]
    classes: Int[np.ndarray, "h w"]
    moving: Bool[np.ndarray, "h w"]
    residual: Float[np.ndarray, "h w 3"]
    scene_flow: Float[np.ndarray, "h w 3"]
    pose: Float[np.ndarray, "4 4"]
    next_from_camera: Float[np.ndarray, "4 4"] | None
    objects: tuple[ObjectTruth, ...]


def truth_poses(folder: Path | str) -> Float[np.ndarray, "n 4 4"]:
    """first_from_camera of every frame of a written drive, metric.

    Raises:
        KinedepthError: the folder holds no truth.
    """
    path = Path(folder) / "truth" / "poses.txt"
    if not path.is_file():
        raise KinedepthError(f"{path} is missing; write the drive with truth=True.")
    rows = np.loadtxt(path, ndmin=2).reshape(-1, 3, 4)
    return np.concatenate([rows, np.tile([[[0.0, 0.0, 0.0, 1.0]]], (len(rows), 1, 1))], 1)


def read_truth(folder: Path | str, index: int) -> Truth:
    """Everything that is true of frame `index` of a written drive.

    Raises:
        KinedepthError: the folder holds no truth or no such frame.
    """
    path = Path(folder) / "truth" / f"{index:06d}.npz"
    if not path.is_file():
        raise KinedepthError(
            f"{path} is missing; is this a drive with truth, and frame {index} one of its frames?"
        )
    poses = truth_poses(folder)
    with np.load(path) as maps:
        depth, residual = maps["depth"].astype(np.float32), maps["residual"].astype(np.float32)
        instances, classes = maps["instances"].astype(np.int32), maps["classes"].astype(np.int32)
        moving = maps["moving"]
    next_from_camera = np.linalg.inv(poses[index + 1]) @ poses[index] if index + 1 < len(poses) else None
    flow = residual + _camera_flow(Path(folder), depth, next_from_camera)
    found = tuple(_object(row) for row in _table(Path(folder) / "truth" / "objects.json")["frames"][index])
    return Truth(depth, instances, classes, moving, residual, flow, poses[index], next_from_camera, found)


def _camera_flow(
    folder: Path, depth: Float[np.ndarray, "h w"], next_from_camera: Float[np.ndarray, "4 4"] | None
) -> Float[np.ndarray, "h w 3"]:
    """How far every point of a still world goes in the camera's frame; nothing at the last frame."""
    if next_from_camera is None:
        return np.zeros((*depth.shape, 3), dtype=np.float32)
    camera = json.loads((folder / "intrinsics.json").read_text())
    y, x = np.mgrid[: depth.shape[0], : depth.shape[1]]
    rays = np.stack(
        [(x - camera["cx"]) / camera["fx"], (y - camera["cy"]) / camera["fy"], np.ones(depth.shape)], -1
    )
    points = rays * depth[..., None]
    flow = points @ (next_from_camera[:3, :3].T - np.eye(3)) + next_from_camera[:3, 3]
    return np.where(depth[..., None] > 0, flow, 0).astype(np.float32)


@lru_cache(maxsize=4)
def _table(path: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(path.read_text())
    return content


def _object(row: dict[str, Any]) -> ObjectTruth:
    fourth = [[0.0, 0.0, 0.0, 1.0]]
    return ObjectTruth(
        row["instance"],
        row["label"],
        tuple(row["size"]),
        tuple(row["box"]),
        np.array(row["world_from_object"] + fourth),
        np.array(row["motion"] + fourth),
        np.array(row["velocity"]),
        row["moving"],
    )
