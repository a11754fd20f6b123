"""Band-limited procedural textures: every detail fades before it becomes finer than the pixels.

A surface is textured by (u, v) in metres; `fu`, `fv` say how many metres one pixel spans along each. Noise
comes from one periodic tile with a ring spectrum, so that a band of frequencies can be faded exactly; marks
are box-filtered pulses in closed form.
"""

import cv2
import numpy as np
from jaxtyping import Float

Values = Float[np.ndarray, " n"]

CELLS = 64
TEXELS = 8 * CELLS
SHARP = 2.0
"""Marks are averaged over this many pixel footprints."""
FADE = 7.0
"""exp(-FADE x^2) of a band stays where x is its frequency in cycles per pixel: 0.64 at 1/4, 0.17 at 1/2."""


def noise_tile(seed: int) -> Float[np.ndarray, "h w"]:
    """A periodic picture of unit variance with all its energy between 0.45 and 1 cycles per cell.

    It is padded by one texel at the far sides, so that bilinear reads need no wrapping.
    """
    rng = np.random.default_rng([seed, 101])
    frequency = np.fft.fftfreq(TEXELS, 1.0 / TEXELS) / CELLS
    radius = np.hypot(frequency[:, None], frequency[None, :])
    ring = np.clip((radius - 0.4) / 0.1, 0, 1) * np.clip((1.05 - radius) / 0.1, 0, 1)
    spectrum = np.fft.fft2(rng.standard_normal((TEXELS, TEXELS))) * ring
    tile = np.fft.ifft2(spectrum).real
    return np.pad(tile / tile.std(), (0, 2), mode="wrap").astype(np.float32)


def noise(tile: Float[np.ndarray, "h w"], u: Values, v: Values) -> Values:
    """The tile read at (u, v) in cells, repeating every 64 cells."""
    x = (u - np.floor(u / CELLS) * CELLS) * (TEXELS / CELLS)
    y = (v - np.floor(v / CELLS) * CELLS) * (TEXELS / CELLS)
    return bilinear(tile, x, y)


def bilinear(picture: Float[np.ndarray, "h w"], x: Values, y: Values) -> Values:
    """The picture at texels (x, y), by OpenCV in rows of 256 since it takes no side beyond 32767."""
    count = len(x)
    rows = -(-count // 256)
    places = np.zeros((2, rows * 256), dtype=np.float32)
    places[0, :count], places[1, :count] = x, y
    maps = places.reshape(2, rows, 256)
    read = cv2.remap(picture, maps[0], maps[1], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(read, dtype=np.float32).ravel()[:count]


def fade(frequency_u: Values | float, frequency_v: Values | float, fu: Values, fv: Values) -> Values:
    """The share of a band's contrast that pixels of this footprint can carry; frequencies are per metre."""
    return np.asarray(np.exp(-FADE * ((frequency_u * fu) ** 2 + (frequency_v * fv) ** 2)))


def pulse(value: Values, period: float, half_width: Values | float, footprint: Values) -> Values:
    """Coverage in [0, 1] of stripes centered at whole multiples of the period, averaged over the footprint.

    All three lengths share a unit. Where the footprint nears the period the stripes melt into their mean.
    """
    width = np.maximum(footprint * SHARP, 1e-4)
    distance = np.abs(value - np.round(value / period) * period)
    sharp = np.clip((half_width - distance) / width + 0.5, 0, 1)
    melt = np.clip(width * (2.2 / period) - 0.4, 0, 1)
    return np.asarray(sharp + (2 / period * half_width - sharp) * melt)


def band(value: Values, low: Values | float, high: Values | float, footprint: Values) -> Values:
    """Coverage in [0, 1] of low < value < high, averaged over the footprint."""
    inverse = 1 / np.maximum(footprint * SHARP, 1e-4)
    above, below = (value - low) * inverse + 0.5, (high - value) * inverse + 0.5
    return np.asarray(np.clip(above, 0, 1) * np.clip(below, 0, 1))


def hashed(column: Values, row: Values, phase: Values) -> Values:
    """A number in [0, 1) for every cell (whole numbers) of a grid, another grid for every phase."""
    u, v = column.astype(np.int64), row.astype(np.int64)
    key = (u * 73856093) ^ (v * 19349663) ^ (phase * 997).astype(np.int64)
    key = (key ^ (key >> 13)) * 1274126177
    return np.asarray(((key >> 8) & 1023).astype(np.float32) / 1024)
