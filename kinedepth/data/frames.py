"""Single pictures: every kind that users have, as upright 8-bit RGB of the wanted size, and their masks."""

from pathlib import Path
from zipfile import BadZipFile

import numpy as np
import torch
from jaxtyping import Bool, Shaped, UInt8
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from kinedepth.data.lens import labels_undistorted, seen, undistorted
from kinedepth.data.moments import Rectification, Size
from kinedepth.errors import KinedepthError
from kinedepth.geometry.counted import intact, shrunk_counts

PICTURE_ENDINGS = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".ppm", ".pgm"})

MOST_LEFT_OUT = 0.9
"""A mask that leaves out more than this share is taken for an inverted one."""

_BYTE_MAX = 255
# Formats that lose: what was black is nearly black in them.
_LOSSY = frozenset({".jpg", ".jpeg", ".webp"})


def rounded_size(size: Size, multiple: int = 32) -> Size:
    """The nearest (height, width) that a network takes: multiples of `multiple`, at least one of each."""
    height, width = (max(multiple, int(side / multiple + 0.5) * multiple) for side in size)
    return height, width


def _as_8_bit(values: Shaped[np.ndarray, "h w"]) -> UInt8[np.ndarray, "h w"]:
    # Sixteen-bit and floating-point pictures: the full range of the type becomes 0..255.
    if values.dtype.kind == "f":
        bright = float(values.max(initial=0.0))
        scaled = values if bright > 1 else values * _BYTE_MAX
    else:
        scaled = values / (257.0 if values.max(initial=0) > _BYTE_MAX else 1.0)
    rounded: UInt8[np.ndarray, "h w"] = np.clip(np.rint(scaled), 0, _BYTE_MAX).astype(np.uint8)
    return rounded


def as_rgb(picture: Image.Image) -> Image.Image:
    """The picture as upright 8-bit RGB: gray is repeated, 16 bit scaled, what is transparent put on black."""
    upright = ImageOps.exif_transpose(picture)
    if upright.mode == "RGB":
        return upright
    if upright.mode[0] in "IF":
        upright = Image.fromarray(_as_8_bit(np.asarray(upright)))
    if upright.has_transparency_data:
        with_alpha = upright.convert("RGBA")
        black = Image.new("RGBA", with_alpha.size, (0, 0, 0, 255))
        upright = Image.alpha_composite(black, with_alpha)
    return upright.convert("RGB")


def _refusal(path: Path, error: Exception) -> KinedepthError:
    if not path.exists():
        return KinedepthError(f"there is no picture {path}")
    if isinstance(error, PermissionError):
        return KinedepthError(f"the picture {path} may not be read: change its permissions")
    if path.is_file() and path.stat().st_size == 0:
        return KinedepthError(f"the picture {path} is empty (0 bytes): replace it or take it away")
    return KinedepthError(
        f"the picture {path} cannot be read, it is damaged or no picture: replace it or take it away"
    )


