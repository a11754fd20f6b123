"""Reading an image at pixels."""

import pytest
import torch
from torch import Tensor

from kinedepth.geometry.camera import pixel_grid
from kinedepth.geometry.warp import inside, normalized_pixels, read

SIZES = [(6, 8), (7, 9), (6, 9), (7, 8)]


def grid(size: tuple[int, int], batch: int = 1, dtype: torch.dtype = torch.float32) -> Tensor:
    return pixel_grid(size, torch.zeros((), dtype=dtype)).expand(batch, 2, *size)


def at(x: float, y: float) -> Tensor:
    return torch.tensor((x, y)).view(1, 2, 1, 1)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("padding", ["border", "zeros"])
def test_reading_at_every_pixel_gives_the_image(size: tuple[int, int], padding: str) -> None:
    image = torch.rand(2, 3, *size)
    torch.testing.assert_close(read(image, grid(size, 2), padding), image, rtol=0, atol=1e-5)


@pytest.mark.parametrize("size", SIZES)
def test_positions_run_from_minus_one_to_one(size: tuple[int, int]) -> None:
    found = normalized_pixels(grid(size), size)[0]
    y, x = torch.meshgrid(torch.linspace(-1, 1, size[0]), torch.linspace(-1, 1, size[1]), indexing="ij")
    torch.testing.assert_close(found, torch.stack((x, y), dim=-1), rtol=0, atol=1e-6)


@pytest.mark.parametrize("size", SIZES)
def test_a_ramp_tells_where_it_is_read(size: tuple[int, int]) -> None:
    height, width = size
    pixels = torch.rand(1, 2, 5, 7) * torch.tensor((width - 1.0, height - 1.0)).view(2, 1, 1)
    torch.testing.assert_close(read(grid(size), pixels), pixels, rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("pixel", "border", "zeros"),
    [((-0.5, 0.0), 1.0, 0.5), ((-2.0, 0.0), 1.0, 0.0), ((1.0, 7.0), 4.0, 0.0), ((0.5, 0.5), 2.5, 2.5)],
)
def test_outside_is_the_border_or_nothing(pixel: tuple[float, float], border: float, zeros: float) -> None:
    image = torch.tensor([[1.0, 2.0], [3.0, 4.0]]).view(1, 1, 2, 2)
    assert float(read(image, at(*pixel), "border")) == pytest.approx(border, abs=1e-5)
    assert float(read(image, at(*pixel), "zeros")) == pytest.approx(zeros, abs=1e-5)


def test_todays_default_of_torch_is_half_a_pixel_off_at_the_border() -> None:
    ramp = grid((6, 8))[:, :1]
    found = read(ramp, grid((6, 8)), align_corners=False)[0, 0, 3]
    x = torch.arange(8.0)
    torch.testing.assert_close(found, (x * 8 / 7 - 0.5).clamp(0, 7), rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("pixel", "expected"),
    [
        ((0.0, 0.0), True),
        ((7.0, 5.0), True),
        ((3.3, 4.9), True),
        ((-0.01, 2.0), False),
        ((7.01, 2.0), False),
        ((2.0, -0.01), False),
        ((2.0, 5.01), False),
        ((float("nan"), 2.0), False),
        ((float("inf"), 2.0), False),
    ],
)
def test_inside_ends_at_the_outermost_centers(pixel: tuple[float, float], expected: bool) -> None:
    found = inside(at(*pixel), (6, 8))
    assert found.shape == (1, 1, 1, 1)
    assert bool(found) is expected


@pytest.mark.parametrize("padding", ["border", "zeros"])
def test_derivative_of_reading(padding: str) -> None:
    image = torch.rand(2, 2, 4, 5, dtype=torch.float64, requires_grad=True)
    # Between pixel centers: bilinear reading has no derivative at them.
    pixels = (
        torch.rand(2, 2, 3, 3, dtype=torch.float64) * 0.8 + 0.1 + torch.randint(0, 3, (2, 2, 3, 3))
    ).requires_grad_()
    assert torch.autograd.gradcheck(lambda i, p: read(i, p, padding), (image, pixels))
