"""`kinedepth predict`: files whose unit is said, and every bad input in one sentence that loses nothing."""

import json
import shutil
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch
import trimesh
from PIL import Image
from safetensors.torch import save_file

from kinedepth import load
from kinedepth.data.lens import depth_on_original, rectification, undistorted
from kinedepth.data.moments import Calibration, Lens
from kinedepth.data.video import probe
from kinedepth.inference.files import PLACES, read_depth
from kinedepth.inference.poses import read_kitti, read_tum
from kinedepth.inference.video import Timing, video_writer
from kinedepth.inference.weights import read_weights, write_weights


@pytest.fixture(scope="module")
def out(run: Path, drive: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a plain call writes for a video."""
    from kinedepth.cli.main import main

    folder = tmp_path_factory.mktemp("predicted") / "out"
    assert main(["predict", str(run), str(drive / "drive.mp4"), "-o", str(folder)]) == 0
    return folder


def test_a_video_gives_depth_video_and_poses(out: Path) -> None:
    names = {path.name for path in out.iterdir()}
    assert names == {
        *("depth", "depth_png16", "depth.mp4", "poses_tum.txt", "poses_kitti.txt", "prediction.json")
    }
    assert len(list((out / "depth").glob("*.npy"))) == 14
    with av.open(str(out / "depth.mp4")) as container:
        stream = container.streams.video[0]
        assert stream.average_rate == 10
        assert sum(1 for _ in container.decode(stream)) == 14
    times, poses = read_tum(out / "poses_tum.txt")
    assert times[1] == pytest.approx(0.1)
    np.testing.assert_allclose(read_kitti(out / "poses_kitti.txt"), poses, atol=1e-6)


def test_depth_is_what_python_gives_and_its_camera_is_the_source_s(out: Path, run: Path, drive: Path) -> None:
    depth, note = read_depth(out / "depth" / "000003.npy")
    expected = next(p for i, p in enumerate(load(run, "cpu").video(drive / "drive.mp4")) if i == 3)
    np.testing.assert_allclose(depth, expected.depth, rtol=1e-5)
    assert note.scale == "relative"
    known = json.loads((drive / "intrinsics.json").read_text())
    assert note.camera is not None
    assert note.camera.focal.tolist() == pytest.approx([known["fx"], known["fy"]])
    assert note.camera.center.tolist() == pytest.approx([known["cx"], known["cy"]])


def test_the_scale_and_what_was_written_are_said(
    kinedepth: Callable, run: Path, drive: Path, tmp_path: Path
) -> None:
    words = ["--format", "npz", "--poses", "none", "--no-video", "--flip", "--batch", 5, "--device", "cpu"]
    said = kinedepth("predict", *words, run, drive / "drive.mp4", "-o", tmp_path / "out")
    assert said.code == 0
    assert "scale      relative, from monocular video" in said.out
    assert "14 frames at 10 frames/s" in said.out
    assert f"wrote      14 frames to {tmp_path / 'out'}: depth_npz, prediction.json" in said.out
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"depth_npz", "prediction.json"}


def test_a_picture_has_depth_and_no_poses(kinedepth: Callable, run: Path, pair: Path, tmp_path: Path) -> None:
    picture = pair / "images" / "000002.png"
    said = kinedepth("predict", run, picture, "-o", tmp_path / "out", "--fov", 60, "--format", "npy")
    assert said.code == 0
    assert "1 frame)" in said.out
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"depth", "depth_color", "prediction.json"}
    _, note = read_depth(tmp_path / "out" / "depth" / "000002.npy")
    assert note.camera is not None
    assert note.camera.focal.tolist() == pytest.approx([48 / np.tan(np.pi / 6)] * 2)


def test_a_folder_takes_its_rate_from_the_user(
    kinedepth: Callable, run: Path, pair: Path, tmp_path: Path
) -> None:
    words = ["--fps", 4, "--side-by-side", "--format", "npy", "--poses", "tum"]
    said = kinedepth("predict", run, pair, "-o", tmp_path / "out", *words)
    assert said.code == 0
    with av.open(str(tmp_path / "out" / "depth.mp4")) as container:
        stream = container.streams.video[0]
        assert (stream.average_rate, stream.height, stream.width) == (4, 128, 96)
    times, _ = read_tum(tmp_path / "out" / "poses_tum.txt")
    assert times.tolist() == pytest.approx([i / 4 for i in range(8)])
    assert not (tmp_path / "out" / "poses_kitti.txt").exists()


def test_an_older_result_is_replaced_only_when_asked(
    kinedepth: Callable, run: Path, pair: Path, tmp_path: Path
) -> None:
    words = ["predict", run, pair / "images" / "000002.png", "-o", tmp_path / "out", "--no-video"]
    assert kinedepth(*words).code == 0
    again = kinedepth(*words, "--format", "npz")
    assert again.code == 1
    assert "exists" in again.err
    assert (tmp_path / "out" / "depth").is_dir()
    assert kinedepth(*words, "--format", "npz", "--overwrite").code == 0
    assert not (tmp_path / "out" / "depth").exists()


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        ("", ["RUN", "SOURCE", "-o"]),
        ("run good.mp4", ["-o"]),
        ("run good.mp4 -o new --formt npy", ["'--formt'", "'--format'"]),
        ("run good.mp4 -o new --format jpg", ["'jpg'", "npy", "png16"]),
        ("run good.mp4 more.mp4 -o new", ["'more.mp4'"]),
        ("run good.mp4 -o new --batch 0", ["--batch"]),
        ("run good.mp4 -o new --fps 0", ["--fps"]),
        ("run good.mp4 -o new --vmin 3 --vmax 2", ["--vmin 3", "--vmax 2"]),
        ("run good.mp4 -o new --vmin nan", ["--vmin nan", "number"]),
        ("run good.mp4 -o new --fps inf", ["--fps inf", "number"]),
        ("run good.mp4 -o new --vmax -1", ["--vmax -1"]),
        ("run good.mp4 -o new --mode metres", ["'metres'", "metric"]),
        ("run good.mp4 -o new --median-scale 0", ["--median-scale 0", "above zero"]),
        ("run good.mp4 -o new --median-scale nan", ["--median-scale nan"]),
        ("run good.mp4 -o new --median-scale frame", ["--median-scale frame", "clip"]),
        ("run good.mp4 -o new --cloud frames --cloud-range 30 2", ["--cloud-range 30 2"]),
        ("run good.mp4 -o new --cloud frames --cloud-every 0", ["--cloud-every 0"]),
        ("run good.mp4 -o new --cloud frames --cloud-edge -1", ["--cloud-edge -1"]),
        ("run good.mp4 -o new --clout frames", ["'--clout'", "'--cloud'"]),
    ],
)
def test_wrong_usage_is_one_sentence(kinedepth: Callable, words: str, parts: list[str]) -> None:
    said = kinedepth("predict", *words.split())
    assert (said.code, said.out) == (2, "")
    assert said.err.count("\n") == 1
    assert all(part in said.err for part in parts)


@pytest.fixture
def inputs(tmp_path: Path, drive: Path, pair: Path, run: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder, which is the current one, of what can be wrong; `run` in it is a good one."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "run").symlink_to(run)
    (tmp_path / "good.mp4").symlink_to(drive / "drive.mp4")
    (tmp_path / "zero.mp4").touch()
    (tmp_path / "empty").mkdir()
    (tmp_path / "corrupt").mkdir()
    for number in range(4):
        whole = (pair / "images" / f"{number:06d}.png").read_bytes()
        (tmp_path / "corrupt" / f"{number}.png").write_bytes(whole if number != 2 else whole[:700])
    weights = (run / "checkpoints" / "last.safetensors").read_bytes()
    (tmp_path / "cut.safetensors").write_bytes(weights[:100_000])
    turned = bytearray(weights)
    turned[-1000] ^= 1
    (tmp_path / "turned.safetensors").write_bytes(turned)
    save_file({"a": torch.zeros(3)}, tmp_path / "foreign.safetensors")
    torch.save({"a": torch.zeros(3)}, tmp_path / "foreign.pth")
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "mine.txt").write_text("precious")
    return tmp_path


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        ("run missing.mp4 -o new", ["missing.mp4"]),
        ("run zero.mp4 -o new", ["zero.mp4", "empty"]),
        ("run empty -o new", ["empty", "neither pictures nor videos"]),
        ("run corrupt -o new", ["2.png", "damaged"]),
        ("missing good.mp4 -o new", ["missing"]),
        ("empty good.mp4 -o new", ["empty", "no checkpoint"]),
        ("cut.safetensors good.mp4 -o new", ["cut.safetensors", "truncated"]),
        ("turned.safetensors good.mp4 -o new", ["turned.safetensors", "damaged"]),
        ("foreign.safetensors good.mp4 -o new", ["foreign.safetensors", "kinedepth header"]),
        ("foreign.pth good.mp4 -o new", ["foreign.pth", "pickle"]),
        ("run good.mp4 -o taken", ["taken", "exists"]),
        ("run good.mp4 -o taken --overwrite", ["taken", "not overwritten"]),
        ("run corrupt -o corrupt/inside", ["corrupt", "within"]),
        ("run good.mp4 -o new --device teapot", ["teapot"]),
        ("run good.mp4 -o new --intrinsics missing.json", ["missing.json"]),
        ("run good.mp4 -o new --fov 200", ["200 degrees"]),
        ("run good.mp4 -o new --cmap magmaa", ["'magmaa'", "'magma'"]),
        ("run good.mp4 -o new --mode metric", ["metric", "relative"]),
    ],
)
def test_bad_input_is_one_sentence_and_leaves_nothing(
    kinedepth: Callable, inputs: Path, words: str, parts: list[str]
) -> None:
    before = sorted(inputs.rglob("*"))
    said = kinedepth("predict", *words.split(), "--poses", "none", "--format", "npy")
    assert said.code == 1
    assert said.err.count("\n") == 1
    assert said.err.startswith("kinedepth: ")
    assert all(part in said.err for part in parts)
    assert sorted(inputs.rglob("*")) == before


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_cuda_without_a_gpu(kinedepth: Callable, inputs: Path) -> None:
    said = kinedepth("predict", "run", "good.mp4", "-o", "new", "--device", "cuda")
    assert said.code == 1
    assert "cuda is not there" in said.err


def _guessed(run: Path, place: Path) -> Path:
    """The run's checkpoint as one that was trained without knowing the camera."""
    tensors, header = read_weights(run / "checkpoints" / "last.safetensors")
    write_weights(place, tensors, header | {"camera_source": "GUESSED 60 degrees across the longer side"})
    return place


@pytest.fixture
def bare(drive: Path, tmp_path: Path) -> Path:
    """The drive's video without anything beside it."""
    (tmp_path / "bare").mkdir()
    return Path(shutil.copy(drive / "drive.mp4", tmp_path / "bare" / "drive.mp4"))


def test_a_cloud_of_a_guessed_camera_is_refused(
    kinedepth: Callable, run: Path, bare: Path, tmp_path: Path
) -> None:
    guessed = _guessed(run, tmp_path / "guessed.safetensors")
    words = ["predict", guessed, bare, "-o", tmp_path / "out", "--cloud", "frames", "--poses", "none"]
    said = kinedepth(*words)
    assert said.code == 1
    assert "--fov" in said.err
    assert "bent" in said.err
    assert said.err.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_cloud_of_a_camera_that_is_told(kinedepth: Callable, run: Path, bare: Path, tmp_path: Path) -> None:
    guessed = _guessed(run, tmp_path / "guessed.safetensors")
    words = ["--cloud", "frames", "--cloud-every", 5, "--cloud-range", 0.1, 9, "--fov", 70, "--format", "exr"]
    said = kinedepth("predict", guessed, bare, "-o", tmp_path / "out", *words, "--no-video")
    assert said.code == 0
    clouds = sorted((tmp_path / "out" / "cloud").iterdir())
    assert [path.name for path in clouds] == ["000000.ply", "000005.ply", "000010.ply"]
    cloud = trimesh.load(clouds[1])
    depth, note = read_depth(tmp_path / "out" / "depth_exr" / "000005.exr")
    median = float(np.median(depth))
    far = -np.asarray(cloud.vertices)[:, 2]
    assert 0.1 * median <= far.min() <= far.max() <= 9 * median
    assert note.camera is not None
    focal = 48 / np.tan(np.radians(35))
    assert note.camera.focal.tolist() == pytest.approx([focal, focal])
    assert "field of view" in note.camera_source


def test_a_picture_has_the_camera_that_lies_beside_it(
    kinedepth: Callable, run: Path, pair: Path, tmp_path: Path
) -> None:
    shutil.copy(pair / "images" / "000002.png", tmp_path / "picture.png")
    height, width = np.asarray(Image.open(tmp_path / "picture.png")).shape[:2]
    (tmp_path / "cam.txt").write_text(f"{width} {width} {width / 2} {height / 2}")
    said = kinedepth("predict", run, tmp_path / "picture.png", "-o", tmp_path / "out", "--format", "npz")
    assert said.code == 0
    assert "camera     from cam.txt beside the pictures" in said.out
    with np.load(next((tmp_path / "out" / "depth_npz").glob("*.npz"))) as stored:
        assert stored["intrinsics"][0, 0] == pytest.approx(width)


def test_a_cloud_of_pictures_of_other_proportions_than_the_runs_is_refused(
    kinedepth: Callable, run: Path, pair: Path, tmp_path: Path
) -> None:
    Image.open(pair / "images" / "000002.png").crop((0, 0, 60, 64)).save(tmp_path / "cropped.png")
    words = ["predict", run, tmp_path / "cropped.png", "-o", tmp_path / "out", "--cloud", "frames"]
    said = kinedepth(*words)
    assert said.code == 1
    assert "--intrinsics" in said.err
    plain = kinedepth(*words[:-2])
    assert "note       the run's camera saw pictures of other proportions" in plain.out
    told = kinedepth(*words, "--fov", 60, "--overwrite")
    assert told.code == 0
    assert "other proportions" not in told.out


def test_depth_says_that_its_camera_is_a_guess(
    kinedepth: Callable, run: Path, bare: Path, tmp_path: Path
) -> None:
    guessed = _guessed(run, tmp_path / "guessed.safetensors")
    said = kinedepth("predict", guessed, bare, "-o", tmp_path / "out", "--no-video", "--poses", "none")
    assert "GUESSED" in said.out
    assert "GUESSED" in read_depth(tmp_path / "out" / "depth" / "000005.npy")[1].camera_source


def test_every_format_of_a_picture(kinedepth: Callable, run: Path, pair: Path, tmp_path: Path) -> None:
    kinds = ["npy", "npz", "png16", "exr", "pfm"]
    picture = pair / "images" / "000002.png"
    assert kinedepth("predict", run, picture, "-o", tmp_path / "out", "--format", *kinds).code == 0
    exact, _ = read_depth(tmp_path / "out" / "depth" / "000002.npy")
    read = [read_depth(tmp_path / "out" / folder / f"000002{ending}") for folder, ending in PLACES.values()]
    for depth, note in read:
        np.testing.assert_allclose(depth, exact, atol=0.5 / note.factor if note.factor else 0)
        assert note.scale == "relative"


def test_the_median_of_the_clip_or_a_number(
    kinedepth: Callable, run: Path, drive: Path, tmp_path: Path
) -> None:
    words = ["--no-video", "--poses", "none", "--format", "npy"]
    plain = kinedepth(
        "predict", run, drive / "drive.mp4", "-o", tmp_path / "clip", "--median-scale", "clip", *words
    )
    assert "relative" in plain.out
    assert (
        kinedepth(
            "predict", run, drive / "drive.mp4", "-o", tmp_path / "one", "--median-scale", 7.5, *words
        ).code
        == 0
    )
    medians = {
        name: [float(np.median(np.load(path))) for path in (tmp_path / name / "depth").glob("*.npy")]
        for name in ("clip", "one")
    }
    assert medians["one"] == pytest.approx([7.5] * 14, rel=1e-5)
    assert medians["clip"] == pytest.approx([medians["clip"][0]] * 14, rel=1e-5)
    _, note = read_depth(tmp_path / "one" / "depth" / "000001.npy")
    assert (note.scale, note.source) == ("relative", "monocular video; each median set to 7.5")


@pytest.fixture
def several(drive: Path, pair: Path, tmp_path: Path) -> Path:
    """A folder of a video and of a drive of pictures."""
    folder = tmp_path / "several drives"
    (folder / "pictures").mkdir(parents=True)
    for path in sorted((pair / "images").iterdir())[:4]:
        shutil.copy(path, folder / "pictures")
    shutil.copy(drive / "drive.mp4", folder / "straße.mp4")
    return folder


def test_a_folder_of_several_has_a_folder_for_each(
    kinedepth: Callable, run: Path, several: Path, tmp_path: Path
) -> None:
    said = kinedepth("predict", run, several, "-o", tmp_path / "out", "--format", "npy", "--fps", 4)
    assert said.code == 0
    assert "wrote      18 frames" in said.out
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"pictures", "straße", "prediction.json"}
    assert len(list((tmp_path / "out" / "pictures" / "depth").glob("*.npy"))) == 4
    assert probe(tmp_path / "out" / "straße" / "depth.mp4").count == 14
    assert probe(tmp_path / "out" / "pictures" / "depth.mp4").fps == 4
    frames = json.loads((tmp_path / "out" / "prediction.json").read_text())["frames"]
    assert frames == {"pictures": 4, "straße": 14}
    assert kinedepth("predict", run, several, "-o", tmp_path / "out", "--format", "npy").code == 1
    assert kinedepth("predict", run, several, "-o", tmp_path / "out", "--overwrite", "--no-video").code == 0


