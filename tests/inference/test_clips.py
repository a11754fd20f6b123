"""What a user gives, frame by frame."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from kinedepth.data.camera_files import guessed
from kinedepth.data.moments import Frame
from kinedepth.data.moments import Sequence as Drive
from kinedepth.errors import KinedepthError
from kinedepth.inference.clips import chunks, clip_of, neighborhoods, open_clip
from kinedepth.inference.video import Timing, video_writer

Make = Callable[..., np.ndarray]


@pytest.mark.parametrize(
    ("offsets", "expected"),
    [
        ((), ["a", "b", "c", "d"]),
        ((-1,), ["aa", "ba", "cb", "dc"]),
        ((-1, 1), ["aab", "bac", "cbd", "dcd"]),
        ((2,), ["ac", "bd", "cd", "dd"]),
        ((-3, -1), ["aaa", "baa", "cab", "dac"]),
    ],
)
def test_neighbourhoods(offsets: tuple[int, ...], expected: list[str]) -> None:
    assert ["".join(window) for window in neighborhoods("abcd", offsets)] == expected


@pytest.mark.parametrize(("size", "expected"), [(1, ["a", "b", "c"]), (2, ["ab", "c"]), (5, ["abc"])])
def test_chunks(size: int, expected: list[str]) -> None:
    assert ["".join(chunk) for chunk in chunks("abc", size)] == expected


def _video(path: Path, count: int) -> Path:
    with video_writer(path, Fraction(30000, 1001)) as video:
        for index in range(count):
            video.write(np.full((32, 48, 3), 40 * index, np.uint8))
    return path


def test_a_video(tmp_path: Path) -> None:
    clip = open_clip(_video(tmp_path / "drive.mp4", 4), fps=5)
    assert (clip.count, clip.fps) == (4, Fraction(30000, 1001))
    names, times, pictures = zip(*clip.frames(), strict=True)
    assert names == ("000000", "000001", "000002", "000003")
    np.testing.assert_allclose(times, np.arange(4) * 1001 / 30000)
    np.testing.assert_allclose([picture.mean() for picture in pictures], [0, 40, 80, 120], atol=3)
    assert len(list(clip.frames())) == 4


def test_a_phones_video_stands_upright(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "phone.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 32, "yuv420p"
        stream.set_display_rotation(-90)
        for _ in range(2):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((32, 64, 3), np.uint8), "rgb24")))
        container.mux(stream.encode(None))
    clip = open_clip(tmp_path / "phone.mp4")
    assert next(clip.frames())[2].shape == (64, 32, 3)
    assert clip.timing == Timing(Fraction(10), rotation=270)


def test_a_varying_rate(tmp_path: Path) -> None:
    seconds = [0.0, 0.1, 0.2, 0.7, 0.8]
    with video_writer(tmp_path / "a.mp4", Timing(Fraction(5), uneven=True)) as video:
        for second in seconds:
            video.write(np.zeros((32, 48, 3), np.uint8), second, 0.1)
    clip = open_clip(tmp_path / "a.mp4")
    assert clip.uneven
    np.testing.assert_allclose([time for _, time, _ in clip.frames()], seconds, atol=1e-4)


@pytest.mark.parametrize(("fps", "expected"), [(None, [5.0, 5.1, 5.3]), (4, [0.0, 0.25, 0.5])])
def test_times_beside_the_pictures(
    tmp_path: Path, picture: Make, fps: int | None, expected: list[float]
) -> None:
    """They count, unless the user gives a rate."""
    frames = tuple(Frame(tmp_path / f"{index}.png") for index in range(3))
    for frame in frames:
        Image.fromarray(picture()).save(frame.path)
    drive = Drive("a", frames, guessed((45, 83)), (45, 83), fps=20 / 3, times=(5.0, 5.1, 5.3))
    clip = clip_of(drive, fps)
    assert [time for _, time, _ in clip.frames()] == pytest.approx(expected)
    assert clip.fps == pytest.approx(fps or 20 / 3, rel=1e-5)


@pytest.mark.parametrize(("fps", "step"), [(None, 1.0), (10, 0.1)])
def test_a_folder(tmp_path: Path, picture: Make, fps: int | None, step: float) -> None:
    for index in (10, 9, 2):
        Image.fromarray(picture(index)).save(tmp_path / f"frame{index}.png")
    (tmp_path / "notes.txt").write_text("x")
    clip = open_clip(tmp_path, fps)
    assert (clip.count, clip.fps) == (3, fps)
    assert [name for name, _, _ in clip.frames()] == ["frame2", "frame9", "frame10"]
    np.testing.assert_allclose([time for _, time, _ in clip.frames()], [0, step, 2 * step])


def test_a_picture(tmp_path: Path, picture: Make) -> None:
    Image.fromarray(picture()).save(tmp_path / "one.PNG")
    [(name, time, image)] = open_clip(tmp_path / "one.PNG").frames()
    assert (name, time) == ("one", 0.0)
    np.testing.assert_array_equal(image, picture())


def test_a_damaged_picture_in_the_middle_is_named(tmp_path: Path, picture: Make) -> None:
    for index in range(3):
        Image.fromarray(picture(index)).save(tmp_path / f"{index}.jpg")
    (tmp_path / "1.jpg").write_bytes((tmp_path / "1.jpg").read_bytes()[:300])
    frames = open_clip(tmp_path).frames()
    next(frames)
    with pytest.raises(KinedepthError, match=r"1\.jpg"):
        next(frames)


def _nothing(path: Path) -> Path:
    return path / "nothing.mp4"


def _empty(path: Path) -> Path:
    (path / "empty.mp4").touch()
    return path / "empty.mp4"


def _text(path: Path) -> Path:
    (path / "text.mp4").write_text("no video" * 100)
    return path / "text.mp4"


def _lone(path: Path) -> Path:
    return _video(path / "lone.mp4", 1)


def _folder(path: Path) -> Path:
    (path / "empty").mkdir()
    return path / "empty"


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (_nothing, "nothing.mp4"),
        (_empty, "empty.mp4"),
        (_text, "text.mp4"),
        (_lone, "lone.mp4"),
        (_folder, "empty"),
    ],
)
def test_refusals(tmp_path: Path, make: Callable[[Path], Path], name: str) -> None:
    path = make(tmp_path)
    with pytest.raises(KinedepthError, match=name):
        open_clip(path)
