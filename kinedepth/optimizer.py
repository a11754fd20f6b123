"""Optimizers and schedules as values: what a phase says about how its networks learn."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol, runtime_checkable

import torch
from torch import nn


@dataclass(frozen=True)
class Progress:
    """Where a phase stands."""

    epoch: int
    step: int
    steps: int
    """Steps that the phase has in all."""


@runtime_checkable
class Schedule(Protocol):
    """A factor on the learning rate."""

    def __call__(self, progress: Progress) -> float:
        """The factor at this point."""
        ...


@dataclass(frozen=True)
class Steps:
    """Multiplied by `factor` after each of `epochs`; none is a constant rate."""

    epochs: tuple[int, ...] = ()
    factor: float = 0.1

    def __call__(self, progress: Progress) -> float:
        """The factor at this point."""
        return float(self.factor ** sum(progress.epoch >= epoch for epoch in self.epochs))


@dataclass(frozen=True)
class Exponential:
    """Multiplied by `factor` after every epoch."""

    factor: float

    def __call__(self, progress: Progress) -> float:
        """The factor at this point."""
        return float(self.factor**progress.epoch)


@dataclass(frozen=True)
class Cosine:
    """Half a cosine from 1 to `last` over the phase, after a linear rise over `warmup` steps."""

    last: float = 0.0
    warmup: int = 0

    def __call__(self, progress: Progress) -> float:
        """The factor at this point."""
        if progress.step < self.warmup:
            return (progress.step + 1) / self.warmup
        done = (progress.step - self.warmup) / max(1, progress.steps - self.warmup)
        return self.last + (1 - self.last) * (1 + math.cos(math.pi * min(1.0, done))) / 2


@dataclass(frozen=True)
class Optimizer:
    """How the networks of a phase learn."""

    lr: float = 1e-4
    kind: Literal["adam", "adamw"] = "adam"
    weight_decay: float = 0.0
    schedule: Schedule = field(default_factory=Steps)
    factors: Mapping[str, float] = field(default_factory=dict)
    """Network -> factor on the learning rate; 1 where it is not named."""

    def build(self, networks: Mapping[str, nn.Module]) -> torch.optim.Optimizer:
        """The optimizer of these networks, one group for each."""
        groups = [
            {"params": list(network.parameters()), "lr": self.lr * self.factors.get(name, 1.0), "name": name}
            for name, network in networks.items()
        ]
        kinds: dict[str, type[torch.optim.Adam]] = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}
        return kinds[self.kind](groups, lr=self.lr, weight_decay=self.weight_decay, fused=True)

    def rates(self, names: list[str], progress: Progress) -> list[float]:
        """The learning rate of each named network at this point."""
        factor = self.schedule(progress)
        return [self.lr * self.factors.get(name, 1.0) * factor for name in names]
