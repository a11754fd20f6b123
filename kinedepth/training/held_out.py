"""How good a model is without labels: the same terms on frames that it never learned from.

Where the held-out samples carry true depth, the absolute relative error after per-image median scaling decides instead.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor

from kinedepth.data.loading import batches
from kinedepth.data.samples import Samples
from kinedepth.geometry.depth import median_scale, resized_map
from kinedepth.losses.photometric import Photometric
from kinedepth.method import Method
from kinedepth.scene import Estimate, Sample
from kinedepth.visualize.panels import sample_strip

FLAT = 1e-3
"""Inverse depth that varies by less than this, relative to its mean, is called constant."""
MOST = 200
"""Held-out samples that are looked at, spread evenly."""


@dataclass(frozen=True)
class Score:
    """Held-out results; smaller is better."""

    loss: float
    abs_rel: float | None
    spread: float
    """Standard deviation of inverse depth over its mean, within images."""

    @staticmethod
    def worst() -> "Score":
        """What any result beats."""
        return Score(math.inf, None, 0.0)

    @property
    def collapsed(self) -> bool:
        """Whether depth is constant over the image."""
        return self.spread < FLAT

    def __lt__(self, other: "Score") -> bool:
        """By truth where there is any, else by loss."""
        if self.abs_rel is not None and other.abs_rel is not None:
            return self.abs_rel < other.abs_rel
        return self.loss < other.loss

    def scalars(self) -> dict[str, float]:
        """For the log."""
        values = {"held_out/loss": self.loss, "held_out/spread": self.spread}
        return values if self.abs_rel is None else values | {"held_out/abs_rel": self.abs_rel}


@torch.no_grad()
def held_out_score(
    method: Method, samples: Samples | None, batch_size: int, device: torch.device
) -> Score | None:
    """The score of a method in evaluation mode; None without held-out samples."""
    if samples is None or len(samples) == 0:
        return None
    method.eval()
    losses, errors, spreads = [], [], []
    torch.manual_seed(0)
    for sample in _spread_evenly(samples, batch_size):
        sample = sample.to(device)
        estimate = method(sample)
        losses.append(float(torch.stack(list(method.losses(sample, estimate).values())).sum()))
        inverse = estimate.inverse_depth[0].float()
        spreads.append(float((inverse.std((1, 2, 3)) / inverse.mean((1, 2, 3))).mean()))
        if sample.depth is not None:
            errors.append(float(_abs_rel(inverse, sample.depth)))
    return Score(float(np.mean(losses)), float(np.mean(errors)) if errors else None, float(np.mean(spreads)))


def _spread_evenly(samples: Samples, batch_size: int) -> Iterator[Sample]:
    every = max(1, math.ceil(len(samples) / MOST))
    chosen = replace(samples, moments=samples.moments[::every])
    return batches(chosen, batch_size, seed=0, epoch=0, shuffle=False, drop_last=False)


def _abs_rel(inverse_depth: Float[Tensor, "b 1 _ _"], depth: Float[Tensor, "b 1 H W"]) -> Tensor:
    valid = (depth > 1e-3) & (depth < 80)
    predicted = 1 / resized_map(inverse_depth, (depth.shape[-2], depth.shape[-1]))
    predicted = predicted * median_scale(predicted, depth, valid)[:, None, None, None]
    return ((predicted - depth).abs() / depth)[valid].mean()


@torch.no_grad()
def write_strips(
    method: Method, samples: Samples | None, number: int, folder: Path, step: int
) -> Iterator[tuple[str, UInt8[np.ndarray, "h w 3"]]]:
    """Write target, depth, rebuilt views and auto-mask of some held-out samples; gives (name, picture)."""
    if samples is None or number == 0 or len(samples) == 0:
        return
    method.eval()
    places = np.linspace(0, len(samples) - 1, min(number, len(samples))).astype(int)
    chosen = replace(samples, moments=[samples.moments[place] for place in places])
    device = next(method.parameters()).device
    (folder / "samples").mkdir(exist_ok=True)
    for index, sample in enumerate(batches(chosen, 1, 0, 0, shuffle=False)):
        strip = _strip(method, sample.to(device))
        Image.fromarray(strip).save(folder / "samples" / f"step_{step:06d}_{index}.png")
        yield f"sample_{index}", strip


def _strip(method: Method, sample: Sample) -> UInt8[np.ndarray, "h w 3"]:
    estimate = method(sample)
    rebuilt = [_picture(one.image) for one in estimate.rebuilt[0]]
    return sample_strip(
        _picture(sample.target.image), estimate.inverse_depth[0][0, 0].float().cpu().numpy(), rebuilt, _mask(method, sample, estimate)
    )


def _mask(method: Method, sample: Sample, estimate: Estimate) -> np.ndarray | None:
    term = method.terms.get("photometric")
    if not isinstance(term, Photometric):
        return None
    return term.least(term.errors(sample, estimate)[0])[1][0, 0].cpu().numpy()


def _picture(image: Float[Tensor, "b 3 h w"]) -> UInt8[np.ndarray, "h w 3"]:
    return (image[0].clamp(0, 1) * 255).byte().permute(1, 2, 0).cpu().numpy()
