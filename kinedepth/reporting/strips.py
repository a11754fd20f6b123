"""What the training saw, at its beginning, middle and end."""

import re
from pathlib import Path

from kinedepth.reporting.reading import picture
from kinedepth.visualize.report.content import Photos, Prose, Section

SAMPLES = 2
"""How many of the samples are shown; all of them lie in the run folder."""


def section(run: Path) -> Section | None:
    """The strips of some samples over time; None where there are none."""
    found: dict[str, dict[int, Path]] = {}
    for path in sorted((run / "samples").glob("step_*.png")):
        named = re.fullmatch(r"step_(\d+)_(\d+)", path.stem)
        if named:
            found.setdefault(named[2], {})[int(named[1])] = path
    shown = [
        picture(
            by_step[step],
            f"Sample {sample} at step {step}: target, depth, rebuilt views, auto-mask",
            f"Sample {sample}, step {step}",
        )
        for sample, by_step in sorted(found.items(), key=lambda item: int(item[0]))[:SAMPLES]
        for step in first_middle_last(sorted(by_step))
    ]
    kept = tuple(photo for photo in shown if photo is not None)
    if not kept:
        return None
    legend = Prose(
        "Target, its depth (bright is near), the target rebuilt from its neighbors by that depth and motion, "
        "and the auto-mask (white counts in the loss)."
    )
    return Section("strips", "What the training saw", (legend, Photos(kept, wide=True)))


def last(run: Path) -> Photos | None:
    """The newest strip of the first sample, to be seen before anything is read."""
    newest = max(
        (run / "samples").glob("step_*_0.png"), default=None, key=lambda path: int(path.stem.split("_")[1])
    )
    told = "Target, its depth, the target rebuilt from its neighbors, auto-mask, at the last look"
    seen = None if newest is None else picture(newest, told)
    return None if seen is None else Photos((seen,), wide=True)


def first_middle_last(steps: list[int]) -> list[int]:
    """At most three of them.

    >>> first_middle_last([10, 20, 30, 40, 50]), first_middle_last([10])
    ([10, 30, 50], [10])
    """
    return list(dict.fromkeys([steps[0], steps[len(steps) // 2 if len(steps) > 2 else 0], steps[-1]]))
