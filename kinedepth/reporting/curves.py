"""The log of a training as charts, and what it says in one sentence."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from kinedepth.reporting.reading import Facts, curve, header, lines, number_of
from kinedepth.reporting.words import decimal, short, spoken
from kinedepth.visualize.report.charts import Labels, Line, Scaling, drawn_lines, logarithmic
from kinedepth.visualize.report.content import Chart, Charts, Key, Prose, Section, Verdict

Values = Float[np.ndarray, " n"]
SCORE, TRUTH, SPREAD = "held_out/loss", "held_out/abs_rel", "held_out/spread"
_FLAT = 1e-3
_SLOW = 0.3
_STEADY = 0.02
_NEARLY_ALL = 0.97
_TITLES = {
    SCORE: ("Held-out score: the loss on frames kept aside", "loss"),
    TRUTH: ("Error against true depth on held-out frames", "abs_rel"),
    SPREAD: ("Spread of inverse depth (0: flat, nothing learned)", "deviation / mean"),
    "lr": ("Learning rate", "learning rate"),
    "images_per_second": ("Speed", "images/s"),
    "data_wait_share": ("Share of time spent waiting for data", "share"),
    "seconds_per_step": ("", ""),
}
"""What is known of the log's names; one with an empty title is another way to say what is shown already."""
_SCALES: dict[str, Scaling] = {"lr": "zero", "images_per_second": "zero", "data_wait_share": "share"}


@dataclass(frozen=True)
class Log:
    """The log of a run, and where its best checkpoint was taken."""

    lines: list[Facts]
    best: float | None

    @staticmethod
    def of(run: Path) -> "Log":
        """The log in a run folder."""
        found = lines(run / "metrics.jsonl")
        step = number_of(header(run, "best").get("step"))
        return Log(found, _lowest(found) if step is None else step)

    @property
    def names(self) -> list[str]:
        """Everything that was logged, in the order in which it came."""
        return list(dict.fromkeys(name for line in self.lines for name in line if name != "step"))

    @property
    def steps(self) -> int:
        """The last step."""
        return max((int(float(line["step"])) for line in self.lines), default=0)

    def finite(self, name: str) -> tuple[Values, Values]:
        """Steps and values of one name, without gaps."""
        x, y = curve(self.lines, name)
        kept = np.isfinite(y)
        return x[kept], y[kept]


def _lowest(log: Sequence[Facts]) -> float | None:
    """The step of the best held-out score."""
    for name in (TRUTH, SCORE):
        x, y = curve(log, name)
        if np.isfinite(y).any():
            return float(x[np.nanargmin(y)])
    return None


def verdicts(log: Log) -> list[Verdict]:
    """What the log says of the training; the first is the most telling."""
    if not log.lines:
        return [Verdict("Nothing has been logged yet, so nothing can be said about the model.", False)]
    said = [_held_out(log), _by_truth(log), _collapsed(log), _broken(log)]
    found = [verdict for verdict in said if verdict is not None]
    if not any(len(log.finite(name)[1]) for name in (SCORE, TRUTH)):
        found.insert(0, Verdict(f"Trained up to step {log.steps}; no held-out score was measured.", None))
    return found


def _held_out(log: Log) -> Verdict | None:
    x, y = log.finite(SCORE)
    if not len(y):
        return None
    if len(y) == 1:
        return Verdict(f"Held-out score {short(y[0])} at step {x[0]:.0f}; it was measured once.", None)
    best = int(np.argmin(y))
    if max(y) - min(y) < _STEADY * max(y):
        return Verdict(f"The held-out score stayed at {short(y[best])} from step {x[0]:.0f} on.", None)
    if best == 0:
        return Verdict(
            f"The held-out score did not fall after its first measurement: {short(y[0])} at step {x[0]:.0f}, "
            f"{short(y[-1])} at step {x[-1]:.0f}.",
            False,
        )
    again = f"; by the end it had risen to {short(y[-1])}" if y[-1] > 1.05 * y[best] else ""
    return Verdict(
        f"The held-out score fell from {short(y[0])} at step {x[0]:.0f} to {short(y[best])} "
        f"at step {x[best]:.0f}{again}.",
        True,
    )


