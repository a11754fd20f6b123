"""What every loss term of every method keeps: finite, scalar, differentiable, least where it should be."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest
import torch
from torch import Tensor

from kinedepth.geometry.camera import Camera
from kinedepth.geometry.pose import Pose
from kinedepth.losses import Term
from kinedepth.losses.photometric import Explainability, Photometric
from kinedepth.losses.smoothness import Smoothness
from kinedepth.scene import Estimate, Sample, View
from kinedepth.synthesis import synthesize

SIZE = (32, 48)


@dataclass(frozen=True)
class Contract:
    """A term, and how to make an estimate that it cannot fault."""

    term: Term
    perfect: Callable[[Sample, Estimate], Estimate]
    least: float = 0.0


def rebuilt_perfectly(sample: Sample, estimate: Estimate) -> Estimate:
    same = tuple(
        tuple(replace(one, image=sample.target.image) for one in scale) for scale in estimate.rebuilt
    )
    return replace(estimate, rebuilt=same)


def flat(sample: Sample, estimate: Estimate) -> Estimate:
    return replace(estimate, inverse_depth=tuple(torch.full_like(one, 0.3) for one in estimate.inverse_depth))


def fully_explained(sample: Sample, estimate: Estimate) -> Estimate:
    return replace(estimate, explained=tuple(torch.ones_like(one) for one in estimate.explained))


TERMS = {
    "photometric": Contract(Photometric(automask=False), rebuilt_perfectly),
    "photometric, auto-mask": Contract(Photometric(tie_noise=0.0), rebuilt_perfectly),
    "photometric, average": Contract(Photometric(automask=False, average=True), rebuilt_perfectly),
    "photometric, explained": Contract(Photometric(automask=False, explained=True), rebuilt_perfectly),
    "photometric, no structure": Contract(Photometric(ssim=0.0, automask=False), rebuilt_perfectly),
    "smoothness": Contract(Smoothness(), flat),
    "smoothness above a floor": Contract(Smoothness(0.01), flat),
    "explainability": Contract(Explainability(), fully_explained),
    "explainability, small": Contract(Explainability(full_resolution=False), fully_explained),
}


@pytest.fixture
def sample() -> Sample:
    camera = Camera(torch.full((2, 2), 28.0), torch.tensor([[23.5, 15.5]] * 2))
    target, before, after = (View(torch.rand(2, 3, *SIZE), camera, offset) for offset in (0, -1, 1))
    return Sample(target, (before, after))


@pytest.fixture
def leaves() -> list[Tensor]:
    """Inverse depths, then masks, of two scales."""
    sizes = [SIZE, (16, 24)]
    maps = [0.1 + 0.8 * torch.rand(2, 1, *size) for size in sizes] + [
        0.1 + 0.8 * torch.rand(2, 2, *size) for size in sizes
    ]
    return [one.requires_grad_() for one in maps]


@pytest.fixture
def estimate(sample: Sample, leaves: list[Tensor]) -> Estimate:
    pose = Pose.from_axis_angle(torch.full((2, 3), 0.01), torch.full((2, 3), 0.1))
    given = Estimate(tuple(leaves[:2]), (pose.inverse(), pose), explained=tuple(leaves[2:]))
    return replace(given, rebuilt=synthesize(sample, given))


@pytest.mark.parametrize("name", TERMS)
def test_a_term_is_one_finite_number(name: str, sample: Sample, estimate: Estimate) -> None:
    value = TERMS[name].term(sample, estimate)
    assert value.shape == ()
    assert value.dtype == torch.float32
    assert value.isfinite()


@pytest.mark.parametrize("name", TERMS)
def test_a_term_has_a_finite_gradient(
    name: str, sample: Sample, estimate: Estimate, leaves: list[Tensor]
) -> None:
    value = TERMS[name].term(sample, estimate)
    found = [g for g in torch.autograd.grad(value, leaves, allow_unused=True) if g is not None]
    assert found
    assert all(gradient.isfinite().all() for gradient in found)
    assert any(gradient.abs().sum() > 0 for gradient in found)


@pytest.mark.parametrize("name", TERMS)
def test_a_term_is_least_where_nothing_is_wrong(name: str, sample: Sample, estimate: Estimate) -> None:
    contract = TERMS[name]
    best = contract.term(sample, contract.perfect(sample, estimate)).item()
    assert best == pytest.approx(contract.least, abs=1e-6)
    assert contract.term(sample, estimate).item() > best + 1e-3


@pytest.mark.parametrize("name", TERMS)
def test_a_perfect_estimate_has_a_finite_gradient_too(
    name: str, sample: Sample, estimate: Estimate, leaves: list[Tensor]
) -> None:
    """Square roots and divisions at zero would show here."""
    contract = TERMS[name]
    perfect = contract.perfect(sample, estimate)
    again = [
        one.detach().requires_grad_()
        for one in (*perfect.inverse_depth, *perfect.explained, sample.target.image)
    ]
    views = tuple(tuple(replace(one, image=again[4]) for one in scale) for scale in perfect.rebuilt)
    given = replace(perfect, inverse_depth=tuple(again[:2]), explained=tuple(again[2:4]), rebuilt=views)
    found = torch.autograd.grad(contract.term(sample, given), again, allow_unused=True)
    assert all(gradient.isfinite().all() for gradient in found if gradient is not None)


@pytest.mark.parametrize("name", TERMS)
def test_a_term_changes_nothing_that_it_is_given(name: str, sample: Sample, estimate: Estimate) -> None:
    before = [one.clone() for one in estimate.inverse_depth + estimate.explained]
    TERMS[name].term(sample, estimate)
    assert all(
        torch.equal(a, b) for a, b in zip(before, estimate.inverse_depth + estimate.explained, strict=True)
    )
