"""A path asked for at the distance in time that was learned."""

from typing import Any

import numpy as np
import pytest
from scipy.linalg import expm

from kinedepth.inference.odometer import Odometer, share
from kinedepth.inference.poses import chained


def step(turn: float, along: tuple[float, float, float]) -> np.ndarray:
    """The rigid motion of a twist about the vertical."""
    twist = np.zeros((4, 4))
    twist[0, 2], twist[2, 0] = turn, -turn
    twist[:3, 3] = along
    return np.asarray(expm(twist))


@pytest.mark.parametrize("parts", [1, 2, 3, 6])
def test_a_share_made_so_often_is_the_whole(parts: int) -> None:
    whole = step(0.3, (0.2, -0.1, -2.0))
    np.testing.assert_allclose(np.linalg.matrix_power(share(whole, parts), parts), whole, atol=1e-12)


@pytest.mark.parametrize("gap", [1, 2, 3, 4, 6, 20])
@pytest.mark.parametrize("count", [2, 3, 7, 9])
def test_an_even_path_is_the_same_at_every_gap(gap: int, count: int) -> None:
    each = step(0.02, (0.01, 0.0, -1.0))

    def pose(first: int, second: int) -> np.ndarray:
        return np.linalg.matrix_power(each, second - first)

    odometer = Odometer(pose, gap)
    for frame in range(count):
        odometer.see(frame)
    np.testing.assert_allclose(odometer.path(), chained([each] * (count - 1)), atol=1e-9)


def test_the_network_is_asked_across_the_gap_and_at_the_end_across_it_once_more() -> None:
    asked: list[tuple[Any, Any]] = []

    def pose(first: int, second: int) -> np.ndarray:
        asked.append((first, second))
        return step(0.0, (0.0, 0.0, -float(second - first)))

    odometer = Odometer(pose, 3)
    for frame in range(9):
        odometer.see(frame)
    assert len(odometer.path()) == 9
    assert asked == [(0, 3), (3, 6), (5, 8)]


def test_nothing_seen_is_no_path() -> None:
    assert Odometer(lambda first, second: np.eye(4)).path().shape == (0, 4, 4)
