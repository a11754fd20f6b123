"""Video out: rate, number of frames, colours, one range for a clip."""

import errno
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from kinedepth.data.video import frames, probe
from kinedepth.errors import KinedepthError
from kinedepth.inference.video import DepthHistogram, Timing, exact_rate, lengths, video_writer


def _write(path: Path, fps: Fraction, size: tuple[int, int], count: int) -> None:
    with video_writer(path, fps, "scale relative") as video:
        for index in range(count):
            video.write(np.full((*size, 3), (30 * index, 90, 200), np.uint8))


@pytest.mark.parametrize(
    "fps", [Fraction(10), Fraction(30000, 1001), Fraction(24000, 1001), Fraction(1, 2), Fraction(60)]
)
def test_rate_and_number_of_frames(tmp_path: Path, fps: Fraction) -> None:
    _write(tmp_path / "out.mp4", fps, (48, 64), 7)
    with av.open(str(tmp_path / "out.mp4")) as container:
        stream = container.streams.video[0]
        times = [frame.time for frame in container.decode(stream)]
        assert stream.average_rate == fps
        assert stream.frames == 7
        assert (stream.codec_context.name, stream.codec_context.pix_fmt) == ("h264", "yuv420p")
        assert container.metadata["comment"] == "scale relative"
    np.testing.assert_allclose(times, [index / float(fps) for index in range(7)], atol=1e-4)


@pytest.mark.parametrize("fps", [Fraction(10), Fraction(30000, 1001)])
@pytest.mark.parametrize("count", [2, 7, 40])
def test_the_last_frame_lasts_as_long_as_the_others(tmp_path: Path, fps: Fraction, count: int) -> None:
    with video_writer(tmp_path / "out.mp4", fps) as video:
        for index in range(count):
            video.write(np.full((32, 32, 3), index, np.uint8))
    assert probe(tmp_path / "out.mp4").duration == pytest.approx(count / float(fps))


