"""A source into a folder of files: everything that is asked for, whole or absent."""

import json
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from kinedepth.data.video import frames as video_frames
from kinedepth.errors import KinedepthError
from kinedepth.inference.files import read_depth
from kinedepth.inference.poses import read_kitti, read_tum
from kinedepth.inference.predictor import Predictor
from kinedepth.inference.session import Wanted, predict_source
from kinedepth.method import Method

Make = Callable[..., np.ndarray]
COUNT = 6
ALL = Wanted(
    ("npy", "npz", "png16"), poses=("tum", "kitti"), fps=29.97002997, batch=4, checkpoint="best.safetensors"
)


def _frames(
    picture: Make, count: int = COUNT, size: tuple[int, int] = (45, 83)
) -> Iterator[tuple[str, float, np.ndarray]]:
    for index in range(count):
        yield f"{index:06d}", index / 10, picture(index, *size)


@pytest.fixture
def written(tmp_path: Path, predictor: Predictor, picture: Make) -> Path:
    predict_source(predictor, _frames(picture), tmp_path / "out", ALL)
    return tmp_path / "out"


def test_everything_that_was_asked_for(written: Path) -> None:
    kinds = {path.relative_to(written).parts[0] for path in written.rglob("*")}
    folders = {"depth", "depth_npz", "depth_png16"}
    assert kinds == folders | {"depth.mp4", "poses_tum.txt", "poses_kitti.txt", "prediction.json"}
    assert [path.name for path in written.parent.iterdir()] == ["out"]


@pytest.mark.parametrize("place", ["depth/{}.npy", "depth_npz/{}.npz", "depth_png16/{}.png"])
def test_depth_is_the_predictors(written: Path, predictor: Predictor, picture: Make, place: str) -> None:
    for name, _, image in _frames(picture):
        depth, note = read_depth(written / place.format(name))
        np.testing.assert_allclose(
            depth, predictor.infer(image).depth, rtol=1e-5, atol=0.5 / (note.factor or 1e9)
        )
        assert (note.scale, note.source) == ("relative", "monocular video")


def test_one_png_factor_for_the_clip(written: Path) -> None:
    factors = {read_depth(path)[1].factor for path in (written / "depth_png16").glob("*.png")}
    assert factors == {json.loads((written / "prediction.json").read_text())["factor"]}


def test_video_has_the_inputs_rate_and_number_of_frames(written: Path) -> None:
    with av.open(str(written / "depth.mp4")) as container:
        assert container.streams.video[0].average_rate == Fraction(30000, 1001)
        assert container.streams.video[0].frames == COUNT
    assert next(video_frames(written / "depth.mp4")).shape == (46, 84, 3)


def test_trajectories_are_the_predictors(written: Path, predictor: Predictor, picture: Make) -> None:
    expected = predictor.trajectory([image for _, _, image in _frames(picture)])
    times, tum = read_tum(written / "poses_tum.txt")
    np.testing.assert_allclose(times, np.arange(COUNT) / 10, atol=1e-9)
    np.testing.assert_allclose(tum, expected, atol=1e-9)
    np.testing.assert_allclose(read_kitti(written / "poses_kitti.txt"), expected, atol=1e-9)
    assert "relative" in (written / "poses_tum.txt").read_text()


def test_the_note_says_what_it_is(written: Path) -> None:
    note = json.loads((written / "prediction.json").read_text())
    assert (note["scale"], note["scale_source"]) == ("relative", "monocular video")
    assert (note["frames"], note["sizes"], note["checkpoint"]) == (COUNT, [[45, 83]], "best.safetensors")
    assert note["poses"].startswith("camera-to-world")
    assert note["files"] == [
        "depth",
        "depth_png16",
        "depth_npz",
        "depth.mp4",
        "poses_tum.txt",
        "poses_kitti.txt",
    ]
    assert any("even" in remark for remark in note["notes"])


def test_one_color_range_for_the_clip(
    tmp_path: Path, picture: Make, method_with: Callable[..., Method]
) -> None:
    """Equal depth has one colour in every frame, whatever else is in the frame."""
    predictor = Predictor(method_with(()), (32, 64))
    half, full = np.full((32, 64, 3), 120, np.uint8), np.full((32, 64, 3), 120, np.uint8)
    full[:, :32] = 255
    predict_source(predictor, [("a", 0.0, half), ("b", 0.1, full)], tmp_path / "out", Wanted(fps=None))
    shown = [np.asarray(Image.open(tmp_path / "out" / "depth_color" / f"{name}.png")) for name in "ab"]
    np.testing.assert_array_equal(shown[0][10, 60], shown[1][10, 60])
    assert (shown[1][10, 4] != shown[1][10, 60]).any()


