"""What Fabric sees of a method: one module, one device, one precision."""

import logging
from typing import Literal

import torch
from jaxtyping import Float
from lightning_fabric import Fabric
from torch import Tensor, nn

from kinedepth.errors import KinedepthError
from kinedepth.method import Method
from kinedepth.scene import Sample
from kinedepth.settings import Train
from kinedepth.training.guard import unsoundness


class Boxed:
    """A record on its way through Fabric, which takes dataclasses apart and refuses frozen ones."""

    def __init__(self, sample: Sample) -> None:
        self.sample = sample


class Step(nn.Module):
    """What Fabric wraps: a sample in, the weighted terms of the current phase out."""

    def __init__(self, method: Method) -> None:
        super().__init__()
        self.method = method

    def forward(self, boxed: Boxed) -> dict[str, Float[Tensor, ""]]:
        """Networks, view synthesis and terms of any method."""
        estimate = self.method(boxed.sample)
        losses, unsound = self.method.losses(boxed.sample, estimate), unsoundness(estimate)
        return {name: loss + unsound for name, loss in losses.items()}


def one_device(settings: Train) -> Fabric:
    """One device and its precision; many devices are a matter of launching, not of this loop.

    Raises:
        KinedepthError: the device is not there.
    """
    # What it would say of the precision is in the run's recipe.
    logging.getLogger("lightning_fabric.utilities.rank_zero").setLevel(logging.WARNING)
    try:
        return Fabric(accelerator=settings.device, devices=1, precision=settled_precision(settings))
    except (RuntimeError, ValueError, ImportError):
        raise KinedepthError(
            f"The device '{settings.device}' is not there: set train.device to cpu or auto."
        ) from None


def settled_precision(settings: Train) -> Literal["32-true", "bf16-mixed"]:
    """The precision that "auto" means on this machine, or the one that is set."""
    if settings.precision != "auto":
        return settings.precision
    on_gpu = settings.device in ("auto", "cuda") and torch.cuda.is_available()
    fast = torch.cuda.is_bf16_supported() if on_gpu else _cpu_multiplies_bf16()
    return "bf16-mixed" if fast else "32-true"


def _cpu_multiplies_bf16() -> bool:
    """Whether the processor has instructions for it; without them bf16 is slower than float32."""
    asked: dict[str, object] = getattr(torch.cpu, "get_capabilities", dict)()
    return bool(asked.get("avx512_bf16") or asked.get("amx_bf16"))
