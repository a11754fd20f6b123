"""How far the picture moves from frame to frame: what the gap, standstill and cuts are chosen by.

Corners, spread over the picture, are followed from one small gray frame to the next and back again (pyramidal
Lucas-Kanade: Bouguet 2000; corners: Shi and Tomasi 1994). The median of their ways is what the camera's own
motion gives: cars that cross a standing camera's view move a minority of the corners.
"""

import math
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

Gray = UInt8[np.ndarray, "h w"]

WIDTH = 320
"""Pixels; wider frames are made so small before they are looked at."""

USUAL = 0.012
"""Share of the width that KITTI moves from frame to frame at 10 Hz.

Measured here: 1.2 % is the median of drive 2011_09_26_0095 (1.22 %) and of odometry 00 (1.19 %)."""

STILL = 5e-4
"""What moves less, as a share of the width, stands: a standing camera shows 0.004 %, KITTI at least 0.5 %."""

WINDOW = 10
"""Frames over which creeping and noise are told apart: noise does not add up."""

# A pair of which so few corners are found again is a cut, if the pictures are also unlike each other.
# KITTI at 10 Hz keeps at least 0.5 of them, also in sharp turns; frames of other places 0.05 at most.
_FOLLOWED = 0.15
_LIKENESS = 0.75

# What still stands of a tripod's video when a tram goes by.
_MOVING_SHARE = 0.1

_GRID, _IN_CELL = (4, 8), 6
_FEW = 8
_FOLLOW: dict[str, Any] = {"winSize": (15, 15), "maxLevel": 4, "criteria": (3, 20, 0.01)}
_BACK = 0.5
_FLATTEST = 1e-4
# Mean difference of two frames that are one frame, encoded twice, in gray steps.
_SAME = 0.5


@dataclass(frozen=True)
class PairMotion:
    """What happened between two frames."""

    displacement: float
    """The median way of all corners, as a share of the width; nan where none could be followed."""
    followed: float
    """Share of the corners that were found again, 0 to 1."""
    likeness: float
    """Correlation of the two pictures at thumbnail size, -1 to 1; changes of exposure do not count."""

    @property
    def cut(self) -> bool:
        """Whether the two frames show different scenes."""
        return self.followed < _FOLLOWED and self.likeness < _LIKENESS


def displacement(first: Gray, second: Gray) -> PairMotion:
    """How far the picture moved from the first frame to the second, both at most `WIDTH` wide."""
    if float(cv2.absdiff(first, second).mean()) < _SAME and _blind(first):
        return PairMotion(0.0, 1.0, 1.0)
    likeness = _likeness(first, second)
    start = corners(first)
    if len(start) < _FEW:
        return PairMotion(math.nan, 0.0, likeness)
    moved, found = _followed(first, second, start)
    back, again = _followed(second, first, moved)
    good = found & again & (np.linalg.norm(back - start, axis=1) < _BACK)
    ways = np.linalg.norm(moved[good] - start[good], axis=1)
    median = float(np.median(ways)) / first.shape[1] if len(ways) else math.nan
    return PairMotion(median, float(good.mean()), likeness)


def _followed(
    first: Gray, second: Gray, pixels: Float[np.ndarray, "n 2"]
) -> tuple[Float[np.ndarray, "n 2"], Bool[np.ndarray, " n"]]:
    """Where pixels (x, y) of the first frame are in the second, and whether they were found."""
    empty = np.empty((len(pixels), 1, 2), np.float32)
    moved, found, _ = cv2.calcOpticalFlowPyrLK(first, second, pixels[:, None], empty, **_FOLLOW)
    return np.asarray(moved)[:, 0], np.asarray(found)[:, 0] > 0


def _blind(gray: Gray) -> bool:
    """Whether there is nothing to follow: darkness, fog, a lens cap."""
    return len(corners(gray)) < _FEW


