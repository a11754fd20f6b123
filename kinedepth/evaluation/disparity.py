"""Files of disparity or flow against KITTI 2015's truth: read, paired by name, judged, printed, written.

evaluation.json   the pooled numbers
images.csv        image by image
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
from rich.console import Console
from rich.markup import escape

from kinedepth.data.folder import entries
from kinedepth.errors import KinedepthError, listed
from kinedepth.evaluation.console import grid, say
from kinedepth.evaluation.names import matches
from kinedepth.evaluation.output import MARK, provenance, write_csv
from kinedepth.evaluation.pixel_errors import PIXEL_PROTOCOLS as PIXEL_PROTOCOLS
from kinedepth.evaluation.pixel_errors import (
    PixelErrors,
    PixelProtocol,
    Valid,
    Vectors,
    pixel_errors,
    pooled,
)
from kinedepth.inference.notes import write_json
from kinedepth.inference.whole import whole_folder

_STEPS = {"disparity": 256.0, "flow": 64.0}
_FLOW_ZERO = 32768.0
_CHANNELS = {"disparity": 2, "flow": 3}
"""Of an array: a disparity map has two axes, flow three."""


def read_vectors(path: Path, quantity: Literal["disparity", "flow"]) -> tuple[Vectors, Valid]:
    """Disparity (one channel) or flow (two, x and y) in pixels, and where there is any.

    KITTI's 16-bit PNG: disparity = value / 256, 0 = none; flow = (value - 32768) / 64, third channel = valid.
    An npy array holds pixels as they are.

    Raises:
        KinedepthError: the file is missing, damaged, or of another kind.
    """
    if not path.is_file():
        raise KinedepthError(f"There is no file {path}.")
    if path.suffix.lower() == ".npy":
        return _of_array(path, quantity)
    stored = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if stored is None or stored.dtype != np.uint16:
        raise KinedepthError(
            f"{path} is no 16-bit PNG: {quantity} of KITTI is, an 8-bit picture is not enough."
        )
    if stored.ndim != _CHANNELS[quantity]:
        raise KinedepthError(f"{path} has {stored.shape[2:] or 1} channels, which is not KITTI's {quantity}.")
    if quantity == "disparity":
        return (stored / _STEPS[quantity])[..., None], np.asarray(stored > 0)
    # OpenCV gives the channels of a color picture from the last to the first.
    vectors = (stored[..., :0:-1].astype(np.float64) - _FLOW_ZERO) / _STEPS[quantity]
    return vectors, np.asarray(stored[..., 0] > 0)


def _of_array(path: Path, quantity: str) -> tuple[Vectors, Valid]:
    try:
        stored = np.load(path, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise KinedepthError(f"{path} is damaged or no array of numbers.") from error
    wanted = "rows x columns" if quantity == "disparity" else "rows x columns x 2"
    if stored.ndim != _CHANNELS[quantity] or (quantity == "flow" and stored.shape[2] != 2):
        raise KinedepthError(f"{path} holds an array of shape {stored.shape}; {quantity} is {wanted}.")
    vectors = stored.astype(np.float64).reshape(*stored.shape[:2], -1)
    valid = np.isfinite(vectors).all(axis=-1)
    return np.where(valid[..., None], vectors, 0.0), np.asarray(
        valid & (quantity == "flow" or vectors[..., 0] > 0)
    )


def pairs_of(predicted: Path, truth: Path) -> dict[str, tuple[Path, Path]]:
    """The files that belong together, by name; two single files belong together whatever they are called.

    Raises:
        KinedepthError: none matches, or the estimate of a truth is missing.
    """
    if truth.is_file() and predicted.is_file():
        return {truth.stem: (predicted, truth)}
    given, wanted = _files(predicted), _files(truth)
    found = matches(wanted, given)
    if not found:
        first = next(iter(given), "(none)"), next(iter(wanted), "(none)")
        raise KinedepthError(
            f"None of the {len(given)} estimates in {predicted} has a truth of the same name: first estimate "
            f"{first[0]}, first truth {first[1]}."
        )
    missing = [name for name in wanted if name not in found]
    if missing:
        raise KinedepthError(
            f"The estimate of {listed(missing)} is missing in {predicted}; nothing was evaluated."
        )
    return {name: (given[found[name]], wanted[name]) for name in wanted}


def _files(path: Path) -> Mapping[str, Path]:
    if path.is_file():
        return {path.stem: path}
    return {entry.stem: entry for entry in entries(path) if entry.suffix.lower() in (".png", ".npy")}


def judge_files(
    predicted: Path,
    truth: Path,
    protocol: PixelProtocol,
    output: Path | None,
    overwrite: bool,
    console: Console,
) -> list[PixelErrors]:
    """Judges estimates against truth, prints the table, writes it where asked; gives each image's errors.

    Raises:
        KinedepthError: a file is missing, damaged or of another size; the output exists.
    """
    images = []
    for name, (estimate, true) in pairs_of(predicted, truth).items():
        both = (read_vectors(each, protocol.quantity) for each in (estimate, true))
        images.append(pixel_errors(name, next(both), next(both), protocol))
    say(console, f"source     {truth}", f"predicted  {predicted} ({len(images)} images)", str(protocol))
    _print(images, console)
    if output is not None:
        with whole_folder(output, overwrite=overwrite, source=truth, mark=MARK) as draft:
            _write(draft, images, protocol, (predicted, truth))
        say(console, f"written    {output}: {MARK}, images.csv")
    return images


def _print(images: Sequence[PixelErrors], console: Console) -> None:
    table = grid([""], ["epe px", "outliers %", "pixels", "no estimate"])
    worst = sorted(images, key=lambda each: each.outlier_rate)[:-4:-1] if len(images) > 1 else []
    for label, each in [("model", pooled(images)), *((f"worst: {one.name}", one) for one in worst)]:
        cells = (
            f"{each.epe:.3f}",
            f"{each.outlier_rate:.2%}"[:-1],
            f"{each.pixels:,}",
            f"{each.without_estimate:,}",
        )
        table.add_row(escape(label), *cells)
    console.print(table)


def _write(
    draft: Path, images: Sequence[PixelErrors], protocol: PixelProtocol, paths: tuple[Path, Path]
) -> None:
    header = ["name", "epe_px", "outlier_rate", "pixels", "without_estimate"]
    lines = ([each.name, each.epe, each.outlier_rate, each.pixels, each.without_estimate] for each in images)
    write_csv(draft / "images.csv", [header, *lines])
    total = pooled(images)
    note: dict[str, Any] = {
        **provenance(),
        "predictions": str(paths[0].resolve()),
        "source": str(paths[1].resolve()),
        "protocols": [protocol.name],
        "protocol": asdict(protocol) | {"words": str(protocol)},
        "means": {"model": {"whole": {"epe_px": total.epe, "outlier_rate": total.outlier_rate}}},
        "pixels": total.pixels,
        "without_estimate": total.without_estimate,
    }
    write_json(draft / MARK, note)
