import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from kinedepth.data.lens import (
    depth_on_original,
    labels_undistorted,
    lens_pixels,
    pinhole_pixels,
    rectification,
    seen,
    undistorted,
)
from kinedepth.data.moments import Calibration, Lens, Rectification
from kinedepth.errors import KinedepthError

SIZE = (120, 200)
PLAIN = Calibration(130.0, 128.0, 101.5, 58.25, 200, 120)

LENSES = {
    "barrel": Lens("brown", (-0.25, 0.06, 0.001, -0.0005)),
    "pincushion": Lens("brown", (0.15, 0.02, 0.0, 0.0)),
    "dash camera": Lens("brown", (-0.257, 0.0434, -0.0007, 0.0001, -0.115)),
    "rational": Lens("brown", (0.3, -0.1, 0.002, 0.001, 0.02, 0.55, -0.05, 0.01)),
    "fisheye": Lens("fisheye", (0.03, -0.01, 0.002, -0.0003)),
    "half the world": Lens("fisheye", (0.0, 0.0, 0.0, 0.0)),
}


def with_lens(name: str) -> Calibration:
    # A fisheye's focal length in pixels per radian: 200 pixels for 180 degrees.
    focal = {"half the world": 200 / math.pi, "dash camera": 175.0}.get(name, PLAIN.fx)
    return replace(PLAIN, fx=focal, fy=focal * PLAIN.fy / PLAIN.fx, lens=LENSES[name])


@pytest.fixture(params=LENSES)
def rectified(request: pytest.FixtureRequest) -> Rectification:
    return rectification(with_lens(request.param))


def picture(size: tuple[int, int] = SIZE) -> np.ndarray:
    y, x = np.mgrid[: size[0], : size[1]]
    return np.stack((x % 256, y, 40 + 0 * x), -1).astype(np.uint8)


# Nothing to undo.


def test_without_a_lens_nothing_changes() -> None:
    plain = rectification(PLAIN)
    image, depth = picture(), np.full(SIZE, 3, np.float32)
    assert plain == Rectification(PLAIN, PLAIN)
    assert undistorted(image, plain) is image
    assert depth_on_original(depth, plain) is depth
    assert labels_undistorted(image[..., 0], plain) is not None
    assert seen(plain, SIZE).all()


def test_a_lens_of_zeros_is_the_identity() -> None:
    raw = replace(PLAIN, lens=Lens("brown", (0.0, 0.0, 0.0, 0.0)))
    straight, image = rectification(raw), picture()
    depth = np.random.default_rng(0).uniform(1, 9, SIZE).astype(np.float32)
    assert straight.pinhole == PLAIN
    np.testing.assert_array_equal(undistorted(image, straight), image)
    np.testing.assert_array_equal(labels_undistorted(image[..., 0], straight), image[..., 0])
    np.testing.assert_allclose(depth_on_original(depth, straight), depth, rtol=1e-4)


@pytest.mark.parametrize("of", [pinhole_pixels, lens_pixels])
def test_maps_without_a_lens_are_the_pixels(of: Callable[..., np.ndarray]) -> None:
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    np.testing.assert_allclose(of(Rectification(PLAIN, PLAIN), SIZE), np.stack((x, y)), atol=1e-4)


# The pinhole.


def test_the_pinhole_keeps_size_centre_and_pixel_shape(rectified: Rectification) -> None:
    raw, pinhole = rectified.raw, rectified.pinhole
    assert pinhole.lens is None
    assert (pinhole.cx, pinhole.cy) == (raw.cx, raw.cy)
    assert (pinhole.width, pinhole.height) == (200, 120)
    assert pinhole.fx / pinhole.fy == pytest.approx(raw.fx / raw.fy)


def test_the_lens_shows_all_that_the_pinhole_sees(rectified: Rectification) -> None:
    assert seen(rectified, SIZE).all()
    x, y = pinhole_pixels(rectified, SIZE)
    assert x.min() >= -1e-3
    assert y.min() >= -1e-3
    assert x.max() <= 199 + 1e-3
    assert y.max() <= 119 + 1e-3


def test_no_more_is_cut_off_than_needed(rectified: Rectification) -> None:
    x, y = pinhole_pixels(rectified, SIZE)
    touching = min(x.min(), y.min(), 199 - x.max(), 119 - y.max())
    across = 2 * math.degrees(math.atan(100 / rectified.pinhole.fx))
    assert touching < 0.05 or across == pytest.approx(120)


def test_the_view_ends_where_the_lens_folds() -> None:
    # r (1 - 0.3 r^2) grows well up to r = 1, which the corners would pass if only the picture's edge counted.
    raw = Calibration(110.0, 110.0, 99.5, 59.5, 200, 120, Lens("brown", (-0.3, 0.0, 0.0, 0.0)))
    pinhole = rectification(raw).pinhole
    assert math.hypot(99.5, 59.5) / pinhole.fx == pytest.approx(1, rel=1e-3)


def test_no_pinhole_is_wider_than_120_degrees() -> None:
    wide = rectification(with_lens("half the world"))
    assert wide.pinhole.fx == pytest.approx(100 / math.tan(math.radians(60)))


