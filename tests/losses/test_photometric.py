"""The photometric term: minimum, average, auto-mask, ties, explainability; what passes a gradient."""

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from kinedepth.geometry.camera import Camera
from kinedepth.geometry.pose import Pose
from kinedepth.losses.image import photometric_error
from kinedepth.losses.photometric import Errors, Explainability, Photometric
from kinedepth.losses.smoothness import Smoothness
from kinedepth.scene import Estimate, Rebuilt, Sample, View
from kinedepth.synthesis import synthesize

SIZE = (16, 24)


def view(image: Tensor, offset: int = 0) -> View:
    batch, _, height, width = image.shape
    center = torch.tensor(((width - 1) / 2, (height - 1) / 2)).expand(batch, 2)
    return View(image, Camera(torch.full((batch, 2), 0.8 * width), center), offset)


def triplet(*images: Tensor) -> Sample:
    return Sample(view(images[0]), (view(images[1], -1), view(images[2], 1)))


def rebuilt(image: Tensor) -> Rebuilt:
    batch, _, height, width = image.shape
    maps = torch.ones(batch, 1, height, width)
    return Rebuilt(image, maps.expand(-1, 2, -1, -1), maps, maps > 0)


def estimate(*images: Tensor) -> Estimate:
    """One scale, rebuilt as these images."""
    return Estimate(
        (torch.ones(len(images[0]), 1, *SIZE),), rebuilt=(tuple(rebuilt(image) for image in images),)
    )


@pytest.fixture
def images() -> list[Tensor]:
    return list(torch.rand(5, 2, 3, *SIZE))


def test_minimum_takes_the_best_source_at_each_pixel(images: list[Tensor]) -> None:
    target, before, after, from_before, from_after = images
    each = [photometric_error(image, target) for image in (from_before, from_after)]
    found = Photometric(automask=False)(triplet(target, before, after), estimate(from_before, from_after))
    torch.testing.assert_close(found, torch.minimum(*each).mean(), rtol=1e-6, atol=0)
    assert found < min(one.mean() for one in each)


def test_average_takes_their_mean(images: list[Tensor]) -> None:
    target, before, after, from_before, from_after = images
    each = [photometric_error(image, target) for image in (from_before, from_after)]
    found = Photometric(automask=False, average=True)(
        triplet(target, before, after), estimate(from_before, from_after)
    )
    torch.testing.assert_close(found, torch.stack(each).mean(), rtol=1e-6, atol=0)


def test_auto_mask_joins_the_unmoved_sources_to_the_minimum(images: list[Tensor]) -> None:
    target, *others = images
    each = [photometric_error(image, target) for image in others]
    found = Photometric(tie_noise=0.0)(triplet(target, *others[:2]), estimate(*others[2:]))
    torch.testing.assert_close(found, torch.stack(each).amin(0).mean(), rtol=1e-6, atol=0)


def test_auto_mask_of_averages_compares_averages(images: list[Tensor]) -> None:
    target, *others = images
    each = torch.stack([photometric_error(image, target) for image in others])
    found = Photometric(tie_noise=0.0, average=True)(triplet(target, *others[:2]), estimate(*others[2:]))
    torch.testing.assert_close(
        found, torch.minimum(each[:2].mean(0), each[2:].mean(0)).mean(), rtol=1e-6, atol=0
    )


def test_the_mask_says_which_pixels_a_rebuilt_view_explains() -> None:
    warped = torch.tensor([[0.1, 0.5], [0.4, 0.2]]).view(1, 2, 1, 2)
    identity = torch.tensor([[0.3, 0.1], [0.3, 0.6]]).view(1, 2, 1, 2)
    least, wins = Photometric(tie_noise=0.0).least(Errors(warped, identity))
    assert least.flatten().tolist() == pytest.approx([0.1, 0.1])
    assert wins.flatten().tolist() == [True, False]


def test_without_the_auto_mask_every_pixel_counts(images: list[Tensor]) -> None:
    term = Photometric(automask=False)
    errors = term.errors(triplet(*images[:3]), estimate(*images[3:]))[0]
    assert errors.identity is None
    assert term.least(errors)[1].all()


