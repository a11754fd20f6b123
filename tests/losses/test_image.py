"""Pure image differences: closed forms, the fact sheet's numbers, derivatives."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from kinedepth.losses.image import (
    Moments,
    edge_aware_smoothness,
    local_mean,
    photometric_error,
    ssim_distance,
)


def constant(value: float, size: tuple[int, int] = (4, 5)) -> Tensor:
    return torch.full((1, 3, *size), value, dtype=torch.float64)


@pytest.fixture
def patterns() -> tuple[Tensor, Tensor]:
    """The fact sheet's 4x5 images."""
    i, j = torch.meshgrid(torch.arange(4), torch.arange(5), indexing="ij")
    x, y = ((3 * i + 5 * j) % 7) / 7, ((2 * i + 3 * j + 1) % 5) / 5
    return x.double()[None, None], y.double()[None, None]


def test_local_mean_mirrors_the_border() -> None:
    image = torch.arange(12.0).view(1, 1, 3, 4)
    means = local_mean(image)
    assert float(means[0, 0, 1, 1]) == pytest.approx(float(image[0, 0, :, :3].mean()))
    # Around the corner lie (mirrored) rows 1 0 1 and columns 1 0 1.
    corner = image[0, 0][[1, 0, 1]][:, [1, 0, 1]].mean()
    assert float(means[0, 0, 0, 0]) == pytest.approx(float(corner))


@pytest.mark.parametrize(
    ("a", "b", "distance"), [(0.0, 1.0, 0.499950005), (0.25, 0.75, 0.199968005), (0.3, 0.3, 0.0)]
)
def test_structure_of_constant_images(a: float, b: float, distance: float) -> None:
    found = ssim_distance(constant(a), constant(b))
    torch.testing.assert_close(found, torch.full_like(found, distance), rtol=0, atol=1e-9)


def test_error_of_black_and_white() -> None:
    found = photometric_error(constant(0.0), constant(1.0))
    torch.testing.assert_close(found, torch.full_like(found, 0.574957504), rtol=0, atol=1e-9)


def test_structure_of_the_fact_sheets_images(patterns: tuple[Tensor, Tensor]) -> None:
    found = ssim_distance(*patterns)
    assert found.shape == (1, 1, 4, 5)
    assert float(found.mean()) == pytest.approx(0.339773923, abs=1e-8)
    assert float(found[0, 0, 0, 0]) == pytest.approx(0.031091585, abs=1e-8)
    assert float(found[0, 0, 3, 4]) == pytest.approx(0.806399505, abs=1e-8)


def test_error_of_the_fact_sheets_images(patterns: tuple[Tensor, Tensor]) -> None:
    assert float(photometric_error(*patterns).mean()) == pytest.approx(0.323736406, abs=1e-8)
    assert float(photometric_error(*patterns, ssim=0.0).mean()) == pytest.approx(0.232857143, abs=1e-8)


@pytest.mark.parametrize("error", [ssim_distance, photometric_error])
def test_errors_are_symmetric_between_zero_and_one_and_zero_at_home(
    error: Callable[[Tensor, Tensor], Tensor],
) -> None:
    a, b = torch.rand(2, 2, 3, 9, 8, dtype=torch.float64)
    assert float(error(a, b).min()) >= 0
    assert float(error(a, b).max()) <= 1
    torch.testing.assert_close(error(a, b), error(b, a), rtol=0, atol=1e-12)
    torch.testing.assert_close(error(a, a), torch.zeros_like(error(a, a)), rtol=0, atol=1e-12)


def test_opposite_structures_are_as_far_as_can_be() -> None:
    checkers = ((torch.arange(6)[:, None] + torch.arange(7)) % 2).double().expand(1, 1, 6, 7)
    assert float(ssim_distance(checkers, 1 - checkers)[0, 0, 2, 3]) > 0.9


def test_error_averages_channels() -> None:
    a, b = torch.rand(2, 1, 3, 6, 7)
    each = [photometric_error(a[:, c : c + 1], b[:, c : c + 1]) for c in range(3)]
    torch.testing.assert_close(photometric_error(a, b), torch.stack(each).mean(0), rtol=0, atol=1e-6)


