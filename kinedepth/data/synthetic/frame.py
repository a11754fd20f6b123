"""A frame of a drive: picture, depth and ids, by one ray a pixel and some more where edges would alias."""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from kinedepth.data.synthetic.settings import CLASSES
from kinedepth.data.synthetic.shading import shade
from kinedepth.data.synthetic.tracing import Seen, camera_rays, look
from kinedepth.data.synthetic.world import Drive

EDGE = 0.07
"""Pixels on two triangles whose colors differ by more than this are traced again."""
OFFSETS = tuple(((k + 0.5) / 5 - 0.5, (2 * k % 5 + 0.5) / 5 - 0.5) for k in range(5))
"""Where in the pixel, counted from its center: no two in one row or column of fifths."""
LENS = 0.7
"""Standard deviation in pixels of the lens blur, without which silhouettes would crawl."""
SKY = CLASSES.index("sky")


@dataclass(frozen=True)
class Frame:
    """One picture with what is true in it; all maps have the picture's size.

    `depth` is camera z in metres, 0 where the ray meets nothing (sky). `instances` counts from 1, 0 is
    background; `classes` index `CLASSES`; `bodies` are the numbers of `Drive.body_poses`. `pose` is
    world_from_camera, `gain` the exposure that was applied.
    """

    index: int
    image: UInt8[np.ndarray, "h w 3"]
    depth: Float[np.ndarray, "h w"]
    instances: Int[np.ndarray, "h w"]
    classes: Int[np.ndarray, "h w"]
    bodies: Int[np.ndarray, "h w"]
    pose: Float[np.ndarray, "4 4"]
    gain: float
    right: bool = False


def render(drive: Drive, index: int, *, right: bool = False) -> Frame:
    """Frame `index` as the left camera sees it, or the right one of the stereo pair."""
    shape = drive.settings.size
    stage, pose = drive.stage(index), drive.camera_pose(index, right=right)
    rays = camera_rays(drive.settings, pose)
    seen = look(stage, rays)
    color = shade(drive, stage, rays, seen)
    again = np.flatnonzero(_edges(color.reshape(3, *shape), seen.row.reshape(shape)))
    if len(again):
        extra = rays.some(again).shifted(np.array(OFFSETS))
        total = shade(drive, stage, extra, look(stage, extra)).reshape(3, len(OFFSETS), -1).sum(1)
        color[:, again] = (color[:, again] + total) / (1 + len(OFFSETS))
    gain = float(drive.journey.gain[index])
    image = np.ascontiguousarray(color.T).reshape(*shape, 3) * (255 * gain) + 0.5
    picture = np.clip(cv2.GaussianBlur(image, (0, 0), LENS), 0, 255).astype(np.uint8)
    names = ("instance", "label", "body")
    instances, classes, bodies = (_labels(seen, name).reshape(shape) for name in names)
    depth = 1 / np.where(seen.nearness > 0, seen.nearness, np.float32(np.inf))
    return Frame(index, picture, depth.reshape(shape), instances, classes, bodies, pose, gain, right)


def _labels(seen: Seen, name: str) -> Int[np.ndarray, " n"]:
    values = np.append(getattr(seen.surfaces, name), SKY if name == "label" else 0)
    return np.asarray(values.astype(np.int32)[seen.row])


def _edges(color: Float[np.ndarray, "3 h w"], row: Int[np.ndarray, "h w"]) -> Bool[np.ndarray, "h w"]:
    """Pixels beside another triangle of another color."""
    mask = np.zeros(row.shape, dtype=bool)
    for a, b in (
        ((slice(None), slice(1, None)), (slice(None), slice(None, -1))),
        ((slice(1, None),), (slice(None, -1),)),
    ):
        differs = row[a] != row[b]
        contrast = np.abs(color[(slice(None), *a)] - color[(slice(None), *b)]).max(0) > EDGE
        mask[a] |= differs & contrast
        mask[b] |= differs & contrast
    return mask
