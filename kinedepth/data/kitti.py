"""KITTI raw and odometry in their own layout, by the official lists.

Raw: `<date>/<drive>/image_02|image_03/data/%010d.jpg|png`, calibration in `<date>/`, LiDAR in
`<drive>/velodyne_points/data/`. Odometry: `sequences/%02d/image_2|image_3/%06d.jpg|png`.

`calibration="official"` is the one normalized camera that Monodepth2 uses for everything; `drive` reads each
drive's own file, which differs by up to a few per cent.
"""

import gzip
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Literal

from kinedepth.data.camera_files import OFFICIAL_KITTI, read_kitti
from kinedepth.data.frames import picture_size
from kinedepth.data.moments import Calibration, Frame, Moment, Partner, Side, Truth
from kinedepth.errors import KinedepthError

Calibrated = Literal["official", "drive"]
TruthChoice = Literal["lidar", "improved"]

BASELINE = 0.54
"""Metres between cameras 2 and 3, as Monodepth2 rounds it."""

_SIDES: dict[str, Side] = {"l": "left", "r": "right", "2": "left", "3": "right"}
_CAMERAS: dict[Side, int] = {"left": 2, "right": 3}
_FIELDS = 3


@dataclass(frozen=True)
class Line:
    """One entry of an official list."""

    folder: str
    frame: int
    side: Side = "left"


@dataclass(frozen=True)
class Wanted:
    """What is needed of each entry of a list."""

    offsets: tuple[int, ...] = (-1, 1)
    stereo: bool = False
    calibration: Calibrated = "official"
    truth: TruthChoice | None = None


def split_names() -> tuple[str, ...]:
    """The bundled lists: "eigen_zhou/train" and so on."""
    found = [
        f"{folder.name}/{file.name.removesuffix('.txt.gz').replace('_files', '')}"
        for folder in files("kinedepth.data").joinpath("splits").iterdir()
        if folder.is_dir()
        for file in folder.iterdir()
        if file.name.endswith(".txt.gz")
    ]
    return tuple(sorted(found))


def split_lines(split: str | Path) -> list[Line]:
    """The entries of a bundled list ("eigen_zhou/train") or of the user's own text file of the same form.

    Raises:
        KinedepthError: there is no such list, or a line has another form.
    """
    name = str(split)
    if name in split_names():
        folder, part = name.split("/")
        file = part.replace("test_", "test_files_") if part.startswith("test_") else f"{part}_files"
        packed = files("kinedepth.data").joinpath("splits", folder, f"{file}.txt.gz").read_bytes()
        text = gzip.decompress(packed).decode()
    elif Path(split).is_file():
        text = Path(split).read_text(encoding="utf-8")
    else:
        raise KinedepthError(f"there is no split {name}: give a file or one of {', '.join(split_names())}")
    return [_line(line, name) for line in text.splitlines() if line.strip()]


def _line(text: str, name: str) -> Line:
    words = text.split()
    if len(words) not in (_FIELDS - 1, _FIELDS) or not words[1].isdecimal():
        raise KinedepthError(
            f"the split {name} has the line {text.strip()!r}: each must be `folder frame side`"
        )
    side = _SIDES.get(words[2] if len(words) == _FIELDS else "l")
    if side is None:
        raise KinedepthError(f"the split {name} has the side {words[2]!r}: it must be l or r")
    return Line(words[0], int(words[1]), side)


def raw_moments(
    root: Path, split: str | Path | Sequence[Line] = "eigen_zhou/train", wanted: Wanted | None = None
) -> list[Moment]:
    """The moments of a list in KITTI raw.

    Raises:
        KinedepthError: files are missing; says how many and names the first.
    """
    return _moments(root, split, wanted or Wanted(), _raw_folder, 10)


def odometry_moments(
    root: Path, split: str | Path | Sequence[Line] = "odom/train", wanted: Wanted | None = None
) -> list[Moment]:
    """The moments of a list in KITTI odometry.

    Raises:
        KinedepthError: files are missing; says how many and names the first.
    """
    return _moments(root, split, wanted or Wanted(), _odometry_folder, 6)


def _raw_folder(root: Path, folder: str, camera: int) -> Path:
    return root / folder / f"image_{camera:02d}" / "data"


