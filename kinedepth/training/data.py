"""What a run learns from and is judged by, and the batches of any stretch of steps."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from kinedepth.data.loading import batches
from kinedepth.data.samples import Samples
from kinedepth.scene import Sample
from kinedepth.training.held_out import evenly

UNHELD = 8
"""Training samples that are looked at for a collapse where nothing is held out."""


@dataclass(frozen=True)
class TrainingData:
    """What a run learns from, and what it is judged by meanwhile."""

    samples: Samples
    held_out: Samples | None
    workers: int = 0
    """Threads that read ahead."""

    @property
    def judged(self) -> Samples:
        """What is held out, or a few of the training samples as they are."""
        return self.held_out or evenly(replace(self.samples, augment=None), UNHELD)

    def batches(
        self, batch_size: int, seed: int, first: int, last: int, epochs_before: int
    ) -> Iterator[Sample]:
        """The batches of the steps from `first` up to `last` of a phase.

        Each epoch has an order and an augmentation of its own; earlier phases had `epochs_before` of them.
        """
        per_epoch, step = len(self.samples) // batch_size, first
        while step < last:
            epoch, start = divmod(step, per_epoch)
            for sample in batches(
                self.samples, batch_size, seed, epochs_before + epoch, start=start, workers=self.workers
            ):
                yield sample
                step += 1
                if step == last:
                    return
