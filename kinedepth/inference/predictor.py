"""Predictor: pictures in as numpy or paths, float32 depth out at the input's size, poses as 4x4 matrices.

Pictures are resized to the network as in training (Pillow's Lanczos on 8 bits); inverse depth, not depth,
is brought back to the input's size (bilinear, half-pixel centres) as every published evaluation does.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Float32, Float64
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from kinedepth.data.augment import mirrored
from kinedepth.data.frames import as_pixels
from kinedepth.errors import KinedepthError
from kinedepth.geometry.camera import Camera
from kinedepth.inference.clips import Given, Picture, as_picture, chunks, neighborhoods, open_clip
from kinedepth.inference.flip import blend_flipped
from kinedepth.inference.notes import Scale
from kinedepth.inference.odometer import Odometer
from kinedepth.method import Method
from kinedepth.scene import Sample, View


@dataclass(frozen=True)
class Unit:
    """What one unit of the network's depth is."""

    scale: Scale = "relative"
    source: str = "monocular video"
    """What the scale comes from: "baseline 0.54 m", "camera height 1.65 m", ..."""
    factor: float = 1.0
    """Depth and translations are multiplied by it; metres per network unit if `scale` is "metric"."""
    uncertainty: float | None = None
    """Relative standard deviation of a metric scale."""


@dataclass(frozen=True)
class Prediction:
    """Depth of one picture, at its size, with all that is known of its unit."""

    depth: Float32[np.ndarray, "h w"]
    """Along the camera's axis; metres if `scale` is "metric", else metres up to one unknown factor."""
    scale: Scale
    source: str = ""
    """What the scale comes from."""
    camera: Camera | None = None
    """In pixels of the picture; None when nobody told."""
    confidence: Float32[np.ndarray, "h w"] | None = None
    """Higher is surer; None from methods that give none."""
    uncertainty: float | None = None
    """Relative standard deviation of a metric scale."""
    camera_source: str = ""
    """Where the camera comes from, in words; begins with GUESSED where nobody told."""


