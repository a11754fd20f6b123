"""phases -> epochs -> steps. The loop is dumb: what happens in a step is the method's business."""

import signal
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from kinedepth.data.loading import batches
from kinedepth.data.samples import Samples
from kinedepth.errors import KinedepthError
from kinedepth.inference.weights import write_weights
from kinedepth.method import Method, Phase
from kinedepth.optimizer import Progress
from kinedepth.scene import Sample
from kinedepth.settings import Train
from kinedepth.training.checkpoint import (
    Position,
    random_state,
    read_state,
    restore_random_state,
    write_state,
)
from kinedepth.training.guard import refuse_non_finite
from kinedepth.training.held_out import Score, held_out_score, write_strips
from kinedepth.training.log import Meter, RunLog


class Interrupted(KinedepthError):
    """Ctrl-C: the run was saved and can be resumed."""

    exit_code = 130


@dataclass(frozen=True)
class TrainingData:
    """What a run learns from, and what it is judged by meanwhile."""

    samples: Samples
    held_out: Samples | None
    workers: int = 0
    """Threads that read ahead."""


class Boxed:
    """A record on its way through Fabric, which takes dataclasses apart and refuses frozen ones."""

    def __init__(self, sample: Sample) -> None:
        self.sample = sample


class Step(nn.Module):
    """What Fabric wraps: a sample in, the weighted terms of the current phase out."""

    def __init__(self, method: Method) -> None:
        super().__init__()
        self.method = method

    def forward(self, boxed: Boxed) -> dict[str, Tensor]:
        """Networks, view synthesis and terms of any method."""
        estimate = self.method(boxed.sample)
        return self.method.losses(boxed.sample, estimate)


