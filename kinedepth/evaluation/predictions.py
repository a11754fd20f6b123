"""Predictions that were made elsewhere: official arrays, folders of depth files, what `predict` wrote.

Each is a `Guess` like any other, so that it goes through the same evaluation as a model. Nothing is read
before it is needed, but for names and the note of the first file.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np

from kinedepth.data.moments import Moment
from kinedepth.errors import KinedepthError, listed
from kinedepth.evaluation.archive import is_stack, open_stack
from kinedepth.evaluation.depth import Map
from kinedepth.evaluation.depth_files import ENDINGS, Quantity, files_below, inverse_of, named_files
from kinedepth.evaluation.judge import Guess
from kinedepth.evaluation.names import matches
from kinedepth.inference.files import KITTI_FACTOR, PLACES, Format
from kinedepth.inference.notes import DepthNote
from kinedepth.inference.session import MARK as PREDICTED

_MOST_EXACT_FIRST: tuple[Format, ...] = ("npy", "npz", "exr", "pfm", "png16")


@dataclass(frozen=True)
class Reading:
    """How files of another program are to be read; files of ours say it themselves."""

    quantity: Quantity | None = None
    """What the numbers are; None: unknown."""
    factor: float = 1.0
    """Multiplies every depth: focal length times baseline for disparities, 5.4 for Monodepth2's stereo."""
    steps: float = KITTI_FACTOR
    """Of 16-bit PNG without a note: stored = value * steps."""


@dataclass(frozen=True)
class Predictions:
    """Inverse depth of many images, by name."""

    path: Path
    maps: Mapping[str, Callable[[], Map]]
    kind: str
    """For people."""
    scale: Literal["relative", "metric", "unknown"]
    """`unknown`: the files do not say it."""
    source: str = ""
    """What a metric scale comes from."""
    factor: float = 1.0
    """Multiplies every depth."""

    def guess(self, moments: Sequence[Moment]) -> Guess:
        """The predictions as a guess for `moments`, matched by name.

        Raises:
            KinedepthError: a prediction is missing, none matches, or several could.
        """
        found = self.matched(moments)
        return lambda asked: (self._read(moment.name, found[moment.name]) for moment in asked)

    def matched(self, moments: Sequence[Moment]) -> dict[str, str]:
        """The prediction of every moment, by names."""
        names = [moment.name for moment in moments]
        found = matches(names, self.maps)
        if not found:
            raise KinedepthError(
                f"None of the {len(self.maps)} predictions in {self.path} has a truth of the same name: "
                f"first prediction {next(iter(self.maps))}, first truth {names[0] if names else '(none)'}."
            )
        missing = [name for name in names if name not in found]
        if missing:
            raise KinedepthError(
                f"The prediction of {listed(missing)} is missing in {self.path} ({len(missing)} of "
                f"{len(names)}); nothing was evaluated: predict them, or list the others in --names."
            )
        return found

    def having(self, moments: Sequence[Moment]) -> list[Moment]:
        """Those of `moments` that have a prediction."""
        found = matches([moment.name for moment in moments], self.maps)
        return [moment for moment in moments if moment.name in found]

    def unused(self, moments: Sequence[Moment]) -> list[str]:
        """The predictions that belong to none of `moments`."""
        used = set(self.matched(moments).values())
        return [name for name in self.maps if name not in used]

    def _read(self, name: str, given: str) -> Map:
        try:
            inverse = self.maps[given]()
            return inverse if self.factor == 1.0 else inverse.astype(np.float64) / self.factor
        except KinedepthError as error:
            raise KinedepthError(f"{name}: {error}") from error

    def summary(self) -> str:
        """What was understood."""
        source = f" ({self.source})" if self.source else ""
        factor = "" if self.factor == 1.0 else f", depth times {self.factor:g}"
        scale = "not said by the files" if self.scale == "unknown" else f"{self.scale}{source}"
        return f"predicted  {self.path} ({self.kind}, {len(self.maps)} images)\nscale      {scale}{factor}"


