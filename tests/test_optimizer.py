"""Optimizers and schedules as values."""

import pytest
import torch
from torch import nn

from kinedepth.optimizer import Cosine, Exponential, Optimizer, Progress, Schedule, Steps


def at(epoch: int = 0, step: int = 0, steps: int = 100) -> Progress:
    return Progress(epoch, step, steps)


@pytest.mark.parametrize(("epoch", "factor"), [(0, 1.0), (14, 1.0), (15, 0.1), (19, 0.1)])
def test_the_papers_schedule_drops_after_fifteen_epochs(epoch: int, factor: float) -> None:
    assert Steps((15,))(at(epoch)) == pytest.approx(factor)


@pytest.mark.parametrize(
    ("epoch", "factor"), [(0, 1.0), (4, 1.0), (5, 0.5), (9, 0.5), (10, 0.25), (99, 0.25)]
)
def test_each_step_multiplies(epoch: int, factor: float) -> None:
    assert Steps((5, 10), 0.5)(at(epoch)) == pytest.approx(factor)


def test_no_step_is_a_constant_rate() -> None:
    assert Steps()(at(1000)) == 1.0


@pytest.mark.parametrize(("epoch", "factor"), [(0, 1.0), (1, 0.9), (3, 0.729)])
def test_exponential_decay(epoch: int, factor: float) -> None:
    assert Exponential(0.9)(at(epoch)) == pytest.approx(factor)


@pytest.mark.parametrize(("step", "factor"), [(0, 1.0), (50, 0.5), (100, 0.0), (120, 0.0)])
def test_half_a_cosine_from_one_to_zero(step: int, factor: float) -> None:
    assert Cosine()(at(step=step)) == pytest.approx(factor, abs=1e-12)


def test_half_a_cosine_ends_where_told() -> None:
    assert Cosine(last=0.2)(at(step=100)) == pytest.approx(0.2)
    assert Cosine(last=0.2)(at(step=50)) == pytest.approx(0.6)


@pytest.mark.parametrize(("step", "factor"), [(0, 0.1), (4, 0.5), (9, 1.0), (10, 1.0), (55, 0.5), (100, 0.0)])
def test_warmup_rises_in_a_line(step: int, factor: float) -> None:
    assert Cosine(warmup=10)(at(step=step)) == pytest.approx(factor, abs=1e-12)


@pytest.mark.parametrize("schedule", [Cosine(), Cosine(warmup=100), Cosine(warmup=1000)])
def test_phases_shorter_than_their_warmup_stay_finite(schedule: Schedule) -> None:
    assert 0 <= schedule(at(step=99)) <= 1


@pytest.mark.parametrize("schedule", [Steps(), Exponential(0.9), Cosine()])
def test_every_schedule_is_one(schedule: object) -> None:
    assert isinstance(schedule, Schedule)


@pytest.fixture
def networks() -> dict[str, nn.Module]:
    return {"depth": nn.Linear(2, 3), "pose": nn.Linear(3, 1)}


@pytest.mark.parametrize(("kind", "expected"), [("adam", torch.optim.Adam), ("adamw", torch.optim.AdamW)])
def test_a_group_for_each_network(kind: str, expected: type, networks: dict[str, nn.Module]) -> None:
    built = Optimizer(1e-3, kind, 0.01, factors={"pose": 0.1}).build(networks)
    assert type(built) is expected
    assert [(group["name"], group["lr"]) for group in built.param_groups] == [
        ("depth", 1e-3),
        ("pose", pytest.approx(1e-4)),
    ]
    assert [len(group["params"]) for group in built.param_groups] == [2, 2]
    assert {group["weight_decay"] for group in built.param_groups} == {0.01}
    assert {group["betas"] for group in built.param_groups} == {(0.9, 0.999)}


def test_rates_follow_schedule_and_factor() -> None:
    optimizer = Optimizer(1e-4, schedule=Steps((15,)), factors={"pose": 0.5})
    assert optimizer.rates(["depth", "pose"], at(epoch=14)) == pytest.approx([1e-4, 5e-5])
    assert optimizer.rates(["pose", "depth"], at(epoch=15)) == pytest.approx([5e-6, 1e-5])


def test_a_networks_own_factor_scales_its_first_step(networks: dict[str, nn.Module]) -> None:
    """Adam's first step is the learning rate, whatever the gradient."""
    before = {name: network.weight.detach().clone() for name, network in networks.items()}
    optimizer = Optimizer(1e-2, factors={"pose": 0.1}).build(networks)
    sum(network.weight.sum() for network in networks.values()).backward()
    optimizer.step()
    moved = {
        name: float((before[name] - network.weight.detach()).mean()) for name, network in networks.items()
    }
    assert moved == pytest.approx({"depth": 1e-2, "pose": 1e-3}, rel=1e-3)