@pytest.mark.parametrize("size", [(120, 200), (60, 100), (240, 400), (90, 200)])
def test_the_pinhole_of_another_size_is_the_same(size: tuple[int, int]) -> None:
    rectified = rectification(with_lens("barrel"))
    scaled = rectification(with_lens("barrel"), size)
    assert (
        (scaled.raw.width, scaled.raw.height) == (scaled.pinhole.width, scaled.pinhole.height) == size[::-1]
    )
    assert scaled.pinhole.fx / size[1] == pytest.approx(rectified.pinhole.fx / 200, rel=0.02)


def test_a_normalized_camera() -> None:
    normal = Calibration(0.65, 128 / 120, 0.51, 0.49, lens=LENSES["barrel"])
    pixels = rectification(normal.resized(SIZE)).pinhole
    assert rectification(normal).pinhole.resized(SIZE).fx == pytest.approx(pixels.fx, rel=0.02)
    assert rectification(normal, SIZE).pinhole == pixels


@pytest.mark.parametrize(
    "lens", [Lens("brown", (-9.0, 0.0, 0.0, 0.0)), Lens("fisheye", (-2000.0, 0.0, 0.0, 0.0))]
)
def test_a_lens_that_leaves_nothing_is_refused(lens: Lens) -> None:
    with pytest.raises(KinedepthError, match="nothing of the picture is left"):
        rectification(replace(PLAIN, lens=lens))


# The maps.


def test_equidistant_fisheye_in_closed_form() -> None:
    rectified = rectification(with_lens("half the world"))
    raw, pinhole = rectified.raw, rectified.pinhole
    x, _ = pinhole_pixels(rectified, SIZE)
    row = round(pinhole.cy)
    angle = np.arctan((np.arange(200) - pinhole.cx) / pinhole.fx)
    np.testing.assert_allclose(x[row], raw.cx + raw.fx * angle, atol=1e-2)


def test_barrel_in_closed_form() -> None:
    raw = replace(PLAIN, cx=100.0, cy=60.0, lens=Lens("brown", (-0.2, 0.03, 0.0, 0.0)))
    rectified = rectification(raw)
    x, y = pinhole_pixels(rectified, SIZE)
    r = (np.arange(200) - 100) / rectified.pinhole.fx
    np.testing.assert_allclose(x[60], 100 + 130 * r * (1 - 0.2 * r**2 + 0.03 * r**4), atol=1e-4)
    np.testing.assert_allclose(y[60], 60, atol=1e-4)


@pytest.mark.parametrize("size", [SIZE, (60, 100), (77, 131)])
def test_the_maps_are_inverse(rectified: Rectification, size: tuple[int, int]) -> None:
    # Where a pinhole's pixel lies, read off the map of where the lens's pixels lie: the pixel itself.
    columns, rows = pinhole_pixels(rectified, size)
    whole = (columns > 1) & (columns < size[1] - 2) & (rows > 1) & (rows < size[0] - 2)
    back = bilinear(lens_pixels(rectified, size), columns[whole], rows[whole])
    y, x = np.mgrid[: size[0], : size[1]]
    there = np.isfinite(back).all(0)
    assert there.mean() > 0.98
    np.testing.assert_allclose(back[:, there], np.stack((x[whole], y[whole]))[:, there], atol=0.1)


