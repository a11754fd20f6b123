"""The colours of a clip: what they stand for, and the bar that says it."""

import numpy as np
import pytest

from kinedepth.errors import KinedepthError
from kinedepth.inference.painting import Look, Paint
from kinedepth.inference.video import DepthHistogram
from kinedepth.visualize.panels import color_bar


@pytest.fixture
def depth() -> np.ndarray:
    return np.random.default_rng(0).uniform(2, 60, (60, 200)).astype(np.float32)


@pytest.fixture
def seen(depth: np.ndarray) -> DepthHistogram:
    histogram = DepthHistogram()
    histogram.add(depth)
    return histogram


def test_inverse_depth_up_to_its_95th_percentile(seen: DepthHistogram, depth: np.ndarray) -> None:
    paint = Paint.of(seen, Look())
    assert paint.limits == pytest.approx((1 / depth.max(), np.percentile(1 / depth, 95)), rel=2e-3)
    assert paint(depth).shape == (60, 200, 3)
    assert "inverse depth" in paint.said


def test_metres_up_to_their_95th_percentile(seen: DepthHistogram, depth: np.ndarray) -> None:
    paint = Paint.of(seen, Look("metric"))
    assert paint.limits == pytest.approx(tuple(np.percentile(depth, (1, 95))), rel=5e-3)
    assert " m" in paint.said
    assert paint(depth).shape == (100, 200, 3)


@pytest.mark.parametrize(
    ("look", "limits"),
    [
        (Look(low=0.1, high=0.4), (0.1, 0.4)),
        (Look("metric", low=0.0, high=80.0), (0.0, 80.0)),
        (Look("metric", "turbo", high=30.0), (None, 30.0)),
    ],
)
def test_a_range_that_is_given(seen: DepthHistogram, look: Look, limits: tuple[float | None, float]) -> None:
    found = Paint.of(seen, look).limits
    assert found[1] == limits[1]
    assert limits[0] is None or found[0] == limits[0]


def test_the_table_that_is_given(seen: DepthHistogram, depth: np.ndarray) -> None:
    gray = Paint.of(seen, Look(table="gray"))(depth)
    assert (gray[..., 0] == gray[..., 2]).all()


def test_nothing_counted() -> None:
    picture = Paint.of(DepthHistogram(), Look("metric"))(np.zeros((60, 200), np.float32))
    assert not picture[:60].any()


def test_metres_of_relative_depth_are_refused() -> None:
    with pytest.raises(KinedepthError, match="relative"):
        Look("metric").check("relative")
    Look("metric").check("metric")
    Look().check("relative")


@pytest.mark.parametrize("width", [1, 40, 96, 640, 1242, 3840])
@pytest.mark.parametrize("limits", [(0.0, 80.0), (2.3, 2.9), (5.0, 5.0)])
def test_a_bar_runs_from_the_near_to_the_far_color(width: int, limits: tuple[float, float]) -> None:
    bar = color_bar(width, limits, "gray", "m")
    assert bar.shape[1] == width
    if width > 100:
        row = bar[bar.shape[0] // 4]
        assert row[1, 0] < 20
        assert row[-2, 0] > 230
        assert (bar[-bar.shape[0] // 3 :] > 200).any()
