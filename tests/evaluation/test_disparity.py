"""Outliers and end-point errors as KITTI 2015 counts them."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image
from rich.console import Console

from kinedepth.data.frames import open_picture
from kinedepth.errors import KinedepthError
from kinedepth.evaluation.disparity import judge_files, read_vectors
from kinedepth.evaluation.pixel_errors import PIXEL_PROTOCOLS, is_outlier, pixel_errors, pooled
from kinedepth.geometry.warp import inside, read

DISPARITY, FLOW = PIXEL_PROTOCOLS["kitti-2015-disparity"], PIXEL_PROTOCOLS["kitti-2015-flow"]


@pytest.mark.parametrize(
    ("truth", "estimate", "expected"),
    [
        (50, 53.0, False),
        (50, 53.5, True),
        (80, 83.5, False),
        (80, 84.01, True),
        (60, 63.0, False),
        (60, 63.001, True),
        (2, 5.1, True),
    ],
)
def test_rule(truth: float, estimate: float, expected: bool) -> None:
    given, true = (np.full((1, 1, 1), value, dtype=np.float64) for value in (estimate, truth))
    assert bool(is_outlier(given, true)[0, 0]) is expected


def image(count: int, error: float) -> tuple[np.ndarray, np.ndarray]:
    return np.full((1, count, 1), 10.0 + error), np.ones((1, count), dtype=bool)


def test_rates_are_pooled_over_pixels() -> None:
    images = [
        pixel_errors(str(count), image(count, error), image(count, 0.0), DISPARITY)
        for count, error in ((10, 5.0), (1000, 0.0))
    ]
    total = pooled(images)
    assert total.outlier_rate == pytest.approx(10 / 1010)
    assert total.epe == pytest.approx(50 / 1010)


def test_flow_is_judged_by_its_length() -> None:
    truth = np.array([[[30.0, 40.0]]])
    counts = np.ones((1, 1), dtype=bool)
    off = pixel_errors("a", (truth + (3, 4), counts), (truth, counts), FLOW)
    assert (off.epe, off.outliers) == (pytest.approx(5.0), 1)
    near = pixel_errors("a", (truth + (0, 2.9), counts), (truth, counts), FLOW)
    assert near.outliers == 0


def test_no_estimate_counts_as_zero_and_is_counted() -> None:
    truth, counts = image(4, 0.0)
    found = pixel_errors("a", (truth, np.zeros_like(counts)), (truth, counts), DISPARITY)
    assert (found.without_estimate, found.outliers, found.epe) == (4, 4, 10.0)


def test_codings(tmp_path: Path) -> None:
    Image.fromarray(np.array([[0, 256, 384]], dtype=np.uint16)).save(tmp_path / "disparity.png")
    values, valid = read_vectors(tmp_path / "disparity.png", "disparity")
    np.testing.assert_array_equal(values[0, :, 0], [0, 1, 1.5])
    np.testing.assert_array_equal(valid, [[False, True, True]])
    stored = np.array([[[1, 32768 - 64, 32768 + 128], [0, 0, 0]]], dtype=np.uint16)  # blue, green, red
    cv2.imwrite(str(tmp_path / "flow.png"), stored)
    values, valid = read_vectors(tmp_path / "flow.png", "flow")
    np.testing.assert_array_equal(values[0, 0], [2.0, -1.0])
    np.testing.assert_array_equal(valid, [[True, False]])


def test_folders_are_matched_by_name(tmp_path: Path) -> None:
    for folder, offset in (("estimates", 4.0), ("truth", 0.0)):
        (tmp_path / folder).mkdir()
        for name in ("000000_10", "000001_10"):
            np.save(tmp_path / folder / f"{name}.npy", np.full((2, 3), 20.0 + offset * (name == "000001_10")))
    quiet = Console(quiet=True)
    found = judge_files(tmp_path / "estimates", tmp_path / "truth", DISPARITY, tmp_path / "out", False, quiet)
    assert [(each.name, each.outliers) for each in found] == [("000000_10", 0), ("000001_10", 6)]
    assert json.loads((tmp_path / "out" / "evaluation.json").read_text())["pixels"] == 12
    (tmp_path / "estimates" / "000000_10.npy").unlink()
    with pytest.raises(KinedepthError, match="estimate of 000000_10 is missing"):
        judge_files(tmp_path / "estimates", tmp_path / "truth", DISPARITY, None, False, quiet)


@pytest.mark.parametrize(
    ("content", "quantity", "message"),
    [
        (np.ones((2, 3), np.uint8), "disparity", "no 16-bit PNG"),
        (np.ones((2, 3), np.uint16), "flow", "not KITTI's flow"),
        (None, "flow", "There is no file"),
    ],
    ids=["8-bit", "channels", "absent"],
)
def test_bad_files_are_named(tmp_path: Path, content: np.ndarray | None, quantity: str, message: str) -> None:
    if content is not None:
        Image.fromarray(content).save(tmp_path / "a.png")
    with pytest.raises(KinedepthError, match=message):
        read_vectors(tmp_path / "a.png", quantity)


def test_warping_by_the_true_flow_brings_two_frames_together(real_data_root: Path) -> None:
    folder = real_data_root / "kitti_flow_2015"
    expected = json.loads((folder / "expected.json").read_text())["pair"]
    flow, valid = read_vectors(folder / "pair" / "flow_gt.png", "flow")
    assert int(valid.sum()) == expected["flow_valid_pixels"]
    assert np.linalg.norm(flow, axis=-1)[valid].max() == pytest.approx(expected["flow_max_px"], rel=1e-12)
    first, second = (
        torch.tensor(np.array(open_picture(folder / "pair" / name))).double().permute(2, 0, 1)[None]
        for name in ("frame_t0.jpg", "frame_t1.jpg")
    )
    rows, columns = (torch.from_numpy(axis).double() for axis in np.mgrid[: flow.shape[0], : flow.shape[1]])
    target = torch.stack([columns, rows])[None] + torch.from_numpy(flow).permute(2, 0, 1)[None]
    seen = torch.from_numpy(valid) & inside(target, valid.shape)[0, 0]
    unwarped = (first - second).abs().mean(1)[0][seen].mean()
    # The numbers were taken by the nearest pixel, before the pictures were recoded as JPEG.
    warped = (first - read(second, target.round())).abs().mean(1)[0][seen].mean()
    assert float(unwarped) == pytest.approx(expected["mean_abs_diff_unwarped"], rel=0.05)
    assert float(warped) == pytest.approx(expected["mean_abs_diff_warped_with_gt"], rel=0.05)
    smooth = (first - read(second, target)).abs().mean(1)[0][seen].mean()
    assert float(smooth) < float(warped)


def test_another_size_is_refused() -> None:
    with pytest.raises(KinedepthError, match="at the size of the truth"):
        pixel_errors("a", image(3, 0.0), image(4, 0.0), DISPARITY)
