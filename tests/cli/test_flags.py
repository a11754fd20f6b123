"""Flags in any order, and what is wrong with them in one sentence."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

import pytest
import tyro

from kinedepth.cli.aliases import spelled_out
from kinedepth.cli.complaints import nearest
from kinedepth.cli.flags import lists_last, parsed, value_of
from kinedepth.cli.train import ALIASES
from kinedepth.errors import UsageError
from kinedepth.settings import Settings, changed

LISTS = {"--frames": lambda word: word.lstrip("-").isdecimal(), "--format": {"npy", "png"}.__contains__}

TOO_SMALL = "does not fit: Input should be greater than or equal to 1; see kinedepth toy --help."


@dataclass(frozen=True)
class Toy:
    """A toy."""

    source: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="SOURCE")]
    """Where from."""
    frames: tuple[int, ...] = ()
    """Which."""
    settings: Annotated[Settings, tyro.conf.arg(name="")] = Settings()


def toy(words: str) -> Toy:
    return parsed(Toy, words.split(), "toy", "examples:", lists=LISTS)


@pytest.mark.parametrize(
    "words",
    [
        "a.mp4 --frames -1 1 --train.batch-size 6 --data.size 96 320 --data.no-flip",
        "--frames -1 1 a.mp4 --train.batch-size 6 --data.size 96 320 --data.no-flip",
        "--train.batch_size=6 --data.no-flip --data.size 96 320 --frames -1 1 a.mp4",
        "--data.size 96 320 a.mp4 --data.no_flip --train.batch_size 6 --frames -1 1",
    ],
)
def test_order_and_spelling_do_not_matter(words: str) -> None:
    settings = changed(Settings(), data={"size": (96, 320), "flip": False}, train={"batch_size": 6})
    assert toy(words) == Toy("a.mp4", (-1, 1), settings)


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            "a --train.batch-sise 3",
            "There is no flag '--train.batch-sise': did you mean '--train.batch-size'?",
        ),
        ("a --batch_size 3", "There is no flag '--batch_size': did you mean '--train.batch-size'?"),
        ("--batchsize=3", "There is no flag '--batchsize': did you mean '--train.batch-size'?"),
        ("a b", "'b' is one argument too many for kinedepth toy; see kinedepth toy --help."),
        ("", "kinedepth toy needs SOURCE; see kinedepth toy --help."),
        ("a --train.steps x", "--train.steps x does not fit; see kinedepth toy --help."),
        ("a --data.size 3 x", "--data.size 3 x does not fit; see kinedepth toy --help."),
        (
            "a --train.batch-size 0",
            f"--train.batch-size 0 {TOO_SMALL}",
        ),
        (
            "a --data.size 0 4",
            f"--data.size 0 {TOO_SMALL}",
        ),
        (
            "a --data.size 3",
            "Missing value for argument '--data.size'. Expected 2 values; see kinedepth toy --help.",
        ),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(words: str, sentence: str) -> None:
    with pytest.raises(UsageError) as refused:
        toy(words)
    assert str(refused.value) == sentence


def test_a_wrong_choice_names_the_choices() -> None:
    with pytest.raises(UsageError, match=r"'fp8'.*--train\.precision.*32-true.*bf16-mixed"):
        toy("a --train.precision fp8")


@pytest.mark.parametrize(
    ("words", "moved"),
    [
        ("--frames -1 1 a.mp4", "a.mp4 --frames -1 1"),
        ("--format npy png run a.mp4 -o out", "run a.mp4 -o out --format npy png"),
        ("run --format npy a --frames 1 2 b", "run a b --format npy --frames 1 2"),
        ("--format jpg a", "a --format jpg"),
        ("--frames --other a", "--other a --frames"),
        ("a --size 1 2 b", "a --size 1 2 b"),
    ],
)
def test_flags_with_many_values_swallow_no_other_words(words: str, moved: str) -> None:
    assert lists_last(words.split(), LISTS) == moved.split()


@pytest.mark.parametrize(
    ("words", "value"),
    [
        ("a --recipe x", "x"),
        ("--recipe=x a", "x"),
        ("--recipe x --recipe=y", "y"),
        ("a --recipe", None),
        ("a", None),
    ],
)
def test_a_first_look_finds_a_value(words: str, value: str | None) -> None:
    assert value_of(words.split(), "--recipe") == value


@pytest.mark.parametrize(
    ("flag", "found"),
    [
        ("--data.siz", "--data.size"),
        ("--size", "--data.size"),
        ("--batch_size", "--train.batch-size"),
        ("--trian.batch-size", "--train.batch-size"),
        ("--wholly-other", None),
    ],
)
def test_the_nearest_flag(flag: str, found: str | None) -> None:
    assert nearest(flag, ["--data.size", "--train.batch-size", "--out"]) == found


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("--batch-size 3", "--train.batch-size 3"),
        ("--batch_size=3", "--train.batch-size=3"),
        ("--learning_rate 0.1 SOURCE", "--train.lr 0.1 SOURCE"),
        ("--no-flip", "--data.no-flip"),
        ("--log_dir runs", "--out runs"),
        ("--encoder resnet50", "--encoder resnet50"),  # two groups have one
        ("--intrinsics cam.txt", "--intrinsics cam.txt"),  # the verb's own
        ("--train.lr 1", "--train.lr 1"),
        ("-o x", "-o x"),
    ],
)
def test_bare_names_and_names_of_the_field_are_flags(given: str, meant: str) -> None:
    assert spelled_out(given.split(), ALIASES) == meant.split()


def test_every_alias_leads_to_a_flag_of_train(kinedepth: Callable) -> None:
    shown = kinedepth("train", "--help").out
    assert [flag for flag in set(ALIASES.values()) if flag not in shown] == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            "--align medain",
            "'medain' does not fit --align: did you mean 'median'? There are all, median,",
        ),
        ("--align x", "'x' does not fit --align: there are all, median, none, one_factor; see"),
    ],
)
def test_a_wrong_choice_names_the_nearest_or_all(kinedepth: Callable, words: str, said: str) -> None:
    done = kinedepth("evaluate", "run", "source", *words.split())
    assert (done.code, done.err.count("\n")) == (2, 1)
    assert said in done.err
