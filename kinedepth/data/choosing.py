"""Which moments of a source are learned from: how far apart, none of a standing camera, none across a cut."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from kinedepth.data import moments
from kinedepth.data.masking import AUTO, Mask, mask_of, masked
from kinedepth.data.measuring import measured
from kinedepth.data.moments import Moment
from kinedepth.data.motion import STILL, USUAL, Motion
from kinedepth.errors import KinedepthError, listed

LARGEST_GAP = 10

WANTED = USUAL / 3
"""Share of the width that pictures should move across a chosen gap: a third of what KITTI does at 10 Hz.

As much as neighbors at 30 Hz do there. With two or three times as much, training from scratch on a street of
30 Hz was worse for every seed, and for one it ended in a wrong minimum (RESULTS.md)."""


@dataclass(frozen=True)
class Rules:
    """What is asked of moments; as it stands, nothing is measured and every moment is taken."""

    gap: int = 1
    """Frames that count as one step of an offset; 0 chooses it by the motion, for each sequence."""
    standstill: bool = False
    """Whether moments of which a neighbour shows no motion are dropped."""
    cuts: bool = False
    """Whether moments that span a cut are dropped."""
    mask: str = ""
    """Left out of every picture: "" nothing, "auto" what never moves, else the name of a mask's file."""
    stereo: bool = False
    """Whether a stereo partner gives depth also where the camera stands, so that it may."""

    @property
    def by_motion(self) -> bool:
        """Whether moments are chosen by measured motion."""
        return self.gap == 0 or self.standstill or self.cuts


@dataclass(frozen=True)
class Choice:
    """What is taken of one sequence."""

    sequence: moments.Sequence
    moments: tuple[Moment, ...]
    gap: int = 1
    motion: Motion | None = None
    """None where nothing was measured."""
    standing: int = 0
    """Moments dropped because a neighbour shows no motion."""
    across: int = 0
    """Moments dropped because they span a cut."""
    mask: Mask | None = None
    """What is left out of its pictures."""

    @property
    def rate(self) -> float | None:
        """Steps of an offset per second."""
        return self.sequence.fps / self.gap if self.sequence.fps else None


def choose(
    sequence: moments.Sequence, offsets: tuple[int, ...], rules: Rules, motion: Motion | None = None
) -> Choice:
    """The moments of a sequence that rules leave, by its motion where that is measured.

    Raises:
        KinedepthError: the sequence is shorter than the offsets reach.
    """
    if motion is None or not offsets:
        gap = rules.gap or 1
        return Choice(sequence, tuple(sequence.moments(offsets, gap)), gap, motion)
    gap = rules.gap or gap_of(motion, offsets)
    found = sequence.moments(offsets, gap)
    first = -min((0, *offsets)) * gap
    near = first + np.arange(len(found))[:, None] + gap * np.array((0, *offsets))
    shots, ways = motion.shot[near], motion.way[near]
    across = rules.cuts & (shots.min(axis=1) < shots.max(axis=1))
    drops = rules.standstill and not rules.stereo
    standing = drops & ~across & (abs(ways[:, 1:] - ways[:, :1]).min(axis=1) < STILL)
    kept = tuple(m for m, out in zip(found, across | standing, strict=True) if not out)
    return Choice(sequence, kept, gap, motion, int(standing.sum()), int(across.sum()))


def gap_of(motion: Motion, offsets: tuple[int, ...]) -> int:
    """The gap, 1 to `LARGEST_GAP`, at which the picture moves by about `WANTED`.

    It is never so large that offsets reach further than half of the usual shot.
    """
    reach = max((0, *offsets)) - min((0, *offsets))
    creeping = 1 if motion.standing else LARGEST_GAP
    wanted = WANTED / motion.pace if motion.pace else creeping
    lengths = np.bincount(motion.shot)
    usual = int(np.median(lengths[motion.shot]))
    room = usual // (2 * reach) if reach else LARGEST_GAP
    return int(np.clip(round(wanted), 1, max(1, min(LARGEST_GAP, room))))


