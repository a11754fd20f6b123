"""What training keeps beside the networks: the optimizer's moments, adaptive weights, the running average."""

from collections.abc import Mapping
from typing import Any

import torch
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from kinedepth.method import AdaptiveWeight, Method, Phase


def average_of(method: Method, decay: float) -> AveragedModel | None:
    """A running average of all weights and buffers; None for a decay of 0."""
    if not decay:
        return None
    return AveragedModel(method, multi_avg_fn=get_ema_multi_avg_fn(decay), use_buffers=True)  # type: ignore[no-untyped-call]


def averaged(average: AveragedModel) -> Method:
    """The method with averaged weights."""
    method = average.module
    assert isinstance(method, Method)
    return method


def copy_into_average(average: AveragedModel | None, method: Method, phase: Phase) -> None:
    """What a phase copies when it starts is copied, and not approached, in the running average too."""
    if average is not None:
        for name in phase.copies:
            averaged(average).networks[name].load_state_dict(method.networks[name].state_dict())


def rates_of(optimizer: torch.optim.Optimizer) -> dict[str, float]:
    """The learning rate, for the log; those of single networks too where they differ."""
    rates = {group["name"]: float(group["lr"]) for group in optimizer.param_groups}
    each = {f"lr/{name}": rate for name, rate in rates.items()} if len(set(rates.values())) > 1 else {}
    return {"lr": max(rates.values()), **each}


def carry(before: torch.optim.Optimizer, optimizer: torch.optim.Optimizer) -> None:
    """Hand an optimizer's moments on to the next one, for parameters that both have."""
    held = {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}
    for parameter, state in before.state.items():
        if id(parameter) in held:
            optimizer.state[parameter] = state


def weights_of_terms(phase: Phase) -> dict[str, dict[str, Any]]:
    """The state of a phase's adaptive weights, by term."""
    return {name: weight.state_dict() for name, weight in _adaptive(phase).items()}


def load_weights_of_terms(phase: Phase, states: Mapping[str, dict[str, Any]]) -> None:
    """Set a phase's adaptive weights to what `weights_of_terms` gave."""
    for name, weight in _adaptive(phase).items():
        weight.load_state_dict(states[name])


def _adaptive(phase: Phase) -> dict[str, AdaptiveWeight]:
    return {name: weight for name, weight in phase.weights.items() if not isinstance(weight, float | int)}
