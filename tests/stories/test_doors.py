"""Stories of users at the doors: cameras, bad input, misspelt flags. Played by hand, kept here."""

import re
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from PIL import Image

Kinedepth = Callable[..., "object"]
PIXELS = "180 0 149.5 0 180 99.5 0 0 1"
"""K of a picture of 300 x 200."""


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))


def panned(index: int, size: tuple[int, int] = (200, 300)) -> np.ndarray:
    """A texture that moves by four pixels in each picture."""
    noise = np.random.default_rng(3).random((size[0] // 8, (size[1] + 400) // 8, 3))
    wide = cv2.resize((noise * 255).astype(np.uint8), (size[1] + 400, size[0]), interpolation=cv2.INTER_CUBIC)
    return np.ascontiguousarray(wide[:, 4 * index : 4 * index + size[1]])


def pictures(folder: Path, count: int = 9, size: tuple[int, int] = (200, 300)) -> Path:
    folder.mkdir(parents=True)
    for index in range(count):
        Image.fromarray(panned(index, size)).save(folder / f"frame{index}.png")
    return folder


def film(path: Path, frames: list[np.ndarray], times: list[int] | None = None, turn: int = 0) -> Path:
    """A video of 10 frames/s, or of `times` in tenths of a second."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=Fraction(10))
        stream.height, stream.width = frames[0].shape[0] // 2 * 2, frames[0].shape[1] // 2 * 2
        stream.pix_fmt, stream.bit_rate = "yuv420p", 8_000_000
        for index, pixels in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(pixels[: stream.height, : stream.width].copy(), format="rgb24")
            frame.pts, frame.time_base = (times[index] if times else index), Fraction(1, 10)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def camera_lines(said: str) -> list[str]:
    """What a command printed of the camera, without the name of the file."""
    return [re.sub(r"from \S+", "", line) for line in said.splitlines() if line.startswith("camera")]


def test_story_7_pixels_fractions_and_4x4_are_one_camera(
    kinedepth: Kinedepth, small: list[str], tmp_path: Path
) -> None:
    folder = pictures(tmp_path / "frames")
    fx, cx, fy, cy = 180 / 300, 150 / 300, 180 / 200, 100 / 200
    forms = {
        "pixels.txt": PIXELS,
        "fractions.txt": f"{fx} 0 {cx} 0 {fy} {cy} 0 0 1",
        "large.txt": "180 0 149.5 0 0 180 99.5 0 0 0 1 0 0 0 0 1",
    }
    said = []
    for name, text in forms.items():
        (tmp_path / name).write_text(text)
        words = ["--intrinsics", tmp_path / name, "--out", tmp_path / "runs", "--name", name, *small]
        done = kinedepth("train", folder, *words)
        assert done.code == 0, done.err
        said.append(camera_lines(done.out))
    assert said[0] == said[1] == said[2]
    assert "FOV 80 x 58 degrees, centre 0.50/0.50, plausible" in said[0][0]

    (tmp_path / "half.txt").write_text(f"{fx} 0 149.5 0 180 99.5 0 0 1")
    half = kinedepth("train", folder, "--intrinsics", tmp_path / "half.txt", "--out", tmp_path / "no", *small)
    assert half.code == 1
    assert "half normalized: fx=0.6" in half.err
    assert not (tmp_path / "no").exists()


def test_story_25_a_misspelt_flag_and_key_are_mended(kinedepth: Kinedepth, tmp_path: Path) -> None:
    flag = kinedepth("train", tmp_path, "--lerning-rate", "1e-4")
    assert (flag.code, flag.err.count("\n")) == (2, 1)
    assert "did you mean" in flag.err

    (tmp_path / "mine.toml").write_text("[train]\nlerning_rate = 1e-4\n")
    key = kinedepth("train", tmp_path, "--recipe", tmp_path / "mine.toml")
    assert (key.code, key.err.count("\n")) == (2, 1)
    assert "train.lerning_rate" in key.err


def odd(folder: Path) -> Path:
    return pictures(folder, 8, (717, 1279))


def portrait(folder: Path) -> Path:
    path = pictures(folder, 8, (300, 200))
    for picture in sorted(path.iterdir()):
        turned = Image.open(picture).transpose(Image.Transpose.ROTATE_90)
        exif = turned.getexif()
        exif[0x0112] = 6
        turned.save(picture.with_suffix(".jpg"), exif=exif, quality=95)
        picture.unlink()
    return path


def gray(folder: Path) -> Path:
    path = pictures(folder, 8)
    for picture in path.iterdir():
        Image.open(picture).convert("L").save(picture)
    return path


def sixteen_bit(folder: Path) -> Path:
    path = pictures(folder, 8)
    for picture in path.iterdir():
        values = np.asarray(Image.open(picture).convert("L")).astype(np.uint16) * 257
        Image.fromarray(values).save(picture)
    return path


def alpha(folder: Path) -> Path:
    path = pictures(folder, 8)
    for picture in path.iterdir():
        Image.open(picture).convert("RGBA").save(picture)
    return path


def foreign(folder: Path) -> Path:
    return pictures(folder / "Straße nach Zürich, 東京" / "мой фильм", 8)


def uneven(folder: Path) -> Path:
    return film(folder / "v.mp4", [panned(i) for i in range(8)], [0, 1, 2, 5, 6, 7, 11, 12])


def cut(folder: Path) -> Path:
    other = [255 - panned(i)[::-1] for i in range(20, 30)]
    return film(folder / "v.mp4", [panned(i) for i in range(10)] + [np.ascontiguousarray(o) for o in other])


def mixed(folder: Path) -> Path:
    path = pictures(folder, 8)
    for index in range(8, 16):
        Image.fromarray(panned(index, (160, 320))).save(path / f"frame{index}.png")
    return path


@pytest.mark.parametrize("given", [odd, portrait, gray, sixteen_bit, alpha, foreign, uneven, cut, mixed])
def test_story_20_unusual_input_is_learned_from(
    given: Callable[[Path], Path], kinedepth: Kinedepth, small: list[str], tmp_path: Path
) -> None:
    source = given(tmp_path / "given")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "given").rglob("*")}
    steps = [*small, "--train.steps", "1"]
    done = kinedepth("train", source, "--fov", 80, "--out", tmp_path / "runs", "--name", "r", *steps)
    assert done.code == 0, done.err
    assert (tmp_path / "runs/r/checkpoints/last.safetensors").is_file()
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "given").rglob("*")} == before


def still(folder: Path) -> Path:
    noise = np.random.default_rng(0)
    frame = panned(0).astype(np.int16)
    frames = [np.clip(frame + noise.integers(-2, 3, frame.shape), 0, 255).astype(np.uint8) for _ in range(12)]
    return film(folder / "tripod.mp4", frames)


def damaged(folder: Path) -> Path:
    path = pictures(folder, 8)
    (path / "frame4.png").write_bytes((path / "frame4.png").read_bytes()[:300])
    return path


def nothing(folder: Path) -> Path:
    folder.mkdir()
    (folder / "empty.mp4").touch()
    return folder / "empty.mp4"


def single(folder: Path) -> Path:
    return film(folder / "one.mp4", [panned(0)])


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (still, "the camera does not move"),
        (damaged, "frame4.png"),
        (nothing, "is empty (0 bytes)"),
        (single, "1 frame"),
    ],
)
def test_story_20_what_cannot_be_learned_from_is_refused(
    given: Callable[[Path], Path],
    words: str,
    kinedepth: Kinedepth,
    small: list[str],
    tmp_path: Path,
) -> None:
    source = given(tmp_path / "given")
    done = kinedepth("train", source, "--out", tmp_path / "runs", "--name", "r", *small)
    assert done.code == 1
    assert words in done.err
    assert done.err.count("\n") == 1
    assert "Traceback" not in done.out + done.err
    assert not (tmp_path / "runs" / "r").exists()
