"""The door: verbs, help, exit codes, and that looking at the help loads nothing heavy."""

import subprocess
import sys
from collections.abc import Callable

import pytest

import kinedepth as package
from kinedepth.cli import main as door
from kinedepth.cli.main import VERBS
from kinedepth.errors import KinedepthError


def test_without_a_verb_the_usage_is_shown_and_it_is_an_error(kinedepth: Callable) -> None:
    said = kinedepth()
    assert said.code == 2
    assert all(verb in said.out for verb in VERBS)


@pytest.mark.parametrize("flag", ["-h", "--help", "help"])
def test_help_lists_every_verb_with_an_example(kinedepth: Callable, flag: str) -> None:
    said = kinedepth(flag)
    assert said.code == 0
    assert all(f"\n  {verb} " in said.out and entry.summary in said.out for verb, entry in VERBS.items())
    assert "kinedepth train drive.mp4" in said.out


def test_version(kinedepth: Callable) -> None:
    assert kinedepth("--version").out == f"kinedepth {package.__version__}\n"


def test_an_unknown_verb_names_the_nearest(kinedepth: Callable) -> None:
    said = kinedepth("trian")
    assert (said.code, said.out) == (2, "")
    assert said.err == "kinedepth: There is no verb 'trian': did you mean 'train'?\n"


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_every_verb_shows_defaults_and_an_example(kinedepth: Callable, verb: str) -> None:
    said = kinedepth(verb, "--help")
    assert said.code == 0
    assert "(default: " in said.out
    assert f"kinedepth {verb} " in said.out.partition("examples:")[2]


@pytest.mark.parametrize("verb", sorted(VERBS))
def test_an_unknown_flag_of_any_verb_is_one_sentence(kinedepth: Callable, verb: str) -> None:
    said = kinedepth(verb, "--qqqqq")
    assert (said.code, said.out) == (2, "")
    assert said.err == f"kinedepth: There is no flag '--qqqqq': see kinedepth {verb} --help.\n"


@pytest.mark.parametrize(
    ("error", "code", "sentence"),
    [
        (KinedepthError("No."), 1, "kinedepth: No.\n"),
        (KeyboardInterrupt(), 130, "kinedepth: Stopped by Ctrl-C.\n"),
    ],
)
def test_errors_become_a_line_and_a_code(
    kinedepth: Callable, monkeypatch: pytest.MonkeyPatch, error: BaseException, code: int, sentence: str
) -> None:
    def fail(arguments: list[str]) -> int:
        raise error

    monkeypatch.setattr(door, "_run", fail)
    said = kinedepth("train")
    assert (said.code, said.err) == (code, sentence)


def test_a_bug_keeps_its_traceback(kinedepth: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(arguments: list[str]) -> int:
        raise ZeroDivisionError

    monkeypatch.setattr(door, "_run", fail)
    with pytest.raises(ZeroDivisionError):
        kinedepth("train")


LOADED = "import sys; from kinedepth.cli.main import main; main({words}); print('torch' in sys.modules)"


@pytest.mark.parametrize(
    "words", [["train", "--help"], ["predict", "--help"], ["recipes"], ["--version"], ["train", "--qqq"]]
)
def test_looking_loads_no_torch(words: list[str]) -> None:
    command = [sys.executable, "-c", LOADED.format(words=words)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.endswith("False\n")


def test_the_package_alone_loads_neither_torch_nor_itself() -> None:
    code = (
        "import sys, kinedepth; print([n for n in sys.modules if n == 'torch' or n.startswith('kinedepth.')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("name", package.__all__)
def test_public_names_are_there(name: str) -> None:
    assert getattr(package, name).__name__ == name
    assert name in dir(package)


def test_other_names_are_not() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = package.nothing
