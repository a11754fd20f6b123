"""WHAT A METHOD IS: networks, terms, and phases that say which networks learn from which terms."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor, nn

from kinedepth.errors import KinedepthError
from kinedepth.geometry.pose import Pose
from kinedepth.geometry.precision import outside_autocast
from kinedepth.losses import Term
from kinedepth.networks import DepthNetwork
from kinedepth.optimizer import Optimizer
from kinedepth.scene import Estimate, Inputs, Sample
from kinedepth.settings import Settings


@runtime_checkable
class AdaptiveWeight(Protocol):
    """A weight that follows the training; its state is saved with the run."""

    def __call__(self, values: Mapping[str, Tensor]) -> float:
        """The factor, given the unweighted values of all terms of this step."""
        ...

    def state_dict(self) -> dict[str, Any]:
        """What must be kept to go on."""
        ...

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from `state`."""
        ...


Weight = float | AdaptiveWeight


@dataclass(frozen=True)
class Phase:
    """A stretch of training: exactly the networks in `trains` change, by exactly the terms in `weights`."""

    name: str
    epochs: int
    trains: frozenset[str]
    weights: Mapping[str, Weight]
    """Term -> weight; a term that is not named is not computed."""
    uses: frozenset[str] = frozenset()
    """Networks that run without learning."""
    copies: Mapping[str, str] = field(default_factory=dict)
    """{into: from}, once, when the phase starts."""
    optimizer: Optimizer = field(default_factory=Optimizer)
    carry: bool = False
    """The optimizer's state goes on from the phase before instead of starting afresh."""
    steps: int | None = None
    """Ends the phase after so many steps, whatever `epochs` says."""


@dataclass(frozen=True)
class Parts:
    """What a method is built from: settings, and how to make each kind of network."""

    settings: Settings
    make_depth: Callable[[], DepthNetwork]
    make_pose: Callable[[DepthNetwork], nn.Module]
    """Given the depth network, whose encoder a pose network may share."""
    make_explain: Callable[[DepthNetwork], nn.Module]
    optimizer: Optimizer


class Method(nn.Module, ABC):
    """A way to learn. Subclasses are final; they give `predict` and `forward` and hold no loop."""

    learns_from: Inputs
    predicts_from: Inputs

    def __init__(
        self, networks: Mapping[str, nn.Module], terms: Mapping[str, Term], phases: tuple[Phase, ...]
    ) -> None:
        """Hold the parts.

        Raises:
            KinedepthError: a phase names an unknown network or term, or two networks share parameters.
        """
        super().__init__()
        self.networks = nn.ModuleDict(networks)
        self.terms = dict(terms)
        self.phases = phases
        self._check()
        self.phase = phases[0]
        self.enter(self.phase)

    def _check(self) -> None:
        if not self.phases:
            raise KinedepthError(f"{type(self).__name__} has no phase: give it at least one.")
        for phase in self.phases:
            named = phase.trains | phase.uses | set(phase.copies) | set(phase.copies.values())
            _known(named, set(self.networks), f"phase '{phase.name}'", "network")
            _known(set(phase.weights), set(self.terms), f"phase '{phase.name}'", "term")
        owner: dict[int, str] = {}
        for name, network in self.networks.items():
            for parameter in network.parameters():
                if owner.setdefault(id(parameter), name) != name:
                    raise KinedepthError(
                        f"Networks '{owner[id(parameter)]}' and '{name}' share parameters: make the shared "
                        "part a network of its own, so that a phase can freeze it."
                    )

    @abstractmethod
    def predict(self, sample: Sample) -> Estimate:
        """What ships: all that a user gets at test time."""

    @abstractmethod
    def forward(self, sample: Sample) -> Estimate:
        """Everything that the terms of the current phase read."""

    def pose_between(self, first: Float[Tensor, "b 3 h w"], second: Float[Tensor, "b 3 h w"]) -> Pose:
        """second_from_first of two frames in order of time.

        Raises:
            KinedepthError: the method was trained without a pose network.
        """
        raise KinedepthError(
            f"This {type(self).__name__} has no pose network: train it with neighbouring frames."
        )

    def uses(self, name: str) -> bool:
        """Whether the current phase runs a network."""
        return name in self.phase.trains or name in self.phase.uses

    def enter(self, phase: Phase) -> None:
        """Make `phase` the current one: its networks learn, all others are frozen."""
        self.phase = phase
        for name, network in self.networks.items():
            network.requires_grad_(name in phase.trains)
        self.train(self.training)

    def start(self, phase: Phase) -> None:
        """Enter a phase at its beginning: copies are made."""
        for into, origin in phase.copies.items():
            self.networks[into].load_state_dict(self.networks[origin].state_dict())
        self.enter(phase)

    def train(self, mode: bool = True) -> "Method":
        """Training mode for the networks that learn; a frozen one cannot be woken."""
        super().train(mode)
        for name, network in self.networks.items():
            network.train(mode and name in self.phase.trains)
        return self

    def values(self, sample: Sample, estimate: Estimate) -> dict[str, Tensor]:
        """The unweighted terms of the current phase."""
        with outside_autocast(sample.target.image):
            return {name: self.terms[name](sample, estimate) for name in self.phase.weights}

    def losses(self, sample: Sample, estimate: Estimate) -> dict[str, Tensor]:
        """The weighted terms of the current phase: their sum is what is minimised."""
        values = self.values(sample, estimate)
        return {name: value * _factor(self.phase.weights[name], values) for name, value in values.items()}


def _factor(weight: Weight, values: Mapping[str, Tensor]) -> float:
    return weight(values) if isinstance(weight, AdaptiveWeight) else weight


def _known(named: set[str] | frozenset[str], known: set[str], where: str, what: str) -> None:
    unknown = sorted(named - known)
    if unknown:
        raise KinedepthError(f"{where} names the {what} '{unknown[0]}', which is not among {sorted(known)}.")
