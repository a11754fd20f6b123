"""Geometry is float32 always: one switch that leaves autocast, wherever it was entered."""

from contextlib import AbstractContextManager, nullcontext

import torch
from jaxtyping import Shaped
from torch import Tensor


def outside_autocast(like: Shaped[Tensor, "..."]) -> AbstractContextManager[object]:
    """A context without autocast on the device of `like`.

    Entered only when there is something to leave, so that exported graphs hold no trace of it.
    """
    device = like.device.type
    return torch.autocast(device, enabled=False) if torch.is_autocast_enabled(device) else nullcontext()
