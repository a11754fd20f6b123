"""Immutable records of tensors: one recursive map serves devices, batching, pinning and detaching."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

import torch
from torch import Tensor

R = TypeVar("R", bound="Record")


def map_tensors(value: Any, function: Callable[[Tensor], Any]) -> Any:
    """The same structure with `function` applied to every tensor in it."""
    if isinstance(value, Tensor):
        return function(value)
    if isinstance(value, tuple):
        return tuple(map_tensors(item, function) for item in value)
    if is_dataclass(value) and not isinstance(value, type):
        changed = {field.name: map_tensors(getattr(value, field.name), function) for field in fields(value)}
        return replace(value, **changed)
    return value


def leaves(value: Any) -> Iterator[Tensor]:
    """Every tensor of a record, depth first, in the order of its fields."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, tuple):
        for item in value:
            yield from leaves(item)
    elif is_dataclass(value) and not isinstance(value, type):
        for field in fields(value):
            yield from leaves(getattr(value, field.name))


class Record:
    """Base of frozen dataclasses that hold tensors, other records, tuples of these and plain values."""

    def map(self: R, function: Callable[[Tensor], Tensor]) -> R:
        """The record with `function` applied to each tensor."""
        mapped: R = map_tensors(self, function)
        return mapped

    def to(self: R, device: torch.device | str, non_blocking: bool = False) -> R:
        """The record on another device."""
        return self.map(lambda tensor: tensor.to(device, non_blocking=non_blocking))

    def detach(self: R) -> R:
        """The record cut from the graph."""
        return self.map(lambda tensor: tensor.detach())

    def pin_memory(self: R) -> R:
        """The record in page-locked memory (PyTorch's loader calls this)."""
        return self.map(lambda tensor: tensor.pin_memory())


def collate(values: Sequence[Any]) -> Any:
    """A batch from equal structures: tensors are stacked, names are joined, other values must be equal.

    Raises:
        ValueError: the values differ in structure, or in a plain value that a batch can hold only once.
    """
    first = values[0]
    if any(type(value) is not type(first) for value in values):
        raise ValueError(
            f"records of a batch disagree: {' against '.join(type(value).__name__ for value in values)}"
        )
    if isinstance(first, Tensor):
        return torch.stack(list(values))
    if isinstance(first, tuple):
        if first and all(isinstance(item, str) for item in first):
            return tuple(name for value in values for name in value)
        if any(len(value) != len(first) for value in values):
            raise ValueError("records of a batch differ in the number of their parts")
        return tuple(collate(items) for items in zip(*values, strict=True))
    if is_dataclass(first) and not isinstance(first, type):
        names = [field.name for field in fields(first)]
        return replace(first, **{name: collate([getattr(value, name) for value in values]) for name in names})
    if any(value != first for value in values):
        raise ValueError(f"records of a batch disagree: {first!r} against {values!r}")
    return first
