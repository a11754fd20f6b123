"""Batches in an order that belongs to (seed, epoch) alone, from any batch on, read ahead by threads.

Threads and not processes: decoding and tensor arithmetic leave Python's lock, all threads share one store of
decoded frames, and nothing has to be sent between processes.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace

import numpy as np
from torch.nn.functional import interpolate

from kinedepth.data.samples import Samples
from kinedepth.errors import KinedepthError
from kinedepth.geometry.record import collate
from kinedepth.scene import Sample

# Batches that wait ready beside the one in use; two hide the time of one slow batch.
_AHEAD = 2


def order(count: int, seed: int, epoch: int, shuffle: bool = True) -> list[int]:
    """The numbers 0 to count - 1 in the order of an epoch."""
    if not shuffle:
        return list(range(count))
    numbers: list[int] = np.random.default_rng((seed, epoch)).permutation(count).tolist()
    return numbers


def batch_count(samples: Samples, batch_size: int, drop_last: bool = True) -> int:
    """How many batches an epoch has."""
    full, rest = divmod(len(samples), batch_size)
    return full if drop_last or rest == 0 else full + 1


def batches(  # noqa: PLR0913  the order, and how it is read, are one thing to a caller
    samples: Samples,
    batch_size: int,
    seed: int = 0,
    epoch: int = 0,
    *,
    start: int = 0,
    workers: int = 0,
    shuffle: bool = True,
    drop_last: bool = True,
) -> Iterator[Sample]:
    """The batches of an epoch, from number `start` on; those before it are not read.

    What is given depends on (samples, seed, epoch, batch_size) and not on `start` or `workers`.

    Args:
        samples: what to read.
        batch_size: samples in a batch.
        seed: of the order.
        epoch: of the order and of the samples' variation.
        start: batches to leave out, to go on where a run stopped.
        workers: threads that read ahead; 0 reads when asked.
        shuffle: whether the order is random.
        drop_last: whether a last, smaller batch is left out.

    Raises:
        KinedepthError: there are fewer samples than a batch holds; or a file cannot be read.
    """
    total = batch_count(samples, batch_size, drop_last)
    if total == 0:
        raise KinedepthError(
            f"{len(samples)} samples do not fill a batch of {batch_size}: give more frames or a smaller batch"
        )
    numbers = order(len(samples), seed, epoch, shuffle)
    keys = [[(epoch, i) for i in numbers[n * batch_size : (n + 1) * batch_size]] for n in range(start, total)]
    return _read(samples, keys) if workers == 0 else _read_ahead(samples, keys, workers)


def batched(samples: Sequence[Sample]) -> Sample:
    """The samples as one; measured depth of several sizes takes that of the first, by the nearest pixel."""
    depths = [sample.depth for sample in samples if sample.depth is not None]
    if len({depth.shape for depth in depths}) > 1:
        size = depths[0].shape[-2:]
        fitting = [interpolate(depth[None], size)[0] for depth in depths]
        samples = [replace(sample, depth=depth) for sample, depth in zip(samples, fitting, strict=True)]
    batch: Sample = collate(samples)
    return batch


def _read(samples: Samples, keys: list[list[tuple[int, int]]]) -> Iterator[Sample]:
    for batch in keys:
        yield batched([samples[key] for key in batch])


def _read_ahead(samples: Samples, keys: list[list[tuple[int, int]]], workers: int) -> Iterator[Sample]:
    pool = ThreadPoolExecutor(workers, thread_name_prefix="kinedepth-read")
    waiting: deque[list[Future[Sample]]] = deque()
    try:
        for batch in keys:
            waiting.append([pool.submit(samples.__getitem__, key) for key in batch])
            if len(waiting) > _AHEAD:
                yield batched([future.result() for future in waiting.popleft()])
        while waiting:
            yield batched([future.result() for future in waiting.popleft()])
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
