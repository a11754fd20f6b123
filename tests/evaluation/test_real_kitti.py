"""Real frames: the flat-ground row, the laser scan as a depth map."""

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from kinedepth.data.lidar import lidar_depth, read_lidar_camera, read_scan
from kinedepth.evaluation.baselines import flat_ground
from kinedepth.evaluation.benchmark import evaluate_depth
from kinedepth.evaluation.protocol import KITTI_GARG_IMPROVED, KITTI_GARG_SCAN
from kinedepth.geometry.camera import Camera

ROWS = [
    f"{truth}/{crop}/{align}"
    for truth in ("gt_depth", "lidar_depth")
    for crop in ("eigen_crop", "no_crop")
    for align in ("median", "none")
]
PROTOCOLS = {"gt_depth": KITTI_GARG_IMPROVED, "lidar_depth": KITTI_GARG_SCAN}


def measured(path: Path) -> np.ndarray:
    image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert image is not None
    return (image / 256).astype(np.float64)


@pytest.fixture(scope="module")
def folder(real_data_root: Path) -> Path:
    return real_data_root / "kitti_depth_0001"


@pytest.fixture(scope="module")
def camera(folder: Path) -> Camera:
    values = json.loads((folder / "intrinsics.json").read_text())
    pairs = [values["fx"], values["fy"]], [values["cx"], values["cy"]]
    return Camera(*(torch.tensor(pair, dtype=torch.float64) for pair in pairs))


@pytest.mark.parametrize("row", ROWS)
def test_flat_ground_row(folder: Path, camera: Camera, row: str) -> None:
    truth, crop, align = row.split("/")
    expected = json.loads((folder / "expected_metrics.json").read_text())["values"][row]
    protocol = PROTOCOLS[truth].aligned(align)
    if crop == "no_crop":
        protocol = replace(protocol, crop=None)
    truths = {path.stem: measured(path) for path in sorted((folder / truth).glob("*.png"))}
    pairs = ((name, flat_ground(depth.shape, camera), depth, {}) for name, depth in truths.items())
    table = evaluate_depth(pairs, protocol)
    ratio = expected.pop("median_ratio_mean", table.ratios.mean())
    assert table.mean() == pytest.approx(expected, rel=1e-9)
    assert table.ratios.mean() == pytest.approx(ratio, rel=1e-9)


@pytest.mark.parametrize("official", [True, False])
def test_scan_agrees_with_the_improved_truth(folder: Path, official: bool) -> None:
    scan = read_scan(folder / "velodyne" / "000005.bin")
    depth = lidar_depth(scan, read_lidar_camera(folder / "calib"), official=official)
    truth = measured(folder / "gt_depth" / "000005.png")
    assert depth.shape == truth.shape
    assert (depth > 0).mean() == pytest.approx(0.041, abs=5e-4)
    both = (depth > 0) & (truth > 0)
    assert np.median(np.abs(depth - truth)[both] / truth[both]) == pytest.approx(0.017, abs=5e-4)


def test_camera_depth_agrees_better_than_forward_distance(folder: Path) -> None:
    scan, camera = read_scan(folder / "velodyne" / "000005.bin"), read_lidar_camera(folder / "calib")
    truth = measured(folder / "gt_depth" / "000005.png")

    def difference(distance: str) -> float:
        depth = lidar_depth(scan, camera, distance)
        both = (depth > 0) & (truth > 0)
        return float(np.median(np.abs(depth - truth)[both] / truth[both]))

    assert difference("camera_z") < 0.01 < difference("forward")
