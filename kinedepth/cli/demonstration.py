"""What `kinedepth demo` does: a short script over public functions.

drives/train/<seed>   rendered drives to learn from
drives/test/<seed>    one of another seed, to be measured on
drives/video          a video of a third seed
run                   the run folder of the training
evaluation            tables and error maps
prediction            depth, colour video, the camera's path
report.html           all of it on one page
demo.json             what was done, and how long it took
"""

import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from multiprocessing import get_context
from pathlib import Path

from rich.console import Console

from kinedepth import run
from kinedepth.data.samples import read_truth
from kinedepth.data.synthetic import DriveSettings, write_drive
from kinedepth.errors import KinedepthError
from kinedepth.evaluation.baselines import mean_depth
from kinedepth.evaluation.judge import MODEL, Guess, by_map
from kinedepth.evaluation.sources import find_truth
from kinedepth.evaluation.table import Table, losses_to
from kinedepth.inference.clips import open_clip
from kinedepth.inference.notes import write_json
from kinedepth.inference.session import Wanted, Written, predict_source
from kinedepth.inference.whole import check_output
from kinedepth.judging import CONSTANT, UNTRAINED, Question, judged, wide_console
from kinedepth.recipe import load_predictor
from kinedepth.reporting import write_report
from kinedepth.settings import Settings, changed, recipe

MARK = "demo.json"
MEAN = "mean training depth"
MUST_BEAT = (UNTRAINED, CONSTANT)
"""Without this nothing was learned."""


@dataclass(frozen=True)
class Plan:
    """How much of everything; seeds are never shared."""

    steps: int = 0
    """Training steps; 0 takes the recipe's."""
    recipe: str = "demo"
    train_seeds: tuple[int, ...] = (10, 11, 12, 13, 14, 15)
    train_frames: int = 80
    test_seed: int = 100
    test_frames: int = 40
    video_seed: int = 101
    video_frames: int = 60
    video_scale: int = 2
    """The video's pictures are so many times larger than what the network sees."""
    size: tuple[int, int] | None = None
    """(height, width) of the network; None takes the recipe's."""
    workers: int = 2
    """Processes that render."""

    def settings(self) -> Settings:
        """The recipe with what the plan changes."""
        settings = recipe(self.recipe)
        if self.steps:
            # Short runs must still save, or there would be nothing to evaluate.
            settings = changed(settings, train={"steps": self.steps})
        return settings if self.size is None else changed(settings, data={"size": self.size})


@dataclass(frozen=True)
class Clock:
    """Seconds that each part took, said when it ends."""

    console: Console
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def part(self, name: str, intention: str) -> Iterator[None]:
        """Announces a part and times it."""
        began = time.perf_counter()
        self.console.rule(f"{name}: {intention}", align="left")
        yield
        self.seconds[name] = time.perf_counter() - began
        self.console.print(f"{name} took {self.seconds[name]:.0f} s", highlight=False)


def demonstrate(folder: Path, plan: Plan, overwrite: bool = False, console: Console | None = None) -> bool:
    """The whole demo into `folder`; gives whether the model beats what it must.

    Raises:
        KinedepthError: the folder exists and may not be overwritten, or a part fails.
    """
    console = console or wide_console()
    settings, clock = plan.settings(), Clock(console)
    prepare(folder, overwrite)
    with clock.part(
        "render", f"{len(plan.train_seeds)} drives to learn from, one to be measured on, one video"
    ):
        render(folder / "drives", plan, settings.data.size)
    with clock.part("train", f"{settings.train.steps} steps without any label"):
        run.start(folder / "drives" / "train", settings, folder / "run")
    with clock.part("evaluate", f"on the drive of seed {plan.test_seed}, which the model never saw"):
        tables = evaluate(folder, console)
    with clock.part("predict", f"the video of seed {plan.video_seed}"):
        written = predict(folder)
    beaten = {label: label not in losses_to(tables, MODEL) for label in tables if label != MODEL}
    write_json(folder / MARK, {"plan": asdict(plan), "seconds": clock.seconds, "model_beats": beaten})
    write_report(folder)
    conclude(console, folder, written, clock)
    return said(console, tables)


def prepare(folder: Path, overwrite: bool) -> None:
    """An empty folder that is known as a demo's, so that a broken one can be replaced.

    Raises:
        KinedepthError: there is something already.
    """
    if folder.is_dir() and any(folder.iterdir()) and (folder / MARK).is_file() and not overwrite:
        raise KinedepthError(
            f"The folder '{folder}' exists: give --overwrite to replace it, or another one with -o."
        )
    check_output(folder, overwrite=overwrite, mark=MARK)
    if folder.exists():
        shutil.rmtree(folder)
    folder.mkdir(parents=True)
    write_json(folder / MARK, {"unfinished": True})


