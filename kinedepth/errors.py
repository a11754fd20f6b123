"""What a user can mend, said in one sentence."""

from collections.abc import Sequence


class KinedepthError(Exception):
    """One sentence that names thing and remedy; the command line prints it and exits with `exit_code`."""

    exit_code = 1


class UsageError(KinedepthError):
    """A flag or a recipe says something that cannot be."""

    exit_code = 2


def listed(names: Sequence[str], most: int = 3) -> str:
    """The first `most` names, and how many more there are.

    >>> listed(["a", "b", "c", "d", "e"])
    'a, b, c and 2 more'
    """
    rest = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + rest
