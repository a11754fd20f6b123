"""A run folder through the door that users take, with the networks that they train."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from kinedepth import run
from kinedepth.errors import KinedepthError
from kinedepth.inference.weights import read_header, read_weights
from kinedepth.recipe import recipe
from kinedepth.settings import Settings, changed
from kinedepth.training.trainer import Interrupted, Trainer

SIZE = (64, 96)


def quiet(line: str) -> None:
    """Says nothing."""


def small(**train: Any) -> Settings:
    """The recipe for any video, small: running average, flat ground, a cosine; saved at the end only."""
    usual = {"batch_size": 2, "steps": 4, "log_every": 1, "save_every": 100, "samples": 0, "logger": "none"}
    return changed(
        recipe("video"),
        pose={"kind": "posecnn"},
        data={"size": SIZE, "workers": 0, "held_out": 0.2},
        train={**usual, "warmup": 1, "device": "cpu", "precision": "32-true", **train},
    )


@pytest.fixture(scope="module")
def drive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve pictures of a texture that moves, with the camera beside them."""
    folder = tmp_path_factory.mktemp("drive")
    noise = np.random.default_rng(7).random((SIZE[0] // 4, SIZE[1], 3))
    wide = Image.fromarray((noise * 255).astype(np.uint8)).resize((2 * SIZE[1], SIZE[0]))
    for index in range(12):
        wide.crop((2 * index, 0, 2 * index + SIZE[1], SIZE[0])).save(folder / f"{index:03d}.png")
    camera = {"fx": 80, "fy": 80, "cx": 47.5, "cy": 31.5, "width": SIZE[1], "height": SIZE[0]}
    (folder / "intrinsics.json").write_text(json.dumps(camera))
    return folder


@pytest.fixture(scope="module")
def whole(drive: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of four steps that nothing stopped."""
    folder = tmp_path_factory.mktemp("runs") / "whole"
    run.start(drive, small(), folder, say=quiet)
    return folder


def ctrl_c_in_step(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C is pressed while the `number`-th step of this process is taken."""
    original, calls = Trainer._step, iter(range(1, 1000))

    def step(self: Trainer, *given: Any) -> Any:
        if next(calls) == number:
            signal.raise_signal(signal.SIGINT)
        return original(self, *given)

    monkeypatch.setattr(Trainer, "_step", step)


def losses(folder: Path) -> list[dict[str, float]]:
    """The lines of metrics.jsonl without the time that they took."""
    clock = {"images_per_second", "seconds_per_step", "data_wait_share"}
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [{key: value for key, value in line.items() if key not in clock} for line in lines]


class TestStart:
    def test_describes_the_run(self, whole: Path, drive: Path):
        assert recipe(str(whole / "recipe.toml")) == small()
        note = json.loads((whole / "environment.json").read_text())
        assert note["source"] == str(drive)
        assert {"started", "command", "python", "machine", "cuda", "packages"} <= note.keys()
        header = read_header(whole / "checkpoints" / "last.safetensors")
        assert header["step"] == 4
        assert header["unit"]["scale"] == "relative"
        assert header["size"] == list(SIZE)

    def test_says_what_it_understood_and_writes_what_it_settled(self, drive: Path, tmp_path: Path):
        said: list[str] = []
        run.start(drive, small(steps=1, precision="auto"), tmp_path / "run", say=said.append)
        assert "a folder of pictures" in "\n".join(said)
        assert "moments    6 to learn from, 2 held out" in said
        assert recipe(str(tmp_path / "run" / "recipe.toml")).train.precision in ("32-true", "bf16-mixed")

    def test_describes_what_it_learns_from(self, whole: Path, drive: Path):
        told = json.loads((whole / "source.json").read_text())
        (sequence,) = told["sequences"]
        assert told["path"] == str(drive)
        assert told["summary"][0] == f"source     {drive} (a folder of pictures)"
        assert (sequence["gap"], sequence["moments"], sequence["frames"]) == (1, 10, 12)
        assert sequence["camera"]["source"] == "from intrinsics.json beside the pictures"
        assert sequence["motion"]["pace"] == pytest.approx(2 / SIZE[1], rel=0.2)
        assert len(sequence["motion"]["displacement"]) == 11
        assert any(line.startswith("motion     median 2") for line in told["taken"])
        header = read_header(whole / "checkpoints" / "last.safetensors")
        assert header["camera_source"] == sequence["camera"]["source"]
        assert header["gap"] == 1

    def test_copies_the_mask_that_it_is_given(self, drive: Path, tmp_path: Path):
        pixels = np.full(SIZE, 255, np.uint8)
        pixels[48:] = 0
        Image.fromarray(pixels).save(tmp_path / "hood.png")
        settings = changed(small(steps=1), data={"mask": str(tmp_path / "hood.png")})
        run.start(drive, settings, tmp_path / "run", say=quiet)
        assert (tmp_path / "run" / "mask.png").read_bytes() == (tmp_path / "hood.png").read_bytes()
        mask = json.loads((tmp_path / "run" / "source.json").read_text())["sequences"][0]["mask"]
        assert (mask["share"], mask["file"]) == (0.25, "mask.png")

    def test_refuses_a_camera_that_never_moves(self, drive: Path, tmp_path: Path):
        (tmp_path / "tripod").mkdir()
        for index in range(12):
            shutil.copy(drive / "004.png", tmp_path / "tripod" / f"{index:03d}.png")
        with pytest.raises(KinedepthError, match="the camera does not move in tripod") as refused:
            run.start(tmp_path / "tripod", small(), tmp_path / "run", say=quiet)
        assert "\n" not in str(refused.value)
        assert [path.name for path in tmp_path.iterdir()] == ["tripod"]

    def test_a_recipe_that_measures_nothing_takes_it(self, drive: Path, tmp_path: Path):
        (tmp_path / "tripod").mkdir()
        for index in range(12):
            shutil.copy(drive / "004.png", tmp_path / "tripod" / f"{index:03d}.png")
        data = {"gap": 1, "standstill": False, "cuts": False, "mask": ""}
        assert run.start(
            tmp_path / "tripod", changed(small(steps=1), data=data), tmp_path / "run", say=quiet
        ).is_file()

    def test_keeps_a_folder_that_exists(self, whole: Path, drive: Path):
        before = {path: path.stat().st_mtime_ns for path in whole.rglob("*")}
        with pytest.raises(KinedepthError, match=r"exists: give another --name, or go on with --resume"):
            run.start(drive, small(), whole, say=quiet)
        assert {path: path.stat().st_mtime_ns for path in whole.rglob("*")} == before

    def test_writes_nothing_into_the_source(self, drive: Path):
        with pytest.raises(KinedepthError, match="lies within the input"):
            run.start(drive, small(), drive / "runs" / "first", say=quiet)
        assert not (drive / "runs").exists()

    @pytest.mark.parametrize(
        ("settings", "said"),
        [
            (small(batch_size=50), "samples do not fill one batch of 50"),
            (small(device="tpu"), "device 'tpu' is not there"),
            (changed(small(), network={"encoder": "resnet19"}), "resnet19"),
        ],
        ids=["batch", "device", "encoder"],
    )
    def test_leaves_nothing_of_a_run_that_cannot_begin(
        self, settings: Settings, said: str, drive: Path, tmp_path: Path
    ):
        with pytest.raises(KinedepthError, match=said):
            run.start(drive, settings, tmp_path / "run", say=quiet)
        assert not list(tmp_path.iterdir())

    def test_leaves_nothing_without_its_logger(
        self, drive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr("kinedepth.training.log.find_spec", lambda name: None)
        with pytest.raises(KinedepthError, match="needs the package"):
            run.start(drive, small(logger="wandb"), tmp_path / "run", say=quiet)
        assert not list(tmp_path.iterdir())

    def test_leaves_nothing_where_the_first_save_finds_the_disk_full(
        self, drive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ):
        def full(*given: Any) -> None:
            raise OSError(28, "No space left on device")

        monkeypatch.setattr(torch, "save", full)
        with pytest.raises(KinedepthError, match="No space left on device"):
            run.start(drive, small(), tmp_path / "run", say=quiet)
        assert not list(tmp_path.iterdir())

    def test_where_no_folder_can_be_made(self, drive: Path, tmp_path: Path):
        (tmp_path / "file").touch()
        with pytest.raises(KinedepthError, match="cannot be made .Not a directory.: name another place"):
            run.start(drive, small(), tmp_path / "file" / "run", say=quiet)


class TestResume:
    @pytest.mark.parametrize("stop", [1, pytest.param(3, marks=pytest.mark.slow)])
    def test_is_the_unbroken_run(
        self, stop: int, whole: Path, drive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ):
        folder = tmp_path / "run"
        with monkeypatch.context() as patch:
            ctrl_c_in_step(stop, patch)
            with pytest.raises(
                Interrupted, match=f"Stopped at step {stop}; go on with: .* --resume {folder}"
            ):
                run.start(drive, small(), folder, say=quiet)
        run.resume(folder, say=quiet)
        assert losses(folder) == losses(whole)
        for name in ("best", "last"):
            ours, theirs = (f / "checkpoints" / f"{name}.safetensors" for f in (folder, whole))
            assert ours.read_bytes() == theirs.read_bytes()

    def test_needs_no_file_but_its_own_and_the_source(
        self, drive: Path, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ):
        """From another folder, without the weights that the encoders began with, and relative paths hold."""
        (tmp_path / "camera.json").write_text((drive / "intrinsics.json").read_text())
        monkeypatch.chdir(tmp_path)
        settings = changed(small(steps=1), data={"intrinsics": "camera.json"})
        run.start(Path(os.path.relpath(drive)), settings, Path("run"), say=quiet)
        text = (tmp_path / "run" / "recipe.toml").read_text()
        text = text.replace("steps = 1", "steps = 2").replace('weights = "scratch"', 'weights = "gone.pth"')
        (tmp_path / "run" / "recipe.toml").write_text(text)
        (tmp_path / "elsewhere").mkdir()
        monkeypatch.chdir(tmp_path / "elsewhere")
        run.resume(tmp_path / "run", say=quiet)
        header = read_header(tmp_path / "run" / "checkpoints" / "last.safetensors")
        assert header["step"] == 2
        assert header["settings"]["network"]["weights"] == "gone.pth"

    def test_finds_a_source_that_was_moved(self, whole: Path, drive: Path, tmp_path: Path):
        for part in ("recipe.toml", "state", "checkpoints"):
            (tmp_path / part).symlink_to(whole / part)
        note = json.loads((whole / "environment.json").read_text())
        (tmp_path / "environment.json").write_text(json.dumps(note | {"source": str(tmp_path / "gone")}))
        with pytest.raises(KinedepthError, match="gone"):
            run.resume(tmp_path, say=quiet)
        assert run.resume(tmp_path, say=quiet, source=drive).is_file()

    @pytest.mark.parametrize("note", ["", "{}", "[1]", '{"source": null}', '{"source'])
    def test_of_a_damaged_note(self, note: str, tmp_path: Path):
        (tmp_path / "recipe.toml").write_text("")
        (tmp_path / "environment.json").write_text(note)
        with pytest.raises(KinedepthError, match="environment.json' is damaged"):
            run.resume(tmp_path, say=quiet)

    def test_of_no_run(self, tmp_path: Path):
        with pytest.raises(KinedepthError, match="is no run folder"):
            run.resume(tmp_path, say=quiet)


class TestInit:
    def test_takes_weights_and_a_fresh_optimizer(self, whole: Path, drive: Path, tmp_path: Path):
        said: list[str] = []
        settings = small(steps=1, lr=1e-30, schedule="steps", average=0.0)
        run.start(drive, settings, tmp_path / "run", init=whole, say=said.append)
        given, _ = read_weights(whole / "checkpoints" / "best.safetensors")
        taken, _ = read_weights(tmp_path / "run" / "checkpoints" / "last.safetensors")
        learned = [name for name in given if name.endswith(("weight", "bias"))]
        assert len(learned) > 60
        assert all(torch.equal(given[name], taken[name]) for name in learned)
        kept = torch.load(tmp_path / "run" / "state" / "state.pt", weights_only=True)
        assert {int(state["step"]) for state in kept["optimizer"]["state"].values()} == {1}
        assert any(line.startswith("depth ") and "tensors from the checkpoint" in line for line in said)


COMMAND = """
import sys
from kinedepth.cli.main import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.slow
class TestProcess:
    """Real signals to a real command."""

    @pytest.fixture
    def begun(self, drive: Path, tmp_path: Path) -> Any:
        """begun(): a training of its own process, with a few steps behind it, and its folder."""
        words = (
            "--pose.kind posecnn --data.workers 1 --train.logger none --train.samples 0 --train.device cpu"
        )
        words += " --train.batch-size 2 --train.steps 100000 --train.log-every 1 --train.threads 1"

        def begin(save_every: int) -> tuple[subprocess.Popen[str], Path]:
            flags = f"{words} --data.size 64 96 --train.save-every {save_every} --out {tmp_path} --name run"
            process = subprocess.Popen(
                [sys.executable, "-c", COMMAND, "train", str(drive), *flags.split()],
                text=True,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
            )
            metrics = tmp_path / "run" / "metrics.jsonl"
            until(lambda: metrics.is_file() and metrics.read_text().count('"lr"') >= 3, process)
            return process, tmp_path / "run"

        return begin

    def test_ctrl_c_saves_and_names_the_command(self, begun: Any):
        process, folder = begun(100_000)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=120)
        assert process.returncode == 130
        done = torch.load(folder / "state" / "state.pt", weights_only=True)["position"]["total"]
        assert done >= 3
        assert f"Stopped at step {done}; go on with: kinedepth train --resume {folder}" in said
        assert "Traceback" not in said

    def test_a_kill_leaves_the_state_before(self, begun: Any):
        """With a save in every step, most of the time goes into saving."""
        process, folder = begun(1)
        process.kill()
        process.communicate(timeout=120)
        done = torch.load(folder / "state" / "state.pt", weights_only=True)["position"]["total"]
        assert done >= 1
        text = (folder / "recipe.toml").read_text()
        (folder / "recipe.toml").write_text(text.replace("steps = 100000", f"steps = {done + 1}"))
        last = run.resume(folder, say=quiet)
        assert read_header(last)["step"] == done + 1
        steps = [line["step"] for line in losses(folder) if "lr" in line]
        assert steps == list(range(1, done + 2))
        assert not list(folder.rglob(".partial*"))


def until(condition: Callable[[], bool], process: subprocess.Popen[str], seconds: float = 240) -> None:
    """Wait for a condition, while the process lives."""
    end = time.monotonic() + seconds
    while not condition():
        if process.poll() is not None or time.monotonic() > end:
            process.kill()
            raise AssertionError(process.communicate()[1])
        time.sleep(0.1)