def test_several_are_whole_or_absent(kinedepth: Callable, run: Path, several: Path, tmp_path: Path) -> None:
    last = sorted((several / "pictures").iterdir())[-1]
    last.write_bytes(last.read_bytes()[:700])
    said = kinedepth("predict", run, several, "-o", tmp_path / "out", "--format", "npy")
    assert said.code == 1
    assert last.name in said.err
    assert {path.name for path in tmp_path.iterdir()} == {"several drives"}


def test_a_phones_video_comes_back_as_it_was(kinedepth: Callable, run: Path, tmp_path: Path) -> None:
    """Portrait by its rotation tag, with a varying rate and an odd size."""
    seconds = [0.0, 0.04, 0.2, 0.24, 0.28]
    upright = np.random.default_rng(0).integers(0, 256, (90, 64, 3), dtype=np.uint8)
    with video_writer(tmp_path / "my phone.mp4", Timing(Fraction(12), uneven=True, rotation=270)) as video:
        for index, second in enumerate(seconds):
            video.write(np.roll(upright, index, 1), second, 0.04)
    said = kinedepth("predict", run, tmp_path / "my phone.mp4", "-o", tmp_path / "out", "--format", "npy")
    assert said.code == 0
    given, made = probe(tmp_path / "my phone.mp4"), probe(tmp_path / "out" / "depth.mp4")
    assert (made.rotation, made.size, made.count) == (270, (90, 64), 5)
    np.testing.assert_allclose(made.times, given.times, atol=1e-4)
    assert made.duration == pytest.approx(given.duration, abs=1e-3)
    times, _ = read_tum(tmp_path / "out" / "poses_tum.txt")
    np.testing.assert_allclose(times, seconds, atol=1e-4)
    assert np.load(tmp_path / "out" / "depth" / "000004.npy").shape == (90, 64)


