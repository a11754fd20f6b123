"""A method small enough to reason about: inverse depth is a function of the pixels alone."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from kinedepth.geometry.pose import Pose
from kinedepth.inference.predictor import Predictor
from kinedepth.method import Method, Phase
from kinedepth.scene import Estimate, Inputs, Sample

SIZE = (32, 64)
"""Of the network."""


class Brightness(nn.Module):
    """Inverse depth 0.1 + brightness; batch norm, so that training mode would show."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(3)
        self.gain = nn.Parameter(torch.ones(()))

    def forward(self, image: Tensor) -> Tensor:
        return 0.1 + self.gain * self.norm(image).clamp(min=0).mean(1, keepdim=True)


class Toy(Method):
    """Looks at neighbours when told so, and moves forward by the mean brightness of the second frame."""

    def __init__(self, offsets: tuple[int, ...] = (), priors: frozenset[str] = frozenset()) -> None:
        super().__init__(
            networks={"depth": Brightness()}, terms={}, phases=(Phase("all", 1, frozenset({"depth"}), {}),)
        )
        self.learns_from = Inputs((-1, 1))
        self.predicts_from = Inputs(offsets, priors)

    def predict(self, sample: Sample) -> Estimate:
        inverse = self.networks["depth"](sample.target.seen)
        for source in sample.sources:
            inverse = inverse + source.image.mean((1, 2, 3))[:, None, None, None]
        return Estimate((inverse, inverse[..., ::2, ::2]))

    def forward(self, sample: Sample) -> Estimate:
        return self.predict(sample)


class Mover(Toy):
    """The same with a pose: turns right a little, moves forward by the second frame's mean brightness."""

    def pose_between(self, first: Tensor, second: Tensor) -> Pose:
        turn = first.new_tensor([[0.0, -0.1, 0.0]]).expand(len(first), 3)
        step = torch.stack(
            (0 * second.mean((1, 2, 3)), 0 * second.mean((1, 2, 3)), -second.mean((1, 2, 3))), 1
        )
        return Pose.from_axis_angle(turn, step)


@pytest.fixture
def predictor() -> Predictor:
    return Predictor(Mover(), SIZE)


@pytest.fixture
def picture() -> Callable[..., np.ndarray]:
    """picture(seed, height, width): a smooth coloured picture."""

    def smooth(seed: int = 0, height: int = 45, width: int = 83) -> np.ndarray:
        rng = np.random.default_rng(seed)
        y, x = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
        waves = [0.5 + 0.4 * np.sin(rng.uniform(2, 6) * x + rng.uniform(2, 6) * y + c) for c in range(3)]
        return np.rint(np.stack(waves, -1) * 255).astype(np.uint8)

    return smooth


@pytest.fixture
def method_with() -> Callable[..., Method]:
    """method_with(offsets, priors): the toy without a pose."""
    return Toy
