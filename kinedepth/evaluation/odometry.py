"""Paths as poses and as steps, and their error over short windows.

Poses are 4x4 camera-to-world matrices, meters or up to scale. Source of the windows: Zhou et al. 2017 and
Godard et al. 2019, reference code. Whole paths are in `trajectory.py`, their drift in `drift.py`.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from kinedepth.errors import KinedepthError
from kinedepth.evaluation.protocol import ODOMETRY_5_FRAMES, SnippetProtocol

Poses = Float[np.ndarray, "n 4 4"]
Points = Float[np.ndarray, "n 3"]


def accumulated(steps: Float[np.ndarray, "k 4 4"]) -> Float[np.ndarray, "n 4 4"]:
    """The k + 1 poses that begin at the identity: each is the one before, times the step.

    With steps current_from_next (the inverse of what a pose network says, next_from_current) these are
    camera-to-world.
    """
    poses = [np.eye(4)]
    for step in steps:
        poses.append(poses[-1] @ step)
    return np.stack(poses)


def relative_steps(poses: Poses) -> Float[np.ndarray, "k 4 4"]:
    """The step from each camera to the next, next_from_current: what a pose network predicts."""
    return np.asarray(np.linalg.inv(poses[1:]) @ poses[:-1])


def anchored(poses: Poses) -> Poses:
    """The same path, seen from its first camera."""
    return np.asarray(np.linalg.inv(poses[0]) @ poses)


def positions(poses: Poses) -> Points:
    """Where the camera is."""
    return np.asarray(poses[:, :3, 3])


# Snippets


def snippet_error(predicted: Points, truth: Points) -> float:
    """The root of the summed squared distances, divided by the number of points, after a least-squares scale.

    Not a root mean square, which is the root of the number of points times larger; so the field prints it.
    """
    shifted = predicted + (truth[0] - predicted[0])
    return float(np.linalg.norm(least_squares_scale(shifted, truth) * shifted - truth) / len(truth))


def least_squares_scale(predicted: Points, truth: Points) -> float:
    """The factor that brings `predicted` nearest to `truth` about the origin; 1 at rest. Least squares."""
    energy = float(np.sum(predicted**2))
    # A path that stands at the origin is not made right or wrong by any scale.
    return float(np.sum(truth * predicted) / energy) if energy > 0 else 1.0


@dataclass(frozen=True)
class SnippetErrors:
    """The error of every window, and the protocol that they were taken under."""

    protocol: SnippetProtocol
    errors: Float[np.ndarray, " n"]

    @property
    def mean(self) -> float:
        """Over windows."""
        return float(np.mean(self.errors))

    @property
    def std(self) -> float:
        """Over windows, of the population."""
        return float(np.std(self.errors))

    def __str__(self) -> str:
        """The result as the field prints it, and what it is."""
        windows = f"{len(self.errors)} windows; {self.protocol}"
        return f"Trajectory error: {self.mean:0.3f}, std: {self.std:0.3f} ({windows})"


def snippet_errors(
    predicted_steps: Float[np.ndarray, "k 4 4"],
    true_steps: Float[np.ndarray, "m 4 4"],
    protocol: SnippetProtocol = ODOMETRY_5_FRAMES,
    known: Bool[np.ndarray, " k"] | None = None,
) -> SnippetErrors:
    """The error of every window of a sequence, from steps next_from_current.

    `known` is false for a step over missing frames: windows with such a step are left out.

    Raises:
        KinedepthError: the sequence is shorter than a window, or the numbers of steps differ.
    """
    if len(predicted_steps) != len(true_steps):
        raise KinedepthError(
            f"{len(predicted_steps)} predicted steps and {len(true_steps)} true ones: match them first."
        )
    length = protocol.frames - 1
    if len(true_steps) < length:
        raise KinedepthError(
            f"{len(true_steps) + 1} frames are too few for {protocol.name}: give {length + 1}."
        )
    if protocol.path == "camera":
        predicted_steps, true_steps = np.linalg.inv(predicted_steps), np.linalg.inv(true_steps)
    starts = len(true_steps) if protocol.truncated else len(true_steps) - length + 1
    windows = (slice(start, start + length) for start in range(starts))
    whole = [window for window in windows if known is None or known[window].all()]
    if not whole:
        raise KinedepthError(f"Frames are missing in every window of {protocol.name}: predict all frames.")
    errors = [_window_error(predicted_steps[window], true_steps[window]) for window in whole]
    return SnippetErrors(protocol, np.array(errors))


def _window_error(
    predicted_steps: Float[np.ndarray, "k 4 4"], true_steps: Float[np.ndarray, "k 4 4"]
) -> float:
    return snippet_error(positions(accumulated(predicted_steps)), positions(accumulated(true_steps)))
