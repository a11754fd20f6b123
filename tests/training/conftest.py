"""A drive of small pictures, and methods small enough to train in milliseconds."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from kinedepth import settings as options
from kinedepth.data.augment import Augment
from kinedepth.data.moments import split
from kinedepth.data.samples import Samples
from kinedepth.data.source import open_source
from kinedepth.geometry.depth import inverse_depth_from_sigmoid
from kinedepth.method import Method, Parts, Phase
from kinedepth.methods.monodepth2 import Monodepth2
from kinedepth.networks import DepthNetwork, Features, PoseNetwork, PoseVectors
from kinedepth.optimizer import Optimizer
from kinedepth.scene import Estimate, Inputs, Sample
from kinedepth.training.trainer import Trainer, TrainingData

SIZE = (32, 64)
CLOCK = ("images_per_second", "seconds_per_step", "data_wait_share")
"""What no two runs share."""


def textured(index: int, size: tuple[int, int]) -> np.ndarray:
    """A smooth random texture that moves to the left by two pixels per frame."""
    noise = np.random.default_rng(7).random((size[0] // 4, size[1], 3))
    wide = Image.fromarray((noise * 255).astype(np.uint8)).resize(
        (2 * size[1], size[0]), Image.Resampling.BICUBIC
    )
    return np.asarray(wide)[:, 2 * index : 2 * index + size[1]]


@pytest.fixture(scope="session")
def drive(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """drive(count=10, size=SIZE, truth=False): a folder of frames, with measured depth if asked."""

    def write(count: int = 10, size: tuple[int, int] = SIZE, truth: bool = False) -> Path:
        folder = tmp_path_factory.mktemp("drive")
        (folder / "images").mkdir()
        (folder / "truth").mkdir()
        for index in range(count):
            Image.fromarray(textured(index, size)).save(folder / "images" / f"{index:06d}.png")
            depth = np.tile(np.linspace(40, 2, size[0], dtype=np.float32)[:, None], (1, size[1]))
            if truth:
                np.savez(folder / "truth" / f"{index:06d}.npz", depth=depth)
        return folder

    return write


class TinyDepth(DepthNetwork):
    """Two scales of inverse depth from one normalized convolution."""

    near, far = 0.1, 100.0

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU())
        self.head = nn.Conv2d(4, 1, 3, padding=1)

    def encode(self, image: Tensor) -> Features:
        return Features((self.stem(image),))

    def decode(self, features: Features) -> tuple[Tensor, ...]:
        inverse = inverse_depth_from_sigmoid(
            self.head(features.encoder[0]).float().sigmoid(), self.near, self.far
        )
        return inverse, inverse[..., ::2, ::2]


class TinyPose(PoseNetwork):
    """One convolution and a mean."""

    frames = 2

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Conv2d(6, 6, 3, stride=2)

    def vectors(self, *images: Tensor) -> PoseVectors:
        motion = 0.01 * self.layer(torch.cat(images, 1)).float().mean((2, 3))[:, None]
        return motion[..., :3], motion[..., 3:]


@dataclass(frozen=True)
class Heard:
    """A term that calls `listen` each time it is asked for while training, before it answers."""

    term: Callable[[Sample, Estimate], Tensor]
    listen: Callable[[], None]

    def __call__(self, sample: Sample, estimate: Estimate) -> Tensor:
        if torch.is_grad_enabled():
            self.listen()
        return self.term(sample, estimate)


def tiny_monodepth2(settings: options.Settings) -> Method:
    """Monodepth2 itself, with tie noise, on tiny networks."""
    torch.manual_seed(settings.train.seed)
    optimizer = Optimizer(settings.train.lr)
    return Monodepth2(
        Parts(settings, TinyDepth, lambda depth: TinyPose(), lambda depth: TinyPose(), optimizer)
    )


class Brightness(nn.Module):
    """Inverse depth from brightness, with a norm whose buffers move while it learns."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Sequential(nn.Conv2d(3, 2, 3, padding=1), nn.BatchNorm2d(2), nn.Conv2d(2, 1, 1))

    def forward(self, image: Tensor) -> Tensor:
        return 0.1 + self.layer(image).sigmoid()


