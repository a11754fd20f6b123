"""Bonnets and date stamps put into real and rendered drives, and drives without them."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from kinedepth.data.frames import read_mask
from kinedepth.data.hood import find_hood, write_mask
from kinedepth.data.synthetic import Drive, DriveSettings, render
from kinedepth.data.video import frames as frames_of
from kinedepth.errors import KinedepthError

Clip = list[np.ndarray]
TEXT = "2026-11-21 12:34:"


def spread(count: int, most: int = 50) -> list[int]:
    return np.linspace(0, count - 1, min(count, most)).round().astype(int).tolist()


@pytest.fixture(scope="module")
def real(real_data_root: Path) -> Callable[[str], Clip]:
    read: dict[str, Clip] = {}

    def clip(name: str) -> Clip:
        if name not in read and name == "dashcam_udacity":
            read[name] = list(frames_of(real_data_root / name / "test_video.mp4"))
        elif name not in read:
            paths = sorted(next((real_data_root / name).glob("[il][me][af][gt]*")).iterdir())
            paths = [paths[i] for i in spread(len(paths))]
            read[name] = [np.asarray(Image.open(path).convert("RGB")) for path in paths]
        return read[name]

    return clip


@pytest.fixture(scope="module")
def rendered() -> Clip:
    """A drive through the rendered street."""
    drive = Drive(DriveSettings(seed=5, size=(96, 320), frames=100))
    return [render(drive, i).image for i in range(2, 98, 4)]


def compressed(frame: np.ndarray, quality: int = 80) -> np.ndarray:
    _, data = cv2.imencode(".jpg", np.ascontiguousarray(frame), [cv2.IMWRITE_JPEG_QUALITY, quality])
    return cv2.imdecode(data, cv2.IMREAD_COLOR)


def with_bonnet(clip: Clip, share: float, seed: int, shine: float = 0.15) -> tuple[Clip, np.ndarray]:
    """Curved, of one color with a blurred reflection of the scene, noise and JPEG; and where it is."""
    random, (height, width) = np.random.default_rng(seed), clip[0].shape[:2]
    x, y = np.linspace(-1, 1, width), np.arange(height)[:, None]
    bow = 1 - 0.55 * np.abs(x + random.uniform(-0.2, 0.2)) ** random.uniform(1.8, 3)
    top = height - bow * share * height / bow.mean()
    color = random.integers(25, 70, 3).astype(np.float32)
    body = color * (0.8 + 0.5 * ((y - top) / (0.3 * height)).clip(0, 1))[..., None]
    cover = (y - top + 0.5).clip(0, 1)[..., None]
    result = []
    for frame in clip:
        mirrored = cv2.GaussianBlur(frame[::-1].astype(np.float32), (0, 0), 0.01 * width)
        bonnet = (1 - shine) * body + shine * mirrored + random.normal(0, 2, frame.shape)
        result.append(compressed((frame * (1 - cover) + bonnet * cover).clip(0, 255).astype(np.uint8)))
    return result, np.asarray(y >= top)


def with_stamp(clip: Clip, place: tuple[float, float]) -> tuple[Clip, np.ndarray]:
    """A date and a running clock at (x, y), fractions of the picture; and the box of the text."""
    height, width = clip[0].shape[:2]
    at, scale, thick = (int(place[0] * width), int(place[1] * height)), width / 1000, max(1, width // 640)
    (wide, tall), under = cv2.getTextSize(TEXT + "00", cv2.FONT_HERSHEY_SIMPLEX, scale, thick)
    result = []
    for i, frame in enumerate(clip):
        stamped = frame.copy()
        for value, width_of in ((0, thick + 2), (255, thick)):
            color = (value, value, value)
            text = f"{TEXT}{i % 60:02d}"
            cv2.putText(stamped, text, at, cv2.FONT_HERSHEY_SIMPLEX, scale, color, width_of, cv2.LINE_AA)
        result.append(compressed(stamped))
    box = np.zeros((height, width), dtype=bool)
    box[at[1] - tall : at[1] + under // 2, at[0] : at[0] + wide] = True
    return result, box


def overlap(found: np.ndarray, truth: np.ndarray) -> float:
    return float((found & truth).sum() / (found | truth).sum())


@pytest.mark.parametrize(
    "name", ["kitti_raw_0095", "kitti_odometry_00", "kitti_depth_0001", "kitti_tracking_0005"]
)
def test_a_drive_without_anything_fixed(real: Callable[[str], Clip], name: str) -> None:
    assert find_hood(real(name)) is None


def test_a_rendered_drive_without_anything_fixed(rendered: Clip) -> None:
    assert find_hood(rendered) is None


@pytest.mark.parametrize(("share", "seed"), [(0.06, 1), (0.1, 2), (0.15, 3), (0.2, 4)])
@pytest.mark.parametrize("name", ["kitti_raw_0095", "kitti_odometry_00", "dashcam_udacity"])
def test_a_bonnet_is_found(real: Callable[[str], Clip], name: str, share: float, seed: int) -> None:
    if name == "dashcam_udacity" and share < 0.1:
        pytest.skip("its own bonnet is as large")
    clip, truth = with_bonnet(real(name), share, seed)
    hood = find_hood(clip)
    assert hood is not None
    assert hood.hood
    assert hood.mask.shape == clip[0].shape[:2]
    assert overlap(~hood.mask, truth) > 0.85
    assert hood.share == pytest.approx(truth.mean(), abs=0.03)


def test_a_shiny_bonnet_is_found(real: Callable[[str], Clip]) -> None:
    clip, truth = with_bonnet(real("kitti_raw_0095"), 0.12, 5, shine=0.3)
    hood = find_hood(clip)
    assert hood is not None
    assert overlap(~hood.mask, truth) > 0.85


def test_a_bonnet_is_found_in_a_rendered_drive(rendered: Clip) -> None:
    clip, truth = with_bonnet(rendered, 0.12, 6)
    hood = find_hood(clip)
    assert hood is not None
    assert overlap(~hood.mask, truth) > 0.85


def test_the_real_bonnet_of_a_real_dashcam_is_found(real: Callable[[str], Clip]) -> None:
    """It fills the lowest 6 % of this video, and cars ahead that hardly move are none of it."""
    hood = find_hood(real("dashcam_udacity"))
    assert hood is not None
    assert (hood.hood, hood.stamps) == (True, 0)
    assert 0.04 < hood.share < 0.09
    assert hood.mask[: int(0.88 * len(hood.mask))].all()
    assert not hood.mask[-18:].any()


@pytest.mark.parametrize("place", [(0.04, 0.95), (0.04, 0.12), (0.5, 0.93)])
@pytest.mark.parametrize("name", ["kitti_raw_0095", "kitti_odometry_00"])
def test_a_date_stamp_is_found(real: Callable[[str], Clip], name: str, place: tuple[float, float]) -> None:
    clip, box = with_stamp(real(name), place)
    hood = find_hood(clip)
    assert hood is not None
    assert (hood.hood, hood.stamps) == (False, 1)
    assert (~hood.mask & box).sum() > 0.8 * box.sum()
    assert hood.share < 0.08


def test_bonnet_and_stamp_together(real: Callable[[str], Clip]) -> None:
    clip, truth = with_bonnet(real("kitti_odometry_00"), 0.12, 7)
    clip, box = with_stamp(clip, (0.04, 0.12))
    hood = find_hood(clip)
    assert hood is not None
    assert (hood.hood, hood.stamps) == (True, 1)
    assert overlap(~hood.mask, truth | box) > 0.7


@pytest.mark.parametrize("bonnet", [False, True])
def test_a_camera_that_stands_still_says_nothing(real: Callable[[str], Clip], bonnet: bool) -> None:
    clip = real("kitti_static_camera") * 2
    assert find_hood(with_bonnet(clip, 0.1, 8)[0] if bonnet else clip) is None


def test_one_picture_again_and_again_says_nothing(rendered: Clip) -> None:
    clip, _ = with_bonnet(rendered[:1] * 24, 0.1, 9)
    assert find_hood(clip) is None


@pytest.mark.parametrize("count", [0, 1, 19])
def test_few_frames_say_nothing(rendered: Clip, count: int) -> None:
    assert find_hood(with_bonnet(rendered[:count], 0.1, 9)[0] if count else []) is None


def test_flat_pictures_say_nothing() -> None:
    assert find_hood([np.full((60, 80, 3), value, np.uint8) for value in range(0, 240, 8)]) is None


def test_frames_of_two_cameras_are_refused(rendered: Clip) -> None:
    with pytest.raises(KinedepthError, match="320x96 and of 320x90"):
        find_hood([*rendered, rendered[0][:90]])


def test_a_mask_is_written_as_it_is_read(rendered: Clip, tmp_path: Path) -> None:
    hood = find_hood(with_bonnet(rendered, 0.12, 6)[0])
    assert hood is not None
    write_mask(tmp_path / "hood.png", hood.mask)
    stored = np.asarray(Image.open(tmp_path / "hood.png"))
    assert stored.dtype == np.uint8
    assert sorted(np.unique(stored).tolist()) == [0, 255]
    assert np.array_equal(read_mask(tmp_path / "hood.png"), hood.mask)


def test_a_mask_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(KinedepthError, match=r"none.m.png cannot be written"):
        write_mask(tmp_path / "none" / "m.png", np.ones((4, 5), dtype=bool))
