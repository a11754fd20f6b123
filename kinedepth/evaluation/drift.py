"""Drift of a path: relative errors over segments of 100 m to 800 m, as KITTI judges odometry.

Source: Geiger et al. 2012 and the KITTI odometry toolbox of Zhan, whose numbers these are.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from kinedepth.evaluation.odometry import Poses, positions
from kinedepth.evaluation.trajectory import rotation_angles

LENGTHS = (100.0, 200.0, 300.0, 400.0, 500.0, 600.0, 700.0, 800.0)
STEP = 10
"""Frames between the starts of segments."""


@dataclass(frozen=True)
class Segments:
    """The relative error of every segment, all lengths in one list, in the order of their starts."""

    first: Int[np.ndarray, " n"]
    """Place of the start among the true poses."""
    last: Int[np.ndarray, " n"]
    length: Float[np.ndarray, " n"]
    """The nominal one, in the truth's unit: meters."""
    translation: Float[np.ndarray, " n"]
    """Error per length, without unit."""
    rotation: Float[np.ndarray, " n"]
    """Radians per meter."""

    @property
    def t_err(self) -> float:
        """Percent of the length, mean over all segments at once; nan where there is no segment."""
        return 100 * _mean(self.translation)

    @property
    def r_err(self) -> float:
        """Degrees per 100 m, mean over all segments at once; nan where there is no segment."""
        return 100 * float(np.degrees(_mean(self.rotation)))


def _mean(values: Float[np.ndarray, " n"]) -> float:
    return float(np.mean(values)) if values.size else float("nan")


def travelled(truth: Poses) -> Float[np.ndarray, " m"]:
    """How far the camera has come at each pose, along the true path."""
    steps = np.linalg.norm(np.diff(positions(truth), axis=0), axis=1)
    return np.concatenate([np.zeros(1), np.cumsum(steps)])


def drift_segments(
    predicted: Float[np.ndarray, "n 4 4"],
    truth: Float[np.ndarray, "m 4 4"],
    places: Int[np.ndarray, " n"],
    step: int = STEP,
    lengths: Sequence[float] = LENGTHS,
) -> Segments:
    """The segments that start at every `step`-th true pose, for predictions in the truth's unit.

    `places` says to which true pose each prediction belongs, ascending. A segment ends at the first pose
    strictly further along the true path than its length; it is left out where the path ends before, or
    where either end has no prediction.
    """
    along = travelled(truth)
    first = np.repeat(np.arange(0, len(truth), step), len(lengths))
    length = np.tile(np.asarray(lengths, dtype=np.float64), len(first) // len(lengths))
    last = np.searchsorted(along, along[first] + length, side="right")
    kept = (last < len(truth)) & np.isin(first, places) & np.isin(last, places)
    first, last, length = first[kept], last[kept], length[kept]
    own, own_end = (predicted[np.searchsorted(places, ends)] for ends in (first, last))
    moved, truly = np.linalg.inv(own) @ own_end, np.linalg.inv(truth[first]) @ truth[last]
    error = np.linalg.inv(moved) @ truly
    return Segments(
        first.astype(np.int64),
        last.astype(np.int64),
        length,
        np.asarray(np.linalg.norm(error[:, :3, 3], axis=1) / length),
        rotation_angles(error[:, :3, :3]) / length,
    )
