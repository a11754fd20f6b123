"""A whole source into a folder of files: depth, colour video, trajectory, and a note of what they are.

One pass predicts and stores; what needs the whole clip (the clip's median, one colour range, one PNG
factor) is made from the stored maps in a second one. Memory does not grow with the clip, but for a name and
a pose a frame.

    depth/<name>.npy  depth_npz/<name>.npz  depth_png16/<name>.png      each with its note
    depth.mp4, or depth_color/<name>.png where there is no frame rate
    poses_tum.txt  poses_kitti.txt  prediction.json
"""

import shutil
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import numpy as np
from jaxtyping import Float32, Float64
from PIL import Image

from kinedepth.errors import KinedepthError
from kinedepth.geometry.camera import Camera
from kinedepth.inference.clips import Frame, Picture
from kinedepth.inference.files import (
    PNG_MAX,
    DepthNote,
    fitting_factor,
    write_json,
    write_npy,
    write_npz,
    write_png16,
)
from kinedepth.inference.poses import CONVENTION, next_pose, write_kitti, write_tum
from kinedepth.inference.predictor import Prediction, Predictor
from kinedepth.inference.video import DepthHistogram, exact_rate, stacked, video_writer
from kinedepth.inference.whole import whole_folder
from kinedepth.visualize.colors import colored_depth

Format = Literal["npy", "npz", "png16"]
MARK = "prediction.json"


@dataclass(frozen=True)
class Wanted:
    """What a session writes."""

    formats: tuple[Format, ...] = ("npy", "png16")
    colors: bool = True
    """A colour video if `fps` is known, else colour pictures."""
    side_by_side: bool = False
    """The input above the depth in the video."""
    poses: tuple[Literal["tum", "kitti"], ...] = ()
    fps: float | int | Fraction | None = None
    """Of the input; None when it has no rate."""
    clip_anchor: bool = False
    """Adaptive depth range: each frame's depth is scaled to the median of the clip's medians."""
    png_factor: float | None = None
    """Of PNG16; without it the largest power of two by which the clip fits. 256 with metres is KITTI's."""
    camera: Camera | None = None
    """In pixels of the frames; without it the predictor's own, at their size."""
    batch: int = 1
    checkpoint: str = ""
    """Its name, for the note."""
    overwrite: bool = False


@dataclass(frozen=True)
class Written:
    """What a session wrote."""

    output: Path
    frames: int
    scale: str
    files: tuple[str, ...]
    """Kinds of output, relative to `output`."""
    notes: tuple[str, ...]
    """What the user should be told."""


def predict_source(
    predictor: Predictor,
    frames: Iterable[Frame],
    output: Path,
    wanted: Wanted | None = None,
    source: Path | None = None,
    progress: Callable[[int], None] | None = None,
) -> Written:
    """Predicts every frame into the folder `output`, which is whole or absent.

    `source` is where the frames come from: the output may not hold it or lie in it. `progress` is called
    with the number of frames done. Raises KinedepthError when the folder exists (unless it is an older
    result of ours and `wanted.overwrite`), when a frame cannot be read, when there is none, when two have
    one name, and when poses are wanted from a method that has none.
    """
    wanted = wanted or Wanted()
    with whole_folder(output, overwrite=wanted.overwrite, source=source, mark=MARK) as draft:
        session = _Session(draft, wanted)
        session.predict(predictor, frames, progress)
        session.finish()
    return Written(
        output, len(session.names), session.note.scale, tuple(session.files), tuple(session.remarks)
    )