def test_a_lens_is_undone_and_depth_comes_back_on_the_files_pixels(
    kinedepth: Callable, run: Path, pair: Path, tmp_path: Path
) -> None:
    known = {"fx": 60, "fy": 60, "cx": 47.5, "cy": 31.5, "width": 96, "height": 64}
    (tmp_path / "camera.json").write_text(json.dumps(known | {"distortion": [-0.3, 0.08, 0, 0]}))
    words = ["--intrinsics", tmp_path / "camera.json", "--format", "npy", "--cloud", "frames"]
    said = kinedepth("predict", run, pair / "images" / "000002.png", "-o", tmp_path / "out", *words)
    assert said.code == 0
    assert "lens       brown" in said.out
    assert "of the pixels have no depth (0): they lie outside of the undistorted view" in said.out
    depth, note = read_depth(tmp_path / "out" / "depth" / "000002.npy")
    assert note.lens == Lens("brown", (-0.3, 0.08, 0.0, 0.0))
    picture = np.asarray(Image.open(pair / "images" / "000002.png"))
    rectified = rectification(Calibration(60.0, 60.0, 47.5, 31.5, 96, 64, note.lens))
    seen = load(run, "cpu").infer(undistorted(picture, rectified)).depth
    np.testing.assert_allclose(depth, depth_on_original(seen, rectified), rtol=1e-4)
    header = (tmp_path / "out" / "cloud" / "000002.ply").read_bytes().split(b"end_header")[0]
    assert f"fx {rectified.pinhole.fx:.6g}".encode() in header