class Predictor:
    """A method ready for use: `infer` for pictures, `video` for clips, `pose` and `trajectory` for motion."""

    def __init__(
        self,
        method: Method,
        size: tuple[int, int],
        scale: Scale | Unit = "relative",
        camera: Camera | None = None,
        flip: bool = False,
        device: str = "cpu",
    ) -> None:
        """Hold the method on `device`.

        `size` is the (height, width) that the network was trained at; `camera` is in pixels of a picture of
        that size, for pictures that come without their own; `flip` blends in the mirrored picture's
        prediction, for twice the time. Raises KinedepthError when the device is not there or the method
        needs priors to predict.
        """
        if method.predicts_from.priors:
            needs = ", ".join(sorted(method.predicts_from.priors))
            raise KinedepthError(
                f"This {type(method).__name__} needs {needs} to predict: choose another recipe."
            )
        self.device = _device(device)
        self.method = method.to(self.device)
        self.size = size
        self.unit = scale if isinstance(scale, Unit) else Unit(scale, _usual_source(scale))
        self.camera = camera
        self.camera_source = ""
        """Where `camera` comes from, in words; begins with GUESSED where nobody told."""
        self.flip = flip
        self.gap = 1
        """Frames between the two that the pose network learned from."""
        self.range_anchor: float | None = None

    def anchored(self, median: float | int | None) -> "Predictor":
        """The same predictor, with every picture's depth scaled to one median (adaptive depth range).

        D' = D m / median(D), in the unit of the depth; None takes it back. The depth is relative then, even
        of a metric run: the anchor makes pictures comparable, no longer metres. Poses keep the network's
        unit. Raises KinedepthError unless
        `median` > 0.
        """
        if median is not None and not 0 < median < float("inf"):
            raise KinedepthError(f"A median depth of {median} is no anchor: give a number above zero.")
        other = copy(self)
        other.range_anchor = median
        return other

    def infer(self, image: Given, camera: Camera | None = None) -> Prediction:
        """Depth of one picture; `camera` in its pixels, where it is known."""
        return self.infer_many([image], [camera])[0]

    def infer_many(
        self, images: Sequence[Given], cameras: Sequence[Camera | None] | None = None
    ) -> list[Prediction]:
        """Depth of several pictures in one pass of the network; their sizes may differ.

        A method that looks at neighbouring frames is given the picture itself for them: a standing camera.
        """
        if not images:
            return []
        windows = [[picture] * (1 + len(self._offsets)) for picture in map(as_picture, images)]
        return self._predict(windows, cameras or [None] * len(windows))

    def video(
        self, source: Path | str | Iterable[Given], camera: Camera | None = None, batch: int = 1
    ) -> Iterator[Prediction]:
        """Depth of every frame of a video, a folder or an iterable of frames, in order; memory stays flat.

        `batch` frames go through the network together. Neighbours beyond the ends of the clip are its end
        frames.
        """
        for windows in chunks(neighborhoods(_pictures(source), self._offsets), batch):
            yield from self._predict(windows, [camera] * len(windows))

    def pose(self, first: Given, second: Given) -> Float64[np.ndarray, "4 4"]:
        """second_from_first of two frames in order of time, translation in the unit of the depth.

        Raises KinedepthError from a method that was trained without a pose network.
        """
        images = [self._network_image(as_picture(image))[None] for image in (first, second)]
        with self._ready():
            pose = self.method.pose_between(images[0], images[1])
        matrix = pose.matrix()[0].cpu().double().numpy()
        matrix[:3, 3] *= self.unit.factor
        return np.asarray(matrix)

    def trajectory(self, frames: Iterable[Given]) -> Float64[np.ndarray, "n 4 4"]:
        """world_from_camera of every frame; the first camera is the world."""
        odometer = self.odometer()
        for frame in frames:
            odometer.see(frame)
        return odometer.path()

    def odometer(self) -> Odometer:
        """What follows the camera's path frame by frame, at the distance in time that was learned (`gap`)."""
        return Odometer(self.pose, self.gap)

    def inverse_depth(self, sample: Sample) -> Float[Tensor, "b 1 h w"]:
        """The network's finest inverse depth at its own size and in its own unit, blended if `flip` is on."""
        with self._ready():
            direct = self.method.predict(sample).inverse_depth[0].float()
            if not self.flip:
                return direct
            turned = self.method.predict(mirrored(sample)).inverse_depth[0].float().flip(-1)
            return blend_flipped(direct, turned)

    @property
    def _offsets(self) -> tuple[int, ...]:
        return self.method.predicts_from.offsets

    @contextmanager
    def _ready(self) -> Iterator[None]:
        """Evaluation mode without gradients; the mode comes back, since a trainer may own the method."""
        training = self.method.training
        self.method.eval()
        try:
            with torch.inference_mode():
                yield
        finally:
            self.method.train(training)

    def _network_image(self, picture: Picture) -> Float[Tensor, "3 _ _"]:
        pixels = as_pixels(Image.fromarray(picture), self.size)
        return torch.from_numpy(pixels).to(self.device).float() / 255

    def _predict(
        self, windows: Sequence[Sequence[Picture]], cameras: Sequence[Camera | None]
    ) -> list[Prediction]:
        """Each window is a target picture and its neighbours."""
        targets = [window[0] for window in windows]
        known = [
            self._known_camera(picture, camera) for picture, camera in zip(targets, cameras, strict=True)
        ]
        maps = self.inverse_depth(self._sample(windows, known))
        if not bool(torch.isfinite(maps).all()):
            raise KinedepthError(
                "The network gives depth that is no number: its checkpoint is damaged, take another."
            )
        made = [
            self._prediction(inverse[None], (picture.shape[0], picture.shape[1]), camera)
            for inverse, picture, camera in zip(maps, targets, known, strict=True)
        ]
        sources = [self.camera_source if camera is None else "as given" for camera in cameras]
        return [replace(one, camera_source=source) for one, source in zip(made, sources, strict=True)]

    def _sample(self, windows: Sequence[Sequence[Picture]], cameras: Sequence[Camera | None]) -> Sample:
        camera = self._network_cameras([window[0] for window in windows], cameras)
        views = []
        for place, offset in enumerate((0, *self._offsets)):
            images = torch.stack([self._network_image(window[place]) for window in windows])
            views.append(View(images, camera, offset))
        return Sample(views[0], tuple(views[1:]))

    def _known_camera(self, picture: Picture, camera: Camera | None) -> Camera | None:
        """The picture's own camera, else the predictor's at the picture's size, else none."""
        if camera is not None or self.camera is None:
            return camera
        return self.camera.resized((picture.shape[1] / self.size[1], picture.shape[0] / self.size[0]))

    def _network_cameras(self, pictures: Sequence[Picture], cameras: Sequence[Camera | None]) -> Camera:
        """A batch of cameras at network size; an unknown one is a guess that no result shows."""
        height, width = self.size
        guess = Camera(torch.tensor([width, width]).float(), torch.tensor([width - 1, height - 1]) / 2)
        scaled = [
            guess if camera is None else camera.resized((width / picture.shape[1], height / picture.shape[0]))
            for picture, camera in zip(pictures, cameras, strict=True)
        ]
        focal = torch.stack([camera.focal.float().cpu() for camera in scaled])
        center = torch.stack([camera.center.float().cpu() for camera in scaled])
        return Camera(focal, center).to(self.device)

    def _prediction(
        self, inverse: Float[Tensor, "1 1 h w"], size: tuple[int, int], camera: Camera | None
    ) -> Prediction:
        full = F.interpolate(inverse, size, mode="bilinear", align_corners=False, antialias=False)
        depth: Float32[np.ndarray, "h w"] = (self.unit.factor / full[0, 0]).cpu().numpy()
        if self.range_anchor is None:
            unit = self.unit
            return Prediction(depth, unit.scale, unit.source, camera, None, unit.uncertainty)
        depth = depth * np.float32(self.range_anchor / np.median(depth))
        return Prediction(depth, "relative", anchored_source(self.unit.source, self.range_anchor), camera)


def anchored_source(source: str, median: float | int) -> str:
    """What the scale of depth comes from once each picture's median was set."""
    return f"{source}; each median set to {median:g}"


def _pictures(source: Path | str | Iterable[Given]) -> Iterator[Picture]:
    if isinstance(source, str | Path):
        return (picture for _, _, picture in open_clip(source).frames())
    return map(as_picture, source)


def _usual_source(scale: Scale) -> str:
    return "monocular video" if scale == "relative" else "the training data"


def _device(name: str) -> torch.device:
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        return torch.empty(0, device=name).device
    except (RuntimeError, AssertionError) as error:
        raise KinedepthError(
            f"The device {name} is not there: use cpu, or install a torch that knows it."
        ) from error
