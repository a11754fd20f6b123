"""What a user can mend, said in one sentence."""


class KinedepthError(Exception):
    """One sentence that names the thing and the remedy; the command line prints it and exits 1."""
