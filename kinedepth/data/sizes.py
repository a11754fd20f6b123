"""Folders whose pictures change their size on the way: each run of one size is a sequence of its own."""

from dataclasses import replace
from itertools import groupby

from kinedepth.data import folder
from kinedepth.data.camera_files import guessed
from kinedepth.data.frames import picture_size
from kinedepth.data.moments import Sequence, Size
from kinedepth.errors import KinedepthError

Run = tuple[Size, list[int]]

# A target and a neighbor on each side.
_SHORTEST = 3
_SHOWN = 4


def sequences(name: str, where: folder.Layout) -> tuple[list[Sequence], list[str]]:
    """The pictures of one drive, each run of one size as a sequence; their cameras are guesses. Also notes.

    Where sizes change, runs are named `name/1280x720`, numbered from the second of a size on; runs of less
    than three pictures are left out, and the drive's poses belong to none.

    Raises:
        KinedepthError: it holds no picture or a damaged one; pictures of its stereo partner are missing; or
            sizes change so often that no run is long enough.
    """
    paths = folder.pictures(where.images)
    if not paths:
        raise folder.nothing(where.images)
    found = [(size, list(run)) for size, run in groupby(range(len(paths)), lambda i: picture_size(paths[i]))]
    whole = folder.of_size(name, where, paths, found[0][0])
    if len(found) == 1:
        return [whole], []
    long = [(size, run) for size, run in found if len(run) >= _SHORTEST]
    short = [(size, run) for size, run in found if len(run) < _SHORTEST]
    told = _counted(found)
    if not long:
        raise KinedepthError(
            f"the pictures of {name} change their size all the time ({told}), never {_SHORTEST} in a row of "
            "one size: put each size into a folder of its own"
        )
    note = f"the pictures of {name} have several sizes ({told}): each run of one size is its own sequence"
    if short:
        note += f"; left out, shorter than {_SHORTEST} pictures: {_counted(short)}"
    sizes = [size for size, _ in long]
    names = [_run_name(name, sizes, place) for place in range(len(sizes))]
    return [_part(whole, new, *run) for new, run in zip(names, long, strict=True)], [note]


def _counted(runs: list[Run]) -> str:
    counts: dict[Size, int] = {}
    for size, run in runs:
        counts[size] = counts.get(size, 0) + len(run)
    shown = [f"{count} of {size[1]}x{size[0]}" for size, count in counts.items()]
    return ", ".join(shown[:_SHOWN]) + (" and others" if len(shown) > _SHOWN else "")


def _run_name(name: str, sizes: list[Size], place: int) -> str:
    size, before = sizes[place], sizes[:place].count(sizes[place])
    return f"{name}/{size[1]}x{size[0]}" + (f"-{before + 1}" if before else "")


def _part(whole: Sequence, name: str, size: Size, run: list[int]) -> Sequence:
    part = slice(run[0], run[-1] + 1)
    return replace(
        whole,
        name=name,
        frames=whole.frames[part],
        calibration=guessed(size),
        size=size,
        partners=whole.partners[part],
        truths=whole.truths[part],
        poses=None,
        times=whole.times[part] if whole.times else None,
    )
