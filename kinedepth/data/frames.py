"""Single pictures: every kind that users have, as upright 8-bit RGB of the wanted size."""

from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from jaxtyping import Shaped, UInt8
from PIL import Image, ImageOps, UnidentifiedImageError

from kinedepth.data.moments import Size
from kinedepth.errors import KinedepthError

PICTURE_ENDINGS = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".ppm", ".pgm"})

_BYTE_MAX = 255


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


def _labels(path: Path, name: str) -> Shaped[np.ndarray, "..."]:
    if path.suffix == ".npz":
        with np.load(path) as arrays:
            return np.asarray(arrays[name])
    if path.suffix == ".npy":
        return np.asarray(np.load(path))
    with Image.open(path) as picture:
        return np.asarray(picture)


def read_labels(path: Path, size: Size | None, name: str = "instances") -> Shaped[np.ndarray, "h w"]:
    """Numbers for each pixel (object ids, classes) from a PNG, NPY, or array `name` of an NPZ file.

    Resized to the nearest if a size is given.

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
    if size is None or labels.shape == size:
        return labels
    rows = ((np.arange(size[0]) + 0.5) * labels.shape[0] / size[0]).astype(int)
    columns = ((np.arange(size[1]) + 0.5) * labels.shape[1] / size[1]).astype(int)
    resized: Shaped[np.ndarray, "h w"] = labels[rows[:, None], columns[None, :]]
    return resized
