"""View synthesis: the target rebuilt from every source. One function, the idea that everything here rests on.

Source: Godard et al. 2019, section 3; Zhou et al. 2017, equation 2. Differences from Monodepth2's code:
positions stay in pixels of the source until they are read; points behind a camera are marked
(`Rebuilt.valid`), not hidden.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional as F

from kinedepth.geometry.camera import Camera, Convention
from kinedepth.geometry.counted import counts_read, image_mean, shrunk_counts
from kinedepth.geometry.depth import resized_map
from kinedepth.geometry.pose import Pose
from kinedepth.geometry.precision import outside_autocast
from kinedepth.geometry.warp import inside, read
from kinedepth.scene import Estimate, Rebuilt, Sample, View


@dataclass(frozen=True)
class Synthesis:
    """How views are rebuilt; defaults are Monodepth2's."""

    full_resolution: bool = True
    """Every scale's inverse depth is enlarged before warping; False warps small images (SfMLearner)."""
    convention: Convention = "centers"
    """How intrinsics follow a resize to a coarse scale; matters only without `full_resolution`."""
    align_corners: bool = True
    """False repeats the official code on today's PyTorch, for comparison."""
    translation_by_inverse_depth: bool = False
    """Translations are multiplied by each scale's mean inverse depth (PoseCNN)."""


def shrunk(image: Float[Tensor, "b c h w"], size: tuple[int, int]) -> Float[Tensor, "b c i j"]:
    """The image at a coarser size: means over the pixels' areas."""
    if (image.shape[-2], image.shape[-1]) == size:
        return image
    return F.interpolate(image, size=size, mode="area")


def view_at(view: View, size: tuple[int, int], convention: Convention) -> tuple[Tensor, Camera]:
    """A view's clean image and camera at a size of the pyramid."""
    height, width = view.image.shape[-2:]
    if (height, width) == size:
        return view.image, view.camera
    return shrunk(view.image, size), view.camera.resized((size[1] / width, size[0] / height), convention)


def counts_at(view: View, size: tuple[int, int]) -> Bool[Tensor, "b 1 h w"] | None:
    """Where a view's pixels count at a size of the pyramid; None where all do."""
    return None if view.counts is None else shrunk_counts(view.counts, size)


def rebuild(
    points: Float[Tensor, "b 3 h w"],
    source_from_target: Pose,
    image: Float[Tensor, "b 3 h w"],
    camera: Camera,
    align_corners: bool = True,
    counts: Bool[Tensor, "b 1 h w"] | None = None,
) -> Rebuilt:
    """The source's `image` read where the target's `points` fall; `counts` are the source's."""
    pixels, depth = camera.project(points, source_from_target)
    valid = (depth > 0) & inside(pixels.detach(), (image.shape[-2], image.shape[-1]))
    return Rebuilt(
        read(image, pixels, "border", align_corners),
        pixels,
        depth,
        valid,
        counts=None if counts is None else counts_read(counts, pixels, align_corners),
    )


def synthesize(
    sample: Sample, estimate: Estimate, settings: Synthesis | None = None
) -> tuple[tuple[Rebuilt, ...], ...]:
    """The target rebuilt from every source with the depth of every scale: [scale][source].

    Always float32, whatever precision the networks run in.
    """
    settings = settings or Synthesis()
    with outside_autocast(sample.target.image):
        return tuple(_at_scale(sample, estimate, one.float(), settings) for one in estimate.inverse_depth)


def _at_scale(
    sample: Sample, estimate: Estimate, inverse_depth: Float[Tensor, "b 1 h w"], settings: Synthesis
) -> tuple[Rebuilt, ...]:
    full = (sample.target.image.shape[-2], sample.target.image.shape[-1])
    size = full if settings.full_resolution else (inverse_depth.shape[-2], inverse_depth.shape[-1])
    inverse_depth = resized_map(inverse_depth, size)
    _, camera = view_at(sample.target, size, settings.convention)
    points = camera.unproject(1 / inverse_depth)
    rebuilt = []
    for index, (source, pose) in enumerate(zip(sample.sources, estimate.poses, strict=True)):
        image, source_camera = view_at(source, size, settings.convention)
        seen = points if not estimate.motion else points + _residual(estimate, index, pose, size)
        # A rig's known pose is in the depth's own unit; only what a network estimated follows the mean depth.
        if settings.translation_by_inverse_depth and source.view_from_target is None:
            mean = image_mean(inverse_depth, counts_at(sample.target, size))
            pose = Pose(pose.rotation, pose.translation * mean[..., 0, 0])
        counts = counts_at(source, size)
        rebuilt.append(rebuild(seen, pose, image, source_camera, settings.align_corners, counts))
    return tuple(rebuilt)


def _residual(estimate: Estimate, index: int, pose: Pose, size: tuple[int, int]) -> Float[Tensor, "b 3 h w"]:
    """An object's own motion, given in the source's frame, as a shift of points before the pose acts."""
    motion = resized_map(estimate.motion[index], size)
    return Pose(pose.rotation.transpose(-1, -2), torch.zeros_like(pose.translation)).apply(motion)
