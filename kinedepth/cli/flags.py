"""Flags -> a frozen dataclass, by tyro; what is wrong comes back as one sentence with the nearest name."""

import difflib
import io
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from typing import Any, TypeVar

import tyro

from kinedepth.errors import UsageError

T = TypeVar("T")
IsValue = Callable[[str], bool]


def parsed(
    kind: type[T], argv: Sequence[str], verb: str, example: str, default: T | None = None, lists: Mapping[str, IsValue] = {}
) -> T:
    """The flags and positional arguments of a verb, in any order, as an instance of `kind`.

    Args:
        kind: a dataclass; its docstrings are the help. A field annotated `tyro.conf.Positional` has no flag.
        argv: what follows the verb.
        verb: its name, for messages.
        example: lines shown below the help.
        default: what fields are when no flag says otherwise; without it, the class's own defaults.
        lists: flags that take any number of values -> whether a word is one, so that SOURCE may follow.

    Raises:
        UsageError: an unknown flag (with the nearest name), a missing argument, or a value that does not fit.
        SystemExit: the help was shown.
    """
    words = lists_last(argv, lists)
    found, unknown = _asked(kind, words, verb, example, default)
    if unknown:
        raise UsageError(_unknown(unknown, verb, _names(kind, default, verb)))
    return found


def lists_last(argv: Sequence[str], lists: Mapping[str, IsValue]) -> list[str]:
    """The words with every flag of `lists` and its values moved to the end, where they cannot swallow others."""
    kept: list[str] = []
    moved: list[str] = []
    taking: IsValue | None = None
    for word in argv:
        if taking is not None and taking(word):
            moved.append(word)
            continue
        taking = lists.get(word.replace("_", "-"))
        (kept if taking is None else moved).append(word)
    return kept + moved


def value_of(argv: Sequence[str], flag: str) -> str | None:
    """The value of a flag, found by a first look at the words; the last one counts, as for tyro."""
    value = None
    for place, word in enumerate(argv):
        if word == flag and place + 1 < len(argv):
            value = argv[place + 1]
        elif word.startswith(f"{flag}="):
            value = word.partition("=")[2]
    return value


def _asked(kind: type[T], words: list[str], verb: str, example: str, default: T | None) -> tuple[T, list[str]]:
    extra: dict[str, Any] = {} if default is None else {"default": default}
    complaint = io.StringIO()
    try:
        with redirect_stderr(complaint):
            found: tuple[T, list[str]] = tyro.cli(
                kind, args=words, prog=f"kinedepth {verb}", return_unknown_args=True, **extra
            )
    except SystemExit as stop:
        if stop.code:
            raise UsageError(f"{sentence(complaint.getvalue())}; see kinedepth {verb} --help.") from None
        print(example)
        raise
    return found


def sentence(box: str) -> str:
    """The message inside the frame that tyro draws around it, on one line."""
    said: list[str] = []
    for line in box.splitlines()[1:]:
        text = line.strip("│╭╮╰╯ ")
        if text and not text.strip("─"):
            break
        said.append(text)
    return " ".join(filter(None, said)).rstrip(".")


def _unknown(words: list[str], verb: str, names: Sequence[str]) -> str:
    flags = [word.partition("=")[0] for word in words if re.match(r"--?[A-Za-z]", word)]
    if not flags:
        return f"'{words[0]}' is one argument too many for kinedepth {verb}; see kinedepth {verb} --help."
    near = nearest(flags[0], names)
    hint = f"did you mean '{near}'?" if near else f"see kinedepth {verb} --help."
    return f"There is no flag '{flags[0]}': {hint}"


def nearest(flag: str, names: Sequence[str]) -> str | None:
    """The known flag most like an unknown one; a bare name finds the flag of a group that ends in it."""
    bare = flag.lstrip("-").replace("_", "-")
    known = {name.lstrip("-"): name for name in names}
    short = {name.rpartition(".")[2]: name for name in names if "." in name}
    for table in (known, short):
        if bare in table:
            return table[bare]
    for table, word in ((known, bare), (short, bare.rpartition(".")[2])):
        found = difflib.get_close_matches(word, table, 1, 0.6)
        if found:
            return table[found[0]]
    return None


def _names(kind: type[Any], default: Any, verb: str) -> list[str]:
    """Every flag, read from the help, which is where tyro says them."""
    shown = io.StringIO()
    try:
        with redirect_stdout(shown):
            _asked(kind, ["--help"], verb, "", default)
    except SystemExit:
        pass
    return sorted(set(re.findall(r"--[A-Za-z][\w.-]*", shown.getvalue())))
