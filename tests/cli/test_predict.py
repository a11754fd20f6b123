"""`kinedepth predict`: files whose unit is said, and every bad input in one sentence that loses nothing."""

import json
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from kinedepth import load
from kinedepth.inference.files import read_depth
from kinedepth.inference.poses import read_kitti, read_tum


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
        ("run empty -o new", ["empty", "no pictures"]),
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
