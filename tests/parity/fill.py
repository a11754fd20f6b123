"""The weight rule of the parity fixtures: the same numbers for the same official names, everywhere."""

import zlib
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor


def signs(key: str, count: int, seed: int) -> np.ndarray:
    """`count` numbers in [-1, 1), float64, from an entry's name and the seed; integers wrap at 32 bits."""
    x = np.arange(count, dtype=np.uint32) * np.uint32(2654435761)
    x += np.uint32((zlib.crc32(key.encode()) + seed * 2246822519) % 2**32)
    x ^= x >> np.uint32(16)
    x *= np.uint32(0x85EBCA6B)
    x ^= x >> np.uint32(13)
    x *= np.uint32(0xC2B2AE35)
    x ^= x >> np.uint32(16)
    return x / 2.0**31 - 1.0


def filled(key: str, shape: Sequence[int], seed: int, gain: float = 1.0) -> Tensor:
    """One entry of an official state dict."""
    last = key.rpartition(".")[2]
    if last == "num_batches_tracked":
        return torch.zeros(tuple(shape), dtype=torch.int64)
    s = signs(key, int(np.prod(shape)), seed)
    if last == "running_mean":
        s *= 0.1
    elif last == "running_var":
        s = 1 + 0.2 * s
    elif len(shape) >= 2:
        s *= gain * np.sqrt(3 / np.prod(shape[1:]))
    elif last.endswith("bias"):
        s *= 0.1
    else:
        s = 1 + 0.2 * s
    return torch.from_numpy(s.astype(np.float32).reshape(tuple(shape)))


def fill(
    keys: Mapping[str, Sequence[int]],
    seed: int,
    gain: float = 1.0,
    aliases: Mapping[str, str] | None = None,
    constants: Sequence[str] = (),
) -> dict[str, Tensor]:
    """An official state dict, by official name; aliases share a tensor, constants are left out."""
    state: dict[str, Tensor] = {}
    for key, shape in keys.items():
        if key in constants:
            continue
        origin = (aliases or {}).get(key)
        state[key] = filled(key, shape, seed, gain) if origin is None else state[origin]
    return state
