"""Trajectory files judged by us, against the numbers of the KITTI odometry toolbox and of evo."""

import io
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from kinedepth.evaluation.path_findings import PathFindings
from kinedepth.evaluation.path_protocol import EVO, KITTI_ODOMETRY
from kinedepth.evaluation.path_table import PathTable
from kinedepth.evaluation.paths import PathQuestion, judge_files

RELATIVE = 1e-6
SEGMENTS = 2e-6
"""The segments were kept in single precision."""
ROOT = (
    Path(os.environ.get("KINEDEPTH_PARITY", Path(__file__).parents[3] / "shared" / "parity")) / "kitti_odom"
)
CASES = sorted(json.loads((ROOT / "case.json").read_text())["results"]) if ROOT.is_dir() else ["absent"]
THEIR_NAMES = {"none": "None", "scale": "scale", "scale_7dof": "scale_7dof", "6dof": "6dof", "7dof": "7dof"}
EVO_NAMES = {"none": "none", "6dof": "align_se3", "7dof": "align_sim3", "scale_7dof": "scale_only"}
EVO_ERRORS = {
    "ape_translation": "ape_m",
    "rpe_translation": "rpe_translation_m",
    "rpe_rotation_deg": "rpe_rotation_deg",
}


def judged(folder: Path, name: str, protocol: str) -> PathTable:
    kind, _, sequence = name.rpartition("_")
    truth = f"synthetic_gt_{sequence}" if kind.startswith("synthetic") else f"gt_{sequence}"
    files = [folder / f"{each}.txt.gz" for each in (name, truth)]
    console = Console(file=io.StringIO())
    found: PathFindings = judge_files(*files, None, False, console, PathQuestion(protocol))
    return found.tables[name]


class Case:
    """One published trajectory: our tables and all official numbers."""

    def __init__(self, folder: Path, name: str) -> None:
        self.name = name
        case = json.loads((folder / "case.json").read_text())
        self.columns: list[str] = case["columns"]
        self.results: dict[str, Any] = case["results"][name]
        self.tables = {each.name: judged(folder, name, each.name) for each in (KITTI_ODOMETRY, EVO)}

    def kept(self, file: Path, align: str) -> np.ndarray:
        with np.load(file) as arrays:
            return arrays[f"{self.name}_{THEIR_NAMES[align]}"].astype(np.float64)


@pytest.fixture(scope="module")
def folder(parity_root: Path) -> Path:
    return parity_root / "kitti_odom"


@pytest.fixture(scope="module", params=CASES)
def case(request: pytest.FixtureRequest, folder: Path) -> Case:
    return Case(folder, request.param)


OURS = {"rpe_trans_m": "rpe_m", "rpe_rot_deg": "rpe_deg"}


@pytest.mark.parametrize("align", THEIR_NAMES)
def test_numbers_of_the_toolbox(case: Case, align: str) -> None:
    row = case.tables["kitti-odometry"].row(align)
    expected = case.results[THEIR_NAMES[align]]
    ours = {name: row.entry(OURS.get(name, name)) for name in expected}
    assert ours == pytest.approx(expected, rel=RELATIVE)


@pytest.mark.parametrize("align", THEIR_NAMES)
def test_kept_numbers(case: Case, folder: Path, align: str) -> None:
    row = case.tables["kitti-odometry"].row(align)
    ours = [row.entry(OURS.get(name, name)) for name in case.columns]
    assert ours == pytest.approx(case.kept(folder / "numbers.npz", align), rel=RELATIVE)


@pytest.mark.parametrize("align", ["none", "7dof"])
def test_segments(case: Case, folder: Path, align: str) -> None:
    """First frame, rotation error, translation error, length, and the speed at ten frames a second."""
    expected = case.kept(folder / "segments.npz", align)
    found = case.tables["kitti-odometry"].segments[align]
    speed = found.length / (0.1 * (found.last - found.first + 1))
    ours = np.stack([found.first, found.rotation, found.translation, found.length, speed], axis=1)
    ends = np.concatenate([ours[:30], ours[-10:]])
    np.testing.assert_allclose(ends, expected, rtol=SEGMENTS, atol=1e-9)


@pytest.mark.parametrize("error", EVO_ERRORS)
@pytest.mark.parametrize("align", EVO_NAMES)
def test_numbers_of_evo(case: Case, align: str, error: str) -> None:
    ours = case.tables["evo"].row(align).entry(EVO_ERRORS[error])
    expected = case.results["evo"][EVO_NAMES[align]][error]
    assert {name: ours[name] for name in expected} == pytest.approx(expected, rel=RELATIVE)


def test_evo_aligned_at_the_origin_is_ours_from_the_first_camera(case: Case) -> None:
    ours = case.tables["kitti-odometry"].row("none").entry("ape_m")
    expected = case.results["evo"]["origin"]["ape_translation"]
    assert {name: ours[name] for name in expected} == pytest.approx(expected, rel=RELATIVE)
