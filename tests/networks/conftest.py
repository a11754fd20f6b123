"""Small networks and images, seeded."""

import pytest
import torch

from kinedepth.networks.blocks.resnet import ResNetEncoder
from kinedepth.networks.depth.monodepth2 import Monodepth2Depth


@pytest.fixture(scope="module")
def network():
    """A ResNet-18 depth network from scratch, for reading only."""
    torch.manual_seed(1)
    return Monodepth2Depth(ResNetEncoder(18, "scratch")).eval()


@pytest.fixture
def image():
    return torch.rand(2, 3, 64, 96)