@pytest.mark.parametrize("ssim", [0.0, 0.85, 1.0])
def test_moments_of_the_target_may_be_known(ssim: float) -> None:
    a, b = torch.rand(2, 2, 3, 6, 7)
    assert torch.equal(photometric_error(a, Moments.of(b), ssim), photometric_error(a, b, ssim))


def test_share_of_structure() -> None:
    a, b = torch.rand(2, 1, 3, 6, 7)
    structure, difference = photometric_error(a, b, 1.0), photometric_error(a, b, 0.0)
    torch.testing.assert_close(
        photometric_error(a, b, 0.3), 0.3 * structure + 0.7 * difference, rtol=0, atol=1e-6
    )


def test_derivative_of_the_error() -> None:
    a, b = (0.3 + 0.4 * torch.rand(2, 1, 2, 4, 5, dtype=torch.float64)).unbind(0)
    assert torch.autograd.gradcheck(photometric_error, (a.requires_grad_(), b.requires_grad_()))


@pytest.fixture
def slope() -> tuple[Tensor, Tensor]:
    """The fact sheet's 4x6 inverse depth and image."""
    i, j = torch.meshgrid(torch.arange(4.0), torch.arange(6.0), indexing="ij")
    image = torch.stack([((i * j + c) % 4) / 4 for c in range(3)])
    return (1 + 0.5 * j + 0.25 * i)[None, None], image[None]


def smoothness(inverse_depth: Tensor, image: Tensor) -> float:
    return float(sum(along.mean() for along in edge_aware_smoothness(inverse_depth, image)))


def test_smoothness_of_the_fact_sheet(slope: tuple[Tensor, Tensor]) -> None:
    assert smoothness(*slope) == pytest.approx(0.216733378, abs=1e-6)
    assert smoothness(slope[0], torch.full((1, 3, 4, 6), 0.5)) == pytest.approx(0.285714275, abs=1e-6)


def test_smoothness_is_one_row_or_column_shorter(slope: tuple[Tensor, Tensor]) -> None:
    along_x, along_y = edge_aware_smoothness(*slope)
    assert along_x.shape == (1, 1, 4, 5)
    assert along_y.shape == (1, 1, 3, 6)


@pytest.mark.parametrize("factor", [0.01, 3.0, 100.0])
def test_shrinking_does_not_make_a_scene_smooth(factor: float, slope: tuple[Tensor, Tensor]) -> None:
    assert smoothness(factor * slope[0], slope[1]) == pytest.approx(smoothness(*slope), abs=1e-5)


def test_every_image_has_its_own_mean() -> None:
    inverse, image = 0.1 + torch.rand(2, 1, 5, 6), torch.rand(2, 3, 5, 6)
    scaled = inverse * torch.tensor((1.0, 7.0)).view(2, 1, 1, 1)
    pairs = zip(edge_aware_smoothness(inverse, image), edge_aware_smoothness(scaled, image), strict=True)
    for one, other in pairs:
        torch.testing.assert_close(one, other, rtol=0, atol=1e-5)


def test_constant_depth_is_perfectly_smooth() -> None:
    assert smoothness(torch.full((1, 1, 5, 6), 0.3), torch.rand(1, 3, 5, 6)) == 0


def test_an_edge_of_the_image_forgives_an_edge_of_depth() -> None:
    step = (torch.arange(6) >= 3).float().expand(1, 1, 4, 6) + 0.5
    image = torch.zeros(1, 3, 4, 6)
    image[..., 3:] = 1.0
    elsewhere = torch.zeros(1, 3, 4, 6)
    elsewhere[..., 5:] = 1.0
    assert smoothness(step, image) == pytest.approx(
        smoothness(step, elsewhere) * float(torch.exp(torch.tensor(-1.0)))
    )


def test_derivative_of_smoothness() -> None:
    inverse = (0.5 + torch.rand(1, 1, 3, 4, dtype=torch.float64)).requires_grad_()
    image = torch.rand(1, 3, 3, 4, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(edge_aware_smoothness, (inverse, image))
