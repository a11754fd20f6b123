"""Paths against evo, a dependency of the tests only: its API, and its commands on the files that we write."""

import gzip
import io
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from kinedepth.evaluation.matching import Matched, match
from kinedepth.evaluation.odometry import anchored, positions
from kinedepth.evaluation.path_protocol import EVO, KITTI_ODOMETRY, PathProtocol
from kinedepth.evaluation.path_table import path_table
from kinedepth.evaluation.paths import PathQuestion, judge_files
from kinedepth.evaluation.pose_files import read_trajectory
from kinedepth.evaluation.trajectory import is_straight, umeyama
from kinedepth.inference.poses import write_kitti, write_tum

metrics = pytest.importorskip("evo.core.metrics")
evo_trajectory = pytest.importorskip("evo.core.trajectory")
file_interface = pytest.importorskip("evo.tools.file_interface")

Paths = tuple[np.ndarray, np.ndarray]
COMMANDS = Path(sys.executable).parent
STATISTICS = ("rmse", "mean", "median", "std", "max")


def turn(angle: float) -> np.ndarray:
    cos, sin = np.cos(angle), np.sin(angle)
    return np.array([[cos, 0, sin], [0, 1, 0], [-sin, 0, cos]])


def tumble(angles: np.ndarray) -> np.ndarray:
    """A small rotation about all three axes."""
    first, second = turn(angles[1]), turn(angles[0])
    return first @ second[:, (1, 0, 2)][(1, 0, 2), :] @ turn(angles[2])[:, (0, 2, 1)][(0, 2, 1), :]


def walk(count: int, drift: float, scale: float, seed: int) -> np.ndarray:
    """A winding path with noise in all axes, not beginning at the identity."""
    generator = np.random.default_rng(seed)
    noise, angles = generator.normal(scale=0.01, size=(2, count, 3))
    pose = np.eye(4)
    pose[:3, :3], pose[:3, 3] = turn(0.3 * seed), (seed, 2.0, -1.0)
    poses = [pose]
    for index in range(count):
        step = np.eye(4)
        step[:3, :3] = turn(0.05 * np.sin(index / 20) + drift) @ tumble(angles[index])
        step[:3, 3] = scale * (np.array([0.0, 0.02 * np.cos(index / 9), 1.0]) + noise[index])
        poses.append(poses[-1] @ step)
    return np.stack(poses)


@pytest.fixture(scope="module", params=range(3), ids="walk {}".format)
def paths(request: pytest.FixtureRequest) -> Paths:
    seed = 2 * request.param
    return walk(200, drift=0.002, scale=0.05, seed=seed + 1), walk(200, drift=0.0, scale=1.0, seed=seed + 2)


def published(folder: Path) -> list[Matched]:
    """Real predicted paths with the true poses of the same frames."""
    files = sorted((folder / "predicted").glob("*/*.txt.gz"))
    return [match(read_trajectory(file), read_trajectory(folder / "gt" / file.name)) for file in files]


@pytest.fixture(scope="module")
def real(real_data_root: Path) -> list[Matched]:
    return published(real_data_root / "kitti_odometry_poses")


def all_neighbors(predicted: np.ndarray, truth: np.ndarray) -> Matched:
    names = tuple(map(str, range(len(truth))))
    return Matched(predicted, truth, np.arange(len(truth)), names, np.ones(len(truth) - 1, dtype=bool), "")


def ate(paths: Paths, align: str, protocol: PathProtocol = KITTI_ODOMETRY) -> float:
    return path_table(all_neighbors(*paths), protocol).row(align).absolute.rmse


Align = Callable[[Any, Any], Any]
THEIRS: dict[str, Align] = {
    "none": lambda estimate, truth: None,
    "scale_7dof": lambda estimate, truth: estimate.align(truth, correct_only_scale=True),
    "6dof": lambda estimate, truth: estimate.align(truth),
    "7dof": lambda estimate, truth: estimate.align(truth, correct_scale=True),
}


def evo_paths(predicted: np.ndarray, truth: np.ndarray, align: Align) -> tuple[Any, Any]:
    reference = evo_trajectory.PosePath3D(poses_se3=list(truth))
    estimate = evo_trajectory.PosePath3D(poses_se3=list(predicted))
    align(estimate, reference)
    return reference, estimate


