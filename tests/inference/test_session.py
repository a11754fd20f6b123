"""A source into a folder of files: everything that is asked for, whole or absent."""

import json
import tracemalloc
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch
import trimesh
from PIL import Image

from kinedepth.data.lens import depth_on_original, rectification, undistorted
from kinedepth.data.moments import Calibration, Lens
from kinedepth.data.video import frames as video_frames
from kinedepth.data.video import probe
from kinedepth.errors import KinedepthError
from kinedepth.geometry.camera import Camera
from kinedepth.inference.cloud import Cut
from kinedepth.inference.files import Format, read_depth
from kinedepth.inference.painting import Look
from kinedepth.inference.poses import read_kitti, read_tum
from kinedepth.inference.predictor import Predictor, Unit
from kinedepth.inference.session import Clouds, Wanted, predict_source
from kinedepth.inference.video import Timing
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


def test_memory_does_not_grow_with_the_clip(tmp_path: Path, predictor: Predictor, picture: Make) -> None:
    """But for a name, a second, a median and a pose of each frame: a map would be 15,000 bytes."""
    held: list[int] = []
    images = [picture(index) for index in range(7)]
    frames = ((f"{index:06d}", index / 10, images[index % 7]) for index in range(160))
    wanted = Wanted(("npy",), poses=("tum",), colors=False)
    tracemalloc.start()
    try:
        predict_source(
            predictor,
            frames,
            tmp_path / "out",
            wanted,
            progress=lambda _: held.append(tracemalloc.get_traced_memory()[0]),
        )
    finally:
        tracemalloc.stop()
    assert (held[-1] - held[59]) / 100 < 2000


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


class TestLens:
    """A lens is undone before the network, and depth comes back on the frame's own pixels."""

    LENS = rectification(
        Calibration(60.0, 60.0, 41.0, 22.0, 83, 45, Lens("brown", (-0.3, 0.08, 0.001, -0.002)))
    )

    @pytest.fixture
    def out(self, tmp_path: Path, predictor: Predictor, picture: Make) -> Path:
        camera = self.LENS.pinhole.camera((45, 83))
        wanted = Wanted(("npy",), poses=("kitti",), camera=camera, lens=self.LENS, clouds=Clouds())
        predict_source(predictor, _frames(picture, 3), tmp_path / "out", wanted)
        return tmp_path / "out"

    def test_depth_is_on_the_frames_pixels(self, out: Path, predictor: Predictor, picture: Make) -> None:
        depth, note = read_depth(out / "depth" / "000001.npy")
        seen = predictor.infer(undistorted(picture(1), self.LENS)).depth
        np.testing.assert_allclose(depth, depth_on_original(seen, self.LENS), rtol=1e-5)
        assert note.lens == self.LENS.raw.lens
        assert note.camera is not None
        assert note.camera.focal.tolist() == [60, 60]

    def test_poses_are_those_of_the_pinhole(self, out: Path, predictor: Predictor, picture: Make) -> None:
        expected = predictor.trajectory([undistorted(picture(index), self.LENS) for index in range(3)])
        np.testing.assert_allclose(read_kitti(out / "poses_kitti.txt"), expected, atol=1e-9)

    def test_the_cloud_is_the_pinholes(self, out: Path, predictor: Predictor, picture: Make) -> None:
        header = (out / "cloud" / "000001.ply").read_bytes().split(b"end_header")[0].decode()
        assert f"camera pinhole fx {self.LENS.pinhole.fx:.6g}" in header

    def test_the_note_says_the_lens(self, out: Path) -> None:
        camera = json.loads((out / "prediction.json").read_text())["camera"]
        assert camera["model"] == "brown"
        assert camera["coefficients"] == [-0.3, 0.08, 0.001, -0.002]


def _camera() -> Camera:
    return Camera(torch.tensor([80.0, 80.0]), torch.tensor([41.0, 22.0]))


@pytest.mark.parametrize(("every", "expected"), [(1, [0, 1, 2, 3, 4, 5]), (4, [0, 4])])
def test_clouds(tmp_path: Path, predictor: Predictor, picture: Make, every: int, expected: list[int]) -> None:
    wanted = Wanted(("npz",), clouds=Clouds(every, Cut((0.01, 100.0), 0.0)), camera=_camera(), batch=4)
    done = predict_source(predictor, _frames(picture), tmp_path / "out", wanted)
    assert "cloud" in done.files
    assert sorted(path.name for path in (tmp_path / "out" / "cloud").iterdir()) == [
        f"{index:06d}.ply" for index in expected
    ]
    cloud = trimesh.load(tmp_path / "out" / "cloud" / "000004.ply")
    depth, _ = read_depth(tmp_path / "out" / "depth_npz" / "000004.npz")
    np.testing.assert_allclose(-np.asarray(cloud.vertices)[:, 2], depth.ravel(), rtol=1e-5)
    np.testing.assert_array_equal(np.asarray(cloud.colors)[:, :3], picture(4).reshape(-1, 3))


