"""Metrics, evaluation flow, monitor, snippet error and LiDAR depth against Monodepth2's own numbers."""

import json
from pathlib import Path

import numpy as np
import pytest

from kinedepth.data.lidar import LidarCamera, image_from_lidar, lidar_depth
from kinedepth.evaluation.benchmark import evaluate_depth
from kinedepth.evaluation.depth import errors, monitored_errors
from kinedepth.evaluation.odometry import accumulated, positions, relative_steps, snippet_error
from kinedepth.evaluation.protocol import KITTI_EIGEN, KITTI_EIGEN_BENCHMARK, SEVEN
from kinedepth.evaluation.table import Table
from kinedepth.inference.flip import blend_flipped

RELATIVE = 1e-5
NEAR, FAR = 0.1, 100.0

PROTOCOLS = {
    "eigen_median": KITTI_EIGEN,
    "eigen_benchmark_median": KITTI_EIGEN_BENCHMARK,
    "eigen_stereo": KITTI_EIGEN.aligned("none", factor=5.4),
}


@pytest.fixture(scope="module")
def folder(parity_root: Path) -> Path:
    return parity_root / "monodepth2"


@pytest.fixture(scope="module")
def evaluation(folder: Path) -> dict[str, np.ndarray]:
    return dict(np.load(folder / "evaluation.npz"))


def truths(evaluation: dict[str, np.ndarray]) -> list[np.ndarray]:
    count = len(evaluation["pred_disp"])
    return [(evaluation[f"gt_u16_{index}"] / 256).astype(np.float32) for index in range(count)]


@pytest.fixture(scope="module", params=list(PROTOCOLS))
def case(request: pytest.FixtureRequest, evaluation: dict[str, np.ndarray]) -> tuple[str, Table]:
    pairs = [
        (str(index), inverse_depth, truth, {})
        for index, (inverse_depth, truth) in enumerate(
            zip(evaluation["pred_disp"], truths(evaluation), strict=True)
        )
    ]
    return request.param, evaluate_depth(pairs, PROTOCOLS[request.param])


def test_metrics(folder: Path) -> None:
    case = np.load(folder / "depth_errors.npz")
    ours = list(errors(case["pred"], case["gt"]).values())
    np.testing.assert_allclose(ours, case["errors_torch"], rtol=RELATIVE)


def test_errors_of_every_image(case: tuple[str, Table], evaluation: dict[str, np.ndarray]) -> None:
    name, table = case
    official = evaluation[f"{name}_errors"]
    ours = [list(row.errors.values()) for row in table.rows]
    np.testing.assert_allclose(ours, official[:, : len(SEVEN)], rtol=RELATIVE)


def test_mean_over_images(case: tuple[str, Table], evaluation: dict[str, np.ndarray]) -> None:
    name, table = case
    np.testing.assert_allclose(list(table.mean().values()), evaluation[f"{name}_mean"], rtol=RELATIVE)


def test_counted_pixels(case: tuple[str, Table], evaluation: dict[str, np.ndarray]) -> None:
    name, table = case
    assert [row.pixels for row in table.rows] == evaluation[f"{name}_valid_pixels"].tolist()


def test_printed_ratios(case: tuple[str, Table], folder: Path) -> None:
    name, table = case
    printed = json.loads((folder / "case.json").read_text())["eval_stdout"][name]
    ours = [table.ratio_line()] if table.protocol.align == "median" else []
    assert ours == [line.strip() for line in printed]


def test_post_process(evaluation: dict[str, np.ndarray]) -> None:
    maps = evaluation["pred_disp"]
    half = len(evaluation["post_process"])
    blended = blend_flipped(maps[:half], maps[half:][..., ::-1])
    np.testing.assert_allclose(blended, evaluation["post_process"], atol=1e-5)


def test_training_monitor(parity_root: Path, evaluation: dict[str, np.ndarray]) -> None:
    sigmoid = np.load(parity_root / "common" / "inputs.npz")["disp_0"].astype(np.float32)[:, 0]
    depth = 1 / (1 / FAR + (1 / NEAR - 1 / FAR) * sigmoid)
    images = truths(evaluation)[: len(depth)]
    batch = np.zeros((len(images), *images[0].shape), np.float32)
    for target, image in zip(batch, images, strict=True):
        target[: image.shape[0], : image.shape[1]] = image[: target.shape[0], : target.shape[1]]
    ours = list(monitored_errors(depth, batch).values())
    np.testing.assert_allclose(ours, evaluation["training_monitor"], rtol=RELATIVE)


@pytest.mark.parametrize("side", ["gt", "pred"])
def test_accumulated_positions(folder: Path, side: str) -> None:
    case = np.load(folder / "pose_eval.npz")
    np.testing.assert_allclose(positions(accumulated(case[f"{side}_T"])), case[f"{side}_xyz"], atol=1e-6)


def test_snippet_error(folder: Path) -> None:
    case = np.load(folder / "pose_eval.npz")
    assert snippet_error(case["pred_xyz"], case["gt_xyz"]) == pytest.approx(float(case["ate"]), rel=RELATIVE)


def test_steps_are_what_accumulates(folder: Path) -> None:
    steps = np.load(folder / "pose_eval.npz")["gt_T"]
    camera_to_world = accumulated(np.linalg.inv(steps))
    np.testing.assert_allclose(relative_steps(camera_to_world), steps, atol=1e-6)


@pytest.mark.parametrize(
    ("camera", "distance", "array"),
    [
        (2, "forward", "depth_cam2_velodyne_x"),
        (2, "camera_z", "depth_cam2_camera_z"),
        (3, "forward", "depth_cam3_velodyne_x"),
    ],
)
def test_lidar_depth(folder: Path, camera: int, distance: str, array: str) -> None:
    case = np.load(folder / "lidar.npz")
    matrix = image_from_lidar(
        case[f"P_rect_{camera:02d}"].reshape(3, 4),
        case["R_rect_00"].reshape(3, 3),
        case["velo_R"].reshape(3, 3),
        case["velo_T"],
    )
    width, height = case["S_rect_02"].tolist()
    depth = lidar_depth(case["points"], LidarCamera(matrix, (height, width)), distance, official=True)
    np.testing.assert_array_equal(depth > 0, case[array] > 0)
    np.testing.assert_allclose(depth, case[array], atol=1e-5)
