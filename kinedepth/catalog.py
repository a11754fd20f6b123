"""THE TABLES, written by hand: what a recipe can name. Only `recipe.py` reads them."""

from collections.abc import Callable, Mapping

from torch import nn

from kinedepth import settings as options
from kinedepth.method import Method, Parts
from kinedepth.methods.monodepth2 import Monodepth2
from kinedepth.networks import DepthNetwork
from kinedepth.networks.blocks.range import FlatGround
from kinedepth.networks.blocks.resnet import DEPTHS, ResNetEncoder
from kinedepth.networks.depth.monodepth2 import Monodepth2Depth
from kinedepth.networks.pose import PoseCNN, PoseResNet, SharedPose

METHODS: Mapping[str, Callable[[Parts], Method]] = {"monodepth2": Monodepth2}

ENCODERS: Mapping[str, int] = {f"resnet{layers}": layers for layers in DEPTHS}
"""Name -> layers."""


def _monodepth2(network: options.Network, ground: FlatGround | None) -> DepthNetwork:
    encoder = ResNetEncoder(ENCODERS[network.encoder], network.weights)
    return Monodepth2Depth(encoder, network.near, network.far, network.start, ground or FlatGround())


DEPTH_NETWORKS: Mapping[str, Callable[[options.Network, FlatGround | None], DepthNetwork]] = {
    "monodepth2": _monodepth2
}


def _separate(settings: options.Settings, depth: DepthNetwork, frames: int) -> nn.Module:
    encoder = ResNetEncoder(ENCODERS[settings.pose.encoder], settings.network.weights, frames)
    return PoseResNet(encoder, settings.pose.slots if frames == 2 else None)


def _shared(settings: options.Settings, depth: DepthNetwork, frames: int) -> nn.Module:
    return SharedPose(depth.encoder.channels[-1])


def _posecnn(settings: options.Settings, depth: DepthNetwork, frames: int) -> nn.Module:
    return PoseCNN(frames)


POSE_NETWORKS: Mapping[str, Callable[[options.Settings, DepthNetwork, int], nn.Module]] = {
    "separate": _separate,
    "all": _separate,
    "shared": _shared,
    "posecnn": _posecnn,
}
"""Kind -> network, given the settings, the depth network, and how many frames it reads at once."""
