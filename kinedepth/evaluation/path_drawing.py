"""A predicted path beside the measured one, on disk: poses as KITTI writes them, a picture from above."""

from pathlib import Path

import numpy as np
from jaxtyping import Float
from PIL import Image

from kinedepth.errors import KinedepthError
from kinedepth.evaluation.odometry import Points, Poses, positions
from kinedepth.evaluation.trajectory import aligned
from kinedepth.inference.poses import write_kitti
from kinedepth.visualize.panels import trajectory_plot

Drawing = dict[str, Float[np.ndarray, "_ 4 4"]]
"""Paths of any lengths, by their labels."""
_DRAWN = "7dof"
"""The alignment that is drawn."""


def write_path(folder: Path, name: str, predicted: Poses, measured: Poses, drawing: Drawing) -> None:
    """Writes path_<name>.txt, path_<name>_measured.txt, and as path_<name>.png what `from_above` gave."""
    stem = f"path_{name.replace('/', '_')}"
    write_kitti(folder / f"{stem}.txt", predicted)
    write_kitti(folder / f"{stem}_measured.txt", measured)
    Image.fromarray(trajectory_plot(drawing, unit="m")).save(folder / f"{stem}.png")


def from_above(
    predicted: Poses, measured: Poses, whole: Float[np.ndarray, "m 4 4"] | None = None, any_up: bool = False
) -> Drawing:
    """Both paths for a plot of x (right) and z (up), the prediction aligned by 7dof where it can be.

    `whole` is all of the measured path, where some of its frames were not predicted. Cameras have y down; in
    a world of which `any_up` axis may be up the measured path tells which.
    """
    label = f"predicted, aligned by {_DRAWN}"
    try:
        predicted = aligned(predicted, measured, _DRAWN)
    except KinedepthError:
        label = "predicted, as it comes"
    truth = measured if whole is None else whole
    drawn = {"measured": truth.copy(), label: predicted.copy()}
    flat = flat_axes(positions(truth)) if any_up else (0, 2)
    for path in drawn.values():
        path[:, (0, 2), 3] = path[:, flat, 3]
    return drawn


def flat_axes(points: Points) -> tuple[int, int]:
    """The two axes of the ground in a world whose up is not known: all but the least used one, y in doubt."""
    extent = np.ptp(points, axis=0)
    up = int(np.argmin(extent)) if extent[1] > 2 * extent.min() else 1
    first, second = (axis for axis in range(3) if axis != up)
    return first, second
