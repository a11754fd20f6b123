"""Small pictures and videos, and a cache folder that is not the user's."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

Pictures = Callable[..., list[Path]]
Film = Callable[..., Path]


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The cache folder of this test."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))
    return folder


def scene(index: int, size: tuple[int, int]) -> np.ndarray:
    """A picture whose gray tells its number, brighter to the right and below."""
    y, x = np.mgrid[: size[0], : size[1]]
    pixels = np.stack(
        (x * 127 // size[1] + 4 * index, y * 127 // size[0] + 4 * index, np.full(size, 4 * index)), -1
    )
    return pixels.astype(np.uint8)


@pytest.fixture
def pictures() -> Pictures:
    """Writes numbered pictures: pictures(folder, count=5, size=(64, 96), start=0, ending="png")."""

    def write(folder: Path, count: int = 5, size: tuple[int, int] = (64, 96), **names: object) -> list[Path]:
        folder.mkdir(parents=True, exist_ok=True)
        start, ending = int(str(names.get("start", 0))), names.get("ending", "png")
        paths = [folder / f"{i:06d}.{ending}" for i in range(start, start + count)]
        for i, path in enumerate(paths):
            Image.fromarray(scene(i, size)).save(path)
        return paths

    return write


@pytest.fixture
def film() -> Film:
    """Writes a video: film(path, count=8, size=(64, 96), fps=12, turn=0)."""

    def write(
        path: Path, count: int = 8, size: tuple[int, int] = (64, 96), fps: int = 12, turn: int = 0
    ) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        with av.open(str(path), "w") as container:
            stream = container.add_stream("mpeg4", rate=Fraction(fps))
            stream.width, stream.height, stream.pix_fmt = size[1], size[0], "yuv420p"
            stream.bit_rate = 4_000_000
            if turn:
                stream.set_display_rotation(turn)
            for i in range(count):
                container.mux(stream.encode(av.VideoFrame.from_ndarray(scene(i, size), format="rgb24")))
            container.mux(stream.encode())
        return path

    return write
