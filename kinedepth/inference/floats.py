"""Float pictures by other programs' formats: OpenEXR (a depth channel Z) and PFM (rows from the bottom)."""

from pathlib import Path

import numpy as np
import OpenEXR
from jaxtyping import Float32

CHANNELS = ("Z", "Y", "R")
"""Where a map may lie in an EXR file, first to last: Z is OpenEXR's name for depth, Y what OpenCV writes."""


def write_exr(path: Path, values: Float32[np.ndarray, "h w"], attributes: dict[str, str]) -> None:
    """Writes the values as 32-bit channel Z, compressed without loss; OSError when the place refuses."""
    header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage, **attributes}
    try:
        with OpenEXR.File(header, {CHANNELS[0]: np.ascontiguousarray(values)}) as opened:
            opened.write(str(path))
    except RuntimeError as error:
        raise OSError(str(error)) from error


def read_exr(path: Path) -> tuple[Float32[np.ndarray, "h w"], dict[str, str]]:
    """The map of a file (channel Z, Y or R, or its only one) and its attributes that are text.

    Raises ValueError when it cannot be read or holds several channels of other names.
    """
    try:
        with OpenEXR.File(str(path), separate_channels=True) as opened:
            channels = {name: channel.pixels for name, channel in opened.channels().items()}
            text = {name: value for name, value in opened.header().items() if isinstance(value, str)}
    except RuntimeError as error:
        raise ValueError(str(error)) from error
    wanted = [name for name in CHANNELS if name in channels] or list(channels)
    if len(channels) != 1 and wanted[0] not in CHANNELS:
        raise ValueError(f"channels {', '.join(channels)}, none of them {', '.join(CHANNELS)}")
    return np.asarray(channels[wanted[0]], dtype=np.float32), text


def write_pfm(path: Path, values: Float32[np.ndarray, "h w"]) -> None:
    """Writes one channel, little endian, the bottom row first (Debevec's portable float map)."""
    height, width = values.shape
    start = f"Pf\n{width} {height}\n-1.0\n".encode("ascii")
    path.write_bytes(start + np.flipud(values).astype("<f4").tobytes())


def read_pfm(path: Path) -> Float32[np.ndarray, "h w"]:
    """The one channel of a portable float map, top row first; ValueError for anything else."""
    kind, size, scale, body = path.read_bytes().split(b"\n", 3)
    if kind.strip() != b"Pf":
        raise ValueError("not one channel of a portable float map")
    width, height = (int(word) for word in size.split())
    # The sign of the scale tells the order of bytes; its size is 1 in every file met.
    values = np.frombuffer(body, dtype="<f4" if float(scale) < 0 else ">f4").reshape(height, width)
    return np.flipud(values).astype(np.float32)
