import copy

import pytest
import torch

from kinedepth.errors import KinedepthError
from kinedepth.networks.blocks.resnet import ResNetEncoder
from kinedepth.networks.depth.monodepth2 import Monodepth2Decoder, Monodepth2Depth


def parameters(module):
    return sum(parameter.numel() for parameter in module.parameters())


def test_parameter_counts_of_the_fact_sheet(network):
    assert parameters(network.decoder) == 3_152_724
    assert parameters(network) == 14_329_236


def test_parameter_count_of_the_wide_decoder():
    assert parameters(Monodepth2Decoder((64, 256, 512, 1024, 2048))) == 9_014_100


@pytest.mark.parametrize(("batch", "height", "width"), [(2, 64, 96), (1, 96, 64), (3, 64, 64), (1, 128, 416)])
def test_four_scales_within_the_range(network, batch, height, width):
    with torch.no_grad():
        maps = network(torch.rand(batch, 3, height, width))
    assert [tuple(one.shape) for one in maps] == [(batch, 1, height >> s, width >> s) for s in range(4)]
    assert all(1 / network.far < float(one.min()) < float(one.max()) < 1 / network.near for one in maps)


@pytest.mark.parametrize(("height", "width"), [(65, 96), (64, 100), (32, 96), (96, 32)])
def test_sizes_that_do_not_fit(network, height, width):
    with pytest.raises(KinedepthError, match=f"{width}x{height}.*multiples of 32 and at least 64"):
        network(torch.rand(1, 3, height, width))


def test_the_multiple_is_stated(network):
    assert network.multiple == 32


def test_forward_is_encode_and_decode(network, image):
    with torch.no_grad():
        features = network.encode(image)
        torch.testing.assert_close(network.decode(features), network(image), rtol=0, atol=0)


def test_decoder_maps_are_decoded_once(network, image):
    with torch.no_grad():
        features = network.decoded(network.encode(image))
        inverse_depth = network.decode(features)
        doubled = network.decode(type(features)(features.encoder, tuple(2 * one for one in features.decoder)))
    assert [one.shape[1] for one in features.decoder] == [16, 32, 64, 128, 256]
    assert not torch.equal(inverse_depth[0], doubled[0])
    torch.testing.assert_close(inverse_depth, network(image), rtol=0, atol=0)


def test_gradient_reaches_every_parameter(network, image):
    network = copy.deepcopy(network).train()
    sum(one.mean() for one in network(image)).backward()
    assert [name for name, p in network.named_parameters() if p.grad is None or not p.grad.any()] == []


def test_evaluation_is_deterministic_and_free_of_the_batch(network, image):
    with torch.no_grad():
        once, again, alone = network(image), network(image), network(image[:1])
    torch.testing.assert_close(once, again, rtol=0, atol=0)
    torch.testing.assert_close(once[0][:1], alone[0], rtol=1e-4, atol=1e-5)


def test_training_mode_uses_the_batch(network, image):
    with torch.no_grad():
        assert not torch.allclose(copy.deepcopy(network).train()(image)[0], network(image)[0], atol=1e-4)


def test_autocast_gives_finite_float32(network, image):
    with torch.no_grad():
        plain = network(image)
        with torch.autocast("cpu", torch.bfloat16):
            narrow = network(image)
    assert all(one.dtype == torch.float32 and bool(one.isfinite().all()) for one in narrow)
    torch.testing.assert_close(narrow[0], plain[0], rtol=0.1, atol=0.1)


def test_heads_are_not_rounded_under_autocast(network, image):
    with torch.no_grad():
        maps = network.decoder.maps(network.encode(image).encoder)
        plain = network.decoder.logits(maps)
        with torch.autocast("cpu", torch.bfloat16):
            torch.testing.assert_close(network.decoder.logits(maps), plain, rtol=0, atol=0)


def test_channels_last_changes_nothing(network, image):
    turned = copy.deepcopy(network).to(memory_format=torch.channels_last)
    with torch.no_grad():
        ours = turned(image.to(memory_format=torch.channels_last))
        torch.testing.assert_close(ours, network(image), rtol=1e-4, atol=1e-5)


def test_double_precision_stays(network, image):
    with torch.no_grad():
        maps = copy.deepcopy(network).double()(image.double())
        torch.testing.assert_close(maps[0].float(), network(image)[0], rtol=1e-4, atol=1e-5)
    assert maps[0].dtype == torch.float64


def test_exports(network, image):
    exported = torch.export.export(network, (image,)).module()
    with torch.no_grad():
        torch.testing.assert_close(exported(image), network(image), rtol=1e-4, atol=1e-5)


def test_range_is_restored_from_the_state(network):
    other = Monodepth2Depth(ResNetEncoder(18, "scratch"), near=0.3, far=80.0)
    other.load_state_dict(network.state_dict())
    assert (other.near, other.far) == (0.1, 100.0)


def test_wider_range_says_larger_depth(network, image):
    wide = copy.deepcopy(network)
    wide.range.reset(0.1, 200.0)
    with torch.no_grad():
        difference = wide(image)[0] - network(image)[0]
    assert float(difference.max()) < 0
    assert wide.far == 200


@pytest.mark.parametrize(("near", "far"), [(0.0, 1.0), (2.0, 1.0), (-1.0, 1.0)])
def test_ranges_that_are_none(near, far):
    with pytest.raises(KinedepthError, match="near"):
        Monodepth2Depth(ResNetEncoder(18, "scratch"), near, far)
