"""What is true between frames: motion of bodies, scene flow, moving mask, boxes.

Displacements are to the next frame. A point seen at X in camera i lies at X' in camera i+1 after its own body's motion. Then

    scene_flow = X' - X                    in metres, each point in the coordinates of its own camera
    residual   = X' - next_from_camera X   what remains when the camera's motion is taken out: 0 where nothing moves
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

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


def other_from_camera(drive: Drive, index: int, other: int) -> Matrix:
    """Takes points from the camera of one frame to that of another, if nothing moves."""
    return np.linalg.inv(drive.camera_pose(other)) @ drive.camera_pose(index)


def moved_points(drive: Drive, frame: Frame, other: int) -> Float[np.ndarray, "3 n"]:
    """Where what every pixel sees is at another frame, each point carried by its own body; in the other camera's frame."""
    then, now = drive.body_poses(other), drive.body_poses(frame.index)
    carry = np.linalg.inv(drive.camera_pose(other)) @ then @ np.linalg.inv(now) @ drive.camera_pose(frame.index)
    seen, bodies = points(drive, frame), frame.bodies.ravel()
    result = carry[0, :3, :3] @ seen + carry[0, :3, 3:]
    for body in np.unique(bodies[bodies > 0]):
        where = np.flatnonzero(bodies == body)
        result[:, where] = carry[body, :3, :3] @ seen[:, where] + carry[body, :3, 3:]
    return result


def residual_motion(drive: Drive, frame: Frame, other: int) -> Float[np.ndarray, "h w 3"]:
    """X' - other_from_camera X in metres: zero where nothing moves and in the sky."""
    carry = other_from_camera(drive, frame.index, other)
    still = carry[:3, :3] @ points(drive, frame) + carry[:3, 3:]
    residual = moved_points(drive, frame, other) - still
    residual[:, frame.bodies.ravel() == 0] = 0
    return residual.T.reshape(*frame.depth.shape, 3).astype(np.float32)


def scene_flow(drive: Drive, frame: Frame, other: int) -> Float[np.ndarray, "h w 3"]:
    """X' - X in metres, camera motion included; zero in the sky."""
    flow = moved_points(drive, frame, other) - points(drive, frame)
    flow[:, frame.depth.ravel() == 0] = 0
    return flow.T.reshape(*frame.depth.shape, 3).astype(np.float32)


def moving_instances(drive: Drive, index: int) -> Bool[np.ndarray, " k"]:
    """For every instance id, whether the object changes its place from this frame to the next; entry 0 is background."""
    steps = [mover.travelled[index + 1] - mover.travelled[index] for mover in drive.movers]
    return np.array([False] + [bool(step > MOVING) for step in steps])


def moving_mask(drive: Drive, frame: Frame) -> Bool[np.ndarray, "h w"]:
    """The pixels of objects that move from this frame to the next, all limbs included."""
    return np.asarray(moving_instances(drive, frame.index)[frame.instances])


@dataclass(frozen=True)
class ObjectTruth:
    """One object in one frame; every 4x4 is metric and rigid.

    `box` is x0, y0, x1, y1 of its visible pixels (pixel centers, inclusive); `size` is width, height, length in metres. World is the
    first camera's frame. `motion` takes world points of the object's main body to the next frame; `velocity` is in m/s.
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
    for instance in np.unique(instances[instances > 0]):
        rows, columns = np.nonzero(instances == instance)
        found[int(instance)] = (int(columns.min()), int(rows.min()), int(columns.max()), int(rows.max()))
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
        found.append(ObjectTruth(instance, label, mover.size, box, now, motion, velocity, bool(moving[instance])))
    return found
