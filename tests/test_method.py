"""What every method keeps: phases change exactly what they name, and nothing wakes what is frozen."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from kinedepth.errors import KinedepthError
from kinedepth.geometry.camera import Camera
from kinedepth.method import AdaptiveWeight, Method, Phase
from kinedepth.optimizer import Optimizer
from kinedepth.scene import Estimate, Inputs, Sample, View

NAMES = ("coarse", "depth")


class Brightness(nn.Module):
    """Inverse depth from a batch-normed picture; the batch norm would tell if it were awake."""

    def __init__(self) -> None:
        super().__init__()
        self.mix, self.norm = nn.Conv2d(3, 1, 1), nn.BatchNorm2d(1)

    def forward(self, image: Tensor) -> Tensor:
        return 0.1 + self.norm(self.mix(image)).sigmoid()


def bright(sample: Sample, estimate: Estimate) -> Tensor:
    return (estimate.inverse_depth[0] - sample.target.image.mean(1, keepdim=True)).square().mean()


def dark(sample: Sample, estimate: Estimate) -> Tensor:
    return estimate.inverse_depth[-1].mean()


def forbidden(sample: Sample, estimate: Estimate) -> Tensor:
    raise AssertionError("a term that no weight names was computed")


PHASES = (
    Phase("first", 1, frozenset({"coarse"}), {"bright": 1.0}),
    Phase(
        "second",
        1,
        frozenset({"depth"}),
        {"bright": 2.0, "dark": 0.5},
        frozenset({"coarse"}),
        {"depth": "coarse"},
    ),
    Phase("both", 1, frozenset(NAMES), {"dark": 1.0}),
)


class Toy(Method):
    """Two networks whose sum is the inverse depth; what a phase does not use does not run."""

    def __init__(self, phases: tuple[Phase, ...] = PHASES, **networks: nn.Module) -> None:
        given = networks or {name: Brightness() for name in NAMES}
        super().__init__(given, {"bright": bright, "dark": dark, "forbidden": forbidden}, phases)
        self.learns_from = self.predicts_from = Inputs()

    def predict(self, sample: Sample) -> Estimate:
        return Estimate((self.networks["depth"](sample.target.seen),))

    def forward(self, sample: Sample) -> Estimate:
        ran = [self.networks[name](sample.target.seen) for name in NAMES if self.uses(name)]
        return Estimate((torch.stack(ran).sum(0),))


@pytest.fixture
def sample() -> Sample:
    return Sample(View(torch.rand(4, 3, 6, 8), Camera(torch.ones(4, 2), torch.ones(4, 2))))


def state(method: Method) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in method.networks.state_dict().items()}


def changed(method: Method, before: Mapping[str, Tensor]) -> set[str]:
    """The entries that differ in any bit."""
    now = method.networks.state_dict()
    return {name for name, tensor in before.items() if not torch.equal(tensor, now[name])}


def learn(method: Method, sample: Sample, steps: int = 2) -> None:
    """What the trainer does, without its files; every parameter is given to the optimizer."""
    optimizer = Optimizer(1e-2).build(dict(method.networks.items()))
    for _ in range(steps):
        losses = method.losses(sample, method(sample))
        optimizer.zero_grad()
        torch.stack(list(losses.values())).sum().backward()
        optimizer.step()


@pytest.mark.parametrize("phase", PHASES, ids=lambda phase: phase.name)
def test_a_phase_changes_exactly_the_networks_that_it_names(phase: Phase, sample: Sample) -> None:
    method = Toy().train()
    method.start(phase)
    before = state(method)
    learn(method, sample)
    trained = {name for name in before if name.split(".")[0] in phase.trains}
    assert changed(method, before) == trained, "weights and batch-norm buffers of these alone"


def test_a_frozen_network_stays_as_it_was_through_evaluation_and_training(sample: Sample) -> None:
    method = Toy()
    method.start(PHASES[1])
    before = state(method)
    for mode in (True, False, True):
        method.train(mode)
        method(sample)
    assert not {name for name in changed(method, before) if name.startswith("coarse")}


@pytest.mark.parametrize("wake", [lambda m: m.train(), lambda m: m.eval().train(), lambda m: m.train(True)])
def test_train_cannot_wake_a_frozen_network(wake: Callable[[Method], Method]) -> None:
    method = Toy()
    method.enter(PHASES[0])
    assert wake(method) is method
    assert method.training
    assert method.networks["coarse"].norm.training
    assert not method.networks["depth"].norm.training


def test_evaluation_puts_everything_to_rest() -> None:
    method = Toy().train()
    method.enter(PHASES[2])
    assert not any(module.training for module in method.eval().modules())


@pytest.mark.parametrize("training", [True, False])
def test_entering_a_phase_keeps_the_mode(training: bool) -> None:
    method = Toy().train(training)
    method.enter(PHASES[1])
    assert method.training is training
    assert method.networks["depth"].training is training
    assert not method.networks["coarse"].training


def test_gradients_follow_the_phase() -> None:
    method = Toy()
    for phase in (PHASES[0], PHASES[2], PHASES[1]):
        method.enter(phase)
        learning = {name for name in NAMES for p in method.networks[name].parameters() if p.requires_grad}
        assert learning == phase.trains


def test_a_method_begins_in_its_first_phase() -> None:
    method = Toy()
    assert method.phase is PHASES[0]
    assert not any(p.requires_grad for p in method.networks["depth"].parameters())


def test_copies_are_made_when_a_phase_starts_and_only_then(sample: Sample) -> None:
    method = Toy().train()
    method.start(PHASES[0])
    learn(method, sample)
    method.start(PHASES[1])
    now = method.networks.state_dict()
    inner = [name[len("coarse.") :] for name in now if name.startswith("coarse.")]
    assert all(torch.equal(now[f"depth.{name}"], now[f"coarse.{name}"]) for name in inner)
    learn(method, sample)
    before = state(method)
    method.enter(PHASES[1])
    assert not changed(method, before), "going on with a phase copies nothing"


def test_a_copy_does_not_follow_its_original() -> None:
    method = Toy()
    method.start(PHASES[1])
    with torch.no_grad():
        method.networks["coarse"].mix.weight.add_(1.0)
    assert not torch.equal(method.networks["coarse"].mix.weight, method.networks["depth"].mix.weight)


@pytest.mark.parametrize(
    ("phase", "used"),
    [(PHASES[0], {"coarse"}), (PHASES[1], {"coarse", "depth"}), (PHASES[2], {"coarse", "depth"})],
)
def test_what_a_phase_trains_or_uses_runs(phase: Phase, used: set[str]) -> None:
    method = Toy()
    method.enter(phase)
    assert {name for name in NAMES if method.uses(name)} == used


def test_terms_that_are_not_weighed_are_not_computed(sample: Sample) -> None:
    method = Toy()
    method.enter(PHASES[1])
    assert set(method.losses(sample, method(sample))) == {"bright", "dark"}


def test_losses_are_weighed_values(sample: Sample) -> None:
    method = Toy()
    method.enter(PHASES[1])
    estimate = method(sample)
    values, losses = method.values(sample, estimate), method.losses(sample, estimate)
    torch.testing.assert_close(losses["bright"], 2 * values["bright"])
    torch.testing.assert_close(losses["dark"], 0.5 * values["dark"])


class Balance:
    """Keeps one term at a share of another; counts its calls."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, values: Mapping[str, Tensor]) -> float:
        self.calls += 1
        return float(values["bright"].detach() / values["dark"].detach()) / 4

    def state_dict(self) -> dict[str, Any]:
        return {"calls": self.calls}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.calls = state["calls"]