def evo_errors(predicted: np.ndarray, truth: np.ndarray, align: Align) -> dict[str, dict[str, float]]:
    """What evo_ape and evo_rpe print."""
    pair = evo_paths(predicted, truth, align)
    relation, unit = metrics.PoseRelation, metrics.Unit.frames
    judges = {
        "ape_m": metrics.APE(relation.translation_part),
        "rpe_translation_m": metrics.RPE(relation.translation_part, 1, unit),
        "rpe_rotation_deg": metrics.RPE(relation.rotation_angle_deg, 1, unit),
    }
    for judge in judges.values():
        judge.process_data(pair)
    return {
        name: {key: judge.get_statistic(metrics.StatisticsType[key]) for key in STATISTICS}
        for name, judge in judges.items()
    }


def our_errors(matched: Matched, align: str) -> dict[str, dict[str, float]]:
    row = path_table(matched, EVO).row(align).values()
    return {
        name: {key: row[name][key] for key in STATISTICS}
        for name in ("ape_m", "rpe_translation_m", "rpe_rotation_deg")
    }


def compare(ours: dict[str, dict[str, float]], theirs: dict[str, dict[str, float]]) -> None:
    for name, values in theirs.items():
        assert ours[name] == pytest.approx(values, rel=1e-6)


@pytest.mark.parametrize("align", THEIRS)
def test_random_paths(paths: Paths, align: str) -> None:
    compare(our_errors(all_neighbors(*paths), align), evo_errors(*paths, THEIRS[align]))


@pytest.mark.parametrize("align", THEIRS)
@pytest.mark.parametrize("place", range(4))
def test_real_paths(real: list[Matched], place: int, align: str) -> None:
    if place >= len(real):
        pytest.skip("fewer paths are published")
    matched = real[place]
    compare(our_errors(matched, align), evo_errors(matched.predicted, matched.true, THEIRS[align]))


@pytest.mark.parametrize(
    ("align", "theirs"),
    [
        ("none", lambda estimate, truth: estimate.align_origin(truth)),
        ("6dof", THEIRS["6dof"]),
        ("7dof", THEIRS["7dof"]),
    ],
)
def test_trajectory_error(paths: Paths, align: str, theirs: Align) -> None:
    expected = evo_errors(*paths, theirs)["ape_m"]["rmse"]
    assert ate(paths, align) == pytest.approx(expected, rel=1e-6)


def test_scale_only_through_the_first_pose(paths: Paths) -> None:
    expected = evo_errors(*map(anchored, paths), THEIRS["scale_7dof"])["ape_m"]["rmse"]
    assert ate(paths, "scale_7dof") == pytest.approx(expected, rel=1e-6)
    as_they_come = evo_errors(*paths, THEIRS["scale_7dof"])["ape_m"]["rmse"]
    assert ate(paths, "scale_7dof", EVO) == pytest.approx(as_they_come, rel=1e-6)


@pytest.mark.parametrize("with_scale", [True, False])
@pytest.mark.parametrize("mirrored", [False, True], ids=["straight", "mirrored"])
def test_umeyama(paths: Paths, with_scale: bool, mirrored: bool) -> None:
    geometry = pytest.importorskip("evo.core.geometry")
    source, target = (positions(path) for path in paths)
    source = source * [-1, 1, 1] if mirrored else source
    rotation, translation, scale = geometry.umeyama_alignment(source.T, target.T, with_scale)
    ours = umeyama(source, target, with_scale)
    assert ours.scale == pytest.approx(scale, rel=1e-9)
    np.testing.assert_allclose(ours.rotation, rotation, atol=1e-9)
    np.testing.assert_allclose(ours.translation, translation, atol=1e-7)
    assert np.linalg.det(ours.rotation) == pytest.approx(1.0)


def test_a_straight_path_is_refused_by_evo_and_said_by_us() -> None:
    geometry = pytest.importorskip("evo.core.geometry")
    line = np.zeros((20, 3))
    line[:, 2] = range(20)
    with pytest.raises(geometry.GeometryException):
        geometry.umeyama_alignment(0.5 * line.T, line.T, True)
    assert is_straight(0.5 * line, line)
    assert umeyama(0.5 * line, line).scale == pytest.approx(2.0)


