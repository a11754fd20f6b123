"""`kinedepth train`: from a video to a run folder, and every bad input in one sentence that loses nothing."""

import json
import shlex
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from kinedepth.cli import train as verb
from kinedepth.cli.train import Train, default_name, farewell
from kinedepth.inference.weights import read_weights
from kinedepth.settings import Settings, changed, recipe


def test_a_run_folder_holds_all_that_was_promised(run: Path, drive: Path) -> None:
    names = {path.relative_to(run).as_posix() for path in run.rglob("*") if path.is_file()}
    wanted = {"recipe.toml", "environment.json", "metrics.jsonl", "state/state.pt"}
    assert wanted | {"checkpoints/best.safetensors", "checkpoints/last.safetensors"} <= names
    assert any(name.startswith("samples/") and name.endswith(".png") for name in names)
    assert json.loads((run / "environment.json").read_text())["source"] == str(drive / "drive.mp4")


def test_the_recipe_and_the_flags_that_change_it_are_written_down(run: Path) -> None:
    written = recipe(str(run / "recipe.toml"))
    video = recipe("video")
    assert written.network == video.network
    assert written.train.lr == video.train.lr
    assert (written.data.size, written.train.batch_size, written.train.steps) == ((64, 96), 2, 2)


def test_what_was_understood_and_what_comes_next_is_said(
    kinedepth: Callable, small: list[str], drive: Path, tmp_path: Path
) -> None:
    source = drive / "drive.mp4"
    said = kinedepth("train", source, "--out", tmp_path, "--name", "a", *small, "--train.steps", 1)
    assert said.code == 0
    assert f"source     {source} (a video)" in said.out
    assert f"run        {tmp_path / 'a'}" in said.out
    assert "intrinsics.json" in said.out
    assert str(tmp_path / "a" / "checkpoints" / "best.safetensors") in said.out
    assert str(tmp_path / "a" / "metrics.jsonl") in said.out
    assert f"kinedepth predict {tmp_path / 'a'} {source} -o a-depth" in said.out


def test_flags_go_before_the_source_too_and_short_forms_reach_the_data(
    kinedepth: Callable, drive: Path
) -> None:
    words = f"--recipe monodepth2_official --data.size 96 320 --monodepth2.frames -2 2 {drive} --fov 70"
    said = kinedepth("train", *words.split(), "--print-config")
    assert said.code == 0
    printed = [line for line in said.out.splitlines() if line.startswith(("size", "frames", "fov", "slots"))]
    assert printed == ["slots = 2", "frames = [-2, 2]", "size = [96, 320]", "fov = 70.0"]


@pytest.mark.parametrize(
    ("flag", "value"), [("hood.png", '"hood.png"'), ("none", '""'), ("auto", '"auto"'), (None, '"auto"')]
)
def test_a_mask_is_given_found_or_none(kinedepth: Callable, flag: str | None, value: str) -> None:
    said = kinedepth("train", "a.mp4", "--print-config", *(["--mask", flag] if flag else []))
    assert f"mask = {value}" in said.out.splitlines()


def test_printed_config_is_a_recipe(kinedepth: Callable, tmp_path: Path) -> None:
    said = kinedepth("train", "--print-config", "--train.lr", "3e-4", "--intrinsics", "50 50 31 47")
    (tmp_path / "mine.toml").write_text(said.out)
    again = kinedepth("train", "--recipe", tmp_path / "mine.toml", "--print-config")
    assert again.out == said.out
    changes = {"train": {"lr": 3e-4}, "data": {"intrinsics": "50 50 31 47"}}
    assert recipe(str(tmp_path / "mine.toml")) == changed(recipe("video"), **changes)


