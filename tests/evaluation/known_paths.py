"""Paths of known shape, and files of them."""

import math
from pathlib import Path

import numpy as np

from kinedepth.evaluation.odometry import accumulated


def step(angle: float, translation: tuple[float, float, float]) -> np.ndarray:
    """A turn about y, then a translation."""
    cos, sin = math.cos(angle), math.sin(angle)
    matrix = np.eye(4)
    matrix[:3, :3] = [[cos, 0, sin], [0, 1, 0], [-sin, 0, cos]]
    matrix[:3, 3] = translation
    return matrix


def winding_drive() -> tuple[np.ndarray, np.ndarray]:
    """A winding drive of 1,201 frames: a prediction with drift in angle and scale, and the truth."""
    angles = [0.01 * math.sin(2 * math.pi * k / 300) for k in range(1200)]
    truth = accumulated(np.stack([step(angle, (0, 0, 1.0)) for angle in angles]))
    predicted = [step(angle + 2e-4, (0, 0, 0.05 * (1 + 0.1 * k / 1201))) for k, angle in enumerate(angles)]
    return accumulated(np.stack(predicted)), truth


def straight_drive(count: int, length: float = 1.0) -> np.ndarray:
    """So many poses, each `length` ahead of the one before."""
    return accumulated(np.stack([step(0, (0, 0, length))] * (count - 1)))


def kitti_text(poses: np.ndarray, frames: list[int] | None = None) -> str:
    """A KITTI file with all digits; with frame numbers where they are given."""
    heads = [""] * len(poses) if frames is None else [f"{frame} " for frame in frames]
    bodies = [" ".join(map(repr, row.tolist())) for row in poses[:, :3].reshape(-1, 12)]
    return "".join(f"{head}{body}\n" for head, body in zip(heads, bodies, strict=True))


def tum_text(poses: np.ndarray, stamps: list[float]) -> str:
    """A TUM file of poses that turn about y alone."""
    lines = ["# timestamp tx ty tz qx qy qz qw"]
    for stamp, pose in zip(stamps, poses, strict=True):
        angle = math.atan2(pose[0, 2], pose[0, 0])
        numbers = (*pose[:3, 3].tolist(), 0.0, math.sin(angle / 2), 0.0, math.cos(angle / 2))
        lines.append(f"{stamp!r} " + " ".join(map(repr, numbers)))
    return "\n".join(lines) + "\n"


def write(path: Path, text: str) -> Path:
    """Writes a file, and its folder."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path