class Phased(Method):
    """Three networks that each say inverse depth; the term pulls the mean of those in use to the image."""

    def __init__(self, phases: tuple[Phase, ...], terms: Mapping[str, Any] | None = None) -> None:
        torch.manual_seed(0)
        named = {"fit": fit_to_image, **(terms or {})}
        super().__init__({name: Brightness() for name in ("one", "two", "three")}, named, phases)
        self.learns_from, self.predicts_from = Inputs((-1, 1)), Inputs()

    def predict(self, sample: Sample) -> Estimate:
        return self.forward(sample)

    def forward(self, sample: Sample) -> Estimate:
        said = [network(sample.target.seen) for name, network in self.networks.items() if self.uses(name)]
        return Estimate((torch.stack(said).mean(0),))


def fit_to_image(sample: Sample, estimate: Estimate) -> Tensor:
    """Needs random numbers as much as tie noise does."""
    wanted = sample.target.image.mean(1, keepdim=True)
    return (estimate.inverse_depth[0] - wanted + 0.1 * torch.randn_like(wanted)).square().mean()


@dataclass
class Workshop:
    """Builds trainers on one drive, and reads what they leave."""

    source: Path
    phased = Phased
    settings = staticmethod(lambda **train: loop_settings(**train))
    tiny = staticmethod(tiny_monodepth2)

    def data(self, inputs: Inputs, held_out: float = 0.2, vary: bool = True, **more: Any) -> TrainingData:
        learn, held = split(open_source(self.source).moments(inputs.offsets), held_out)
        augment = Augment(0.5, 0.5) if vary else None
        samples = Samples(learn, inputs, SIZE, augment, seed=3)
        judged = Samples(held, inputs, SIZE, truth=True) if held else None
        return TrainingData(samples, judged, **more)

    def trainer(
        self,
        folder: Path,
        method: Method | None = None,
        listen: Callable[[], None] | None = None,
        **train: Any,
    ) -> Trainer:
        """A trainer of tiny Monodepth2, or of `method`; keywords are settings of the loop or of `data`.

        `listen` is called in each step, before the loss.
        """
        of_data = {key: train.pop(key) for key in ("held_out", "vary", "workers") if key in train}
        settings = loop_settings(**train)
        method = method or tiny_monodepth2(settings)
        if listen is not None:
            first = next(iter(method.phase.weights))
            method.terms[first] = Heard(method.terms[first], listen)
        return Trainer(
            method, self.data(method.learns_from, **of_data), folder, settings.train, {"settings": {}}
        )

    def metrics(self, folder: Path) -> list[dict[str, float]]:
        """The lines of metrics.jsonl without what no two runs share."""
        lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
        return [{key: value for key, value in line.items() if key not in CLOCK} for line in lines]

    def state(self, folder: Path) -> dict[str, Any]:
        """All that a run goes on from."""
        kept: dict[str, Any] = torch.load(folder / "state" / "state.pt", weights_only=True)
        return kept


def loop_settings(**train: Any) -> options.Settings:
    """Six samples in batches of two: three steps are an epoch."""
    usual = {"batch_size": 2, "steps": 8, "lr": 1e-2, "log_every": 1, "save_every": 100, "samples": 0}
    train = {"logger": "none", "device": "cpu", **usual, **train}
    return options.changed(options.Settings(), data={"size": SIZE}, train=train)


@pytest.fixture(scope="session")
def workshop(drive: Callable[..., Path]) -> Workshop:
    """Trainers on twelve frames: six samples to learn from, two held out."""
    return Workshop(drive(12))


def _same(one: Any, other: Any) -> None:
    """Equal to the last bit, whatever is nested how."""
    if isinstance(one, Tensor):
        assert torch.equal(one, other)
    elif isinstance(one, dict):
        assert list(one) == list(other)
        for key in one:
            _same(one[key], other[key])
    elif isinstance(one, list | tuple):
        assert len(one) == len(other)
        for left, right in zip(one, other, strict=True):
            _same(left, right)
    else:
        assert one == other


@pytest.fixture(scope="session")
def same() -> Callable[[Any, Any], None]:
    """same(one, other) fails unless both are equal to the last bit."""
    return _same
