"""A drive as ordinary files, the ones that a user would have, with its truth beside them.

images/000000.png or drive.mp4     right/000000.png with `stereo`
intrinsics.json                    width, height, fx, fy, cx, cy in pixels; the top-left center is (0, 0)
stereo.json                        baseline in metres, with `stereo`
truth/000000.npz                   depth (float16: off by less than 0.05 %; 0 is sky), instances, classes,
                                       moving, residual
truth/poses.txt, times.txt         first_from_camera, 12 numbers a row as KITTI writes them; seconds
truth/objects.json                 every visible object by frame: class, box, rigid motion, velocity
truth/exposure.txt                 the gain that each picture was taken with
"""

import json
import os
import shutil
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from fractions import Fraction
from functools import lru_cache, partial
from multiprocessing import get_context
from pathlib import Path

import av
import cv2
import numpy as np
from jaxtyping import UInt8

from kinedepth.data.synthetic.frame import Frame, render
from kinedepth.data.synthetic.settings import CLASSES, DriveSettings, intrinsics_of
from kinedepth.data.synthetic.truth import ObjectTruth, moving_mask, objects, residual_motion
from kinedepth.data.synthetic.world import Drive
from kinedepth.errors import KinedepthError

Picture = UInt8[np.ndarray, "h w 3"]
Rows = list[dict[str, object]]


@dataclass(frozen=True)
class _Job:
    """What to write and where, sent to every worker."""

    settings: DriveSettings
    folder: Path
    video: bool
    stereo: bool
    truth: bool


def write_drive(
    settings: DriveSettings,
    folder: Path | str,
    *,
    video: bool = False,
    stereo: bool = False,
    truth: bool = True,
    workers: int = 1,
) -> None:
    """Writes a drive into a new folder, whole or not at all.

    `video` writes drive.mp4 (H.264) in place of images; `stereo` adds the right camera's images; `workers`
    processes share the frames.

    Raises:
        KinedepthError: the folder exists, its parent does not, or a video has an odd side.
    """
    if video and (settings.size[0] % 2 or settings.size[1] % 2):
        raise KinedepthError(f"A video needs even sides, not {settings.size}; write images or change size.")
    with _whole(Path(folder)) as place:
        job = _Job(settings, place, video, stereo, truth)
        for name, wanted in (("images", not video), ("right", stereo), ("truth", truth)):
            if wanted:
                (place / name).mkdir()
        records: list[Rows] = []
        pictures = _pictures(job, workers, records)
        if video:
            _write_video(place / "drive.mp4", pictures, settings)
        else:
            for _ in pictures:
                pass
        _write_json(place / "intrinsics.json", _camera(settings))
        if stereo:
            _write_json(place / "stereo.json", {"baseline": settings.baseline})
        if truth:
            _write_tables(settings, place / "truth", records)


@contextmanager
def _whole(folder: Path) -> Iterator[Path]:
    """A hidden folder beside the wanted one that takes its name when all went well and vanishes when not."""
    if folder.exists():
        raise KinedepthError(f"{folder} exists already; name a new folder.")
    if not folder.absolute().parent.is_dir():
        raise KinedepthError(f"{folder.absolute().parent} is not a folder; make it first.")
    place = folder.absolute().parent / f".{folder.name}.partial-{os.getpid()}"
    place.mkdir()
    try:
        yield place
        os.rename(place, folder)
    except BaseException:
        shutil.rmtree(place, ignore_errors=True)
        raise


def _pictures(job: _Job, workers: int, records: list[Rows]) -> Iterator[Picture | None]:
    """Writes frame after frame, in order; gives the picture where a video wants it, collects objects."""
    write = partial(_write_frame, job)
    if workers <= 1:
        for index in range(job.settings.frames):
            picture, rows = write(index)
            records.append(rows)
            yield picture
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_one_thread) as pool:
        chunk = max(1, min(16, job.settings.frames // (4 * workers)))
        for picture, rows in pool.map(write, range(job.settings.frames), chunksize=chunk):
            records.append(rows)
            yield picture


def _one_thread() -> None:
    cv2.setNumThreads(1)


@lru_cache(maxsize=1)
def _drive(settings: DriveSettings) -> Drive:
    return Drive(settings)


def _write_frame(job: _Job, index: int) -> tuple[Picture | None, Rows]:
    drive = _drive(job.settings)
    frame = render(drive, index)
    name = f"{index:06d}"
    if not job.video:
        _write_png(job.folder / "images" / f"{name}.png", frame.image)
    if job.stereo:
        _write_png(job.folder / "right" / f"{name}.png", render(drive, index, right=True).image)
    rows: Rows = []
    if job.truth:
        _write_maps(job.folder / "truth" / f"{name}.npz", drive, frame)
        rows = [_row(item) for item in objects(drive, frame)]
    return (frame.image if job.video else None), rows


def _write_png(path: Path, image: Picture) -> None:
    if not cv2.imwrite(str(path), cv2.cvtColor(image, cv2.COLOR_RGB2BGR)):
        raise KinedepthError(f"{path} could not be written; is the disk full?")


def _write_maps(path: Path, drive: Drive, frame: Frame) -> None:
    np.savez_compressed(
        path,
        depth=frame.depth.astype(np.float16),
        instances=frame.instances.astype(np.uint16),
        classes=frame.classes.astype(np.uint8),
        moving=moving_mask(drive, frame),
        residual=residual_motion(drive, frame, frame.index + 1).astype(np.float16),
    )


def _row(item: ObjectTruth) -> dict[str, object]:
    """An object as JSON: transforms as their upper three rows."""
    row: dict[str, object] = asdict(item)
    for name in ("world_from_object", "motion"):
        row[name] = np.round(getattr(item, name)[:3], 6).tolist()
    row["velocity"] = np.round(item.velocity, 4).tolist()
    return row


def _camera(settings: DriveSettings) -> dict[str, int | float]:
    fx, fy, cx, cy = intrinsics_of(settings)
    return {"width": settings.size[1], "height": settings.size[0], "fx": fx, "fy": fy, "cx": cx, "cy": cy}


def _write_json(path: Path, content: object) -> None:
    path.write_text(json.dumps(content) + "\n")


def _write_tables(settings: DriveSettings, folder: Path, records: list[Rows]) -> None:
    drive = _drive(settings)
    world_from_camera = drive.journey.poses[: drive.frames]
    poses = np.linalg.inv(world_from_camera[0]) @ world_from_camera
    np.savetxt(folder / "poses.txt", poses[:, :3].reshape(-1, 12), fmt="%.9e")
    np.savetxt(folder / "times.txt", np.arange(drive.frames) / settings.fps, fmt="%.6e")
    np.savetxt(folder / "exposure.txt", drive.journey.gain[: drive.frames], fmt="%.6f")
    _write_json(folder / "objects.json", {"classes": CLASSES, "frames": records})


def _write_video(path: Path, pictures: Iterable[Picture | None], settings: DriveSettings) -> None:
    """H.264 at near-lossless quality."""
    height, width = settings.size
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=Fraction(settings.fps).limit_denominator(1000))
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.options = {"crf": "10", "preset": "medium"}
        for picture in pictures:
            if picture is not None:
                container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
