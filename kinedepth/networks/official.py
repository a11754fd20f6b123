"""Entries of official Monodepth2 checkpoints under our names, and back; no file is opened here.

Source of the names: published checkpoints of nianticlabs/monodepth2, listed in the parity fixtures.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from torch import Tensor, nn

from kinedepth.errors import KinedepthError, listed
from kinedepth.networks.depth.monodepth2 import SCALES, WIDTHS

Part = Literal["encoder", "depth", "pose_encoder", "pose", "posecnn", "predictive_mask"]
"""The official files. `posecnn` is what `pose` is called here where it holds the other architecture."""

_STAGES = len(WIDTHS)
_IGNORED = ("encoder.fc.weight", "encoder.fc.bias", "height", "width", "use_stereo")
"""In official encoder files: the classifier that nothing reads, and the training's settings."""
_POSE_SLOTS = ("decoder.layers.3.weight", "decoder.layers.3.bias")
"""Six rows for each predicted pose."""
_SHOWN = 5


def _by_prefix(ours: str, official: str) -> Callable[[str], str | None]:
    return lambda name: official + name.removeprefix(ours) if name.startswith(ours) else None


def _decoder_layers() -> dict[str, str]:
    layers = {f"decoder.heads.{scale}": f"decoder.{2 * _STAGES + scale}.conv" for scale in range(SCALES)}
    for stage in range(_STAGES):
        first = 2 * (_STAGES - 1 - stage)  # theirs are numbered as they run, coarsest first
        layers[f"decoder.narrow.{stage}.conv"] = f"decoder.{first}.conv.conv"
        layers[f"decoder.merge.{stage}.conv"] = f"decoder.{first + 1}.conv.conv"
    return layers


_DECODER_LAYERS = _decoder_layers()


def _decoder(name: str) -> str | None:
    layer, _, last = name.rpartition(".")
    return f"{_DECODER_LAYERS[layer]}.{last}" if layer in _DECODER_LAYERS else None


def _posecnn(name: str) -> str | None:
    return _by_prefix("layers.", "net.")(name) or _by_prefix("head.", "pose_conv.")(name)


_NAMES: dict[Part, Callable[[str], str | None]] = {
    "encoder": _by_prefix("encoder.body.", "encoder."),
    "depth": _decoder,
    "pose_encoder": _by_prefix("encoder.body.", "encoder."),
    "pose": _by_prefix("decoder.layers.", "net."),
    "posecnn": _posecnn,
    "predictive_mask": _decoder,
}


@dataclass(frozen=True)
class Mismatch:
    """How an official file differs from what a network needs, by official names."""

    unknown: tuple[str, ...] = ()
    """In the file, and nothing here reads it."""
    missing: tuple[str, ...] = ()
    """Needed, and not in the file."""
    misshaped: tuple[str, ...] = ()
    """In both, with different shapes."""

    def __bool__(self) -> bool:
        """Whether there is any difference."""
        return bool(self.unknown or self.missing or self.misshaped)

    def __str__(self) -> str:
        """The differences in words, the first few of each kind by name."""
        kinds = (("unknown", self.unknown), ("missing", self.missing), ("mis-shaped", self.misshaped))
        return "; ".join(f"{word} {listed(names, _SHOWN)}" for word, names in kinds if names)


def official_names(part: Part, state: Mapping[str, Tensor]) -> dict[str, str]:
    """{our name: official name} for the entries of a network's state dict that this official file holds."""
    named = ((ours, _NAMES[part](ours)) for ours in state)
    return {ours: official for ours, official in named if official is not None}


def to_official(part: Part, state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """An official file's entries from a network's state dict, without the classifier that ours lacks."""
    return {official: state[ours] for ours, official in official_names(part, state).items()}


def mismatch(part: Part, file: Mapping[str, object], state: Mapping[str, Tensor]) -> Mismatch:
    """How an official file differs from what the network with this state dict needs."""
    names = official_names(part, state)
    present = _present(part, file, state)
    known = {*names.values(), *_IGNORED}
    return Mismatch(
        unknown=tuple(name for name in file if name not in known),
        missing=tuple(official for ours, official in names.items() if ours not in present),
        misshaped=tuple(names[ours] for ours, tensor in present.items() if tensor.shape != state[ours].shape),
    )


def from_official(part: Part, file: Mapping[str, object], state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The official file's tensors under our names, for the network with this state dict.

    Where the network predicts fewer poses than the official decoder the first ones are taken, which are the
    trained ones.

    Raises:
        KinedepthError: entries are unknown, missing or mis-shaped; it names them.
    """
    difference = mismatch(part, file, state)
    if difference:
        raise KinedepthError(f"the official {part} file does not fit this network: {difference}")
    return _present(part, file, state)


def load_official(network: nn.Module, files: Mapping[Part, Mapping[str, object]]) -> None:
    """Fills a network from its official files.

    They are: encoder and depth; pose_encoder and pose; posecnn; predictive_mask.

    Raises:
        KinedepthError: a file does not fit, or a parameter of the network is in none of them.
    """
    state: dict[str, Tensor] = network.state_dict()
    found: dict[str, Tensor] = {}
    for part, file in files.items():
        found |= from_official(part, file, state)
    lacking = tuple(name for name, _ in network.named_parameters() if name not in found)
    if lacking:
        raise KinedepthError(
            f"the official files {', '.join(files)} lack {listed(lacking, _SHOWN)}: add their file"
        )
    network.load_state_dict(state | found)


def _present(part: Part, file: Mapping[str, object], state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    found = {ours: file.get(official) for ours, official in official_names(part, state).items()}
    return {
        ours: tensor[: len(state[ours])] if ours in _POSE_SLOTS and len(tensor) % 6 == 0 else tensor
        for ours, tensor in found.items()
        if isinstance(tensor, Tensor)
    }
