"""Masks of pixels that count: another size, neighbourhoods, reading, means."""

import pytest
import torch

from kinedepth.geometry.counted import (
    both,
    channels,
    counted_mean,
    counts_read,
    image_mean,
    intact,
    shrunk_counts,
)
from kinedepth.geometry.warp import read


def one_left_out(size: tuple[int, int], row: int, column: int) -> torch.Tensor:
    counts = torch.ones(1, 1, *size, dtype=torch.bool)
    counts[..., row, column] = False
    return counts


@pytest.mark.parametrize(("size", "left_out"), [((4, 6), 1), ((3, 5), 4), ((16, 24), 4), ((8, 12), 1)])
def test_a_pixel_of_another_size_counts_if_all_of_its_area_does(size: tuple[int, int], left_out: int) -> None:
    found = shrunk_counts(one_left_out((8, 12), 5, 7), size)
    assert found.shape[-2:] == size
    assert int((~found).sum()) == left_out


def test_neighbourhoods_are_cut_off_at_the_border() -> None:
    found = intact(one_left_out((5, 6), 0, 0))[0, 0]
    assert (~found).nonzero().tolist() == [[0, 0], [0, 1], [1, 0], [1, 1]]


@pytest.mark.parametrize("align_corners", [True, False])
def test_reading_that_counts_touches_nothing_left_out(align_corners: bool) -> None:
    counts = torch.rand(1, 1, 20, 30) > 0.1
    pixels = (torch.rand(1, 2, 40, 50) * 36 - 3).requires_grad_()
    with torch.no_grad():
        pixels[..., :20, :] = pixels[..., :20, :].round()
    found = counts_read(counts, pixels, align_corners)
    assert 0.05 < found.float().mean() < 0.95
    image = torch.rand(1, 3, 20, 30)
    other = torch.where(counts, image, torch.rand(1, 3, 20, 30))
    results = []
    for one in (image, other):
        value = read(one, pixels, "border", align_corners)
        (gradient,) = torch.autograd.grad((value * found).sum(), pixels)
        results.append((value * found, gradient * found))
    assert torch.equal(results[0][0], results[1][0])
    assert torch.equal(results[0][1], results[1][1])


def test_everything_counts_where_nothing_is_left_out() -> None:
    counts = torch.ones(1, 1, 7, 9, dtype=torch.bool)
    pixels = torch.randn(1, 2, 7, 9) * 20
    assert counts_read(counts, pixels).all()
    assert intact(counts).all()
    assert shrunk_counts(counts, (3, 4)).all()


def test_none_is_every_pixel() -> None:
    mask = one_left_out((2, 2), 0, 0)
    assert both(None, None) is None
    assert both(mask, None) is mask
    assert both(None, mask) is mask
    assert both(mask, one_left_out((2, 2), 1, 1)).flatten().tolist() == [False, True, True, False]
    assert channels([None, None]) is None
    assert channels([None, mask]).shape == (1, 2, 2, 2)
    assert channels([None, mask])[:, 0].all()


def test_means_are_over_what_counts() -> None:
    values = torch.tensor([[1.0, 2.0], [3.0, torch.inf]]).view(1, 1, 2, 2)
    counts = values < torch.inf
    assert counted_mean(values, counts) == 2
    assert image_mean(values, counts).shape == (1, 1, 1, 1)
    assert image_mean(values, counts).item() == 2
    assert counted_mean(values, counts & False) == 0
    assert counted_mean(values[..., :1, :], None) == 1.5
