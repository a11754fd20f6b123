"""Flags by the names that users bring: `--batch-size`, `--learning_rate` for `--train.lr`, and so on."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

OF_SCRIPTS = {
    "--learning-rate": "--train.lr",
    "--num-epochs": "--train.epochs",
    "--num-workers": "--data.workers",
    "--log-dir": "--out",
    "--model-name": "--name",
    "--load-weights-folder": "--init",
}
"""Names of the field's training scripts -> ours, where they mean the same."""


def short_names(settings: Any, taken: Iterable[str]) -> dict[str, str]:
    """`--field` -> `--group.field` for every field of a group of settings whose name no other group has.

    Args:
        settings: a dataclass whose fields are groups of settings.
        taken: flags that mean something already.
    """
    groups = [field for field in fields(settings) if is_dataclass(field.type)]
    pairs = [(group.name, inner.name) for group in groups for inner in fields(group.type)]  # type: ignore[arg-type]
    count, used = Counter(name for _, name in pairs), set(taken)
    short = {_flag(name): f"--{group}.{_flag(name)[2:]}" for group, name in pairs if count[name] == 1}
    return {flag: full for flag, full in short.items() if flag not in used}


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def spelled_out(argv: Sequence[str], aliases: Mapping[str, str]) -> list[str]:
    """The words with every alias replaced; `--flag=value`, `--no-flag` and underscores are understood."""
    return [_spelled_out(word, aliases) for word in argv]


def _spelled_out(word: str, aliases: Mapping[str, str]) -> str:
    if not word.startswith("--"):
        return word
    flag, equals, value = word.partition("=")
    plain = flag.replace("_", "-")
    if plain in aliases:
        return aliases[plain] + equals + value
    positive = "--" + plain.removeprefix("--no-")
    if plain.startswith("--no-") and positive in aliases:
        group, _, name = aliases[positive].rpartition(".")
        return f"{group}.no-{name}" if group else f"--no-{name.removeprefix('--')}"
    return word
