"""What stays in the picture of a camera while the world moves: edges, and how much each pixel changes.

The mean of many frames blurs what moves; an edge that is left in the mean of every part of the time stands
still. Where a camera drives straight ahead, lane marks and rails stay too, but they run towards the point
that everything comes from; an edge that crosses such lines and stays belongs to the camera.

Source: ours. Everything is measured at a small size, in 8-bit gray levels.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Float32, UInt8

_PARTS = 4
_TEXTURED = 3.0
_CROSSING = 0.4


@dataclass(frozen=True)
class Still:
    """What a clip says of each pixel, at the working size."""

    edge: Float32[np.ndarray, "2 h w"]
    """Gradient of the mean picture (x, y), gray levels a pixel."""
    stays: Float32[np.ndarray, "h w"]
    """The least of this edge in the means of parts of the time; small where edges move."""
    share: Float32[np.ndarray, "h w"]
    """`stays` over the mean strength of edges in single frames: near 1 where an edge is always there."""
    strength: Float32[np.ndarray, "h w"]
    """The mean strength of edges in single frames."""
    change: Float32[np.ndarray, "h w"]
    """Mean absolute deviation in time, gray levels."""

    @property
    def moves(self) -> Bool[np.ndarray, "h w"]:
        """Where there is texture and it does not stay."""
        return (self.strength > _TEXTURED) & (self.share < 0.4)

    @property
    def moving(self) -> float:
        """The share of textured pixels whose edges do not stay."""
        textured = self.strength > _TEXTURED
        return float(self.moves[textured].mean()) if textured.any() else 0.0


def _gradient(gray: UInt8[np.ndarray, "h w"]) -> Float32[np.ndarray, "2 h w"]:
    smooth = cv2.GaussianBlur(gray.astype(np.float32), (0, 0), 0.7)
    along = [cv2.Sobel(smooth, cv2.CV_32F, *axis, ksize=3) / 8 for axis in ((1, 0), (0, 1))]
    return np.stack(along)


def still(clip: UInt8[np.ndarray, "n h w"]) -> Still:
    """What stays in gray frames in order of time."""
    gradients = np.stack([_gradient(gray) for gray in clip])
    strength = np.hypot(gradients[:, 0], gradients[:, 1]).mean(0)
    edge = gradients.mean(0)
    normal = edge / (np.hypot(*edge) + 1e-6)
    parts = np.stack([part.mean(0) for part in np.array_split(gradients, _PARTS)])
    stays = (parts * normal).sum(1).min(0).clip(0)
    change = np.abs(clip - np.median(clip, axis=0)).mean(0)
    return Still(edge, stays, stays / (strength + 0.5), strength, change.astype(np.float32))


def source_of_motion(seen: Still) -> Float32[np.ndarray, " 2"]:
    """The pixel (x, y) that streaks of the mean picture point to; near the middle where they say little."""
    height, width = seen.change.shape
    y, x = np.mgrid[:height, :width].astype(np.float32)
    upper = slice(0, int(0.8 * height))
    strength = np.hypot(*seen.edge)[upper].ravel()
    normal = seen.edge[:, upper].reshape(2, -1) / (strength + 1e-6)
    places = np.stack((x[upper].ravel(), y[upper].ravel()))
    middle = np.array((width / 2, height / 2), dtype=np.float32)
    point, prior = middle, 0.02 * strength.sum() * np.eye(2)
    for _ in range(10):
        distance = ((places - point[:, None]) * normal).sum(0)
        weight = strength / (1 + (distance / (0.05 * width)) ** 2)
        matrix = (weight * normal) @ normal.T + prior
        aim = (weight * (places * normal).sum(0) * normal).sum(1) + prior @ middle
        point = np.linalg.solve(matrix, aim).astype(np.float32)
    return np.asarray(np.clip(point, middle * 0.4, middle * 1.6), dtype=np.float32)


def outward_from(seen: Still) -> Float32[np.ndarray, "2 h w"]:
    """The direction (x, y) in which what is seen moves at each pixel as the camera drives ahead."""
    height, width = seen.change.shape
    y, x = np.mgrid[:height, :width].astype(np.float32)
    point = source_of_motion(seen)
    ray = np.stack((x - point[0], y - point[1]))
    return np.asarray(ray / (np.hypot(*ray) + 1e-6), dtype=np.float32)


def rim_evidence(seen: Still, outward: Float32[np.ndarray, "2 h w"]) -> Float32[np.ndarray, "2 h w"]:
    """How much speaks for the rim of something fixed at each pixel, 0 to 1: across the motion, and in all.

    An edge that stays, or a fall of change away from where everything comes from.
    """
    along = np.abs((outward * seen.edge).sum(0)) / (np.hypot(*seen.edge) + 1e-6)
    rim = np.where(seen.share > 0.3, seen.stays / 6, 0).clip(0, 1)
    level = cv2.GaussianBlur(np.log2(seen.change + 0.5), (0, 0), 1.5)
    fall = -np.stack([cv2.Sobel(level, cv2.CV_32F, *axis, ksize=3) / 8 for axis in ((1, 0), (0, 1))])
    steep = (fall * outward).sum(0)
    step = (fall[1] / 0.4).clip(0, 1)
    across = np.stack((along > _CROSSING, steep > _CROSSING * np.hypot(*fall)))
    kinds = np.stack((rim, step))
    evidence = [1 - np.prod(1 - kind, axis=0) for kind in (kinds * across, kinds)]
    return np.stack(evidence).astype(np.float32)
