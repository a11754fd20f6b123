"""Inputs of every odd kind, from the path that a user gives to a sample that a network sees."""

from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from PIL import Image

from kinedepth.data.choosing import Choice, Rules, choose_all
from kinedepth.data.samples import Samples
from kinedepth.data.source import open_source
from kinedepth.scene import Inputs

ALL = Rules(gap=0, standstill=True, cuts=True, mask="auto")
WIDE = (120, 200)


def views(count: int, size: tuple[int, int] = WIDE, seed: int = 7) -> Iterator[np.ndarray]:
    """A texture that moves by about 1 % of the width."""
    step = round(0.0125 * size[1])
    noise = np.random.default_rng(seed).random((size[0], size[1] + step * count, 3)).astype(np.float32)
    blurred = cv2.GaussianBlur(noise, (0, 0), size[1] / 160)
    world = cv2.normalize(blurred, None, 0, 255, cv2.NORM_MINMAX).astype(np.uint8)
    for i in range(count):
        yield np.ascontiguousarray(world[:, step * i : step * i + size[1]])


def film(path: Path, pictures: Iterator[np.ndarray], turn: int = 0, stamps: list[int] | None = None) -> Path:
    """A video; at these milliseconds where they are given."""
    with av.open(str(path), "w") as container:
        stream = None
        for i, picture in enumerate(pictures):
            if stream is None:
                stream = container.add_stream("mpeg4", rate=Fraction(1000 if stamps else 10))
                stream.height, stream.width, stream.pix_fmt = *picture.shape[:2], "yuv420p"
                stream.bit_rate = 4_000_000
                if turn:
                    stream.set_display_rotation(turn)
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            if stamps:
                frame.pts, frame.time_base = stamps[i], Fraction(1, 1000)
            container.mux(stream.encode(frame))
        assert stream is not None
        container.mux(stream.encode())
    return path


def stills(folder: Path, change: Callable[[np.ndarray], Image.Image], ending: str = "png") -> Path:
    folder.mkdir(parents=True)
    for i, picture in enumerate(views(8)):
        change(picture).save(folder / f"{i}.{ending}")
    return folder


def taken(path: Path) -> Choice:
    """What is taken of the one sequence at `path`; every picture of it can be read."""
    (choice,) = choose_all(open_source(path).sequences, (-1, 1), ALL)
    samples = Samples(list(choice.moments), Inputs((-1, 1)), (64, 96))
    assert samples[0].target.image.std() > 0.02
    return choice


def gray(picture: np.ndarray) -> np.ndarray:
    return cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)


@pytest.mark.parametrize(
    "change",
    [
        lambda p: Image.fromarray(gray(p)),
        lambda p: Image.fromarray(gray(p).astype(np.uint16) * 257),
        lambda p: Image.fromarray(np.dstack((p, np.full(p.shape[:2], 255, np.uint8)))),
        lambda p: Image.fromarray(gray(p)).convert("LA"),
        lambda p: Image.fromarray(p).quantize(64),
    ],
    ids=["gray", "16 bit", "alpha", "gray with alpha", "palette"],
)
def test_pictures_of_other_kinds(change: Callable[[np.ndarray], Image.Image], tmp_path: Path) -> None:
    choice = taken(stills(tmp_path / "a", change))
    assert (len(choice.moments), choice.gap) == (6, 1)
    assert choice.motion is not None
    assert choice.motion.pace == pytest.approx(0.01, rel=0.05)


@pytest.mark.parametrize("name", ["with two  spaces", "Fahrt über Köln", "東京 2026", "a'b\"c"])
def test_paths_of_every_kind(name: str, tmp_path: Path) -> None:
    folder = stills(tmp_path / name / name, Image.fromarray, "jpg")
    video = film(tmp_path / f"{name}.mp4", views(6))
    assert len(taken(folder).moments) == 6
    assert taken(folder.parent).sequence.name == name
    assert len(taken(video).moments) == 4


def test_odd_sides(tmp_path: Path) -> None:
    choice = taken(film(tmp_path / "a.mp4", views(4, (717, 1279))))
    assert (choice.sequence.size, len(choice.moments)) == ((717, 1279), 2)


@pytest.mark.parametrize("turn", [90, -90])
def test_upright_video_of_a_phone(turn: int, tmp_path: Path) -> None:
    choice = taken(film(tmp_path / "a.mp4", views(6), turn))
    assert choice.sequence.size == (200, 120)
    assert choice.sequence.calibration.camera((200, 120)).center.tolist() == [59.5, 99.5]
    assert len(choice.moments) == 4


def test_varying_rate(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mp4", views(6), stamps=[0, 100, 200, 450, 550, 650])
    assert "the frame rate of a varies" in open_source(path).summary()
    assert taken(path).sequence.times == pytest.approx((0, 0.1, 0.2, 0.45, 0.55, 0.65), abs=2e-3)


def test_a_cut_in_the_middle(tmp_path: Path) -> None:
    both = [*views(8), *views(8, seed=1)]
    choice = taken(film(tmp_path / "a.mp4", iter(both)))
    assert choice.across == 2
    targets = [moment.target.index for moment in choice.moments]
    assert targets == [1, 2, 3, 4, 5, 6, 9, 10, 11, 12, 13, 14]


def test_videos_of_several_cameras(tmp_path: Path) -> None:
    film(tmp_path / "a.mp4", views(6))
    film(tmp_path / "b.mov", views(6, (90, 160)))
    (tmp_path / "day").mkdir()
    film(tmp_path / "day" / "c.mkv", views(6), 90)
    source = open_source(tmp_path)
    choices = choose_all(source.sequences, (-1, 1), ALL)
    assert [(c.sequence.name, c.sequence.size, len(c.moments)) for c in choices] == [
        ("a", (120, 200), 4),
        ("b", (90, 160), 4),
        ("day/c", (200, 120), 4),
    ]
    samples = Samples([m for c in choices for m in c.moments], Inputs((-1, 1)), (64, 96))
    assert {tuple(round(f) for f in samples[i].target.camera.focal.tolist()) for i in (0, 4, 8)} == {
        (83, 92),
        (83, 99),
        (139, 55),
    }