@pytest.mark.parametrize("rotation", [0, 90, 180, 270])
@pytest.mark.parametrize("size", [(48, 64), (47, 61)])
def test_players_turn_what_is_stored_as_in_the_input(
    tmp_path: Path, rotation: int, size: tuple[int, int]
) -> None:
    upright = np.zeros((*size, 3), np.uint8)
    upright[: size[0] // 2, : size[1] // 2] = 255
    with video_writer(tmp_path / "out.mp4", Timing(Fraction(10), rotation=rotation)) as video:
        video.write(upright)
        video.write(upright)
    assert probe(tmp_path / "out.mp4").rotation == rotation
    with av.open(str(tmp_path / "out.mp4")) as container:
        stored = next(container.decode(container.streams.video[0]))
        assert round(stored.rotation) % 360 == rotation
        assert (stored.height > stored.width) == (rotation in (90, 270))
    shown = next(frames(tmp_path / "out.mp4"))[: size[0], : size[1]]
    assert np.abs(shown.astype(float) - upright).mean() < 4


def test_a_varying_rate_is_kept(tmp_path: Path) -> None:
    seconds = [0.0, 0.1, 0.144, 0.45, 0.46, 1.2]
    fps = Fraction(6) / Fraction(3, 2)
    with video_writer(tmp_path / "out.mp4", Timing(fps, uneven=True)) as video:
        for index, (second, span) in enumerate(zip(seconds, lengths(seconds, fps), strict=True)):
            video.write(np.full((32, 32, 3), index, np.uint8), second, span)
    seen = probe(tmp_path / "out.mp4")
    np.testing.assert_allclose(seen.times, seconds, atol=1e-4)
    assert seen.uneven
    assert seen.duration == pytest.approx(1.5, abs=1e-4)


def test_two_frames_at_one_time_are_both_kept(tmp_path: Path) -> None:
    with video_writer(tmp_path / "out.mp4", Timing(Fraction(10), uneven=True)) as video:
        for second in (0.0, 0.1, 0.1, 0.05, 0.3):
            video.write(np.zeros((32, 32, 3), np.uint8), second, 0.1)
    assert probe(tmp_path / "out.mp4").count == 5


@pytest.mark.parametrize(("size", "padded"), [((48, 64), (48, 64)), ((47, 63), (48, 64)), ((1, 2), (2, 2))])
def test_odd_sizes_are_padded(tmp_path: Path, size: tuple[int, int], padded: tuple[int, int]) -> None:
    _write(tmp_path / "out.mp4", Fraction(10), size, 3)
    assert probe(tmp_path / "out.mp4").size == padded


def test_colors_survive(tmp_path: Path) -> None:
    _write(tmp_path / "out.mp4", Fraction(10), (48, 64), 5)
    for index, frame in enumerate(frames(tmp_path / "out.mp4")):
        assert np.abs(frame.mean((0, 1)) - (30 * index, 90, 200)).max() < 4


def test_same_frames_same_bytes(tmp_path: Path) -> None:
    _write(tmp_path / "a.mp4", Fraction(10), (48, 64), 5)
    _write(tmp_path / "b.mp4", Fraction(10), (48, 64), 5)
    assert (tmp_path / "a.mp4").read_bytes() == (tmp_path / "b.mp4").read_bytes()


@pytest.mark.parametrize("failure", [RuntimeError("bug"), OSError(errno.ENOSPC, "No space left")])
def test_absent_after_a_failure(tmp_path: Path, failure: Exception) -> None:
    expected = KinedepthError if isinstance(failure, OSError) else RuntimeError

    def fail() -> None:
        with video_writer(tmp_path / "out.mp4", Fraction(10)) as video:
            video.write(np.zeros((48, 64, 3), np.uint8))
            raise failure

    with pytest.raises(expected):
        fail()
    assert not list(tmp_path.iterdir())


def test_sizes_must_agree(tmp_path: Path) -> None:
    with video_writer(tmp_path / "out.mp4", Fraction(10)) as video:
        video.write(np.zeros((48, 64, 3), np.uint8))
        with pytest.raises(KinedepthError, match="Frame 1"):
            video.write(np.zeros((48, 66, 3), np.uint8))


def test_no_frame_no_video(tmp_path: Path) -> None:
    with pytest.raises(KinedepthError, match="no frame"), video_writer(tmp_path / "out.mp4", Fraction(10)):
        pass
    assert not list(tmp_path.iterdir())


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(KinedepthError, match=r"nowhere/out.mp4"):
        _write(tmp_path / "nowhere" / "out.mp4", Fraction(10), (48, 64), 2)


@pytest.mark.parametrize(
    ("fps", "exact"),
    [(29.97002997002997, Fraction(30000, 1001)), (10.0, Fraction(10)), (23.976023976, Fraction(24000, 1001))],
)
def test_television_rates_are_exact(fps: float, exact: Fraction) -> None:
    assert exact_rate(fps) == exact


class TestHistogram:
    @pytest.fixture
    def clip(self) -> list[np.ndarray]:
        rng = np.random.default_rng(0)
        return [np.exp(rng.normal(index / 3, 1, (40, 50))).astype(np.float32) for index in range(5)]

    @pytest.mark.parametrize("percent", [0.0, 5.0, 50.0, 95.0, 100.0])
    def test_percentiles_are_numpys(self, clip: list[np.ndarray], percent: float) -> None:
        histogram = DepthHistogram()
        for depth in clip:
            histogram.add(depth)
        expected = np.percentile(1 / np.concatenate(clip), percent, method="inverted_cdf")
        assert histogram.percentile(percent) == pytest.approx(expected, rel=1e-3)

    def test_invalid_pixels_do_not_count(self) -> None:
        histogram = DepthHistogram()
        histogram.add(np.array([[0.0, np.nan, np.inf, -2.0, 4.0]], dtype=np.float32))
        assert histogram.limits() == pytest.approx((0.25, 0.25), rel=1e-3)

    def test_nothing_counted(self) -> None:
        assert DepthHistogram().limits() == (0.0, 0.0)
