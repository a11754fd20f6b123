"""The photometric term: a pixel of the target should look like the place in a source that it is rebuilt from.

Source: Godard et al. 2019, sections 3.1 to 3.3. Minimum over sources (occlusion), auto-mask (what does not
move relative to the camera), every scale judged alike. As in their code the value is a plain mean over all
pixels: those that the auto-mask gives to the unmoved source count in the divisor and pass no gradient.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional as F

from kinedepth.geometry.depth import resized_map
from kinedepth.losses.image import Moments, photometric_error
from kinedepth.scene import Estimate, Sample
from kinedepth.synthesis import shrunk


@dataclass(frozen=True)
class Errors:
    """Photometric errors of one scale, a channel for each source."""

    warped: Float[Tensor, "b n h w"]
    identity: Float[Tensor, "b n h w"] | None


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
        """The mean error over pixels and scales."""
        return torch.stack(self.per_scale(sample, estimate)).mean()

    def per_scale(self, sample: Sample, estimate: Estimate) -> list[Float[Tensor, ""]]:
        """The mean error over pixels, for each scale."""
        return [self.least(errors)[0].mean() for errors in self.errors(sample, estimate)]

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
            result.append(Errors(warped, unmoved))
        return result

    def _identity(self, sample: Sample, size: tuple[int, int]) -> tuple[Moments, Tensor | None]:
        target = Moments.of(shrunk(sample.target.image, size))
        if not self.automask:
            return target, None
        with torch.no_grad():
            errors = [
                photometric_error(shrunk(view.image, size), target, self.ssim) for view in sample.sources
            ]
        return target, torch.cat(errors, dim=1)

    def least(self, errors: Errors) -> tuple[Float[Tensor, "b 1 h w"], Bool[Tensor, "b 1 h w"]]:
        """The error that counts at each pixel, and whether a rebuilt view (not an unmoved one) gave it."""
        warped = self._joined(errors.warped)
        if errors.identity is None:
            return warped, torch.ones_like(warped, dtype=torch.bool)
        # Noise for each source before the minimum, but after the mean, as in the official code.
        identity = errors.identity.mean(1, keepdim=True) if self.average else errors.identity
        identity = (identity + torch.randn_like(identity) * self.tie_noise).min(1, keepdim=True).values
        # Not torch.minimum, which would share the gradient of an exact tie.
        wins = warped < identity
        return torch.where(wins, warped, identity), wins

    def _joined(self, errors: Float[Tensor, "b n h w"]) -> Float[Tensor, "b 1 h w"]:
        return errors.mean(1, keepdim=True) if self.average else errors.min(1, keepdim=True).values


@dataclass(frozen=True)
class Explainability:
    """Keeps the mask from explaining nothing: cross-entropy against one (Zhou et al. 2017, section 3.3)."""

    full_resolution: bool = True
    """Masks are enlarged to the image before they are judged, as Monodepth2's code does."""

    def __call__(self, sample: Sample, estimate: Estimate) -> Float[Tensor, ""]:
        """The mean cross-entropy over pixels, sources and scales."""
        return torch.stack(self.per_scale(sample, estimate)).mean()

    def per_scale(self, sample: Sample, estimate: Estimate) -> list[Float[Tensor, ""]]:
        """The mean cross-entropy over pixels and sources, for each scale."""
        full = (sample.target.image.shape[-2], sample.target.image.shape[-1])
        masks = [resized_map(mask, full) if self.full_resolution else mask for mask in estimate.explained]
        return [F.binary_cross_entropy(mask, torch.ones_like(mask)) for mask in masks]
