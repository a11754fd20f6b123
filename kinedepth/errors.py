"""What a user can mend, said in one sentence."""


class KinedepthError(Exception):
    """One sentence that names thing and remedy; the command line prints it and exits with `exit_code`."""

    exit_code = 1


class UsageError(KinedepthError):
    """A flag or a recipe says something that cannot be."""

    exit_code = 2
