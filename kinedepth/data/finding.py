"""Sequences found by walking: videos, folders of pictures, drives, and folders of any of them."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from kinedepth.data import folder, video
from kinedepth.data.camera_files import guessed
from kinedepth.data.moments import Sequence
from kinedepth.data.own_camera import Cameras, Given, Place, doubts, with_camera
from kinedepth.data.sizes import sequences
from kinedepth.errors import KinedepthError

# Below a data set's root: date, drive, camera, and one to spare.
_DEPTH = 4


@dataclass(frozen=True)
class Found:
    """A sequence, and what to say of it."""

    sequence: Sequence
    origin: str
    """Where its camera comes from."""
    notes: tuple[str, ...] = ()


def find(path: Path, given: Given) -> Iterator[Found]:
    """The sequences in a folder and the folders below, or the one of a video file.

    Raises:
        KinedepthError: something is damaged, pictures lie beside videos, or a camera makes no sense.
    """
    walk = _Walk(path, given, Cameras(given))
    return walk.below(path, _DEPTH) if path.is_dir() else walk.of_video(path)


@dataclass(frozen=True)
class _Walk:
    """One walk from where the user pointed."""

    root: Path
    given: Given
    cameras: Cameras

    def below(self, path: Path, depth: int) -> Iterator[Found]:
        where = folder.layout(path)
        videos = [entry for entry in folder.entries(path) if entry.suffix.lower() in video.VIDEO_ENDINGS]
        if where is not None:
            if where.images == path and videos:
                raise KinedepthError(
                    f"{path} holds pictures and videos: name the one to learn from, {videos[0].name}?"
                )
            yield from self._drive(where, path)
            return
        for entry in videos:
            yield from self.of_video(entry)
        inner = [each for each in folder.entries(path) if each.name not in folder.COMPANIONS]
        for entry in inner if depth else ():
            if entry.is_dir():
                yield from self.below(entry, depth - 1)

    def _drive(self, where: folder.Layout, path: Path) -> Iterator[Found]:
        name = self._name(where.root, path)
        plain, notes = sequences(name, where)
        for sequence in plain:
            place = Place(where.root, (where.images, *self._above(where.root)), sequence.frames[0].path)
            yield self._with_camera(sequence, place, notes)

    def of_video(self, path: Path) -> Iterator[Found]:
        name = path.stem if path == self.root else self._name(path.with_suffix(""), path)
        seen = video.probe(path)
        notes = []
        if seen.uneven:
            notes.append(f"the frame rate of {name} varies, {seen.fps:.4g} frames/s is its mean")
        yield self._with_camera(_of_video(seen, name), Place(path.parent, self._above(path.parent)), notes)

    def _with_camera(self, plain: Sequence, place: Place, notes: list[str]) -> Found:
        camera = self.cameras.of(place, plain.size)
        baseline = self.given.baseline if self.given.baseline is not None else camera.baseline
        fps = plain.fps or camera.fps if plain.frames[0].index is not None else camera.fps or plain.fps
        plain = replace(plain, baseline=baseline, fps=fps)
        told = (*notes, *doubts(plain, camera.calibration))
        return Found(with_camera(plain, camera.calibration), camera.origin, told)

    def _name(self, drive: Path, path: Path) -> str:
        return drive.relative_to(self.root).as_posix() if path != self.root else drive.resolve().name

    def _above(self, path: Path) -> tuple[Path, ...]:
        """The folders above, up to where the user pointed: their camera is that of all below."""
        if path == self.root or not path.is_relative_to(self.root):
            return ()
        return tuple(above for above in path.parents if above.is_relative_to(self.root))


def _of_video(seen: video.Video, name: str) -> Sequence:
    path = seen.path
    known = folder.beside(path.parent) if _is_drive(path) else folder.Beside()
    frames = tuple(known.frame(path, index) for index in range(seen.count))
    has_rig = (path.parent / "stereo.json").is_file() and _is_drive(path)
    return Sequence(
        name,
        frames,
        guessed(seen.size),
        seen.size,
        seen.fps or known.fps,
        folder.partners(frames, path.parent / "right", name) if has_rig else (),
        truths=known.truths_of(frames),
        poses=known.poses,
        times=seen.times or known.times_of(frames),
    )


def _is_drive(path: Path) -> bool:
    """Whether truth or a stereo partner lies beside a video, and no other video that they could belong to."""
    if not any((path.parent / name).exists() for name in ("truth", "stereo.json")):
        return False
    return [path] == [
        entry for entry in folder.entries(path.parent) if entry.suffix.lower() in video.VIDEO_ENDINGS
    ]
