"""View synthesis: closed forms, and a rendered world whose depth, poses and motion are known."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from torch import Tensor

from kinedepth.data.synthetic import (
    Drive,
    DriveSettings,
    Frame,
    moving_mask,
    render,
    residual_motion,
    scene_flow,
)
from kinedepth.geometry.camera import Camera, pixel_grid
from kinedepth.geometry.pose import Pose
from kinedepth.geometry.record import leaves
from kinedepth.losses.image import photometric_error
from kinedepth.losses.photometric import Photometric
from kinedepth.scene import Estimate, Sample, View
from kinedepth.synthesis import Synthesis, shrunk, synthesize, view_at

SIZE = (64, 96)
STILL = (0.0, 0.0, 0.0)


def camera(batch: int = 1, size: tuple[int, int] = SIZE) -> Camera:
    center = torch.tensor(((size[1] - 1) / 2, (size[0] - 1) / 2))
    return Camera(torch.full((batch, 2), 0.58 * size[1]), center.repeat(batch, 1))


def sample(batch: int = 1, size: tuple[int, int] = SIZE) -> Sample:
    views = [View(torch.rand(batch, 3, *size), camera(batch, size), offset) for offset in (0, -1, 1)]
    return Sample(views[0], tuple(views[1:]))


def pose(turn: tuple[float, ...] = STILL, step: tuple[float, ...] = STILL, batch: int = 1) -> Pose:
    return Pose.from_axis_angle(torch.tensor([turn] * batch), torch.tensor([step] * batch))


def estimate(inverse_depth: Tensor, *poses: Pose) -> Estimate:
    return Estimate((inverse_depth,), poses)


class TestClosedForms:
    def test_one_view_for_every_scale_and_source(self) -> None:
        inverse = tuple(torch.rand(2, 1, SIZE[0] >> s, SIZE[1] >> s) + 0.1 for s in range(4))
        found = synthesize(sample(2), Estimate(inverse, (pose(batch=2), pose(batch=2))))
        assert [len(scale) for scale in found] == [2, 2, 2, 2]
        assert {tuple(one.image.shape) for scale in found for one in scale} == {(2, 3, *SIZE)}

    @pytest.mark.parametrize("size", [(64, 96), (63, 97)])
    def test_without_motion_the_source_comes_back_at_any_depth(self, size: tuple[int, int]) -> None:
        x, y = pixel_grid(size, torch.ones(()))
        waves = [(0.5 + 0.4 * torch.sin(k * x / 9 + y / 7)).expand(1, 3, *size) for k in (1, 2, 3)]
        views = [View(wave, camera(size=size)) for wave in waves]
        given, inverse = Sample(views[0], tuple(views[1:])), 0.01 + 5 * torch.rand(1, 1, *size)
        for one, source in zip(
            synthesize(given, estimate(inverse, pose(), pose()))[0], given.sources, strict=True
        ):
            torch.testing.assert_close(one.image, source.image, rtol=0, atol=1e-5)
            torch.testing.assert_close(one.pixels[0], pixel_grid(size, one.pixels), rtol=0, atol=1e-4)
            torch.testing.assert_close(one.depth, 1 / inverse, rtol=1e-6, atol=0)

    def test_sideways_motion_shifts_by_focal_times_step_over_depth(self) -> None:
        """The fact sheet's 3.712 pixels, and border columns repeated."""
        view = View(
            torch.rand(1, 3, 192, 640), Camera(torch.tensor([[371.2, 368.64]]), torch.tensor([[320.0, 96.0]]))
        )
        given = Sample(view, (view,))
        one = synthesize(given, estimate(torch.full((1, 1, 192, 640), 0.1), pose(step=(0.1, 0.0, 0.0))))[0][0]
        shift = one.pixels[0] - pixel_grid((192, 640), one.pixels)
        torch.testing.assert_close(shift[0], torch.full((192, 640), 3.712), rtol=0, atol=2e-4)
        torch.testing.assert_close(shift[1], torch.zeros(192, 640), rtol=0, atol=2e-4)
        torch.testing.assert_close(
            one.image[..., 636:], view.image[..., -1:].expand(-1, -1, -1, 4), rtol=0, atol=1e-4
        )
        assert one.valid[..., :636].all()
        assert not one.valid[..., 636:].any()

    def test_intrinsics_of_each_view_are_its_own(self) -> None:
        given = sample()
        zoomed = replace(given.sources[0], camera=Camera(2 * camera().focal, camera().center))
        one = synthesize(replace(given, sources=(zoomed,)), estimate(torch.ones(1, 1, *SIZE), pose()))[0][0]
        center = camera().center[..., None, None]
        expected = 2 * (pixel_grid(SIZE, center)[None] - center) + center
        torch.testing.assert_close(one.pixels, expected, rtol=0, atol=1e-4)

    def test_points_behind_the_source_are_marked(self) -> None:
        inverse = torch.full((1, 1, *SIZE), 0.1)
        inverse[..., :48] = 1.0
        one = synthesize(sample(), estimate(inverse, *[pose(step=(0.0, 0.0, -2.0))] * 2))[0][0]
        assert (one.depth[..., :48] < 0).all()
        assert not one.valid[..., :48].any()
        center = one.valid[..., 24:40, 50:60]
        assert center.all()
        assert one.image.isfinite().all()

    def test_a_point_behind_can_fall_inside_the_image_and_is_still_marked(self) -> None:
        one = synthesize(sample(), estimate(torch.ones(1, 1, *SIZE), *[pose(step=(0.0, 0.0, -3.0))] * 2))[0][
            0
        ]
        middle = one.pixels[0, :, 30:34, 46:50]
        assert ((middle > 0) & (middle < 64)).all()
        assert not one.valid.any()

    def test_every_source_needs_a_pose(self) -> None:
        with pytest.raises(ValueError, match="zip"):
            synthesize(sample(), estimate(torch.ones(1, 1, *SIZE), pose()))

    def test_gradient_reaches_depth_and_pose(self) -> None:
        leaf = torch.full((1, 1, *SIZE), 0.5, requires_grad=True)
        turn, step = torch.zeros(1, 3, requires_grad=True), torch.full((1, 3), 0.01, requires_grad=True)
        moved = Pose.from_axis_angle(turn + 1e-3, step)
        one = synthesize(sample(), estimate(leaf, moved, moved))[0][0]
        gradients = torch.autograd.grad((one.image * torch.rand_like(one.image)).sum(), (leaf, turn, step))
        assert all(gradient.isfinite().all() for gradient in gradients)
        assert all(gradient.abs().sum() > 0 for gradient in gradients)

    def test_autocast_leaves_geometry_in_full_precision(self) -> None:
        given, inverse = sample(2), 0.1 + torch.rand(2, 1, *SIZE)
        moved = estimate(inverse.bfloat16(), *[pose((0.01, 0.02, 0.0), (0.1, 0.0, 0.2), 2)] * 2)
        plain = synthesize(given, replace(moved, inverse_depth=(inverse.bfloat16().float(),)))
        with torch.autocast("cpu", torch.bfloat16):
            cast = synthesize(given, moved)
        assert {leaf.dtype for leaf in leaves(cast)} == {torch.float32, torch.bool}
        assert all(torch.equal(a, b) for a, b in zip(leaves(cast), leaves(plain), strict=True))


