"""Pose networks: two frames, or a target with all its sources, to relative camera poses.

Source: Godard et al. 2019, supplement (ResNet; `shared` and `all` are its code's ablations); Zhou et al. 2017
(PoseCNN). Official code nianticlabs/monodepth2, nothing taken from it. Ours differs: a pair gives one pose by
default, where the official decoder gives two and uses one (`slots=2` has them both); the last layer is
float32 under autocast.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from kinedepth.errors import KinedepthError
from kinedepth.geometry.pose import Pose
from kinedepth.networks import Features, PoseNetwork, PoseVectors, poses_of
from kinedepth.networks.blocks.layers import FullPrecisionConv, at_least_float32
from kinedepth.networks.blocks.resnet import ResNetEncoder

SCALE = 0.01
"""Keeps the first predictions near rest, so that training starts near the identity."""
WIDTH = 256
STRIDED = ((16, 7), (32, 5), (64, 3), (128, 3), (256, 3), (256, 3), (256, 3))
"""PoseCNN's layers: channels and kernel."""


class PoseDecoder(nn.Module):
    """The coarsest maps to `slots` poses: squeezed one by one, joined, two 3x3 layers, a mean over pixels.

    Args:
        channels: of each map.
        inputs: how many maps are joined.
        slots: poses predicted.
    """

    def __init__(self, channels: int, inputs: int, slots: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            (
                nn.Conv2d(channels, WIDTH, 1),
                nn.Conv2d(WIDTH * inputs, WIDTH, 3, padding=1),
                nn.Conv2d(WIDTH, WIDTH, 3, padding=1),
                FullPrecisionConv(WIDTH, 6 * slots, 1),
            )
        )

    def forward(self, maps: Sequence[Float[Tensor, "b _ _ _"]]) -> PoseVectors:
        """Axis-angle and translation."""
        squeeze, *middle, last = self.layers
        current = torch.cat([F.relu(squeeze(one)) for one in maps], dim=1)
        for layer in middle:
            current = F.relu(layer(current))
        return _vectors(last(current))


class PoseResNet(PoseNetwork):
    """Poses by a ResNet of its own that reads the frames joined along channels.

    Args:
        encoder: its `frames` says how many it reads.
        slots: poses predicted; by default one for each frame but the first. Official: 2, also for pairs.
    """

    def __init__(self, encoder: ResNetEncoder, slots: int | None = None) -> None:
        super().__init__()
        self.frames = encoder.frames
        self.encoder = encoder
        self.decoder = PoseDecoder(encoder.channels[-1], 1, _slots(slots, self.frames))

    def vectors(self, *images: Float[Tensor, "b 3 h w"]) -> PoseVectors:
        """Axis-angle and translation of every slot."""
        _require_count(images, self.frames)
        vectors: PoseVectors = self.decoder(self.encoder(torch.cat(images, dim=1))[-1:])
        return vectors


class PoseCNN(PoseNetwork):
    """Poses by seven strided convolutions without normalization, of images as they are.

    The official code multiplies its translations by the mean inverse depth of the target; that is view
    synthesis' part.

    Args:
        frames: images read at once.
    """

    def __init__(self, frames: int = 2) -> None:
        super().__init__()
        self.frames = frames
        entering = (3 * frames, *(channels for channels, _ in STRIDED))
        self.layers = nn.ModuleList(
            nn.Conv2d(before, after, kernel, stride=2, padding=kernel // 2)
            for before, (after, kernel) in zip(entering, STRIDED, strict=False)
        )
        self.head = FullPrecisionConv(entering[-1], 6 * (frames - 1), 1)

    def vectors(self, *images: Float[Tensor, "b 3 h w"]) -> PoseVectors:
        """Axis-angle and translation of every frame but the first."""
        _require_count(images, self.frames)
        current = torch.cat(images, dim=1)
        for layer in self.layers:
            current = F.relu(layer(current))
        return _vectors(self.head(current))


class SharedPose(nn.Module):
    """Poses from the depth encoder's own maps of each frame, without an encoder of its own.

    Not a `PoseNetwork`: it reads features. Which of them carry a gradient to the encoder is the method's
    choice.

    Args:
        channels: of the depth encoder's coarsest map.
        frames: read at once.
        slots: poses predicted; by default one for each frame but the first, as in the official code.
    """

    def __init__(self, channels: int, frames: int = 2, slots: int | None = None) -> None:
        super().__init__()
        self.frames = frames
        self.decoder = PoseDecoder(channels, frames, _slots(slots, frames))

    def vectors(self, *features: Features) -> PoseVectors:
        """Axis-angle and translation of every slot."""
        _require_count(features, self.frames)
        vectors: PoseVectors = self.decoder([one.encoder[-1] for one in features])
        return vectors

    def forward(self, first: Features, second: Features) -> Pose:
        """second_from_first."""
        return poses_of(self.vectors(first, second), 1)[0]

    def forward_all(self, features: tuple[Features, ...]) -> tuple[Pose, ...]:
        """source_from_target for each source; the target comes first."""
        return poses_of(self.vectors(*features), len(features) - 1)


def _slots(slots: int | None, frames: int) -> int:
    return frames - 1 if slots is None else slots


def _require_count(given: Sequence[object], frames: int) -> None:
    if len(given) != frames:
        raise KinedepthError(
            f"this pose network reads {frames} frames at once, not {len(given)}: build it for that many"
        )


def _vectors(motion: Float[Tensor, "b m h w"]) -> PoseVectors:
    mean = at_least_float32(motion).mean((2, 3)) * SCALE
    slots = mean.view(mean.shape[0], -1, 6)
    return slots[..., :3], slots[..., 3:]
