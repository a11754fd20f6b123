"""Whole paths: alignment, distance to the truth (ATE), error between neighboring frames (RPE).

Poses are 4x4 camera-to-world matrices. Sources: Umeyama 1991 for the alignment; Sturm et al. 2012 for both
errors; the KITTI odometry toolbox of Zhan and evo for what is printed under each name.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float

from kinedepth.errors import KinedepthError
from kinedepth.evaluation.odometry import Points, Poses, least_squares_scale, positions
from kinedepth.inference.poses import nearest_rotation

Angle = Literal["trace", "logarithm"]
"""`trace`: arccos((trace - 1) / 2), as the toolbox; printed digits show in it below a tenth of a degree.
`logarithm`: of the nearest rotation, as evo."""


@dataclass(frozen=True)
class Statistics:
    """Errors over the poses of a path, summed up; all nan where there is none."""

    rmse: float
    mean: float
    median: float
    std: float
    """Of the population."""
    max: float
    count: int


def statistics(errors: Float[np.ndarray, " n"]) -> Statistics:
    """What evo prints of a list of errors."""
    if not errors.size:
        nan = float("nan")
        return Statistics(nan, nan, nan, nan, nan, 0)
    return Statistics(
        float(np.sqrt(np.mean(errors**2))),
        float(np.mean(errors)),
        float(np.median(errors)),
        float(np.std(errors)),
        float(np.max(errors)),
        len(errors),
    )


@dataclass(frozen=True)
class Similarity:
    """What maps source to target: scale * rotation @ source + translation."""

    scale: float
    rotation: Float[np.ndarray, "3 3"]
    translation: Float[np.ndarray, "3"]

    def apply(self, points: Points) -> Points:
        """The points after scale, rotation and translation."""
        return np.asarray(self.scale * points @ self.rotation.T + self.translation)

    def move(self, poses: Poses) -> Poses:
        """The poses after it: places are scaled, then all is turned and shifted."""
        moved = poses.copy()
        moved[:, :3, :3] = self.rotation @ poses[:, :3, :3]
        moved[:, :3, 3] = self.apply(positions(poses))
        return moved


def umeyama(source: Points, target: Points, with_scale: bool = True) -> Similarity:
    """The similarity (or rigid motion) that brings `source` nearest to `target` in squared distance.

    On a straight path the turn about the line is free; the distance that remains is not. Source: Umeyama
    1991, equations 39 to 42.

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


def is_straight(source: Points, target: Points) -> bool:
    """Whether a path is so straight, or at rest, that the turn of an alignment is not determined.

    evo refuses to align such paths.
    """
    covariance = (target - target.mean(axis=0)).T @ (source - source.mean(axis=0)) / len(source)
    singular = np.linalg.svd(covariance, compute_uv=False)
    return bool(singular[1] <= 1e-9 * singular[0] or singular[0] == 0)


def _scaled(factor: float) -> Similarity:
    return Similarity(factor, np.eye(3), np.zeros(3))


ALIGNMENTS: dict[str, Callable[[Points, Points], Similarity]] = {
    "none": lambda predicted, truth: _scaled(1.0),
    "scale": lambda predicted, truth: _scaled(least_squares_scale(predicted, truth)),
    "scale_7dof": lambda predicted, truth: _scaled(umeyama(predicted, truth).scale),
    "6dof": lambda predicted, truth: umeyama(predicted, truth, with_scale=False),
    "7dof": umeyama,
}
"""What is taken from a whole path before it is judged. `scale` is least squares through the first pose;
`scale_7dof` takes only the scale of the similarity."""


def aligned(predicted: Poses, truth: Poses, align: str = "7dof") -> Poses:
    """The predicted poses after an alignment to the true ones of the same frames.

    Raises:
        KinedepthError: no such alignment, or the predicted camera never moves and its scale is asked for.
    """
    if align not in ALIGNMENTS:
        raise KinedepthError(f"There is no alignment {align!r}; choose from {', '.join(ALIGNMENTS)}.")
    return ALIGNMENTS[align](positions(predicted), positions(truth)).move(predicted)


def distances(predicted: Poses, truth: Poses) -> Float[np.ndarray, " n"]:
    """How far each camera is from the true one."""
    return np.asarray(np.linalg.norm(positions(predicted) - positions(truth), axis=1))


@dataclass(frozen=True)
class RelativeErrors:
    """The error of every step between neighboring frames."""

    translation: Float[np.ndarray, " k"]
    """In the truth's unit."""
    rotation: Float[np.ndarray, " k"]
    """Degrees."""


def relative_errors(
    predicted: Poses, truth: Poses, neighbors: Bool[np.ndarray, " k"] | None = None, angle: Angle = "trace"
) -> RelativeErrors:
    """What is left of each predicted step after the true one is undone; both paths in one unit.

    `neighbors` is false for a step over missing frames, which is left out. With the angle by `logarithm`
    rotations are undone by their transpose, as in evo: on truth with seven printed digits a difference of
    1e-6.
    """
    undone = _rigid_inverse if angle == "logarithm" else np.linalg.inv
    steps = undone(predicted[:-1]) @ predicted[1:]
    true_steps = undone(truth[:-1]) @ truth[1:]
    left = undone(true_steps) @ steps
    left = left if neighbors is None else left[neighbors]
    turn = rotation_angles(left[:, :3, :3], angle)
    return RelativeErrors(np.asarray(np.linalg.norm(left[:, :3, 3], axis=1)), np.degrees(turn))


def _rigid_inverse(poses: Poses) -> Poses:
    inverse = poses.copy()
    inverse[:, :3, :3] = np.swapaxes(poses[:, :3, :3], 1, 2)
    inverse[:, :3, 3] = -np.einsum("nij,nj->ni", inverse[:, :3, :3], poses[:, :3, 3])
    return inverse


def rotation_angles(rotations: Float[np.ndarray, "n 3 3"], angle: Angle = "trace") -> Float[np.ndarray, " n"]:
    """By how much each rotation turns, in radians, 0 to pi."""
    if angle == "logarithm":
        rotations = nearest_rotation(rotations)
        axis = rotations[:, (2, 0, 1), (1, 2, 0)] - rotations[:, (1, 2, 0), (2, 0, 1)]
        turn = np.arctan2(np.linalg.norm(axis, axis=1), np.trace(rotations, axis1=1, axis2=2) - 1)
        return np.asarray(turn)
    return np.asarray(np.arccos(np.clip((np.trace(rotations, axis1=1, axis2=2) - 1) / 2, -1, 1)))
