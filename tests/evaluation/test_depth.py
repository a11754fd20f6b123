"""Metrics on worked numbers, and what happens to one image before they are taken."""

import math
from dataclasses import replace

import cv2
import numpy as np
import pytest

from kinedepth.errors import KinedepthError
from kinedepth.evaluation.depth import METRICS, compared, counted, errors, masked_errors, resized
from kinedepth.evaluation.protocol import (
    GARG,
    KITTI_EIGEN,
    KITTI_EIGEN_BENCHMARK,
    ODOMETRY_5_FRAMES,
    SEVEN,
    SYNTHETIC,
    WHOLE,
    Protocol,
)

TRUTH = np.array([2.0, 5.0, 10.0, 20.0, 40.0])
PREDICTION = np.array([1.0, 3.0, 4.0, 12.0, 18.0])
PLAIN = Protocol("plain", truth="made up")


def whole(inverse_depth: np.ndarray, truth: np.ndarray, protocol: Protocol = PLAIN) -> dict[str, float]:
    pixels = compared("image", inverse_depth, truth, {}, protocol)
    return masked_errors(pixels, pixels.regions, pixels.ratio, protocol.clamp, SEVEN)[WHOLE]


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        ("abs_rel", 0.275),
        ("sq_rel", 1.4),
        ("rmse", 5.128353),
        ("rmse_log", 0.280168),
        ("a1", 0.4),
        ("a2", 1.0),
        ("a3", 1.0),
    ],
)
def test_worked_example(metric: str, expected: float) -> None:
    assert METRICS[metric](2.5 * PREDICTION, TRUTH) == pytest.approx(expected, abs=5e-7)


def test_worked_example_through_the_flow() -> None:
    pixels = compared("image", 1 / PREDICTION[None], TRUTH[None], {}, PLAIN)
    assert pixels.ratio == pytest.approx(2.5)
    assert whole(1 / PREDICTION[None], TRUTH[None]) == pytest.approx(errors(2.5 * PREDICTION, TRUTH))


def test_order_of_the_field() -> None:
    assert list(errors(PREDICTION, TRUTH)) == ["abs_rel", "sq_rel", "rmse", "rmse_log", "a1", "a2", "a3"]


@pytest.mark.parametrize("metric", ["a1", "a2", "a3"])
@pytest.mark.parametrize("up", [True, False])
def test_thresholds_are_strict(metric: str, up: bool) -> None:
    at = 1.25 ** int(metric[1])
    pair = (np.array([at]), np.array([1.0])) if up else (np.array([1.0]), np.array([at]))
    assert METRICS[metric](*pair) == 0.0


def test_errors_are_taken_in_double_precision() -> None:
    measured = np.full(10_000, 50.0, np.float32)
    predicted = np.nextafter(measured, np.float32(60))
    expected = float(predicted[0]) - 50.0
    assert errors(predicted, measured)["rmse"] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("size", "bounds"),
    [
        ((375, 1242), (153, 371, 44, 1197)),
        ((370, 1224), (151, 366, 43, 1180)),
        ((376, 1241), (153, 372, 44, 1196)),
        ((374, 1238), (152, 370, 44, 1193)),
    ],
)
def test_garg_crop(size: tuple[int, int], bounds: tuple[int, int, int, int]) -> None:
    assert GARG.bounds(size) == bounds


def test_crop_counts_nothing_outside() -> None:
    mask = counted(np.full((375, 1242), 10.0), KITTI_EIGEN)
    assert mask.sum() == (371 - 153) * (1197 - 44)
    assert mask[153:371, 44:1197].all()


@pytest.mark.parametrize(
    ("protocol", "expected"),
    [
        (replace(KITTI_EIGEN, crop=None), [False, False, False, True, True, False, False, False, False]),
        (KITTI_EIGEN_BENCHMARK, [False, False, True, True, True, True, True, False, False]),
    ],
    ids=["eigen", "benchmark"],
)
def test_limits_are_strict(protocol: Protocol, expected: list[bool]) -> None:
    truth = np.array([[-1.0, 0.0, 1e-3, 2e-3, 79.9, 80.0, 95.0, np.inf, np.nan]])
    assert counted(truth, protocol)[0].tolist() == expected


def test_inverse_depth_is_resized_and_not_depth() -> None:
    inverse_depth = np.array([[0.1, 0.5]])
    truth = np.full((1, 8), 5.0)
    pixels = compared("image", inverse_depth, truth, {}, PLAIN)
    expected = 1 / cv2.resize(inverse_depth, (8, 1), interpolation=cv2.INTER_LINEAR)[0]
    np.testing.assert_allclose(pixels.predicted, expected)
    assert not np.allclose(expected, cv2.resize(1 / inverse_depth, (8, 1))[0])


def test_resize_keeps_pixel_centers() -> None:
    ramp = np.arange(4.0)[None] + 0.5
    np.testing.assert_allclose(resized(ramp, (1, 8))[0, 1:-1], np.arange(0.75, 3.5, 0.5))


