"""Inverse depth, its range, and the factor between two depths."""

import pytest
import torch

from kinedepth.geometry.depth import inverse_depth_from_sigmoid, median_scale, resized_map


@pytest.mark.parametrize(
    ("sigmoid", "depth"), [(0.0, 100.0), (0.01, 9.099181), (0.1, 0.991080), (0.5, 0.199800), (1.0, 0.1)]
)
def test_depths_of_the_fact_sheet(sigmoid: float, depth: float) -> None:
    inverse = inverse_depth_from_sigmoid(torch.tensor(sigmoid, dtype=torch.float64), 0.1, 100.0)
    assert float(1 / inverse) == pytest.approx(depth, abs=1e-6)


def test_map_of_the_right_size_is_given_back() -> None:
    values = torch.rand(2, 1, 4, 6)
    assert resized_map(values, (4, 6)) is values


def test_enlarged_ramp_keeps_its_place() -> None:
    """By pixel areas: the center of fine pixel x lies at (x + 1/2) / 2 - 1/2 of the coarse map."""
    ramp = torch.arange(6.0).expand(1, 1, 4, 6)
    fine = resized_map(ramp, (8, 12))
    expected = (torch.arange(12.0) + 0.5) / 2 - 0.5
    torch.testing.assert_close(fine[0, 0, 3, 1:-1], expected[1:-1], rtol=0, atol=1e-6)


def test_constant_map_stays_constant() -> None:
    assert torch.equal(resized_map(torch.full((1, 2, 3, 5), 0.25), (7, 9)), torch.full((1, 2, 7, 9), 0.25))


def test_scale_of_each_image_by_its_own_median() -> None:
    predicted = torch.tensor([1.0, 2.0, 3.0, 9.0, 4.0, 8.0]).view(2, 1, 1, 3)
    measured = torch.tensor([10.0, 20.0, 60.0, 2.0, 1.0, 99.0]).view(2, 1, 1, 3)
    valid = torch.tensor([True, True, True, True, True, False]).view(2, 1, 1, 3)
    # Of an even number the lower one, as PyTorch has it.
    assert median_scale(predicted, measured, valid).tolist() == [20 / 2, 1 / 4]


def test_nothing_to_compare_scales_by_one() -> None:
    ones, none = torch.ones(2, 1, 2, 2), torch.zeros(2, 1, 2, 2, dtype=torch.bool)
    assert median_scale(ones, 3 * ones, none).tolist() == [1, 1]