def choose_all(
    sequences: Sequence[moments.Sequence],
    offsets: tuple[int, ...],
    rules: Rules,
    step: Callable[[], None] | None = None,
) -> list[Choice]:
    """The choice of every sequence; those of a standing camera are left out.

    `step` is called after each frame that is measured; none is where measurements are remembered.

    Raises:
        KinedepthError: the camera never moves, or nothing is left; a sequence is too short or damaged; or the
            mask cannot be used.
    """
    by_motion = rules.by_motion and bool(offsets)
    if not by_motion and rules.mask != AUTO:
        return [_chosen(sequence, offsets, rules, None) for sequence in sequences]
    motions = [measured(sequence, step) for sequence in sequences]
    refuses = by_motion and not rules.stereo
    if refuses and all(motion.standing for motion in motions):
        raise _standing(sequences, motions)
    choices = [
        Choice(sequence, (), 1, motion)
        if refuses and motion.standing
        else _chosen(sequence, offsets, rules, motion)
        for sequence, motion in zip(sequences, motions, strict=True)
    ]
    if not any(choice.moments for choice in choices):
        raise KinedepthError(
            f"no moment of {sequences[0].name} is left: {sum(c.across for c in choices)} span a cut and "
            f"{sum(c.standing for c in choices)} show no motion; give a longer video taken while moving"
        )
    return choices


def _chosen(
    sequence: moments.Sequence, offsets: tuple[int, ...], rules: Rules, motion: Motion | None
) -> Choice:
    mask = mask_of(sequence, rules.mask, motion)
    return replace(choose(masked(sequence, mask), offsets, rules, motion), mask=mask)


def _standing(sequences: Sequence[moments.Sequence], motions: Sequence[Motion]) -> KinedepthError:
    names = listed([sequence.name for sequence in sequences])
    median = max(motion.median for motion in motions)
    return KinedepthError(
        f"the camera does not move in {names} (median displacement {100 * median:.2g} % of the width): "
        "depth cannot be learned from a standing camera; give a video taken while moving"
    )


def summary(choices: Sequence[Choice]) -> list[str]:
    """What was measured, chosen and masked, in a line, and which sequences were left out; maybe nothing."""
    taken = [choice for choice in choices if choice.moments]
    parts = [*_measured(taken), *_masks(taken)]
    lines = [f"motion     {'; '.join(parts)}"] if parts else []
    if any(choice.mask is not None and choice.mask.share > 0.5 for choice in taken):
        lines.append("note       the mask leaves out more than half: 0 is what never counts, is it inverted?")
    idle = [choice.sequence.name for choice in choices if not choice.moments]
    return [*lines, f"note       left out, without a moment in motion: {listed(idle, 5)}"] if idle else lines


def _measured(taken: Sequence[Choice]) -> list[str]:
    paces = sorted(100 * choice.motion.pace for choice in taken if choice.motion is not None)
    if not paces:
        return []
    usual = _span([f"{pace:.2g}" for pace in paces])
    return [f"median {usual} % of the width a frame", _gap(taken), *_dropped(taken)]


def _masks(taken: Sequence[Choice]) -> list[str]:
    masks = [choice.mask for choice in taken if choice.mask is not None]
    if not masks:
        return []
    shares = _span([f"{share:.0%}" for share in sorted(mask.share for mask in masks)]).replace("%", " %")
    where = f" of {len(masks)} of {len(taken)} sequences" if len(masks) < len(taken) else ""
    return [
        f"mask leaves out {shares}{where} ({listed(list(dict.fromkeys(mask.origin for mask in masks)), 5)})"
    ]


def _span(texts: Sequence[str]) -> str:
    return texts[0] if texts[0] == texts[-1] else f"{texts[0]} to {texts[-1]}"


def _gap(taken: Sequence[Choice]) -> str:
    gaps = sorted(choice.gap for choice in taken)
    rates = {(choice.rate, choice.sequence.fps) for choice in taken}
    (rate, fps), *others = rates
    hertz = f" ({rate:.3g} Hz of {fps:.4g})" if rate and not others else ""
    return f"gap {_span([str(gap) for gap in gaps])}{hertz}"


def _dropped(taken: Sequence[Choice]) -> list[str]:
    standing, across = sum(c.standing for c in taken), sum(c.across for c in taken)
    total = standing + across + sum(len(c.moments) for c in taken)
    cuts = sum(int(c.motion.cut.sum()) for c in taken if c.motion is not None)
    doubled = sum(c.motion.doubled for c in taken if c.motion is not None)
    parts = [f"{doubled} frames stand twice"] if doubled else []
    if standing:
        parts.append(f"{standing} of {total} moments dropped: standstill")
    if cuts:
        noun = "cut" if cuts == 1 else "cuts"
        parts.append(
            f"{across} of {total} moments dropped: across {cuts} {noun}" if across else f"{cuts} {noun}"
        )
    return parts
