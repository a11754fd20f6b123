import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from kinedepth.data import folder
from kinedepth.data.frames import as_pixels, open_picture, picture_size, read_labels, rounded_size
from kinedepth.data.moments import Calibration
from kinedepth.errors import KinedepthError

Pictures = Callable[..., list[Path]]
CAMERA = Calibration(50.0, 50.0, 47.5, 31.5, 96, 64)


def test_frames_come_in_the_order_people_count(tmp_path: Path, pictures: Pictures) -> None:
    for path in pictures(tmp_path, 12):
        path.rename(tmp_path / f"shot{int(path.stem)}.png")
    assert [path.stem for path in folder.pictures(tmp_path)] == [f"shot{i}" for i in range(12)]


def test_moments_of_a_folder(tmp_path: Path, pictures: Pictures) -> None:
    pictures(tmp_path / "drive", 5)
    moments = folder.moments(tmp_path / "drive", (-1, 1), CAMERA)
    assert [moment.name for moment in moments] == [f"drive/{i:06d}" for i in (1, 2, 3)]
    assert moments[0].calibration == CAMERA


def test_paths_with_spaces_and_accents(tmp_path: Path, pictures: Pictures) -> None:
    pictures(tmp_path / "Fahrt über Köln 東京")
    moments = folder.moments(tmp_path / "Fahrt über Köln 東京")
    assert moments[0].name == "Fahrt über Köln 東京/000001"
    assert open_picture(moments[0].target.path).size == (96, 64)


def test_hidden_and_foreign_files_are_left_out(tmp_path: Path, pictures: Pictures) -> None:
    pictures(tmp_path, 3)
    (tmp_path / "._000001.jpg").write_bytes(b"resource fork")
    (tmp_path / "times.txt").write_text("0 0.1 0.2")
    assert len(folder.pictures(tmp_path)) == 3


def test_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(KinedepthError, match="holds no pictures"):
        folder.moments(tmp_path)


def test_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(KinedepthError, match="no folder .*gone"):
        folder.moments(tmp_path / "gone")


def test_unreadable_folder_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(KinedepthError, match="may not be read"):
        folder.pictures(tmp_path)


def test_mixed_sizes_are_refused_by_name(tmp_path: Path, pictures: Pictures) -> None:
    pictures(tmp_path / "trip", 4)
    Image.new("RGB", (90, 64)).save(tmp_path / "trip" / "000002.png")
    with pytest.raises(
        KinedepthError, match=r"trip differ in size: 000000.png is 96x64 but 000002.png is 90x64"
    ):
        folder.moments(tmp_path / "trip")


@pytest.mark.parametrize("content", [b"", b"not a picture"])
def test_damaged_header_is_refused_by_name(content: bytes, tmp_path: Path, pictures: Pictures) -> None:
    pictures(tmp_path, 5)[2].write_bytes(content)
    with pytest.raises(KinedepthError, match="000002.png"):
        folder.moments(tmp_path)


def test_cut_jpg_is_refused_by_name(tmp_path: Path, pictures: Pictures) -> None:
    cut = pictures(tmp_path, 5, (64, 96), ending="jpg")[2]
    cut.write_bytes(cut.read_bytes()[:-600])
    with pytest.raises(KinedepthError, match=r"000002.jpg cannot be read"):
        open_picture(cut)


def test_same_frame_in_two_kinds_is_refused(tmp_path: Path, pictures: Pictures) -> None:
    pictures(tmp_path, 3)
    pictures(tmp_path, 3, ending="jpg")
    with pytest.raises(KinedepthError, match="same frame twice"):
        folder.moments(tmp_path)


def test_short_folder_is_refused(tmp_path: Path, pictures: Pictures) -> None:
    pictures(tmp_path / "short", 2)
    with pytest.raises(KinedepthError, match="short has 2 frames"):
        folder.moments(tmp_path / "short")


@pytest.mark.parametrize(("images", "right"), folder.LAYOUTS)
@pytest.mark.parametrize("pointed", ["drive", "images"])
def test_stereo_layouts(images: str, right: str, pointed: str, tmp_path: Path, pictures: Pictures) -> None:
    pictures(tmp_path / "drive" / images, 4)
    pictures(tmp_path / "drive" / right, 4)
    where = tmp_path / "drive" / (images if pointed == "images" else "")
    moment = folder.moments(where)[0]
    assert moment.name == "drive/000001"
    assert moment.partner is not None
    assert moment.partner.frame.path == tmp_path / "drive" / right / "000001.png"
    assert moment.partner.side == "left"


