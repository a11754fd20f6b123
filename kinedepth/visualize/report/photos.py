"""Pictures that travel inside a page, as JPEG in a data URI."""

import base64
import io

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from kinedepth.visualize.report.content import Photo

WIDEST = 1200
"""Pixels; a page is 1100 wide."""
QUALITY = 78


def photo(picture: UInt8[np.ndarray, "h w 3"], alt: str, caption: str = "", widest: int = WIDEST) -> Photo:
    """The picture as part of a page, made smaller where it is wider than `widest` pixels."""
    image = Image.fromarray(picture)
    if image.width > widest:
        height = max(1, round(image.height * widest / image.width))
        image = image.resize((widest, height), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    image.save(file, "JPEG", quality=QUALITY, optimize=True, subsampling=0)
    return Photo(data_uri(file.getvalue(), "image/jpeg"), image.width, image.height, alt, caption)


def data_uri(content: bytes, media_type: str) -> str:
    """Bytes as an address that holds them."""
    return f"data:{media_type};base64,{base64.b64encode(content).decode('ascii')}"
