"""What `kinedepth predict` does once its flags are read."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Literal

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from kinedepth.cli.jobs import Job, jobs
from kinedepth.cli.predict import Predict, median_of
from kinedepth.data import lens
from kinedepth.errors import KinedepthError
from kinedepth.inference.cloud import NEEDS_CAMERA, Cut
from kinedepth.inference.notes import write_json
from kinedepth.inference.painting import Look
from kinedepth.inference.predictor import Predictor
from kinedepth.inference.session import MARK, Clouds, Wanted, Written, predict_source
from kinedepth.inference.whole import check_output, whole_folder
from kinedepth.judging import knows_motion
from kinedepth.recipe import camera_note, checkpoint_of, load_predictor
from kinedepth.visualize.colors import known_table

# Pixels of real cameras are square; KITTI's drives differ in proportions by one per cent.
_SQUEEZED = 0.05

PoseFile = Literal["tum", "kitti"]


def predict(asked: Predict) -> list[Written]:
    """Predict a source into a folder, several clips into a folder of it each; say what is read and written.

    Raises:
        KinedepthError: the source, the run or the output folder cannot be used, or what is asked for cannot
            be made from them.
    """
    check_output(asked.output, overwrite=asked.overwrite, source=asked.source, mark=MARK)
    look = _look(asked)
    found = [_with_camera_of_run(job, asked.run) for job in jobs(asked)]
    predictor = load_predictor(asked.run, asked.device, asked.flip).anchored(median_of(asked))
    look.check("relative" if asked.median_scale else predictor.unit.scale)
    plans = [(job, _wanted(asked, job, predictor, look)) for job in found]
    for line in _outline(asked, found, predictor, plans[0][1]):
        print(line)
    written = _written(asked, plans, predictor)
    frames, files = sum(each.frames for each in written), dict.fromkeys(f for w in written for f in w.files)
    print(f"wrote      {frames} frames to {asked.output}: {', '.join(files)}")
    for note in dict.fromkeys(note for each in written for note in each.notes):
        print(f"note       {note}")
    return written


def _written(asked: Predict, plans: Sequence[tuple[Job, Wanted]], predictor: Predictor) -> list[Written]:
    if len(plans) == 1:
        return [_one(asked, *plans[0], predictor, asked.output)]
    with whole_folder(asked.output, overwrite=asked.overwrite, source=asked.source, mark=MARK) as draft:
        written = [_one(asked, job, wanted, predictor, draft / job.name) for job, wanted in plans]
        frames = {job.name: each.frames for (job, _), each in zip(plans, written, strict=True)}
        write_json(draft / MARK, {"source": str(asked.source), "frames": frames})
    return written


def _one(asked: Predict, job: Job, wanted: Wanted, predictor: Predictor, output: Path) -> Written:
    with _progress(job.clip.count, job.name if output != asked.output else "predicting") as advance:
        return predict_source(predictor, job.clip.frames(), output, wanted, asked.source, advance)


def _look(asked: Predict) -> Look:
    return Look(asked.mode, known_table(asked.cmap) if asked.cmap else "", asked.vmin, asked.vmax)


def _with_camera_of_run(job: Job, run: Path) -> Job:
    """The job with what the run knows of its camera and lens, where nothing is known of the source's own."""
    if job.camera is not None:
        return job
    note = camera_note(run)
    told = replace(job, origin=f"{job.origin}: {note.source}", guessed=note.source.startswith("GUESSED"))
    if note.raw is None or note.raw.lens is None or job.size is None:
        return told
    rectified = lens.rectification(note.raw, job.size)
    return replace(told, camera=rectified.pinhole, lens=rectified)


def _wanted(asked: Predict, job: Job, predictor: Predictor, look: Look) -> Wanted:
    return Wanted(
        formats=asked.format,
        colors=asked.video,
        look=look,
        side_by_side=asked.side_by_side,
        poses=_poses(asked, job, predictor),
        clouds=_clouds(asked, job, predictor),
        fps=job.clip.timing,
        clip_anchor=asked.median_scale == "clip",
        camera=None if job.camera is None or job.size is None else job.camera.camera(job.size),
        camera_source=job.origin,
        lens=job.lens,
        batch=asked.batch,
        checkpoint=str(checkpoint_of(asked.run)),
        overwrite=asked.overwrite,
    )


def _poses(asked: Predict, job: Job, predictor: Predictor) -> tuple[PoseFile, ...]:
    """The files of the camera's path that are asked for; `auto` is what there can be."""
    files: tuple[PoseFile, ...] = ("tum", "kitti")
    if "auto" in asked.poses:
        return files if job.clip.count > 1 and knows_motion(predictor) else ()
    return tuple(file for file in files if file in asked.poses)


def _clouds(asked: Predict, job: Job, predictor: Predictor) -> Clouds | None:
    if asked.cloud == "none":
        return None
    if job.guessed or (job.camera is None and _squeezed(predictor, job)):
        raise KinedepthError(NEEDS_CAMERA)
    return Clouds(asked.cloud_every, Cut(asked.cloud_range, asked.cloud_edge))


def _squeezed(predictor: Predictor, job: Job) -> bool:
    """Whether the run's camera had pictures of other proportions, so that it cannot be this source's."""
    if predictor.camera is None or job.size is None:
        return False
    network, size = predictor.size, job.size
    fx, fy = predictor.camera.resized((size[1] / network[1], size[0] / network[0])).focal.tolist()
    return bool(abs(fx / fy - 1) > _SQUEEZED)


def _doubts(found: Sequence[Job], predictor: Predictor) -> list[str]:
    if not any(job.camera is None and _squeezed(predictor, job) for job in found):
        return []
    return [
        "note       the run's camera saw pictures of other proportions, it cannot be this one: give --fov or "
        "--intrinsics"
    ]


def _outline(asked: Predict, found: Sequence[Job], predictor: Predictor, wanted: Wanted) -> list[str]:
    """What was understood, before anything is predicted."""
    relative = predictor.unit.scale == "relative" or bool(asked.median_scale)
    metres = "metres only up to one unknown factor" if relative else "metres"
    scale = "relative" if relative else "metric"
    return [
        f"run        {wanted.checkpoint}",
        *(_described(asked, job, several=len(found) > 1) for job in found),
        *(f"camera     {origin}" for origin in dict.fromkeys(job.origin for job in found)),
        *_doubts(found, predictor),
        *(f"lens       {model}, undone for the network" for model in dict.fromkeys(_lenses(found))),
        f"scale      {scale}, from {predictor.unit.source}: depth is in {metres}",
        f"poses      {', '.join(wanted.poses) or 'none'}",
        f"device     {predictor.device}",
    ]


def _described(asked: Predict, job: Job, *, several: bool) -> str:
    clip = job.clip
    rate = f" at {float(clip.fps):.4g} frames/s{', varying' if clip.uneven else ''}" if clip.fps else ""
    turned = f", turned by {clip.rotation} degrees" if clip.rotation else ""
    place = f"{asked.source} -> {job.name}" if several else f"{asked.source}"
    return f"source     {place} ({clip.count} frame{'' if clip.count == 1 else 's'}{rate}{turned})"


def _lenses(found: Sequence[Job]) -> Iterator[str]:
    return (
        job.lens.raw.lens.model for job in found if job.lens is not None and job.lens.raw.lens is not None
    )


@contextmanager
def _progress(total: int, name: str) -> Iterator[Callable[[int], None]]:
    """A bar that is told how many frames are done."""
    columns = (TextColumn(name), BarColumn(bar_width=30), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns) as progress:
        task = progress.add_task(name, total=total)
        yield lambda done: progress.update(task, completed=done)
