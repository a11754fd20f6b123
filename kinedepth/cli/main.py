"""`kinedepth VERB ...`: finds the verb, imports no other, turns errors into one line and an exit code.

A verb is a module with `main(argv: list[str]) -> int`; its heavy imports happen after its flags are parsed.
"""

import difflib
import importlib
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version

from kinedepth.errors import KinedepthError, UsageError


@dataclass(frozen=True)
class Verb:
    """A line of the table."""

    summary: str
    """What it does, for `kinedepth --help`."""
    module: str
    """Where its `main(argv) -> int` lies; imported only when the verb is asked for."""


VERBS = {
    "train": Verb("learn depth and camera motion from a video or a data set", "kinedepth.cli.train"),
    "predict": Verb("depth, poses and a video from a trained run", "kinedepth.cli.predict"),
    "evaluate": Verb("measure a run against true depth and motion", "kinedepth.cli.evaluate"),
    "render": Verb("write synthetic drives with their truth", "kinedepth.cli.render"),
    "recipes": Verb("list the bundled recipes, or show one", "kinedepth.cli.recipes"),
    "report": Verb("one HTML page about a run, an evaluation or a demo", "kinedepth.cli.report"),
    "demo": Verb("render, train, measure and predict in a few minutes", "kinedepth.cli.demo"),
}


def main(argv: list[str] | None = None) -> int:
    """Run a verb; gives the exit code: 0, 1 (bad input), 2 (bad usage or settings), 130 (Ctrl-C)."""
    arguments = sys.argv[1:] if argv is None else argv
    try:
        return _run(arguments)
    except KinedepthError as error:
        return _say(error, error.exit_code)
    except KeyboardInterrupt:
        return _say("Stopped by Ctrl-C.", 130)
    except SystemExit as stop:
        return int(stop.code or 0)


def _say(sentence: object, code: int) -> int:
    print(f"kinedepth: {sentence}", file=sys.stderr)
    return code


def _run(arguments: list[str]) -> int:
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(_usage())
        return 0 if arguments else 2
    verb, *rest = arguments
    if verb in ("-V", "--version"):
        print(f"kinedepth {_version()}")
        return 0
    if verb not in VERBS:
        near = difflib.get_close_matches(verb, VERBS, 1, 0.5)
        hint = f"did you mean '{near[0]}'?" if near else f"there are {', '.join(VERBS)}."
        raise UsageError(f"There is no verb '{verb}': {hint}")
    code: int = importlib.import_module(VERBS[verb].module).main(rest)
    return code


def _version() -> str:
    try:
        return version("kinedepth")
    except PackageNotFoundError:
        return "unknown"


def _usage() -> str:
    width = max(map(len, VERBS))
    verbs = "\n".join(f"  {name:<{width}}  {verb.summary}" for name, verb in VERBS.items())
    return f"""usage: kinedepth VERB ...

Depth, camera motion and object motion, learned from unlabelled video.

verbs:
{verbs}

`kinedepth VERB --help` shows a verb's flags with their defaults. For example:
  kinedepth train drive.mp4 --name first
  kinedepth predict runs/first drive.mp4 -o out"""