def test_an_exact_tie_goes_to_the_unmoved_source_without_noise() -> None:
    error = torch.full((1, 2, 4, 4), 0.25)
    assert not Photometric(tie_noise=0.0).least(Errors(error, error))[1].any()


@pytest.mark.parametrize(
    ("sources", "average", "expected"),
    [(1, False, 1 / 2), (2, False, 3 / 4), (3, False, 7 / 8), (2, True, 1 / 2)],
)
def test_ties_are_broken_for_every_unmoved_source(sources: int, average: bool, expected: float) -> None:
    """Noise is drawn for each source before the minimum, after the mean: any draw below zero keeps a tie."""
    error = torch.full((1, sources, 200, 200), 0.25)
    wins = Photometric(average=average).least(Errors(error, error))[1]
    assert 1 - float(wins.float().mean()) == pytest.approx(expected, abs=0.015)


def test_noise_is_drawn_anew(images: list[Tensor]) -> None:
    given = triplet(*[images[0]] * 3), estimate(*[images[0]] * 2)
    term = Photometric()
    assert term(*given) != term(*given)


def test_static_triplet_is_left_to_the_unmoved_sources() -> None:
    """All frames equal, the camera thought to move: -5.64e-6, the mean of the least of two draws."""
    image, leaf = torch.rand(2, 3, 64, 96), (0.2 + torch.rand(2, 1, 64, 96)).requires_grad_()
    sample = triplet(image, image, image)
    pose = Pose.from_axis_angle(torch.tensor([[0.0, 0.02, 0.0]] * 2), torch.tensor([[0.1, 0.0, 0.3]] * 2))
    given = Estimate((leaf,) * 4, (pose.inverse(), pose))
    given = replace(given, rebuilt=synthesize(sample, given))
    term = Photometric()
    least = [term.least(errors) for errors in term.errors(sample, given)]
    assert torch.stack([wins for _, wins in least]).float().mean() < 1e-3
    assert torch.stack([error for error, _ in least]).mean().item() == pytest.approx(
        -1e-5 / math.sqrt(math.pi), abs=3e-7
    )
    (moved,) = torch.autograd.grad(term(sample, given), leaf, retain_graph=True)
    assert (moved != 0).float().mean() < 1e-2
    (smoothed,) = torch.autograd.grad(Smoothness()(sample, given), leaf)
    assert (smoothed != 0).float().mean() > 0.9


