"""The pixel convention: what projection, resize, crop and mirror do to intrinsics."""

import pytest
import torch
from torch import Tensor

from kinedepth.geometry.camera import Camera, pixel_grid
from kinedepth.geometry.pose import Pose
from kinedepth.geometry.warp import read
from kinedepth.synthesis import shrunk

SIZES = [(6, 8), (7, 9), (6, 9)]


def camera(batch: int = 2, dtype: torch.dtype = torch.float64) -> Camera:
    focal = torch.tensor([[7.0, 6.5], [9.0, 8.0], [11.0, 10.0]], dtype=dtype)[:batch]
    center = torch.tensor([[3.2, 2.9], [4.0, 2.0], [3.5, 2.5]], dtype=dtype)[:batch]
    return Camera(focal, center)


def depths(size: tuple[int, int], batch: int = 2) -> Tensor:
    return 1 + 9 * torch.rand(batch, 1, *size, dtype=torch.float64)


def motion(batch: int = 2) -> Pose:
    turn = torch.tensor([[0.1, -0.2, 0.05], [0.02, 0.1, -0.1]], dtype=torch.float64)[:batch]
    return Pose.from_axis_angle(turn, 3 * turn.flip(-1))


def grid(size: tuple[int, int]) -> Tensor:
    return pixel_grid(size, torch.ones((), dtype=torch.float64))


def test_first_pixel_is_at_zero_and_x_comes_first() -> None:
    pixels = grid((2, 3))
    assert pixels[:, 0, 0].tolist() == [0, 0]
    assert pixels[:, 1, 2].tolist() == [2, 1]


def test_matrix_there_and_back() -> None:
    matrix = camera().matrix()
    assert matrix[0].tolist() == [[7.0, 0.0, 3.2], [0.0, 6.5, 2.9], [0.0, 0.0, 1.0]]
    torch.testing.assert_close(Camera.from_matrix(matrix).matrix(), matrix, rtol=0, atol=0)


def test_camera_of_a_homogeneous_matrix() -> None:
    wide = torch.eye(4, dtype=torch.float64).repeat(2, 1, 1)
    wide[:, :3, :3] = camera().matrix()
    torch.testing.assert_close(Camera.from_matrix(wide).center, camera().center, rtol=0, atol=0)


@pytest.mark.parametrize("size", SIZES)
def test_unprojection_is_undone_by_projection(size: tuple[int, int]) -> None:
    depth = depths(size)
    pixels, again = camera().project(camera().unproject(depth))
    torch.testing.assert_close(pixels, grid(size).expand(2, 2, *size), rtol=0, atol=1e-5)
    torch.testing.assert_close(again, depth, rtol=1e-12, atol=0)


def test_depth_is_measured_along_the_optical_axis() -> None:
    depth = depths((5, 7))
    torch.testing.assert_close(camera().unproject(depth)[:, 2:], depth, rtol=0, atol=0)


def test_principal_point_looks_straight_ahead() -> None:
    rays = Camera(torch.tensor((5.0, 5.0)), torch.tensor((3.0, 1.0))).rays((4, 6))
    assert rays[:, 1, 3].tolist() == [0, 0, 1]
    assert rays[0, 1, 4] > 0, "x points right"
    assert rays[1, 2, 3] > 0, "y points down"