def street(seed: int, frames: int, size: tuple[int, int]) -> DriveSettings:
    """A drive without sharp turns: what can be learned from scratch in a few minutes."""
    return DriveSettings(seed=seed, frames=frames, size=size, turns=0.0, shake=0.5, lead=0.2, fast=0.0)


def render(folder: Path, plan: Plan, size: tuple[int, int]) -> None:
    """Drives to learn from, a drive to be measured on, and a video without truth."""
    jobs = [
        (street(seed, plan.train_frames, size), folder / "train" / f"{seed}", False)
        for seed in plan.train_seeds
    ]
    test = street(plan.test_seed, plan.test_frames, size)
    large = (size[0] * plan.video_scale, size[1] * plan.video_scale)
    film = street(plan.video_seed, plan.video_frames, large)
    # The video's pictures are the largest: it begins first.
    jobs = [(film, folder / "video", True), *jobs, (test, folder / "test" / f"{test.seed}", False)]
    for _, place, _ in jobs:
        place.parent.mkdir(parents=True, exist_ok=True)
    if plan.workers == 1:
        for job in jobs:
            _write(*job)
        return
    with ProcessPoolExecutor(plan.workers, mp_context=get_context("spawn")) as pool:
        for done in [pool.submit(_write, *job) for job in jobs]:
            done.result()


def _write(settings: DriveSettings, folder: Path, video: bool) -> None:
    write_drive(settings, folder, video=video, truth=not video)


def evaluate(folder: Path, console: Console) -> dict[str, Table]:
    """The model's table and those beside it, on the drive of another seed."""
    more = {MEAN: mean_of_training(folder / "drives" / "train")}
    question = Question(folder / "run", folder / "drives" / "test", output=folder / "evaluation", more=more)
    found = judged(question, load_predictor(folder / "run"), console).depth
    assert found is not None  # a rendered drive always has depth
    return found.tables


def mean_of_training(drives: Path) -> Guess:
    """The mean true depth of each pixel over the drives that were learned from; this row has seen labels."""
    moments = find_truth(drives).images["synthetic"]()
    depths = (read_truth(moment.truth)[0].numpy() for moment in moments if moment.truth is not None)
    return by_map(mean_depth(depths))


def predict(folder: Path) -> Written:
    """Depth, a video of picture above depth, and the camera's path, of the rendered video."""
    clip = open_clip(folder / "drives" / "video" / "drive.mp4")
    wanted = Wanted(
        formats=("png16",),
        side_by_side=True,
        poses=("tum", "kitti"),
        fps=clip.fps,
        checkpoint="run/checkpoints/best",
    )
    return predict_source(
        load_predictor(folder / "run"), clip.frames(), folder / "prediction", wanted, clip.path
    )


def conclude(console: Console, folder: Path, written: Written, clock: Clock) -> None:
    """Where to look, and how long it took."""
    looks = {
        "report.html": "all of it on one page",
        "prediction/depth.mp4": f"picture above predicted depth, {written.frames} frames",
        "prediction/poses_tum.txt": f"the camera's path ({written.scale})",
        "prediction/depth_png16": "depth of every frame, with its scale in the metadata",
        "evaluation/error_median.png": "picture, prediction, truth and error of the median test image",
        "evaluation/error_worst.png": "and of the worst one",
        "evaluation/images.csv": "errors of every test image",
        "run/samples": "what the training saw: target, depth, rebuilt views, auto-mask",
        "run/metrics.jsonl": "losses and held-out scores (curves: tensorboard --logdir)",
        "run/recipe.toml": "every setting",
        "drives/train": "the drives that were learned from",
    }
    console.rule("where to look", align="left")
    for name, what in looks.items():
        if (folder / name).exists():
            console.print(f"{folder / name}  {what}", highlight=False, markup=False, soft_wrap=True)
    parts = ", ".join(f"{name} {seconds:.0f} s" for name, seconds in clock.seconds.items())
    minutes, rest = divmod(round(sum(clock.seconds.values())), 60)
    console.print(f"time       {parts}; {minutes} min {rest} s in all", highlight=False)


def said(console: Console, tables: dict[str, Table]) -> bool:
    """Whether the model beats what it must, and in which of the rows it is behind; printed."""
    lost = losses_to(tables, MODEL)
    must = [label for label in MUST_BEAT if label in lost]
    if must:
        console.print(f"The model does NOT beat {' and '.join(must)}: train longer (--steps).")
    else:
        console.print(f"The model beats {' and '.join(MUST_BEAT)}, on a drive that it never saw.")
    others = [label for label in lost if label not in MUST_BEAT]
    if others:
        console.print(f"It is still behind {' and '.join(others)}.")
    return not must
