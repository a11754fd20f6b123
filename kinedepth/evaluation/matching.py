"""Which predicted pose belongs to which true one: by frame number or by time, never by order alone.

Order is taken only where both files have as many lines and none of them carries a number: then line and
frame are the same thing, as KITTI defines it.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from kinedepth.errors import KinedepthError, listed
from kinedepth.evaluation.pose_files import Trajectory

FEWEST = 3
"""Common poses below which there is nothing to align."""
_NAMED = 8
_GAP = 1.5
"""Median intervals of the sparser file beyond which two times are no neighbors."""


@dataclass(frozen=True)
class Matched:
    """Predicted poses with their true ones, and what is left over on both sides."""

    predicted: Float[np.ndarray, "n 4 4"]
    truth: Float[np.ndarray, "m 4 4"]
    """All true poses along which distance is counted: of every frame, or at the matched times."""
    places: Int[np.ndarray, " n"]
    """The true pose of each predicted one."""
    names: tuple[str, ...]
    """Frame number or time of each predicted pose."""
    neighbors: Bool[np.ndarray, " k"]
    """Whether no frame is missing between a predicted pose and the next."""
    how: str
    """By what they were matched, for people."""
    missing: tuple[str, ...] = ()
    """True frames without a prediction."""
    unknown: tuple[str, ...] = ()
    """Predicted frames without a truth."""

    @property
    def true(self) -> Float[np.ndarray, "n 4 4"]:
        """The true pose of every predicted one."""
        return np.asarray(self.truth[self.places])

    @property
    def lines(self) -> list[str]:
        """How many were matched, by what, and which were not, for people."""
        said = [f"{len(self.places)} poses compared, matched {self.how}"]
        if self.missing:
            said.append(
                f"missing: {len(self.missing)} true frames have no prediction: {listed(self.missing, _NAMED)}"
            )
        if self.unknown:
            said.append(
                f"left out: {len(self.unknown)} predictions have no truth: {listed(self.unknown, _NAMED)}"
            )
        return said


def match(
    predicted: Trajectory,
    truth: Trajectory,
    tolerance: float | int | None = None,
    first_frame: int | None = None,
) -> Matched:
    """The poses that belong together.

    `tolerance` is how many seconds may lie between two times; by default half the median interval of the
    denser file. `first_frame` is the frame of the prediction's first line, for files without frame numbers
    that have fewer lines than the truth.

    Raises:
        KinedepthError: one file holds times and the other frames; lines without numbers are not as many as
            the truth's; fewer than three poses belong together.
    """
    if (predicted.stamps is None) != (truth.stamps is None):
        raise KinedepthError(
            f"{predicted.name} is a {predicted.form} file and {truth.name} a {truth.form} one: times and "
            "frame numbers cannot be matched, give both in one format."
        )
    if predicted.stamps is None:
        found = _by_number(predicted, truth, first_frame)
    else:
        found = _by_time(predicted, truth, tolerance)
    if len(found.places) < FEWEST:
        raise KinedepthError(
            f"{predicted.name} and {truth.name} have {len(found.places)} poses in common, too few: {FEWEST} "
            "are needed."
        )
    return found


def _by_number(predicted: Trajectory, truth: Trajectory, first_frame: int | None) -> Matched:
    assert truth.frames is not None
    frames, how = _numbers(predicted, truth, first_frame)
    known = np.isin(frames, truth.frames)
    places = np.searchsorted(truth.frames, frames[known])
    return Matched(
        predicted.poses[known],
        truth.poses,
        places.astype(np.int64),
        tuple(map(str, frames[known].tolist())),
        np.asarray(np.diff(frames[known]) == 1),
        how,
        tuple(map(str, np.setdiff1d(truth.frames, frames).tolist())),
        tuple(map(str, frames[~known].tolist())),
    )


def _numbers(
    predicted: Trajectory, truth: Trajectory, first_frame: int | None
) -> tuple[Int[np.ndarray, " n"], str]:
    """The frame of every predicted pose, and how it is known."""
    assert predicted.frames is not None
    assert truth.frames is not None
    if first_frame is not None and not predicted.numbered:
        return predicted.frames + first_frame, f"by line, the first one being frame {first_frame}"
    if predicted.numbered:
        return predicted.frames, "by frame number"
    if len(predicted.frames) == len(truth.frames):
        return truth.frames, "line by line (as many lines in both)"
    raise KinedepthError(
        f"{predicted.name} has {len(predicted.frames)} lines without frame numbers and {truth.name} has "
        f"{len(truth.frames)}: write the frame number before the 12 numbers of each line."
    )


def _by_time(predicted: Trajectory, truth: Trajectory, tolerance: float | int | None) -> Matched:
    assert predicted.stamps is not None
    assert truth.stamps is not None
    reach = min(_intervals(predicted.stamps, truth.stamps)) / 2 if tolerance is None else tolerance
    own, places = nearest_times(predicted.stamps, truth.stamps, reach)
    if not own.size:
        raise KinedepthError(
            f"No pose of {predicted.name} ({_span(predicted.stamps)}) is within {reach:.3g} s of one of "
            f"{truth.name} ({_span(truth.stamps)}): are the clocks different?"
        )
    alone = np.setdiff1d(np.arange(len(predicted.stamps)), own)
    default = ", half the median interval of the denser file" if tolerance is None else ""
    counts = f"{len(predicted.stamps)} predicted, {len(truth.stamps)} true"
    return Matched(
        predicted.poses[own],
        truth.poses[places],
        np.arange(len(own)),
        tuple(f"{stamp:.6f}" for stamp in predicted.stamps[own]),
        np.asarray(np.diff(truth.stamps[places]) < _GAP * max(_intervals(predicted.stamps, truth.stamps))),
        f"by time within {reach:.3g} s{default} ({counts})",
        unknown=tuple(f"{stamp:.6f} s" for stamp in predicted.stamps[alone]),
    )


def nearest_times(
    first: Float[np.ndarray, " n"], second: Float[np.ndarray, " m"], reach: float
) -> tuple[Int[np.ndarray, " k"], Int[np.ndarray, " k"]]:
    """Indices of the times that are each other's nearest and at most `reach` apart; both lists ascend."""
    to_second, to_first = _nearest(first, second), _nearest(second, first)
    own = np.arange(len(first))
    mutual = (to_first[to_second] == own) & (np.abs(second[to_second] - first) <= reach)
    return own[mutual], to_second[mutual]


def _nearest(times: Float[np.ndarray, " n"], others: Float[np.ndarray, " m"]) -> Int[np.ndarray, " n"]:
    right = np.clip(np.searchsorted(others, times), 1, max(1, len(others) - 1))
    left = right - 1
    right = np.minimum(right, len(others) - 1)
    closer = np.abs(others[right] - times) < np.abs(others[left] - times)
    return np.where(closer, right, left).astype(np.int64)


def _intervals(*stamps: Float[np.ndarray, " _"]) -> list[float]:
    """The median interval of each file with several poses; where none has, 0.02 s (evo's 0.01 s each way)."""
    return [float(np.median(np.diff(times))) for times in stamps if len(times) > 1] or [0.02]


def _span(stamps: Float[np.ndarray, " n"]) -> str:
    return f"{stamps[0]:.3f} to {stamps[-1]:.3f} s"
