"""Scalars to the run folder (metrics.jsonl, TensorBoard or W&B) and a line of progress to the console."""

import json
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from jaxtyping import UInt8
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from kinedepth.errors import KinedepthError


def trimmed(path: Path, last_step: int) -> None:
    """Drop lines of metrics.jsonl beyond `last_step`: a resumed run goes over them again."""
    if not path.is_file():
        return
    lines = [line for line in path.read_text().splitlines() if line and json.loads(line)["step"] <= last_step]
    path.write_text("".join(line + "\n" for line in lines))


def board(kind: str, folder: Path) -> Any:
    """A scalar logger with `add_scalar` and `add_image`, or None.

    Raises:
        KinedepthError: W&B is asked for and not installed.
    """
    if kind == "none":
        return None
    if kind == "wandb":
        return _Wandb(folder)
    from torch.utils.tensorboard import SummaryWriter  # slow to import, so only where it is wanted

    return SummaryWriter(str(folder / "tensorboard"))


class _Wandb:
    def __init__(self, folder: Path) -> None:
        try:
            import wandb
        except ImportError:
            raise KinedepthError("train.logger 'wandb' needs the package: pip install 'kinedepth[wandb]'.") from None
        self.run = wandb.init(project="kinedepth", name=folder.name, dir=str(folder))
        self.image = wandb.Image

    def add_scalar(self, name: str, value: float, step: int) -> None:
        self.run.log({name: value}, step=step)

    def add_image(self, name: str, image: Any, step: int, dataformats: str = "HWC") -> None:
        self.run.log({name: self.image(image)}, step=step)

    def close(self) -> None:
        self.run.finish()


class RunLog:
    """The log of one run; a context manager that owns the progress line."""

    def __init__(self, folder: Path, kind: str, total: int, done: int = 0) -> None:
        trimmed(folder / "metrics.jsonl", done)
        self.file = (folder / "metrics.jsonl").open("a")
        self.board = board(kind, folder)
        self.progress = Progress(
            TextColumn("[bold]{task.description}"),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
        )
        self.task: TaskID = self.progress.add_task("training", total=total, completed=done, note="")

    def __enter__(self) -> "RunLog":
        self.progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.progress.stop()
        self.file.close()
        if self.board is not None:
            self.board.close()

    def scalars(self, step: int, values: Mapping[str, float]) -> None:
        """One line of metrics.jsonl, and a point of each curve."""
        self.file.write(json.dumps({"step": step, **values}) + "\n")
        self.file.flush()
        for name, value in values.items():
            if self.board is not None:
                self.board.add_scalar(name, value, step)

    def picture(self, step: int, name: str, picture: UInt8[np.ndarray, "h w 3"]) -> None:
        """A picture for the board; the file itself is the caller's."""
        if self.board is not None:
            self.board.add_image(name, picture, step, dataformats="HWC")

    def advance(self, note: str | None = None) -> None:
        """One step done."""
        self.progress.update(self.task, advance=1, **({} if note is None else {"note": note}))

    def say(self, sentence: str) -> None:
        """A line above the progress."""
        self.progress.console.print(sentence, highlight=False)


class Meter:
    """Where the time of the last steps went, and the mean of their losses."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Begin a new stretch."""
        self.began = time.perf_counter()
        self.waited = 0.0
        self.images = 0
        self.sums: dict[str, float] = {}
        self.steps = 0

    def add(self, losses: Mapping[str, float], images: int, waited: float) -> None:
        """Count one step."""
        for name, value in losses.items():
            self.sums[name] = self.sums.get(name, 0.0) + value
        self.steps += 1
        self.images += images
        self.waited += waited

    def read(self) -> dict[str, float]:
        """Mean losses, images per second and the share of time spent waiting for data."""
        elapsed = max(time.perf_counter() - self.began, 1e-9)
        means = {f"loss/{name}": value / self.steps for name, value in self.sums.items()}
        speed = {"images_per_second": self.images / elapsed, "data_wait_share": self.waited / elapsed}
        return means | {"loss/total": sum(means.values())} | speed
