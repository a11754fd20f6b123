"""What a user points at, understood by looking: a video, a folder of frames, a drive, many of them, KITTI."""

import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from kinedepth.data import folder, video
from kinedepth.data.camera_files import GUESSED_FOV, described, from_fov, guessed, read_intrinsics, read_kitti
from kinedepth.data.frames import PICTURE_ENDINGS
from kinedepth.data.moments import Calibration, Moment, Sequence, Size
from kinedepth.errors import KinedepthError

# Below a data set's root: date, drive, camera, and one to spare.
_DEPTH = 4

_SHOWN = 8


@dataclass(frozen=True)
class Given:
    """What the user says of the cameras; the rest is looked for beside the pictures."""

    intrinsics: Path | str | None = None
    """A file, or the numbers; see `read_intrinsics`."""
    fov_degrees: float | None = None
    """How wide the view is, where no intrinsics are known."""
    baseline: float | None = None
    """Metres between the cameras of a stereo rig."""


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

    @property
    def baseline_known(self) -> bool:
        """Whether every sequence has a stereo partner at a known distance."""
        return all(s.partners and s.baseline is not None for s in self.sequences)

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
            ("sequences", f"{len(self.sequences)}: {_listed([s.name for s in self.sequences])}"),
            ("frames", f"{self.count}{length}"),
            ("pictures", _listed(_unique(_picture(s) for s in self.sequences))),
            *(("camera", text) for text in self._cameras()),
            ("stereo", _stereo(self.sequences)),
            ("truth", _truth(self.sequences)),
            *(("note", note) for note in self.notes),
        ]
        return "\n".join(f"{name:<10} {text}" for name, text in rows)

    def _cameras(self) -> list[str]:
        pairs = zip(self.cameras, self.sequences, strict=True)
        return _unique(f"{camera}: {described(s.calibration, s.size)}" for camera, s in pairs)[:_SHOWN]


def _listed(names: list[str]) -> str:
    rest = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + rest


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
    return f"{len(paired)} of {len(sequences)} sequences, distance of the cameras {_listed(lengths)}"


def _truth(sequences: tuple[Sequence, ...]) -> str:
    frames = sum(1 for s in sequences for truth in s.truths if truth is not None)
    poses = sum(1 for s in sequences if s.poses is not None)
    return f"depth of {frames} frames, poses of {poses} sequences" if frames or poses else "no"


