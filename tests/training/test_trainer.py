"""The loop: what it leaves, and that an interrupted run is one run."""

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from kinedepth.errors import KinedepthError
from kinedepth.inference.weights import read_weights
from kinedepth.training.trainer import Interrupted

STEPS = 8
PER_EPOCH = 3


def rings_at(step: int, ring: Callable[[], None]) -> Callable[[], None]:
    """Calls `ring` when it is called for the `step`-th time."""
    calls = iter(range(1, 10**6))
    return lambda: ring() if next(calls) == step else None


def press_ctrl_c() -> None:
    signal.raise_signal(signal.SIGINT)


@pytest.fixture(scope="session")
def same_run(workshop: Any, same: Callable[..., None]) -> Callable[[Path, Path], None]:
    """The same losses at the same steps, the same weights, moments and random state, the same models."""

    def check(one: Path, other: Path) -> None:
        assert workshop.metrics(one) == workshop.metrics(other)
        same(workshop.state(one), workshop.state(other))
        for name in ("last", "best"):
            same(*(read_weights(folder / "checkpoints" / f"{name}.safetensors") for folder in (one, other)))

    return check


OPTIONS: dict[str, dict[str, Any]] = {
    "plain": {"vary": False},
    "augmentation": {},
    "running average": {"average": 0.9},
    "half precision": {"precision": "bf16-mixed"},
    "scored in between": {"save_every": 1, "samples": 1},
    "readers ahead": {"workers": 2},
    "sparse log": {"log_every": 5, "save_every": 3},
    "epochs, none held out": {"held_out": 0.0, "steps": 0, "epochs": 2},
}


CASES = [("plain", stop) for stop in (1, PER_EPOCH, PER_EPOCH + 1, STEPS - 1)]
CASES += [(name, stop) for name in OPTIONS if name != "plain" for stop in (2, 2 * PER_EPOCH)]


@pytest.fixture(scope="module")
def unbroken(workshop: Any, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The folder of a run that nothing stopped, by the name of its options."""
    done: dict[str, Path] = {}

    def run(name: str) -> Path:
        if name not in done:
            done[name] = tmp_path_factory.mktemp("unbroken") / "run"
            workshop.trainer(done[name], **OPTIONS[name]).fit()
        return done[name]

    return run


class TestResume:
    @pytest.mark.parametrize(("name", "stop"), CASES)
    def test_is_the_unbroken_run(
        self, name: str, stop: int, workshop: Any, unbroken: Any, same_run: Any, tmp_path: Path
    ):
        options = OPTIONS[name]
        with pytest.raises(
            Interrupted, match=f"step {stop}; go on with: kinedepth train --resume {tmp_path}"
        ):
            workshop.trainer(tmp_path, listen=rings_at(stop, press_ctrl_c), **options).fit()
        workshop.trainer(tmp_path, **options).fit(resume=True)
        same_run(unbroken(name), tmp_path)

    @pytest.mark.parametrize(
        ("name", "stop"), [("sparse log", 5), ("sparse log", 2), ("scored in between", 7)]
    )
    def test_after_a_sudden_death(
        self, name: str, stop: int, workshop: Any, unbroken: Any, same_run: Any, tmp_path: Path
    ):
        """Nothing is saved at the step itself; what was logged beyond the last save is gone over again."""
        options = OPTIONS[name]

        def die() -> None:
            raise SystemExit

        with pytest.raises(SystemExit):
            workshop.trainer(tmp_path, listen=rings_at(stop, die), **options).fit()
        workshop.trainer(tmp_path, **options).fit(resume=True)
        same_run(unbroken(name), tmp_path)

    def test_twice(self, workshop: Any, unbroken: Any, same_run: Any, tmp_path: Path):
        for stop in (2, 3):
            with pytest.raises(Interrupted):
                workshop.trainer(tmp_path, listen=rings_at(stop, press_ctrl_c)).fit(resume=stop == 3)
        workshop.trainer(tmp_path).fit(resume=True)
        same_run(unbroken("augmentation"), tmp_path)

    def test_of_a_finished_run_changes_nothing(
        self, workshop: Any, unbroken: Any, same_run: Any, tmp_path: Path
    ):
        path = workshop.trainer(tmp_path).fit()
        assert workshop.trainer(tmp_path).fit(resume=True) == path
        same_run(unbroken("augmentation"), tmp_path)

    def test_keeps_the_layout_of_weights_and_moments(self, workshop: Any, tmp_path: Path):
        workshop.trainer(tmp_path, steps=2).fit()
        trainer = workshop.trainer(tmp_path, steps=2)
        trainer.fit(resume=True)
        kept = workshop.state(tmp_path)
        moments = [moment["exp_avg"] for moment in kept["optimizer"]["state"].values()]
        wide = [tensor for tensor in (*kept["networks"].values(), *moments) if tensor.ndim == 4]
        assert len(wide) == 6
        assert all(tensor.is_contiguous(memory_format=torch.channels_last) for tensor in wide)
        assert all(
            p.is_contiguous(memory_format=torch.channels_last)
            for p in trainer.method.parameters()
            if p.ndim == 4
        )

    def test_with_another_number_of_samples(self, workshop: Any, tmp_path: Path):
        workshop.trainer(tmp_path, steps=1).fit()
        with pytest.raises(KinedepthError, match="has changed: 6 samples when the run began, 10 now"):
            workshop.trainer(tmp_path, steps=2, held_out=0.0).fit(resume=True)

    def test_with_other_networks(self, workshop: Any, tmp_path: Path):
        workshop.trainer(tmp_path, steps=1).fit()
        method = workshop.tiny(workshop.settings())
        method.networks["pose"].layer = nn.Conv2d(6, 6, 5)
        with pytest.raises(KinedepthError, match="does not fit its recipe.toml"):
            workshop.trainer(tmp_path, method).fit(resume=True)

    def test_of_nothing(self, workshop: Any, tmp_path: Path):
        with pytest.raises(KinedepthError, match="holds no resumable state"):
            workshop.trainer(tmp_path).fit(resume=True)


class TestCtrlC:
    def test_twice_stops_at_once_and_keeps_the_last_save(self, workshop: Any, tmp_path: Path):
        def press_twice() -> None:
            press_ctrl_c()
            press_ctrl_c()

        with pytest.raises(KeyboardInterrupt):
            workshop.trainer(tmp_path, listen=rings_at(5, press_twice), save_every=3).fit()
        assert workshop.state(tmp_path)["position"]["total"] == 3
        assert not list(tmp_path.rglob(".partial-*"))

    def test_is_given_back(self, workshop: Any, tmp_path: Path):
        before = signal.getsignal(signal.SIGINT)
        workshop.trainer(tmp_path, steps=1).fit()
        assert signal.getsignal(signal.SIGINT) is before

    def test_on_the_last_step_finishes(self, workshop: Any, tmp_path: Path):
        assert workshop.trainer(tmp_path, listen=rings_at(3, press_ctrl_c), steps=3).fit().is_file()

    def test_names_a_folder_with_spaces_as_the_shell_wants_it(self, workshop: Any, tmp_path: Path):
        with pytest.raises(Interrupted) as stopped:
            workshop.trainer(tmp_path / "my run", listen=rings_at(1, press_ctrl_c)).fit()
        assert f"--resume '{tmp_path / 'my run'}'" in str(stopped.value)
        assert stopped.value.exit_code == 130