def test_missing_stereo_partner_is_named(tmp_path: Path, pictures: Pictures) -> None:
    pictures(tmp_path / "left", 4)
    pictures(tmp_path / "right", 3)
    with pytest.raises(KinedepthError, match="1 of the 4 pictures .* first 000003"):
        folder.moments(tmp_path)


@pytest.mark.parametrize(("place", "kind"), [("truth", "npz"), ("gt_depth", "png"), ("lidar_depth", "png")])
def test_truth_beside_pictures_is_found(place: str, kind: str, tmp_path: Path, pictures: Pictures) -> None:
    pictures(tmp_path / "images", 4)
    (tmp_path / place).mkdir()
    (tmp_path / place / f"000001.{kind}").touch()
    first, second = folder.moments(tmp_path)
    assert first.truth is not None
    assert (first.truth.path, first.truth.kind) == (tmp_path / place / f"000001.{kind}", kind)
    assert second.truth is None


def test_labels_beside_pictures_are_found(tmp_path: Path, pictures: Pictures) -> None:
    pictures(tmp_path / "images", 3)
    pictures(tmp_path / "instances", 3)
    assert folder.moments(tmp_path)[0].target.instances == tmp_path / "instances" / "000001.png"


GRAY = np.arange(64 * 96, dtype=np.uint16).reshape(64, 96)


@pytest.mark.parametrize(
    ("picture", "expected"),
    [
        (Image.fromarray((GRAY % 256).astype(np.uint8)), GRAY % 256),
        (Image.fromarray(GRAY * 10), np.rint(GRAY * 10 / 257)),
        (Image.fromarray((GRAY % 256).astype(np.uint8)).convert("LA"), GRAY % 256),
        (Image.fromarray((GRAY % 256).astype(np.uint8)).convert("P"), GRAY % 256),
    ],
    ids=["gray", "16 bit", "gray with alpha", "palette"],
)
def test_gray_pictures_become_rgb(picture: Image.Image, expected: np.ndarray, tmp_path: Path) -> None:
    picture.save(tmp_path / "p.png")
    pixels = as_pixels(open_picture(tmp_path / "p.png"), (64, 96))
    assert (pixels == expected[None]).all()


def test_transparent_pixels_become_black(tmp_path: Path) -> None:
    rgba = np.full((64, 96, 4), 200, np.uint8)
    rgba[:32, :, 3], rgba[32:, :, 3] = 0, 255
    Image.fromarray(rgba).save(tmp_path / "p.png")
    pixels = as_pixels(open_picture(tmp_path / "p.png"), (64, 96))
    assert (pixels[:, :32] == 0).all()
    assert (pixels[:, 32:] == 200).all()


def test_turned_phone_picture_is_upright(tmp_path: Path) -> None:
    wide = np.zeros((64, 96, 3), np.uint8)
    wide[:, :48] = 255
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held upright: turn clockwise
    Image.fromarray(wide).save(tmp_path / "p.png", exif=exif)
    pixels = as_pixels(open_picture(tmp_path / "p.png"), (96, 64))
    assert picture_size(tmp_path / "p.png") == (96, 64)
    assert (pixels[:, :48] == 255).all()
    assert (pixels[:, 48:] == 0).all()


def test_resize_is_lanczos_on_8_bits(tmp_path: Path, pictures: Pictures) -> None:
    path = pictures(tmp_path, 1, (64, 96))[0]
    expected = np.asarray(Image.open(path).resize((40, 24), Image.Resampling.LANCZOS))
    assert (as_pixels(open_picture(path), (24, 40)) == expected.transpose(2, 0, 1)).all()


def test_labels_are_resized_to_the_nearest(tmp_path: Path) -> None:
    labels = np.kron(np.array([[1, 2], [3, 40]], np.uint8), np.ones((4, 4), np.uint8))
    Image.fromarray(labels).save(tmp_path / "l.png")
    assert read_labels(tmp_path / "l.png", (2, 4)).tolist() == [[1, 1, 2, 2], [3, 3, 40, 40]]


def test_colored_labels_are_refused(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "l.png")
    with pytest.raises(KinedepthError, match="one number for each pixel"):
        read_labels(tmp_path / "l.png", None)


@pytest.mark.parametrize(
    ("given", "rounded"), [((192, 640), (192, 640)), ((375, 1242), (384, 1248)), ((10, 717), (32, 704))]
)
def test_sizes_are_rounded_to_32(given: tuple[int, int], rounded: tuple[int, int]) -> None:
    assert rounded_size(given) == rounded