def open_source(path: Path | str, given: Given | None = None) -> Source:
    """What lies at `path`, as sequences with their cameras.

    A camera that is not given is looked for beside the pictures (`intrinsics.json`, KITTI's files); where
    there is none it is a guess of 60 degrees, and the summary says so.

    Raises:
        KinedepthError: there is nothing to learn from, it is damaged, or the camera makes no sense.
    """
    path, given = Path(path), given or Given()
    if path.is_dir():
        found = list(_sequences(path, path, given, _DEPTH))
    elif path.suffix.lower() in PICTURE_ENDINGS and path.exists():
        raise KinedepthError(
            f"{path} is a single picture: depth is learned from motion, give a video or a folder"
        )
    elif not path.exists():
        raise KinedepthError(f"there is nothing at {path}: give a video, a folder of pictures, or a data set")
    else:
        found = [_video(path, path.stem, given)]
    if not found:
        raise KinedepthError(
            f"the folder {path} holds neither pictures nor videos, also not in the folders below"
        )
    notes = _unique(note for _, camera in found for note in camera.notes)
    return Source(
        path,
        _kind(path, len(found)),
        tuple(sequence for sequence, _ in found),
        tuple(camera.origin for _, camera in found),
        tuple(notes),
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


@dataclass(frozen=True)
class _Camera:
    calibration: Calibration
    origin: str
    baseline: float | None = None
    fps: float | None = None
    notes: tuple[str, ...] = ()


def _sequences(path: Path, root: Path, given: Given, depth: int) -> Iterator[tuple[Sequence, _Camera]]:
    where = folder.layout(path)
    videos = [entry for entry in folder.entries(path) if entry.suffix.lower() in video.VIDEO_ENDINGS]
    if where is not None:
        if where.images == path and videos:
            raise KinedepthError(
                f"{path} holds pictures and videos: name the one to learn from, {videos[0].name}?"
            )
        yield _drive(where, _name(where.root, path, root), given)
        return
    for entry in videos:
        yield _video(entry, _name(entry.with_suffix(""), entry, root), given)
    below = [
        entry for entry in folder.entries(path) if entry.is_dir() and entry.name not in folder.COMPANIONS
    ]
    for entry in below if depth else ():
        yield from _sequences(entry, root, given, depth - 1)


def _name(drive: Path, path: Path, root: Path) -> str:
    return drive.relative_to(root).as_posix() if path != root else drive.resolve().name


def _drive(where: folder.Layout, name: str, given: Given) -> tuple[Sequence, _Camera]:
    plain = folder.sequence(name, where)
    camera = _camera(where.root, plain.size, given)
    baseline = given.baseline if given.baseline is not None else camera.baseline
    fps = plain.fps if camera.fps is None else camera.fps
    return replace(plain, calibration=camera.calibration, baseline=baseline, fps=fps), camera


def _video(path: Path, name: str, given: Given) -> tuple[Sequence, _Camera]:
    seen = video.probe(path)
    camera = _camera(path.parent, seen.size, given)
    known = folder.beside(path.parent) if _is_drive(path) else folder.Beside()
    frames = tuple(known.frame(path, index) for index in range(seen.count))
    has_rig = (path.parent / "stereo.json").is_file() and _is_drive(path)
    partners = folder.partners(frames, path.parent / "right", name) if has_rig else ()
    sequence = Sequence(
        name,
        frames,
        camera.calibration,
        seen.size,
        seen.fps or known.fps,
        partners,
        camera.baseline if given.baseline is None else given.baseline,
        known.truths_of(frames),
        known.poses,
    )
    return sequence, camera


def _is_drive(path: Path) -> bool:
    """Whether truth or a stereo partner lies beside a video, and no other video that they could belong to."""
    if not any((path.parent / name).exists() for name in ("truth", "stereo.json")):
        return False
    return [path] == [
        entry for entry in folder.entries(path.parent) if entry.suffix.lower() in video.VIDEO_ENDINGS
    ]


def _camera(root: Path, size: Size, given: Given) -> _Camera:
    beside = root / "intrinsics.json"
    known = _json(beside)
    baseline, fps = (
        _number(known | _json(root / "stereo.json"), ("baseline", "baseline_m")),
        _number(known, ("fps",)),
    )
    if given.intrinsics is not None:
        is_text = isinstance(given.intrinsics, str) and not re.search("[A-Za-z]{2}", given.intrinsics)
        name = "the numbers given" if is_text else Path(given.intrinsics).name
        found = _Camera(read_intrinsics(given.intrinsics, size), f"from {name}", baseline, fps)
    elif given.fov_degrees is not None:
        found = _Camera(
            from_fov(math.radians(given.fov_degrees), size), "from the field of view", baseline, fps
        )
    elif beside.is_file():
        found = _Camera(
            read_intrinsics(beside, size), f"from {beside.name} beside the pictures", baseline, fps
        )
    else:
        found = _kitti(root, size) or _Camera(
            guessed(size),
            f"GUESSED {math.degrees(GUESSED_FOV):.0f} degrees across the longer side, since nothing is known "
            "of the camera (give --intrinsics or --fov)",
        )
    return replace(found, notes=_notes(found.calibration, size, known))


def _kitti(root: Path, size: Size) -> _Camera | None:
    for path in (root.parent / "calib_cam_to_cam.txt", root / "calib_cam_to_cam.txt", root / "calib.txt"):
        if path.is_file():
            left, right = (read_kitti(path, camera, size) for camera in (2, 3))
            return _Camera(left.calibration, f"from {path.name}", right.offset - left.offset)
    return None


def _json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _number(content: dict[str, Any], keys: tuple[str, ...]) -> float | None:
    return next((float(content[key]) for key in keys if isinstance(content.get(key), int | float)), None)


def _notes(calibration: Calibration, size: Size, known: dict[str, Any]) -> tuple[str, ...]:
    notes = []
    if any("distortion" in key for key in known):
        notes.append("the lens distortion in intrinsics.json is not corrected")
    own, ours = calibration.width / calibration.height, size[1] / size[0]
    if not calibration.normalized and abs(own / ours - 1) > 0.05:
        notes.append(
            f"the camera is for {calibration.width}x{calibration.height} but the pictures are "
            f"{size[1]}x{size[0]}, of other proportions: if they were cropped, crop the camera too"
        )
    return tuple(notes)
