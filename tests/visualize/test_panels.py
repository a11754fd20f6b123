"""Panels: everything is where it belongs."""

import numpy as np
import pytest

from kinedepth.visualize.panels import BAR, GAP, LINES, error_map, sample_strip, strip, trajectory_plot

RED, BLUE = 0, 2


def _flat(value: int, size: tuple[int, int] = (20, 60)) -> np.ndarray:
    return np.full((*size, 3), value, np.uint8)


@pytest.mark.parametrize(
    ("columns", "size"),
    [
        (None, (20 + BAR, 3 * 60 + 2 * GAP)),
        (1, (3 * (20 + BAR) + 2 * GAP, 60)),
        (2, (2 * (20 + BAR) + GAP, 120 + GAP)),
    ],
)
def test_strip_holds_every_picture(columns: int | None, size: tuple[int, int]) -> None:
    made = strip([("a", _flat(50)), ("b", _flat(100)), ("c", _flat(150, (10, 30)))], columns)
    assert made.shape == (*size, 3)
    assert all((made == value).all(-1).sum() >= 20 * 60 for value in (50, 100, 150))


def test_labels_are_written() -> None:
    label = strip([("target", _flat(0))])[:BAR]
    assert label.max() > 180
    assert (strip([("depth", _flat(0))])[:BAR] != label).any()


def test_sample_strip_shows_all_parts() -> None:
    mask = np.zeros((20, 60), bool)
    mask[:, :30] = True
    made = sample_strip(_flat(40), np.linspace(0.1, 1, 300).reshape(10, 30), [_flat(60), _flat(80)], mask)
    assert made.shape == (20 + BAR, 5 * 60 + 4 * GAP, 3)
    panels = [made[BAR:, start : start + 60] for start in range(0, made.shape[1], 60 + GAP)]
    assert [int(panels[place].max()) for place in (0, 2, 3)] == [40, 60, 80]
    assert panels[1].std() > 20
    assert (panels[4][:, :30] == 255).all()
    assert (panels[4][:, 30:] == 0).all()


def test_sample_strip_without_a_mask() -> None:
    assert sample_strip(_flat(40), np.ones((20, 60)), []).shape == (20 + BAR, 120 + GAP, 3)


def test_an_empty_strip_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one"):
        strip([])


class TestErrorMap:
    measured = np.array([[0.0, 10.0, 10.0, 10.0]])

    def test_small_is_blue_and_large_is_red(self) -> None:
        made = error_map(np.array([[5.0, 10.0, 11.5, 14.0]]), self.measured)
        np.testing.assert_array_equal(made[0, 0], 0)
        assert made[0, 1, BLUE] > 100 > made[0, 1, RED]
        assert made[0, 3, RED] > 100 > made[0, 3, BLUE]

    def test_the_image_shows_dimmed(self) -> None:
        made = error_map(np.full((1, 4), 10.0), self.measured, np.full((1, 4, 3), 90, np.uint8))
        np.testing.assert_array_equal(made[0, 0], 30)

    @pytest.mark.parametrize(("dot", "count"), [(1, 1), (2, 4), (3, 9)])
    def test_dots(self, dot: int, count: int) -> None:
        measured = np.zeros((9, 9))
        measured[4, 4] = 10.0
        made = error_map(np.full((9, 9), 20.0), measured, dot=dot)
        assert made.any(-1).sum() == count

    def test_the_larger_error_is_on_top(self) -> None:
        measured = np.zeros((3, 9))
        measured[1, 3:6] = 10.0
        predicted = np.full((3, 9), 10.0)
        predicted[1, 4] = 20.0
        made = error_map(predicted, measured, dot=3)
        assert (made[:, 3:6, RED] > 100).all()


class TestTrajectory:
    def _ahead(self, count: int = 11) -> np.ndarray:
        poses = np.tile(np.eye(4), (count, 1, 1))
        poses[:, 2, 3] = np.arange(count)
        return poses

    def _where(self, picture: np.ndarray, line: int = 0) -> tuple[np.ndarray, np.ndarray]:
        return np.nonzero((picture[24:] == LINES[line]).all(-1))

    def test_forward_is_up_and_right_is_right(self) -> None:
        poses = self._ahead()
        poses[6:, 0, 3] = np.arange(1, 6)
        rows, columns = self._where(trajectory_plot({"ours": poses}))
        top, bottom = rows.argmin(), rows.argmax()
        assert columns[top] > columns[bottom] + 50

    def test_one_scale_for_both_axes(self) -> None:
        square = np.tile(np.eye(4), (5, 1, 1))
        square[:, (0, 2), 3] = [(0, 0), (0, 4), (4, 4), (4, 0), (0, 0)]
        rows, columns = self._where(trajectory_plot({"a": square}, (300, 600)))
        assert np.ptp(rows) == pytest.approx(np.ptp(columns), abs=12)

    def test_each_line_has_its_color(self) -> None:
        other = self._ahead()
        other[:, 0, 3] = 2.0
        picture = trajectory_plot({"ours": self._ahead(), "truth": other}, unit="m")
        lines = [np.median(self._where(picture, line)[1]) for line in (0, 1)]
        assert lines[1] > lines[0] + 50

    @pytest.mark.parametrize("count", [1, 2])
    def test_standing_still(self, count: int) -> None:
        assert len(self._where(trajectory_plot({"ours": np.tile(np.eye(4), (count, 1, 1))}))[0]) > 0

    def test_none_is_refused(self) -> None:
        with pytest.raises(ValueError, match="at least one"):
            trajectory_plot({})
