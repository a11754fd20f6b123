"""Ctrl-C: once asks the loop to stop and save, twice stops at once."""

import os
import shlex
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import FrameType

from kinedepth.errors import KinedepthError

STDERR = 2


class Interrupted(KinedepthError):  # noqa: N818 - nothing went wrong
    """Ctrl-C: the run was saved and can be resumed."""

    exit_code = 130

    def __init__(self, step: int, folder: Path) -> None:
        """Say how to go on."""
        command = f"kinedepth train --resume {shlex.quote(str(folder))}"
        super().__init__(f"Stopped at step {step}; go on with: {command}")


class on_interrupt:  # noqa: N801 - reads as a statement
    """Within the block, the first Ctrl-C calls `ask`, and the second is Python's KeyboardInterrupt."""

    def __init__(self, ask: Callable[[], None]) -> None:
        self.ask = ask

    def __enter__(self) -> None:
        """Take over Ctrl-C, except in a thread, where nobody can press it."""
        try:
            self.before = signal.signal(signal.SIGINT, self._first)
        except ValueError:
            self.before = None

    def __exit__(self, *error: object) -> None:
        """Give Ctrl-C back."""
        if self.before is not None:
            signal.signal(signal.SIGINT, self.before)

    def _first(self, number: int, frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        self.ask()
        # Straight to the system: a handler may run in the middle of anybody's print.
        with suppress(OSError):
            os.write(STDERR, b"\nStopping after this step; Ctrl-C again stops at once.\n")
