"""The depth maps of a clip on disk, and what was seen of them: the memory of a session between its passes."""

from array import array
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
from jaxtyping import Float32

from kinedepth.errors import KinedepthError
from kinedepth.geometry.camera import Camera
from kinedepth.inference.clips import Picture
from kinedepth.inference.cloud import NEEDS_CAMERA
from kinedepth.inference.files import write_npy
from kinedepth.inference.notes import DepthNote
from kinedepth.inference.predictor import Prediction, anchored_source
from kinedepth.inference.video import DepthHistogram

Map = Float32[np.ndarray, "h w"]


def place(folder: Path, name: str, ending: str) -> Path:
    """Where the file of a frame lies; its folder is made."""
    path = _path(folder, name, ending)
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _path(folder: Path, name: str, ending: str) -> Path:
    """By `with_name`: with `/` Python interns each frame's name, whose table then grows with the clip."""
    above, _, last = name.rpartition("/")
    return (folder / above / "frame").with_name(f"{last}{ending}")


class Stored:
    """Maps in the order in which they were kept, one at a time in memory.

    `work` is a folder for what only the second pass needs: maps if nobody wants them as npy, input pictures,
    and the views that clouds are made of.
    """

    def __init__(self, maps: Path, work: Path) -> None:
        self.maps, self.work = maps, work
        self.names: dict[str, float] = {}
        """Frame -> seconds."""
        self.notes: dict[tuple[int, int], DepthNote] = {}
        """Of the maps of each size."""
        self.medians = array("d")
        """Of each map; an array, since small objects among large ones let memory grow with the clip."""
        self.views: dict[str, int] = {}
        """Frame that becomes a cloud -> its number."""
        self.pinholes: dict[tuple[int, int], Camera] = {}
        """The camera that clouds of each size are made with."""
        self.anchor: float | None = None
        """What every median was set to."""
        self.histogram, self.largest = DepthHistogram(), 0.0

    def __iter__(self) -> Iterator[tuple[str, Map, DepthNote]]:
        for name in self.names:
            depth = np.load(_path(self.maps, name, ".npy"), allow_pickle=False)
            yield name, depth, self.notes[(depth.shape[0], depth.shape[1])]

    @property
    def note(self) -> DepthNote:
        """What holds for all frames."""
        return next(iter(self.notes.values()))

    @property
    def sizes(self) -> list[tuple[int, int]]:
        """(height, width) of the frames, each once."""
        return sorted(self.notes)

    def register(self, name: str, seconds: float) -> None:
        """Takes the name of a frame; KinedepthError when it was taken or is none for a file."""
        parts = name.split("/")
        if not parts[-1] or not parts[0] or {".", ".."} & set(parts):
            raise KinedepthError(f"'{name}' cannot name a file of the output: rename that frame.")
        if name in self.names:
            raise KinedepthError(f"Two frames are called {name}: rename one, their files would be the same.")
        self.names[name] = seconds

    def keep(self, name: str, depth: Map, note: DepthNote) -> None:
        """Writes the map of a registered frame and counts it."""
        self.notes.setdefault((depth.shape[0], depth.shape[1]), note)
        valid = depth[depth > 0]
        self.medians.append(float(np.median(valid)) if valid.size else 1.0)
        self._write(name, depth, note)

    def keep_picture(self, name: str, picture: Picture) -> None:
        """Writes the input of a frame for the second pass."""
        np.save(place(self.work / "input", name, ".npy"), picture, allow_pickle=False)

    def picture(self, name: str) -> Picture:
        """The input of a frame."""
        return np.asarray(np.load(_path(self.work / "input", name, ".npy"), allow_pickle=False))

    def keep_view(self, name: str, view: Prediction, picture: Picture) -> None:
        """Writes what the cloud of a frame is made of: a pinhole's depth and picture.

        Raises KinedepthError where the camera is not known.
        """
        if view.camera is None:
            raise KinedepthError(NEEDS_CAMERA)
        self.views[name] = len(self.names) - 1
        self.pinholes.setdefault((len(view.depth), view.depth.shape[1]), view.camera)
        np.savez(
            place(self.work / "view", name, ".npz"), allow_pickle=False, depth=view.depth, picture=picture
        )

    def view(self, name: str) -> tuple[Map, Picture, DepthNote]:
        """What `keep_view` was given, scaled as the maps are."""
        with np.load(_path(self.work / "view", name, ".npz"), allow_pickle=False) as arrays:
            depth, picture = arrays["depth"], arrays["picture"]
        size = (len(depth), depth.shape[1])
        note = replace(self.notes[size], camera=self.pinholes[size], lens=None)
        return depth * self._factor(self.views[name]), picture, note

    def rescale(self) -> None:
        """Scales each map to the median of all medians (fact sheet of Monodepth2, section 11).

        What comes out is relative, since the factors differ from frame to frame.
        """
        self.anchor = float(np.median(self.medians))
        source = anchored_source(self.note.source, self.anchor)
        self.notes = {
            size: replace(note, scale="relative", source=source, uncertainty=None)
            for size, note in self.notes.items()
        }
        self.histogram, self.largest = DepthHistogram(), 0.0
        for index, (name, depth, note) in enumerate(self):
            self._write(name, depth * self._factor(index), note)

    def _factor(self, index: int) -> np.float32:
        """By what the depth of a frame was multiplied since it was kept."""
        return np.float32(1.0 if self.anchor is None else self.anchor / self.medians[index])

    def _write(self, name: str, depth: Map, note: DepthNote) -> None:
        write_npy(place(self.maps, name, ".npy"), depth, note, sync=False)
        self.histogram.add(depth)
        self.largest = max(self.largest, float(depth.max(initial=0.0)))
