"""Folders of pictures: one sequence in order of name, alone or with a stereo partner and truth beside it."""

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from kinedepth.data.camera_files import guessed
from kinedepth.data.frames import PICTURE_ENDINGS, picture_size
from kinedepth.data.moments import Calibration, Frame, Moment, Sequence, Size, Truth, TruthKind
from kinedepth.errors import KinedepthError

LAYOUTS = (
    ("images", "right"),
    ("left", "right"),
    ("image_02/data", "image_03/data"),
    ("image_2", "image_3"),
    ("image_02", "image_03"),
)
"""Where the pictures of a drive lie below its folder, and those of its stereo partner."""

COMPANIONS = frozenset({"right", "truth", "masks", "instances", "semantics", "gt_depth", "lidar_depth"})
"""Folders beside a drive's pictures or video that are no sequences of their own."""

FOREIGN = frozenset({"__MACOSX", "@eaDir", "Thumbs.db", "desktop.ini", "$RECYCLE.BIN"})
"""What systems leave in folders of pictures, beside hidden files."""

_TRUTHS: tuple[tuple[str, TruthKind], ...] = (
    ("truth", "npz"),
    ("gt_depth", "png"),
    ("proj_depth/groundtruth/image_02", "png"),
    ("lidar_depth", "png"),
)

_LABELS = ("instances", "semantics")


@dataclass(frozen=True)
class Layout:
    """Where the parts of one drive lie."""

    root: Path
    """The folder of the drive."""
    images: Path
    """The folder of its pictures."""
    right: Path | None = None
    """The pictures of its stereo partner."""


@dataclass(frozen=True)
class Beside:
    """What lies beside the pictures of a drive, by the pictures' names without ending."""

    truths: Mapping[str, Truth] = field(default_factory=dict)
    labels: tuple[Mapping[str, Path], ...] = ({}, {})
    """Instances, semantics."""
    poses: Path | None = None
    times: tuple[float, ...] = ()
    """Seconds, one for each frame."""

    @property
    def fps(self) -> float | None:
        """Frames per second by the times, where they are known."""
        length = self.times[-1] - self.times[0] if self.times else 0.0
        return (len(self.times) - 1) / length if length > 0 else None

    def times_of(self, frames: tuple[Frame, ...]) -> tuple[float, ...] | None:
        """The second of each frame, where there is one for each."""
        return self.times if self.times and len(self.times) == len(frames) else None

    def frame(self, path: Path, index: int | None = None) -> Frame:
        """The frame of a picture, or of a video at `index`, with its labels."""
        bare = Frame(path, index)
        instances, semantics = (found.get(bare.label) for found in self.labels)
        return replace(bare, instances=instances, semantics=semantics)

    def truths_of(self, frames: tuple[Frame, ...]) -> tuple[Truth | None, ...]:
        """The truth of each frame; nothing at all where none has any."""
        found = tuple(self.truths.get(frame.label) for frame in frames)
        return found if any(found) else ()


def natural_key(path: Path) -> tuple[tuple[int, int, str], ...]:
    """Sorts frame2 before frame10."""
    parts = re.split(r"(\d+)", path.name)
    # Numbers and words never meet at the same place, so that the parts can always be compared.
    return tuple((1, int(part), part) if part.isdecimal() else (0, 0, part) for part in parts if part)


def entries(folder: Path) -> list[Path]:
    """What lies in a folder in natural order, without hidden files and what systems leave there.

    Raises:
        KinedepthError: the folder is missing or may not be read.
    """
    try:
        names = [entry.name for entry in os.scandir(folder)]
    except FileNotFoundError as error:
        raise KinedepthError(f"there is no folder {folder}") from error
    except NotADirectoryError as error:
        raise KinedepthError(f"{folder} is not a folder") from error
    except PermissionError as error:
        raise KinedepthError(f"the folder {folder} may not be read: change its permissions") from error
    found = [folder / name for name in names if not name.startswith(".") and name not in FOREIGN]
    return sorted(found, key=natural_key)


def pictures(folder: Path) -> list[Path]:
    """The pictures directly in a folder, in natural order (frame2 before frame10).

    Raises:
        KinedepthError: the folder is missing or may not be read, or holds two files of the same name.
    """
    found = [path for path in entries(folder) if path.suffix.lower() in PICTURE_ENDINGS]
    twice = {path.stem: path for path in found}
    if len(twice) < len(found):
        other = next(path for path in found if twice[path.stem] != path)
        raise KinedepthError(
            f"{folder} holds the same frame twice, {other.name} and {twice[other.stem].name}: "
            "move one kind away"
        )
    return found


def layout(folder: Path) -> Layout | None:
    """Where the pictures of one drive lie if `folder` is one: directly in it, or in a known folder below."""
    for images, right in LAYOUTS:
        if (folder / images).is_dir() and pictures(folder / images):
            beside = folder / right
            return Layout(folder, folder / images, beside if beside.is_dir() else None)
    if not pictures(folder):
        return None
    for images, right in LAYOUTS:
        # The user may point at the pictures of a drive instead of at the drive.
        parts = Path(images).parts
        if folder.resolve().parts[-len(parts) :] == parts:
            above = folder.resolve().parents[len(parts) - 1]
            beside = above / right
            return Layout(above, folder, beside if beside.is_dir() else None)
    return Layout(folder, folder)


