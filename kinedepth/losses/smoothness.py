"""The smoothness term: inverse depth changes where the image does."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from kinedepth.geometry.counted import counted_mean
from kinedepth.losses.image import edge_aware_smoothness
from kinedepth.scene import Estimate, Sample
from kinedepth.synthesis import counts_at, shrunk


@dataclass(frozen=True)
class Smoothness:
    """Edge-aware smoothness, each coarser scale counting half (Godard et al. 2019, reference code).

    A difference counts where both of its pixels do (`View.counts`).
    """

    floor: float = 0.0
    """The least inverse depth, 1 / far: subtracted, so that the term acts on the sigmoid as officially."""

    def __call__(self, sample: Sample, estimate: Estimate) -> Float[Tensor, ""]:
        """The mean over scales of (mean along x + mean along y) / 2^scale."""
        return torch.stack(self.per_scale(sample, estimate)).mean()

    def per_scale(self, sample: Sample, estimate: Estimate) -> list[Float[Tensor, ""]]:
        """(mean along x + mean along y) / 2^scale, for each scale."""
        values = []
        for scale, inverse_depth in enumerate(estimate.inverse_depth):
            size = (inverse_depth.shape[-2], inverse_depth.shape[-1])
            image = shrunk(sample.target.image, size)
            counts = counts_at(sample.target, size)
            along_x, along_y = edge_aware_smoothness(inverse_depth.float() - self.floor, image, counts)
            x, y = (None, None) if counts is None else _pairs(counts)
            values.append((counted_mean(along_x, x) + counted_mean(along_y, y)) / 2**scale)
        return values


def _pairs(counts: Bool[Tensor, "b 1 h w"]) -> tuple[Bool[Tensor, "b 1 h _"], Bool[Tensor, "b 1 _ w"]]:
    """Where a pixel and the one to its right, or the one below it, count."""
    return counts[..., 1:] & counts[..., :-1], counts[..., 1:, :] & counts[..., :-1, :]
