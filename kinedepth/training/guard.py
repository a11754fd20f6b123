"""A loss that is not finite ends the run with its name, its files, and the sample kept for a look."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from kinedepth.errors import KinedepthError
from kinedepth.scene import Sample


def refuse_non_finite(losses: Mapping[str, Tensor], sample: Sample, folder: Path, step: int) -> dict[str, float]:
    """The losses as numbers.

    Raises:
        KinedepthError: one of them is not finite; the sample lies in the run folder then.
    """
    stacked = torch.stack([loss.detach().float() for loss in losses.values()]).cpu()
    values = dict(zip(losses, stacked.tolist(), strict=True))
    bad = [name for name, value in values.items() if not np.isfinite(value)]
    if bad:
        path = _saved(sample, folder, step)
        raise KinedepthError(
            f"Loss term '{bad[0]}' is not finite at step {step} on {', '.join(sample.names)}; the sample was saved to "
            f"'{path}': look at its pictures and intrinsics, or lower train.lr."
        )
    return values


def _saved(sample: Sample, folder: Path, step: int) -> Path:
    """Images and intrinsics of a sample as npz."""
    path = folder / "samples" / f"not_finite_step_{step}.npz"
    path.parent.mkdir(exist_ok=True)
    arrays = {"names": np.array(sample.names)}
    for index, view in enumerate((sample.target, *sample.sources)):
        arrays[f"image_{index}"] = view.image.cpu().numpy()
        arrays[f"seen_{index}"] = view.seen.cpu().numpy()
        arrays[f"K_{index}"] = view.camera.matrix().cpu().numpy()
    np.savez_compressed(path, **arrays)
    return path