def test_clouds_of_anchored_depth(tmp_path: Path, predictor: Predictor, picture: Make) -> None:
    wanted = Wanted(("npy",), clouds=Clouds(1, Cut((0.0, 1e6), 0.0)), camera=_camera(), clip_anchor=True)
    predict_source(predictor, _frames(picture), tmp_path / "out", wanted)
    cloud = trimesh.load(tmp_path / "out" / "cloud" / "000002.ply")
    depth, _ = read_depth(tmp_path / "out" / "depth" / "000002.npy")
    np.testing.assert_allclose(-np.asarray(cloud.vertices)[:, 2], depth.ravel(), rtol=1e-5)


def test_an_empty_cloud_is_said(tmp_path: Path, predictor: Predictor, picture: Make) -> None:
    wanted = Wanted(("npy",), clouds=Clouds(1, Cut((1e5, 1e6))), camera=_camera())
    done = predict_source(predictor, _frames(picture, 1), tmp_path / "out", wanted)
    assert any("000000.ply is empty" in note for note in done.notes)


def test_a_cloud_without_a_camera_leaves_nothing(tmp_path: Path, predictor: Predictor, picture: Make) -> None:
    with pytest.raises(KinedepthError, match="needs the camera"):
        predict_source(predictor, _frames(picture), tmp_path / "out", Wanted(clouds=Clouds()))
    assert not list(tmp_path.iterdir())


def test_metres_with_their_bar(tmp_path: Path, picture: Make, method_with: Callable[..., Method]) -> None:
    predictor = Predictor(method_with(()), (32, 64), Unit("metric", "baseline 0.54 m", 5.4))
    wanted = Wanted(("npy",), look=Look("metric", high=50.0), fps=10)
    predict_source(predictor, _frames(picture, 2), tmp_path / "out", wanted)
    assert next(video_frames(tmp_path / "out" / "depth.mp4")).shape == (45 + 40 + 1, 84, 3)
    note = json.loads((tmp_path / "out" / "prediction.json").read_text())
    assert (note["colors"]["of"], note["colors"]["far"]) == ("depth", 50)


@pytest.mark.parametrize("anchor", [False, True])
def test_metres_of_relative_depth(
    tmp_path: Path, picture: Make, method_with: Callable[..., Method], anchor: bool
) -> None:
    """A common median takes the metres away, too."""
    unit = Unit("metric", "baseline 0.54 m", 5.4) if anchor else Unit()
    wanted = Wanted(look=Look("metric"), clip_anchor=anchor)
    with pytest.raises(KinedepthError, match="relative"):
        predict_source(
            Predictor(method_with(()), (32, 64), unit), _frames(picture, 2), tmp_path / "out", wanted
        )


def test_a_common_median_takes_the_metres_away(
    tmp_path: Path, picture: Make, method_with: Callable[..., Method]
) -> None:
    predictor = Predictor(method_with(()), (32, 64), Unit("metric", "baseline 0.54 m", 5.4, 0.05))
    done = predict_source(predictor, _frames(picture, 2), tmp_path / "out", Wanted(clip_anchor=True))
    _, note = read_depth(tmp_path / "out" / "depth" / "000000.npy")
    assert (done.scale, note.scale, note.uncertainty) == ("relative", "relative", None)


def test_times_and_rotation_of_the_input_are_kept(
    tmp_path: Path, predictor: Predictor, picture: Make
) -> None:
    seconds = [1.0, 1.1, 1.5, 1.6]
    frames = [(f"{index}", second, picture(index, 46, 84)) for index, second in enumerate(seconds)]
    wanted = Wanted(("npy",), poses=("tum",), fps=Timing(Fraction(5), uneven=True, rotation=90))
    predict_source(predictor, frames, tmp_path / "out", wanted)
    seen = probe(tmp_path / "out" / "depth.mp4")
    assert (seen.rotation, seen.size, seen.count) == (90, (46, 84), 4)
    np.testing.assert_allclose(seen.times, np.subtract(seconds, 1), atol=1e-4)
    assert seen.duration == pytest.approx(0.8, abs=1e-3)
    np.testing.assert_allclose(read_tum(tmp_path / "out" / "poses_tum.txt")[0], seconds)


@pytest.mark.parametrize("kind", ["exr", "pfm"])
def test_formats_of_other_programs(tmp_path: Path, predictor: Predictor, picture: Make, kind: Format) -> None:
    done = predict_source(predictor, _frames(picture, 2), tmp_path / "out", Wanted((kind,), colors=False))
    assert done.files == (f"depth_{kind}", "prediction.json")
    depth, note = read_depth(tmp_path / "out" / f"depth_{kind}" / f"000001.{kind}")
    np.testing.assert_array_equal(depth, predictor.infer(picture(1)).depth)
    assert note.scale == "relative"
