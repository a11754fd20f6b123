"""A drive as ordinary files, the ones that a user would have, with its truth beside them; and the truth read back.

    images/000000.png or drive.mp4     right/000000.png with `stereo`
    intrinsics.json                    width, height, fx, fy, cx, cy in pixels, the center of the top-left pixel is (0, 0)
    stereo.json                        baseline in metres, with `stereo`
    truth/000000.npz                   depth (float16: off by less than 0.05 %; 0 is sky), instances, classes, moving, residual
    truth/poses.txt, times.txt         first_from_camera, 12 numbers a row as KITTI writes them; seconds
    truth/objects.json                 every visible object by frame: class, box, rigid motion, velocity
"""

import json
import os
import shutil
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from fractions import Fraction
from functools import cache
from multiprocessing import get_context
from pathlib import Path

import av
import cv2
import numpy as np
from jaxtyping import Bool, Float, Int, UInt8

from kinedepth.data.synthetic.render import Frame, render
from kinedepth.data.synthetic.settings import CLASSES, DriveSettings, intrinsics_of
from kinedepth.data.synthetic.truth import ObjectTruth, moving_mask, objects, residual_motion
from kinedepth.data.synthetic.world import Drive
from kinedepth.errors import KinedepthError

Picture = UInt8[np.ndarray, "h w 3"]


@dataclass(frozen=True)
class Truth:
    """What is true of one frame. Depth in metres, 0 where there is none (sky).

    `residual` is each point's displacement to the next frame without the camera's, in the next camera's frame; `scene_flow` the whole
    displacement. `pose` is first_from_camera, `next_from_camera` identity at the last frame.
    """

    depth: Float[np.ndarray, "h w"]
    instances: Int[np.ndarray, "h w"]
    classes: Int[np.ndarray, "h w"]
    moving: Bool[np.ndarray, "h w"]
    residual: Float[np.ndarray, "h w 3"]
    scene_flow: Float[np.ndarray, "h w 3"]
    pose: Float[np.ndarray, "4 4"]
    next_from_camera: Float[np.ndarray, "4 4"]
    objects: tuple[ObjectTruth, ...]


def write_drive(
    settings: DriveSettings,
    folder: Path,
    *,
    video: bool = False,
    stereo: bool = False,
    truth: bool = True,
    workers: int = 1,
) -> None:
    """Writes a drive into a new folder, whole or not at all.

    `video` writes drive.mp4 (H.264) in place of images; `stereo` adds the right camera's images; `workers` processes share the frames.

    Raises:
        KinedepthError: the folder exists, or its parent does not.
    """
    with _whole(Path(folder)) as partial:
        for name, wanted in (("images", not video), ("right", stereo), ("truth", truth)):
            if wanted:
                (partial / name).mkdir()
        job = _Job(settings, partial, video, stereo, truth)
        results = _frames(job, workers)
        if video:
            _write_video(partial / "drive.mp4", (picture for picture, _ in results), settings)
        records = job_records(results) if not video else []
        _write_json(partial / "intrinsics.json", _camera(settings))
        if stereo:
            _write_json(partial / "stereo.json", {"baseline": settings.baseline})
        if truth:
            _write_tables(settings, partial / "truth", records)


