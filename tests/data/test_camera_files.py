import json
import math
import re
from pathlib import Path

import numpy as np
import pytest

from kinedepth.data.camera_files import (
    checked,
    described,
    from_fov,
    guessed,
    read_intrinsics,
    read_kitti,
)
from kinedepth.data.moments import Calibration
from kinedepth.errors import KinedepthError

SIZE = (192, 640)
# The same camera in every form: 370, 365 and its centre in pixels of 640x192; fractions are corner-aligned.
FX, FY, CX, CY = 370.0, 365.0, 313.5, 88.0
NORMAL = [FX / 640, FY / 192, (CX + 0.5) / 640, (CY + 0.5) / 192]


def matrix(values: list[float], side: int = 3) -> list[list[float]]:
    k = np.eye(side)
    k[0, 0], k[1, 1], k[0, 2], k[1, 2] = values
    return k.tolist()


PIXELS = [FX, FY, CX, CY]
FORMS = {
    "keys.json": json.dumps({"width": 640, "height": 192, "fx": FX, "fy": FY, "cx": CX, "cy": CY}),
    "matrix_in_keys.json": json.dumps({"width": 640, "height": 192, "K": matrix(PIXELS)}),
    "larger.json": json.dumps(
        {"width": 1280, "height": 384, "K": matrix([2 * FX, 2 * FY, 2 * CX + 0.5, 2 * CY + 0.5])}
    ),
    "pixels.json": json.dumps(matrix(PIXELS)),
    "pixels.txt": "\n".join(" ".join(map(str, row)) for row in matrix(PIXELS)),
    "four.txt": f"{FX} {FY} {CX} {CY}",
    "commas.txt": ",".join(str(v) for row in matrix(PIXELS) for v in row),
    "normalized.json": json.dumps(matrix(NORMAL)),
    "normalized_4x4.json": json.dumps(matrix(NORMAL, 4)),
    "normalized_4x4.txt": "\n".join(" ".join(map(str, row)) for row in matrix(NORMAL, 4)),
    "K_normalised.json": json.dumps({"K_normalised": matrix(NORMAL)}),
    "calib_cam_to_cam.txt": (
        "calib_time: 09-Jan-2012\nS_rect_02: 6.40e+02 1.92e+02\n"
        f"P_rect_02: {FX} 0 {CX} 44.85 0 {FY} {CY} 0.21 0 0 1 0.0027\n"
    ),
    "calib.txt": f"P0: 1 0 1 0 0 1 1 0 0 0 1 0\nP2: {FX} 0 {CX} 44.85 0 {FY} {CY} 0.21 0 0 1 0.0027\n",
}


@pytest.mark.parametrize("name", FORMS)
def test_every_form_means_the_same_camera(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text(FORMS[name])
    camera = read_intrinsics(path, SIZE).resized(SIZE)
    assert (camera.fx, camera.fy, camera.cx, camera.cy) == pytest.approx((FX, FY, CX, CY))


@pytest.mark.parametrize("text", [FORMS["four.txt"], FORMS["normalized.json"], FORMS["keys.json"]])
def test_numbers_may_be_given_instead_of_a_file(text: str) -> None:
    assert read_intrinsics(text, SIZE).resized(SIZE).cx == pytest.approx(CX)


def test_npy_matrix(tmp_path: Path) -> None:
    np.save(tmp_path / "k.npy", np.array(matrix(PIXELS)))
    assert read_intrinsics(tmp_path / "k.npy", SIZE).fy == FY


@pytest.mark.parametrize(
    ("values", "names"),
    [
        ([0.58, 1.92, 320, 96], "fx=0.58, fy=1.92 as a fraction .* cx=320, cy=96 in pixels"),
        ([0.58, 1.92, 0.5, 96], "cy=96 in pixels"),
        ([371, 1.92, 320, 0.5], "fy=1.92, cy=0.5 as a fraction"),
    ],
)
def test_half_normalized_is_refused_by_entry(values: list[float], names: str, tmp_path: Path) -> None:
    path = tmp_path / "half.json"
    path.write_text(json.dumps(matrix(values)))
    with pytest.raises(KinedepthError, match=f"half.json is half normalized: .*{names}"):
        read_intrinsics(path, SIZE)


def test_normalized_entry_beside_a_size_is_refused() -> None:
    with pytest.raises(KinedepthError, match="fx=0.58 as a fraction"):
        read_intrinsics(json.dumps({"width": 640, "height": 192, "fx": 0.58, "fy": 365, "cx": 320, "cy": 96}))


@pytest.mark.parametrize(
    ("values", "entry"),
    [([370, 365, 700, 96], "cx=700"), ([370, 365, 320, -5], "cy=-5"), ([0.6, 1.9, 1.2, 0.5], "cx=1.2")],
)
def test_centre_outside_the_picture_is_refused(values: list[float], entry: str) -> None:
    with pytest.raises(KinedepthError, match=f"{entry} .*outside the picture"):
        read_intrinsics(json.dumps(matrix(values)), SIZE)


def _transposed() -> str:
    return json.dumps(np.array(matrix(PIXELS)).T.tolist())


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (_transposed(), "no camera matrix"),
        (json.dumps(matrix([-370, 365, 320, 96])), "fx=-370 .*not positive"),
        ("[[370, 20, 320], [0, 365, 96], [0, 0, 1]]", "skew of 20"),
        ("[[370, 0, 320], [0, 365, 96]]", "holds 6 numbers"),
        ("[[370, 0, NaN], [0, 365, 96], [0, 0, 1]]", "not finite"),
        ('{"focal": 3}', "neither fx, fy, cx, cy nor a matrix K: its keys are focal"),
        ('{"fx": "a", "fy": 1, "cx": 1, "cy": 1}', "matrix of numbers"),
        ('{"width": 0, "height": 3, "fx": 1, "fy": 1, "cx": 1, "cy": 1}', "width in .* is 0"),
        ("{ not json", "not valid JSON"),
    ],
)
def test_what_is_no_camera_is_refused(text: str, words: str) -> None:
    with pytest.raises(KinedepthError, match=words):
        read_intrinsics(text, SIZE)


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(KinedepthError, match=r"no intrinsics file .*nö such\.json"):
        read_intrinsics(tmp_path / "nö such.json", SIZE)


