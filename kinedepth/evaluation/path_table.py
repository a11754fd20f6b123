"""The table of a path: every alignment side by side, with the protocol that it was taken under."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from kinedepth.errors import KinedepthError
from kinedepth.evaluation.drift import Segments, drift_segments, travelled
from kinedepth.evaluation.matching import Matched
from kinedepth.evaluation.odometry import SnippetErrors, anchored, positions, relative_steps, snippet_errors
from kinedepth.evaluation.path_protocol import KITTI_ODOMETRY, PathProtocol
from kinedepth.evaluation.protocol import SNIPPET_PROTOCOLS
from kinedepth.evaluation.trajectory import (
    RelativeErrors,
    Statistics,
    aligned,
    distances,
    is_straight,
    relative_errors,
    statistics,
)


@dataclass(frozen=True)
class PathRow:
    """All errors of a path under one alignment; nan where an error does not exist."""

    align: str
    absolute: Statistics
    """Distance to the truth, meters."""
    translation: Statistics
    """Left of the step between neighboring frames, meters."""
    rotation: Statistics
    """The same, degrees."""
    t_err: float
    """Percent."""
    r_err: float
    """Degrees per 100 m."""
    segments: int

    def values(self) -> dict[str, Any]:
        """All of it as plain values under the field's names; None where an error does not exist."""
        short = {
            "ate_m": self.absolute.rmse,
            "rpe_m": self.translation.mean,
            "rpe_deg": self.rotation.mean,
            "t_err_percent": self.t_err,
            "r_err_deg_per_100m": self.r_err,
        }
        full = {
            "ape_m": self.absolute,
            "rpe_translation_m": self.translation,
            "rpe_rotation_deg": self.rotation,
        }
        numbers = {name: _plain(value) for name, value in short.items()} | {"segments": self.segments}
        many = {
            name: {key: _plain(value) for key, value in asdict(each).items()} for name, each in full.items()
        }
        return numbers | many

    def entry(self, name: str) -> Any:
        """One value by its name, or by two names with a point between."""
        value: Any = self.values()
        for part in name.split("."):
            value = value[part]
        return value


def _plain(value: float | int) -> float | int | None:
    return value if math.isfinite(value) else None


@dataclass(frozen=True)
class PathTable:
    """A predicted path beside the true one: a row for each alignment, and what the plots need."""

    protocol: PathProtocol
    rows: tuple[PathRow, ...]
    snippets: tuple[SnippetErrors, ...]
    """Under both ways of counting; empty where fewer than five frames follow each other."""
    along: Float[np.ndarray, " n"]
    """Meters along the true path at each compared pose."""
    errors: dict[str, Float[np.ndarray, " n"]]
    """Distance to the truth at each compared pose, by alignment."""
    segments: dict[str, Segments]
    """By alignment."""
    notes: tuple[str, ...] = ()
    """What a reader must know: why a number is missing."""

    def row(self, align: str) -> PathRow:
        """The row of one alignment.

        Raises:
            KinedepthError: the protocol has no such alignment.
        """
        for row in self.rows:
            if row.align == align:
                return row
        raise KinedepthError(f"{self.protocol.name} has no alignment {align!r}.")

    def as_json(self, main: str = "7dof") -> dict[str, Any]:
        """Numbers and protocol as plain values: those of the `main` alignment first, then all of them."""
        first = self.row(main).values()
        return {
            "whole_path_ate_m": {row.align: _plain(row.absolute.rmse) for row in self.rows},
            "t_err": first["t_err_percent"],
            "r_err": first["r_err_deg_per_100m"],
            "segments": first["segments"],
            "rpe_m": first["rpe_m"],
            "rpe_deg": first["rpe_deg"],
            "main_alignment": main,
            "alignments": [{"align": row.align} | row.values() for row in self.rows],
            "path_protocol": [asdict(self.protocol) | {"line": str(self.protocol)}],
            "notes": list(self.notes),
        }


def snippets_json(errors: SnippetErrors) -> dict[str, Any]:
    """A 5-frame error and its protocol as plain values."""
    numbers = {"mean": errors.mean, "std": errors.std, "windows": len(errors.errors)}
    return numbers | {"protocol": asdict(errors.protocol)}


def path_table(matched: Matched, protocol: PathProtocol = KITTI_ODOMETRY) -> PathTable:
    """Judges a path under every alignment of the protocol.

    What cannot be measured is nan and said in the notes: a scale of a camera that never moves, segments of
    a path shorter than 100 m, windows where frames are missing.
    """
    predicted, truth = matched.predicted, matched.truth
    if protocol.anchored:
        truth = np.asarray(np.linalg.inv(truth[matched.places[0]]) @ truth)
        predicted = anchored(predicted)
    rows, errors, segments = [], {}, {}
    for align in protocol.alignments:
        try:
            path = aligned(predicted, truth[matched.places], align)
        except KinedepthError:
            rows.append(_missing(align))
            continue
        errors[align] = distances(path, truth[matched.places])
        segments[align] = drift_segments(path, truth, matched.places, protocol.step, protocol.lengths)
        steps = relative_errors(path, truth[matched.places], matched.neighbors, protocol.angle)
        rows.append(_row(align, errors[align], steps, segments[align]))
    snippets = path_snippets(matched)
    along = travelled(truth)
    notes = _notes(matched, float(along[-1]), rows, len(snippets), protocol)
    return PathTable(protocol, tuple(rows), snippets, along[matched.places], errors, segments, tuple(notes))


def _missing(align: str) -> PathRow:
    nothing = statistics(np.zeros(0))
    return PathRow(align, nothing, nothing, nothing, float("nan"), float("nan"), 0)


def _row(align: str, errors: Float[np.ndarray, " n"], steps: RelativeErrors, segments: Segments) -> PathRow:
    return PathRow(
        align,
        statistics(errors),
        statistics(steps.translation),
        statistics(steps.rotation),
        segments.t_err,
        segments.r_err,
        len(segments.first),
    )


def path_snippets(matched: Matched) -> tuple[SnippetErrors, ...]:
    """The 5-frame errors, under every protocol; empty where too few frames follow each other."""
    steps, true_steps = relative_steps(matched.predicted), relative_steps(matched.true)
    try:
        protocols = SNIPPET_PROTOCOLS.values()
        return tuple(snippet_errors(steps, true_steps, each, matched.neighbors) for each in protocols)
    except KinedepthError:
        return ()


def _notes(
    matched: Matched, length: float, rows: Sequence[PathRow], snippets: int, protocol: PathProtocol
) -> list[str]:
    notes = []
    if length <= protocol.lengths[0]:
        notes.append(
            f"t_err, r_err: too short: no segment of {protocol.lengths[0]:g} m in {length:.1f} m of path"
        )
    elif not any(row.segments for row in rows):
        notes.append("t_err, r_err: no segment: both ends of none are predicted")
    if any(not row.absolute.count for row in rows):
        notes.append("the predicted camera never moves: there is no scale to align")
    elif is_straight(positions(matched.predicted), positions(matched.true)):
        notes.append("a straight path: its turn about the line is not determined, which no number here reads")
    if not matched.neighbors.any():
        notes.append("RPE: no two neighboring frames are both predicted")
    if not snippets:
        notes.append("5-frame error: no five frames follow each other")
    return notes