def test_the_default_name_is_the_source_and_the_time(drive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from datetime import datetime

    now = datetime(2026, 3, 4, 5, 6, 7)
    assert default_name("some/where/trip.2.mp4", now) == "trip.2-20260304-050607"
    assert default_name(str(drive), now) == "drive-20260304-050607"
    monkeypatch.chdir(drive)
    assert default_name(".", now) == "drive-20260304-050607"


@pytest.mark.slow
def test_a_resumed_run_goes_on_and_says_so(
    kinedepth: Callable, small: list[str], drive: Path, tmp_path: Path
) -> None:
    flags = ["--out", tmp_path, "--name", "a", *small, "--train.steps", "4"]
    assert kinedepth("train", drive / "drive.mp4", *flags).code == 0
    whole = (tmp_path / "a" / "checkpoints" / "last.safetensors").read_bytes()
    stopped = stopped_after(2, kinedepth, drive, [*flags, "--name", "stopped"], tmp_path / "stopped")
    said = kinedepth("train", "--resume", stopped)
    assert said.code == 0
    assert str(stopped / "checkpoints" / "best.safetensors") in said.out
    assert (stopped / "checkpoints" / "last.safetensors").read_bytes() == whole


def stopped_after(step: int, kinedepth: Callable, drive: Path, flags: list[str], run: Path) -> Path:
    """A run of four steps that Ctrl-C stopped."""
    from kinedepth.training.trainer import Trainer

    original, taken = Trainer._step, []

    def counted(self: Trainer, *arguments: object) -> object:
        taken.append(1)
        if len(taken) == step:
            signal.raise_signal(signal.SIGINT)
        return original(self, *arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Trainer, "_step", counted)
        said = kinedepth("train", drive / "drive.mp4", *flags)
    assert said.code == 130
    assert f"kinedepth train --resume {run}" in said.err
    assert "Traceback" not in said.err
    return run


@pytest.mark.slow
def test_resume_takes_the_source_where_it_lies_now(
    kinedepth: Callable, run: Path, drive: Path, tmp_path: Path
) -> None:
    copy, moved = tmp_path / "copy", tmp_path / "moved"
    shutil.copytree(run, copy)
    shutil.copytree(drive, moved)
    note = json.loads((copy / "environment.json").read_text())
    (copy / "environment.json").write_text(json.dumps(note | {"source": str(tmp_path / "gone.mp4")}))
    assert kinedepth("train", "--resume", copy).code == 1
    assert kinedepth("train", moved / "drive.mp4", "--resume", copy).code == 0


@pytest.mark.slow
def test_init_takes_over_the_weights_of_a_run(
    kinedepth: Callable, small: list[str], run: Path, drive: Path, tmp_path: Path
) -> None:
    flags = ["--init", run, "--out", tmp_path, "--name", "b", *small, "--train.steps", 1, "--train.lr", 1e-12]
    said = kinedepth("train", drive, *flags)
    assert said.code == 0
    assert "tensors from the checkpoint" in said.out
    before, _ = read_weights(run / "checkpoints" / "best.safetensors")
    after, _ = read_weights(tmp_path / "b" / "checkpoints" / "last.safetensors")
    name = "depth.encoder.body.layer1.0.conv1.weight"
    torch.testing.assert_close(after[name], before[name], atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        ("a.mp4 --train.batchsize 3", ["'--train.batchsize'", "'--train.batch-size'"]),
        ("a.mp4 --train.batch-size 0", ["--train.batch-size 0", "greater than or equal to 1"]),
        ("a.mp4 b.mp4", ["'b.mp4'", "too many"]),
        ("", ["SOURCE", "--resume RUN"]),
        ("a.mp4 --recipe monodepth2_oficial", ["'monodepth2_oficial'", "'monodepth2_official'"]),
        ("a.mp4 --recipe nowhere.toml", ["'nowhere.toml'", "cannot be read"]),
        ("a.mp4 --recipe typo.toml", ["'train.batchsize'", "'batch_size'"]),
        ("a.mp4 --recipe type.toml", ["train.epochs", "'many'"]),
        ("a.mp4 --recipe broken.toml", ["broken.toml", "not TOML"]),
        ("a.mp4 --recipe flat.toml", ["'train'", "table"]),
        ("--resume here --train.lr 1e-3", ["--resume", "own recipe"]),
        ("--resume here --recipe demo", ["--resume", "own recipe"]),
    ],
)
def test_wrong_usage_is_one_sentence(
    kinedepth: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: str, parts: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "typo.toml").write_text("[train]\nbatchsize = 3\n")
    (tmp_path / "type.toml").write_text("[train]\nepochs = 'many'\n")
    (tmp_path / "broken.toml").write_text("[train\n")
    (tmp_path / "flat.toml").write_text("train = 3\n")
    said = kinedepth("train", *words.split())
    assert (said.code, said.out) == (2, "")
    assert said.err.startswith("kinedepth: ")
    assert said.err.count("\n") == 1
    assert all(part in said.err for part in parts)


