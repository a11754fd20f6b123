"""What every depth network of the catalog keeps."""

import copy
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from kinedepth.catalog import DEPTH_NETWORKS
from kinedepth.networks import DepthNetwork
from kinedepth.settings import Network

SIZES = [(64, 96), (64, 160), (128, 64)]


def build(name: str) -> DepthNetwork:
    torch.manual_seed(0)
    return DEPTH_NETWORKS[name](Network(name=name, weights="scratch", near=0.5, far=50.0), None)


@pytest.fixture(scope="module", params=sorted(DEPTH_NETWORKS))
def network(request: pytest.FixtureRequest) -> DepthNetwork:
    """In evaluation, for reading only."""
    return build(request.param).eval()


@pytest.fixture
def image() -> Tensor:
    return torch.rand(2, 3, 64, 96)


@pytest.mark.parametrize("size", SIZES)
def test_scales_begin_at_the_image_and_halve(size: tuple[int, int], network: DepthNetwork) -> None:
    maps = network(torch.rand(1, 3, *size))
    assert len(maps) >= 4
    assert [tuple(one.shape) for one in maps] == [
        (1, 1, size[0] >> s, size[1] >> s) for s in range(len(maps))
    ]


@pytest.mark.parametrize("contrast", [0.0, 1.0, 20.0])
def test_depth_lies_in_its_range(contrast: float, network: DepthNetwork, image: Tensor) -> None:
    """Whatever the picture, also one that is none."""
    assert (network.near, network.far) == (0.5, 50.0)
    with torch.inference_mode():
        maps = network(0.5 + contrast * (image - 0.5))
    for inverse in maps:
        assert inverse.isfinite().all()
        assert float(inverse.min()) > 0
        assert float(inverse.min()) >= 1 / 50 - 1e-6
        assert float(inverse.max()) <= 1 / 0.5 + 1e-6


def test_forward_is_decode_of_encode(network: DepthNetwork, image: Tensor) -> None:
    features = network.encode(image)
    assert len(features.encoder) > 0
    heights = [one.shape[-2] for one in features.encoder]
    assert heights == sorted(heights, reverse=True), "finest first"
    assert all(torch.equal(a, b) for a, b in zip(network(image), network.decode(features), strict=True))


def test_evaluation_is_deterministic(network: DepthNetwork, image: Tensor) -> None:
    assert all(torch.equal(a, b) for a, b in zip(network(image), network(image), strict=True))


def test_evaluation_does_not_mix_images(network: DepthNetwork, image: Tensor) -> None:
    for together, alone in zip(network(image), network(image[1:]), strict=True):
        torch.testing.assert_close(together[1:], alone, rtol=1e-4, atol=1e-5)


def test_depth_depends_on_the_picture(network: DepthNetwork, image: Tensor) -> None:
    one, other = network(image)[0]
    assert not torch.allclose(one, other, rtol=1e-4)


def test_autocast_gives_finite_full_precision(network: DepthNetwork, image: Tensor) -> None:
    with torch.autocast("cpu", torch.bfloat16):
        cast = network(image)
    for ours, plain in zip(cast, network(image), strict=True):
        assert ours.dtype == torch.float32
        assert ours.isfinite().all()
        torch.testing.assert_close(ours, plain, rtol=0.2, atol=0.02)


def test_gradient_reaches_every_parameter(network: DepthNetwork, image: Tensor) -> None:
    learning = copy.deepcopy(network).train()
    torch.stack([(one * torch.rand_like(one)).sum() for one in learning(image)]).sum().backward()
    silent = [name for name, p in learning.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert silent == []


def test_every_map_of_the_encoder_counts_and_learns(network: DepthNetwork, image: Tensor) -> None:
    with torch.no_grad():
        features = network.encode(image)
    leaves = tuple(one.clone().requires_grad_() for one in features.encoder)
    finest = network.decode(replace(features, encoder=leaves))[0]
    gradients = torch.autograd.grad((finest * torch.rand_like(finest)).sum(), leaves)
    assert all(gradient.abs().sum() > 0 for gradient in gradients)


def test_state_makes_an_equal_network(network: DepthNetwork, image: Tensor) -> None:
    torch.manual_seed(1)
    other = copy.deepcopy(network)
    for parameter in other.parameters():
        torch.nn.init.normal_(parameter)
    other.load_state_dict(network.state_dict())
    assert all(torch.equal(a, b) for a, b in zip(network(image), other(image), strict=True))


def test_parameters_are_not_shared_between_two(network: DepthNetwork, request: pytest.FixtureRequest) -> None:
    other = build(request.node.callspec.params["network"])
    assert not {id(p) for p in network.parameters()} & {id(p) for p in other.parameters()}


def test_exports(network: DepthNetwork, image: Tensor) -> None:
    exported = torch.export.export(network, (image,)).module()
    for ours, theirs in zip(network(image), exported(image), strict=True):
        torch.testing.assert_close(theirs, ours, rtol=1e-4, atol=1e-5)
