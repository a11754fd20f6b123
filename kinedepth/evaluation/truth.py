"""Measured depth of every kind that can be judged by, with the masks of what it shows."""

import numpy as np
from jaxtyping import Float
from PIL import Image

from kinedepth.data.frames import as_pixels, read_labels
from kinedepth.data.moments import Moment, Size, Truth
from kinedepth.data.samples import read_truth
from kinedepth.data.store import FrameStore
from kinedepth.errors import KinedepthError
from kinedepth.evaluation.archive import read_packed
from kinedepth.evaluation.depth import Map, Regions, counted
from kinedepth.evaluation.depth_files import read_checked
from kinedepth.evaluation.make3d import cut_picture, read_grid
from kinedepth.evaluation.protocol import SYNTHETIC, Protocol
from kinedepth.visualize.panels import Picture


def measured(truth: Truth) -> Map:
    """Measured depth in meters at its own size, 0 where there is none.

    16-bit PNG without a note is in steps of 1/256 m, KITTI's coding.

    Raises:
        KinedepthError: the file is missing, damaged, an 8-bit picture, or says that it is not in meters.
    """
    if truth.kind == "laser":
        depth: Float[np.ndarray, ...] = read_grid(truth.path)
    elif truth.kind == "packed":
        maps = read_packed(truth.path)
        depth = maps[truth.entry or 0]
    elif truth.kind in ("map", "png"):
        depth = _of_file(truth)
    else:
        return np.asarray(read_truth(truth)[0].numpy())
    return np.where(np.isfinite(depth), depth, 0.0)


def _of_file(truth: Truth) -> Float[np.ndarray, "..."]:
    depth, note = read_checked(truth.path)
    if note is not None and note.scale != "metric":
        raise KinedepthError(f"{truth.path} is relative depth, its unit is unknown: truth must be in meters.")
    return depth


def regions_of(truth: Truth, protocol: Protocol) -> Regions:
    """The masks of the protocol's regions and classes, from the labels that lie in the file of the truth.

    Raises:
        KinedepthError: the file holds no mask of what moves.
    """
    if protocol.regions != SYNTHETIC.regions:
        return {}
    moving = read_labels(truth.path, None, "moving").astype(bool)
    labels = read_labels(truth.path, None, "classes")
    classes = {name: labels == number for number, name in enumerate(protocol.classes)}
    return {**classes, "dynamic objects": moving, "background": ~moving}


def judgeable(moment: Moment, protocol: Protocol) -> tuple[Map, Regions] | None:
    """Measured depth with its regions; None where nothing counts.

    Raises:
        KinedepthError: the truth cannot be read.
    """
    if moment.truth is None:
        return None
    depth = measured(moment.truth)
    return (depth, regions_of(moment.truth, protocol)) if counted(depth, protocol).any() else None


def picture_of(moment: Moment, size: Size) -> Picture | None:
    """The picture that belongs to a truth, as far as it is judged, at `size`; None where there is none."""
    truth = moment.truth
    if truth is not None and moment.target.path == truth.path:
        return None
    if truth is not None and truth.kind == "laser":
        return np.asarray(as_pixels(Image.fromarray(cut_picture(moment.target)), size).transpose(1, 2, 0))
    return np.asarray(FrameStore(size).read(moment.target).transpose(1, 2, 0))
