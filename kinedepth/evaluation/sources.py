"""What a source holds to judge a model by: images with measured depth, paths with measured poses.

Nothing is read here but the names of files. Each kind of truth has the protocol that suits it, so that a
table never mixes two.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Literal

from kinedepth.data import folder, kitti, moments
from kinedepth.data.camera_files import read_kitti
from kinedepth.data.moments import Calibration, Moment, Truth, TruthKind
from kinedepth.data.source import Source, open_source
from kinedepth.errors import KinedepthError, listed
from kinedepth.evaluation.archive import is_packed
from kinedepth.evaluation.make3d import is_make3d, make3d_moments
from kinedepth.evaluation.names import matches
from kinedepth.evaluation.protocol import (
    DEPTH_FILES,
    DEPTH_PROTOCOLS,
    KITTI_EIGEN,
    KITTI_EIGEN_BENCHMARK,
    KITTI_GARG_IMPROVED,
    KITTI_GARG_SCAN,
    MAKE3D,
    ODOMETRY_5_FRAMES,
    ODOMETRY_5_FRAMES_COMPLETE,
    SNIPPET_PROTOCOLS,
    SYNTHETIC,
    Protocol,
)
from kinedepth.evaluation.truth_only import (
    is_8_bit_pictures,
    is_rendered,
    is_truth_only,
    packed_moments,
    rendered_moments,
    truth_moments,
)

NEEDS: dict[str, str] = {
    SYNTHETIC.name: "rendered truth (truth/*.npz, from `kinedepth render`)",
    KITTI_GARG_IMPROVED.name: "KITTI's improved depth (gt_depth/*.png or proj_depth/groundtruth/image_02)",
    KITTI_GARG_SCAN.name: "single scans as depth (lidar_depth/*.png or proj_depth/velodyne_raw/image_02)",
    KITTI_EIGEN.name: "LiDAR scans and calibration (KITTI raw, or velodyne/*.bin and calib/ of a drive)",
    KITTI_EIGEN_BENCHMARK.name: "the root of KITTI raw with improved depth in proj_depth/ of its drives",
    MAKE3D.name: "Make3D's folders Test134 and Gridlaserdata",
    DEPTH_FILES.name: "a folder of depth files without pictures",
    ODOMETRY_5_FRAMES.name: "measured poses (poses.txt)",
    ODOMETRY_5_FRAMES_COMPLETE.name: "measured poses (poses.txt)",
}
"""What must lie in a source, for people."""

_PLACES: tuple[tuple[Protocol, str, TruthKind], ...] = (
    (SYNTHETIC, "truth", "npz"),
    (KITTI_GARG_IMPROVED, "gt_depth", "png"),
    (KITTI_GARG_IMPROVED, "proj_depth/groundtruth/image_02", "png"),
    (KITTI_GARG_SCAN, "lidar_depth", "png"),
    (KITTI_GARG_SCAN, "proj_depth/velodyne_raw/image_02", "png"),
    (KITTI_EIGEN, "velodyne", "velodyne"),
    (KITTI_EIGEN, "velodyne_points/data", "velodyne"),
)
_CALIBRATIONS = {"velodyne": "calib", "velodyne_points/data": ".."}
_ENDINGS: dict[TruthKind, str] = {"npz": ".npz", "png": ".png", "velodyne": ".bin"}


@dataclass(frozen=True)
class Track:
    """A sequence whose camera poses were measured."""

    sequence: moments.Sequence
    poses: Path
    """camera-to-world of every frame, as KITTI writes them."""


@dataclass(frozen=True)
class Measured:
    """What a source holds to judge by."""

    path: Path
    images: Mapping[str, Callable[[], list[Moment]]]
    """The images with truth, by the name of the protocol that suits the truth; listed when called."""
    tracks: tuple[Track, ...] = ()
    summary: str = ""
    """For people, line by line."""
    camera_known: bool = True
    """Whether the camera of the images is more than a guess."""

    @property
    def protocols(self) -> list[str]:
        """The names of the protocols that this source can be judged by, the preferred one first."""
        plain = DEPTH_FILES.name in self.images and SYNTHETIC.name not in self.images
        # Which protocol bare depth belongs to, only the user knows: none is preferred to the plain one.
        first = [DEPTH_FILES.name] if plain else []
        depth = [*first, *(name for name in DEPTH_PROTOCOLS if name in self.images and name not in first)]
        return [*depth, *(SNIPPET_PROTOCOLS if self.tracks else ())]

    def require(self, name: str) -> None:
        """Refuses a protocol that this source cannot serve.

        Raises:
            KinedepthError: says what is missing, and what could be used.
        """
        if name in self.protocols:
            return
        possible = (
            f"it can be judged by {', '.join(self.protocols)}" if self.protocols else "it holds no truth"
        )
        raise KinedepthError(f"{self.path} lacks what {name} needs, {NEEDS[name]}: {possible}.")

    def listed(self, protocol: str, names: Sequence[str] | None = None) -> list[Moment]:
        """The images of a protocol: all of them, or those of a list and in its order.

        Raises:
            KinedepthError: files of a published list are missing, or the list names an image without truth.
        """
        moments = self.images[protocol]()
        return moments if names is None else self._chosen(moments, names)

    def _chosen(self, moments: list[Moment], names: Sequence[str]) -> list[Moment]:
        by_name = {moment.name: moment for moment in moments}
        found = matches(names, by_name)
        missing = [name for name in names if name not in found]
        if missing:
            raise KinedepthError(
                f"The list names {listed(missing)}, and {self.path} has no truth of it: add the file or take "
                f"the line away ({len(missing)} of {len(names)} are missing)."
            )
        return [by_name[found[name]] for name in names]


def find_truth(path: Path, offsets: tuple[int, ...] = (), names: Sequence[str] | None = None) -> Measured:
    """What lies at `path` to judge by: a drive or many, KITTI raw or odometry, Make3D, or bare depth files.

    `offsets` are the neighbours that the method looks at; images that lack one of them are not listed.
    `names` give the order of a gt_depths.npz that is not the published one.

    Raises:
        KinedepthError: there are no pictures, or nothing to judge by.
    """
    found = _found(path, offsets, names)
    if not found.protocols:
        kinds = "; ".join(dict.fromkeys(NEEDS.values()))
        eight = " It holds 8-bit pictures, and an 8-bit picture is no depth." * is_8_bit_pictures(path)
        raise KinedepthError(f"{path} holds nothing to judge a model by.{eight} Known are: {kinds}.")
    return found


def _found(path: Path, offsets: tuple[int, ...], names: Sequence[str] | None) -> Measured:
    if is_packed(path):
        return _without_pictures(path, partial(packed_moments, path, names), "Monodepth2's array of depth")
    if is_make3d(path):
        about = f"source     {path} (Make3D's test images)"
        return Measured(path, {MAKE3D.name: partial(make3d_moments, path)}, (), about, camera_known=False)
    if _is_kitti_raw(path):
        return _kitti_raw(path, offsets)
    if path.is_dir() and not _is_drive(path) and is_truth_only(path):
        found = _without_pictures(path, partial(truth_moments, path), "depth files without pictures")
        rendered = {SYNTHETIC.name: partial(rendered_moments, path)} if is_rendered(path) else {}
        return replace(found, images={**rendered, **found.images})
    return _drives(open_source(path), offsets)


def _without_pictures(path: Path, images: Callable[[], list[Moment]], what: str) -> Measured:
    """Bare depth serves every protocol of camera depth; which one it belongs to, only the user knows."""
    possible = (DEPTH_FILES, KITTI_GARG_IMPROVED, KITTI_GARG_SCAN, KITTI_EIGEN, KITTI_EIGEN_BENCHMARK)
    about = f"source     {path} ({what})"
    return Measured(path, {each.name: images for each in possible}, (), about, camera_known=False)


def _is_drive(path: Path) -> bool:
    """Whether truth lies in the places where it lies beside pictures."""
    return any((path / place).is_dir() for _, place, _ in _PLACES) or (path / "poses.txt").is_file()


def _is_kitti_raw(path: Path) -> bool:
    """Whether `path` is the folder of the days, each with its drives."""
    return path.is_dir() and any(re.fullmatch(r"\d{4}_\d\d_\d\d", each.name) for each in folder.entries(path))


def _kitti_raw(path: Path, offsets: tuple[int, ...]) -> Measured:
    """The published test images; whether all are there is seen when they are listed."""
    kinds: dict[str, Literal["lidar", "improved"]] = {KITTI_EIGEN.name: "lidar"}
    if any(path.glob("*/*/proj_depth/groundtruth")):
        kinds[KITTI_EIGEN_BENCHMARK.name] = "improved"
    images = {
        name: partial(kitti_test_images, path, kind=kind, offsets=offsets) for name, kind in kinds.items()
    }
    return Measured(path, images, summary=f"source     {path} (KITTI raw, its published test images)")


def kitti_test_images(
    path: Path,
    split: str | Path | None = None,
    kind: Literal["lidar", "improved"] = "lidar",
    offsets: tuple[int, ...] = (),
) -> list[Moment]:
    """The test images of Eigen et al. in KITTI raw, each with the camera of its own drive where it is there.

    `split` is another list: a bundled one or the user's file.

    Raises:
        KinedepthError: files are missing; says how many and names the first.
    """
    default = "eigen/test" if kind == "lidar" else "eigen_benchmark/test"
    found = kitti.raw_moments(path, split or default, kitti.Wanted(offsets, truth=kind))
    return [replace(moment, calibration=_own_camera(moment)) for moment in found]


def _own_camera(moment: Moment) -> Calibration:
    """What the file of the day says, else the one camera for all of KITTI."""
    images = moment.target.path.parents[1]
    file = images.parents[1] / "calib_cam_to_cam.txt"
    return read_kitti(file, int(images.name[-2:])).calibration if file.is_file() else moment.calibration


@dataclass(frozen=True)
class _Drive:
    """One sequence, and the files of truth that lie in its folder."""

    sequence: moments.Sequence
    truths: Mapping[str, Mapping[str, Truth]] = field(default_factory=dict)
    """By protocol, then by the name of the frame."""


def _drives(source: Source, offsets: tuple[int, ...]) -> Measured:
    drives = [_Drive(sequence, _truths(_root(sequence))) for sequence in source.sequences]
    names = {name for drive in drives for name in drive.truths}
    images = {name: partial(_images, drives, name, offsets) for name in names}
    tracks = [(drive.sequence, _poses(drive.sequence)) for drive in drives]
    known = tuple(Track(sequence, poses) for sequence, poses in tracks if poses is not None)
    return Measured(source.path, images, known, source.summary(), not source.guessed)


def _images(drives: Sequence[_Drive], name: str, offsets: tuple[int, ...]) -> list[Moment]:
    return [
        replace(moment, truth=drive.truths[name][moment.target.label])
        for drive in drives
        if name in drive.truths
        for moment in drive.sequence.moments(offsets)
        if moment.target.label in drive.truths[name]
    ]


def _root(sequence: moments.Sequence) -> Path:
    """The folder of the drive that the frames belong to."""
    first = sequence.frames[0]
    where = None if first.index is not None else folder.layout(first.path.parent)
    return first.path.parent if where is None else where.root


def _truths(root: Path) -> dict[str, dict[str, Truth]]:
    found: dict[str, dict[str, Truth]] = {}
    for protocol, place, kind in _PLACES:
        if protocol.name in found or not (root / place).is_dir():
            continue
        calibration = root / _CALIBRATIONS[place] if kind == "velodyne" else None
        if calibration is not None and not (calibration / "calib_velo_to_cam.txt").is_file():
            continue
        files = [entry for entry in folder.entries(root / place) if entry.suffix == _ENDINGS[kind]]
        if files:
            found[protocol.name] = {file.stem: Truth(file, kind, calibration) for file in files}
    return found


def _poses(sequence: moments.Sequence) -> Path | None:
    """Measured poses beside the pictures, or where KITTI odometry keeps them."""
    root = _root(sequence)
    official = root.parent.parent / "poses" / f"{root.name}.txt"
    return sequence.poses or (official if official.is_file() else None)
