"""What is true between frames: motion of bodies, scene flow, moving mask, boxes.

Displacements are to the next frame. A point seen at X in camera i lies at X' in camera i+1 after its own
body's motion. Then

    scene_flow = X' - X                    in metres, each point in the coordinates of its own camera
    residual   = X' - next_from_camera X   what remains without the camera's motion: 0 where nothing moves
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.ndimage import find_objects

from kinedepth.data.synthetic.frame import Frame
from kinedepth.data.synthetic.placing import Matrix
from kinedepth.data.synthetic.settings import CLASSES
from kinedepth.data.synthetic.tracing import camera_rays
from kinedepth.data.synthetic.world import Drive

MOVING = 0.01
"""Metres per frame from which an object counts as moving."""


def points(drive: Drive, frame: Frame) -> Float[np.ndarray, "3 n"]:
    """What every pixel sees, metres in the camera's frame, row by row; 0 in the sky."""
    rays = camera_rays(drive.settings, frame.pose)
    depth = frame.depth.ravel().astype(np.float64)
    return np.stack([rays.x * depth, rays.y * depth, depth])


def other_from_camera(drive: Drive, frame: Frame, other: int) -> Matrix:
    """Takes points from the camera of one frame to that of another, if nothing moves."""
    return np.asarray(np.linalg.inv(drive.camera_pose(other, right=frame.right)) @ frame.pose)


def residual_motion(drive: Drive, frame: Frame, other: int) -> Float[np.ndarray, "h w 3"]:
    """X' - other_from_camera X in metres: zero where nothing moves and in the sky."""
    other_from_world = np.linalg.inv(drive.camera_pose(other, right=frame.right))
    bodies = np.flatnonzero(np.bincount(frame.bodies.ravel(), minlength=1))
    motion = drive.body_poses(other, bodies) @ np.linalg.inv(drive.body_poses(frame.index, bodies))
    beyond = other_from_world @ (motion - np.eye(4)) @ frame.pose
    moving = np.flatnonzero(frame.bodies.ravel() > 0)
    of_body, seen = frame.bodies.ravel()[moving], points(drive, frame)[:, moving]
    residual = np.zeros((frame.depth.size, 3), dtype=np.float32)
    for body, matrix in zip(bodies[bodies > 0], beyond[bodies > 0], strict=True):
        chosen = np.flatnonzero(of_body == body)
        residual[moving[chosen]] = (matrix[:3, :3] @ seen[:, chosen] + matrix[:3, 3:]).T
    return residual.reshape(*frame.depth.shape, 3)


def moved_points(drive: Drive, frame: Frame, other: int) -> Float[np.ndarray, "3 n"]:
    """What every pixel sees, carried by its own body to another frame; in the other camera's axes."""
    carry = other_from_camera(drive, frame, other)
    residual = residual_motion(drive, frame, other).reshape(-1, 3).T
    return np.asarray(carry[:3, :3] @ points(drive, frame) + carry[:3, 3:] + residual)


def scene_flow(drive: Drive, frame: Frame, other: int) -> Float[np.ndarray, "h w 3"]:
    """X' - X in metres, camera motion included; zero in the sky."""
    flow = moved_points(drive, frame, other) - points(drive, frame)
    flow[:, frame.depth.ravel() == 0] = 0
    return np.asarray(flow.T.reshape(*frame.depth.shape, 3), dtype=np.float32)


def moving_instances(drive: Drive, index: int) -> Bool[np.ndarray, " k"]:
    """For every instance id, whether the object changes its place until the next frame; 0 is background."""
    steps = [mover.travelled[index + 1] - mover.travelled[index] for mover in drive.movers]
    return np.array([False] + [bool(step > MOVING) for step in steps])


def moving_mask(drive: Drive, frame: Frame) -> Bool[np.ndarray, "h w"]:
    """The pixels of objects that move from this frame to the next, all limbs included."""
    return np.asarray(moving_instances(drive, frame.index)[frame.instances])


@dataclass(frozen=True)
class ObjectTruth:
    """One object in one frame; every 4x4 is metric and rigid.

    `box` is x0, y0, x1, y1 of its visible pixels (pixel centers, inclusive); `size` is width, height, length
    in metres. World is the first camera's frame. `motion` takes world points of the object's main body to the
    next frame; `velocity` is in m/s.
    """

    instance: int
    label: str
    size: tuple[float, float, float]
    box: tuple[int, int, int, int]
    world_from_object: Float[np.ndarray, "4 4"]
    motion: Float[np.ndarray, "4 4"]
    velocity: Float[np.ndarray, " 3"]
    moving: bool


def boxes(instances: Int[np.ndarray, "h w"]) -> dict[int, tuple[int, int, int, int]]:
    """x0, y0, x1, y1 of the visible pixels of every instance, inclusive."""
    found = {}
    for before, area in enumerate(find_objects(instances)):
        if area is not None:
            rows, columns = area
            found[before + 1] = (columns.start, rows.start, columns.stop - 1, rows.stop - 1)
    return found


def objects(drive: Drive, frame: Frame) -> list[ObjectTruth]:
    """All objects with a visible pixel."""
    first_from_world = np.linalg.inv(drive.camera_pose(0))
    moving = moving_instances(drive, frame.index)
    found = []
    for instance, box in boxes(frame.instances).items():
        mover = drive.movers[instance - 1]
        now, then = (first_from_world @ mover.poses[frame.index + k] for k in (0, 1))
        velocity = (then[:3, 3] - now[:3, 3]) * drive.settings.fps
        label, motion = CLASSES[mover.label], then @ np.linalg.inv(now)
        found.append(
            ObjectTruth(instance, label, mover.size, box, now, motion, velocity, bool(moving[instance]))
        )
    return found