# The commands of evo on files as `kinedepth predict` writes them


def evo(command: str, *arguments: str | Path, home: Path) -> str:
    """What a command prints; its settings are kept out of the user's home."""
    program = COMMANDS / command
    if not program.is_file():
        pytest.skip(f"{command} is not installed beside this Python")
    run = subprocess.run(
        [program, *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=home,
        env=os.environ | {"HOME": str(home), "MPLBACKEND": "agg"},
    )
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout


def evo_rmse(kind: str, truth: Path, predicted: Path, home: Path) -> float:
    """The root mean square of evo_ape with -as, with all its digits."""
    saved = home / "result.zip"
    evo("evo_ape", kind, truth, predicted, "-as", "--save_results", saved, home=home)
    with zipfile.ZipFile(saved) as archive:
        return float(json.loads(archive.read("stats.json"))["rmse"])


def our_rmse(truth: Path, predicted: Path) -> float:
    console = Console(file=io.StringIO())
    tables = judge_files(predicted, truth, None, False, console, PathQuestion()).tables
    return next(iter(tables.values())).row("7dof").absolute.rmse


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> SimpleNamespace:
    """Both formats of a prediction and of its truth; the prediction has a tenth of a second between poses."""
    folder = tmp_path_factory.mktemp("out")
    predicted, truth = walk(150, 0.002, 0.05, 1), walk(150, 0.0, 1.0, 2)
    stamps = [0.1 * place for place in range(151)]
    write_tum(folder / "poses_tum.txt", stamps, predicted, "relative")
    write_kitti(folder / "poses_kitti.txt", predicted)
    write_tum(folder / "gt_tum.txt", [stamp + 0.004 for stamp in stamps[5:]], truth[5:], "meters")
    write_kitti(folder / "gt.txt", truth)
    return SimpleNamespace(folder=folder)


def test_evo_reads_the_tum_file(files: SimpleNamespace, tmp_path: Path) -> None:
    said = evo("evo_traj", "tum", files.folder / "poses_tum.txt", home=tmp_path)
    assert "151 poses" in said


def test_evo_reads_the_kitti_file_and_finds_our_error(files: SimpleNamespace, tmp_path: Path) -> None:
    truth, predicted = files.folder / "gt.txt", files.folder / "poses_kitti.txt"
    assert our_rmse(truth, predicted) == pytest.approx(
        evo_rmse("kitti", truth, predicted, tmp_path), rel=1e-6
    )


def test_evo_matches_times_as_we_do(files: SimpleNamespace, tmp_path: Path) -> None:
    truth, predicted = files.folder / "gt_tum.txt", files.folder / "poses_tum.txt"
    assert our_rmse(truth, predicted) == pytest.approx(evo_rmse("tum", truth, predicted, tmp_path), rel=1e-6)


def test_evo_on_a_real_path(real_data_root: Path, tmp_path: Path) -> None:
    folder = real_data_root / "kitti_odometry_poses"
    packed = next(
        (f for f in sorted((folder / "predicted").glob("*/*.gz")) if read_trajectory(f).numbered is False),
        None,
    )
    if packed is None:
        pytest.skip("every published path has frame numbers, which evo does not read")
    truth, predicted = tmp_path / "gt.txt", tmp_path / "predicted.txt"
    truth.write_bytes(gzip.decompress((folder / "gt" / packed.name).read_bytes()))
    predicted.write_bytes(gzip.decompress(packed.read_bytes()))
    assert our_rmse(truth, predicted) == pytest.approx(
        evo_rmse("kitti", truth, predicted, tmp_path), rel=1e-6
    )
    assert our_rmse(folder / "gt" / packed.name, packed) == our_rmse(truth, predicted)


def test_poses_of_a_tum_file_are_evos(files: SimpleNamespace) -> None:
    theirs = file_interface.read_tum_trajectory_file(files.folder / "poses_tum.txt")
    ours = read_trajectory(files.folder / "poses_tum.txt")
    np.testing.assert_allclose(ours.poses, np.stack(theirs.poses_se3), atol=1e-9)
    np.testing.assert_array_equal(ours.stamps, theirs.timestamps)