def _odometry_folder(root: Path, folder: str, camera: int) -> Path:
    below = "sequences" if (root / "sequences").is_dir() else "."
    return root / below / f"{int(folder):02d}" / f"image_{camera}"


def _moments(
    root: Path,
    split: str | Path | Sequence[Line],
    wanted: Wanted,
    folder_of: Callable[[Path, str, int], Path],
    digits: int,
) -> list[Moment]:
    if not root.is_dir():
        raise KinedepthError(f"there is no folder {root}: give the folder that KITTI was unpacked to")
    lines = split_lines(split) if isinstance(split, str | Path) else split
    reader = _Reader(root, wanted, folder_of, digits)
    moments = [reader.moment(line) for line in lines]
    if reader.missing:
        raise KinedepthError(
            f"{len(reader.missing)} files are missing for the {len(lines)} entries asked of {root}, first "
            f"{next(iter(reader.missing))}: complete the data set or use another split"
        )
    return moments


class _Reader:
    """Turns lines into moments; looks at every folder once and notes what is missing."""

    def __init__(
        self, root: Path, wanted: Wanted, folder_of: Callable[[Path, str, int], Path], digits: int
    ) -> None:
        self.root, self.wanted, self.digits = root, wanted, digits
        self.missing: dict[Path, None] = {}
        self.calibration = cache(self._calibration)
        self.folders = cache(folder_of)
        self.names = cache(_names)
        self.frame = cache(self._found)

    def moment(self, line: Line) -> Moment:
        """The moment of one entry."""
        camera = _CAMERAS[line.side]
        calibration, baseline = self.calibration(line.folder, camera)
        partner = None
        if self.wanted.stereo:
            other = _CAMERAS["right" if line.side == "left" else "left"]
            beside = self.calibration(line.folder, other)[0]
            partner = Partner(self._frame(line, 0, other), beside, line.side, baseline)
        sequence = f"{line.folder}/{line.side}"
        return Moment(
            name=f"{sequence}/{line.frame:0{self.digits}d}",
            sequence=sequence,
            target=self._frame(line, 0, camera),
            calibration=calibration,
            neighbors={offset: self._frame(line, offset, camera) for offset in self.wanted.offsets},
            partner=partner,
            truth=self._truth(line, camera),
        )

    def _frame(self, line: Line, offset: int, camera: int) -> Frame:
        return self.frame(line.folder, line.frame + offset, camera)

    def _found(self, drive: str, number: int, camera: int) -> Frame:
        folder = self.folders(self.root, drive, camera)
        stem = f"{number:0{self.digits}d}" if number >= 0 else f"(frame {number})"
        # Published numbers are of JPEG files; PNG where they were not converted.
        name = next(
            (stem + ending for ending in (".jpg", ".png") if stem + ending in self.names(folder)), None
        )
        if name is None:
            name = f"{stem}.jpg"
            self.missing[folder / name] = None
        return Frame(folder / name)

    def _truth(self, line: Line, camera: int) -> Truth | None:
        if self.wanted.truth is None:
            return None
        drive, stem = self.root / line.folder, f"{line.frame:0{self.digits}d}"
        if self.wanted.truth == "lidar":
            path = drive / "velodyne_points" / "data" / f"{stem}.bin"
            truth = Truth(path, "velodyne", drive.parent, camera)
        else:
            path = drive / "proj_depth" / "groundtruth" / f"image_{camera:02d}" / f"{stem}.png"
            truth = Truth(path, "png")
        if path.name not in self.names(path.parent):
            self.missing[path] = None
        return truth

    def _calibration(self, folder: str, camera: int) -> tuple[Calibration, float]:
        if self.wanted.calibration == "official":
            return OFFICIAL_KITTI, BASELINE
        images = self.folders(self.root, folder, camera)
        raw = self.root / folder / ".." / "calib_cam_to_cam.txt"
        path, size = (raw, None) if raw.is_file() else (images.parent / "calib.txt", _size_of(images))
        two, three = (read_kitti(path, number, size) for number in (2, 3))
        return (two if camera == _CAMERAS["left"] else three).calibration, three.offset - two.offset


def _names(folder: Path) -> frozenset[str]:
    return frozenset(path.name for path in folder.iterdir()) if folder.is_dir() else frozenset()


def _size_of(folder: Path) -> tuple[int, int] | None:
    first = next(iter(sorted(_names(folder))), None)
    return None if first is None else picture_size(folder / first)
