"""The smoothness term: over scales, and exact against the official one on the sigmoid."""

import pytest
import torch
from torch import Tensor

from kinedepth.geometry.camera import Camera
from kinedepth.geometry.depth import inverse_depth_from_sigmoid
from kinedepth.losses.image import edge_aware_smoothness
from kinedepth.losses.smoothness import Smoothness
from kinedepth.scene import Estimate, Sample, View

SIZE = (16, 24)


def sample(image: Tensor) -> Sample:
    return Sample(View(image, Camera(torch.ones(len(image), 2), torch.ones(len(image), 2))))


def pyramid(batch: int = 2) -> tuple[Tensor, ...]:
    return tuple(0.01 + 0.98 * torch.rand(batch, 1, SIZE[0] >> s, SIZE[1] >> s) for s in range(4))


def test_each_coarser_scale_counts_half() -> None:
    image = torch.full((1, 3, *SIZE), 0.5)
    slope = 1 + torch.arange(4.0).view(1, 1, 1, 4).expand(1, 1, 4, 4)
    values = torch.stack(Smoothness().per_scale(sample(image), Estimate((slope,) * 4)))
    torch.testing.assert_close(values, values[0] * torch.tensor((1, 1 / 2, 1 / 4, 1 / 8)), rtol=1e-6, atol=0)


def test_the_term_is_the_mean_over_scales() -> None:
    given = sample(torch.rand(2, 3, *SIZE)), Estimate(pyramid())
    term = Smoothness()
    torch.testing.assert_close(term(*given), torch.stack(term.per_scale(*given)).mean(), rtol=1e-6, atol=0)


def test_coarse_scales_are_judged_against_the_image_at_their_size() -> None:
    image = torch.rand(1, 3, *SIZE)
    coarse = 0.1 + torch.rand(1, 1, 8, 12)
    small = image.view(1, 3, 8, 2, 12, 2).mean((3, 5))
    expected = sum(along.mean() for along in edge_aware_smoothness(coarse, small))
    torch.testing.assert_close(Smoothness()(sample(image), Estimate((coarse,))), expected, rtol=1e-5, atol=0)


def test_the_clean_image_counts_not_the_jittered_one() -> None:
    given, estimate = sample(torch.rand(2, 3, *SIZE)), Estimate(pyramid())
    view = given.target
    jittered = Sample(View(view.image, view.camera, jittered=torch.rand_like(view.image)))
    assert torch.equal(Smoothness()(given, estimate), Smoothness()(jittered, estimate))


@pytest.mark.parametrize(("near", "far"), [(0.1, 100.0), (1.0, 20.0)])
def test_without_the_floor_it_is_the_official_term_on_the_sigmoid(near: float, far: float) -> None:
    given, sigmoid = sample(torch.rand(2, 3, *SIZE)), pyramid()
    inverse = tuple(inverse_depth_from_sigmoid(one, near, far) for one in sigmoid)
    ours = Smoothness(floor=1 / far)(given, Estimate(inverse))
    torch.testing.assert_close(ours, Smoothness()(given, Estimate(sigmoid)), rtol=5e-6, atol=0)
    assert not torch.isclose(Smoothness()(given, Estimate(inverse)), ours, rtol=1e-3), "the floor matters"


@pytest.mark.parametrize("factor", [0.1, 20.0])
def test_scaling_depth_changes_nothing(factor: float) -> None:
    given, inverse = sample(torch.rand(2, 3, *SIZE)), pyramid()
    scaled = Smoothness(0.01 * factor)(given, Estimate(tuple(factor * one for one in inverse)))
    torch.testing.assert_close(scaled, Smoothness(0.01)(given, Estimate(inverse)), rtol=1e-5, atol=0)


def test_half_precision_depth_is_judged_in_full() -> None:
    estimate = Estimate(tuple(one.bfloat16() for one in pyramid()))
    assert Smoothness()(sample(torch.rand(2, 3, *SIZE)), estimate).dtype == torch.float32
