"""How good a model is without labels: the same terms on frames that it never learned from.

Where the held-out samples carry true depth, the absolute relative error after per-image median scaling
decides instead.
"""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from PIL import Image
from torch import Tensor

from kinedepth.data.loading import batches
from kinedepth.data.samples import Samples
from kinedepth.geometry.depth import median_scale, resized_map
from kinedepth.inference.whole import whole_file
from kinedepth.losses.photometric import Photometric
from kinedepth.method import Method
from kinedepth.scene import Estimate, Sample
from kinedepth.visualize.panels import sample_strip

FLAT = 1e-3
"""Inverse depth that varies by less than this, relative to its mean, is called constant."""
MOST = 200
"""Held-out samples that are looked at, spread evenly."""
DEPTHS = (1e-3, 80.0)
"""Measured depth that counts, in metres, as in the KITTI protocol."""


@dataclass(frozen=True)
class Score:
    """Held-out results; smaller is better."""

    loss: float
    abs_rel: float | None
    """Mean over images; None where nothing is measured."""
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
def held_out_score(method: Method, samples: Samples, batch_size: int, device: torch.device) -> Score:
    """The score of a method in evaluation mode, which it is left in; draws from PyTorch's random numbers."""
    method.eval()
    torch.manual_seed(0)
    losses, errors, spreads = [], [], []
    for read in batches(evenly(samples, MOST), batch_size, shuffle=False, drop_last=False):
        sample = read.to(device)
        estimate = method(sample)
        loss = float(torch.stack(list(method.losses(sample, estimate).values())).sum())
        inverse = estimate.inverse_depth[0].float()
        losses += [loss] * len(inverse)
        spreads += (inverse.std((1, 2, 3)) / inverse.mean((1, 2, 3))).tolist()
        errors += [] if sample.depth is None else abs_rel(inverse, sample.depth)
    return Score(float(np.mean(losses)), float(np.mean(errors)) if errors else None, float(np.mean(spreads)))


def evenly(samples: Samples, most: int) -> Samples:
    """At most `most` of the samples, spread evenly from the first to the last."""
    places = np.linspace(0, len(samples) - 1, min(most, len(samples))).round().astype(int)
    return samples.subset(places.tolist())


def abs_rel(inverse_depth: Float[Tensor, "b 1 _ _"], depth: Float[Tensor, "b 1 H W"]) -> list[float]:
    """The absolute relative error of each image in which anything was measured, after median scaling."""
    valid: Bool[Tensor, "b 1 H W"] = (depth > DEPTHS[0]) & (depth < DEPTHS[1])
    predicted = 1 / resized_map(inverse_depth, (depth.shape[-2], depth.shape[-1]))
    predicted = predicted * median_scale(predicted, depth, valid)[:, None, None, None]
    errors = (predicted - depth).abs() / depth
    return [float(one[mask].mean()) for one, mask in zip(errors, valid, strict=True) if mask.any()]


def write_strips(
    method: Method, samples: Samples, folder: Path, step: int
) -> Iterator[tuple[str, UInt8[np.ndarray, "h w 3"]]]:
    """Write target, depth, rebuilt views and auto-mask of samples; gives (name, picture)."""
    method.eval()
    device = next(method.parameters()).device
    place = folder / "samples"
    place.mkdir(exist_ok=True)
    for index, sample in enumerate(batches(samples, 1, shuffle=False)):
        picture = _strip(method, sample.to(device))
        with whole_file(place / f"step_{step:06d}_{index}.png", sync=False) as draft:
            Image.fromarray(picture).save(draft)
        yield f"sample_{index}", picture


@torch.no_grad()
def _strip(method: Method, sample: Sample) -> UInt8[np.ndarray, "h w 3"]:
    estimate = method(sample)
    finest: Iterable[Tensor] = (one.image for one in estimate.rebuilt[0]) if estimate.rebuilt else ()
    inverse_depth = estimate.inverse_depth[0][0, 0].float().cpu().numpy()
    rebuilt = [_picture(image) for image in finest]
    return sample_strip(
        _picture(sample.target.image), inverse_depth, rebuilt, _mask(method, sample, estimate)
    )


def _mask(method: Method, sample: Sample, estimate: Estimate) -> Bool[np.ndarray, "h w"] | None:
    term = method.terms.get("photometric")
    if not isinstance(term, Photometric):
        return None
    mask: Bool[np.ndarray, "h w"] = term.least(term.errors(sample, estimate)[0])[1][0, 0].cpu().numpy()
    return mask


def _picture(image: Float[Tensor, "b 3 h w"]) -> UInt8[np.ndarray, "h w 3"]:
    pixels: UInt8[np.ndarray, "h w 3"] = (
        (image[0].clamp(0, 1) * 255).round().byte().permute(1, 2, 0).cpu().numpy()
    )
    return pixels