def open_picture(path: Path) -> Image.Image:
    """The whole picture in `path` as RGB.

    Raises:
        KinedepthError: it is missing, empty, damaged or no picture.
    """
    try:
        with Image.open(path) as picture:
            picture.load()
            return as_rgb(picture)
    except (OSError, SyntaxError, ValueError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise _refusal(path, error) from error


def picture_size(path: Path) -> Size:
    """(height, width) of the picture as `open_picture` gives it, from its header alone.

    Raises:
        KinedepthError: it is missing, empty or no picture.
    """
    try:
        with Image.open(path) as picture:
            width, height = picture.size
            turned = picture.getexif().get(0x0112, 1) in (5, 6, 7, 8)
    except (OSError, SyntaxError, ValueError, UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise _refusal(path, error) from error
    return (width, height) if turned else (height, width)


def as_pixels(picture: Image.Image, size: Size) -> UInt8[np.ndarray, "3 h w"]:
    """The picture's channels at `size` (height, width).

    Lanczos on 8-bit data, as Monodepth2's loader does.
    """
    height, width = size
    if picture.size != (width, height):
        picture = picture.resize((width, height), Image.Resampling.LANCZOS)
    return np.ascontiguousarray(np.asarray(picture).transpose(2, 0, 1))


def as_pinhole(picture: Image.Image, rectified: Rectification | None) -> Image.Image:
    """The picture, RGB at its own size, as a camera without a lens would have taken it."""
    if rectified is None:
        return picture
    return Image.fromarray(undistorted(np.asarray(picture), rectified))


def _labels(path: Path, name: str) -> Shaped[np.ndarray, "..."]:
    if path.suffix == ".npz":
        with np.load(path) as arrays:
            return np.asarray(arrays[name])
    if path.suffix == ".npy":
        return np.asarray(np.load(path))
    with Image.open(path) as picture:
        return np.asarray(picture)


def read_labels(
    path: Path, size: Size | None, name: str = "instances", rectified: Rectification | None = None
) -> Shaped[np.ndarray, "h w"]:
    """Numbers for each pixel (object ids, classes) from a PNG, NPY, or array `name` of an NPZ file.

    Undistorted like the picture that they belong to, then resized if a size is given: always to the nearest.

    Raises:
        KinedepthError: the file is missing, damaged, or has more than one channel.
    """
    try:
        labels = _labels(path, name)
    except (OSError, ValueError, SyntaxError, KeyError, BadZipFile) as error:
        raise _refusal(path, error) from error
    if labels.ndim != 2:
        raise KinedepthError(
            f"the labels {path} have the shape {labels.shape}: one number for each pixel is needed"
        )
    if rectified is not None:
        labels = labels_undistorted(labels, rectified)
    return labels if size is None else _nearest(labels, size)


def _nearest(labels: Shaped[np.ndarray, "_ _"], size: Size) -> Shaped[np.ndarray, "_ _"]:
    if labels.shape == size:
        return labels
    rows = ((np.arange(size[0]) + 0.5) * labels.shape[0] / size[0]).astype(int)
    columns = ((np.arange(size[1]) + 0.5) * labels.shape[1] / size[1]).astype(int)
    resized: Shaped[np.ndarray, "_ _"] = labels[rows[:, None], columns[None, :]]
    return resized


def read_mask(path: Path) -> Bool[np.ndarray, "h w"]:
    """Where pixels count, from a picture that is 0 where they do not; at the picture's own size.

    In a format that loses (JPEG), 0 is what is nearer to black than to the brightest.

    Raises:
        KinedepthError: it is missing or damaged, or leaves out nearly everything.
    """
    brightness = np.asarray(open_picture(path)).max(axis=-1)
    darkest = brightness.max() / 2 if path.suffix.lower() in _LOSSY else 0
    counts: Bool[np.ndarray, "h w"] = brightness > darkest
    left_out = 1 - counts.mean()
    if left_out > MOST_LEFT_OUT:
        raise KinedepthError(
            f"the mask {path} leaves out {left_out:.0%}: 0 must be where pixels do NOT count; is it inverted?"
        )
    return counts


def counting(mask: Path | None, rectified: Rectification | None, size: Size) -> Bool[Tensor, "1 h w"]:
    """Where pixels of a picture read at `size` count: those that the mask keeps and the lens shows.

    A pixel counts only if all that it was made from does.

    Raises:
        KinedepthError: the mask cannot be read, or leaves out nearly everything.
    """
    counts = torch.ones(1, 1, *size, dtype=torch.bool)
    if rectified is not None:
        shown = torch.tensor(seen(rectified, (rectified.raw.height, rectified.raw.width)))
        counts &= shrunk_counts(shown[None, None], size)
    if mask is not None:
        kept = torch.from_numpy(read_mask(mask))[None, None]
        if rectified is not None:
            # A pixel smaller, so that what is read between pixels of the file has only counting neighbors.
            kept = torch.from_numpy(labels_undistorted(intact(kept)[0, 0].numpy(), rectified))[None, None]
        counts &= shrunk_counts(kept, size)
    return counts[0]
