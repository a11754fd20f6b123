"""What a drive is like, by its own truth: motion, texture, movers, and whether pictures and truth agree."""

import time
from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import Bool, Float

from kinedepth.data.synthetic.frame import Frame, render
from kinedepth.data.synthetic.settings import intrinsics_of
from kinedepth.data.synthetic.tracing import Rays, look
from kinedepth.data.synthetic.truth import moved_points, moving_mask
from kinedepth.data.synthetic.world import Drive

PERCENTILES = (5, 25, 50, 75, 95)
TARGETS = {"textured": 0.60, "moving": 0.05, "ego_speed": 0.30, "warp_error": 2.0}
"""What a drive has to reach; the warp error, in 1/255, is to stay below."""


def measure(drive: Drive, indices: Sequence[int] | None = None) -> dict[str, float]:
    """Measures the frames of the given indices, the first hundred if None.

    `flow_p50` and its like: percentiles of static flow in pixels a frame. `textured`: share of pixels with
    an image gradient above 2/255. `moving`: share of pixels on movers. `ego_speed`: share of frames that
    show a vehicle at the camera's own velocity. `cut_below`: share of frames with an object cut by the
    lower edge. `standing`: share of frames at a standstill. `warp_error`: mean absolute difference in 1/255
    over the pixels visible in both, when the next frame is warped to this one by true depth, pose and
    motion. `frames_per_second`: rendered per second of one processor.
    """
    chosen = range(min(100, drive.frames)) if indices is None else indices
    started = time.process_time()
    frames = [render(drive, index) for index in chosen]
    elapsed = time.process_time() - started
    flows = np.concatenate([static_flow(drive, frame) for frame in frames])
    known = {frame.index: frame for frame in frames}
    followed = [frame for frame in frames if frame.index + 1 < drive.frames]
    pairs = [(now, known.get(now.index + 1) or render(drive, now.index + 1)) for now in followed]
    shares = {
        "textured": [textured(frame).mean() for frame in frames],
        "moving": [moving_mask(drive, frame).mean() for frame in frames],
        "ego_speed": [shows_ego_speed(drive, frame) for frame in frames],
        "cut_below": [(frame.instances[-1] > 0).any() for frame in frames],
        "standing": [camera_step(drive, frame.index) < 1e-6 for frame in frames],
        "warp_error": [warp_error(drive, now, then) for now, then in pairs],
    }
    result = {f"flow_p{share}": float(np.percentile(flows, share)) for share in PERCENTILES}
    result |= {name: float(np.mean(values)) for name, values in shares.items() if values}
    return result | {"frames_per_second": len(frames) / max(elapsed, 1e-9)}


def table(measured: dict[str, float]) -> str:
    """The measurements as lines of text, each with its target where it has one."""
    lines = []
    for name, value in measured.items():
        sign = "<" if name == "warp_error" else ">="
        target = f"   (target {sign} {TARGETS[name]:g})" if name in TARGETS else ""
        lines.append(f"{name:18s}{value:9.3f}{target}")
    return "\n".join(lines)


def textured(frame: Frame) -> Bool[np.ndarray, "h w"]:
    """The pixels whose gray value changes by more than 2/255 to the right and below, taken together."""
    gray = frame.image.astype(np.float32) @ np.array([0.299, 0.587, 0.114], dtype=np.float32)
    across, down = np.diff(gray, axis=1, append=gray[:, -1:]), np.diff(gray, axis=0, append=gray[-1:])
    return np.asarray(np.hypot(across, down) > 2)


def static_flow(drive: Drive, frame: Frame) -> Float[np.ndarray, " k"]:
    """Length in pixels of the optical flow to the next frame on everything that stands still."""
    flow, ahead = _pixels(drive, frame)
    still = (frame.bodies.ravel() == 0) & (frame.depth.ravel() > 0) & ahead
    height, width = frame.depth.shape
    y, x = np.divmod(np.flatnonzero(still), width)
    return np.asarray(np.hypot(flow[0, still] - x, flow[1, still] - y))


def warp_error(drive: Drive, target: Frame, source: Frame) -> float:
    """Mean absolute difference in 1/255 of a target and its source read where truth says, where both see it.

    Visible is decided by a ray from the source's camera to the very point. Exposure is undone first.
    """
    pixels, ahead = _pixels(drive, target)
    height, width = target.depth.shape
    inside = ahead & (target.depth.ravel() > 0) & (pixels >= 0).all(0)
    inside &= (pixels[0] <= width - 1) & (pixels[1] <= height - 1)
    where = np.flatnonzero(inside)
    fx, fy, cx, cy = intrinsics_of(drive.settings)
    x, y = (pixels[0, where] - cx) / fx, (pixels[1, where] - cy) / fy
    rays = Rays(source.pose, x.astype(np.float32), y.astype(np.float32), (1 / fx, 1 / fy))
    seen = look(drive.stage(source.index), rays)
    depth = moved_points(drive, target, source.index)[2, where]
    visible = where[np.abs(seen.nearness * depth - 1) < 0.01]
    at = pixels[:, visible].astype(np.float32)[:, None]
    picture = source.image.astype(np.float32) / source.gain
    read = np.concatenate([cv2.remap(picture, x, y, cv2.INTER_LINEAR)[0] for x, y in _chunks(at)])
    return float(np.abs(read - target.image.reshape(-1, 3)[visible] / target.gain).mean())


def _chunks(at: Float[np.ndarray, "2 1 n"]) -> list[Float[np.ndarray, "2 1 k"]]:
    return np.array_split(at, at.shape[-1] // 30000 + 1, axis=-1)


def _pixels(drive: Drive, frame: Frame) -> tuple[Float[np.ndarray, "2 n"], Bool[np.ndarray, " n"]]:
    """Where every pixel's point lies in the next picture, and whether it is ahead of the camera."""
    x, y, z = moved_points(drive, frame, frame.index + 1)
    fx, fy, cx, cy = intrinsics_of(drive.settings)
    ahead = z > 0.1
    safe = np.where(ahead, z, 1.0)
    return np.stack([fx * x / safe + cx, fy * y / safe + cy]), ahead


def camera_step(drive: Drive, index: int) -> float:
    """Metres that the camera travels over ground from a frame to the next."""
    step = drive.camera_pose(index + 1)[:3, 3] - drive.camera_pose(index)[:3, 3]
    return float(np.linalg.norm(step[[0, 2]]))


def shows_ego_speed(drive: Drive, frame: Frame) -> bool:
    """Whether a vehicle of at least 20 pixels moves with the camera, which itself moves.

    Their steps over ground differ by less than a fifth of the camera's.
    """
    eye = drive.camera_pose(frame.index + 1)[[0, 2], 3] - drive.camera_pose(frame.index)[[0, 2], 3]
    limit = 0.2 * float(np.linalg.norm(eye))
    instances, counts = np.unique(frame.instances, return_counts=True)
    large = instances[(counts >= 20) & (instances > 0)]
    poses = [drive.movers[instance - 1].poses[:, [0, 2], 3] for instance in large]
    steps = [place[frame.index + 1] - place[frame.index] for place in poses]
    return any(np.linalg.norm(step - eye) < limit for step in steps)
