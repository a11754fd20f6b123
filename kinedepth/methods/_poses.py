"""Poses of a sample: known where the rig gives them, else estimated in order of time."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from torch import Tensor

from kinedepth.geometry.pose import Pose
from kinedepth.scene import Sample, View

Seen = TypeVar("Seen")
"""What a pose network looks at: an image, or the features of one."""


def relative_poses(
    between: Callable[[Seen, Seen], Pose], sample: Sample, seen: Callable[[View], Seen]
) -> tuple[Pose, ...]:
    """source_from_target of every source; `between` gives second_from_first of two frames in order of time.

    Networks always see the earlier frame first, so they learn forward motion alone; for a source of the past
    the result is inverted (Godard et al. 2019, reference code).
    """

    def one(source: View) -> Pose:
        if source.view_from_target is not None:
            return source.view_from_target
        if source.offset < 0:
            return between(seen(source), seen(sample.target)).inverse()
        return between(seen(sample.target), seen(source))

    return tuple(one(source) for source in sample.sources)


def poses_at_once(
    estimate: Callable[[tuple[Tensor, ...]], Sequence[Pose]], sample: Sample
) -> tuple[Pose, ...]:
    """source_from_target of every source from a network that sees all frames at once: nothing is inverted."""
    moving = [view for view in sample.sources if view.view_from_target is None]
    found = iter(estimate((sample.target.seen, *(view.seen for view in moving))))
    return tuple(view.view_from_target or next(found) for view in sample.sources)
