"""How far a camera's path is from the truth. Poses are 4x4 camera-to-world matrices, meters or up to scale.

Source of the alignment: Umeyama 1991; of the snippets: Zhou et al. 2017 and Godard et al. 2019, reference
code; of the anchored errors: the KITTI odometry toolbox of Zhan.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from kinedepth.errors import KinedepthError
from kinedepth.evaluation.protocol import ODOMETRY_5_FRAMES, SnippetProtocol

Poses = Float[np.ndarray, "n 4 4"]
Points = Float[np.ndarray, "n 3"]


@dataclass(frozen=True)
class Trajectory:
    """Poses with the numbers of their frames, ascending."""

    frames: Int[np.ndarray, " n"]
    poses: Float[np.ndarray, "n 4 4"]


def read_kitti_poses(path: Path) -> Trajectory:
    """The poses of a KITTI text file (or .gz): 12 numbers a line, row by row, or the frame number and 12.

    Raises:
        KinedepthError: the file is missing, is no table of 12 or 13 finite numbers, or repeats a frame.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # an empty file, which is refused below
            table = np.loadtxt(path, dtype=np.float64, ndmin=2)
    except OSError as error:
        raise KinedepthError(f"{path} cannot be read: {error.strerror or error}.") from error
    except ValueError as error:
        raise KinedepthError(f"{path} is no table of poses: {error}.") from error
    if table.shape[1] not in (12, 13) or not np.isfinite(table).all():
        raise KinedepthError(f"{path}: a line of poses has 12 finite numbers, or a frame number before them.")
    frames = np.arange(len(table)) if table.shape[1] == 12 else table[:, 0].astype(np.int64)
    if (np.diff(frames) <= 0).any():
        raise KinedepthError(f"{path}: frame numbers must ascend; sort the lines and drop repeated frames.")
    return Trajectory(frames, _square(table[:, -12:].reshape(-1, 3, 4)))


def _square(top: Float[np.ndarray, "n 3 4"]) -> Poses:
    poses = np.tile(np.eye(4), (len(top), 1, 1))
    poses[:, :3] = top
    return poses


def common_poses(truth: Trajectory, predicted: Trajectory) -> tuple[Poses, Poses]:
    """The true and the predicted pose of every predicted frame, matched by frame number.

    Raises:
        KinedepthError: a predicted frame has no truth.
    """
    unknown = np.setdiff1d(predicted.frames, truth.frames)
    if unknown.size:
        raise KinedepthError(
            f"Frame {unknown[0]} is predicted and has no true pose; cut the prediction to the truth."
        )
    return truth.poses[np.isin(truth.frames, predicted.frames)], predicted.poses


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
    return float(np.linalg.norm(_least_squares_scale(shifted, truth) * shifted - truth) / len(truth))


def _least_squares_scale(predicted: Points, truth: Points) -> float:
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
) -> SnippetErrors:
    """The error of every window of a sequence, from steps next_from_current.

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
    windows = [slice(start, start + length) for start in range(starts)]
    return SnippetErrors(
        protocol, np.array([_window_error(predicted_steps[window], true_steps[window]) for window in windows])
    )


def _window_error(
    predicted_steps: Float[np.ndarray, "k 4 4"], true_steps: Float[np.ndarray, "k 4 4"]
) -> float:
    return snippet_error(positions(accumulated(predicted_steps)), positions(accumulated(true_steps)))


# Whole trajectories


@dataclass(frozen=True)
class Similarity:
    """What maps source to target: scale * rotation @ source + translation."""

    scale: float
    rotation: Float[np.ndarray, "3 3"]
    translation: Float[np.ndarray, "3"]

    def apply(self, points: Points) -> Points:
        """The points after scale, rotation and translation."""
        return np.asarray(self.scale * points @ self.rotation.T + self.translation)


def umeyama(source: Points, target: Points, with_scale: bool = True) -> Similarity:
    """The similarity (or rigid motion) that brings `source` nearest to `target` in squared distance.

    Source: Umeyama 1991, equations 39 to 42.

    Raises:
        KinedepthError: the scale is asked for and the source is a single point.
    """
    source_mean, target_mean = source.mean(axis=0), target.mean(axis=0)
    spread = float(np.mean(np.sum((source - source_mean) ** 2, axis=1)))
    if with_scale and spread == 0:
        raise KinedepthError("The predicted camera never moves: its path has no scale that could be aligned.")
    left, singular, right = np.linalg.svd((target - target_mean).T @ (source - source_mean) / len(source))
    mirror = np.array([1.0, 1.0, np.sign(np.linalg.det(left) * np.linalg.det(right))])
    rotation = left * mirror @ right
    scale = float(np.sum(singular * mirror)) / spread if with_scale else 1.0
    return Similarity(scale, rotation, target_mean - scale * rotation @ source_mean)


def _scaled(factor: float) -> Similarity:
    return Similarity(factor, np.eye(3), np.zeros(3))


ALIGNMENTS: dict[str, Callable[[Points, Points], Similarity]] = {
    "none": lambda predicted, truth: _scaled(1.0),
    "scale": lambda predicted, truth: _scaled(_least_squares_scale(predicted, truth)),
    "scale_7dof": lambda predicted, truth: _scaled(umeyama(predicted, truth).scale),
    "6dof": lambda predicted, truth: umeyama(predicted, truth, with_scale=False),
    "7dof": umeyama,
}
"""What is taken from a whole path before it is judged. `scale` is least squares through the first pose;
`scale_7dof` takes only the scale of the similarity."""


def trajectory_error(predicted: Poses, truth: Poses, align: str = "7dof") -> float:
    """The root mean squared distance of the camera's positions, after the alignment, in the truth's unit.

    Both paths are seen from their first camera before they are aligned.

    Raises:
        KinedepthError: no such alignment, or the predicted camera never moves and its scale is asked for.
    """
    if align not in ALIGNMENTS:
        raise KinedepthError(f"There is no alignment {align!r}; choose from {', '.join(ALIGNMENTS)}.")
    path, true_path = positions(anchored(predicted)), positions(anchored(truth))
    distances = ALIGNMENTS[align](path, true_path).apply(path) - true_path
    return float(np.sqrt(np.mean(np.sum(distances**2, axis=1))))
