"""A whole source into a folder of files: depth, colour video, path, clouds, and a note of what they are.

One pass predicts and stores; what needs the whole clip (the clip's median, one colour range, one PNG
factor) is made from the stored maps in a second one. Memory does not grow with the clip, but for a name and
a pose a frame.

    depth/<name>.npy  depth_npz/<name>.npz  depth_png16/<name>.png  depth_exr/<name>.exr  depth_pfm/<name>.pfm
    depth.mp4, or depth_color/<name>.png where there is no frame rate
    cloud/<name>.ply
    poses_tum.txt  poses_kitti.txt  prediction.json
"""

import shutil
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from kinedepth.data import lens
from kinedepth.errors import KinedepthError
from kinedepth.inference.clips import Frame, Picture
from kinedepth.inference.cloud import write_ply
from kinedepth.inference.files import PLACES, PNG_MAX, WRITERS, fitting_factor
from kinedepth.inference.notes import DepthNote, write_json
from kinedepth.inference.painting import PERCENTILE, Paint, write_pictures, write_video
from kinedepth.inference.poses import CONVENTION, write_kitti, write_tum
from kinedepth.inference.predictor import Prediction, Predictor
from kinedepth.inference.stored import Stored, place
from kinedepth.inference.video import stacked
from kinedepth.inference.wanted import Clouds as Clouds
from kinedepth.inference.wanted import Wanted as Wanted
from kinedepth.inference.wanted import Written as Written
from kinedepth.inference.whole import whole_folder

