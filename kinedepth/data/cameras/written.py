"""A file or a text given as intrinsics, opened: what kind of content it is, before anything is understood."""

import io
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from xml.etree import ElementTree
from zipfile import BadZipFile

import numpy as np
import yaml

from kinedepth.data.cameras.optics import is_optics
from kinedepth.errors import KinedepthError

# COLMAP's export, in a folder or in the `sparse/0` of a reconstruction.
_IN_FOLDER = ("cameras.txt", "cameras.bin", "sparse/0/cameras.txt", "sparse/0/cameras.bin")

# No file of intrinsics is larger; a video given by mistake is not read whole.
_LARGEST = 16 * 1024**2

_FORMS = (
    "give K as 3x3 numbers, fx fy cx cy, JSON or YAML, a file of KITTI, Cityscapes, COLMAP, OpenCV, ROS or "
    "Kalibr, or an angle or focal length such as 80deg, 24mm, 4.25mm/5.6mm"
)


def written(given: Path | str) -> tuple[str, str | bytes | Any]:
    """What to call it, and its content: text, the bytes of a .bin, or what NPY and NPZ hold.

    Raises:
        KinedepthError: there is no such file, or it cannot be read.
    """
    path = Path(given)
    if isinstance(given, str) and not _exists(path) and _is_text(given):
        return "the intrinsics given", given
    try:
        path = _file(path)
        if path.stat().st_size > _LARGEST:
            raise KinedepthError(f"{path} is too large to be a file of intrinsics: {_FORMS}")
        return str(path), _content(path)
    except FileNotFoundError as error:
        raise KinedepthError(f"there is no intrinsics file {path}") from error
    except (OSError, ValueError, EOFError, BadZipFile) as error:
        raise KinedepthError(f"the intrinsics {path} cannot be read as text, JSON or NPY: {error}") from error


def parsed(text: str, name: str) -> Any:
    """Numbers, lists or keys that the text spells, as JSON, YAML, XML or plain numbers.

    OpenCV's own reader of its YAML and XML writes beyond its memory where a damaged file lacks an entry (seen
    with 5.0), so that it is not used.

    Raises:
        KinedepthError: it is in none of these forms, or damaged.
    """
    start = text.lstrip()
    if start[:1] in {"{", "["}:
        return _json(text, name)
    if start.startswith("<"):
        return _xml(text, name)
    try:
        return [float(word) for word in re.split(r"[\s,;]+", text.strip())]
    except ValueError:
        return _yaml(text, name)


def _is_text(given: str) -> bool:
    numbers = r"\s*([\[{].*|[-+\d.eE]+[\s,;][-+\d.eE\s,;]+)"
    return is_optics(given) or re.fullmatch(numbers, given, re.DOTALL) is not None


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # too long for a name: it is text
        return False


def _file(path: Path) -> Path:
    if not path.is_dir():
        return path
    found = next((path / name for name in _IN_FOLDER if (path / name).is_file()), None)
    if found is None:
        raise KinedepthError(
            f"{path} is a folder without a cameras.txt of COLMAP: name the file of intrinsics"
        )
    return found


def _content(path: Path) -> Any:
    if path.suffix == ".bin":
        return path.read_bytes()
    if path.suffix == ".npy":
        return np.load(io.BytesIO(path.read_bytes())).tolist()
    if path.suffix == ".npz":
        # From memory, since numpy leaves a damaged file open.
        with np.load(io.BytesIO(path.read_bytes())) as arrays:
            return {key: arrays[key].tolist() for key in arrays.files}
    return path.read_text(encoding="utf-8-sig")


def _json(text: str, name: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise KinedepthError(f"{name} is not valid JSON (line {error.lineno}): {error.msg}") from error
    except RecursionError as error:
        raise KinedepthError(f"{name} is JSON nested too deeply to be intrinsics: {_FORMS}") from error


def _yaml(text: str, name: str) -> Any:
    # OpenCV's older header is not YAML.
    text = re.sub(r"\A\s*%YAML:.*", "", text)
    try:
        documents = [one for one in yaml.load_all(text, Loader=_Loader) if one is not None]
    except (yaml.YAMLError, ValueError, TypeError, RecursionError) as error:
        raise KinedepthError(f"{name} is in no known form, or damaged: {_FORMS}") from error
    # What `rostopic echo` writes ends with the start of a next document.
    if not documents or not isinstance(documents[0], Mapping | list):
        raise KinedepthError(f"{name} is in no known form: {_FORMS}")
    return documents[0]


class _Loader(yaml.SafeLoader):  # type: ignore[misc]  # yaml has no types
    """Plain values only, and OpenCV's matrices as their keys: rows, cols, dt, data."""


_Loader.add_multi_constructor(
    "tag:yaml.org,2002:opencv-", lambda loader, _, node: loader.construct_mapping(node, deep=True)
)


def _xml(text: str, name: str) -> Any:
    try:
        return _element(ElementTree.fromstring(text))
    except (ElementTree.ParseError, ValueError, RecursionError) as error:
        raise KinedepthError(f"{name} cannot be read as XML of OpenCV's, is it whole?") from error


def _element(node: ElementTree.Element) -> Any:
    if len(node):
        return {child.tag: _element(child) for child in node}
    values = [_value(word) for word in (node.text or "").split()]
    return values[0] if len(values) == 1 else values


def _value(word: str) -> float | str:
    try:
        return float(word)
    except ValueError:
        return word
