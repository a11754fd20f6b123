"""A user trains on pictures, is interrupted twice, goes on, and predicts: as if nothing had happened."""

import json
import shutil
import signal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

import kinedepth
from kinedepth import run
from kinedepth.errors import KinedepthError
from kinedepth.settings import Settings, changed, recipe
from kinedepth.training.trainer import Interrupted, Trainer

SIZE = (64, 96)


def picture(index: int) -> Image.Image:
    """A texture that moves by two pixels in each picture, larger than the networks see."""
    noise = np.random.default_rng(7).random((20, 60, 3))
    wide = Image.fromarray((noise * 255).astype(np.uint8)).resize((300, 100))
    return wide.crop((2 * index, 0, 2 * index + 150, 100))


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for index in range(12):
        picture(index).save(folder / f"{index:03d}.png")
    return folder


def settings() -> Settings:
    """What a user gets who names no recipe, but small and short."""
    return changed(
        recipe("video"),
        data={"size": SIZE, "held_out": 0.2, "fov": 60.0},
        train={
            **{"batch_size": 2, "steps": 6, "warmup": 2, "save_every": 4, "log_every": 1, "samples": 1},
            **{"device": "cpu", "logger": "tensorboard"},
        },
    )


def step_that(happens: Any, at: int) -> Any:
    """The trainer's step, in which something happens at the `at`-th time."""
    original, calls = Trainer._step, iter(range(1, 1000))

    def step(self: Trainer, *given: Any) -> Any:
        if next(calls) == at:
            happens()
        return original(self, *given)

    return step


def losses(folder: Path) -> list[tuple[int, float]]:
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [(line["step"], line["loss/total"]) for line in lines if "lr" in line]


@pytest.mark.slow
def test_the_story(pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {path: path.stat().st_mtime_ns for path in pictures.iterdir()}
    run.start(pictures, settings(), tmp_path / "unbroken")

    folder = tmp_path / "broken"
    with monkeypatch.context() as patch:
        patch.setattr(Trainer, "_step", step_that(lambda: signal.raise_signal(signal.SIGINT), at=2))
        with pytest.raises(Interrupted, match="Stopped at step 2; go on with: kinedepth train --resume"):
            run.start(pictures, settings(), folder)

    # The second time the disk is full, at the save after the fourth step; the save before is not lost.
    saved = (folder / "state" / "state.pt").read_bytes()
    with monkeypatch.context() as patch:

        def full(*given: Any) -> None:
            raise OSError(28, "No space left on device")

        patch.setattr(torch, "save", full)
        with pytest.raises(KinedepthError, match="No space left on device"):
            run.resume(folder)
    assert (folder / "state" / "state.pt").read_bytes() == saved

    # The run folder moves to another place, and is finished there.
    folder = Path(shutil.move(folder, tmp_path / "moved"))
    run.resume(folder)
    assert losses(folder) == losses(tmp_path / "unbroken")

    image = np.asarray(picture(3))
    ours, theirs = (kinedepth.load(place, "cpu").infer(image) for place in (folder, tmp_path / "unbroken"))
    assert ours.depth.shape == (100, 150)
    assert ours.depth.dtype == np.float32
    assert ours.scale == "relative"
    assert np.isfinite(ours.depth).all()
    assert ours.depth.min() > 0
    np.testing.assert_array_equal(ours.depth, theirs.depth)

    assert {path.name for path in (folder / "samples").iterdir()} >= {
        "step_000004_0.png",
        "step_000006_0.png",
    }
    assert any((folder / "tensorboard").iterdir())
    assert {path: path.stat().st_mtime_ns for path in pictures.iterdir()} == before