def _by_truth(log: Log) -> Verdict | None:
    x, y = log.finite(TRUTH)
    if len(y) < 2:
        return None if not len(y) else Verdict(f"Against true depth: abs_rel {decimal(y[0])}.", None)
    best = int(np.argmin(y))
    change = "fell" if best else "did not fall"
    return Verdict(
        f"Against true depth of held-out frames, abs_rel {change} from {decimal(y[0])}"
        + (f" to {decimal(y[best])} at step {x[best]:.0f}." if best else "."),
        best > 0,
    )


def _collapsed(log: Log) -> Verdict | None:
    _, y = log.finite(SPREAD)
    if not len(y) or y[-1] >= _FLAT:
        return None
    return Verdict("Depth is the same everywhere in the picture: nothing was learned.", False)


def _broken(log: Log) -> Verdict | None:
    names = [name for name in log.names if name.startswith("loss/")]
    bad = sum(1 for line in log.lines if any(name in line and line[name] is None for name in names))
    entries = "entry" if bad == 1 else "entries"
    return Verdict(f"A loss was not finite in {bad} {entries} of the log.", False) if bad else None


def section(log: Log) -> Section:
    """All curves of the log."""
    if not log.lines:
        return Section("curves", "Curves", (Prose("The log of this run holds no entry.", quiet=True),))
    charts = [_losses(log), *(_chart(log, name) for name in _ordered(log))]
    shown = Charts(tuple(chart for chart in charts if chart is not None))
    return Section("curves", "Curves", (shown, *_remarks(log)))


def _ordered(log: Log) -> Iterable[str]:
    """Names that have a chart of their own: those that are known first."""
    others = [name for name in log.names if not name.startswith("loss/") and name not in _TITLES]
    return [name for name in [*list(_TITLES)[:3], *others, *list(_TITLES)[3:]] if name in log.names]


def _losses(log: Log) -> Chart | None:
    names = [name for name in log.names if name.startswith("loss/")]
    terms = [name for name in names if name != "loss/total"]
    shown = [name for name in names if name in terms or not terms or not _repeats(log, terms)]
    drawn = [Line(*curve(log.lines, name), number=number) for number, name in enumerate(shown)]
    drawn = [line for line in drawn if np.isfinite(line.y).any()]
    if not drawn:
        return None
    keys = [Key(shown[line.number][5:], line.number) for line in drawn]
    alt = "; ".join(_ends(key.label, line.y) for key, line in zip(keys, drawn, strict=True))
    scale = ", logarithmic" if logarithmic(drawn) else ""
    svg = drawn_lines(drawn, Labels("step", f"loss{scale}"))
    return Chart("Training loss, term by term as weighted", svg, f"Training loss: {alt}.", tuple(keys))


def _repeats(log: Log, terms: list[str]) -> bool:
    """Whether the total would hide the curve of a term that makes up nearly all of it."""
    total, parts = log.finite("loss/total")[1], [log.finite(name)[1] for name in terms]
    return len(total) > 0 and any(len(y) and np.median(y) > _NEARLY_ALL * np.median(total) for y in parts)


def _chart(log: Log, name: str) -> Chart | None:
    title, unit = _TITLES.get(name, (spoken(name), "value"))
    x, y = curve(log.lines, name)
    if not title or not np.isfinite(y).any():
        return None
    kept = name.startswith("held_out/")
    marks = _marked(log, x, y) if name in (SCORE, TRUTH) else []
    keys = tuple(Key(f"best checkpoint, step {step:.0f}", -1) for step, _ in marks)
    svg = drawn_lines(
        [Line(x, y, dots=kept)], Labels("step", unit), marks, scale=_SCALES.get(name, "fitting")
    )
    return Chart(title, svg, f"{title}: {_ends('value', y)}.", keys)


def _marked(log: Log, x: Values, y: Values) -> list[tuple[float, float]]:
    return [(float(x[i]), float(y[i])) for i in np.flatnonzero((x == log.best) & np.isfinite(y))[:1]]


def _ends(name: str, y: Values) -> str:
    finite = y[np.isfinite(y)]
    return f"{name} from {short(finite[0])} to {short(finite[-1])}"


def _remarks(log: Log) -> list[Prose]:
    _, speed = log.finite("images_per_second")
    _, wait = log.finite("data_wait_share")
    said = f"{short(np.median(speed))} images/s in the median" if len(speed) else ""
    if len(wait):
        share = float(np.median(wait))
        advice = "; more --data.workers would help" if share > _SLOW else ""
        said += f"{', ' if said else ''}{share:.0%} of the time spent waiting for data{advice}"
    return [Prose(f"Speed: {said}.", quiet=True)] if said else []
