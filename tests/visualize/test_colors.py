"""Colours: matplotlib's table, the field's range, black where there is nothing."""

import matplotlib
import numpy as np
import pytest

from kinedepth.errors import KinedepthError
from kinedepth.visualize.colors import (
    color_limits,
    colored,
    colored_depth,
    colored_metric,
    known_table,
    spread,
)


@pytest.fixture
def inverse() -> np.ndarray:
    return np.random.default_rng(0).uniform(0.01, 2.0, (30, 40)).astype(np.float32)


def test_limits_are_the_least_and_the_95th_percentile(inverse: np.ndarray) -> None:
    assert color_limits(inverse) == pytest.approx((inverse.min(), np.percentile(inverse, 95)))


def test_colors_are_matplotlibs(inverse: np.ndarray) -> None:
    low, high = color_limits(inverse)
    expected = matplotlib.colormaps["magma"](np.clip((inverse - low) / (high - low), 0, 1))[..., :3]
    assert np.abs(colored(inverse) / 255 - expected).max() < 0.02
    assert np.abs(colored(inverse) / 255 - expected).mean() < 0.003


def test_near_is_bright(inverse: np.ndarray) -> None:
    picture = colored_depth(1 / inverse).astype(float).sum(-1)
    assert picture.ravel()[inverse.argmax()] > picture.ravel()[inverse.argmin()] + 300


def test_same_limits_same_colors(inverse: np.ndarray) -> None:
    """One value has one colour in two maps, which is what keeps a clip from flickering."""
    other = inverse * 3
    other[0, 0] = inverse[0, 0]
    np.testing.assert_array_equal(colored(inverse, (0.0, 2.0))[0, 0], colored(other, (0.0, 2.0))[0, 0])
    assert (colored(inverse)[0, 0] != colored(other)[0, 0]).any()


@pytest.mark.parametrize("nothing", [0.0, np.nan, np.inf, -1.0])
def test_black_where_there_is_nothing(inverse: np.ndarray, nothing: float) -> None:
    inverse[3, 4] = nothing
    np.testing.assert_array_equal(colored(inverse)[3, 4], 0)
    np.testing.assert_array_equal(colored_depth(inverse)[3, 4], 0)


@pytest.mark.parametrize("value", [0.0, 0.7, np.nan])
def test_constant_maps_have_a_color(value: float) -> None:
    picture = colored(np.full((4, 5), value, dtype=np.float32))
    assert (picture == picture[0, 0]).all()


def test_ends_of_the_table() -> None:
    picture = spread(np.array([[-9.0, 0.0, 1.0, 99.0]]), (0.0, 1.0), "gray")
    np.testing.assert_array_equal(picture[0, :, 0], [0, 0, 255, 255])


def test_metres_have_a_table_of_their_own(inverse: np.ndarray) -> None:
    depth = 1 / inverse
    depth[3, 4] = 0
    picture = colored_metric(depth, (0.0, 40.0))
    expected = matplotlib.colormaps["viridis_r"](np.clip(depth / 40, 0, 1))[..., :3]
    expected[3, 4] = 0
    assert np.abs(picture / 255 - expected).max() < 0.02
    assert (picture != colored_depth(depth)).any(-1).mean() > 0.9


@pytest.mark.parametrize("name", ["magma", "turbo", "Spectral_r"])
def test_tables_of_matplotlib(name: str) -> None:
    assert known_table(name) == name


@pytest.mark.parametrize(
    ("name", "near"), [("magmaa", "'magma'"), ("Turbo", "'turbo'"), ("spectral", "'Spectral'")]
)
def test_an_unknown_table_has_its_nearest_named(name: str, near: str) -> None:
    with pytest.raises(KinedepthError, match=f"'{name}': did you mean {near}"):
        known_table(name)


def test_a_table_like_no_other() -> None:
    with pytest.raises(KinedepthError, match="matplotlib's names"):
        known_table("qqqqqqqq")