def test_side_by_side_is_input_over_depth(tmp_path: Path, predictor: Predictor, picture: Make) -> None:
    wanted = Wanted(("png16",), side_by_side=True, fps=10)
    predict_source(predictor, _frames(picture, 2, (46, 84)), tmp_path / "out", wanted)
    first = next(video_frames(tmp_path / "out" / "depth.mp4"))
    assert first.shape == (92, 84, 3)
    assert np.abs(first[:46].astype(float) - picture(0, 46, 84)).mean() < 6
    assert not (tmp_path / "out" / "depth").exists()
    assert not (tmp_path / "out" / ".work").exists()


def test_clip_anchor_gives_every_frame_one_median(
    tmp_path: Path, predictor: Predictor, picture: Make
) -> None:
    predict_source(predictor, _frames(picture), tmp_path / "out", Wanted(("npy",), clip_anchor=True, fps=10))
    files = sorted((tmp_path / "out" / "depth").glob("*.npy"))
    anchor = json.loads((tmp_path / "out" / "prediction.json").read_text())["range_anchor"]
    expected = np.median([np.median(predictor.infer(image).depth) for _, _, image in _frames(picture)])
    assert anchor == pytest.approx(expected, rel=1e-5)
    np.testing.assert_allclose([np.median(read_depth(path)[0]) for path in files], anchor, rtol=1e-5)
    assert "median" in read_depth(files[0])[1].source
    assert read_depth(files[0])[1].scale == "relative"


def test_sizes_may_differ(tmp_path: Path, predictor: Predictor, picture: Make) -> None:
    frames = [("wide", 0.0, picture(0, 20, 60)), ("deep/tall", 0.1, picture(1, 60, 20))]
    done = predict_source(predictor, frames, tmp_path / "out", Wanted(fps=10))
    assert any("differ in size" in note for note in done.notes)
    assert read_depth(tmp_path / "out" / "depth" / "deep" / "tall.npy")[0].shape == (60, 20)
    assert (tmp_path / "out" / "depth_color" / "deep" / "tall.png").is_file()


def test_a_factor_that_does_not_fit_is_said(tmp_path: Path, predictor: Predictor, picture: Make) -> None:
    done = predict_source(
        predictor, _frames(picture), tmp_path / "out", Wanted(("png16",), png_factor=60000.0)
    )
    assert any("PNG16" in note and "no value" in note for note in done.notes)


def test_progress_counts(tmp_path: Path, predictor: Predictor, picture: Make) -> None:
    seen: list[int] = []
    predict_source(predictor, _frames(picture), tmp_path / "out", progress=seen.append)
    assert seen == list(range(1, COUNT + 1))


def _broken(picture: Make) -> Iterator[tuple[str, float, np.ndarray]]:
    yield from _frames(picture, 3)
    raise KinedepthError("000003.jpg is damaged")


def _twice(picture: Make) -> Iterator[tuple[str, float, np.ndarray]]:
    yield from _frames(picture, 2)
    yield from _frames(picture, 1)


def _none(picture: Make) -> Iterator[tuple[str, float, np.ndarray]]:
    yield from ()


def _outside(picture: Make) -> Iterator[tuple[str, float, np.ndarray]]:
    yield "../escaped", 0.0, picture()


@pytest.mark.parametrize(
    ("frames", "why"),
    [(_broken, "is damaged"), (_twice, "Two frames"), (_none, "no frame"), (_outside, "cannot name a file")],
)
def test_nothing_is_left_of_a_failure(
    tmp_path: Path, predictor: Predictor, picture: Make, frames: Callable[[Make], Iterator], why: str
) -> None:
    with pytest.raises(KinedepthError, match=why):
        predict_source(predictor, frames(picture), tmp_path / "out", ALL)
    assert not list(tmp_path.iterdir())


def test_poses_of_a_method_without_any(
    tmp_path: Path, picture: Make, method_with: Callable[..., Method]
) -> None:
    with pytest.raises(KinedepthError, match="no pose"):
        predict_source(Predictor(method_with(()), (32, 64)), _frames(picture), tmp_path / "out", ALL)
    assert not list(tmp_path.iterdir())


def test_an_older_result_stays_unless_asked(written: Path, predictor: Predictor, picture: Make) -> None:
    with pytest.raises(KinedepthError, match="not empty"):
        predict_source(predictor, _frames(picture), written, ALL)
    predict_source(predictor, _frames(picture, 2), written, Wanted(("npy",), overwrite=True))
    assert json.loads((written / "prediction.json").read_text())["frames"] == 2
    assert not (written / "depth_png16").exists()


def test_same_source_same_files(tmp_path: Path, predictor: Predictor, picture: Make) -> None:
    for name in "ab":
        predict_source(predictor, _frames(picture), tmp_path / name, ALL)
    first = {
        path.relative_to(tmp_path / "a"): path.read_bytes()
        for path in (tmp_path / "a").rglob("*.*")
        if path.is_file() and path.suffix != ".npz"
    }
    second = {path: (tmp_path / "b" / path).read_bytes() for path in first}
    assert first == second
