"""The motion of a sequence's files, measured in one pass over small pictures and remembered.

Nothing is written beside the input, and no more than a few small pictures are in memory.
"""

import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import Literal
from zipfile import BadZipFile

import cv2
import numpy as np
from jaxtyping import UInt8
from PIL import Image

from kinedepth.data import video
from kinedepth.data.frames import as_rgb, open_picture
from kinedepth.data.moments import Frame, Sequence
from kinedepth.data.motion import WIDTH, Motion, motion_of
from kinedepth.data.store import cache_folder
from kinedepth.errors import KinedepthError

Kind = Literal["gray", "rgb24"]
Pixels = UInt8[np.ndarray, "_ _ *c"]

# Raised when anything is measured in another way, so that old files are not used.
_FORMAT = 1
_KEPT = 500


def measured(sequence: Sequence, step: Callable[[], None] | None = None) -> Motion:
    """The motion of a sequence; measured once, and kept in the user's cache folder while its files stay.

    `step` is called after each frame that is measured.

    Raises:
        KinedepthError: a picture or the video cannot be read.
    """
    file = cache_folder().parent / "motion" / f"{key(sequence)}.npz"
    motion = _read(file)
    if motion is None:
        motion = motion_of(_counted(small_pictures(sequence.frames), step))
        _refuse_short(sequence, len(motion.cut) + 1)
        _write(file, motion)
    return motion


def _counted(frames: Iterator[Pixels], step: Callable[[], None] | None) -> Iterator[Pixels]:
    for frame in frames:
        yield frame
        if step is not None:
            step()


def small_pictures(frames: tuple[Frame, ...], kind: Kind = "gray") -> Iterator[UInt8[np.ndarray, "h w *c"]]:
    """Frames of one sequence, upright, at most `WIDTH` wide, "gray" or "rgb24", one at a time.

    Frames of a video must be in order; it is decoded once.
    """
    if frames and frames[0].index is not None:
        wanted = {frame.index for frame in frames}
        pictures = video.small_frames(frames[0].path, WIDTH, kind)
        until = islice(pictures, 1 + max(index for index in wanted if index is not None))
        yield from (picture for index, picture in enumerate(until) if index in wanted)
    else:
        yield from (_small(frame.path, kind) for frame in frames)


def _small(path: Path, kind: Kind) -> UInt8[np.ndarray, "h w *c"]:
    try:
        with Image.open(path) as picture:
            # A JPEG is decoded at the nearest larger fraction of its size.
            picture.draft(None, (WIDTH, max(1, WIDTH * picture.height // picture.width)))
            picture.load()
            upright = as_rgb(picture)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        upright = open_picture(path)  # which says what is wrong
    pixels = np.asarray(upright.convert("L") if kind == "gray" else upright)
    factor = WIDTH / pixels.shape[1]
    if factor >= 1:
        return pixels
    size = (WIDTH, max(1, round(factor * pixels.shape[0])))
    small: UInt8[np.ndarray, "h w *c"] = cv2.resize(pixels, size, interpolation=cv2.INTER_AREA)
    return small


def _refuse_short(sequence: Sequence, count: int) -> None:
    if count < len(sequence.frames):
        raise KinedepthError(
            f"the video {sequence.frames[0].path} says that it has {len(sequence.frames)} frames but only "
            f"{count} can be decoded, it is damaged or cut off: encode it again"
        )


def key(sequence: Sequence) -> str:
    """A name that belongs to the files of a sequence as they are now.

    Raises:
        KinedepthError: one is missing.
    """
    digest = hashlib.sha256(f"{_FORMAT} {WIDTH} {len(sequence.frames)}".encode())
    for path in dict.fromkeys(frame.path for frame in sequence.frames):
        try:
            state = path.stat()
        except OSError:
            raise KinedepthError(f"there is no picture or video {path}") from None
        digest.update(f"\0{path.resolve()}\0{state.st_mtime_ns}\0{state.st_size}".encode())
    return digest.hexdigest()[:32]


def _read(file: Path) -> Motion | None:
    try:
        with file.open("rb") as stream, np.load(stream) as arrays:
            motion = Motion(arrays["displacement"], arrays["cut"], arrays["still"])
        os.utime(file)
    except (OSError, ValueError, KeyError, BadZipFile):
        return None
    return motion


def _write(file: Path, motion: Motion) -> None:
    """Write a measurement; where that is impossible it is made again the next time."""
    part = file.with_suffix(f".{os.getpid()}.part")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as stream:
            np.savez(stream, displacement=motion.displacement, cut=motion.cut, still=motion.still)
        part.replace(file)
        files = sorted(file.parent.glob("*.npz"), key=lambda each: each.stat().st_mtime)
        for old in files[:-_KEPT]:
            old.unlink(missing_ok=True)
    except OSError:
        with suppress(OSError):
            part.unlink()