class _Session:
    """The state of one run: where things lie, what was seen of the clip so far."""

    def __init__(self, folder: Path, wanted: Wanted) -> None:
        self.folder, self.wanted = folder, wanted
        self.work = folder / ".work"
        self.maps = folder / "depth" if "npy" in wanted.formats else self.work / "depth"
        self.names: dict[str, float] = {}
        self.sizes: set[tuple[int, int]] = set()
        self.poses: list[Float64[np.ndarray, "4 4"]] = []
        self.notes: dict[tuple[int, int], DepthNote] = {}
        self.histogram, self.largest = DepthHistogram(), 0.0
        self.medians: list[float] = []
        self.anchor: float | None = None
        self.png_factor: float | None = None
        self.files: list[str] = []
        self.remarks: list[str] = []

    @property
    def note(self) -> DepthNote:
        """What holds for all frames."""
        return next(iter(self.notes.values()))

    def predict(
        self, predictor: Predictor, frames: Iterable[Frame], progress: Callable[[int], None] | None
    ) -> None:
        """First pass: every frame through the network, its map to disk."""
        pending: deque[Frame] = deque()

        def pictures() -> Iterator[Picture]:
            for frame in frames:
                pending.append(frame)
                yield frame[2]

        before: Picture | None = None
        for prediction in predictor.video(pictures(), self.wanted.camera, self.wanted.batch):
            name, timestamp, picture = pending.popleft()
            self._register(name, timestamp)
            self._store(name, prediction, picture)
            if self.wanted.poses:
                self._move(predictor, before, picture)
            before = picture
            if progress is not None:
                progress(len(self.names))
        if not self.names:
            raise KinedepthError(
                "The source holds no frame: name a picture, a folder of pictures or a video."
            )
        self.anchor = predictor.range_anchor

    def finish(self) -> None:
        """Second pass: what needs the whole clip."""
        if self.wanted.clip_anchor:
            self._anchor()
        self._files_of_depth()
        if self.wanted.colors:
            self._colors()
        self._trajectories()
        shutil.rmtree(self.work, ignore_errors=True)
        write_json(self.folder / MARK, self._summary())
        self.files.append(MARK)

    def _register(self, name: str, timestamp: float) -> None:
        place = PurePosixPath(name)
        if not place.parts or place.is_absolute() or ".." in place.parts:
            raise KinedepthError(f"'{name}' cannot name a file of the output: rename that frame.")
        if name in self.names:
            raise KinedepthError(f"Two frames are called {name}: rename one, their files would be the same.")
        self.names[name] = timestamp

    def _place(self, folder: Path, name: str, ending: str) -> Path:
        path = folder / f"{name}{ending}"
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def _store(self, name: str, prediction: Prediction, picture: Picture) -> None:
        size = (picture.shape[0], picture.shape[1])
        self.sizes.add(size)
        note = DepthNote(prediction.scale, prediction.source, prediction.uncertainty, prediction.camera)
        self.notes.setdefault(size, note)
        if self.wanted.side_by_side:
            np.save(self._place(self.work / "input", name, ".npy"), picture, allow_pickle=False)
        self._keep(name, prediction.depth, note)
        self.medians.append(float(np.median(prediction.depth)))

    def _keep(self, name: str, depth: Float32[np.ndarray, "h w"], note: DepthNote) -> None:
        write_npy(self._place(self.maps, name, ".npy"), depth, note, sync=False)
        self.histogram.add(depth)
        self.largest = max(self.largest, float(depth[np.isfinite(depth)].max(initial=0.0)))

    def _stored(self) -> Iterator[tuple[str, Float32[np.ndarray, "h w"], DepthNote]]:
        for name in self.names:
            depth = np.load(self.maps / f"{name}.npy", allow_pickle=False)
            yield name, depth, self.notes[(depth.shape[0], depth.shape[1])]

    def _move(self, predictor: Predictor, before: Picture | None, now: Picture) -> None:
        if before is None:
            self.poses.append(np.eye(4))
        else:
            self.poses.append(next_pose(self.poses[-1], predictor.pose(before, now)))

    def _anchor(self) -> None:
        """Scales each stored map to the clip's median (fact sheet of Monodepth2, section 11)."""
        self.anchor = float(np.median(self.medians))
        source = f"{self.note.source}; each median set to {self.anchor:g}, the clip's"
        self.notes = {size: replace(note, source=source) for size, note in self.notes.items()}
        self.histogram, self.largest = DepthHistogram(), 0.0
        for (name, depth, note), median in zip(self._stored(), self.medians, strict=True):
            self._keep(name, depth * np.float32(self.anchor / median), note)

    def _files_of_depth(self) -> None:
        factor = self.wanted.png_factor or fitting_factor(self.largest)
        if "npy" in self.wanted.formats:
            self.files.append("depth")
        if "png16" in self.wanted.formats:
            self.files.append("depth_png16")
            self._mind_range(factor)
        if "npz" in self.wanted.formats:
            self.files.append("depth_npz")
        if not {"png16", "npz"} & set(self.wanted.formats):
            return
        for name, depth, note in self._stored():
            if "png16" in self.wanted.formats:
                path = self._place(self.folder / "depth_png16", name, ".png")
                write_png16(path, depth, note, factor, sync=False)
            if "npz" in self.wanted.formats:
                write_npz(self._place(self.folder / "depth_npz", name, ".npz"), depth, note, sync=False)

    def _mind_range(self, factor: float) -> None:
        self.png_factor = factor
        if self.largest * factor > PNG_MAX:
            self.remarks.append(
                f"PNG16 at factor {factor:g} ends at {PNG_MAX / factor:g}: depth beyond it is 0, no value"
            )

    def _colors(self) -> None:
        if self.wanted.fps is not None and len(self.sizes) > 1:
            self.remarks.append("the frames differ in size: colour pictures instead of a video")
        if self.wanted.fps is None or len(self.sizes) > 1:
            self.files.append("depth_color")
            for name, picture in self._colored():
                Image.fromarray(picture).save(self._place(self.folder / "depth_color", name, ".png"))
            return
        low, high = self.histogram.limits()
        comment = f"inverse depth from {low:.4g} (dark) to {high:.4g} (bright), scale {self.note.scale}"
        with video_writer(self.folder / "depth.mp4", exact_rate(self.wanted.fps), comment) as video:
            for _, picture in self._colored():
                video.write(picture)
        self.files.append("depth.mp4")
        height, width = next(iter(self.sizes))
        if height % 2 or width % 2:
            self.remarks.append("depth.mp4 repeats the last row or column: H.264 needs even sizes")

    def _colored(self) -> Iterator[tuple[str, Picture]]:
        limits = self.histogram.limits()
        for name, depth, _ in self._stored():
            picture = colored_depth(depth, limits)
            if self.wanted.side_by_side:
                picture = stacked(np.load(self.work / "input" / f"{name}.npy", allow_pickle=False), picture)
            yield name, picture

    def _trajectories(self) -> None:
        if "tum" in self.wanted.poses:
            note = f"translation is {self.note.scale}, from {self.note.source}"
            write_tum(self.folder / "poses_tum.txt", list(self.names.values()), np.stack(self.poses), note)
            self.files.append("poses_tum.txt")
        if "kitti" in self.wanted.poses:
            write_kitti(self.folder / "poses_kitti.txt", np.stack(self.poses))
            self.files.append("poses_kitti.txt")

    def _summary(self) -> dict[str, Any]:
        size = next(iter(self.notes))
        dark, bright = self.histogram.limits()
        return {
            **replace(self.note, factor=self.png_factor).as_json(size),
            "checkpoint": self.wanted.checkpoint,
            "frames": len(self.names),
            "sizes": sorted(self.sizes),
            "fps": None if self.wanted.fps is None else float(self.wanted.fps),
            "median_depth": float(np.median(self.medians)),
            "range_anchor": self.anchor,
            "colors": {"of": "inverse depth", "dark": dark, "bright": bright, "percentile": 95.0},
            "poses": CONVENTION if self.wanted.poses else None,
            "files": self.files,
            "notes": self.remarks,
        }
