"""Predictions that were made elsewhere, judged beside rows that need no learning: printed and written."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from kinedepth.data.moments import Moment
from kinedepth.errors import KinedepthError, listed
from kinedepth.evaluation.archive import is_stack, open_stack
from kinedepth.evaluation.console import say
from kinedepth.evaluation.findings import Findings
from kinedepth.evaluation.judge import MODEL
from kinedepth.evaluation.names import published_names
from kinedepth.evaluation.predictions import Predictions, open_predictions
from kinedepth.evaluation.question import (
    Question,
    adapted,
    alignment,
    judge_depth,
    note_of,
    plain_rows,
    protocols_of,
    write_if_asked,
)
from kinedepth.evaluation.sources import Track, find_truth


def judged_predictions(asked: Question, console: Console) -> Findings:
    """The tables of predictions that were made elsewhere, printed as they come and written where asked.

    Raises:
        KinedepthError: the source has no truth; a prediction is missing, damaged or cannot be understood;
            none matches by name; the output exists.
    """
    names = asked.listed()
    found = find_truth(asked.source, (), names)
    depth = protocols_of(asked.protocol, found)[0]
    if depth is None:
        raise KinedepthError(
            f"{asked.run} holds depth and {asked.source} has no measured depth for "
            f"{asked.protocol or 'any protocol'}.{_path_instead(asked.run, found.tracks)}"
        )
    given = open_predictions(asked.run, asked.reading, names or _order_of(asked.run))
    align = alignment(asked.align, given.scale)
    moments, protocol = found.listed(depth.name, names), adapted(depth, asked, align)
    if asked.partial:
        moments = given.having(moments)
    elif names is None:
        _refuse_unused(given, moments, asked)
    guess = given.guess(moments)
    say(console, found.summary, given.summary(), *_pairing(given, moments))
    guesses = {MODEL: guess, **plain_rows(protocol, found)}
    metric = given.scale == "metric" or align == "none"
    table = judge_depth(asked, moments, protocol, guesses, metric, console)
    note = note_of(asked, [depth.name]) | _about_predictions(asked, given) | {"alignment": align}
    return write_if_asked(asked, Findings(note, table, {}, asked.error_maps), moments, guess, console)


def _order_of(path: Path) -> list[str] | None:
    """The published list that an official array follows, by its length."""
    return published_names(len(open_stack(path))) if is_stack(path) else None


def _path_instead(run: Path, tracks: Sequence[Track]) -> str:
    """What to give where there are poses on both sides."""
    poses = run / "poses_kitti.txt"
    if not tracks or not poses.is_file():
        return ""
    return f" Its path can be judged: kinedepth evaluate {poses} {tracks[0].poses}"


def _refuse_unused(given: Predictions, moments: Sequence[Moment], asked: Question) -> None:
    unused = given.unused(moments)
    if unused:
        raise KinedepthError(
            f"The truth of {listed(unused)} is missing in {asked.source} ({len(unused)} of {len(given.maps)} "
            "predictions); nothing was evaluated: add it, or give --partial to leave them aside."
        )


def _pairing(given: Predictions, moments: Sequence[Moment]) -> list[str]:
    """What was matched with what, so that a wrong pairing is seen."""
    found = given.matched(moments)
    first, unused = next(iter(found)), given.unused(moments)
    lines = [f"matched    {len(found)} images by name, first {found[first]} with the truth {first}"]
    if unused:
        lines.append(
            f"note       {len(unused)} predictions have no truth and are left aside: {listed(unused)}"
        )
    return lines


def _about_predictions(asked: Question, given: Predictions) -> dict[str, Any]:
    return {
        "predictions": str(given.path.resolve()),
        "kind": given.kind,
        "scale": given.scale,
        "scale_source": given.source,
        "factor": asked.reading.factor,
    }
