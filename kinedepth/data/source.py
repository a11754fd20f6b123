"""What a user points at, understood by looking: a video, a folder of frames, a drive, many of them, KITTI."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kinedepth.data import folder
from kinedepth.data.camera_files import described
from kinedepth.data.finding import find
from kinedepth.data.frames import PICTURE_ENDINGS
from kinedepth.data.moments import Moment, Sequence, Size
from kinedepth.data.own_camera import Given
from kinedepth.errors import KinedepthError, listed

__all__ = ["Given", "Source", "open_source"]

_SHOWN = 8


@dataclass(frozen=True)
class Source:
    """What was understood."""

    path: Path
    kind: str
    """For people: "a video", "a folder of pictures", and so on."""
    sequences: tuple[Sequence, ...]
    cameras: tuple[str, ...]
    """Where each sequence's camera comes from."""
    notes: tuple[str, ...] = ()
    """What the user should know."""

    @property
    def count(self) -> int:
        """The number of frames in all sequences."""
        return sum(len(sequence.frames) for sequence in self.sequences)

    @property
    def size(self) -> Size:
        """(height, width) of the first sequence's frames."""
        return self.sequences[0].size

    @property
    def guessed(self) -> bool:
        """Whether a camera is only a guess."""
        return any(camera.startswith("GUESSED") for camera in self.cameras)

    def moments(self, offsets: tuple[int, ...] = (-1, 1), gap: int = 1) -> list[Moment]:
        """The moments of all sequences; `gap` frames count as one step of an offset.

        Raises:
            KinedepthError: a sequence is shorter than the offsets reach.
        """
        return [moment for sequence in self.sequences for moment in sequence.moments(offsets, gap)]

    def summary(self) -> str:
        """What was understood, line by line, to be shown before anything is trained."""
        seconds = [len(s.frames) / s.fps for s in self.sequences if s.fps]
        length = f", {sum(seconds):.1f} s" if len(seconds) == len(self.sequences) else ""
        rows = [
            ("source", f"{self.path} ({self.kind})"),
            ("sequences", f"{len(self.sequences)}: {listed([s.name for s in self.sequences], _SHOWN)}"),
            ("frames", f"{self.count}{length}"),
            ("pictures", listed(_unique(_picture(s) for s in self.sequences), _SHOWN)),
            *(("camera", text) for text in self._cameras()),
            ("stereo", _stereo(self.sequences)),
            ("truth", _truth(self.sequences)),
            *(("note", note) for note in self.notes),
        ]
        return "\n".join(f"{name:<10} {text}" for name, text in rows)

    def _cameras(self) -> list[str]:
        pairs = zip(self.cameras, self.sequences, strict=True)
        return _unique(f"{camera}: {_camera(sequence)}" for camera, sequence in pairs)[:_SHOWN]


def _camera(sequence: Sequence) -> str:
    said, rectified = described(sequence.calibration, sequence.size), sequence.frames[0].rectified
    lens = None if rectified is None else rectified.raw.lens
    return said if lens is None else f"{said}, lens {lens.model}, undistorted when read"


def _unique(texts: Iterator[str]) -> list[str]:
    return list(dict.fromkeys(texts))


def _picture(sequence: Sequence) -> str:
    rate = f" at {sequence.fps:.4g} frames/s" if sequence.fps else ""
    return f"{sequence.size[1]}x{sequence.size[0]}{rate}"


def _stereo(sequences: tuple[Sequence, ...]) -> str:
    paired = [s for s in sequences if s.partners]
    if not paired:
        return "no"
    lengths = _unique(f"{s.baseline:.3f} m" if s.baseline else "not known" for s in paired)
    return f"{len(paired)} of {len(sequences)} sequences, distance of the cameras {listed(lengths, _SHOWN)}"


def _truth(sequences: tuple[Sequence, ...]) -> str:
    frames = sum(1 for s in sequences for truth in s.truths if truth is not None)
    poses = sum(1 for s in sequences if s.poses is not None)
    told = [(frames, "depth of", "frame"), (poses, "poses of", "sequence")]
    return ", ".join(f"{of} {n} {what}{'s' if n > 1 else ''}" for n, of, what in told if n) or "no"


def open_source(path: Path | str, given: Given | None = None) -> Source:
    """What lies at `path`, as sequences with their cameras.

    A camera that is not given is looked for beside the pictures (`CAMERA_FILES`, KITTI's files), then in
    their EXIF; where there is none it is a guess of 60 degrees, and the summary says so.

    Raises:
        KinedepthError: there is nothing to learn from, it is damaged, or the camera makes no sense.
    """
    path, given = Path(path), given or Given()
    if path.is_file() and path.suffix.lower() in PICTURE_ENDINGS:
        raise KinedepthError(
            f"{path} is a single picture: depth is learned from motion, give a video or a folder"
        )
    if not path.exists():
        raise KinedepthError(f"there is nothing at {path}: give a video, a folder of pictures, or a data set")
    found = list(find(path, given))
    if not found:
        raise KinedepthError(
            f"the folder {path} holds neither pictures nor videos, also not in the folders below"
        )
    return Source(
        path,
        _kind(path, len(found)),
        tuple(each.sequence for each in found),
        tuple(each.origin for each in found),
        tuple(_unique(note for each in found for note in each.notes)),
    )


def _kind(path: Path, count: int) -> str:
    if path.is_file():
        return "a video"
    if (path / "sequences").is_dir():
        return "KITTI odometry"
    if any(re.fullmatch(r"\d{4}_\d\d_\d\d", entry.name) for entry in folder.entries(path)):
        return "KITTI raw"
    where = folder.layout(path)
    if where is not None:
        return "a folder of pictures" if where.root == where.images else "a drive"
    return f"a folder of {count} sequence{'s' if count > 1 else ''}"
