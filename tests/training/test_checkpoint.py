"""What is saved is whole or absent, and what cannot be read is said."""

import errno
import os
import resource
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from kinedepth.errors import KinedepthError
from kinedepth.inference import whole
from kinedepth.training import checkpoint
from kinedepth.training.checkpoint import (
    random_state,
    read_state,
    remove_drafts,
    restore_random_state,
    save_run,
    state_of,
)


def a_state(value: float, count: int = 10) -> dict[str, Any]:
    return {"networks": {"a": torch.full((count,), value)}, "position": {"step": 1}}


def content(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def save(folder: Path, value: float, count: int = 10) -> None:
    models = dict.fromkeys(("best", "last"), {"a": torch.full((count,), value)})
    save_run(folder, a_state(value, count), models, {"step": value})


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """A run folder with state, best and last."""
    save(tmp_path, 1.0)
    return tmp_path


@pytest.fixture
def small_files() -> Iterator[None]:
    """No file can grow beyond 64 KiB, as on a disk that is full then."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_what_is_saved_comes_back(saved: Path):
    assert set(content(saved)) == {
        "state/state.pt",
        "checkpoints/best.safetensors",
        "checkpoints/last.safetensors",
    }
    assert torch.equal(read_state(saved)["networks"]["a"], torch.ones(10))


class TestFullDisk:
    def test_leaves_what_was_there(self, saved: Path, small_files: None):
        before = content(saved)
        with pytest.raises(KinedepthError, match="cannot be written .File too large.: make room") as refused:
            save(saved, 2.0, 100_000)
        assert "\n" not in str(refused.value)
        assert content(saved) == before

    @pytest.mark.parametrize("writer", ["write_weights", "torch.save"])
    @pytest.mark.parametrize("call", [1, 2])
    def test_at_any_file(self, writer: str, call: int, saved: Path, monkeypatch: pytest.MonkeyPatch):
        if (writer, call) == ("torch.save", 2):
            pytest.skip("there is one state")
        holder, name = (torch, "save") if writer == "torch.save" else (checkpoint, writer)
        monkeypatch.setattr(holder, name, refusing_at(call, getattr(holder, name)))
        before = content(saved)
        with pytest.raises(
            KinedepthError, match="No space left on device.*what was saved before is untouched"
        ):
            save(saved, 2.0)
        assert content(saved) == before

    def test_at_the_first_save_leaves_nothing(self, tmp_path: Path, small_files: None):
        with pytest.raises(KinedepthError, match="make room"):
            save(tmp_path, 1.0, 100_000)
        assert content(tmp_path) == {}

    def test_while_training(self, workshop: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        """One sentence, and the run goes on from the save before as if nothing had been."""
        workshop.trainer(tmp_path / "unbroken", save_every=3).fit()
        real = torch.save
        monkeypatch.setattr(torch, "save", refusing_at(3, real))  # at the start, after step 3, after step 6
        with pytest.raises(KinedepthError, match="No space left on device.*go on with --resume"):
            workshop.trainer(tmp_path / "broken", save_every=3).fit()
        assert workshop.state(tmp_path / "broken")["position"]["total"] == 3
        assert not list(tmp_path.rglob(".partial*"))
        monkeypatch.setattr(torch, "save", real)
        workshop.trainer(tmp_path / "broken", save_every=3).fit(resume=True)
        assert workshop.metrics(tmp_path / "broken") == workshop.metrics(tmp_path / "unbroken")

    def test_while_logging(self, workshop: Any, tmp_path: Path):
        if not Path("/dev/full").exists():
            pytest.skip("this system has no /dev/full")
        tmp_path.joinpath("metrics.jsonl").symlink_to("/dev/full")
        with pytest.raises(KinedepthError, match="No space left on device"):
            workshop.trainer(tmp_path).fit()


def refusing_at(call: int, function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, but its `call`-th call finds the disk full."""
    calls = iter(range(1, 1000))

    def refuse(*arguments: Any, **named: Any) -> Any:
        if next(calls) == call:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return function(*arguments, **named)

    return refuse


class TestDeath:
    """A kill cannot be caught: what it leaves is what lay there when the last rename had not happened."""

    @pytest.mark.parametrize("renames", [0, 1, 2])
    def test_between_renames_leaves_whole_files(
        self, renames: int, saved: Path, monkeypatch: pytest.MonkeyPatch
    ):
        real, left = os.replace, iter(range(renames))

        def replace(*paths: Any) -> None:
            if Path(paths[1]).name.startswith(".partial") or next(left, None) is not None:
                real(*paths)
            else:
                raise KeyboardInterrupt

        monkeypatch.setattr(whole.os, "replace", replace)
        with pytest.raises(KeyboardInterrupt):
            save(saved, 2.0)
        # The state is renamed last, so that a run that goes on from it writes the newer models again.
        assert torch.equal(read_state(saved)["networks"]["a"], torch.ones(10))
        assert not list(saved.rglob(".partial*"))

    def test_leftovers_go_when_the_run_is_resumed(self, workshop: Any, tmp_path: Path):
        workshop.trainer(tmp_path, steps=2).fit()
        for folder in ("state", "checkpoints", "."):
            (tmp_path / folder / ".partial-123-left").write_bytes(b"half")
        workshop.trainer(tmp_path, steps=3).fit(resume=True)
        assert not list(tmp_path.rglob(".partial*"))

    def test_removing_nothing_is_fine(self, tmp_path: Path):
        remove_drafts(tmp_path)
        assert list(tmp_path.iterdir()) == []


class TestReading:
    def test_no_state(self, tmp_path: Path):
        with pytest.raises(KinedepthError, match="holds no resumable state"):
            read_state(tmp_path)

    @pytest.mark.parametrize("kept", [0, 1, 100, -1])
    def test_a_cut_off_state(self, kept: int, saved: Path):
        path = state_of(saved)
        path.write_bytes(path.read_bytes()[:kept])
        with pytest.raises(KinedepthError, match="is damaged.*--init"):
            read_state(saved)

    def test_a_foreign_pickle_runs_nothing(self, saved: Path):
        torch.save({"networks": Evil()}, state_of(saved))
        with pytest.raises(KinedepthError, match="is damaged"):
            read_state(saved)
        assert not hasattr(sys, "evil_was_here")

    @pytest.mark.parametrize(
        ("state", "said"),
        [({}, "does not fit its"), ({"position": {}}, "does not fit its"), ([1, 2], "is damaged")],
        ids=["empty", "foreign", "list"],
    )
    def test_a_state_of_something_else(self, state: Any, said: str, workshop: Any, tmp_path: Path):
        state_of(tmp_path).parent.mkdir()
        torch.save(state, state_of(tmp_path))
        with pytest.raises(KinedepthError, match=said):
            workshop.trainer(tmp_path).fit(resume=True)


class Evil:
    def __reduce__(self) -> Any:
        return exec, ("import sys; sys.evil_was_here = True",)


def test_random_numbers_go_on_where_they_were():
    before = random_state()
    expected = torch.randn(3)
    torch.randn(100)
    restore_random_state(before)
    assert torch.equal(torch.randn(3), expected)


def test_random_state_of_another_machine_leaves_absent_devices_alone():
    before = random_state()
    expected = torch.randn(3)
    restore_random_state(before | {"cuda": [torch.zeros(16, dtype=torch.uint8)] * 99})
    assert torch.equal(torch.randn(3), expected)
