"""Monodepth2's depth network: an encoder and a U-shaped decoder with a head at four scales.

Source: Godard, Mac Aodha, Firman, Brostow, "Digging Into Self-Supervised Monocular Depth Estimation", ICCV
2019; official code nianticlabs/monodepth2 (non-commercial licence, nothing taken from it). At official
settings the maps are the official ones. Ours differs: it gives inverse depth instead of a sigmoid, heads and
sigmoid are float32 under autocast, and it can start at flat ground.
"""

from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from kinedepth.networks import DepthNetwork, Encoder, Features
from kinedepth.networks.blocks.layers import ConvELU, FullPrecisionConv, doubled, require_size
from kinedepth.networks.blocks.range import FlatGround, InverseDepthRange

MULTIPLE = 32
"""Height and width of an image must be multiples of this."""
SMALLEST = 64
"""Reflection at the coarsest map needs two pixels."""
WIDTHS = (16, 32, 64, 128, 256)
"""Channels of the decoder's stages, finest first."""
SCALES = 4


class Monodepth2Decoder(nn.Module):
    """Encoder maps to decoder maps to logits at full, 1/2, 1/4 and 1/8 of the image's size.

    Each stage narrows, repeats pixels to twice the size, joins the encoder's map of that size and merges.

    Args:
        channels: of the encoder's five maps, finest first.
        outputs: channels of each logit map.
    """

    def __init__(self, channels: Sequence[int], outputs: int = 1) -> None:
        super().__init__()
        entering = [*WIDTHS[1:], channels[-1]]
        skips = [0, *channels[:-1]]
        self.narrow = nn.ModuleList(ConvELU(a, b) for a, b in zip(entering, WIDTHS, strict=True))
        self.merge = nn.ModuleList(ConvELU(w + skip, w) for w, skip in zip(WIDTHS, skips, strict=True))
        self.heads = nn.ModuleList(
            FullPrecisionConv(w, outputs, 3, padding=1, padding_mode="reflect") for w in WIDTHS[:SCALES]
        )

    def maps(self, features: Sequence[Float[Tensor, "b _ _ _"]]) -> tuple[Float[Tensor, "b _ _ _"], ...]:
        """The stages' maps, finest first: full size to 1/16."""
        current, stages = features[-1], []
        for stage in reversed(range(len(WIDTHS))):
            current = doubled(self.narrow[stage](current))
            joined = torch.cat((current, features[stage - 1]), dim=1) if stage else current
            current = self.merge[stage](joined)
            stages.append(current)
        return tuple(reversed(stages))

    def logits(self, maps: Sequence[Float[Tensor, "b _ _ _"]]) -> tuple[Float[Tensor, "b n _ _"], ...]:
        """What the heads say of the stages' maps, finest first."""
        return tuple(head(one) for head, one in zip(self.heads, maps, strict=False))

    def silence(self) -> None:
        """Sets the heads to zero, so that a prior alone speaks at the start."""
        for parameter in self.heads.parameters():
            nn.init.zeros_(parameter)


class Monodepth2Depth(DepthNetwork):
    """Inverse depth at four scales from one image.

    Args:
        encoder: five maps at 1/2 to 1/32, such as `ResNetEncoder`.
        near: the smallest depth.
        far: the largest depth.
        start: "flat_ground" begins at `ground` and learns what differs from it; for level cameras without
            pretrained weights. At the very first step only the heads have a gradient then.
        ground: read with "flat_ground" only.
    """

    multiple = MULTIPLE

    def __init__(
        self,
        encoder: Encoder,
        near: float = 0.1,
        far: float = 100.0,
        start: Literal["network", "flat_ground"] = "network",
        ground: FlatGround | None = None,
    ) -> None:
        super().__init__()
        flat = start == "flat_ground"
        self.encoder = encoder
        self.decoder = Monodepth2Decoder(encoder.channels)
        self.range = InverseDepthRange(near, far, (ground or FlatGround()) if flat else None)
        if flat:
            self.decoder.silence()

    @property
    def near(self) -> float:
        """The smallest depth that can be said."""
        return self.range.near

    @property
    def far(self) -> float:
        """The largest depth that can be said."""
        return self.range.far

    def encode(self, image: Float[Tensor, "b 3 h w"]) -> Features:
        """The encoder's maps of an RGB image in [0, 1].

        Raises:
            KinedepthError: a side is not a multiple of 32, or less than 64.
        """
        require_size(image, MULTIPLE, SMALLEST)
        return Features(tuple(self.encoder(image)))

    def decoded(self, features: Features) -> Features:
        """The features with the decoder's maps, for terms that read them; `decode` then starts from these."""
        return Features(features.encoder, features.decoder or self.decoder.maps(features.encoder))

    def decode(self, features: Features) -> tuple[Float[Tensor, "b 1 _ _"], ...]:
        """Inverse depth at four scales, finest first."""
        inverse_depth: tuple[Tensor, ...] = self.range(self.decoder.logits(self.decoded(features).decoder))
        return inverse_depth