MARK = "prediction.json"


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
    one name, when poses are wanted from a method that has none, colours in metres of relative depth, or
    clouds without a camera.
    """
    wanted = wanted or Wanted()
    anchored = wanted.clip_anchor or predictor.range_anchor is not None
    wanted.look.check("relative" if anchored else predictor.unit.scale)
    with whole_folder(output, overwrite=wanted.overwrite, source=source, mark=MARK) as draft:
        session = _Session(draft, wanted, predictor)
        session.predict(frames, progress)
        session.finish()
    seen = session.seen
    return Written(output, len(seen.names), seen.note.scale, tuple(session.files), tuple(session.remarks))


class _Session:
    """One run: where things lie, what was seen of the clip so far, what is written."""

    def __init__(self, folder: Path, wanted: Wanted, predictor: Predictor) -> None:
        self.folder, self.wanted, self.predictor = folder, wanted, predictor
        work = folder / ".work"
        self.seen = Stored(folder / "depth" if "npy" in wanted.formats else work / "depth", work)
        self.odometer = predictor.odometer()
        self.unseen = 0.0
        """Share of the original pixels that lie outside of what the undistorted view shows."""
        self.png_factor: float | None = None
        self.files: list[str] = []
        self.remarks: list[str] = []

    def predict(self, frames: Iterable[Frame], progress: Callable[[int], None] | None) -> None:
        """First pass: every frame through the network, its map to disk."""
        pending: deque[tuple[Frame, Picture]] = deque()

        def views() -> Iterator[Picture]:
            for frame in frames:
                pending.append((frame, self._undistorted(frame[2])))
                yield pending[-1][1]

        for prediction in self.predictor.video(views(), self.wanted.camera, self.wanted.batch):
            (name, seconds, picture), view = pending.popleft()
            self.seen.register(name, seconds)
            self._store(name, prediction, picture, view)
            if self.wanted.poses:
                self.odometer.see(view)
            if progress is not None:
                progress(len(self.seen.names))
        if not self.seen.names:
            raise KinedepthError(
                "The source holds no frame: name a picture, a folder of pictures or a video."
            )

    def finish(self) -> None:
        """Second pass: what needs the whole clip."""
        if self.wanted.clip_anchor:
            self.seen.rescale()
        if self.unseen:
            self.remarks.append(
                f"{self.unseen:.0%} of the pixels have no depth (0): they lie outside of the undistorted view"
            )
        self._files_of_depth()
        paint = Paint.of(self.seen.histogram, self.wanted.look)
        if self.wanted.colors:
            self._colors(paint)
        self._clouds()
        self._trajectories()
        shutil.rmtree(self.seen.work, ignore_errors=True)
        write_json(self.folder / MARK, self._summary(paint))
        self.files.append(MARK)

    def _undistorted(self, picture: Picture) -> Picture:
        """The frame as a pinhole would have taken it, which is what networks learned to read."""
        return picture if self.wanted.lens is None else lens.undistorted(picture, self.wanted.lens)

    def _store(self, name: str, prediction: Prediction, picture: Picture, view: Picture) -> None:
        note = DepthNote(prediction.scale, prediction.source, prediction.uncertainty, prediction.camera)
        note = replace(note, camera_source=self.wanted.camera_source)
        depth = prediction.depth
        if self.wanted.lens is not None:
            raw = self.wanted.lens.raw
            depth = lens.depth_on_original(depth, self.wanted.lens)
            self.unseen = float(np.mean(depth == 0))
            note = replace(note, camera=raw.camera((len(depth), depth.shape[1])), lens=raw.lens)
        if self.wanted.side_by_side:
            self.seen.keep_picture(name, picture)
        if self.wanted.clouds and (len(self.seen.names) - 1) % self.wanted.clouds.every == 0:
            self.seen.keep_view(name, prediction, view)
        self.seen.keep(name, depth, note)

    def _files_of_depth(self) -> None:
        self.files += [PLACES[kind][0] for kind in PLACES if kind in self.wanted.formats]
        if "png16" in self.wanted.formats:
            self.png_factor = self.wanted.png_factor or fitting_factor(self.seen.largest)
            self._mind_range(self.png_factor)
        others = [kind for kind in PLACES if kind in self.wanted.formats and kind != "npy"]
        if not others:
            return
        for name, depth, note in self.seen:
            for kind in others:
                folder, ending = PLACES[kind]
                told = replace(note, factor=self.png_factor if kind == "png16" else None)
                WRITERS[kind](place(self.folder / folder, name, ending), depth, told, sync=False)

    def _mind_range(self, factor: float) -> None:
        if self.seen.largest * factor > PNG_MAX:
            self.remarks.append(
                f"PNG16 at factor {factor:g} ends at {PNG_MAX / factor:g}: depth beyond it is 0, no value"
            )

    def _colors(self, paint: Paint) -> None:
        timing = self.wanted.timing
        if timing is not None and len(self.seen.sizes) > 1:
            self.remarks.append("the frames differ in size: colour pictures instead of a video")
        if timing is None or len(self.seen.sizes) > 1:
            self.files.append("depth_color")
            write_pictures(
                self._painted(paint), lambda name: place(self.folder / "depth_color", name, ".png")
            )
            return
        comment = f"{paint.said}, scale {self.seen.note.scale}"
        seconds = list(self.seen.names.values())
        write_video(self.folder / "depth.mp4", self._painted(paint), seconds, timing, comment)
        self.files.append("depth.mp4")
        height, width = self.seen.sizes[0]
        if height % 2 or width % 2:
            self.remarks.append("depth.mp4 repeats the last row or column: H.264 needs even sizes")

    def _painted(self, paint: Paint) -> Iterator[tuple[str, Picture]]:
        for name, depth, _ in self.seen:
            picture = paint(depth)
            yield name, stacked(self.seen.picture(name), picture) if self.wanted.side_by_side else picture

    def _clouds(self) -> None:
        if self.wanted.clouds is None:
            return
        for name in self.seen.views:
            depth, picture, note = self.seen.view(name)
            path = place(self.folder / "cloud", name, ".ply")
            if not write_ply(path, depth, picture, note, self.wanted.clouds.cut, sync=False):
                self.remarks.append(f"cloud/{name}.ply is empty: no depth lies in its range")
        self.files.append("cloud")

    def _trajectories(self) -> None:
        poses = self.odometer.path()
        if "tum" in self.wanted.poses:
            unit, seconds = self.predictor.unit, list(self.seen.names.values())
            note = f"translation is {unit.scale}, from {unit.source}"
            write_tum(self.folder / "poses_tum.txt", seconds, poses, note)
            self.files.append("poses_tum.txt")
        if "kitti" in self.wanted.poses:
            write_kitti(self.folder / "poses_kitti.txt", poses)
            self.files.append("poses_kitti.txt")

    def _summary(self, paint: Paint) -> dict[str, Any]:
        seen, timing = self.seen, self.wanted.timing
        metric, (low, high) = self.wanted.look.mode == "metric", paint.limits
        ends = {"near": low, "far": high} if metric else {"dark": low, "bright": high}
        colors = {"of": "depth" if metric else "inverse depth", **ends, "percentile": PERCENTILE}
        return {
            **replace(seen.note, factor=self.png_factor).as_json(next(iter(seen.notes))),
            "checkpoint": self.wanted.checkpoint,
            "frames": len(seen.names),
            "sizes": seen.sizes,
            "fps": None if timing is None else float(timing.fps),
            "median_depth": float(np.median(seen.medians)),
            "range_anchor": seen.anchor if seen.anchor is not None else self.predictor.range_anchor,
            "colors": {**colors, "table": paint.table},
            "poses": CONVENTION if self.wanted.poses else None,
            "files": self.files,
            "notes": self.remarks,
        }
