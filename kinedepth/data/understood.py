"""What was understood of a source and taken from it, as plain values for a file or a report."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from kinedepth.data.camera_files import described
from kinedepth.data.choosing import Choice
from kinedepth.data.masking import Mask
from kinedepth.data.motion import Motion
from kinedepth.data.source import Source

MOST_POINTS = 500
"""Of a curve of motion."""


def facts(source: Source, choices: Sequence[Choice]) -> dict[str, Any]:
    """Everything as JSON knows it: motion is in shares of the picture's width, sizes are (height, width).

    `motion` has the number of a frame and how far the picture moved from it to the next, the mean where
    several frames became one point; `null` where nothing could be followed.
    """
    pairs = zip(choices, source.cameras, strict=True)
    return {
        "path": str(source.path),
        "kind": source.kind,
        "summary": source.summary().splitlines(),
        "notes": list(source.notes),
        "frames": source.count,
        "sequences": [_sequence(choice, origin) for choice, origin in pairs],
    }


def _sequence(choice: Choice, origin: str) -> dict[str, Any]:
    sequence, motion = choice.sequence, choice.motion
    rectified = sequence.frames[0].rectified
    raw = None if rectified is None else asdict(rectified.raw)
    return {
        "name": sequence.name,
        "frames": len(sequence.frames),
        "size": list(sequence.size),
        "fps": sequence.fps,
        "camera": {
            "source": origin,
            "described": described(sequence.calibration, sequence.size),
            "pinhole": asdict(sequence.calibration.resized(sequence.size)),
            "raw": raw,
        },
        "stereo_baseline": sequence.baseline if sequence.partners else None,
        "gap": choice.gap,
        "moments": len(choice.moments),
        "dropped": {"standstill": choice.standing, "cuts": choice.across},
        "motion": None if motion is None else _motion(motion),
        "mask": None if choice.mask is None else _mask(choice.mask),
    }


def _mask(mask: Mask) -> dict[str, Any]:
    return {"path": str(mask.path), "share": round(mask.share, 4), "origin": mask.origin}


def _motion(motion: Motion) -> dict[str, Any]:
    frames, ways = curve(motion)
    return {
        "median": round(motion.median, 6),
        "pace": round(motion.pace, 6),
        "standing": motion.standing,
        "doubled": motion.doubled,
        "still_share": round(float(motion.still.mean()), 4) if len(motion.still) else 0.0,
        "cuts": [int(number) + 1 for number in np.flatnonzero(motion.cut)[:MOST_POINTS]],
        "frame": frames,
        "displacement": ways,
    }


def curve(motion: Motion) -> tuple[list[int], list[float | None]]:
    """At most `MOST_POINTS` frame numbers, and how far the picture moved from each to the next."""
    parts = np.array_split(motion.displacement, min(MOST_POINTS, len(motion.displacement)) or 1)
    starts = np.cumsum([0, *(len(part) for part in parts[:-1])])
    means = [float(known.mean()) if len(known := part[np.isfinite(part)]) else None for part in parts]
    return [int(start) for start in starts], [None if m is None else round(m, 6) for m in means]
