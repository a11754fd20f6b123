import colorsys
from dataclasses import replace

import numpy as np
import pytest
import torch
from torchvision.transforms.v2 import functional as reference

from kinedepth.data.augment import (
    Augment,
    Draw,
    Jitter,
    augmented,
    brightened,
    contrasted,
    hue_turned,
    jittered,
    mirrored,
    saturated,
)
from kinedepth.geometry.camera import Camera
from kinedepth.geometry.pose import Pose
from kinedepth.geometry.record import leaves
from kinedepth.scene import Boxes, Sample, View

CAMERA = Camera(torch.tensor((20.0, 22.0)), torch.tensor((9.5, 6.0)))
JITTER = Jitter(1.15, 0.9, 1.1, -0.07, (3, 1, 0, 2))


def view(**parts: object) -> View:
    return replace(View(torch.rand(3, 12, 24), CAMERA), **parts)


def sample() -> Sample:
    boxes = Boxes(
        torch.tensor([[2.0, 1.0, 5.0, 4.0]]), torch.tensor([1]), torch.tensor([7]), torch.tensor([True])
    )
    rig = Pose.from_axis_angle(torch.tensor([[0.1, -0.2, 0.3]]), torch.tensor([[-0.1, 0.02, 0.03]]))
    target = view(boxes=boxes, instances=torch.arange(12 * 24).view(12, 24))
    partner = view(view_from_target=Pose(rig.rotation[0], rig.translation[0]))
    return Sample(target, (view(offset=-1), partner), torch.rand(1, 30, 60), ("a",))


def test_two_mirrors_change_nothing() -> None:
    before = sample()
    torch.testing.assert_close(list(leaves(mirrored(mirrored(before)))), list(leaves(before)))


def test_mirror_turns_everything_over() -> None:
    before = sample()
    after = mirrored(before)
    assert torch.equal(after.target.image, before.target.image.flip(-1))
    assert torch.equal(after.target.instances, before.target.instances.flip(-1))
    assert torch.equal(after.depth, before.depth.flip(-1))
    assert after.target.boxes.corners.tolist() == [[18.0, 1.0, 21.0, 4.0]]
    assert after.target.boxes.tracks.tolist() == [7]


def test_mirrored_camera_sees_mirrored_pixels() -> None:
    points = torch.randn(3, 50) + torch.tensor((0.0, 0.0, 9.0)).view(3, 1)
    camera = mirrored(sample()).target.camera
    across = torch.tensor((-1.0, 1.0, 1.0)).view(3, 1)
    pixels, mirror = CAMERA.matrix() @ points / points[2], camera.matrix() @ (points * across) / points[2]
    torch.testing.assert_close(mirror[0], 23 - pixels[0])
    torch.testing.assert_close(mirror[1], pixels[1])


def test_official_mirror_leaves_the_camera() -> None:
    assert torch.equal(mirrored(sample(), "official").target.camera.center, CAMERA.center)


def test_mirrored_rig_moves_mirrored_points() -> None:
    before = sample().sources[1].view_from_target
    after = mirrored(sample()).sources[1].view_from_target
    across = torch.tensor((-1.0, 1.0, 1.0))
    points = torch.randn(3)
    moved = before.rotation @ points + before.translation
    torch.testing.assert_close(after.rotation @ (points * across) + after.translation, moved * across)


def test_stereo_sign_turns_with_the_mirror() -> None:
    rig = Pose(torch.eye(3), torch.tensor((-0.1, 0.0, 0.0)))
    after = mirrored(Sample(view(), (view(view_from_target=rig),))).sources[0].view_from_target
    torch.testing.assert_close(after.translation, torch.tensor((0.1, 0.0, 0.0)))
    torch.testing.assert_close(after.rotation, torch.eye(3))


@pytest.mark.parametrize("factor", [0.8, 1.0, 1.2])
@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (brightened, reference.adjust_brightness),
        (contrasted, reference.adjust_contrast),
        (saturated, reference.adjust_saturation),
    ],
)
def test_factors_agree_with_torchvision(ours: object, theirs: object, factor: float) -> None:
    images = torch.rand(2, 3, 9, 11)
    torch.testing.assert_close(ours(images, factor), theirs(images, factor), atol=2e-4, rtol=0)


