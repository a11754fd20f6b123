"""The nouns: what is given (View, Sample), what is predicted (Rebuilt, Estimate), what is asked for (Inputs).

Fields of `Estimate` are physical quantities of the scene, never switches of a method: depth, poses, what was
rebuilt from them, how far to trust it.
"""

from dataclasses import dataclass

from jaxtyping import Bool, Float, Int
from torch import Tensor

from kinedepth.geometry.camera import Camera
from kinedepth.geometry.pose import Pose
from kinedepth.geometry.record import Record


@dataclass(frozen=True)
class Boxes(Record):
    """Objects of an image, padded to a common number."""

    corners: Float[Tensor, "*b n 4"]
    """x0, y0, x1, y1 in pixels."""
    classes: Int[Tensor, "*b n"]
    tracks: Int[Tensor, "*b n"]
    valid: Bool[Tensor, "*b n"]


@dataclass(frozen=True)
class View(Record):
    """One image with all that is known of it."""

    image: Float[Tensor, "*b 3 h w"]
    """RGB in [0, 1]; what losses compare."""
    camera: Camera
    offset: int = 0
    """Frames from the target; a stereo partner has 0."""
    view_from_target: Pose | None = None
    """Where it is known: a stereo rig."""
    instances: Int[Tensor, "*b h w"] | None = None
    """Object ids, 0 is background."""
    semantics: Int[Tensor, "*b h w"] | None = None
    boxes: Boxes | None = None
    counts: Bool[Tensor, "*b 1 h w"] | None = None
    """False where the lens shows nothing or the car's own bonnet is: kept out of every loss. None: all count.

    Networks see these pixels all the same: the image is not blackened, as it is not when predicting.
    """
    jittered: Float[Tensor, "*b 3 h w"] | None = None
    """What networks see instead of `image`; losses never do."""

    @property
    def seen(self) -> Float[Tensor, "*b 3 h w"]:
        """The image that networks see."""
        return self.image if self.jittered is None else self.jittered


@dataclass(frozen=True)
class Sample(Record):
    """A target view and the sources that it is rebuilt from."""

    target: View
    sources: tuple[View, ...] = ()
    depth: Float[Tensor, "*b 1 H W"] | None = None
    """Measured depth, 0 where there is none; evaluation only."""
    names: tuple[str, ...] = ()
    """One for each item of the batch: what to call it when something is wrong."""


@dataclass(frozen=True)
class Inputs:
    """What a sample must hold: the consumer states it, the data layer fulfils it."""

    offsets: tuple[int, ...] = ()
    """Frames beside the target."""
    priors: frozenset[str] = frozenset()
    """Any of "instances", "semantics", "boxes", "stereo"."""


@dataclass(frozen=True)
class Features(Record):
    """Maps of a depth network, for heads and terms that read them."""

    encoder: tuple[Float[Tensor, "b _ _ _"], ...]
    """Finest first."""
    decoder: tuple[Float[Tensor, "b _ _ _"], ...] = ()


@dataclass(frozen=True)
class Rebuilt(Record):
    """The target as one source shows it, at one scale."""

    image: Float[Tensor, "b 3 h w"]
    """The source read where the target's points fall."""
    pixels: Float[Tensor, "b 2 h w"]
    """Where they fall in the source."""
    depth: Float[Tensor, "b 1 h w"]
    """Depth of the target's points in the source's frame."""
    valid: Bool[Tensor, "b 1 h w"]
    """In front of the source and inside its image."""
    source_depth: Float[Tensor, "b 1 h w"] | None = None
    """The source's own depth read at `pixels`, where a method predicts it."""
    counts: Bool[Tensor, "b 1 h w"] | None = None
    """Where `image` was made only from pixels of the source that count (`View.counts`). None: everywhere."""


@dataclass(frozen=True)
class Estimate(Record):
    """What a method says about a sample."""

    inverse_depth: tuple[Float[Tensor, "b 1 _ _"], ...]
    """Of the target, > 0, finest first."""
    poses: tuple[Pose, ...] = ()
    """source_from_target, one for each source."""
    motion: tuple[Float[Tensor, "b 3 h w"], ...] = ()
    """Motion of the target's points beyond the camera's, in each source's frame."""
    rebuilt: tuple[tuple[Rebuilt, ...], ...] = ()
    """[scale][source]"""
    explained: tuple[Float[Tensor, "b _ _ _"], ...] = ()
    """How far a static world explains each pixel, in (0, 1), a channel for each source, finest first."""
    trust: Float[Tensor, "b 1 h w"] | None = None
    """Where matching is believed."""
    features: Features | None = None
    teacher: "Estimate | None" = None
    reverse: "Estimate | None" = None
    """The same with target and source exchanged: a second network pass, not an inverse."""
