"""Numbers that are not finite end the run with their name and files, and the sample is kept for a look."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from kinedepth.errors import KinedepthError
from kinedepth.geometry.record import leaves
from kinedepth.inference.whole import whole_file
from kinedepth.scene import Estimate, Sample


def unsoundness(estimate: Estimate) -> Float[Tensor, ""]:
    """0, or NaN where depth, a pose or a motion is not finite: an auto-mask would hide it from every loss."""
    said = (*leaves(estimate.inverse_depth), *leaves(estimate.poses), *leaves(estimate.motion))
    return 0 * torch.stack([one.detach().float().sum() for one in said]).sum()


def refuse_non_finite(
    losses: Mapping[str, Float[Tensor, ""]], sample: Sample, folder: Path, step: int
) -> dict[str, float]:
    """The losses as numbers; waits once for the device.

    Raises:
        KinedepthError: one of them is not finite; the sample lies in the run folder then.
    """
    stacked = torch.stack([loss.detach().float() for loss in losses.values()])
    values = dict(zip(losses, stacked.tolist(), strict=True))
    bad = [name for name, value in values.items() if not math.isfinite(value)]
    if bad:
        raise KinedepthError(
            f"Loss term '{bad[0]}' is {values[bad[0]]} at step {step} on {', '.join(sample.names)}; "
            f"{_saved(sample, folder, step)}: look at its pictures and intrinsics, or lower train.lr."
        )
    return values


def refuse_broken_weights(networks: nn.Module, step: int) -> None:
    """Keep weights that no run can go on from out of the checkpoints.

    Raises:
        KinedepthError: a weight or buffer is not finite; names it.
    """
    for name, tensor in networks.state_dict().items():
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise KinedepthError(
                f"The weights '{name}' are not finite after step {step} and were not saved: lower train.lr "
                "(the checkpoint before is untouched)."
            )


def _saved(sample: Sample, folder: Path, step: int) -> str:
    """Keep images and intrinsics of a sample as npz; says where."""
    path = folder / "samples" / f"not_finite_step_{step}.npz"
    arrays: dict[str, Any] = {"names": np.array(sample.names)}
    for index, view in enumerate((sample.target, *sample.sources)):
        arrays[f"image_{index}"] = view.image.cpu().numpy()
        arrays[f"seen_{index}"] = view.seen.cpu().numpy()
        arrays[f"K_{index}"] = view.camera.matrix().cpu().numpy()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path, sync=False) as draft:
            np.savez_compressed(draft, **arrays)
    except (OSError, KinedepthError):
        return "the sample could not be saved (is the disk full?)"
    return f"the sample was saved to '{path}'"
