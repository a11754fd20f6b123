"""The camera's path as frames come by, asked of a pose network at the distance in time that it learned.

A network that learned motion across `gap` frames is asked across as many: the motion between neighbours is
smaller than anything it saw. What it says is shared evenly among the frames between, as a camera moves that
changes neither its speed nor its turning.
"""

from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.linalg import fractional_matrix_power

from kinedepth.inference.poses import Matrices, Matrix, Trail, rigid


def share(second_from_first: Matrix, parts: int) -> Matrix:
    """The motion that, made `parts` times, is the whole one: its root in the group of rigid motions."""
    if parts == 1:
        return second_from_first
    return np.asarray(np.real(fractional_matrix_power(rigid(second_from_first), 1 / parts)))


class Odometer:
    """Give it the frames of a clip in order, then ask for `path`; it holds `gap` + 1 frames."""

    def __init__(self, pose: Callable[[Any, Any], Matrix], gap: int = 1) -> None:
        """Ask `pose` for second_from_first of two frames that lie `gap` apart in time."""
        self.pose, self.gap = pose, gap
        self._trail = Trail()
        self._frames: deque[Any] = deque(maxlen=gap + 1)
        self._waiting = 0

    def see(self, frame: Any) -> None:
        """The next frame."""
        if not self._frames:
            self._trail.begin()
            self._frames.append(frame)
            return
        self._frames.append(frame)
        self._waiting += 1
        if self._waiting == self.gap:
            self._move()

    def path(self) -> Matrices:
        """world_from_camera of every frame seen; the first camera is the world. To be asked at the end."""
        if self._waiting:
            self._move()
        return self._trail.matrices()

    def _move(self) -> None:
        # The last frames of a clip may be fewer than the gap: they share what was said of the last whole one.
        step = share(self.pose(self._frames[0], self._frames[-1]), len(self._frames) - 1)
        for _ in range(self._waiting):
            self._trail.move(step)
        self._waiting = 0
