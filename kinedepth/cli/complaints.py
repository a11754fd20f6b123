"""What tyro and pydantic say of a command line, on one line, with the nearest name."""

import difflib
import re
from collections.abc import Sequence
from itertools import takewhile

from pydantic import ValidationError

_INDENT = 4


def explained(stop: SystemExit, box: str, verb: str) -> str:
    """The message in the frame that tyro draws, as one sentence.

    Args:
        stop: what tyro raised.
        box: what it printed.
        verb: for messages.
    """
    sections = _sections(box)
    missing = [name.partition(",")[0] for name in _listed(sections, "Missing from")]
    if missing:
        said = f"kinedepth {verb} needs {', '.join(missing)}"
    else:
        said = _out_of_range(stop, box) or _plain(" ".join(line.strip() for line in sections[0]).rstrip("."))
    return f"{said}; see kinedepth {verb} --help."


def _sections(box: str) -> list[list[str]]:
    """The lines inside the frame, without its title, split at its rules."""
    sections: list[list[str]] = [[]]
    for line in box.splitlines()[1:]:
        text = line.removeprefix("│ ").rstrip("│╰╯─ ")
        if text:
            sections[-1].append(text)
        elif sections[-1]:
            sections.append([])
    return sections


def _listed(sections: Sequence[Sequence[str]], title: str) -> list[str]:
    """The names in the section of this title; what is said of them is indented further."""
    for lines in sections:
        if lines and lines[0].startswith(title):
            indented = [(len(line) - len(line.lstrip()), line.strip()) for line in lines[1:]]
            return [text for indent, text in indented if indent == _INDENT]
    return []


def _plain(message: str) -> str:
    """The flag and the words that it could not take, without Python's types."""
    choice = re.match(r"invalid choice '(.*)' for argument '([^']*)'\. Expected one of \((.*)\)", message)
    if choice:
        known = sorted(set(re.findall(r"'([^']*)'", choice[3])) - {"None"})
        near = difflib.get_close_matches(choice[1], known, 1, 0.5)
        hint = f"did you mean '{near[0]}'? There are" if near else "there are"
        return f"'{choice[1]}' does not fit {choice[2]}: {hint} {', '.join(known)}"
    found = re.match(r"Error parsing (--[\w.-]+): (.*)", message)
    words = re.findall(r"'([^']*)'", found[2]) if found else []
    return f"{found[1]} {' '.join(words)} does not fit" if found and words else message


def _out_of_range(stop: SystemExit, box: str) -> str | None:
    """What pydantic said of a value, if that is what stopped tyro: it lies in the chain of exceptions."""
    error: BaseException | None = stop
    while error is not None and not isinstance(error, ValidationError):
        error = error.__cause__ or error.__context__
    if error is None:
        return None
    first = error.errors()[0]
    group = re.search(r"Error parsing (?:settings\.)?([\w.-]+):", box)
    inside = takewhile(lambda part: isinstance(part, str), first["loc"])
    path = ".".join((*([group[1]] if group else []), *map(str, inside)))
    return f"--{path.replace('_', '-')} {first['input']} does not fit: {first['msg']}"


def unknown_flag(words: Sequence[str], verb: str, flags: Sequence[str]) -> str | None:
    """The first flag among the words that is none of the verb's, and the one that it may have meant."""
    given = [word.partition("=")[0] for word in words if re.match(r"--?[A-Za-z]", word)]
    unknown = next((flag for flag in given if flag.replace("_", "-") not in flags), None)
    if unknown is None:
        return None
    near = nearest(unknown, flags)
    hint = f"did you mean '{near}'?" if near else f"see kinedepth {verb} --help."
    return f"There is no flag '{unknown}': {hint}"


def nearest(flag: str, flags: Sequence[str]) -> str | None:
    """The known flag most like an unknown one; a bare name finds the flag of a group that ends in it."""
    bare = flag.lstrip("-").replace("_", "-")
    known = {name.lstrip("-"): name for name in flags}
    short = {name.rpartition(".")[2]: name for name in flags if "." in name}
    for table in (known, short):
        if bare in table:
            return table[bare]
    for table, word in ((known, bare), (short, bare.rpartition(".")[2])):
        found = difflib.get_close_matches(word, table, 1, 0.6)
        if found:
            return table[found[0]]
    return None