def test_prediction_is_clamped_after_the_alignment() -> None:
    truth = np.array([[10.0, 20.0, 70.0]])
    prediction = np.array([[100.0, 200.0, 4000.0]])
    ours = whole(1 / prediction, truth)
    assert ours == pytest.approx(errors(np.array([10.0, 20.0, 80.0]), truth[0]))


@pytest.mark.parametrize("scale", [1e-3, 0.5, 3.0, 700.0])
def test_median_alignment_takes_any_scale(scale: float) -> None:
    truth = np.random.default_rng(0).uniform(2, 60, (6, 8))
    assert whole(1 / (scale * truth), truth)["abs_rel"] == pytest.approx(0.0, abs=1e-12)


def test_fixed_factor_comes_before_the_ratio() -> None:
    pixels = compared("image", 1 / PREDICTION[None], TRUTH[None], {}, PLAIN.aligned("none", factor=5.0))
    np.testing.assert_allclose(pixels.predicted, 5 * PREDICTION)
    assert pixels.ratio == pytest.approx(0.5)


def test_regions_share_the_scale_of_the_image() -> None:
    truth = np.full((2, 4), 10.0)
    prediction = truth.copy()
    prediction[0, 0] = 20.0
    objects = prediction > 15
    regions = {"dynamic objects": objects, "background": ~objects}
    pixels = compared("image", 1 / prediction, truth, regions, SYNTHETIC)
    found = masked_errors(pixels, pixels.regions, pixels.ratio, SYNTHETIC.clamp, SEVEN)
    assert {name: each["abs_rel"] for name, each in found.items()} == pytest.approx(
        {WHOLE: 1 / 8, "dynamic objects": 1.0, "background": 0.0}
    )


def test_region_without_truth_has_no_errors() -> None:
    truth = np.full((2, 4), 10.0)
    nothing = np.zeros_like(truth, dtype=bool)
    pixels = compared("a", 1 / truth, truth, {"dynamic objects": nothing, "background": ~nothing}, SYNTHETIC)
    assert set(masked_errors(pixels, pixels.regions, 1.0, SYNTHETIC.clamp, SEVEN)) == {WHOLE, "background"}


def test_zero_inverse_depth_is_the_far_end() -> None:
    truth = np.array([[10.0, 20.0, 70.0]])
    ours = whole(np.array([[0.1, 0.05, 0.0]]), truth)
    assert ours == pytest.approx(errors(np.array([10.0, 20.0, 80.0]), truth[0]))


@pytest.mark.parametrize(
    ("inverse_depth", "message"),
    [
        (None, "missing"),
        (np.array([[0.1, np.nan]]), "not finite"),
        (np.array([[0.1, np.inf]]), "not finite"),
        (np.array([[0.1, -0.1]]), "below zero"),
        (np.zeros((1, 2)), "infinitely far"),
    ],
    ids=["none", "nan", "inf", "negative", "zero"],
)
def test_unusable_prediction_is_named(inverse_depth: np.ndarray | None, message: str) -> None:
    with pytest.raises(KinedepthError, match=f"drive/000007.*{message}"):
        compared("drive/000007", inverse_depth, np.full((4, 8), 5.0), {}, PLAIN)


def test_image_without_truth_is_named() -> None:
    with pytest.raises(KinedepthError, match="drive/000007"):
        compared("drive/000007", np.ones((2, 2)), np.zeros((4, 8)), {}, PLAIN)


@pytest.mark.parametrize(
    ("regions", "message"),
    [
        ({"background": np.ones((4, 8), dtype=bool)}, "'dynamic objects'"),
        ({"dynamic objects": np.ones((2, 2), dtype=bool)}, r"\(2, 2\)"),
    ],
    ids=["absent", "size"],
)
def test_bad_region_is_named(regions: dict[str, np.ndarray], message: str) -> None:
    with pytest.raises(KinedepthError, match=f"drive/000007.*{message}"):
        compared("drive/000007", np.ones((2, 2)), np.full((4, 8), 5.0), regions, SYNTHETIC)


@pytest.mark.parametrize(
    ("protocol", "words"),
    [
        (KITTI_EIGEN, ["kitti-eigen", "0.001 < depth < 80 m", "crop: Garg", "median of each image"]),
        (KITTI_EIGEN_BENCHMARK, ["0 < depth m", "crop: none", "[0.001, 80] m"]),
        (KITTI_EIGEN.aligned("none", 5.4), ["scale: none, fixed factor 5.4"]),
        (KITTI_EIGEN.aligned("one_factor"), ["scale: one factor for the set"]),
        (ODOMETRY_5_FRAMES, ["windows of 5 frames", "least squares in each window"]),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_protocol_says_what_it_does(protocol: Protocol, words: list[str]) -> None:
    assert [word for word in words if word not in str(protocol)] == []


def test_log_error_is_natural() -> None:
    assert METRICS["rmse_log"](np.array([math.e]), np.array([1.0])) == pytest.approx(1.0)
