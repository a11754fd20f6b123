"""phases -> epochs -> steps. The loop is dumb: what happens in a step is the method's business."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from kinedepth.errors import KinedepthError
from kinedepth.method import Method, Phase
from kinedepth.optimizer import Progress
from kinedepth.scene import Sample
from kinedepth.settings import Train
from kinedepth.training.carried import (
    average_of,
    averaged,
    carry,
    copy_into_average,
    load_weights_of_terms,
    rates_of,
    weights_of_terms,
)
from kinedepth.training.checkpoint import (
    Position,
    fitting,
    model_of,
    random_state,
    read_state,
    remove_drafts,
    restore_random_state,
    save_run,
    writable,
)
from kinedepth.training.data import TrainingData
from kinedepth.training.guard import refuse_broken_weights, refuse_non_finite
from kinedepth.training.held_out import Score, evenly, held_out_score, write_strips
from kinedepth.training.interrupt import Interrupted, on_interrupt
from kinedepth.training.log import Meter, RunLog
from kinedepth.training.step import Boxed, Step, one_device

__all__ = ["Interrupted", "Trainer", "TrainingData"]


class Trainer:
    """Trains a method and leaves a run folder that can be resumed, predicted with and looked at."""

    def __init__(
        self, method: Method, data: TrainingData, folder: Path, settings: Train, header: Mapping[str, Any]
    ) -> None:
        """Prepare devices and precision.

        Args:
            method: what is trained.
            data: its samples.
            folder: the run folder; `fit` makes it where it is missing.
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
        self.fabric = one_device(settings)
        self.method, self.data, self.folder = method.to(self.fabric.device), data, folder
        # Convolutions run a fifth faster in this layout on CPUs, more on GPUs; numbers change by rounding.
        method.networks.to(memory_format=torch.channels_last)
        self.settings, self.header = settings, dict(header)
        self.position, self.best, self.meter = Position(), Score.worst(), Meter()
        self.average = average_of(method, settings.average)
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
        with writable(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
            log = RunLog(self.folder, self.settings.logger, total, self.position.total)
        with log, on_interrupt(self._ask_to_stop):
            optimizer: torch.optim.Optimizer | None = None
            for index in range(self.position.phase, len(self.method.phases)):
                phase = self.method.phases[index]
                optimizer = self._enter(phase, state, optimizer)
                if self.position.total == 0:
                    self._save(phase, optimizer, ())
                state = None
                self._run_phase(phase, optimizer, log)
                self.position = Position(index + 1, 0, self.position.total)
        return model_of(self.folder, "last")

    def _enter(
        self, phase: Phase, state: Mapping[str, Any] | None, before: torch.optim.Optimizer | None
    ) -> torch.optim.Optimizer:
        """Begin or go on with a phase, and give its optimizer."""
        if state is None:
            self.method.start(phase)
            copy_into_average(self.average, self.method, phase)
            # Losses of other terms do not compare; measured errors do.
            self.best = self.best if self.best.abs_rel is not None else Score.worst()
        else:
            self.method.enter(phase)
        optimizer = phase.optimizer.build({name: self.method.networks[name] for name in sorted(phase.trains)})
        if state is not None:
            with fitting(self.folder):
                optimizer.load_state_dict(state["optimizer"])
                load_weights_of_terms(phase, state["weights"])
                restore_random_state(state["random"])
        elif phase.carry and before is not None:
            carry(before, optimizer)
        return optimizer

    def _run_phase(self, phase: Phase, optimizer: torch.optim.Optimizer, log: RunLog) -> None:
        step, wrapped = self.fabric.setup(Step(self.method), optimizer)
        self.method.train()
        self.meter.restart()
        steps, asked = self.phase_steps(phase), time.perf_counter()
        for read in self.data.batches(
            self.settings.batch_size, self.settings.seed, self.position.step, steps, self._epochs_before()
        ):
            sample = read.to(self.fabric.device, non_blocking=True)
            waited = time.perf_counter() - asked
            self._set_rates(phase, optimizer, steps)
            losses = self._step(step, wrapped, sample)
            self.meter.add(losses, sample.target.image.shape[0], waited)
            self.position = replace(self.position, step=self.position.step + 1, total=self.position.total + 1)
            log.advance()
            self._after_step(phase, optimizer, log, last=self.position.step == steps)
            asked = time.perf_counter()

    def _after_step(self, phase: Phase, optimizer: torch.optim.Optimizer, log: RunLog, last: bool) -> None:
        """Log, judge, save and stop where it is time to."""
        if self.position.total % self.settings.log_every == 0 or last:
            self._log(optimizer, log)
        due = self.position.total % self.settings.save_every == 0 or last
        if due:
            began = time.perf_counter()
            self._judge_and_save(phase, optimizer, log)
            self.meter.skip(time.perf_counter() - began)
        finished = last and self.position.phase == len(self.method.phases) - 1
        if self.stop and not finished:
            if not due:
                self._save(phase, optimizer, ("last",))
            raise Interrupted(self.position.total, self.folder)

    def _step(
        self, step: Callable[[Boxed], dict[str, Tensor]], optimizer: Any, sample: Sample
    ) -> dict[str, float]:
        """One step of any method."""
        losses = step(Boxed(sample))
        # Before the backward pass, which has no use for them.
        values = refuse_non_finite(losses, sample, self.folder, self.position.total + 1)
        optimizer.zero_grad()
        self.fabric.backward(torch.stack(list(losses.values())).sum())
        optimizer.step()
        if self.average is not None:
            self.average.update_parameters(self.method)
        return values

    def _epochs_before(self) -> int:
        """Epochs that earlier phases began."""
        earlier = self.method.phases[: self.position.phase]
        return sum(-(-self.phase_steps(phase) // self.per_epoch) for phase in earlier)

    def _set_rates(self, phase: Phase, optimizer: torch.optim.Optimizer, steps: int) -> None:
        progress = Progress(self.position.step // self.per_epoch, self.position.step, steps)
        names = [group["name"] for group in optimizer.param_groups]
        for group, rate in zip(optimizer.param_groups, phase.optimizer.rates(names, progress), strict=True):
            group["lr"] = rate

    def _log(self, optimizer: torch.optim.Optimizer, log: RunLog) -> None:
        values = self.meter.read() | rates_of(optimizer)
        with writable(self.folder):
            log.scalars(self.position.total, values)
        log.report(self.position.total, values)
        self.meter.reset()

    @property
    def model(self) -> Method:
        """What is judged and saved: the method, or the running average of its weights."""
        if self.average is None:
            return self.method
        return averaged(self.average)

    def _judge_and_save(self, phase: Phase, optimizer: torch.optim.Optimizer, log: RunLog) -> None:
        """Score, write strips and checkpoints."""
        refuse_broken_weights(self.method.networks, self.position.total)
        with self._undisturbed(phase), writable(self.folder):
            score = self._judge(phase, log)
            self._write_strips(log)
        held_out = self.data.held_out is not None
        best = not held_out or score < self.best
        self.best = score if best and held_out else self.best
        self._save(phase, optimizer, ("best", "last") if best else ("last",))

    @contextmanager
    def _undisturbed(self, phase: Phase) -> Iterator[None]:
        """Looking at the model draws no random number and moves no weight that training would miss."""
        random, weights = random_state(), weights_of_terms(phase)
        yield
        restore_random_state(random)
        load_weights_of_terms(phase, weights)
        self.method.train()

    def _judge(self, phase: Phase, log: RunLog) -> Score:
        model = self.model
        if model is not self.method:
            model.enter(phase)
        score = held_out_score(model, self.data.judged, self.settings.batch_size, self.fabric.device)
        if self.data.held_out is not None:
            log.scalars(self.position.total, score.scalars())
        if score.collapsed:
            log.say(
                f"Depth is constant over the image at step {self.position.total}: the training collapsed, "
                "begin again with a lower train.lr, pretrained weights or network.start 'flat_ground'.",
                style="yellow",
            )
        return score

    def _write_strips(self, log: RunLog) -> None:
        if self.settings.samples:
            shown = evenly(self.data.judged, self.settings.samples)
            for name, strip in write_strips(self.model, shown, self.folder, self.position.total):
                log.picture(self.position.total, name, strip)

    def _save(self, phase: Phase, optimizer: torch.optim.Optimizer, models: tuple[str, ...]) -> None:
        state = {
            "position": asdict(self.position),
            "samples": len(self.data.samples),
            "best": asdict(self.best),
            "meter": self.meter.state_dict(),
            "networks": self.method.networks.state_dict(),
            "average": None if self.average is None else self.average.state_dict(),
            "optimizer": optimizer.state_dict(),
            "weights": weights_of_terms(phase),
            "random": random_state(),
        }
        tensors = {key: value.detach().cpu() for key, value in self.model.networks.state_dict().items()}
        header = self.header | {"step": self.position.total}
        save_run(self.folder, state, dict.fromkeys(models, tensors), header)

    def _restore(self) -> dict[str, Any]:
        remove_drafts(self.folder)
        state = read_state(self.folder)
        with fitting(self.folder):
            self.position, self.best = Position(**state["position"]), Score(**state["best"])
            self.method.networks.load_state_dict(state["networks"])
            self.meter.load_state_dict(state["meter"])
            if self.average is not None:
                self.average.load_state_dict(state["average"])
            before, now = state["samples"], len(self.data.samples)
        if before != now:
            raise KinedepthError(
                f"The source of '{self.folder}' has changed: {before} samples when the run began, {now} now; "
                "start a new run with --init."
            )
        return state

    def _ask_to_stop(self) -> None:
        self.stop = True
