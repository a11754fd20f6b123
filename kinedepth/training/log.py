"""Scalars to the run folder (metrics.jsonl, TensorBoard or W&B) and progress to the console."""

import hashlib
import json
import math
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from datetime import timedelta
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from jaxtyping import UInt8
from rich.console import Console, RenderableType
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from kinedepth.errors import KinedepthError
from kinedepth.inference.whole import whole_file


def trimmed(path: Path, last_step: int) -> None:
    """Drop lines of metrics.jsonl beyond `last_step`: a resumed run goes over them again."""
    if not path.is_file():
        return
    lines = [line for line in path.read_text(encoding="utf-8").splitlines() if _step(line) <= last_step]
    with whole_file(path) as draft:
        draft.write_text("".join(line + "\n" for line in lines), encoding="utf-8")


def _step(line: str) -> float:
    try:
        return float(json.loads(line)["step"])
    except (ValueError, KeyError, TypeError):  # cut off by a kill
        return math.inf


def require_logger(kind: str) -> None:
    """Refuse a logger that is not there, before a run begins.

    Raises:
        KinedepthError: W&B is asked for and not installed.
    """
    if kind == "wandb" and find_spec("wandb") is None:
        raise KinedepthError("train.logger 'wandb' needs the package: pip install 'kinedepth[wandb]'.")


def board(kind: str, folder: Path, done: int = 0) -> Any:
    """A scalar logger with `add_scalar`, `add_image` and `close`, or None; `done` steps were logged before.

    Raises:
        KinedepthError: W&B is asked for and not installed.
    """
    require_logger(kind)
    if kind == "none":
        return None
    if kind == "wandb":
        return _Wandb(folder)
    from torch.utils.tensorboard import SummaryWriter  # slow to import, so only where it is wanted

    # Curves beyond the step that a run goes on from are hidden by TensorBoard.
    return SummaryWriter(str(folder / "tensorboard"), purge_step=done + 1 if done else None)


class _Wandb:
    def __init__(self, folder: Path) -> None:
        import wandb

        # The folder names the run, so that a resumed one goes on with the same curves.
        name = hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:16]
        self.run = wandb.init(project="kinedepth", name=folder.name, dir=str(folder), id=name, resume="allow")
        self.image = wandb.Image

    def add_scalar(self, name: str, value: float, step: int) -> None:
        self.run.log({name: value}, step=step)

    def add_image(self, name: str, image: Any, step: int, dataformats: str = "HWC") -> None:
        self.run.log({name: self.image(image)}, step=step)

    def close(self) -> None:
        self.run.finish()


class _Lines(Progress):
    """Bar and time left on one line, losses on the next: a terminal of 80 columns holds both."""

    def get_renderables(self) -> Iterator[RenderableType]:
        """What rich draws."""
        yield self.make_tasks_table(self.tasks)
        for task in self.tasks:
            yield Text(task.fields["note"])


class RunLog:
    """The log of one run; a context manager that owns the progress line."""

    def __init__(
        self, folder: Path, kind: str, total: int, done: int = 0, console: Console | None = None
    ) -> None:
        """Open what is written to.

        Args:
            folder: the run folder.
            kind: "tensorboard", "wandb" or "none".
            total: steps of the run.
            done: steps that it has behind it; what was logged beyond them is dropped.
            console: where progress goes, by default the standard output: a line that moves in a terminal,
                a line for each entry of the log anywhere else.
        """
        self.board = board(kind, folder, done)
        trimmed(folder / "metrics.jsonl", done)
        self.file = (folder / "metrics.jsonl").open("a", encoding="utf-8")
        self.console = console or Console()
        self.progress = _Lines(
            TextColumn("[bold]{task.description}"),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=self.console,
            disable=not self.console.is_terminal,
        )
        self.task = self.progress.add_task("training", total=total, completed=done, note="")
        self.total = total

    def __enter__(self) -> "RunLog":
        """Show the progress."""
        self.progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close what was opened."""
        self.progress.stop()
        # A full disk was said where the line was written; here it would hide that sentence.
        with suppress(OSError):
            self.file.close()
            if self.board is not None:
                self.board.close()

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """One line of metrics.jsonl, and a point of each curve; what is not finite is null in the file."""
        finite = {name: value if math.isfinite(value) else None for name, value in values.items()}
        self.file.write(json.dumps({"step": step, **finite}) + "\n")
        self.file.flush()
        if self.board is not None:
            for name, value in values.items():
                self.board.add_scalar(name, value, step)

    def picture(self, step: int, name: str, picture: UInt8[np.ndarray, "h w 3"]) -> None:
        """A picture for the board; the file itself is the caller's."""
        if self.board is not None:
            self.board.add_image(name, picture, step, dataformats="HWC")

    def advance(self) -> None:
        """One step done."""
        self.progress.update(self.task, advance=1)

    def report(self, step: int, values: Mapping[str, float]) -> None:
        """Show the losses, the speed and the share of time spent waiting for data."""
        losses = [f"{name[5:]} {value:.4f}" for name, value in values.items() if name.startswith("loss/")]
        speed = f"{values['images_per_second']:.1f} images/s  data wait {values['data_wait_share']:.0%}"
        note = "  ".join((*losses, speed))
        self.progress.update(self.task, note=note)
        if not self.console.is_terminal:
            left = timedelta(seconds=round(values["seconds_per_step"] * (self.total - step)))
            self.say(f"step {step}/{self.total}  {left} left  {note}")

    def say(self, sentence: str, style: str | None = None) -> None:
        """A line above the progress."""
        self.console.print(sentence, style=style, highlight=False, markup=False, soft_wrap=True)


class Meter:
    """Where the time of the last steps went, and the mean of their losses."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Begin a new stretch."""
        self.sums: dict[str, float] = {}
        self.steps = 0
        self.restart()

    def restart(self) -> None:
        """Begin to measure time; the losses go on."""
        self.began = time.perf_counter()
        self.waited, self.images, self.timed = 0.0, 0, 0

    def add(self, losses: Mapping[str, float], images: int, waited: float) -> None:
        """Count one step."""
        for name, value in losses.items():
            self.sums[name] = self.sums.get(name, 0.0) + value
        self.steps += 1
        self.timed += 1
        self.images += images
        self.waited += waited

    def skip(self, seconds: float) -> None:
        """Leave out time that was spent on something else than training."""
        self.began += seconds

    def read(self) -> dict[str, float]:
        """Mean losses, images per second, seconds per step and the share of time spent waiting for data."""
        elapsed = max(time.perf_counter() - self.began, 1e-9)
        means = {f"loss/{name}": value / self.steps for name, value in self.sums.items()}
        speed = {
            "images_per_second": self.images / elapsed,
            "seconds_per_step": elapsed / max(1, self.timed),
            "data_wait_share": self.waited / elapsed,
        }
        return means | {"loss/total": sum(means.values())} | speed

    def state_dict(self) -> dict[str, Any]:
        """The losses since the last line of the log, for a run that goes on in the middle of a stretch."""
        return {"sums": dict(self.sums), "steps": self.steps}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from `state`; the clock starts now."""
        self.sums, self.steps = dict(state["sums"]), int(state["steps"])
        self.restart()