class TestScales:
    @pytest.mark.parametrize("factor", [2, 8])
    def test_coarse_depth_is_enlarged_before_warping(self, factor: int) -> None:
        given, moved = sample(), pose((0.0, 0.01, 0.0), (0.2, 0.0, 0.3))
        coarse = torch.full((1, 1, SIZE[0] // factor, SIZE[1] // factor), 0.4)
        one = synthesize(given, estimate(coarse, moved, moved))[0][0]
        full = synthesize(given, estimate(torch.full((1, 1, *SIZE), 0.4), moved, moved))[0][0]
        torch.testing.assert_close(one.image, full.image, rtol=0, atol=1e-6)

    def test_inverse_depth_is_enlarged_not_depth(self) -> None:
        coarse = torch.tensor([0.1, 0.9]).view(1, 1, 1, 2).expand(1, 1, 2, 2)
        one = synthesize(sample(size=(4, 4)), estimate(coarse, pose(), pose()))[0][0]
        torch.testing.assert_close(
            1 / one.depth[0, 0, 0], torch.tensor([0.1, 0.3, 0.7, 0.9]), rtol=1e-5, atol=0
        )

    @pytest.mark.parametrize(("convention", "exact"), [("centers", True), ("official", False)])
    def test_small_views_show_the_same_points(self, convention: str, exact: bool) -> None:
        """What falls on p at full size falls on (p + 1/2) / 2 - 1/2 at half; turning depends on no depth."""
        given, turned = sample(), pose((0.0, 0.3, 0.1))
        settings = Synthesis(full_resolution=False, convention=convention)
        half = synthesize(given, estimate(torch.ones(1, 1, 32, 48), turned, turned), settings)[0][0]
        assert half.image.shape == (1, 3, 32, 48)
        target = pixel_grid((32, 48), half.pixels)[None] * 2 + 0.5
        center = camera().center[..., None, None]
        rays = torch.cat(
            ((target - center) / camera().focal[..., None, None], torch.ones(1, 1, 32, 48)), dim=1
        )
        expected = (camera().project(rays, turned)[0] + 0.5) / 2 - 0.5
        error = float((half.pixels - expected)[..., 10:22, 16:32].abs().mean())
        assert (error < 1e-4) is exact
        assert error < 0.25, "the official convention is off by a quarter of a small pixel"

    def test_small_views_are_means_over_areas(self) -> None:
        view = sample().target
        image, small = view_at(view, (32, 48), "centers")
        torch.testing.assert_close(image, view.image.view(1, 3, 32, 2, 48, 2).mean((3, 5)), rtol=0, atol=1e-6)
        torch.testing.assert_close(small.matrix(), view.camera.resized((0.5, 0.5)).matrix(), rtol=0, atol=0)

    def test_a_view_of_the_right_size_is_given_back(self) -> None:
        view = sample().target
        assert view_at(view, SIZE, "official") == (view.image, view.camera)
        assert shrunk(view.image, SIZE) is view.image


class TestTranslationInUnitsOfDepth:
    SETTINGS = Synthesis(translation_by_inverse_depth=True)

    def test_translation_follows_the_mean_inverse_depth_of_each_image(self) -> None:
        inverse = 0.2 + torch.rand(2, 1, *SIZE) * torch.tensor((0.1, 1.0)).view(2, 1, 1, 1)
        moved = pose((0.0, 0.02, 0.0), (0.3, 0.1, 0.2), 2)
        found = synthesize(sample(2), estimate(inverse, moved, moved), self.SETTINGS)[0][0]
        means = inverse.mean((1, 2, 3))[:, None]
        scaled = Pose(moved.rotation, moved.translation * means)
        expected = synthesize(sample(2), estimate(inverse, scaled, scaled))[0][0]
        torch.testing.assert_close(found.pixels, expected.pixels, rtol=0, atol=1e-4)

    def test_parallax_follows_the_square_of_inverse_depth(self) -> None:
        """Halving all inverse depth halves the step as well, so parallax falls with its square."""
        given, moved = sample(), pose(step=(0.3, 0.1, 0.0))
        views = [
            synthesize(given, estimate(torch.full((1, 1, *SIZE), k), moved, moved), self.SETTINGS)
            for k in (0.2, 0.1)
        ]
        far, near = (view[0][0].pixels - pixel_grid(SIZE, view[0][0].pixels) for view in reversed(views))
        torch.testing.assert_close(4 * far, near, rtol=1e-3, atol=1e-4)

    def test_a_rigs_known_pose_keeps_its_unit(self) -> None:
        given, rig = sample(), pose(step=(0.1, 0.0, 0.0))
        partner = replace(given.sources[0], view_from_target=rig)
        given = replace(given, sources=(partner,))
        inverse = torch.full((1, 1, *SIZE), 0.3)
        found = synthesize(given, estimate(inverse, rig), self.SETTINGS)[0][0]
        plain = synthesize(given, estimate(inverse, rig))[0][0]
        torch.testing.assert_close(found.pixels, plain.pixels, rtol=0, atol=0)


@dataclass
class World:
    """A frame of a rendered drive between its neighbours, as a sample and as truth."""

    sample: Sample
    truth: Estimate
    residual: tuple[Tensor, ...]
    moved: tuple[Tensor, ...]
    """Where each pixel's point is at each neighbour, in the neighbour's frame."""
    seen: Tensor
    moving: Tensor


def world(traffic: bool, speed: float = 9.0) -> World:
    drive = Drive(DriveSettings(seed=2, frames=4, size=SIZE, traffic=traffic, speed=speed, lead=0.0))
    frames = [render(drive, index) for index in range(3)]
    views = [View(picture(frame), camera(), frame.index - 1) for frame in frames]
    depth = torch.from_numpy(frames[1].depth)[None, None]
    inverse = torch.where(depth > 0, 1 / depth, torch.tensor(1e-3))
    poses = [
        Pose.from_matrix(matrix(np.linalg.inv(drive.camera_pose(i)) @ drive.camera_pose(1))) for i in (0, 2)
    ]
    points = camera().unproject(depth)
    return World(
        Sample(views[1], (views[0], views[2])),
        Estimate((inverse,), tuple(poses)),
        tuple(field(residual_motion(drive, frames[1], i)) for i in (0, 2)),
        tuple(points + field(scene_flow(drive, frames[1], i)) for i in (0, 2)),
        depth > 0,
        torch.from_numpy(moving_mask(drive, frames[1]))[None, None],
    )


def picture(frame: Frame) -> Tensor:
    return torch.from_numpy(frame.image).permute(2, 0, 1)[None].float() / 255


def matrix(values: np.ndarray) -> Tensor:
    return torch.from_numpy(values.astype(np.float32))[None]


def field(values: np.ndarray) -> Tensor:
    return torch.from_numpy(values).permute(2, 0, 1)[None]


@pytest.fixture(scope="module")
def street() -> World:
    """Nothing moves but the camera."""
    return world(traffic=False)


@pytest.fixture(scope="module")
def traffic() -> World:
    return world(traffic=True)


def loss(given: World, truth: Estimate) -> float:
    rebuilt = replace(truth, rebuilt=synthesize(given.sample, truth))
    return float(Photometric(automask=False)(given.sample, rebuilt).detach())


class TestWorld:
    def test_the_truth_explains_the_pictures(self, street: World) -> None:
        unmoved = replace(street.truth, poses=(pose(), pose()))
        assert loss(street, street.truth) < 0.4 * loss(street, unmoved)

    @pytest.mark.parametrize("factor", [0.7, 0.85, 1.2, 1.5])
    def test_nothing_is_as_good_as_true_depth(self, factor: float, street: World) -> None:
        wrong = replace(street.truth, inverse_depth=(factor * street.truth.inverse_depth[0],))
        assert loss(street, wrong) > 1.1 * loss(street, street.truth)

    def test_flat_depth_is_worse(self, street: World) -> None:
        flat = torch.full((1, 1, *SIZE), float(street.truth.inverse_depth[0].mean()))
        assert loss(street, replace(street.truth, inverse_depth=(flat,))) > 2 * loss(street, street.truth)

    @pytest.mark.parametrize("axis", [0, 1, 2])
    @pytest.mark.parametrize("sign", [-1.0, 1.0])
    def test_nothing_is_as_good_as_the_true_turn(self, axis: int, sign: float, street: World) -> None:
        extra = pose(tuple(0.02 * sign * (i == axis) for i in range(3)))
        wrong = replace(street.truth, poses=tuple(extra @ true for true in street.truth.poses))
        assert loss(street, wrong) > 1.5 * loss(street, street.truth)

    @pytest.mark.parametrize("factor", [-1.0, 0.0, 0.5, 2.0])
    def test_nothing_is_as_good_as_the_true_step(self, factor: float, street: World) -> None:
        poses = tuple(Pose(true.rotation, factor * true.translation) for true in street.truth.poses)
        assert loss(street, replace(street.truth, poses=poses)) > 1.5 * loss(street, street.truth)

    def test_descent_from_flat_depth_approaches_the_truth(self, street: World) -> None:
        """A coarse map of inverse depth, from ten metres everywhere, by the photometric term alone."""
        target, ground = street.truth.inverse_depth[0], slice(SIZE[0] // 2 + 4, None)
        log = torch.full((1, 1, 8, 12), 0.1).log().requires_grad_()
        optimizer = torch.optim.Adam([log], lr=0.1)

        def current() -> Estimate:
            fine = torch.nn.functional.interpolate(log, SIZE, mode="bilinear", align_corners=False).exp()
            return replace(street.truth, inverse_depth=(fine,))

        def error() -> float:
            return float(
                (current().inverse_depth[0].log() - target.log())[..., ground, :].detach().abs().median()
            )

        start = loss(street, current()), error()
        for _ in range(60):
            rebuilt = replace(current(), rebuilt=synthesize(street.sample, current()))
            optimizer.zero_grad()
            Photometric(automask=False)(street.sample, rebuilt).backward()
            optimizer.step()
        assert loss(street, current()) < 0.5 * start[0]
        assert error() < 0.3 * start[1]

    @pytest.mark.parametrize("scale", [1, 2])
    def test_small_views_are_explained_too(self, scale: int, street: World) -> None:
        size = (SIZE[0] >> scale, SIZE[1] >> scale)
        coarse = replace(street.truth, inverse_depth=(shrunk(street.truth.inverse_depth[0], size),))
        settings, term = Synthesis(full_resolution=False), Photometric(automask=False)
        true = replace(coarse, rebuilt=synthesize(street.sample, coarse, settings))
        still = replace(coarse, poses=(pose(), pose()))
        unmoved = replace(still, rebuilt=synthesize(street.sample, still, settings))
        assert term(street.sample, true) < 0.7 * term(street.sample, unmoved)

    @pytest.mark.parametrize("index", [0, 1])
    def test_true_object_motion_moves_points_where_they_are(self, index: int, traffic: World) -> None:
        assert traffic.moving.float().mean() > 0.01
        truth = replace(traffic.truth, motion=traffic.residual)
        one = synthesize(traffic.sample, truth)[0][index]
        pixels, depth = camera().project(traffic.moved[index])
        where = traffic.seen & one.valid
        assert (traffic.moving & where).any()
        torch.testing.assert_close(one.pixels * where, pixels * where, rtol=0, atol=2e-2)
        torch.testing.assert_close(one.depth * where, depth * where, rtol=1e-3, atol=1e-3)

    def test_moving_objects_are_explained_by_their_motion_alone(self, traffic: World) -> None:
        truth = replace(traffic.truth, motion=traffic.residual)

        def least(given: Estimate) -> Tensor:
            views = synthesize(traffic.sample, given)[0]
            return torch.cat(
                [photometric_error(one.image, traffic.sample.target.image) for one in views], 1
            ).amin(1, True)

        with_motion, without = (least(one)[traffic.moving].mean() for one in (truth, traffic.truth))
        assert with_motion < 0.5 * without
        still = ~traffic.moving & traffic.seen
        torch.testing.assert_close(
            least(truth)[still].mean(), least(traffic.truth)[still].mean(), rtol=0.1, atol=0
        )