@pytest.mark.parametrize("content", [b"\x89PNG\r\n\x1a\n\xff\xfe", b"hello camera", b""])
def test_file_of_another_kind_is_named(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "odd.txt").write_bytes(content)
    with pytest.raises(KinedepthError, match="odd.txt"):
        read_intrinsics(tmp_path / "odd.txt", SIZE)


def test_pixels_without_any_size_are_refused() -> None:
    with pytest.raises(KinedepthError, match="add width and height"):
        read_intrinsics(FORMS["four.txt"])


def test_camera_that_kitti_file_lacks(tmp_path: Path) -> None:
    (tmp_path / "calib.txt").write_text(FORMS["calib.txt"])
    with pytest.raises(KinedepthError, match="camera 3"):
        read_kitti(tmp_path / "calib.txt", 3, SIZE)


def test_field_of_view() -> None:
    camera = from_fov(math.radians(90), SIZE)
    assert (camera.fx, camera.fy, camera.cx, camera.cy) == pytest.approx((320, 320, 319.5, 95.5))


@pytest.mark.parametrize("fov", [0.0, -10.0, 180.0, 400.0])
def test_impossible_field_of_view(fov: float) -> None:
    with pytest.raises(KinedepthError, match="impossible"):
        from_fov(math.radians(fov), SIZE)


def test_guess_spans_the_longer_side() -> None:
    wide, tall = guessed((100, 200)), guessed((200, 100))
    assert wide.fx == pytest.approx(tall.fx) == pytest.approx(100 / math.tan(math.radians(30)))


def test_camera_is_described() -> None:
    assert described(Calibration(*NORMAL), SIZE) == "FOV 82 x 29 degrees, centre 0.49/0.46, plausible"


@pytest.mark.parametrize(
    ("camera", "doubt"),
    [
        (Calibration(0.58, 0.58, 0.5, 0.5), "not square"),
        (Calibration(20.0, 20.0, 319.5, 95.5, 640, 192), "no usual lens"),
        (Calibration(370.0, 370.0, 50.0, 95.5, 640, 192), "far from the middle"),
    ],
)
def test_implausible_camera_is_doubted(camera: Calibration, doubt: str) -> None:
    assert re.search(f"NOT plausible: .*{doubt}", described(checked(camera, "K"), SIZE))


REAL = ("kitti_raw_0095", "kitti_odometry_00", "kitti_depth_0001", "kitti_static_camera", "dashcam_udacity")


@pytest.mark.parametrize("folder", REAL)
def test_real_intrinsics(folder: str, real_data_root: Path) -> None:
    path = real_data_root / folder / "intrinsics.json"
    known = json.loads(path.read_text())
    camera = read_intrinsics(path)
    assert (camera.width, camera.height) == (known["width"], known["height"])
    assert (camera.fx, camera.cy) == (known["K"][0][0], known["K"][1][2])
    assert ", plausible" in described(camera, (camera.height, camera.width))
    assert (camera.lens is not None) == any("distortion" in key for key in known)


def test_real_normalized_form_agrees_with_its_pixels(real_data_root: Path) -> None:
    known = json.loads((real_data_root / "kitti_odometry_00" / "intrinsics.json").read_text())
    size = (known["height"], known["width"])
    camera = read_intrinsics(json.dumps(known["K_normalised"])).resized(size)
    assert (camera.fx, camera.fy, camera.cx, camera.cy) == pytest.approx(
        (known["fx"], known["fy"], known["cx"], known["cy"])
    )


def test_real_kitti_calibration(real_data_root: Path) -> None:
    path = real_data_root / "kitti_depth_0001" / "calib" / "calib_cam_to_cam.txt"
    known = json.loads((real_data_root / "kitti_depth_0001" / "intrinsics.json").read_text())
    two, three = read_kitti(path, 2), read_kitti(path, 3)
    assert two.calibration.fx == pytest.approx(known["fx"])
    assert three.offset - two.offset == pytest.approx(known["baseline_m"], abs=1e-4)