def test_an_adaptive_weight_sees_the_unweighted_values(sample: Sample) -> None:
    balance = Balance()
    assert isinstance(balance, AdaptiveWeight)
    method = Toy((Phase("all", 1, frozenset(NAMES), {"bright": 3.0, "dark": balance}),))
    estimate = method(sample)
    losses = method.losses(sample, estimate)
    torch.testing.assert_close(losses["dark"], losses["bright"] / 3 / 4)
    assert balance.calls == 1


def phase_with(**changes: Any) -> Phase:
    return Phase(
        **{"name": "odd", "epochs": 1, "trains": frozenset({"depth"}), "weights": {"dark": 1.0}, **changes}
    )


@pytest.mark.parametrize(
    ("phase", "words"),
    [
        (phase_with(trains=frozenset({"dept"})), ["phase 'odd'", "network 'dept'", "depth"]),
        (phase_with(uses=frozenset({"teacher"})), ["network 'teacher'"]),
        (phase_with(copies={"teacher": "depth"}), ["network 'teacher'"]),
        (phase_with(copies={"depth": "teacher"}), ["network 'teacher'"]),
        (phase_with(weights={"drak": 1.0}), ["phase 'odd'", "term 'drak'", "dark"]),
    ],
)
def test_unknown_names_are_refused_at_once(phase: Phase, words: list[str]) -> None:
    with pytest.raises(KinedepthError) as error:
        Toy((PHASES[0], phase))
    assert all(word in str(error.value) for word in words)


def test_networks_that_share_parameters_are_refused() -> None:
    one, other = Brightness(), Brightness()
    other.mix = one.mix
    with pytest.raises(KinedepthError, match="'coarse' and 'depth' share"):
        Toy(coarse=one, depth=other)


def test_a_method_without_a_phase_is_refused() -> None:
    with pytest.raises(KinedepthError, match="Toy has no phase"):
        Toy(())


def test_a_method_without_a_pose_network_says_so() -> None:
    with pytest.raises(KinedepthError, match="no pose network"):
        Toy().pose_between(torch.rand(1, 3, 4, 4), torch.rand(1, 3, 4, 4))


def test_terms_run_in_full_precision_under_autocast(sample: Sample) -> None:
    seen = []

    def watched(sample: Sample, estimate: Estimate) -> Tensor:
        seen.append(torch.is_autocast_enabled("cpu"))
        return dark(sample, estimate)

    method = Toy()
    method.terms["bright"] = watched
    with torch.autocast("cpu", torch.bfloat16):
        method.values(sample, method(sample))
    assert seen == [False]
