"""Frames at one size, each decoded and resized once, kept as 8-bit.

Training reads every frame again in each epoch, and decoding is by far the dearest part of that. Still
frames stay in memory up to a bound and are read again beyond it; a video is decoded in one pass into a
memory-mapped file below the user's cache folder, and that file serves later runs too. Nothing is written
beside the input.
"""

import hashlib
import os
import shutil
import tempfile
import threading
import time
import weakref
from pathlib import Path

import numpy as np
from jaxtyping import Bool, UInt8
from PIL import Image
from torch import Tensor

from kinedepth.data.frames import as_pinhole, as_pixels, counting, open_picture
from kinedepth.data.moments import Frame, Rectification, Size
from kinedepth.data.video import frames, probe, refusal
from kinedepth.errors import KinedepthError

MEMORY = 2 * 1024**3
DISK = 16 * 1024**3

# Raised when frames are decoded or resized in another way, so that old files are not used.
_FORMAT = 1

_ABANDONED = 3600.0


def cache_folder() -> Path:
    """The user's cache folder for decoded frames: below XDG_CACHE_HOME, else ~/.cache."""
    given = os.environ.get("XDG_CACHE_HOME")
    return (Path(given) if given else Path.home() / ".cache") / "kinedepth" / "frames"


class DecodedVideos:
    """Videos decoded once at one size into memory-mapped files, used again while the video is the same."""

    def __init__(self, folder: Path | None = None, disk: int = DISK, temporary: bool = False) -> None:
        """Keep decoded frames in `folder`, at most `disk` bytes of them.

        Args:
            folder: where the files go; by default `cache_folder()`. Never beside the video.
            disk: bound in bytes; the files used longest ago make room for new ones.
            temporary: use a folder of its own, below `folder` if given, which is removed with this object.
        """
        self.folder = cache_folder() if folder is None else folder
        if temporary:
            self.folder = Path(tempfile.mkdtemp(prefix="kinedepth-frames-", dir=folder))
            weakref.finalize(self, shutil.rmtree, self.folder, ignore_errors=True)
        self.disk = disk
        self._open: dict[tuple[Path, Size, Rectification | None], np.memmap] = {}
        self._lock = threading.Lock()

    def frame(
        self, path: Path, index: int, size: Size, rectified: Rectification | None = None
    ) -> UInt8[np.ndarray, "3 h w"]:
        """Frame `index` of the video at `size` (height, width), undistorted first where `rectified` says how.

        Raises:
            KinedepthError: the video cannot be decoded, or it does not fit into the bound.
        """
        with self._lock:
            if (path, size, rectified) not in self._open:
                self._open[path, size, rectified] = self._all(path, size, rectified)
        pixels: UInt8[np.ndarray, "3 h w"] = self._open[path, size, rectified][index]
        return pixels

    def _all(self, path: Path, size: Size, rectified: Rectification | None) -> np.memmap:
        target = self.folder / f"{self._key(path, size, rectified)}.u8"
        if not target.exists():
            self._write(path, size, rectified, target)
        os.utime(target)
        count = target.stat().st_size // (3 * size[0] * size[1])
        return np.memmap(target, np.uint8, "r", shape=(count, 3, *size))

    @staticmethod
    def _key(path: Path, size: Size, rectified: Rectification | None) -> str:
        try:
            state = path.stat()
        except OSError as error:
            raise refusal(path) from error
        lens = () if rectified is None else (rectified,)
        parts = (_FORMAT, path.resolve(), state.st_mtime_ns, state.st_size, *size, *lens)
        return hashlib.sha256("\0".join(map(str, parts)).encode()).hexdigest()[:32]

    def _write(self, path: Path, size: Size, rectified: Rectification | None, target: Path) -> None:
        count, step = probe(path).count, 3 * size[0] * size[1]
        self._make_room(path, count * step)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            # Plain writes and not a mapped file: a full disk is then an error and not a crash.
            with tempfile.NamedTemporaryFile(dir=self.folder, suffix=".part", delete=False) as part:
                try:
                    for pixels in frames(path, stop=count):
                        picture = as_pinhole(Image.fromarray(pixels), rectified)
                        part.write(as_pixels(picture, size).tobytes())
                    _refuse_short(path, part.tell() // step, count)
                    part.close()
                    Path(part.name).replace(target)
                finally:
                    Path(part.name).unlink(missing_ok=True)
        except OSError as error:
            raise KinedepthError(
                f"the decoded frames of {path} cannot be written to {self.folder} ({error.strerror}): "
                "set XDG_CACHE_HOME to a folder with room"
            ) from error

    def _make_room(self, path: Path, need: int) -> None:
        if need > self.disk:
            raise KinedepthError(
                f"the decoded frames of {path} take {need / 1e9:.1f} GB, more than the "
                f"{self.disk / 1e9:.1f} GB allowed for them: train at a smaller size or cut the video"
            )
        if not self.folder.exists():
            return
        self._remove_abandoned()
        self._remove_oldest(need)
        free = shutil.disk_usage(self.folder).free
        if need > free:
            raise KinedepthError(
                f"the decoded frames of {path} take {need / 1e9:.1f} GB but {self.folder} has "
                f"{free / 1e9:.1f} GB left: set XDG_CACHE_HOME to a folder with room"
            )

    def _remove_abandoned(self) -> None:
        # What a killed run left; a living one writes to its file all the time.
        for left in self.folder.glob("*.part"):
            if time.time() - left.stat().st_mtime > _ABANDONED:
                left.unlink(missing_ok=True)

    def _remove_oldest(self, need: int) -> None:
        in_use = {Path(str(decoded.filename)).name for decoded in self._open.values()}
        kept = sorted(self.folder.glob("*.u8"), key=lambda file: file.stat().st_mtime)
        total = sum(file.stat().st_size for file in kept)
        for file in kept:
            if total + need <= self.disk:
                return
            if file.name not in in_use:
                total -= file.stat().st_size
                file.unlink(missing_ok=True)


def _refuse_short(path: Path, decoded: int, count: int) -> None:
    if decoded < count:
        raise KinedepthError(
            f"the video {path} says that it has {count} frames but only {decoded} can be decoded, "
            "it is damaged or cut off: encode it again"
        )


class FrameStore:
    """Reads frames at one size and remembers them as 8-bit; may be used from several threads."""

    def __init__(self, size: Size, memory: int = MEMORY, videos: DecodedVideos | None = None) -> None:
        """Remember stills of `size` (height, width) in at most `memory` bytes.

        Args:
            size: (height, width) of what is given.
            memory: bytes for still frames; beyond it they are read again each time.
            videos: where decoded videos are kept; by default in the user's cache folder.
        """
        self.size = size
        self._room = memory // max(1, 3 * size[0] * size[1])
        self._kept: dict[tuple[Path, Rectification | None], UInt8[np.ndarray, "3 h w"]] = {}
        self._counts: dict[tuple[Path | None, Rectification | None], Bool[Tensor, "1 h w"]] = {}
        self._videos = DecodedVideos() if videos is None else videos
        self._lock = threading.Lock()

    def read(self, frame: Frame) -> UInt8[np.ndarray, "3 h w"]:
        """The frame's pixels, undistorted where it says so; not to be written to.

        Raises:
            KinedepthError: the picture or video cannot be read.
        """
        if frame.index is not None:
            return self._videos.frame(frame.path, frame.index, self.size, frame.rectified)
        key = frame.path, frame.rectified
        kept = self._kept.get(key)
        if kept is not None:
            return kept
        pixels = as_pixels(as_pinhole(open_picture(frame.path), frame.rectified), self.size)
        with self._lock:
            if len(self._kept) < self._room:
                self._kept[key] = pixels
        return pixels

    def counts(self, frame: Frame, mask: Path | None = None) -> Bool[Tensor, "1 h w"]:
        """Where the frame's pixels count: those that `mask` keeps and its lens shows; not to be written to.

        Raises:
            KinedepthError: the mask cannot be read, or leaves out nearly everything.
        """
        key = mask, frame.rectified
        with self._lock:
            if key not in self._counts:
                self._counts[key] = counting(mask, frame.rectified, self.size)
        return self._counts[key]
