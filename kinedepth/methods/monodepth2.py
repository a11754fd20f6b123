"""Monodepth2: depth and camera motion from monocular video, a stereo rig, or both.

Paper: Godard, Mac Aodha, Firman, Brostow, "Digging Into Self-Supervised Monocular Depth Estimation", ICCV
2019. Reference code: nianticlabs/monodepth2 (non-commercial; nothing is taken from it). At official settings
ours gives its numbers. How ours differs: identity errors are computed once for all scales; the pose head
predicts one motion unless `slots` asks for the official two; pixel centres keep their place when intrinsics
are resized unless `official`.
"""

from dataclasses import replace
from functools import partial
from typing import Any, cast

import torch
from jaxtyping import Float
from torch import Tensor, nn

from kinedepth import settings as options
from kinedepth.errors import KinedepthError
from kinedepth.geometry.pose import Pose
from kinedepth.losses.photometric import Explainability, Photometric
from kinedepth.losses.smoothness import Smoothness
from kinedepth.method import Method, Parts, Phase
from kinedepth.methods._poses import poses_at_once, relative_poses
from kinedepth.networks import DepthNetwork
from kinedepth.scene import Estimate, Features, Inputs, Sample
from kinedepth.synthesis import Synthesis, synthesize


class Monodepth2(Method):
    """One depth network, one pose network, one phase."""

    def __init__(self, parts: Parts) -> None:
        """Build the networks that the settings need.

        Raises:
            KinedepthError: choices that exclude each other.
        """
        choices = parts.settings.monodepth2
        _check(choices)
        depth = parts.make_depth()
        networks: dict[str, nn.Module] = {"depth": depth}
        if choices.frames:
            networks["pose"] = parts.make_pose(depth)
        if choices.explainability:
            networks["explain"] = parts.make_explain(depth)
        super().__init__(
            networks=networks,
            terms=_terms(choices, floor=1 / depth.far),
            phases=(_phase(frozenset(networks), parts),),
        )
        self.kind = parts.settings.pose.kind
        self.synthesis = Synthesis(
            full_resolution=choices.full_resolution,
            convention=parts.settings.data.camera_convention,
            align_corners=choices.align_corners,
            translation_by_inverse_depth=self.kind == "posecnn",
        )
        self.learns_from = Inputs(choices.frames, frozenset({"stereo"} if choices.stereo else ()))
        self.predicts_from = Inputs()

    @property
    def depth(self) -> DepthNetwork:
        """The depth network."""
        return cast(DepthNetwork, self.networks["depth"])

    @property
    def pose(self) -> Any:
        """The pose network; what it reads depends on its kind."""
        return self.networks["pose"] if "pose" in self.networks else None  # noqa: SIM401 - no dict

    def predict(self, sample: Sample) -> Estimate:
        """Inverse depth of the target."""
        return Estimate(self.depth(sample.target.seen))

    def forward(self, sample: Sample) -> Estimate:
        """Depth, poses and rebuilt views."""
        encoded = self._encoded(sample)
        features = encoded[0]
        estimate = Estimate(self.depth.decode(features), poses=self._poses(sample, encoded))
        if "explain" in self.networks:
            estimate = replace(estimate, explained=self.networks["explain"](features))
        return replace(estimate, rebuilt=synthesize(sample, estimate, self.synthesis))

    def pose_between(self, first: Float[Tensor, "b 3 h w"], second: Float[Tensor, "b 3 h w"]) -> Pose:
        """second_from_first of two frames in order of time."""
        if self.pose is None:
            return super().pose_between(first, second)
        if self.kind == "all":
            raise KinedepthError(
                "A pose network that sees all frames at once says nothing of a pair: "
                "train with pose.kind 'separate'."
            )
        shared = self.kind == "shared"
        seen = (self.depth.encode(first), self.depth.encode(second)) if shared else (first, second)
        pose: Pose = self.pose(*seen)
        return pose

    def _encoded(self, sample: Sample) -> dict[int, Features]:
        """Features by offset: of the target, and where the pose network shares them of its neighbours too.

        All frames go through the encoder in one batch, as in the official code: batch norm sees them
        together.
        """
        views = [sample.target]
        if self.kind == "shared" and self.pose is not None:
            views += [view for view in sample.sources if view.view_from_target is None]
        features = self.depth.encode(torch.cat([view.seen for view in views]))
        return {
            view.offset: features.map(partial(_part, index, len(views))) for index, view in enumerate(views)
        }

    def _poses(self, sample: Sample, encoded: dict[int, Features]) -> tuple[Pose, ...]:
        if self.pose is not None and self.kind == "all":
            return poses_at_once(self.pose.forward_all, sample)
        if self.pose is not None and self.kind == "shared":
            return relative_poses(self.pose, sample, lambda view: encoded[view.offset])
        return relative_poses(self.pose_between, sample, lambda view: view.seen)


def _part(index: int, parts: int, batch: Tensor) -> Tensor:
    return batch.chunk(parts)[index]


def _check(choices: options.Monodepth2) -> None:
    if not choices.frames and not choices.stereo:
        raise KinedepthError("Monodepth2 needs a source: give monodepth2.frames or monodepth2.stereo.")
    if 0 in choices.frames:
        raise KinedepthError("monodepth2.frames are neighbors of the target, which is frame 0: leave 0 out.")
    if choices.explainability and choices.automask:
        raise KinedepthError(
            "monodepth2.explainability replaces the auto-mask: set monodepth2.automask to false with it."
        )


def _terms(choices: options.Monodepth2, floor: float) -> dict[str, Any]:
    photometric = Photometric(
        ssim=choices.ssim,
        automask=choices.automask,
        average=choices.reprojection == "average",
        explained=choices.explainability,
        tie_noise=choices.tie_noise,
    )
    terms: dict[str, Any] = {"photometric": photometric, "smoothness": Smoothness(floor)}
    if choices.explainability:
        terms["explainability"] = Explainability(choices.full_resolution)
    return terms


def _phase(trains: frozenset[str], parts: Parts) -> Phase:
    choices = parts.settings.monodepth2
    weights: dict[str, float] = {"photometric": 1.0, "smoothness": choices.smoothness}
    if choices.explainability:
        weights["explainability"] = choices.explainability_weight
    epochs, steps = parts.settings.train.epochs, parts.settings.train.steps or None
    return Phase("all", epochs, trains, weights, optimizer=parts.optimizer, steps=steps)
