"""The error of whole trajectories against the KITTI odometry toolbox."""

import json
from pathlib import Path

import pytest

from kinedepth.evaluation.odometry import common_poses, read_kitti_poses, trajectory_error

RELATIVE = 1e-6
TRAJECTORIES = sorted(
    {
        "example_0_09": "gt_09",
        "example_0_10": "gt_10",
        "example_1_09": "gt_09",
        "example_1_10": "gt_10",
        "synthetic_full_09": "synthetic_gt_09",
        "synthetic_from_frame_3_09": "synthetic_gt_09",
    }.items()
)
THEIR_NAMES = {"none": "None", "scale": "scale", "scale_7dof": "scale_7dof", "6dof": "6dof", "7dof": "7dof"}
EVO_NAMES = {"none": "origin", "6dof": "align_se3", "7dof": "align_sim3"}


@pytest.fixture(scope="module", params=TRAJECTORIES, ids=lambda pair: pair[0])
def case(request: pytest.FixtureRequest, parity_root: Path):
    name, truth = request.param
    folder = parity_root / "kitti_odom"
    poses = common_poses(
        read_kitti_poses(folder / f"{truth}.txt.gz"), read_kitti_poses(folder / f"{name}.txt.gz")
    )
    return poses, json.loads((folder / "case.json").read_text())["results"][name]


@pytest.mark.parametrize("align", THEIR_NAMES)
def test_absolute_trajectory_error(case, align: str) -> None:
    (truth, predicted), results = case
    ours = trajectory_error(predicted, truth, align)
    assert ours == pytest.approx(results[THEIR_NAMES[align]]["ate_m"], rel=RELATIVE)


@pytest.mark.parametrize("align", EVO_NAMES)
def test_agrees_with_evo(case, align: str) -> None:
    (truth, predicted), results = case
    evo = results["evo"][EVO_NAMES[align]]["ape_translation"]["rmse"]
    assert trajectory_error(predicted, truth, align) == pytest.approx(evo, rel=RELATIVE)
