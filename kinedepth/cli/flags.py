"""Flags -> a frozen dataclass, by tyro; what is wrong comes back as one sentence with the nearest name."""

import io
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout, suppress
from types import MappingProxyType
from typing import Any, TypeVar

import tyro

from kinedepth.cli.aliases import spelled_out
from kinedepth.cli.complaints import explained, unknown_flag
from kinedepth.cli.complaints import nearest as nearest
from kinedepth.errors import UsageError

T = TypeVar("T")
IsValue = Callable[[str], bool]
NO_LISTS: Mapping[str, IsValue] = MappingProxyType({})
NO_ALIASES: Mapping[str, str] = MappingProxyType({})


def parsed(  # noqa: PLR0913  what a verb takes is one thing to it
    kind: type[T],
    argv: Sequence[str],
    verb: str,
    example: str,
    default: T | None = None,
    lists: Mapping[str, IsValue] = NO_LISTS,
    *,
    aliases: Mapping[str, str] = NO_ALIASES,
) -> T:
    """The flags and positional arguments of a verb, in any order, as an instance of `kind`.

    Args:
        kind: a dataclass; its docstrings are the help. A field annotated `tyro.conf.Positional` has no flag.
        argv: what follows the verb.
        verb: its name, for messages.
        example: lines shown below the help.
        default: what fields are when no flag says otherwise; without it, the class's own defaults.
        lists: flags that take any number of values -> whether a word is one, so that SOURCE may follow.
        aliases: other names of flags -> the flag.

    Raises:
        UsageError: an unknown flag (with the nearest name), a missing argument, or a value that does not fit.
        SystemExit: the help was shown.
    """
    words = lists_last(spelled_out(argv, aliases), lists)
    found, unknown = _asked(kind, words, verb, example, default, aliases)
    if unknown:
        too_many = (
            f"'{unknown[0]}' is one argument too many for kinedepth {verb}; see kinedepth {verb} --help."
        )
        known = [*_flags(kind, default, verb), *aliases]
        raise UsageError(unknown_flag(unknown, verb, known) or too_many)
    return found


def lists_last(argv: Sequence[str], lists: Mapping[str, IsValue]) -> list[str]:
    """The words with the flags of `lists` and their values moved to the end, where they swallow nothing."""
    kept: list[str] = []
    moved: list[str] = []
    taking: IsValue | None = None
    first = False
    for word in argv:
        # The first word is the flag's in any case, so that a wrong value is called one.
        if taking is not None and (taking(word) or (first and not word.startswith("-"))):
            moved.append(word)
            first = False
            continue
        taking = lists.get(word.replace("_", "-"))
        first = taking is not None
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


def _asked(
    kind: type[T],
    words: list[str],
    verb: str,
    example: str,
    default: T | None,
    aliases: Mapping[str, str] = NO_ALIASES,
) -> tuple[T, list[str]]:
    extra: dict[str, Any] = {} if default is None else {"default": default}
    box = io.StringIO()
    try:
        with redirect_stderr(box):
            found: tuple[T, list[str]] = tyro.cli(
                kind, args=words, prog=f"kinedepth {verb}", return_unknown_args=True, **extra
            )
    except SystemExit as stop:
        if stop.code:
            # tyro may name what an unknown flag made it miss, so that flag comes first.
            unknown = unknown_flag(words, verb, [*_flags(kind, default, verb), *aliases])
            raise UsageError(unknown or explained(stop, box.getvalue(), verb)) from None
        print(example)
        raise
    return found


def _flags(kind: type[Any], default: Any, verb: str) -> list[str]:
    """Every flag, read from the help, which is where tyro says them."""
    shown = io.StringIO()
    with redirect_stdout(shown), suppress(SystemExit):
        _asked(kind, ["--help"], verb, "", default)
    return sorted(set(re.findall(r"(?<![\w-])--?[A-Za-z][\w.-]*", shown.getvalue())))
