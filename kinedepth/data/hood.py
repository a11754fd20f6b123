"""The car's own bonnet, a rig or a date stamp in the picture: what never moves while the world does.

Little change alone proves nothing: road and sky hardly change either. Evidence of something fixed is an edge
that stays across the direction of motion, and a fall in how much pixels change from beyond it to below (see
`stillness.py`). A bonnet is the region under the path from left to right that has most of this evidence; a
stamp is a cluster of edges in all directions that stay, near the upper or lower border.

Source: ours; the path by dynamic programming. Everything is measured at a width of 320 pixels.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Bool, Float32, Float64, Int, UInt8
from PIL import Image
from scipy.ndimage import median_filter

from kinedepth.data.moments import Size
from kinedepth.data.stillness import Still, outward_from, rim_evidence, source_of_motion, still
from kinedepth.errors import KinedepthError

WIDTH = 320
FEWEST = 20
"""Fewer frames than this say nothing."""
MOVING = 0.5
"""The share of the textured picture that must move, else the camera stood still."""

_STEPS = 3
_JUMP = 12.0
_WIDE = 0.15
_HIGHEST = 0.12
_BAND = 0.22
_NEVER = 1e3
_TRIALS = 100


@dataclass(frozen=True)
class Hood:
    """What never moves in the picture of a camera that does."""

    mask: Bool[np.ndarray, "h w"]
    """True where pixels count, at the frames' size."""
    hood: bool
    """Whether a bonnet or rig was found at the lower border."""
    stamps: int
    """How many date stamps or watermarks were found."""

    @property
    def share(self) -> float:
        """The share of the picture that is left out, 0 to 1."""
        return float(1 - self.mask.mean())


def _gray(frame: UInt8[np.ndarray, "_ _ 3"], size: Size) -> UInt8[np.ndarray, "h w"]:
    small = cv2.resize(frame, size[::-1], interpolation=cv2.INTER_AREA)
    return np.asarray(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY))


def _fixed_below(seen: Still) -> Float32[np.ndarray, "h w"]:
    """How much the pixels from each row down to the border speak for something fixed, summed."""
    usual = float(np.median(seen.change[seen.moves]))
    fixed = np.log2(0.3 * usual / (seen.change + 0.3)).clip(-1, 1)
    return np.asarray(np.cumsum(fixed[::-1], axis=0)[::-1], dtype=np.float32)


def _with_none(score: Float32[np.ndarray, "h w"], highest: int) -> Float32[np.ndarray, "rows w"]:
    """With a last row for columns without a rim; a rim is in the lower part and not on the border itself."""
    score[:highest] = -_NEVER
    score[-3:] = -_NEVER
    return np.vstack((score, np.zeros_like(score[:1])))


def _best_path(score: Float32[np.ndarray, "rows w"]) -> Int[np.ndarray, " w"]:
    """The row of each column on the path that scores most, whose rows change by few from column to column.

    By dynamic programming; to and from the last row (no rim) a path may jump, at a price.
    """
    rows, width = score.shape
    steps = np.arange(-_STEPS, _STEPS + 1)
    total, came = score[:, 0], np.zeros((rows, width), dtype=np.int64)
    everything = np.arange(rows)
    for column in range(1, width):
        padded = np.pad(total, _STEPS, constant_values=-np.inf)
        options = np.stack([padded[_STEPS + s : _STEPS + s + rows] - 0.5 * abs(s) for s in steps])
        chosen = options.argmax(0)
        gain, origin = options[chosen, everything], everything + steps[chosen]
        ends = total[-1] - _JUMP
        origin, gain = np.where(ends > gain, rows - 1, origin), np.maximum(gain, ends)
        if total.max() - _JUMP > gain[-1]:
            gain[-1], origin[-1] = total.max() - _JUMP, int(total.argmax())
        came[:, column], total = origin, score[:, column] + gain
    path = np.empty(width, dtype=np.int64)
    path[-1] = int(total.argmax())
    for column in range(width - 1, 0, -1):
        path[column - 1] = came[path[column], column]
    return path


def _parabola(
    columns: Int[np.ndarray, " n"], rows: Int[np.ndarray, " n"], width: int
) -> Float64[np.ndarray, " w"]:
    """The parabola over all columns that passes most of the given points within two rows."""
    random = np.random.default_rng(0)
    best, most = np.zeros(3), -1
    for _ in range(_TRIALS):
        three = random.choice(len(columns), 3, replace=False)
        fit = np.polyfit(columns[three], rows[three], 2)
        fitting = np.abs(np.polyval(fit, columns) - rows) <= 2
        if fitting.sum() > most:
            best, most = np.polyfit(columns[fitting], rows[fitting], 2), int(fitting.sum())
    return np.polyval(best, np.arange(width))


def _sharp(seen: Still, rim: Int[np.ndarray, " w"]) -> bool:
    """Whether edges that stay are on enough of a rim: on more of it, the less of the width it spans."""
    height, width = seen.change.shape
    strong = cv2.dilate(np.where(seen.share > 0.3, seen.stays, 0), np.ones((3, 1), np.uint8)) > 3
    there = rim < height
    share = (strong[rim.clip(0, height - 1), np.arange(width)] & there).mean()
    return bool(share > 0.05 + 0.25 * (1 - there.mean()))


