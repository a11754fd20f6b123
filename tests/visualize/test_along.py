"""The error along a path."""

import numpy as np
import pytest

from kinedepth.visualize.along import error_plot
from kinedepth.visualize.panels import LINES


def test_each_curve_has_its_color_and_the_larger_error_is_higher() -> None:
    along = np.linspace(0.0, 100.0, 50)
    picture = error_plot(along, {"near": np.full(50, 2.0), "far": np.full(50, 8.0)}, (200, 400))
    assert picture.shape == (200, 400, 3)
    left = picture[:, 60:180].astype(int)
    rows = [np.nonzero(np.abs(left - color).max(-1) < 30)[0] for color in LINES[:2]]
    assert np.median(rows[0]) > np.median(rows[1]) + 20


def test_none_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        error_plot(np.zeros(3), {})