def test_motion_within_projection_is_motion_before_it() -> None:
    points, pose = camera().unproject(depths((6, 8))), motion()
    pixels, depth = camera().project(points, pose)
    expected, moved = camera().project(pose.apply(points))
    torch.testing.assert_close(pixels, expected, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(depth, moved, rtol=1e-6, atol=1e-6)


def test_points_behind_have_negative_depth() -> None:
    points = torch.tensor([0.0, 0.0, -2.0], dtype=torch.float64).view(1, 3, 1, 1)
    assert float(camera(1).project(points)[1]) == -2.0


def test_points_in_the_plane_of_the_camera_stay_finite() -> None:
    pixels, _ = camera(1).project(torch.zeros(1, 3, 1, 1, dtype=torch.float64))
    assert pixels.isfinite().all()


FACTORS = [(2.0, 2.0), (0.5, 0.25), (1.5, 0.75)]


@pytest.mark.parametrize("factor", FACTORS)
def test_resize_that_keeps_centers_commutes_with_projection(factor: tuple[float, float]) -> None:
    points = camera().unproject(depths((6, 8)))
    scale = torch.tensor(factor, dtype=torch.float64)[:, None, None]
    pixels = camera().resized(factor).project(points)[0]
    where_the_resize_puts_them = (camera().project(points)[0] + 0.5) * scale - 0.5
    torch.testing.assert_close(pixels, where_the_resize_puts_them, rtol=0, atol=1e-5)


@pytest.mark.parametrize("factor", FACTORS)
def test_official_resize_is_off_by_half_of_what_the_pixel_grew(factor: tuple[float, float]) -> None:
    points = camera().unproject(depths((6, 8)))
    centers, official = (
        camera().resized(factor, name).project(points)[0] for name in ("centers", "official")
    )
    off = (official - centers).mean((0, 2, 3))
    torch.testing.assert_close(off, (1 - torch.tensor(factor, dtype=torch.float64)) / 2, rtol=0, atol=1e-5)


@pytest.mark.parametrize(("convention", "error"), [("centers", 0.0), ("official", 0.5)])
def test_resized_image_shows_each_point_where_the_resized_camera_says(convention: str, error: float) -> None:
    """A ramp tells where it is read; the error is in pixels of the large image."""
    size = (8, 16)
    ramp = grid(size)[None, :1]
    points = camera(1).unproject(depths(size, 1))[..., 2:-2, 4:-4]
    small = shrunk(ramp, (4, 8))
    seen = read(small, camera(1).resized((0.5, 0.5), convention).project(points)[0])
    expected = read(ramp, camera(1).project(points)[0])
    torch.testing.assert_close((seen - expected).mean().item(), error, rtol=0, atol=1e-5)


def test_intrinsics_of_the_fact_sheet_at_coarse_scales() -> None:
    full = Camera(torch.tensor((0.58, 1.92)), torch.tensor((0.5, 0.5))).resized((640.0, 192.0), "official")
    assert full.focal.tolist() == pytest.approx([371.2, 368.64])
    assert full.center.tolist() == pytest.approx([320.0, 96.0])
    quarter = full.resized((0.25, 0.25), "official")
    assert quarter.focal.tolist() == pytest.approx([92.8, 92.16])
    assert quarter.center.tolist() == pytest.approx([80.0, 24.0])


@pytest.mark.parametrize("convention", ["centers", "official"])
def test_resize_there_and_back(convention: str) -> None:
    again = camera().resized((0.5, 0.25), convention).resized((2.0, 4.0), convention)
    torch.testing.assert_close(again.matrix(), camera().matrix(), rtol=0, atol=1e-12)


def test_cropped_camera_sees_shifted_pixels() -> None:
    points = camera().unproject(depths((6, 8)))
    shift = torch.tensor((2.0, 1.0), dtype=torch.float64)[:, None, None]
    pixels = camera().cropped(2.0, 1.0).project(points)[0]
    torch.testing.assert_close(pixels, camera().project(points)[0] - shift, rtol=0, atol=1e-5)


@pytest.mark.parametrize("width", [8, 9])
def test_mirrored_camera_sees_mirrored_points_in_mirrored_pixels(width: int) -> None:
    points = camera().unproject(depths((6, width)))
    mirrored = points * points.new_tensor((-1.0, 1.0, 1.0))[:, None, None]
    x, y = camera().project(points)[0].unbind(1)
    expected = torch.stack((width - 1 - x, y), dim=1)
    torch.testing.assert_close(camera().flipped(width).project(mirrored)[0], expected, rtol=0, atol=1e-5)


def test_two_mirrors_change_nothing() -> None:
    torch.testing.assert_close(camera().flipped(9).flipped(9).matrix(), camera().matrix(), rtol=0, atol=1e-12)


@pytest.mark.parametrize("changed", ["resized", "cropped", "flipped"])
def test_cameras_without_a_batch_change_alike(changed: str) -> None:
    arguments = {"resized": ((0.5, 0.25),), "cropped": (2.0, 1.0), "flipped": (8,)}[changed]
    single = Camera(camera().focal[1], camera().center[1])
    one, many = getattr(single, changed)(*arguments), getattr(camera(), changed)(*arguments)
    torch.testing.assert_close(one.matrix(), many.matrix()[1], rtol=0, atol=0)


def test_derivative_of_unprojection() -> None:
    leaves = (
        camera().focal.requires_grad_(),
        camera().center.requires_grad_(),
        depths((2, 3)).requires_grad_(),
    )
    assert torch.autograd.gradcheck(lambda f, c, d: Camera(f, c).unproject(d), leaves)


def test_derivative_of_projection() -> None:
    points, pose = camera().unproject(depths((2, 3))), motion()
    leaves = [camera().focal, camera().center, points, pose.rotation, pose.translation]
    assert torch.autograd.gradcheck(
        lambda f, c, x, r, t: Camera(f, c).project(x, Pose(r, t)), [leaf.requires_grad_() for leaf in leaves]
    )
