"""How far a static world explains each pixel: the mask that Monodepth2's automask replaced.

Source: Zhou, Brown, Snavely, Lowe, "Unsupervised Learning of Depth and Ego-Motion from Video", CVPR 2017,
section 3.3; here as Monodepth2's ablation has it: a second decoder on the depth encoder's maps.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from kinedepth.networks import Features
from kinedepth.networks.blocks.layers import at_least_float32
from kinedepth.networks.depth.monodepth2 import Monodepth2Decoder


class Explainability(nn.Module):
    """A channel for each source at four scales, in (0, 1): near 1 where that source can be trusted.

    Args:
        channels: of the depth encoder's five maps, finest first.
        sources: how many views the target is rebuilt from.
    """

    def __init__(self, channels: Sequence[int], sources: int = 2) -> None:
        super().__init__()
        self.decoder = Monodepth2Decoder(channels, sources)

    def forward(self, features: Features) -> tuple[Float[Tensor, "b n _ _"], ...]:
        """The masks from the depth encoder's maps, finest first, float32 under autocast too."""
        logits = self.decoder.logits(self.decoder.maps(features.encoder))
        return tuple(torch.sigmoid(at_least_float32(logit)) for logit in logits)
