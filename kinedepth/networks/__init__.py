"""Networks: images to tensors. The contracts that methods rely on; each network is a file of its own.

A depth network owns its range of depth (near, far) and returns inverse depth, so no other file needs to know
it. It falls into `encode` and `decode`: heads and terms that read its features share them, nothing is
computed twice. Nothing here opens data, and nothing is downloaded unless the weights asked for are
"imagenet".
"""

from abc import ABC, abstractmethod
from typing import ClassVar, TypeAlias

from jaxtyping import Float
from torch import Tensor, nn

from kinedepth.geometry.pose import Pose
from kinedepth.scene import Features

__all__ = ["DepthNetwork", "Encoder", "Features", "PoseNetwork", "PoseVectors"]

PoseVectors: TypeAlias = tuple[Float[Tensor, "b n 3"], Float[Tensor, "b n 3"]]
"""Axis-angle in radians and translation in the depth's unit, `n` poses for each item, float32."""


class Encoder(nn.Module, ABC):
    """Image to feature maps, finest first."""

    channels: tuple[int, ...]
    """Channels of each map."""
    reduction: tuple[int, ...]
    """How many times smaller than the image each map is."""

    @abstractmethod
    def forward(self, image: Float[Tensor, "b c h w"]) -> tuple[Float[Tensor, "b _ _ _"], ...]:
        """The maps of an image in [0, 1]; normalization is the encoder's own business."""


class DepthNetwork(nn.Module, ABC):
    """One image to inverse depth: > 0, finest first, 1 / unit up to one global scale."""

    multiple: ClassVar[int] = 32
    """Height and width must be multiples of this."""
    encoder: Encoder
    """What `encode` runs; heads that share it ask for its channels."""

    @property
    @abstractmethod
    def near(self) -> float:
        """The smallest depth that can be said."""

    @property
    @abstractmethod
    def far(self) -> float:
        """The largest depth that can be said; inverse depth less 1 / far is proportional to the sigmoid."""

    @abstractmethod
    def encode(self, image: Float[Tensor, "b 3 h w"]) -> Features:
        """The encoder's maps of an RGB image in [0, 1]."""

    @abstractmethod
    def decode(self, features: Features) -> tuple[Float[Tensor, "b 1 _ _"], ...]:
        """Inverse depth from features, float32 under autocast too."""

    def forward(self, image: Float[Tensor, "b 3 h w"]) -> tuple[Float[Tensor, "b 1 _ _"], ...]:
        """Inverse depth of an RGB image in [0, 1]; each scale is half the size of the one before."""
        return self.decode(self.encode(image))


class PoseNetwork(nn.Module, ABC):
    """Images to relative camera poses. Which order in time to ask in is the method's business."""

    frames: int
    """How many images it reads at once: 2 for pairs, more for a target with all its sources."""

    @abstractmethod
    def vectors(self, *images: Float[Tensor, "b 3 h w"]) -> PoseVectors:
        """Axis-angle and translation as predicted; a network may predict more of them than anybody reads.

        Raises:
            KinedepthError: another number of images than `frames`.
        """

    def forward(self, first: Float[Tensor, "b 3 h w"], second: Float[Tensor, "b 3 h w"]) -> Pose:
        """second_from_first."""
        return poses_of(self.vectors(first, second), 1)[0]

    def forward_all(self, images: tuple[Float[Tensor, "b 3 h w"], ...]) -> tuple[Pose, ...]:
        """source_from_target for each source; the target is the first image. Nothing is inverted."""
        return poses_of(self.vectors(*images), len(images) - 1)


def poses_of(vectors: PoseVectors, count: int) -> tuple[Pose, ...]:
    """The first `count` predicted poses; later ones get no gradient."""
    axis_angle, translation = vectors
    return tuple(Pose.from_axis_angle(axis_angle[:, i], translation[:, i]) for i in range(count))
