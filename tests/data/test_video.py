import os
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace

import av
import cv2
import numpy as np
import pytest

from kinedepth.data import store, video
from kinedepth.data.moments import Frame
from kinedepth.data.store import DecodedVideos, FrameStore
from kinedepth.errors import KinedepthError

Film = Callable[..., Path]
SIZE = (32, 64)


@pytest.mark.parametrize("ending", ["mp4", "avi", "mov", "mkv"])
def test_what_a_video_holds(ending: str, tmp_path: Path, film: Film) -> None:
    seen = video.probe(film(tmp_path / f"my drive é.{ending}", count=9, size=(64, 96), fps=12))
    assert (seen.count, seen.size, seen.rotation) == (9, (64, 96), 0)
    assert seen.fps == pytest.approx(12)
    assert seen.duration == pytest.approx(0.75)


def test_frames_come_in_order(tmp_path: Path, film: Film) -> None:
    brightness = [pixels[..., 2].mean() for pixels in video.frames(film(tmp_path / "a.mp4", count=8))]
    assert brightness == pytest.approx([4 * i for i in range(8)], abs=3)


def test_some_frames_of_a_video(tmp_path: Path, film: Film) -> None:
    path = film(tmp_path / "a.mp4", count=8)
    whole = list(video.frames(path))
    part = list(video.frames(path, 2, 5))
    assert len(part) == 3
    assert all((a == b).all() for a, b in zip(part, whole[2:5], strict=True))


@pytest.mark.parametrize("size", [(717, 1279), (65, 97)])
def test_odd_sizes(size: tuple[int, int], tmp_path: Path, film: Film) -> None:
    path = film(tmp_path / "a.mp4", size=size)
    assert video.probe(path).size == size
    assert next(video.frames(path)).shape == (*size, 3)