def is_predictions(path: Path) -> bool:
    """Whether `path` is a file or a folder of depth, and no run."""
    if path.is_file():
        return path.suffix.lower() in ENDINGS
    if not path.is_dir() or (path / "checkpoints").is_dir():
        return False
    return (path / PREDICTED).is_file() or next(files_below(path), None) is not None


def open_predictions(path: Path, reading: Reading, names: Sequence[str] | None = None) -> Predictions:
    """What lies at `path`; `names` are the images of an array, in its order.

    Raises:
        KinedepthError: there is nothing, an array has no names or not as many, a name comes twice, or it is
            not known what the numbers of foreign files are.
    """
    if is_stack(path):
        return _of_array(path, reading, names)
    if path.is_file():
        return _of_files(path, {path.stem: path}, "a file of depth", reading)
    marked = _marked(path)
    if marked:
        files = {
            (place.relative_to(path) / name).as_posix(): file
            for place in marked
            for name, file in named_files(_written(place)).items()
        }
        return _of_files(path, files, "written by kinedepth predict", reading)
    return _of_files(path, named_files(path), "a folder of depth files", reading)


def _marked(path: Path) -> list[Path]:
    """The folders that `predict` wrote: this one, or those of several clips below it."""
    if (path / PREDICTED).is_file():
        return [path]
    return sorted(entry for entry in path.glob("*") if (entry / PREDICTED).is_file())


def _written(path: Path) -> Path:
    """The folder of the most exact format that `predict` wrote."""
    places = (path / PLACES[each][0] for each in _MOST_EXACT_FIRST)
    found = next((place for place in places if place.is_dir()), None)
    if found is None:
        raise KinedepthError(
            f"{path} holds no depth files, only pictures: predict again with --format npy or png16."
        )
    return found


def _of_array(path: Path, reading: Reading, names: Sequence[str] | None) -> Predictions:
    stack, quantity = open_stack(path), reading.quantity or "disparity"
    if names is None:
        raise KinedepthError(
            f"{path} holds {len(stack)} maps whose order is unknown: give --names FILE with one name a line, "
            "or the published protocol that they belong to."
        )
    if len(names) != len(stack):
        raise KinedepthError(f"{path} holds {len(stack)} maps and the list has {len(names)} names.")
    maps = {name: partial(_of_stack, stack, place, quantity) for place, name in enumerate(names)}
    kind = f"an array of {quantity.replace('_', ' ')}"
    return Predictions(path, maps, kind, "unknown", factor=reading.factor)


def _of_stack(stack: np.ndarray, place: int, quantity: Quantity) -> Map:
    values = np.asarray(stack[place], dtype=np.float32)
    if not np.isfinite(values).all() or (values < 0).any():
        raise KinedepthError(f"map {place} of the array has values that are not finite or below zero.")
    if quantity != "depth":
        return values
    with np.errstate(divide="ignore"):
        return np.where(values > 0, 1 / values, np.float32(np.nan))


def _of_files(path: Path, files: Mapping[str, Path], kind: str, reading: Reading) -> Predictions:
    first = next(iter(files.values()))
    note = inverse_of(first, reading.quantity or "depth", reading.steps)[1]
    if note is None and reading.quantity is None:
        raise KinedepthError(
            f"{first} does not say what its numbers are: give --quantity depth, inverse_depth or disparity "
            "(and --factor where depth must be multiplied to be in meters)."
        )
    maps = {name: partial(_of_file, file, note, reading) for name, file in files.items()}
    if note is None:
        kind = f"{kind}, {(reading.quantity or 'depth').replace('_', ' ')}"
        return Predictions(path, maps, kind, "unknown", factor=reading.factor)
    # Who gives a factor for relative depth says what its unit is.
    scale = "unknown" if note.scale == "relative" and reading.factor != 1.0 else note.scale
    return Predictions(path, maps, kind, scale, note.source, reading.factor)


def _of_file(path: Path, first: DepthNote | None, reading: Reading) -> Map:
    inverse, note = inverse_of(path, reading.quantity or "depth", reading.steps)
    if (note is None) != (first is None) or (note and first and note.scale != first.scale):
        raise KinedepthError(
            f"{path} differs from the first file in what it says of its scale: do not mix them."
        )
    return inverse
