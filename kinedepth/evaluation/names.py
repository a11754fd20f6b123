"""Which prediction belongs to which truth: by name, never by order.

A name is `folder/.../label`; the label is the file's name without its ending, or the number of a frame.
Labels must be equal. Folders decide where a label occurs more than once; folders of known layouts
(`image_02/data`, `proj_depth/groundtruth`, `depth_png16`, ...) say nothing, but for the side of a stereo rig.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from kinedepth.data.kitti import Line, split_lines
from kinedepth.errors import KinedepthError
from kinedepth.evaluation.protocol import KITTI_EIGEN, KITTI_EIGEN_BENCHMARK

_SIDES = {"image_02": "l", "image_03": "r", "left": "l", "right": "r"}
_SILENT = re.compile(
    r"data|proj_depth|groundtruth|velodyne_raw|velodyne_points|gt_depth|lidar_depth|truth|\.|"
    r"depth(_npy|_npz|_png16|_exr|_pfm)?"
)
_KITTI_FLAT = re.compile(r"(.+_sync)_(?:groundtruth_depth|image|velodyne_raw)_(\d{10})_image_(0[23])")
"""The flat names of KITTI's depth selection."""
PUBLISHED = {each.images: each.split for each in (KITTI_EIGEN, KITTI_EIGEN_BENCHMARK)}
"""The list that official arrays of so many images follow."""


def parts(name: str) -> tuple[str, ...]:
    """The folders of a name that say something, and its label.

    >>> parts("2011_09_26_drive_0002_sync/image_02/data/0000000069")
    ('2011_09_26_drive_0002_sync', 'l', '0000000069')
    """
    flat = _KITTI_FLAT.fullmatch(name.rpartition("/")[2])
    if flat:
        drive, frame, camera = flat.groups()
        return drive, _SIDES[f"image_{camera}"], frame
    *folders, label = name.split("/")
    known = (_SIDES.get(part, part) for part in folders if not _SILENT.fullmatch(part))
    # Make3D calls its pictures img-<scene>.
    return (*known, label.removeprefix("img-"))


def _shared(first: Sequence[str], second: Sequence[str]) -> int:
    """How many folders two names have in common."""
    return len(set(first[:-1]) & set(second[:-1]))


def matches(wanted: Iterable[str], given: Iterable[str]) -> dict[str, str]:
    """The given name for every wanted one that has one.

    Raises:
        KinedepthError: several would fit equally well.
    """
    wanted, given = list(wanted), list(given)
    by_label: dict[str, list[str]] = {}
    for name in given:
        by_label.setdefault(parts(name)[-1], []).append(name)
    twice = _repeated(parts(name)[-1] for name in wanted)
    found = {}
    for name in wanted:
        candidates = by_label.get(parts(name)[-1], []) or by_label.get("_".join(parts(name)), [])
        best = _best(name, candidates, parts(name)[-1] in twice)
        if best is not None:
            found[name] = best
    _refuse_shared(found)
    return found


def _repeated(labels: Iterable[str]) -> set[str]:
    seen: set[str] = set()
    return {label for label in labels if label in seen or seen.add(label)}  # type: ignore[func-returns-value]


def _best(name: str, candidates: list[str], ambiguous: bool) -> str | None:
    """The candidate whose folders agree best; one alone is taken, unless its label occurs more than once."""
    if not candidates:
        return None
    score = {each: _shared(parts(name), parts(each)) for each in candidates}
    top = max(score.values())
    best = [each for each in candidates if score[each] == top]
    if len(best) > 1:
        raise KinedepthError(
            f"{name} could be {best[0]} or {best[1]}: name the folder of one, or name folders as the truth's."
        )
    flat = best[0].rpartition("/")[2] == "_".join(parts(name))
    return None if ambiguous and not top and not flat else best[0]


def _refuse_shared(found: Mapping[str, str]) -> None:
    owner: dict[str, str] = {}
    for name, given in found.items():
        if given in owner:
            raise KinedepthError(
                f"{given} could be {owner[given]} or {name}: put each sequence into a folder of its own name."
            )
        owner[given] = name


def read_names(given: str | Path) -> list[str]:
    """The images of a bundled list ("eigen/test") or of a text file, in order.

    A line is a name, or `folder frame side` as in KITTI's lists.

    Raises:
        KinedepthError: there is no such list, it is empty, or a name comes twice.
    """
    path = Path(given)
    if not path.is_file():
        return [_of_line(line) for line in split_lines(given)]
    lines = [line.strip() for line in path.read_text(encoding="utf-8").splitlines()]
    lines = [line for line in lines if line and not line.startswith("#")]
    if not lines:
        raise KinedepthError(f"{path} names no image: write one name a line.")
    if all(re.fullmatch(r"\S+\s+\d+(\s+[lr23])?", line) for line in lines):
        names = [_of_line(line) for line in split_lines(path)]
    else:
        names = [_without_ending(line) for line in lines]
    twice = _repeated(names)
    if twice:
        raise KinedepthError(f"{path} names {min(twice)} twice; every image counts once.")
    return names


def published_names(count: int) -> list[str] | None:
    """The images of the official list of so many entries; None where there is none."""
    split = PUBLISHED.get(count)
    return None if split is None else read_names(split)


def _of_line(line: Line) -> str:
    """As `kitti.raw_moments` names it."""
    return f"{line.folder}/{'l' if line.side == 'left' else 'r'}/{line.frame:010d}"


def _without_ending(name: str) -> str:
    return re.sub(r"\.(png|jpe?g|npy|npz|exr|pfm|mat|bin)$", "", name.replace("\\", "/"), flags=re.IGNORECASE)
