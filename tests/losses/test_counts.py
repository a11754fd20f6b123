"""Pixels that do not count leave no trace in any loss; where all count nothing changes."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from kinedepth.geometry.camera import Camera
from kinedepth.geometry.pose import Pose
from kinedepth.losses.photometric import Explainability, Photometric
from kinedepth.losses.smoothness import Smoothness
from kinedepth.scene import Estimate, Sample, View
from kinedepth.synthesis import Synthesis, synthesize

SIZE = (48, 80)
TERMS = {
    "photometric": Photometric(tie_noise=0.0),
    "no auto-mask": Photometric(automask=False),
    "average": Photometric(tie_noise=0.0, average=True),
    "no structure": Photometric(ssim=0.0, tie_noise=0.0),
    "explained": Photometric(automask=False, explained=True),
    "smoothness": Smoothness(0.01),
    "explainability": Explainability(),
    "explainability, small": Explainability(full_resolution=False),
}
OFFSETS = (0, -1, 1)


@pytest.fixture
def images() -> list[Tensor]:
    return list(torch.rand(3, 2, 3, *SIZE))


@pytest.fixture
def masks() -> list[Tensor]:
    """A bonnet, a corner and a stamp, not on the coarse grid; another one in each view."""
    counts = torch.ones(3, 2, 1, *SIZE, dtype=torch.bool)
    counts[0, ..., 37:, :] = False
    counts[0, ..., 5:9, 11:30] = False
    counts[1, ..., 33:, 20:] = False
    counts[2, 0, :, :7, 51:] = False
    return list(counts)


@pytest.fixture
def leaves() -> list[Tensor]:
    """Inverse depth of four scales, masks of four scales, a turn and a step."""
    inverse = [0.1 + torch.rand(2, 1, SIZE[0] >> s, SIZE[1] >> s) for s in range(4)]
    explained = [0.1 + 0.8 * torch.rand(2, 2, SIZE[0] >> s, SIZE[1] >> s) for s in range(4)]
    motion = [torch.full((2, 3), 0.01), torch.full((2, 3), 0.1)]
    return [leaf.requires_grad_() for leaf in (*inverse, *explained, *motion)]


def sample(images: list[Tensor], masks: list[Tensor] | None) -> Sample:
    camera = Camera(torch.full((2, 2), 50.0), torch.tensor([[39.5, 23.5]] * 2))
    each = [None] * 3 if masks is None else masks
    views = [View(*it[:1], camera, it[1], counts=it[2]) for it in zip(images, OFFSETS, each, strict=True)]
    return Sample(views[0], tuple(views[1:]))


def found(term: str, given: Sample, leaves: list[Tensor], full: bool = True) -> list[Tensor]:
    """The loss and its gradients."""
    pose = Pose.from_axis_angle(leaves[8], leaves[9])
    estimate = Estimate(tuple(leaves[:4]), (pose.inverse(), pose), explained=tuple(leaves[4:8]))
    settings = Synthesis(full_resolution=full, translation_by_inverse_depth=True)
    estimate = replace(estimate, rebuilt=synthesize(given, estimate, settings))
    torch.manual_seed(1)
    loss = TERMS[term](given, estimate)
    gradients = torch.autograd.grad(loss, leaves, allow_unused=True)
    return [loss.detach(), *(g for g in gradients if g is not None)]


@pytest.mark.parametrize("full", [True, False])
@pytest.mark.parametrize("term", TERMS)
def test_what_is_left_out_cannot_be_seen(
    term: str, full: bool, images: list[Tensor], masks: list[Tensor], leaves: list[Tensor]
) -> None:
    other = [torch.where(m, i, torch.rand_like(i)) for i, m in zip(images, masks, strict=True)]
    before = found(term, sample(images, masks), leaves, full)
    after = found(term, sample(other, masks), leaves, full)
    assert all(torch.equal(a, b) for a, b in zip(before, after, strict=True))
    assert before[0] > 0
    assert any(gradient.abs().sum() > 0 for gradient in before[1:])


@pytest.mark.parametrize("view", [0, 1, 2])
def test_without_a_mask_it_can_be_seen(
    view: int, images: list[Tensor], masks: list[Tensor], leaves: list[Tensor]
) -> None:
    other = list(images)
    other[view] = torch.where(masks[view], images[view], torch.rand_like(images[view]))
    masks[view] = torch.ones_like(masks[view])
    before, after = (found("photometric", sample(these, masks), leaves)[0] for these in (images, other))
    assert not torch.isclose(before, after, rtol=1e-4)


@pytest.mark.parametrize("full", [True, False])
@pytest.mark.parametrize("term", TERMS)
def test_where_all_count_nothing_changes(
    term: str, full: bool, images: list[Tensor], masks: list[Tensor], leaves: list[Tensor]
) -> None:
    whole = [torch.ones_like(mask) for mask in masks]
    plain, counted = (found(term, sample(images, these), leaves, full) for these in (None, whole))
    for one, other in zip(plain, counted, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)


def still_errors(images: list[Tensor], masks: list[Tensor], **choices: bool) -> tuple[Tensor, Tensor, Tensor]:
    """Least error, winner and count of one scale, when nothing moves and depth is flat."""
    given, pose = sample(images, masks), Pose(torch.eye(3).repeat(2, 1, 1), torch.zeros(2, 3))
    estimate = Estimate((torch.ones(2, 1, *SIZE),), (pose, pose))
    estimate = replace(estimate, rebuilt=synthesize(given, estimate))
    term = Photometric(ssim=0.0, tie_noise=0.0, **choices)
    errors = term.errors(given, estimate)[0]
    return *term.least(errors), errors.counts


@pytest.mark.parametrize("average", [False, True])
def test_a_source_that_does_not_count_explains_nothing(images: list[Tensor], average: bool) -> None:
    """The first source equals the target on its left half, which does not count."""
    target, _, after = images
    masks = [torch.ones(2, 1, *SIZE, dtype=torch.bool) for _ in images]
    masks[1][..., :40] = False
    least, _, counts = still_errors([target, target, after], masks, automask=False, average=average)
    expected = (after - target).abs().mean(1, keepdim=True)
    torch.testing.assert_close(least[..., :39], expected[..., :39], rtol=0, atol=1e-4)
    inner = 0.5 * expected if average else torch.zeros_like(expected)
    torch.testing.assert_close(least[..., 42:], inner[..., 42:], rtol=0, atol=1e-4)
    assert counts.all()


def test_a_pixel_that_no_source_shows_is_out(images: list[Tensor]) -> None:
    masks = [torch.ones(2, 1, *SIZE, dtype=torch.bool) for _ in images]
    masks[1][..., :40], masks[2][..., 20:] = False, False
    counts = still_errors(images, masks)[2]
    assert not counts[..., 20:40].any()
    assert counts[..., :18].all()
    assert counts[..., 42:].all()


def test_the_divisor_is_what_counts(images: list[Tensor]) -> None:
    """Twice the error on the half that counts, and none elsewhere, is not half of it."""
    masks = [torch.ones(2, 1, *SIZE, dtype=torch.bool) for _ in images]
    masks[0][..., :40] = False
    black, bright = torch.zeros_like(images[0]), torch.full_like(images[0], 0.5)
    given, pose = (
        sample([black, bright, bright], masks),
        Pose(torch.eye(3).repeat(2, 1, 1), torch.zeros(2, 3)),
    )
    estimate = Estimate((torch.ones(2, 1, *SIZE),), (pose, pose))
    estimate = replace(estimate, rebuilt=synthesize(given, estimate))
    assert Photometric(ssim=0.0, automask=False)(given, estimate).item() == pytest.approx(0.5)


def test_what_is_left_out_wins_nothing_in_the_auto_mask(images: list[Tensor], masks: list[Tensor]) -> None:
    least, wins, counts = still_errors(images, masks)
    assert not wins[~counts].any()
    assert least[counts].isfinite().all()
    plain = still_errors(images, masks, automask=False)
    assert torch.equal(plain[1], plain[2])


def test_depth_that_does_not_count_leaves_the_smoothness_alone(
    images: list[Tensor], masks: list[Tensor], leaves: list[Tensor]
) -> None:
    """Neither as an end of a difference nor in the mean that depth is divided by."""
    given = sample(images, masks)
    other = [torch.where(masks[0], leaves[0], 7.0)]
    term = TERMS["smoothness"]
    assert term(given, Estimate((leaves[0],))).item() == term(given, Estimate(tuple(other))).item()
    assert term(sample(images, None), Estimate((leaves[0],))) != term(given, Estimate((leaves[0],)))


def test_explainability_is_asked_where_pixels_count(images: list[Tensor], masks: list[Tensor]) -> None:
    explained = torch.where(masks[0], 0.5, 0.01).expand(2, 2, *SIZE)
    value = Explainability()(
        sample(images, masks), Estimate((torch.ones(2, 1, *SIZE),), explained=(explained,))
    )
    assert value.item() == pytest.approx(0.6931472, abs=1e-6)


def test_nothing_that_counts_gives_no_loss_and_no_gradient(
    images: list[Tensor], leaves: list[Tensor]
) -> None:
    none = [torch.zeros(2, 1, *SIZE, dtype=torch.bool)] * 3
    loss, *gradients = found("photometric", sample(images, none), leaves)
    assert loss == 0
    assert all((gradient == 0).all() for gradient in gradients)


def test_depth_that_does_not_count_moves_no_camera(
    images: list[Tensor], masks: list[Tensor], leaves: list[Tensor]
) -> None:
    """Where translations follow the mean inverse depth."""
    given, pose = sample(images, masks), Pose.from_axis_angle(leaves[8], leaves[9])
    settings = Synthesis(translation_by_inverse_depth=True)
    other = torch.where(masks[0], leaves[0], 7.0)
    one, two = (synthesize(given, Estimate((d,), (pose, pose)), settings)[0][0] for d in (leaves[0], other))
    there = masks[0].expand(-1, 2, -1, -1)
    assert torch.equal(one.pixels[there], two.pixels[there])
    assert not torch.equal(one.pixels, two.pixels)