def _rim(
    seen: Still, outward: Float32[np.ndarray, "2 h w"], ignored: Bool[np.ndarray, "h w"]
) -> Int[np.ndarray, " w"] | None:
    """The row of a bonnet's upper rim in each column (the height where it has none), or None without one.

    Found by what crosses the lines of motion alone, then followed to its ends, which may run along them.
    """
    height, width = seen.change.shape
    across, whole = np.where(ignored, 0, rim_evidence(seen, outward))
    highest = int(source_of_motion(seen)[1] + _HIGHEST * height)
    below = _fixed_below(seen)
    # The rim is where the evidence is most within a pixel.
    wide = cv2.dilate(across, np.ones((3, 1), np.uint8))
    path = _best_path(_with_none(8 * (wide - 0.25) + 0.2 * below, highest))
    x = np.arange(width)
    firm = np.flatnonzero((path < height) & (wide[path.clip(0, height - 1), x] > 0.5))
    if len(firm) < _WIDE * width:
        return None
    curve = _parabola(firm, path[firm], width)
    firm = firm[np.abs(curve[firm] - path[firm]) <= 2]
    if len(firm) < _WIDE * width:
        return None
    beyond = np.maximum(firm.min() - x, x - firm.max()).clip(0)
    # Wider away from what is certain, and rather downwards: a rim falls to its ends.
    off, wide_by = np.arange(height)[:, None] - curve, 3 + 0.03 * height
    near = (off >= -wide_by - 0.04 * beyond) & (off <= wide_by + 0.25 * beyond)
    score = np.where(near, 8 * (whole - 0.1) + 0.15 * below, -_NEVER)
    rim = median_filter(_best_path(_with_none(score.astype(np.float32), highest)), 9)
    return rim if _sharp(seen, rim) else None


def _roundness(edges: Float32[np.ndarray, "2 n"]) -> float:
    """1 where edges have all directions alike, 0 where they have one."""
    least, most = np.linalg.eigvalsh(edges @ edges.T)
    return float(least / most)


def _stamps(seen: Still) -> list[tuple[slice, slice]]:
    """The boxes (rows, columns) of clusters of edges in all directions that stay, near the border.

    In the middle of the picture a car ahead looks the same.
    """
    height, width = seen.change.shape
    firm = (seen.stays > 2.5) & (seen.share > 0.4)
    firm[int(_BAND * height) : int((1 - _BAND) * height)] = False
    joined = cv2.morphologyEx(firm.astype(np.uint8), cv2.MORPH_CLOSE, np.ones((5, width // 30), np.uint8))
    _, labels, boxes, _ = cv2.connectedComponentsWithStats(joined)
    found = []
    for number, (left, top, wide, tall, _area) in enumerate(boxes.tolist()):
        edges = firm & (labels == number)
        if number == 0 or wide < 0.05 * width or not 4 <= tall <= 0.2 * height:
            continue
        if edges.sum() > 0.15 * wide * tall and _roundness(seen.edge[:, edges]) > 0.15:
            # Beside it, too: the seconds of a clock do not stay.
            rows = slice(max(0, top - 2), top + tall + 2)
            found.append((rows, slice(max(0, left - tall), left + wide + tall)))
    return found


def find_hood(frames: Iterable[UInt8[np.ndarray, "_ _ 3"]]) -> Hood | None:
    """What never moves in frames of one camera, in order of time; None where nothing was found.

    None too where the camera hardly moved in them, since everything stays then, or with fewer than 20 frames.
    Spread the frames over the whole recording: in a few seconds on a straight road much stays. What is fixed
    at the sides or the top (a mirror, black bars) is not looked for.

    Raises:
        KinedepthError: the frames have several sizes.
    """
    size, clip = _clip(frames)
    if len(clip) < FEWEST:
        return None
    seen = still(clip)
    if seen.moving < MOVING:
        return None
    outward = outward_from(seen)
    boxes = _stamps(seen)
    stamped = np.zeros(seen.change.shape, dtype=bool)
    for box in boxes:
        stamped[box] = True
    # A line of text is an edge that stays, too: without it there must still be a rim.
    rim = None if _rim(seen, outward, stamped) is None else _rim(seen, outward, np.zeros_like(stamped))
    if rim is None and not boxes:
        return None
    above = np.ones_like(stamped) if rim is None else np.arange(len(stamped))[:, None] < rim
    boxes = [box for box in boxes if above[box].mean() > 0.1]
    counts = above.copy()
    for box in boxes:
        counts[box] = False
    full = cv2.resize(counts.astype(np.float32), size[::-1], interpolation=cv2.INTER_LINEAR) > 0.5
    return Hood(np.asarray(full), rim is not None, len(boxes))


def _clip(frames: Iterable[UInt8[np.ndarray, "_ _ 3"]]) -> tuple[Size, UInt8[np.ndarray, "n h w"]]:
    """The size of the frames, and them at the working size in gray."""
    size: Size | None = None
    small: list[UInt8[np.ndarray, "h w"]] = []
    for frame in frames:
        height, width = frame.shape[:2]
        if size is None:
            size = height, width
        if (height, width) != size:
            raise KinedepthError(
                f"frames of {size[1]}x{size[0]} and of {width}x{height} are not of one camera: look for its "
                "fixed parts in frames of one size"
            )
        small.append(_gray(frame, (max(1, round(height * WIDTH / width)), WIDTH)))
    if size is None:
        return (0, 0), np.zeros((0, 1, WIDTH), dtype=np.uint8)
    return size, np.stack(small)


def write_mask(path: Path, mask: Bool[np.ndarray, "h w"]) -> None:
    """Write a mask as an 8-bit PNG: 255 where pixels count, 0 where they do not.

    Raises:
        KinedepthError: it cannot be written.
    """
    try:
        Image.fromarray(mask.astype(np.uint8) * 255).save(path, format="PNG")
    except OSError as error:
        raise KinedepthError(f"the mask {path} cannot be written ({error.strerror})") from error
