"""What a run leaves to be read: metrics.jsonl, curves, strips, and lines on the console."""

import io
import json
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from kinedepth.errors import KinedepthError
from kinedepth.training.log import Meter, RunLog, require_logger, trimmed

VALUES = {
    "loss/photometric": 0.5,
    "images_per_second": 8.0,
    "seconds_per_step": 0.25,
    "data_wait_share": 0.01,
}


def lines(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


class TestMetrics:
    def test_of_a_run_hold_every_term_and_the_speed(self, workshop: Any, tmp_path: Path):
        workshop.trainer(tmp_path, steps=4, log_every=2).fit()
        logged = [line for line in lines(tmp_path) if "lr" in line]
        assert [line["step"] for line in logged] == [2, 4]
        for line in logged:
            assert set(line) == {
                "step",
                "loss/photometric",
                "loss/smoothness",
                "loss/total",
                "images_per_second",
                "seconds_per_step",
                "data_wait_share",
                "lr",
            }
            assert line["loss/total"] == pytest.approx(line["loss/photometric"] + line["loss/smoothness"])
            assert line["images_per_second"] > 0
            assert 0 <= line["data_wait_share"] <= 1

    def test_are_means_over_the_steps_between(self, workshop: Any, tmp_path: Path):
        """Also where a held-out score comes between two lines."""
        workshop.trainer(tmp_path / "each", steps=5).fit()
        workshop.trainer(tmp_path / "few", steps=5, log_every=4, save_every=3).fit()
        each = [line["loss/total"] for line in lines(tmp_path / "each") if "lr" in line]
        few = [line["loss/total"] for line in lines(tmp_path / "few") if "lr" in line]
        assert few == pytest.approx([np.mean(each[:4]), each[4]])

    def test_that_are_not_finite_are_null(self, tmp_path: Path):
        with RunLog(tmp_path, "none", 1) as log:
            log.scalars(1, {"held_out/loss": float("nan")})
        assert lines(tmp_path) == [{"step": 1, "held_out/loss": None}]


class TestTrimmed:
    def test_keeps_what_is_not_beyond_the_step(self, tmp_path: Path):
        path = tmp_path / "metrics.jsonl"
        path.write_text("".join(f'{{"step": {step}}}\n' for step in (1, 2, 2, 3, 4)))
        trimmed(path, 2)
        assert [line["step"] for line in lines(tmp_path)] == [1, 2, 2]

    @pytest.mark.parametrize("end", ['{"step": 2, "lo', "", "\n", "[]\n", "{}\n", "\x00\x00\n"])
    def test_drops_what_a_kill_cut_off(self, end: str, tmp_path: Path):
        path = tmp_path / "metrics.jsonl"
        path.write_text('{"step": 1}\n' + end)
        trimmed(path, 9)
        assert path.read_text() == '{"step": 1}\n'

    def test_of_no_file(self, tmp_path: Path):
        trimmed(tmp_path / "metrics.jsonl", 3)
        assert not list(tmp_path.iterdir())


class TestConsole:
    def shown(self, tmp_path: Path, terminal: bool) -> str:
        console = Console(file=io.StringIO(), force_terminal=terminal, width=200)
        with RunLog(tmp_path, "none", 10, 2, console) as log:
            log.advance()
            log.report(3, VALUES)
            log.say("Depth is constant [at step 3].", style="yellow")
        text: str = console.file.getvalue()
        return text

    def test_away_from_a_terminal_is_a_line_for_each_entry(self, tmp_path: Path):
        entry, said = self.shown(tmp_path, terminal=False).splitlines()
        assert entry == "step 3/10  0:00:02 left  photometric 0.5000  8.0 images/s  data wait 1%"
        assert said == "Depth is constant [at step 3]."

    def test_in_a_terminal_moves(self, tmp_path: Path):
        text = self.shown(tmp_path, terminal=True)
        assert "3/10" in text
        assert "photometric 0.5000  8.0 images/s  data wait 1%" in text
        assert "Depth is constant [at step 3]." in text


class TestBoard:
    def test_tensorboard_holds_curves_and_strips(self, workshop: Any, tmp_path: Path):
        workshop.trainer(tmp_path, steps=2, samples=1, logger="tensorboard").fit()
        (events,) = (tmp_path / "tensorboard").iterdir()
        content = events.read_bytes()
        for name in (b"loss/photometric", b"data_wait_share", b"lr", b"held_out/loss", b"sample_0"):
            assert name in content

    def test_none_leaves_no_board(self, workshop: Any, tmp_path: Path):
        workshop.trainer(tmp_path, steps=1).fit()
        assert not (tmp_path / "tensorboard").exists()

    @pytest.mark.parametrize("logger", ["none", "tensorboard"])
    def test_others_need_nothing(self, logger: str):
        require_logger(logger)

    def test_wandb_that_is_not_installed_is_one_sentence(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr("kinedepth.training.log.find_spec", lambda name: None)
        with pytest.raises(
            KinedepthError, match=r"'wandb' needs the package: pip install 'kinedepth\[wandb\]'"
        ):
            RunLog(tmp_path, "wandb", 1)
        assert not list(tmp_path.iterdir())

    def test_wandb_gets_curves_and_goes_on_with_them(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        made: list[dict[str, Any]] = []
        logged: list[Any] = []

        class Run:
            def log(self, values: dict[str, Any], step: int) -> None:
                logged.append((step, values))

            def finish(self) -> None:
                logged.append("finished")

        def init(**settings: Any) -> Run:
            made.append(settings)
            return Run()

        fake = ModuleType("wandb")
        fake.init, fake.Image = init, lambda image: image.shape  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "wandb", fake)
        monkeypatch.setattr("kinedepth.training.log.find_spec", lambda name: fake)
        for step in (1, 2):
            with RunLog(tmp_path, "wandb", 2, step - 1) as log:
                log.scalars(step, {"lr": 0.1})
                log.picture(step, "sample_0", np.zeros((4, 6, 3), np.uint8))
        assert made[0]["id"] == made[1]["id"]
        assert made[0]["resume"] == "allow"
        assert logged[:3] == [(1, {"lr": 0.1}), (1, {"sample_0": (4, 6, 3)}), "finished"]


class TestMeter:
    def test_measures_shares_of_time(self, monkeypatch: pytest.MonkeyPatch):
        now = [0.0]
        monkeypatch.setattr("kinedepth.training.log.time.perf_counter", lambda: now[0])
        meter = Meter()
        meter.add({"a": 1.0, "b": 2.0}, images=4, waited=0.5)
        meter.add({"a": 3.0, "b": 4.0}, images=4, waited=1.5)
        now[0] = 24.0
        meter.skip(20.0)
        assert meter.read() == {
            "loss/a": 2.0,
            "loss/b": 3.0,
            "loss/total": 5.0,
            "images_per_second": 2.0,
            "seconds_per_step": 2.0,
            "data_wait_share": 0.5,
        }

    def test_goes_on_with_its_losses_and_a_new_clock(self, monkeypatch: pytest.MonkeyPatch):
        now = [0.0]
        monkeypatch.setattr("kinedepth.training.log.time.perf_counter", lambda: now[0])
        before, after = Meter(), Meter()
        before.add({"a": 1.0}, images=4, waited=0.5)
        now[0] = 1000.0
        after.load_state_dict(before.state_dict())
        after.add({"a": 3.0}, images=4, waited=1.0)
        now[0] = 1002.0
        read = after.read()
        assert read["loss/a"] == 2.0
        assert (read["images_per_second"], read["data_wait_share"]) == (2.0, 0.5)

    def test_forgets_after_a_line(self):
        meter = Meter()
        meter.add({"a": 1.0}, images=4, waited=0.5)
        meter.reset()
        meter.add({"b": 1.0}, images=4, waited=0.0)
        assert "loss/a" not in meter.read()
