"""What lies in a folder, read with patience: what is missing, cut off or damaged is empty, never an error."""

import csv
import json
import math
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from PIL import Image

from kinedepth.data import video
from kinedepth.errors import KinedepthError
from kinedepth.inference.weights import read_header
from kinedepth.visualize.report.content import Film, Photo
from kinedepth.visualize.report.photos import WIDEST, data_uri, photo

Facts = dict[str, Any]
Values = Float[np.ndarray, " n"]
LARGEST_FILM = 2_000_000
"""Bytes of a video that travels inside the page; a larger one is shown by one frame."""


def text(path: Path) -> str:
    """The text of a file; empty where there is none."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def facts(path: Path) -> Facts:
    """What a JSON file says; empty where it is missing, damaged, or no object."""
    return _object(text(path)) or {}


def _object(line: str) -> Facts | None:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def lines(path: Path) -> list[Facts]:
    """The lines of a JSON-lines file; a line that a kill cut off is left out."""
    found = (_object(line) for line in text(path).splitlines())
    return [line for line in found if line is not None and number_of(line.get("step")) is not None]


def rows(path: Path) -> list[dict[str, str]]:
    """The lines of a CSV file under their headings."""
    try:
        found = list(csv.DictReader(text(path).splitlines()))
    except csv.Error:
        return []
    return [{key: value or "" for key, value in row.items() if isinstance(key, str)} for row in found]


def header(run: Path, name: str) -> Facts:
    """What a checkpoint of a run says about itself."""
    try:
        return read_header(run / "checkpoints" / f"{name}.safetensors")
    except (KinedepthError, KeyError, TypeError, ValueError):
        return {}


def number_of(value: object) -> float | None:
    """A finite number, or None."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def or_nan(values: Iterable[object]) -> Values:
    """The numbers in an array, not a number for what is no finite one."""
    numbers = map(number_of, values)
    return np.array([math.nan if number is None else number for number in numbers], dtype=np.float64)


def mapping_of(value: object) -> Mapping[str, Any]:
    """The value where it is an object, else an empty one."""
    return value if isinstance(value, dict) else {}


def curve(log: Iterable[Facts], name: str) -> tuple[Values, Values]:
    """Steps and values of one name in a log; not a number where the log holds no finite one."""
    found = [line for line in log if name in line]
    return or_nan(line["step"] for line in found), or_nan(line[name] for line in found)


def positions(path: Path) -> Float[np.ndarray, "n 3"]:
    """Where the camera was, from a file of poses as KITTI (12 numbers a line) or TUM (8) writes them."""
    found = [place for place in map(_position, text(path).splitlines()) if place is not None]
    return np.array(found, dtype=np.float64).reshape(-1, 3)


def _position(line: str) -> list[float] | None:
    values = [number_of(word) for word in line.split()]
    if line.startswith("#") or len(values) not in (8, 12):
        return None
    chosen = values[1:4] if len(values) == 8 else values[3::4]
    return [value for value in chosen if value is not None] if None not in chosen else None


def picture(path: Path, alt: str, caption: str = "", widest: int = WIDEST) -> Photo | None:
    """The picture of a file for a page; None where it is missing or damaged."""
    try:
        with Image.open(path) as opened:
            return photo(np.asarray(opened.convert("RGB")), alt, caption, widest)
    except (OSError, ValueError, SyntaxError):  # Pillow says SyntaxError of a broken PNG
        return None


def film(path: Path, alt: str, caption: str) -> Film | None:
    """A video for a page, with its middle frame to be seen first; None where it is missing or damaged."""
    try:
        if not path.is_file():
            return None
        middle = video.probe(path).count // 2
        frame = next(_frames(path, middle), None)
    except KinedepthError:
        return None
    if frame is None:
        return None
    content = path.read_bytes() if path.stat().st_size <= LARGEST_FILM else b""
    return Film(photo(frame, alt, caption), data_uri(content, "video/mp4") if content else "")


def _frames(path: Path, index: int) -> Iterator[Any]:
    return video.frames(path, index, index + 1)
