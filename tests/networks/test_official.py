import copy

import pytest
import torch

from kinedepth.errors import KinedepthError
from kinedepth.networks.blocks.resnet import ResNetEncoder
from kinedepth.networks.explain import Explainability
from kinedepth.networks.official import (
    Mismatch,
    from_official,
    load_official,
    mismatch,
    official_names,
    to_official,
)
from kinedepth.networks.pose import PoseCNN, PoseResNet

SETTINGS = {"height": 192, "width": 640, "use_stereo": False}


def pose_resnet(slots):
    torch.manual_seed(4)
    return PoseResNet(ResNetEncoder(18, "scratch", frames=2), slots)


@pytest.fixture
def depth_file(network):
    return to_official("depth", network.state_dict())


@pytest.fixture
def encoder_file(network):
    return {**SETTINGS, **to_official("encoder", network.state_dict()), "encoder.fc.bias": torch.zeros(1000)}


@pytest.mark.parametrize(
    ("ours", "official"),
    [
        ("decoder.narrow.4.conv.weight", "decoder.0.conv.conv.weight"),
        ("decoder.merge.4.conv.bias", "decoder.1.conv.conv.bias"),
        ("decoder.narrow.0.conv.weight", "decoder.8.conv.conv.weight"),
        ("decoder.heads.0.weight", "decoder.10.conv.weight"),
        ("decoder.heads.3.bias", "decoder.13.conv.bias"),
    ],
)
def test_decoder_names(ours, official, network):
    assert official_names("depth", network.state_dict())[ours] == official


def test_every_parameter_belongs_to_one_file(network):
    state = network.state_dict()
    names = [set(official_names(part, state)) for part in ("encoder", "depth")]
    assert not names[0] & names[1]
    assert set(state) - names[0] - names[1] == {"range.limits"}


def test_depth_network_travels_there_and_back(network, image, encoder_file, depth_file):
    other = copy.deepcopy(network)
    for parameter in other.parameters():
        torch.nn.init.zeros_(parameter)
    load_official(other, {"encoder": encoder_file, "depth": depth_file})
    with torch.no_grad():
        torch.testing.assert_close(other(image), network(image), rtol=0, atol=0)


@pytest.mark.parametrize(
    ("make", "parts"),
    [
        (lambda: pose_resnet(2), ("pose_encoder", "pose")),
        (PoseCNN, ("posecnn",)),
        (lambda: Explainability((64, 64, 128, 256, 512)), ("predictive_mask",)),
    ],
    ids=["pose", "posecnn", "predictive_mask"],
)
def test_other_networks_travel_there_and_back(make, parts):
    source, other = make(), make()
    for parameter in other.parameters():
        torch.nn.init.zeros_(parameter)
    load_official(other, {part: to_official(part, source.state_dict()) for part in parts})
    torch.testing.assert_close(other.state_dict(), source.state_dict(), rtol=0, atol=0)


def test_differences_are_named(network, depth_file):
    depth_file["decoder.14.conv.weight"] = torch.zeros(1)
    del depth_file["decoder.3.conv.conv.bias"]
    depth_file["decoder.10.conv.weight"] = torch.zeros(2, 16, 3, 3)
    assert mismatch("depth", depth_file, network.state_dict()) == Mismatch(
        ("decoder.14.conv.weight",), ("decoder.3.conv.conv.bias",), ("decoder.10.conv.weight",)
    )
    words = r"unknown decoder\.14.*missing decoder\.3.*mis-shaped decoder\.10"
    with pytest.raises(KinedepthError, match=words):
        from_official("depth", depth_file, network.state_dict())


def test_no_difference_is_false(network, depth_file):
    assert not mismatch("depth", depth_file, network.state_dict())


def test_many_differences_are_counted(network):
    with pytest.raises(KinedepthError, match="missing .* and 23 more"):
        from_official("depth", {}, network.state_dict())


def test_entry_that_is_no_tensor_is_missing(network, depth_file):
    depth_file["decoder.10.conv.bias"] = 1.0
    assert mismatch("depth", depth_file, network.state_dict()).missing == ("decoder.10.conv.bias",)


def test_encoder_of_another_depth(network):
    file = to_official("encoder", ResNetEncoderHolder().state_dict())
    with pytest.raises(KinedepthError, match="official encoder file does not fit.*mis-shaped"):
        load_official(network, {"encoder": file})


class ResNetEncoderHolder(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = ResNetEncoder(50, "scratch")


def test_half_of_the_files_is_not_enough(network, encoder_file):
    with pytest.raises(KinedepthError, match=r"files encoder lack decoder\."):
        load_official(copy.deepcopy(network), {"encoder": encoder_file})


def test_official_pose_gives_its_first_slot():
    source, one = pose_resnet(2), pose_resnet(1)
    for part in ("pose_encoder", "pose"):
        found = from_official(part, to_official(part, source.state_dict()), one.state_dict())
        one.load_state_dict(one.state_dict() | found)
    torch.testing.assert_close(
        one.decoder.layers[3].weight, source.decoder.layers[3].weight[:6], rtol=0, atol=0
    )


def test_one_slot_does_not_fill_two():
    file = to_official("pose", pose_resnet(1).state_dict())
    with pytest.raises(KinedepthError, match=r"mis-shaped net\.3\.weight, net\.3\.bias"):
        from_official("pose", file, pose_resnet(2).state_dict())