@pytest.mark.parametrize("turn", [90, 180, 270, -90])
def test_rotation_tag_is_applied(turn: int, tmp_path: Path, film: Film) -> None:
    plain = next(video.frames(film(tmp_path / "plain.mp4")))
    path = film(tmp_path / "turned.mp4", turn=turn)
    upright = next(video.frames(path))
    assert video.probe(path).size == upright.shape[:2]
    assert (upright == np.rot90(plain, turn // 90)).all()


def uneven(path: Path, stamps: list[int]) -> Path:
    """A video whose frames are shown at these milliseconds."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=1000)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        for i, stamp in enumerate(stamps):
            frame = av.VideoFrame.from_ndarray(np.full((64, 96, 3), 20 * i, np.uint8), format="rgb24")
            frame.pts, frame.time_base = stamp, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path


@pytest.mark.parametrize("ending", ["mp4", "mkv"])
def test_uneven_rates_are_told(ending: str, tmp_path: Path) -> None:
    stamps = [0, 40, 80, 160, 200, 320, 360]
    path = uneven(tmp_path / f"a.{ending}", stamps)
    seen = video.probe(path)
    assert seen.uneven
    assert seen.times == pytest.approx([stamp / 1000 for stamp in stamps], abs=2e-3)
    found = list(video.timed_frames(path))
    assert [second for second, _ in found] == pytest.approx(seen.times, abs=2e-3)
    assert [pixels.mean() for _, pixels in found] == pytest.approx([20 * i for i in range(7)], abs=3)


@pytest.mark.parametrize("ending", ["mp4", "mkv"])
def test_the_mean_of_an_uneven_rate_is_that_of_its_frames(ending: str, tmp_path: Path) -> None:
    seen = video.probe(uneven(tmp_path / f"a.{ending}", [0, 40, 80, 160, 200, 320, 360, 400, 520, 560, 600]))
    assert seen.fps == pytest.approx(10 / 0.6, rel=0.1)  # where the header of the second says 1000
    assert seen.duration == pytest.approx(0.66, rel=0.1)


@pytest.mark.parametrize("ending", ["mp4", "mkv", "avi"])
@pytest.mark.parametrize("fps", [12, 30])
def test_even_rates_are_even(ending: str, fps: int, tmp_path: Path, film: Film) -> None:
    seen = video.probe(film(tmp_path / f"a.{ending}", count=9, fps=fps))
    assert not seen.uneven
    assert seen.times == pytest.approx([i / fps for i in range(9)], abs=2e-3)


def test_frames_without_stamps_follow_the_mean_rate(
    tmp_path: Path, film: Film, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = film(tmp_path / "a.mp4", count=4, fps=10)
    decoded = video._decoded

    def unstamped(path: Path) -> Iterator[av.VideoFrame]:
        for frame in decoded(path):
            frame.pts = None
            yield frame

    monkeypatch.setattr(video, "_decoded", unstamped)
    assert [second for second, _ in video.timed_frames(path)] == pytest.approx([0, 0.1, 0.2, 0.3])


@pytest.mark.parametrize("turn", [0, 90, 180])
@pytest.mark.parametrize("at_most", [48, 500])
def test_small_frames_are_the_frames(turn: int, at_most: int, tmp_path: Path, film: Film) -> None:
    path = film(tmp_path / "a.mp4", count=3, turn=turn)
    height, width = video.probe(path).size
    for small, whole in zip(video.small_frames(path, at_most, "rgb24"), video.frames(path), strict=True):
        factor = min(1.0, at_most / width)
        assert small.shape == (round(height * factor), round(width * factor), 3)
        expected = cv2.resize(whole, small.shape[1::-1], interpolation=cv2.INTER_AREA)
        assert abs(small.astype(float) - expected).mean() < 3
    assert next(video.small_frames(path, at_most)).ndim == 2


def test_missing_video_is_refused(tmp_path: Path) -> None:
    with pytest.raises(KinedepthError, match="no video .*gone.mp4"):
        video.probe(tmp_path / "gone.mp4")


def test_empty_video_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").touch()
    with pytest.raises(KinedepthError, match=r"a.mp4 is empty \(0 bytes\)"):
        video.probe(tmp_path / "a.mp4")


def test_one_frame_is_no_video(tmp_path: Path, film: Film) -> None:
    with pytest.raises(KinedepthError, match=r"a.mp4 has 1 frame\(s\)"):
        video.probe(film(tmp_path / "a.mp4", count=1))


@pytest.mark.parametrize("content", [b"hello" * 99, bytes(5000)])
def test_other_files_are_no_videos(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(content)
    with pytest.raises(KinedepthError, match="a.mp4 is not a video"):
        video.probe(tmp_path / "a.mp4")


def test_folder_is_no_video(tmp_path: Path) -> None:
    with pytest.raises(KinedepthError, match="is a folder"):
        video.probe(tmp_path)


def test_cut_video_is_refused(tmp_path: Path, film: Film) -> None:
    path = film(tmp_path / "a.mp4")
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(KinedepthError, match="a.mp4"):
        video.probe(path)


def test_video_that_promises_more_than_it_holds(
    tmp_path: Path, film: Film, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = film(tmp_path / "a.mp4", count=8)
    real = video.frames
    monkeypatch.setattr(store, "frames", lambda path, stop: real(path, stop=6))
    with pytest.raises(KinedepthError, match="has 8 frames but only 6 can be decoded"):
        DecodedVideos().frame(path, 0, SIZE)
    assert not list(store.cache_folder().iterdir())


def test_stored_frame_is_the_decoded_frame(tmp_path: Path, film: Film) -> None:
    path = film(tmp_path / "a.mp4", size=(64, 96))
    stored = FrameStore((64, 96)).read(Frame(path, 5))
    assert (stored == list(video.frames(path))[5].transpose(2, 0, 1)).all()


def test_nothing_is_written_beside_the_video(tmp_path: Path, cache: Path, film: Film) -> None:
    path = film(tmp_path / "clips" / "a.mp4", count=8)
    DecodedVideos().frame(path, 3, SIZE)
    assert [entry.name for entry in path.parent.iterdir()] == ["a.mp4"]
    assert [entry.stat().st_size for entry in (cache / "kinedepth" / "frames").iterdir()] == [8 * 3 * 32 * 64]


def test_later_runs_use_the_decoded_file(tmp_path: Path, film: Film, monkeypatch: pytest.MonkeyPatch) -> None:
    path = film(tmp_path / "a.mp4")
    before = DecodedVideos().frame(path, 3, SIZE).copy()
    monkeypatch.setattr(store, "frames", None)
    assert (DecodedVideos().frame(path, 3, SIZE) == before).all()


def test_changed_video_is_decoded_again(tmp_path: Path, film: Film) -> None:
    path = film(tmp_path / "a.mp4", count=8)
    DecodedVideos().frame(path, 3, SIZE)
    os.utime(path, (1, 1))
    DecodedVideos().frame(path, 3, SIZE)
    assert len(list(store.cache_folder().iterdir())) == 2


def test_oldest_file_makes_room(tmp_path: Path, film: Film) -> None:
    one, two = film(tmp_path / "a.mp4"), film(tmp_path / "b.mp4")
    DecodedVideos().frame(one, 0, SIZE)
    kept = next(store.cache_folder().iterdir())
    DecodedVideos(disk=9 * 3 * 32 * 64).frame(two, 0, SIZE)
    assert not kept.exists()
    assert len(list(store.cache_folder().iterdir())) == 1


def test_file_in_use_stays(tmp_path: Path, film: Film) -> None:
    decoded = DecodedVideos(disk=9 * 3 * 32 * 64)
    first = decoded.frame(film(tmp_path / "a.mp4"), 0, SIZE)
    decoded.frame(film(tmp_path / "b.mp4"), 0, SIZE)
    assert len(list(store.cache_folder().iterdir())) == 2
    assert first.shape == (3, *SIZE)


def test_video_beyond_the_bound_is_refused(tmp_path: Path, film: Film) -> None:
    with pytest.raises(KinedepthError, match="a.mp4 take .* GB, more than"):
        DecodedVideos(disk=1000).frame(film(tmp_path / "a.mp4"), 0, SIZE)


def test_full_disk_leaves_nothing_behind(tmp_path: Path, film: Film, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    path = film(tmp_path / "a.mp4")
    monkeypatch.setattr(store, "as_pixels", full)
    with pytest.raises(KinedepthError, match="No space left on device"):
        DecodedVideos().frame(path, 0, SIZE)
    assert not list(store.cache_folder().iterdir())


def test_temporary_folder_goes_with_its_owner(tmp_path: Path, film: Film) -> None:
    decoded = DecodedVideos(tmp_path, temporary=True)
    decoded.frame(film(tmp_path / "clip" / "a.mp4"), 0, SIZE)
    folder = decoded.folder
    assert list(folder.iterdir())
    del decoded
    assert not folder.exists()


def test_real_video(real_data_root: Path) -> None:
    seen = video.probe(real_data_root / "dashcam_udacity" / "test_video.mp4")
    assert (seen.count, seen.size, seen.fps) == (38, (720, 1280), 25.0)
    assert next(video.frames(seen.path)).shape == (720, 1280, 3)


def test_leftovers_of_a_killed_run_are_removed(tmp_path: Path, film: Film) -> None:
    DecodedVideos().frame(film(tmp_path / "a.mp4"), 0, SIZE)
    old, new = store.cache_folder() / "old.part", store.cache_folder() / "new.part"
    old.touch()
    new.touch()
    os.utime(old, (1, 1))
    DecodedVideos().frame(film(tmp_path / "b.mp4"), 0, SIZE)
    assert not old.exists()
    assert new.exists()


def test_damage_on_the_way_is_placed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Damaged:
        def __enter__(self) -> "Damaged":
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def decode(self, stream: object) -> Iterator[av.VideoFrame]:
            yield av.VideoFrame.from_ndarray(np.zeros((8, 8, 3), np.uint8), format="rgb24")
            raise av.error.InvalidDataError(1, "broken")

    monkeypatch.setattr(video, "_opened", lambda path: (Damaged(), SimpleNamespace()))
    with pytest.raises(KinedepthError, match="a.mp4 is damaged after frame 0"):
        list(video.frames(tmp_path / "a.mp4"))
