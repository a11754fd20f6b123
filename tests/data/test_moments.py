from pathlib import Path

import pytest
import torch

from kinedepth.data.moments import Calibration, Frame, Sequence, split
from kinedepth.errors import KinedepthError

CAMERA = Calibration(50.0, 40.0, 47.5, 31.5, 96, 64)


def sequence(count: int, name: str = "drive") -> Sequence:
    return Sequence(name, tuple(Frame(Path(f"{name}/{i:06d}.png")) for i in range(count)), CAMERA, (64, 96))


def test_pixel_centres_stay_in_place() -> None:
    half = CAMERA.resized((32, 48))
    assert (half.fx, half.fy, half.cx, half.cy) == (25, 20, 23.5, 15.5)
    assert (half.width, half.height) == (48, 32)


def test_official_resize_scales_everything() -> None:
    half = CAMERA.resized((32, 48), "official")
    assert (half.cx, half.cy) == (23.75, 15.75)


def test_official_camera_of_kitti() -> None:
    camera = Calibration(0.58, 1.92, 0.5, 0.5).camera((192, 640), "official")
    torch.testing.assert_close(camera.focal, torch.tensor((371.2, 368.64)))
    torch.testing.assert_close(camera.center, torch.tensor((320.0, 96.0)))


def test_normalized_centre_is_the_middle_of_the_picture() -> None:
    camera = Calibration(0.58, 1.92, 0.5, 0.5).camera((192, 640))
    torch.testing.assert_close(camera.center, torch.tensor((319.5, 95.5)))


def test_calibration_resizes_as_the_camera_does() -> None:
    ours = CAMERA.camera((32, 64))
    theirs = CAMERA.camera((64, 96)).resized((64 / 96, 0.5))
    torch.testing.assert_close(ours.focal, theirs.focal)
    torch.testing.assert_close(ours.center, theirs.center)


def test_each_frame_with_all_neighbours_is_a_moment() -> None:
    moments = sequence(5).moments((-1, 1))
    assert [moment.name for moment in moments] == [f"drive/{i:06d}" for i in (1, 2, 3)]
    assert [moments[0].neighbors[o].label for o in (-1, 1)] == ["000000", "000002"]


def test_gap_widens_the_offsets() -> None:
    moments = sequence(7).moments((-1, 1), gap=3)
    assert [moment.target.label for moment in moments] == ["000003"]
    assert [moments[0].neighbors[o].label for o in (-1, 1)] == ["000000", "000006"]


def test_no_offsets_need_one_frame() -> None:
    assert len(sequence(1).moments(())) == 1


def test_one_sided_offsets_keep_the_last_frame() -> None:
    assert [m.target.label for m in sequence(3).moments((-1,))] == ["000001", "000002"]


def test_short_sequence_is_named_with_both_numbers() -> None:
    with pytest.raises(KinedepthError, match=r"alley has 2 frames .*-1, \+1 need at least 3"):
        sequence(2, "alley").moments((-1, 1))


def test_held_out_blocks_end_each_sequence() -> None:
    moments = sequence(22, "a").moments() + sequence(12, "b").moments()
    kept, held = split(moments, 0.2)
    assert [m.name for m in held if m.sequence == "a"] == [f"a/{i:06d}" for i in (17, 18, 19, 20)]
    assert [m.name for m in held if m.sequence == "b"] == [f"b/{i:06d}" for i in (9, 10)]
    assert [m.name for m in kept if m.sequence == "b"] == [f"b/{i:06d}" for i in range(1, 7)]


def test_held_out_frames_are_never_learned_from() -> None:
    kept, held = split(sequence(40).moments((-2, 1)), 0.25)
    assert {f for m in kept for f in m.frames()}.isdisjoint({f for m in held for f in m.frames()})


def test_nothing_is_held_out_of_share_zero() -> None:
    moments = sequence(6).moments()
    assert split(moments, 0.0) == (moments, [])


def test_too_few_moments_to_hold_out() -> None:
    with pytest.raises(KinedepthError, match="too few"):
        split(sequence(4).moments(), 0.5)
