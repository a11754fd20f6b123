"""The photometric term: a pixel of the target should look like the place in a source that it is rebuilt from.

Source: Godard et al. 2019, sections 3.1 to 3.3. Minimum over sources (occlusion), auto-mask (what does not
move relative to the camera), every scale judged alike. As in their code the value is a plain mean over all
pixels: those that the auto-mask gives to the unmoved source count in the divisor and pass no gradient.

Pixels that do not count (`View.counts`) are ours. Of the target they leave the mean and its divisor; of a
source they explain nothing: that source is no candidate where they would be read, and where no source is left
the target's pixel leaves the mean too. The structural window must lie on counting pixels as a whole.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional as F

from kinedepth.geometry.counted import both, channels, counted_mean, intact
from kinedepth.geometry.depth import resized_map
from kinedepth.losses.image import Moments, photometric_error
from kinedepth.scene import Estimate, Rebuilt, Sample
from kinedepth.synthesis import counts_at, shrunk


@dataclass(frozen=True)
class Errors:
    """Photometric errors of one scale, a channel for each source; infinite where it does not count."""

    warped: Float[Tensor, "b n h w"]
    identity: Float[Tensor, "b n h w"] | None
    counts: Bool[Tensor, "b 1 h w"] | None = None
    """Where the target counts and a rebuilt view does. None: everywhere."""


@dataclass(frozen=True)
class Photometric:
    """The photometric term with its choices; defaults are Monodepth2's."""

    ssim: float = 0.85
    automask: bool = True
    average: bool = False
    """The mean over sources instead of the minimum (the baseline of the paper's table 2)."""
    explained: bool = False
    """Errors are multiplied by `Estimate.explained` (Zhou et al. 2017); excludes the auto-mask."""
    tie_noise: float = 1e-5
    """Standard deviation of the noise on identity errors, so that exact ties fall to both sides."""

    def __call__(self, sample: Sample, estimate: Estimate) -> Float[Tensor, ""]:
        """The mean error over pixels that count, and over scales."""
        return torch.stack(self.per_scale(sample, estimate)).mean()

    def per_scale(self, sample: Sample, estimate: Estimate) -> list[Float[Tensor, ""]]:
        """The mean error over pixels that count, for each scale."""
        return [
            counted_mean(self.least(errors)[0], errors.counts) for errors in self.errors(sample, estimate)
        ]

    def errors(self, sample: Sample, estimate: Estimate) -> list[Errors]:
        """Errors per scale and source, before anything is chosen among them."""
        identity: dict[tuple[int, int], tuple[Moments, Tensor | None]] = {}
        result = []
        for scale, rebuilt in enumerate(estimate.rebuilt):
            size = (rebuilt[0].image.shape[-2], rebuilt[0].image.shape[-1])
            if size not in identity:
                identity[size] = self._identity(sample, size)
            target, unmoved = identity[size]
            warped = torch.cat([photometric_error(one.image, target, self.ssim) for one in rebuilt], dim=1)
            if self.explained:
                warped = warped * resized_map(estimate.explained[scale], size)
            counts = self._counts(sample, rebuilt)
            if counts is None:
                result.append(Errors(warped, unmoved))
            else:
                warped = torch.where(counts, warped, torch.inf)
                result.append(Errors(warped, unmoved, counts.any(1, keepdim=True)))
        return result

    def _counts(self, sample: Sample, rebuilt: Sequence[Rebuilt]) -> Bool[Tensor, "b n h w"] | None:
        """Where the target and what a source was read from count, a channel for each source."""
        target = counts_at(sample.target, (rebuilt[0].image.shape[-2], rebuilt[0].image.shape[-1]))
        return channels([self._windowed(both(target, one.counts)) for one in rebuilt])

    def _windowed(self, counts: Bool[Tensor, "b 1 h w"] | None) -> Bool[Tensor, "b 1 h w"] | None:
        return counts if counts is None or self.ssim == 0 else intact(counts)

    def _identity(self, sample: Sample, size: tuple[int, int]) -> tuple[Moments, Tensor | None]:
        target = Moments.of(shrunk(sample.target.image, size))
        if not self.automask:
            return target, None
        with torch.no_grad():
            errors = torch.cat(
                [photometric_error(shrunk(view.image, size), target, self.ssim) for view in sample.sources],
                dim=1,
            )
            counts = channels([self._windowed(counts_at(view, size)) for view in sample.sources])
        return target, errors if counts is None else torch.where(counts, errors, torch.inf)

    def least(self, errors: Errors) -> tuple[Float[Tensor, "b 1 h w"], Bool[Tensor, "b 1 h w"]]:
        """The error that counts at each pixel, and whether a rebuilt view (not an unmoved one) gave it.

        The error says nothing where `errors.counts` is False.
        """
        all_count = errors.counts is None
        warped = _mean(errors.warped, all_count) if self.average else errors.warped
        warped = warped.min(1, keepdim=True).values
        if errors.identity is None:
            return warped, torch.ones_like(warped, dtype=torch.bool) if all_count else warped < torch.inf
        # Noise for each source before the minimum, but after the mean, as in the official code.
        identity = _mean(errors.identity, all_count) if self.average else errors.identity
        identity = (identity + torch.randn_like(identity) * self.tie_noise).min(1, keepdim=True).values
        # Not torch.minimum, which would share the gradient of an exact tie.
        wins = warped < identity
        return torch.where(wins, warped, identity), wins


def _mean(errors: Float[Tensor, "b n h w"], all_count: bool) -> Float[Tensor, "b 1 h w"]:
    """The mean over the sources that count; infinite where none does."""
    if all_count:
        return errors.mean(1, keepdim=True)
    finite = errors != torch.inf
    total, number = torch.where(finite, errors, 0.0).sum(1, keepdim=True), finite.sum(1, keepdim=True)
    return torch.where(number > 0, total / number.clamp_min(1), torch.inf)


@dataclass(frozen=True)
class Explainability:
    """Keeps the mask from explaining nothing: cross-entropy against one (Zhou et al. 2017, section 3.3).

    Asked of the target's pixels that count (`View.counts`).
    """

    full_resolution: bool = True
    """Masks are enlarged to the image before they are judged, as Monodepth2's code does."""

    def __call__(self, sample: Sample, estimate: Estimate) -> Float[Tensor, ""]:
        """The mean cross-entropy over pixels, sources and scales."""
        return torch.stack(self.per_scale(sample, estimate)).mean()

    def per_scale(self, sample: Sample, estimate: Estimate) -> list[Float[Tensor, ""]]:
        """The mean cross-entropy over pixels and sources, for each scale."""
        full = (sample.target.image.shape[-2], sample.target.image.shape[-1])
        masks = [resized_map(mask, full) if self.full_resolution else mask for mask in estimate.explained]
        return [_against_one(mask, sample) for mask in masks]


def _against_one(mask: Float[Tensor, "b n h w"], sample: Sample) -> Float[Tensor, ""]:
    counts = counts_at(sample.target, (mask.shape[-2], mask.shape[-1]))
    if counts is None:
        return F.binary_cross_entropy(mask, torch.ones_like(mask))
    each = F.binary_cross_entropy(mask, torch.ones_like(mask), reduction="none")
    return counted_mean(each.mean(1, keepdim=True), counts)
