"""The mask of a sequence: the user's picture, or what was found not to move while the camera does.

A found mask is kept in the user's cache folder, so that it is not looked for again; nothing is written beside
the input.
"""

import os
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Bool

from kinedepth.data import hood, moments
from kinedepth.data.frames import read_mask
from kinedepth.data.measuring import key, small_pictures
from kinedepth.data.motion import USUAL, Motion
from kinedepth.data.store import cache_folder
from kinedepth.errors import KinedepthError

AUTO = "auto"

# Of so many pictures, all from the start of a long video, since it must be decoded to the last of them.
_PICTURES, _WITHIN = 90, 6000
# The world must have gone by at least so far, in widths of the picture.
_FARTHEST = 5 * USUAL

_FORMAT = 1
_KEPT = 500


@dataclass(frozen=True)
class Mask:
    """What is left out of every picture of a sequence."""

    path: Path
    """A picture that is 0 where pixels never count."""
    share: float
    """Of the picture that is left out, 0 to 1."""
    origin: str
    """For people: "bonnet", or the name of the user's file."""


def mask_of(sequence: moments.Sequence, setting: str, motion: Motion | None) -> Mask | None:
    """The mask of a sequence: none for "", found by the motion for "auto", else the picture of that name.

    Raises:
        KinedepthError: the picture is missing, damaged or leaves out nearly everything; or the mask that was
            found cannot be kept.
    """
    if not setting:
        return None
    if setting != AUTO:
        given = Path(setting).resolve()
        return Mask(given, _share(read_mask(given)), given.name)
    return None if motion is None else _found(sequence, motion)


def masked(sequence: moments.Sequence, mask: Mask | None) -> moments.Sequence:
    """The sequence with its mask."""
    return sequence if mask is None else replace(sequence, mask=mask.path)


def _share(counts: Bool[np.ndarray, "h w"]) -> float:
    return float(1 - counts.mean())


def _found(sequence: moments.Sequence, motion: Motion) -> Mask | None:
    folder = cache_folder().parent / "masks"
    name = f"{_FORMAT}-{key(sequence)}"
    known = next(folder.glob(f"{name}-*"), None) if folder.is_dir() else None
    if known is None:
        frames = tuple(sequence.frames[i] for i in moving(motion))
        found = hood.find_hood(small_pictures(frames, "rgb24")) if frames else None
        known = _write(folder, name, found, sequence.size)
    if known.suffix != ".png":
        return None
    return Mask(known, _share(read_mask(known)), known.stem.removeprefix(f"{name}-").replace("_", " "))


def moving(motion: Motion) -> list[int]:
    """Numbers of frames, evenly spread over the way of the camera; none where it hardly moved."""
    ways = motion.way[:_WITHIN]
    if ways[-1] < _FARTHEST:
        return []
    numbers = np.searchsorted(ways, np.linspace(0, ways[-1], _PICTURES))
    return [int(number) for number in np.unique(numbers)]


def _write(folder: Path, name: str, found: hood.Hood | None, size: moments.Size) -> Path:
    """The mask's file, named after what was found; an empty one where that is nothing."""
    what = "nothing.none" if found is None else f"{_named(found)}.png"
    target = folder / f"{name}-{what}"
    part = folder / f"{os.getpid()}.part.png"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if found is None:
            part.touch()
        else:
            hood.write_mask(part, _enlarged(found.mask, size))
        part.replace(target)
        for old in sorted(folder.iterdir(), key=lambda each: each.stat().st_mtime)[:-_KEPT]:
            old.unlink(missing_ok=True)
    except OSError as error:
        raise KinedepthError(
            f"the mask that was found cannot be written to {folder} ({error.strerror}): set "
            "XDG_CACHE_HOME to a folder with room, or give --mask"
        ) from error
    return target


def _named(found: hood.Hood) -> str:
    parts = [name for name, there in (("bonnet", found.hood), ("watermark", found.stamps > 0)) if there]
    return "_and_".join(parts)


def _enlarged(mask: Bool[np.ndarray, "_ _"], size: moments.Size) -> Bool[np.ndarray, "_ _"]:
    bits = cv2.resize(mask.astype(np.uint8), size[::-1], interpolation=cv2.INTER_NEAREST)
    return np.asarray(bits) > 0