@pytest.fixture
def inputs(tmp_path: Path, drive: Path, pair: Path, run: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder, which is the current one, of everything that can be wrong."""
    monkeypatch.chdir(tmp_path)
    video = (drive / "drive.mp4").read_bytes()
    (tmp_path / "good.mp4").write_bytes(video)
    (tmp_path / "zero.mp4").touch()
    (tmp_path / "cut.mp4").write_bytes(video[: len(video) // 3])
    (tmp_path / "text.mp4").write_text("no video\n")
    (tmp_path / "empty").mkdir()
    for name, count in (("short", 2), ("corrupt", 8)):
        (tmp_path / name).mkdir()
        for number in range(count):
            with Image.open(pair / "images" / f"{number:06d}.png") as picture:
                picture.save(tmp_path / name / f"{number}.jpg")
    whole = (tmp_path / "corrupt" / "4.jpg").read_bytes()
    (tmp_path / "corrupt" / "4.jpg").write_bytes(whole[: len(whole) // 2])
    half = {"K": [[0.58, 0, 48], [0, 0.9, 32], [0, 0, 1]], "width": 96, "height": 64}
    (tmp_path / "half.json").write_text(json.dumps(half))
    outside = {"fx": 55, "fy": 55, "cx": 200, "cy": 31, "width": 96, "height": 64}
    (tmp_path / "outside.json").write_text(json.dumps(outside))
    weights = (run / "checkpoints" / "last.safetensors").read_bytes()
    (tmp_path / "cut.safetensors").write_bytes(weights[:100_000])
    save_file({"a": torch.zeros(3)}, tmp_path / "foreign.safetensors")
    torch.save({"a": torch.zeros(3)}, tmp_path / "foreign.pth")
    (tmp_path / "runs" / "taken").mkdir(parents=True)
    (tmp_path / "tripod").mkdir()
    for number in range(8):
        shutil.copy(pair / "images" / "000003.png", tmp_path / "tripod" / f"{number}.png")
    (tmp_path / "mixed").mkdir()
    for number in range(6):
        Image.new("RGB", (96, 64 + number)).save(tmp_path / "mixed" / f"{number}.png")
    Image.new("L", (96, 64)).save(tmp_path / "black.png")
    Image.new("L", (64, 96), 255).save(tmp_path / "tall.png")
    one_frame(tmp_path / "one.mp4")
    return tmp_path


def one_frame(path: Path) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        container.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((64, 96, 3), np.uint8), "rgb24")))
        container.mux(stream.encode())


def contents(folder: Path) -> set[tuple[Path, int]]:
    """Every file below a folder, with its size."""
    return {(path, path.stat().st_size) for path in folder.rglob("*")}


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        ("missing.mp4", ["missing.mp4"]),
        ("zero.mp4", ["zero.mp4", "empty"]),
        ("cut.mp4", ["cut.mp4", "cut off"]),
        ("text.mp4", ["text.mp4", "not a video"]),
        ("empty", ["empty", "neither pictures nor videos"]),
        ("short", ["short", "2 frames", "at least 3"]),
        ("good.mp4 --monodepth2.frames -9 9", ["14 frames", "at least 19"]),
        ("good.mp4 --intrinsics half.json", ["half.json", "half normalized"]),
        ("good.mp4 --intrinsics outside.json", ["cx=200", "outside"]),
        ("good.mp4 --intrinsics missing.json", ["missing.json"]),
        ("good.mp4 --fov 190", ["190 degrees", "impossible"]),
        ("one.mp4", ["one.mp4", "1 frame", "longer video"]),
        ("tripod/0.png", ["tripod/0.png", "single picture"]),
        ("tripod", ["the camera does not move in tripod", "of the width", "taken while moving"]),
        ("mixed", ["mixed", "change their size all the time"]),
        ("corrupt", ["corrupt/4.jpg", "cannot be read", "damaged"]),
        ("good.mp4 --mask missing.png", ["missing.png"]),
        ("good.mp4 --mask good.mp4", ["good.mp4", "no picture"]),
        ("good.mp4 --mask black.png", ["black.png", "leaves out 100%", "inverted"]),
        ("good.mp4 --mask tall.png", ["tall.png", "proportions"]),
        ("good.mp4 --data.gap 8", ["14 frames", "at least 17"]),
        ("good.mp4 --intrinsics 190deg", ["190", "impossible"]),
        ("good.mp4 --name taken", ["runs/taken", "exists", "--name", "--resume"]),
        ("good.mp4 --init cut.safetensors", ["cut.safetensors", "truncated"]),
        ("good.mp4 --init foreign.safetensors", ["foreign.safetensors", "kinedepth header"]),
        ("good.mp4 --init foreign.pth", ["foreign.pth", "pickle"]),
        ("good.mp4 --init empty", ["empty", "no checkpoint"]),
        ("good.mp4 --network.encoder resnet19", ["'resnet19'", "'resnet18'"]),
        ("good.mp4 --network.weights nothing.pth", ["nothing.pth"]),
        ("good.mp4 --method monodepth", ["'monodepth'", "'monodepth2'"]),
        ("good.mp4 --monodepth2.explainability", ["explainability", "automask"]),
        ("good.mp4 --monodepth2.stereo", ["stereo"]),
        ("good.mp4 --train.batch-size 200", ["batch", "200"]),
        ("good.mp4 --train.device tpu", ["'tpu'", "train.device"]),
        ("good.mp4 --data.split eigen_zhou", ["KITTI"]),
    ],
)
def test_bad_input_is_one_sentence_and_leaves_nothing(
    kinedepth: Callable, small: list[str], inputs: Path, words: str, parts: list[str]
) -> None:
    before = contents(inputs)
    source, *rest = words.split()
    said = kinedepth("train", source, *small, "--name", "new", *rest)
    assert said.code == 1
    assert said.err.startswith("kinedepth: ")
    assert said.err.count("\n") == 1
    assert all(part in said.err for part in parts)
    assert contents(inputs) == before


@pytest.mark.slow
@pytest.mark.parametrize("workers", ["0", "2"])
def test_a_damaged_picture_is_named_and_the_run_goes_on_once_it_is_replaced(
    kinedepth: Callable, small: list[str], inputs: Path, workers: str
) -> None:
    # Without a look at the motion beforehand, training is what finds the damage.
    blind = ["--data.gap", "1", "--data.no-standstill", "--data.no-cuts", "--mask", "none"]
    said = kinedepth("train", "corrupt", *small, *blind, "--data.workers", workers, "--name", "new")
    assert said.code == 1
    assert said.err.startswith("kinedepth: the picture corrupt/4.jpg cannot be read")
    assert said.err.count("\n") == 1
    shutil.copy("corrupt/5.jpg", "corrupt/4.jpg")
    assert kinedepth("train", "--resume", "runs/new").code == 0


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_cuda_without_a_gpu(kinedepth: Callable, small: list[str], inputs: Path) -> None:
    said = kinedepth("train", "good.mp4", *small, "--train.device", "cuda")
    assert said.code == 1
    assert "'cuda' is not there" in said.err
    assert not list((inputs / "runs").glob("good*"))


@pytest.mark.parametrize("run_folder", ["missing", "empty", "runs/taken"])
def test_what_is_no_run_is_not_resumed(kinedepth: Callable, inputs: Path, run_folder: str) -> None:
    said = kinedepth("train", "--resume", run_folder)
    assert said.code == 1
    assert f"'{run_folder}' is no run folder" in said.err


def test_defaults_of_the_flags_are_those_of_the_default_recipe() -> None:
    assert verb._asked([]) == Train(settings=recipe(verb.DEFAULT))
    assert Train().settings == Settings()


def test_the_farewell_leaves_out_strips_that_are_not_there(tmp_path: Path) -> None:
    (tmp_path / "a" / "checkpoints").mkdir(parents=True)
    assert "strips" not in farewell(tmp_path / "a", "x.mp4")
    (tmp_path / "a" / "samples").mkdir()
    assert f"strips      {tmp_path / 'a' / 'samples'}" in farewell(tmp_path / "a", "x.mp4")


def test_the_farewell_can_be_pasted_into_a_shell(tmp_path: Path) -> None:
    (tmp_path / "my run" / "checkpoints").mkdir(parents=True)
    typed = shlex.split(farewell(tmp_path / "my run", "my drive ü.mp4").rpartition("next")[2])
    assert typed == ["kinedepth", "predict", str(tmp_path / "my run"), "my drive ü.mp4", "-o", "my run-depth"]


@pytest.mark.slow
def test_stereo_alone_trains_to_metres(
    kinedepth: Callable, small: list[str], pair: Path, tmp_path: Path
) -> None:
    flags = ["--monodepth2.frames", "--monodepth2.stereo", "--out", tmp_path, "--name", "s", *small]
    assert kinedepth("train", pair, *flags).code == 0
    said = kinedepth("predict", tmp_path / "s", pair, "-o", tmp_path / "out", "--device", "cpu")
    assert said.code == 0
    assert "scale      metric, from stereo baseline 0.540 m" in said.out
    assert "poses      none" in said.out
    depth = np.load(tmp_path / "out" / "depth" / "000000.npy")
    assert depth.shape == (64, 96)