def bilinear(values: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    left, top = np.floor(x).astype(int), np.floor(y).astype(int)
    right, down = x - left, y - top
    upper = values[:, top, left] * (1 - right) + values[:, top, left + 1] * right
    lower = values[:, top + 1, left] * (1 - right) + values[:, top + 1, left + 1] * right
    return upper * (1 - down) + lower * down


def test_maps_are_made_once() -> None:
    rectified = rectification(with_lens("barrel"))
    assert pinhole_pixels(rectified, SIZE) is pinhole_pixels(rectification(with_lens("barrel")), SIZE)
    with pytest.raises(ValueError, match="read-only"):
        pinhole_pixels(rectified, SIZE)[0, 0, 0] = 1


def test_rays_that_the_lens_folds_back_are_not_seen() -> None:
    # r (1 - 0.3 r^2) grows well up to r = 1, turns at 1.054, and is zero at 1.826: the middle once more.
    raw = Calibration(55.0, 55.0, 100.0, 60.0, 200, 120, Lens("brown", (-0.3, 0.0, 0.0, 0.0)))
    wide = Rectification(raw, replace(PLAIN, fx=50.0, fy=50.0, cx=100.0, cy=60.0))
    limit = 1.0
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    radius = np.hypot(x - 100, y - 60) / 50
    shown = seen(wide, SIZE)
    assert not shown[radius > limit + 0.01].any()
    assert shown[radius < limit - 0.01].all()
    folded = np.abs(x[60] - 100) == 91  # r = 1.82
    assert (undistorted(picture(), wide)[60, folded] == 0).all()
    assert (labels_undistorted(np.full(SIZE, 7, np.int32), wide)[60, folded] == 0).all()


# Pictures.


def lined(rectified: Rectification, offset: float) -> np.ndarray:
    """What the lens shows of a thin line across the pinhole's view, slanted, `offset` below its middle."""
    x, y = lens_pixels(rectified, SIZE)
    distance = y - (60 + offset + 0.1 * (x - 100))
    gray = np.nan_to_num(255 * np.exp(-0.5 * (distance / 1.5) ** 2))
    return np.repeat(gray.astype(np.uint8)[..., None], 3, -1)


def bend(image: np.ndarray) -> float:
    """How far a bright line's centre, column by column, strays from a straight one, in pixels."""
    weight = image[..., 0].astype(float)
    columns = np.flatnonzero(weight.sum(0) > 400)
    rows = (weight[:, columns] * np.arange(len(weight))[:, None]).sum(0) / weight[:, columns].sum(0)
    assert len(columns) > 100
    return float(np.abs(rows - np.polyval(np.polyfit(columns, rows, 1), columns)).max())


@pytest.mark.parametrize("name", ["barrel", "pincushion", "dash camera", "fisheye"])
@pytest.mark.parametrize("offset", [-35.0, 35.0])
def test_straight_lines_become_straight(name: str, offset: float) -> None:
    rectified = rectification(with_lens(name))
    bent = lined(rectified, offset)
    assert bend(bent) > 1
    assert bend(undistorted(bent, rectified)) < 0.15


def test_a_picture_of_any_size_and_proportion(rectified: Rectification) -> None:
    image = picture((75, 150))
    out = undistorted(image, rectified)
    assert out.shape == image.shape
    x, _ = pinhole_pixels(rectified, (75, 150))
    np.testing.assert_allclose(out[..., 0], x, atol=1)
    assert (out[..., 2] == 40).all()


def test_pictures_that_may_not_be_written_to() -> None:
    rectified = rectification(with_lens("barrel"))
    image, depth = picture()[:, ::-1], np.full(SIZE, 5, np.float32).T.copy().T
    expected = undistorted(image.copy(), rectified)
    image.flags.writeable = depth.flags.writeable = False
    np.testing.assert_array_equal(undistorted(image, rectified), expected)
    assert depth_on_original(depth, rectified).max() == pytest.approx(5)


@pytest.mark.parametrize("kind", [np.bool_, np.uint8, np.uint16, np.int32, np.int64])
def test_labels_are_not_mixed(kind: type, rectified: Rectification) -> None:
    labels = (np.random.default_rng(1).integers(0, 2, SIZE) * 3).astype(kind)
    moved = labels_undistorted(labels, rectified)
    assert moved.dtype == labels.dtype
    assert set(np.unique(moved)) == set(np.unique(labels))
    x, y = np.rint(pinhole_pixels(rectified, SIZE)).astype(int)
    assert moved[11, 17] == labels[y[11, 17], x[11, 17]]


# Depth.


def plane(x: np.ndarray, y: np.ndarray, camera: Calibration) -> np.ndarray:
    """Depth, where it is hit, of the plane 0.2 X + 0.8 Y + 0.4 Z = 3 along a pinhole's rays."""
    slope = 0.2 * (x - camera.cx) / camera.fx + 0.8 * (y - camera.cy) / camera.fy + 0.4
    return np.where(slope > 0.05, 3 / slope, 0).astype(np.float32)


def test_a_plane_stays_a_plane(rectified: Rectification) -> None:
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    original = depth_on_original(plane(x, y, rectified.pinhole), rectified)
    expected = plane(*lens_pixels(rectified, SIZE).astype(float), rectified.pinhole)
    there = original > 0
    np.testing.assert_allclose(original[there], expected[there], rtol=2e-4)
    assert there.mean() > 0.3


def test_depth_is_given_wherever_the_pinhole_reaches(rectified: Rectification) -> None:
    depth = depth_on_original(np.full(SIZE, 5, np.float32), rectified)
    x, y = lens_pixels(rectified, SIZE)
    inside = (x > 0.01) & (x < 198.99) & (y > 0.01) & (y < 118.99)
    outside = ~((x > -0.01) & (x < 199.01) & (y > -0.01) & (y < 119.01))
    np.testing.assert_allclose(depth[inside], 5, rtol=1e-6)
    assert (depth[outside] == 0).all()
    assert inside.any()


def test_depth_beside_a_hole_is_none() -> None:
    rectified = rectification(with_lens("barrel"))
    depth = np.full(SIZE, 5, np.float32)
    depth[60, 40] = 0
    original = depth_on_original(depth, rectified)
    x, y = lens_pixels(rectified, SIZE)
    touched = (np.abs(x - 40) < 0.95) & (np.abs(y - 60) < 0.95)
    assert 1 <= touched.sum() <= 6
    assert (original[touched] == 0).all()
    beyond = (np.maximum(np.abs(x - 40), np.abs(y - 60)) > 1.01) & (np.abs(x - 40) < 5) & (np.abs(y - 60) < 5)
    np.testing.assert_allclose(original[beyond], 5, rtol=1e-6)