def half_won(images: list[Tensor]) -> tuple[Sample, Tensor]:
    """A sample whose sources equal the target in the left half, and a leaf that is a bad view everywhere."""
    target = images[0]
    source = target.clone()
    source[..., SIZE[1] // 2 :] = (target[..., SIZE[1] // 2 :] + 0.5) % 1
    return triplet(target, source, source), (target + 0.1).requires_grad_()


def test_pixels_that_the_unmoved_source_wins_pass_no_gradient(images: list[Tensor]) -> None:
    sample, leaf = half_won(images)
    (gradient,) = torch.autograd.grad(Photometric(ssim=0.0)(sample, estimate(leaf, leaf)), leaf)
    left, right = gradient.tensor_split(2, dim=-1)
    assert not left.any()
    assert right.all()


def test_the_divisor_is_all_pixels(images: list[Tensor]) -> None:
    """What the unmoved source wins counts as a pixel: half the gradient of a mean over the rest."""
    sample, leaf = half_won(images)
    (gradient,) = torch.autograd.grad(Photometric(ssim=0.0)(sample, estimate(leaf, leaf)), leaf)
    masked = (leaf - sample.target.image)[..., SIZE[1] // 2 :].abs().mean()
    (alone,) = torch.autograd.grad(masked, leaf)
    torch.testing.assert_close(gradient.sum(), alone.sum() / 2, rtol=1e-5, atol=0)


def test_unmoved_sources_are_never_differentiated(images: list[Tensor]) -> None:
    target, before, after = (image.requires_grad_() for image in images[:3])
    errors = Photometric().errors(triplet(target, before, after), estimate(*images[3:]))[0]
    assert errors.identity is not None
    assert not errors.identity.requires_grad


def test_scales_count_alike(images: list[Tensor]) -> None:
    target, *others = images
    sample, term = triplet(target, *others[:2]), Photometric(tie_noise=0.0)
    one, two = estimate(*others[2:]), estimate(*others[:2])
    both = replace(one, rebuilt=one.rebuilt + two.rebuilt)
    torch.testing.assert_close(
        torch.stack(term.per_scale(sample, both)), torch.stack([term(sample, e) for e in (one, two)])
    )
    torch.testing.assert_close(term(sample, both), (term(sample, one) + term(sample, two)) / 2)


def test_small_views_are_compared_with_the_small_target(images: list[Tensor]) -> None:
    target, before, after = images[:3]
    small = torch.rand(2, 3, SIZE[0] // 2, SIZE[1] // 2)
    errors = Photometric().errors(triplet(target, before, after), estimate(small, small))[0]
    shrunk = [image.view(2, 3, SIZE[0] // 2, 2, SIZE[1] // 2, 2).mean((3, 5)) for image in (target, before)]
    torch.testing.assert_close(
        errors.warped[:, :1], photometric_error(small, shrunk[0]), rtol=1e-5, atol=1e-6
    )
    assert errors.identity is not None
    torch.testing.assert_close(
        errors.identity[:, :1], photometric_error(shrunk[1], shrunk[0]), rtol=1e-5, atol=1e-6
    )


def test_losses_see_clean_images(images: list[Tensor]) -> None:
    sample, given, term = triplet(*images[:3]), estimate(*images[3:]), Photometric(tie_noise=0.0)
    views = [replace(one, jittered=torch.rand_like(one.image)) for one in (sample.target, *sample.sources)]
    assert torch.equal(term(Sample(views[0], tuple(views[1:])), given), term(sample, given))


def test_explained_shares_weigh_the_errors_of_each_source(images: list[Tensor]) -> None:
    target, before, after, from_before, from_after = images
    mask = torch.tensor((0.5, 0.1)).view(1, 2, 1, 1).expand(2, 2, SIZE[0] // 2, SIZE[1] // 2)
    term = Photometric(automask=False, explained=True)
    given = replace(estimate(from_before, from_after), explained=(mask,))
    found = term.errors(triplet(target, before, after), given)[0].warped
    expected = [0.5 * photometric_error(from_before, target), 0.1 * photometric_error(from_after, target)]
    torch.testing.assert_close(found, torch.cat(expected, dim=1), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(("mask", "expected"), [(1.0, 0.0), (0.5, math.log(2)), (0.1, math.log(10))])
def test_explaining_nothing_costs(mask: float, expected: float) -> None:
    masks = tuple(torch.full((2, 2, SIZE[0] >> s, SIZE[1] >> s), mask) for s in range(4))
    given = Estimate((torch.ones(2, 1, *SIZE),), explained=masks)
    sample = triplet(*torch.rand(3, 2, 3, *SIZE))
    assert float(Explainability()(sample, given)) == pytest.approx(expected, abs=1e-5)


def test_explainability_judges_enlarged_masks() -> None:
    masks = (torch.tensor([0.2, 0.9]).view(1, 1, 1, 2),)
    given, sample = (
        Estimate((torch.ones(1, 1, *SIZE),), explained=masks),
        triplet(*torch.rand(3, 1, 3, *SIZE)),
    )
    small = -(math.log(0.2) + math.log(0.9)) / 2
    assert float(Explainability(full_resolution=False)(sample, given)) == pytest.approx(small, abs=1e-5)
    enlarged = torch.nn.functional.interpolate(masks[0], SIZE, mode="bilinear", align_corners=False)
    assert float(Explainability()(sample, given)) == pytest.approx(float(-enlarged.log().mean()), abs=1e-5)