def corners(gray: Gray) -> Float[np.ndarray, "n 2"]:
    """Pixels (x, y) that can be told from their surroundings, the best few in each cell of a grid."""
    quality = cv2.cornerMinEigenVal(gray, 5)
    peak = (quality == cv2.dilate(quality, np.ones((5, 5)))) & (quality > _FLATTEST)
    rows, columns = np.nonzero(peak)
    cell = (rows * _GRID[0] // gray.shape[0]) * _GRID[1] + columns * _GRID[1] // gray.shape[1]
    best = np.lexsort((-quality[rows, columns], cell))
    ordered = cell[best]
    place = np.arange(len(best)) - np.searchsorted(ordered, ordered)
    kept = best[place < _IN_CELL]
    return np.stack((columns[kept], rows[kept]), axis=1).astype(np.float32)


def _likeness(first: Gray, second: Gray) -> float:
    size = (32, max(4, round(32 * first.shape[0] / first.shape[1])))
    one, two = (
        cv2.resize(gray, size, interpolation=cv2.INTER_AREA).astype(np.float64) for gray in (first, second)
    )
    one, two = one - one.mean(), two - two.mean()
    energy = math.sqrt(float((one**2).sum() * (two**2).sum()))
    return float((one * two).sum()) / energy if energy > 1 else 1.0


@dataclass(frozen=True)
class Motion:
    """What happened between each frame of a sequence and the next: arrays of one entry fewer than frames."""

    displacement: Float[np.ndarray, " n"] = field(default_factory=lambda: np.zeros(0))
    """Share of the width; nan where nothing could be followed, and at cuts."""
    cut: Bool[np.ndarray, " n"] = field(default_factory=lambda: np.zeros(0, bool))
    """The two frames show different scenes."""
    still: Bool[np.ndarray, " n"] = field(default_factory=lambda: np.zeros(0, bool))
    """The camera stands: nothing moved, nor over the frames around."""

    @cached_property
    def median(self) -> float:
        """The median displacement of a frame, a share of the width; 0 where nothing was measured."""
        known = self.displacement[np.isfinite(self.displacement)]
        return float(np.median(known)) if len(known) else 0.0

    @cached_property
    def pace(self) -> float:
        """The usual displacement of a frame while the camera moves, a share of the width.

        The median over blocks of `WINDOW` frames that move, so that neither waiting at lights nor the doubled
        frames of a re-encoded video count.
        """
        way = np.where(self.still, 0.0, self.displacement)
        blocks = [way[i : i + WINDOW] for i in range(0, len(way), WINDOW)]
        known = [block[np.isfinite(block)] for block in blocks]
        means = [float(block.mean()) for block in known if len(block) and block.sum() > STILL]
        return float(np.median(means)) if means else 0.0

    @property
    def doubled(self) -> int:
        """How many frames repeat the one before while the camera moves."""
        return int(((self.displacement < STILL / 5) & ~self.still).sum())

    @property
    def standing(self) -> bool:
        """Whether the camera stands all the time, but for what could be a lorry that passes."""
        if not len(self.still):
            return False
        moving = ~self.still & ~(self.displacement < STILL / 5)
        return float(moving.mean()) < _MOVING_SHARE

    @cached_property
    def way(self) -> Float[np.ndarray, " m"]:
        """How far the picture moved until each frame, back and forth added up; one entry a frame."""
        usual = self.pace or USUAL
        each = np.where(self.still, 0.0, np.where(np.isfinite(self.displacement), self.displacement, usual))
        return np.concatenate(([0.0], np.cumsum(each)))

    @cached_property
    def shot(self) -> Int[np.ndarray, " m"]:
        """The number of the shot that each frame belongs to, from 0."""
        return np.concatenate(([0], np.cumsum(self.cut)))


def motion_of(frames: Iterable[Gray]) -> Motion:
    """The motion of small gray frames in order, `WINDOW` of them at a time in memory."""
    pairs: list[PairMotion] = []
    drift: list[float] = []
    for pair, over_window in _pairs(frames):
        pairs.append(pair)
        drift.append(over_window)
    cut = np.array([pair.cut for pair in pairs], bool)
    moved = np.array([math.nan if pair.cut else pair.displacement for pair in pairs])
    return Motion(moved, cut, (moved < STILL) & _near(np.array(drift) < STILL))


def _pairs(frames: Iterable[Gray]) -> Iterator[tuple[PairMotion, float]]:
    """Each pair's motion, and where that is small also the displacement since `WINDOW` frames ago."""
    held: deque[Gray] = deque(maxlen=WINDOW)
    for frame in frames:
        if held:
            pair = displacement(held[-1], frame)
            far = displacement(held[0], frame).displacement if pair.displacement < STILL else math.nan
            yield pair, far
        held.append(frame)


def _near(still: Bool[np.ndarray, " n"]) -> Bool[np.ndarray, " n"]:
    """Which pairs lie in a window, ending with one of these, over which nothing moved."""
    ends = np.concatenate((still, np.zeros(WINDOW, bool)))
    found = np.zeros(len(still), bool)
    for ahead in range(WINDOW - 1):
        found |= ends[ahead : ahead + len(still)]
    return found