@pytest.mark.parametrize("turn", [-0.5, -0.1, 0.0, 0.07, 0.1])
def test_hue_agrees_with_torchvision(turn: float) -> None:
    images = torch.rand(2, 3, 9, 11)
    torch.testing.assert_close(
        hue_turned(images, turn), reference.adjust_hue(images, turn), atol=1e-5, rtol=0
    )


@pytest.mark.parametrize(
    "color", [(0.2, 0.9, 0.4), (0.5, 0.5, 0.5), (0.0, 0.0, 0.0), (1.0, 0.0, 1.0), (0.7, 0.7, 0.1)]
)
def test_hue_agrees_with_python(color: tuple[float, float, float]) -> None:
    hue, saturation, value = colorsys.rgb_to_hsv(*color)
    expected = colorsys.hsv_to_rgb((hue + 0.3) % 1, saturation, value)
    turned = hue_turned(torch.tensor(color).view(3, 1, 1), 0.3)
    assert turned.flatten().tolist() == pytest.approx(expected, abs=1e-6)


def test_order_of_operations_counts() -> None:
    images = torch.rand(3, 9, 11)
    by_hand = saturated(brightened(contrasted(hue_turned(images, -0.07), 0.9), 1.15), 1.1)
    torch.testing.assert_close(jittered(images, JITTER), by_hand, rtol=0, atol=0)


def test_equal_frames_stay_equal() -> None:
    one = view()
    after = augmented(Sample(one, (one, one)), Draw(jitter=JITTER))
    assert torch.equal(after.target.jittered, after.sources[0].jittered)
    assert torch.equal(after.target.jittered, after.sources[1].jittered)


def test_losses_see_clean_images() -> None:
    before = sample()
    after = augmented(before, Draw(jitter=JITTER))
    assert torch.equal(after.target.image, before.target.image)
    assert not torch.equal(after.target.seen, before.target.image)


@pytest.mark.parametrize("jitter", [None, JITTER])
def test_every_draw_fits_into_one_batch(jitter: Jitter | None) -> None:
    after = augmented(sample(), Draw(True, jitter))
    assert all(
        v.jittered is not None and v.jittered.shape == v.image.shape for v in (after.target, *after.sources)
    )


def test_seen_image_without_jitter_is_the_clean_one() -> None:
    after = augmented(sample(), Draw(flip=True))
    assert torch.equal(after.target.seen, after.target.image)


DRAWS = [Augment().draw(seed, epoch, index) for seed in (0, 1) for epoch in range(5) for index in range(60)]


def test_draw_belongs_to_its_numbers() -> None:
    torch.manual_seed(5)
    np.random.seed(5)
    assert Augment().draw(1, 2, 3) == Augment().draw(1, 2, 3)
    assert len({repr(draw) for draw in DRAWS if draw.jitter}) == sum(
        draw.jitter is not None for draw in DRAWS
    )


def test_shares_and_ranges_of_draws() -> None:
    changes = [draw.jitter for draw in DRAWS if draw.jitter is not None]
    both = sum(draw.flip and draw.jitter is not None for draw in DRAWS)
    assert sum(draw.flip for draw in DRAWS) / len(DRAWS) == pytest.approx(0.5, abs=0.08)
    assert len(changes) / len(DRAWS) == pytest.approx(0.5, abs=0.08)
    assert both / len(DRAWS) == pytest.approx(0.25, abs=0.08)
    factors = np.array([(c.brightness, c.contrast, c.saturation, 1 + 2 * c.hue) for c in changes])
    assert 0.8 <= factors.min() < 0.82
    assert 1.18 < factors.max() <= 1.2
    assert {c.order[0] for c in changes} == {0, 1, 2, 3}


def test_switched_off_draws_change_nothing() -> None:
    off = Augment(flip=0.0, jitter=0.0)
    assert {off.draw(0, 0, i) for i in range(50)} == {Draw()}