def sequence(
    name: str, where: Layout, calibration: Calibration | None = None, baseline: float | None = None
) -> Sequence:
    """The pictures of one drive as a sequence; without a calibration its camera is a guess (`guessed`).

    Args:
        name: what to call it.
        where: its folders.
        calibration: its camera.
        baseline: metres between the cameras of its stereo rig.

    Raises:
        KinedepthError: it holds no picture, a damaged one, or pictures of several sizes; or pictures of its
            stereo partner are missing.
    """
    paths = pictures(where.images)
    if not paths:
        raise nothing(where.images)
    whole = of_size(name, where, paths, common_size(paths, name))
    camera = whole.calibration if calibration is None else calibration
    return replace(whole, calibration=camera, baseline=baseline)


def of_size(name: str, where: Layout, paths: list[Path], size: Size) -> Sequence:
    """Pictures of a drive, of `size` (height, width), as a sequence whose camera is a guess.

    Raises:
        KinedepthError: pictures of its stereo partner are missing.
    """
    known = beside(where.root)
    frames = tuple(known.frame(path) for path in paths)
    return Sequence(
        name=name,
        frames=frames,
        calibration=guessed(size),
        size=size,
        fps=known.fps,
        partners=() if where.right is None else partners(frames, where.right, name),
        truths=known.truths_of(frames),
        poses=known.poses,
        times=known.times_of(frames),
    )


def moments(
    folder: Path, offsets: tuple[int, ...] = (-1, 1), calibration: Calibration | None = None
) -> list[Moment]:
    """The moments of one folder of pictures.

    Raises:
        KinedepthError: see `sequence`; or it has fewer pictures than the offsets need.
    """
    where = layout(folder)
    if where is None:
        raise nothing(folder)
    return sequence(where.root.resolve().name, where, calibration).moments(offsets)


def nothing(folder: Path) -> KinedepthError:
    """Why a folder without pictures is refused."""
    return KinedepthError(f"the folder {folder} holds no pictures ({', '.join(sorted(PICTURE_ENDINGS))})")


def common_size(paths: Iterable[Path], name: str) -> Size:
    """(height, width) of all pictures of a sequence, from their headers.

    Raises:
        KinedepthError: one cannot be read, or they differ.
    """
    first: tuple[Path, Size] | None = None
    for path in paths:
        size = picture_size(path)
        first = first or (path, size)
        if size != first[1]:
            raise KinedepthError(
                f"the pictures of {name} differ in size: {first[0].name} is {first[1][1]}x{first[1][0]} but "
                f"{path.name} is {size[1]}x{size[0]}; put each size into a folder of its own"
            )
    if first is None:
        raise KinedepthError(f"the sequence {name} holds no pictures")
    return first[1]


def beside(root: Path) -> Beside:
    """What lies beside the pictures or the video of a drive in `root`: truth, labels, poses and times."""
    truths: dict[str, Truth] = {}
    for place, kind in _TRUTHS:
        truths = truths or {
            stem: Truth(path, kind) for stem, path in _by_stem(root / place, f".{kind}").items()
        }
    rendered = {stem: truth.path for stem, truth in truths.items() if truth.kind == "npz"}
    labels = (_by_stem(root / kind, ".png") or _by_stem(root / kind, ".npy") or rendered for kind in _LABELS)
    poses = _first_file(root, ("poses.txt", "truth/poses.txt"))
    return Beside(truths, tuple(labels), poses, _times(_first_file(root, ("times.txt", "truth/times.txt"))))


def _by_stem(folder: Path, ending: str) -> dict[str, Path]:
    if not folder.is_dir():
        return {}
    return {path.stem: path for path in entries(folder) if path.suffix == ending}


def _times(file: Path | None) -> tuple[float, ...]:
    if file is None:
        return ()
    try:
        return tuple(float(line) for line in file.read_text(encoding="utf-8").split())
    except (OSError, ValueError):
        return ()


def partners(frames: tuple[Frame, ...], right: Path, name: str) -> tuple[Frame, ...]:
    """The picture in `right` that belongs to each frame, by name.

    Raises:
        KinedepthError: some are missing; says how many and names the first.
    """
    by_name = {path.stem: path for path in pictures(right)}
    missing = [frame.label for frame in frames if frame.label not in by_name]
    if missing:
        raise KinedepthError(
            f"{len(missing)} of the {len(frames)} pictures of {name} have no stereo partner in {right}, "
            f"first {missing[0]}: add them or take the folder away"
        )
    return tuple(Frame(by_name[frame.label]) for frame in frames)


def _first_file(root: Path, names: tuple[str, ...]) -> Path | None:
    return next((root / name for name in names if (root / name).is_file()), None)
