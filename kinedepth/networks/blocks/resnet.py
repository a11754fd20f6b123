"""ResNet encoder for one image or several at once.

Source: He et al. 2016; as used by Godard et al. 2019, section 2 of whose supplement gives the maps. The
network and its ImageNet weights come from timm (`tv_in1k`: torchvision's first weights, BSD-3-Clause), entry
names are torchvision's. Differs from the official encoder: there is no unused classifier, and any depth takes
several images.
"""

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import huggingface_hub
import timm
import torch
from jaxtyping import Float
from timm.models import load_state_dict
from torch import Tensor

from kinedepth.errors import KinedepthError
from kinedepth.networks import Encoder

DEPTHS = (18, 34, 50, 101, 152)


class ResNetEncoder(Encoder):
    """Five maps: after the first convolution (normalized, rectified, before pooling), then after each stage.

    Args:
        layers: 18, 34, 50, 101 or 152.
        weights: "imagenet" (downloaded once, then read from the cache), "scratch", or a file with
            torchvision's entries (`.safetensors`, `.pth`).
        frames: images read at once, joined along channels. The pretrained filter bank is repeated and divided
            by their number, so that equal images give what one image gave.

    Raises:
        KinedepthError: unknown depth, weights that can not be downloaded, read or fitted.
    """

    def __init__(self, layers: int = 18, weights: str = "imagenet", frames: int = 1) -> None:
        super().__init__()
        if layers not in DEPTHS:
            raise KinedepthError(f"there is no ResNet-{layers}: choose one of {', '.join(map(str, DEPTHS))}")
        # torchvision's ResNet does not start with silent residual branches, hence no `zero_init_last`.
        self.body = timm.create_model(
            f"resnet{layers}", features_only=True, in_chans=3 * frames, zero_init_last=False
        )
        self.frames = frames
        maps: Any = self.body.feature_info
        self.channels, self.reduction = tuple(maps.channels()), tuple(maps.reduction())
        if weights != "scratch":
            path = imagenet_file(layers) if weights == "imagenet" else Path(weights)
            self.body.load_state_dict(fitted(weights_of(path), self.body.state_dict(), str(path)))

    def forward(self, image: Float[Tensor, "b c h w"]) -> tuple[Float[Tensor, "b _ _ _"], ...]:
        """The five maps, at 1/2, 1/4, 1/8, 1/16 and 1/32 of the image's size.

        One shift and scale for all channels, as in the official code (not ImageNet's mean and deviation per
        channel).
        """
        return tuple(self.body((image - 0.45) / 0.225))


def imagenet_file(layers: int) -> Path:
    """Where torchvision's first ImageNet weights lie, downloaded unless the cache has them.

    Raises:
        KinedepthError: they can not be had.
    """
    name = f"resnet{layers}.tv_in1k"
    repository, file = f"timm/{name}", "model.safetensors"
    cached = huggingface_hub.try_to_load_from_cache(repository, file)
    if isinstance(cached, str):
        return Path(cached)
    logger = logging.getLogger("huggingface_hub")
    level = logger.level
    logger.setLevel(logging.ERROR)  # it would print a line for each attempt
    try:
        return Path(huggingface_hub.hf_hub_download(repository, file))
    except (
        Exception
    ) as error:  # whatever stops a download, from name resolution to a full disk, has one remedy
        raise KinedepthError(
            f"the ImageNet weights {name} could not be downloaded ({type(error).__name__}): connect once, or "
            "start without them by `--network.weights scratch`, or give a file by `--network.weights FILE`"
        ) from error
    finally:
        logger.setLevel(level)


def weights_of(path: Path) -> dict[str, Tensor]:
    """The tensors of a weights file; no code in it is run.

    Raises:
        KinedepthError: the file is missing or is no weights file.
    """
    if not path.is_file():
        raise KinedepthError(f"weights '{path}' are neither 'imagenet', nor 'scratch', nor a file")
    try:
        return dict(load_state_dict(str(path)))
    except Exception as error:  # readers of broken files raise all kinds
        raise KinedepthError(
            f"{path} can not be read as weights: give a .safetensors or .pth file"
        ) from error


def fitted(found: Mapping[str, Tensor], wanted: Mapping[str, Tensor], source: str) -> dict[str, Tensor]:
    """The entries of `found` that `wanted` has, with the first filters repeated for several images.

    Raises:
        KinedepthError: an entry is missing or has another shape.
    """
    chosen = {name: tensor for name, tensor in found.items() if name in wanted}
    filters = chosen.get("conv1.weight")
    if filters is not None and filters.ndim == 4 and filters.shape[1] == 3:
        chosen["conv1.weight"] = repeated(filters, wanted["conv1.weight"].shape[1] // 3)
    wrong = [name for name in wanted if name not in chosen or chosen[name].shape != wanted[name].shape]
    if wrong:
        raise KinedepthError(
            f"{source} does not hold the weights of this ResNet: {len(wrong)} entries such as {wrong[0]} are "
            "missing or have another shape"
        )
    return chosen


def repeated(filters: Float[Tensor, "o 3 k l"], frames: int) -> Float[Tensor, "o c k l"]:
    """Filters for `frames` images joined along channels that give the mean of their responses.

    Source: Godard et al. 2019, supplement (pose encoder).
    """
    return torch.cat([filters] * frames, dim=1) / frames