class Trainer:
    """Trains a method and leaves a run folder that can be resumed, predicted with and looked at."""

    def __init__(
        self, method: Method, data: TrainingData, folder: Path, settings: Train, header: Mapping[str, Any]
    ) -> None:
        """Prepare devices and precision.

        Args:
            method: what is trained.
            data: its samples.
            folder: the run folder; exists already.
            settings: the loop's own settings.
            header: what every checkpoint carries: the resolved recipe, the camera, the scale.

        Raises:
            KinedepthError: fewer samples than one batch, or a device that is not there.
        """
        self.per_epoch = len(data.samples) // settings.batch_size
        if self.per_epoch == 0:
            raise KinedepthError(
                f"{len(data.samples)} samples do not fill one batch of {settings.batch_size}: "
                "lower train.batch_size or give a longer video."
            )
        if settings.threads:
            torch.set_num_threads(settings.threads)
        self.fabric = _fabric(settings)
        self.method, self.data, self.folder = method.to(self.fabric.device), data, folder
        # Convolutions run a fifth faster in this layout on CPUs, more on GPUs; numbers change by rounding alone.
        method.networks.to(memory_format=torch.channels_last)
        self.settings, self.header = settings, dict(header)
        self.position, self.best = Position(), Score.worst()
        self.average = _average_of(method, settings.average)
        self.stop = False

    def phase_steps(self, phase: Phase) -> int:
        """How many steps a phase has."""
        return phase.steps or phase.epochs * self.per_epoch

    def fit(self, resume: bool = False) -> Path:
        """Train from the beginning or from the run's state; gives the path of the last checkpoint.

        Raises:
            Interrupted: Ctrl-C; the run was saved.
            KinedepthError: a loss that is not finite, a disk that is full.
        """
        state = self._restore() if resume else None
        total = sum(self.phase_steps(phase) for phase in self.method.phases)
        with _on_interrupt(self._ask_to_stop), RunLog(self.folder, self.settings.logger, total, self.position.total) as log:
            optimizer: torch.optim.Optimizer | None = None
            for index, phase in enumerate(self.method.phases):
                if index < self.position.phase:
                    continue
                optimizer = self._enter(phase, state, optimizer)
                state = None
                self._run_phase(phase, optimizer, log)
                self.position = Position(index + 1, 0, self.position.total)
        return self.folder / "checkpoints" / "last.safetensors"

    def _enter(
        self, phase: Phase, state: Mapping[str, Any] | None, before: torch.optim.Optimizer | None
    ) -> torch.optim.Optimizer:
        """Begin or go on with a phase, and give its optimizer."""
        if state is None:
            self.method.start(phase)
        else:
            self.method.enter(phase)
        optimizer = phase.optimizer.build({name: self.method.networks[name] for name in sorted(phase.trains)})
        if state is not None:
            optimizer.load_state_dict(state["optimizer"])
            _load_weights_of_terms(phase, state["weights"])
            restore_random_state(state["random"])
        elif phase.carry and before is not None:
            _carry(before, optimizer)
        return optimizer

    def _run_phase(self, phase: Phase, optimizer: torch.optim.Optimizer, log: RunLog) -> None:
        step, wrapped = self.fabric.setup(Step(self.method), optimizer)
        self.method.train()
        steps, meter, waiting = self.phase_steps(phase), Meter(), time.perf_counter()
        for sample in self._samples(steps):
            waited = time.perf_counter() - waiting
            self._set_rates(phase, optimizer, steps)
            losses = self._step(step, wrapped, sample)
            meter.add(losses, sample.target.image.shape[0], waited)
            self.position = Position(self.position.phase, self.position.step + 1, self.position.total + 1)
            log.advance()
            last = self.position.step == steps
            if self.position.total % self.settings.log_every == 0 or last:
                self._log(meter, optimizer, log)
            if self.position.total % self.settings.save_every == 0 or last:
                self._judge_and_save(phase, optimizer, log)
                meter.reset()
            if self.stop and not last:
                self._save(phase, optimizer)
                raise Interrupted(
                    f"Stopped at step {self.position.total}; go on with: kinedepth train --resume {self.folder}"
                )
            waiting = time.perf_counter()

    def _step(self, step: Callable[[Boxed], dict[str, Tensor]], optimizer: Any, sample: Sample) -> dict[str, float]:
        """One step of any method."""
        losses = step(Boxed(sample))
        values = refuse_non_finite(losses, sample, self.folder, self.position.total + 1)
        optimizer.zero_grad()
        self.fabric.backward(torch.stack(list(losses.values())).sum())
        optimizer.step()
        if self.average is not None:
            self.average.update_parameters(self.method)
        return values

    def _samples(self, steps: int) -> Iterator[Sample]:
        """The batches from the current position to the end of the phase."""
        settings = self.settings
        while self.position.step < steps:
            epoch, start = divmod(self.position.step, self.per_epoch)
            for sample in batches(
                self.data.samples, settings.batch_size, settings.seed, epoch, start=start, workers=self.data.workers
            ):
                yield sample.to(self.fabric.device, non_blocking=True)
                if self.position.step >= steps:
                    return

    def _set_rates(self, phase: Phase, optimizer: torch.optim.Optimizer, steps: int) -> None:
        progress = Progress(self.position.step // self.per_epoch, self.position.step, steps)
        names = [group["name"] for group in optimizer.param_groups]
        for group, rate in zip(optimizer.param_groups, phase.optimizer.rates(names, progress), strict=True):
            group["lr"] = rate

    def _log(self, meter: Meter, optimizer: torch.optim.Optimizer, log: RunLog) -> None:
        values = meter.read() | {"lr": float(optimizer.param_groups[0]["lr"])}
        log.scalars(self.position.total, values)
        terms = "  ".join(f"{name[5:]} {value:.4f}" for name, value in values.items() if name.startswith("loss/"))
        speed = f"{values['images_per_second']:.1f} images/s  data wait {values['data_wait_share']:.0%}"
        log.progress.update(log.task, note=f"{terms}  {speed}")
        meter.reset()

    @property
    def model(self) -> Method:
        """What is judged and saved: the method, or the running average of its weights."""
        if self.average is None:
            return self.method
        averaged: Method = self.average.module
        return averaged

    def _judge_and_save(self, phase: Phase, optimizer: torch.optim.Optimizer, log: RunLog) -> None:
        """Score on held-out data, write strips and checkpoints. Draws no random numbers that training would miss."""
        before = random_state()
        model = self.model
        if model is not self.method:
            model.enter(phase)
        score = held_out_score(model, self.data.held_out, self.settings.batch_size, self.fabric.device)
        if score is not None:
            log.scalars(self.position.total, score.scalars())
            if score.collapsed:
                log.say("[yellow]Depth is constant over the held-out images: the training has collapsed.[/]")
            for name, strip in write_strips(model, self.data.held_out, self.settings.samples, self.folder, self.position.total):
                log.picture(self.position.total, name, strip)
        restore_random_state(before)
        self.method.train()
        if score is None or score < self.best:
            self.best = score or self.best
            self._write_model("best")
        self._save(phase, optimizer)

    def _write_model(self, name: str) -> None:
        header = self.header | {"step": self.position.total}
        tensors = {key: value.detach().cpu() for key, value in self.model.networks.state_dict().items()}
        path = self.folder / "checkpoints" / f"{name}.safetensors"
        path.parent.mkdir(exist_ok=True)
        write_weights(path, tensors, header)

    def _save(self, phase: Phase, optimizer: torch.optim.Optimizer) -> None:
        self._write_model("last")
        state = {
            "position": asdict(self.position),
            "best": asdict(self.best),
            "networks": self.method.networks.state_dict(),
            "average": None if self.average is None else self.average.state_dict(),
            "optimizer": optimizer.state_dict(),
            "weights": {k: w.state_dict() for k, w in phase.weights.items() if not isinstance(w, float | int)},
            "random": random_state(),
        }
        write_state(self.folder / "state" / "state.pt", state)

    def _restore(self) -> dict[str, Any]:
        state = read_state(self.folder / "state" / "state.pt")
        self.method.networks.load_state_dict(state["networks"])
        if self.average is not None and state["average"] is not None:
            self.average.load_state_dict(state["average"])
        self.position, self.best = Position(**state["position"]), Score(**state["best"])
        return state

    def _ask_to_stop(self) -> None:
        self.stop = True


def _fabric(settings: Train) -> Fabric:
    """One device and its precision; many devices are a matter of launching, not of this loop."""
    try:
        return Fabric(accelerator=settings.device, devices=1, precision=settings.precision)
    except (RuntimeError, ValueError, ImportError):
        raise KinedepthError(f"The device '{settings.device}' is not there: set train.device to cpu or auto.") from None


def _average_of(method: Method, decay: float) -> AveragedModel | None:
    if not decay:
        return None
    return AveragedModel(method, multi_avg_fn=get_ema_multi_avg_fn(decay), use_buffers=True)


def _carry(before: torch.optim.Optimizer, optimizer: torch.optim.Optimizer) -> None:
    """Hand an optimizer's moments on to the next one, for parameters that both have."""
    held = {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}
    for parameter, state in before.state.items():
        if id(parameter) in held:
            optimizer.state[parameter] = state


def _load_weights_of_terms(phase: Phase, states: Mapping[str, dict[str, Any]]) -> None:
    for name, state in states.items():
        weight = phase.weights[name]
        if not isinstance(weight, float | int):
            weight.load_state_dict(state)


class _on_interrupt:  # noqa: N801 - reads as a statement
    """Ctrl-C once asks to stop after the step; twice stops at once."""

    def __init__(self, ask: Callable[[], None]) -> None:
        self.ask = ask

    def __enter__(self) -> None:
        def handle(number: int, frame: FrameType | None) -> None:
            signal.signal(signal.SIGINT, signal.default_int_handler)
            self.ask()

        try:
            self.before = signal.signal(signal.SIGINT, handle)
        except ValueError:  # not the main thread: nobody can press Ctrl-C here
            self.before = None

    def __exit__(self, *error: object) -> None:
        if self.before is not None:
            signal.signal(signal.SIGINT, self.before)
