"""Files of other programs, written by hand, all of the same camera."""

import json
import math
import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from kinedepth.data.camera_files import (
    described,
    from_exif,
    from_focal_35mm,
    from_focal_mm,
    read_intrinsics,
)
from kinedepth.data.moments import Calibration, Lens
from kinedepth.errors import KinedepthError

SIZE = (720, 1280)
FX, FY, CX, CY = 800.0, 790.0, 650.25, 350.5
PLAIN = Calibration(FX, FY, CX, CY, 1280, 720)
BROWN = Lens("brown", (-0.25, 0.06, 0.001, -0.0005, 0.02))
BROWN4 = Lens("brown", (-0.25, 0.06, 0.001, -0.0005))
RATIONAL = Lens("brown", (-0.25, 0.06, 0.001, -0.0005, 0.02, 0.1, -0.02, 0.003))
FISHEYE = Lens("fisheye", (0.05, -0.01, 0.002, -0.0003))
K9 = f"[{FX}, 0.0, {CX}, 0.0, {FY}, {CY}, 0.0, 0.0, 1.0]"


def listed(lens: Lens) -> str:
    return ", ".join(map(repr, lens.coefficients))


def spaced(lens: Lens) -> str:
    return " ".join(map(repr, lens.coefficients))


def ros(model: str, coefficients: str, count: int) -> str:
    return (
        "image_width: 1280\nimage_height: 720\ncamera_name: front\n"
        f"camera_matrix:\n  rows: 3\n  cols: 3\n  data: {K9}\n"
        f"distortion_model: {model}\ndistortion_coefficients:\n  rows: 1\n  cols: {count}\n"
        f"  data: [{coefficients}]\n"
        "rectification_matrix:\n  rows: 3\n  cols: 3\n  data: [1, 0, 0, 0, 1, 0, 0, 0, 1]\n"
        "projection_matrix:\n  rows: 3\n  cols: 4\n  data: [1, 0, 1, 0, 0, 1, 1, 0, 0, 0, 1, 0]\n"
    )


def kalibr(model: str, coefficients: str) -> str:
    return (
        "cam0:\n  cam_overlaps: []\n  camera_model: pinhole\n"
        f"  distortion_coeffs: [{coefficients}]\n  distortion_model: {model}\n"
        f"  intrinsics: [{FX}, {FY}, {CX}, {CY}]\n  resolution: [1280, 720]\n  rostopic: /cam0/image_raw\n"
    )


def storage(*more: str, header: str = "%YAML:1.0") -> str:
    return "\n".join(
        [
            *(header, "---", "image_width: 1280", "image_height: 720"),
            *("camera_matrix: !!opencv-matrix", "   rows: 3", "   cols: 3", "   dt: d", f"   data: {K9}"),
            *("distortion_coefficients: !!opencv-matrix", "   rows: 5", "   cols: 1", "   dt: d"),
            *(f"   data: [ {listed(BROWN)} ]", *more, ""),
        ]
    )


def colmap(row: str) -> str:
    return f"# Camera list with one line of data per camera:\n# Number of cameras: 1\n{row}\n"


# COLMAP's centre of the first pixel is half a pixel from the corner.
HALF = f"{CX + 0.5} {CY + 0.5}"

CITYSCAPES = {
    "extrinsic": {
        "baseline": 0.209313,
        "pitch": 0.038,
        "roll": 0.0,
        "x": 1.7,
        "y": 0.1,
        "yaw": 0.0,
        "z": 1.2,
    },
    "intrinsic": {"fx": 2262.52, "fy": 2265.3, "u0": 1096.98, "v0": 513.137},
}

XML = f"""<?xml version="1.0"?>
<opencv_storage>
<image_width>1280</image_width> <image_height>720</image_height>
<camera_matrix type_id="opencv-matrix"><rows>3</rows><cols>3</cols><dt>d</dt>
  <data>{FX} 0. {CX} 0. {FY} {CY} 0. 0. 1.</data></camera_matrix>
<distortion_coefficients type_id="opencv-matrix"><rows>5</rows><cols>1</cols><dt>d</dt>
  <data>{spaced(BROWN)}</data></distortion_coefficients>
</opencv_storage>
"""

OURS = {"width": 1280, "height": 720, "K": [[FX, 0, CX], [0, FY, CY], [0, 0, 1]]}
FOUR = {"k1": -0.25, "k2": 0.06, "p1": 0.001, "p2": -0.0005}
ENTRIES = FOUR | {"k3": 0.02}
KNOWN = {"width": 1280, "height": 720, "fx": FX, "fy": FY, "cx": CX, "cy": CY}


def ours(**more: object) -> str:
    return json.dumps(OURS | more)


FORMS: dict[str, tuple[str, Lens | None]] = {
    "ours_plain.json": (ours(), None),
    "ours.json": (ours(distortion=BROWN.coefficients), BROWN),
    "ours_null.json": (ours(distortion=None), None),
    "ours_none.json": (ours(distortion=[0.1, 0, 0, 0], distortion_model="none"), None),
    "ours_zeros.json": (ours(distortion=[0, 0, 0, 0, 0]), None),
    "ours_named.json": (ours(distortion_k1k2p1p2k3=BROWN.coefficients), BROWN),
    "ours_reordered.json": (ours(distortion_k1k2k3p1p2=[-0.25, 0.06, 0.02, 0.001, -0.0005]), BROWN),
    "ours_entries.json": (json.dumps(KNOWN | ENTRIES), BROWN),
    "ours_nested.json": (ours(distortion=FOUR), BROWN4),
    "ours_fisheye.json": (
        ours(distortion_coefficients=FISHEYE.coefficients, distortion_model="fisheye"),
        FISHEYE,
    ),
    "ours_straight_fisheye.json": (
        ours(distortion=[0, 0, 0, 0], distortion_model="Kannala-Brandt"),
        Lens("fisheye", (0.0, 0.0, 0.0, 0.0)),
    ),
    "ours_column.json": (ours(dist_coeffs=[[value] for value in BROWN4.coefficients]), BROWN4),
    "ours_twelve.json": (ours(distortion=[*RATIONAL.coefficients, 0, 0, 0, 0]), RATIONAL),
    "ours_fourteen.json": (ours(distortion=[*BROWN.coefficients, *[0.0] * 9]), BROWN),
    "ours.yaml": (
        f"width: 1280\nheight: 720\nfx: {FX}\nfy: {FY}\ncx: {CX}\ncy: {CY}\ndistortion: [{listed(BROWN)}]\n",
        BROWN,
    ),
    "opencv.yml": (storage(), BROWN),
    "opencv5.yml": (storage(header="%YAML 1.2"), BROWN),
    "opencv_fisheye.yml": (
        storage("fisheye_model: 1").replace(listed(BROWN), listed(FISHEYE)).replace("rows: 5", "rows: 4"),
        FISHEYE,
    ),
    "opencv.xml": (XML, BROWN),
    "ros.yaml": (ros("plumb_bob", listed(BROWN), 5), BROWN),
    "ros_rational.yaml": (ros("rational_polynomial", listed(RATIONAL), 8), RATIONAL),
    "ros_equidistant.yaml": (ros("equidistant", listed(FISHEYE), 4), FISHEYE),
    "ros_fisheye.yaml": (ros("fisheye", listed(FISHEYE), 4), FISHEYE),
    "ros_exponent.yaml": (ros("plumb_bob", "-25e-2, 6e-2, 1e-3, -5e-4, 2e-2", 5), BROWN),
    "ros_message.yaml": (
        f"header: {{seq: 1}}\nheight: 720\nwidth: 1280\ndistortion_model: plumb_bob\n"
        f"D: [{listed(BROWN)}]\nK: {K9}\nR: [1, 0, 0, 0, 1, 0, 0, 0, 1]\n---\n",
        BROWN,
    ),
    "ros2_message.yaml": (
        f"height: 720\nwidth: 1280\ndistortion_model: ''\nd: []\nk: {K9}\nbinning_x: 0\n",
        None,
    ),
    "kalibr.yaml": (kalibr("radtan", listed(BROWN4)), BROWN4),
    "kalibr_equidistant.yaml": (kalibr("equidistant", listed(FISHEYE)), FISHEYE),
    "kalibr_none.yaml": (kalibr("none", ""), None),
    "cameras.txt": (colmap(f"1 PINHOLE 1280 720 {FX} {FY} {HALF}"), None),
    "cameras_opencv.txt": (colmap(f"3 OPENCV 1280 720 {FX} {FY} {HALF} {spaced(BROWN4)}"), BROWN4),
    "cameras_full.txt": (colmap(f"1 FULL_OPENCV 1280 720 {FX} {FY} {HALF} {spaced(RATIONAL)}"), RATIONAL),
    "cameras_fisheye.txt": (
        colmap(f"1 OPENCV_FISHEYE 1280 720 {FX} {FY} {HALF} {spaced(FISHEYE)}"),
        FISHEYE,
    ),
    "cameras_equal.txt": (
        colmap(f"1 PINHOLE 1280 720 {FX} {FY} {HALF}\n2 PINHOLE 1280 720 {FX} {FY} {HALF}"),
        None,
    ),
    "sfmlearner_cam.txt": (f"{FX},0.,{CX},0.,{FY},{CY},0.,0.,1.", None),
    "manydepth.json": (
        json.dumps([[FX / 1280, 0, (CX + 0.5) / 1280], [0, FY / 720, (CY + 0.5) / 720], [0, 0, 1]]),
        None,
    ),
}


@pytest.mark.parametrize("name", FORMS)
def test_every_form_means_the_same_camera(name: str, tmp_path: Path) -> None:
    text, lens = FORMS[name]
    (tmp_path / name).write_text(text)
    camera = read_intrinsics(tmp_path / name, SIZE).resized(SIZE)
    assert (camera.fx, camera.fy, camera.cx, camera.cy) == pytest.approx((FX, FY, CX, CY))
    assert (camera.lens is None) == (lens is None)
    if lens is not None and camera.lens is not None:
        assert camera.lens.model == lens.model
        assert camera.lens.coefficients == pytest.approx(lens.coefficients)


OWN_SIZE = sorted(FORMS.keys() - {"sfmlearner_cam.txt", "manydepth.json"})


@pytest.mark.parametrize("name", OWN_SIZE)
def test_a_form_that_says_its_size_needs_no_other(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(FORMS[name][0])
    camera = read_intrinsics(tmp_path / name, (90, 160))
    assert (camera.width, camera.height, camera.fx) == (1280, 720, FX)


@pytest.mark.parametrize(
    ("row", "camera"),
    [
        ("SIMPLE_PINHOLE 640 480 500 320 240", Calibration(500.0, 500.0, 319.5, 239.5, 640, 480)),
        (
            "SIMPLE_RADIAL 640 480 500 320 240 -0.1",
            Calibration(500.0, 500.0, 319.5, 239.5, 640, 480, Lens("brown", (-0.1, 0.0, 0.0, 0.0))),
        ),
        (
            "RADIAL 640 480 500 320 240 -0.1 0.02",
            Calibration(500.0, 500.0, 319.5, 239.5, 640, 480, Lens("brown", (-0.1, 0.02, 0.0, 0.0))),
        ),
        (
            "SIMPLE_RADIAL_FISHEYE 640 480 500 320 240 -0.1",
            Calibration(500.0, 500.0, 319.5, 239.5, 640, 480, Lens("fisheye", (-0.1, 0.0, 0.0, 0.0))),
        ),
        (
            "RADIAL_FISHEYE 640 480 500 320 240 -0.1 0.02",
            Calibration(500.0, 500.0, 319.5, 239.5, 640, 480, Lens("fisheye", (-0.1, 0.02, 0.0, 0.0))),
        ),
    ],
)
def test_colmap_models_with_one_focal_length(row: str, camera: Calibration, tmp_path: Path) -> None:
    (tmp_path / "cameras.txt").write_text(colmap(f"1 {row}"))
    assert read_intrinsics(tmp_path / "cameras.txt") == camera


def binary(number: int, *parameters: float) -> bytes:
    return struct.pack(f"<QiiQQ{len(parameters)}d", 1, 7, number, 1280, 720, *parameters)


@pytest.mark.parametrize("below", [".", "sparse/0"])
def test_folder_of_colmap(below: str, tmp_path: Path) -> None:
    folder = tmp_path / below
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "cameras.bin").write_bytes(binary(4, FX, FY, CX + 0.5, CY + 0.5, *BROWN4.coefficients))
    assert read_intrinsics(tmp_path) == Calibration(FX, FY, CX, CY, 1280, 720, BROWN4)


def test_cityscapes_is_of_its_own_size(tmp_path: Path) -> None:
    (tmp_path / "aachen_000000_000019_camera.json").write_text(json.dumps(CITYSCAPES))
    camera = read_intrinsics(tmp_path / "aachen_000000_000019_camera.json", (512, 1024))
    assert camera == Calibration(2262.52, 2265.3, 1096.98, 513.137, 2048, 1024)
    assert described(camera, (512, 1024)) == "FOV 49 x 25 degrees, centre 0.54/0.50, plausible"


@pytest.mark.parametrize("ending", ["yml", "yaml", "xml", "json"])
def test_what_opencv_itself_writes(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"camera.{ending}"
    file = cv2.FileStorage(str(path), cv2.FILE_STORAGE_WRITE)
    file.write("calibration_time", "Sun Mar  1 12:00:00 2026")
    file.write("camera_matrix", np.array(OURS["K"]))
    file.write("dist_coeffs", np.array([BROWN.coefficients]))
    file.write("image_width", 1280)
    file.write("image_height", 720)
    file.release()
    assert read_intrinsics(path) == Calibration(FX, FY, CX, CY, 1280, 720, BROWN)


def test_npz_of_a_calibration(tmp_path: Path) -> None:
    np.savez(tmp_path / "c.npz", mtx=np.array(OURS["K"]), dist=np.array([BROWN.coefficients]))
    assert read_intrinsics(tmp_path / "c.npz", SIZE) == Calibration(FX, FY, CX, CY, 1280, 720, BROWN)


STORY = {
    "pixels.txt": f"{FX} 0 {CX}\n0 {FY} {CY}\n0 0 1\n",
    "normalized.json": FORMS["manydepth.json"][0],
    "4x4.txt": f"{FX} 0 {CX} 0\n0 {FY} {CY} 0\n0 0 1 0\n0 0 0 1\n",
    "ours.json": FORMS["ours_plain.json"][0],
    "cameras.txt": FORMS["cameras.txt"][0],
    "cam.yaml": FORMS["kalibr_none.yaml"][0],
}


@pytest.mark.parametrize("name", STORY)
@pytest.mark.parametrize("size", [SIZE, (360, 640)])
def test_every_form_is_described_alike(name: str, size: tuple[int, int], tmp_path: Path) -> None:
    (tmp_path / name).write_text(STORY[name])
    text = described(read_intrinsics(tmp_path / name, SIZE), size)
    assert text == "FOV 77 x 49 degrees, centre 0.51/0.49, plausible"


def test_a_lens_is_described_with_what_it_sees() -> None:
    # r - 0.24 r^3 = 0.64 at r = 0.7355, where a pinhole of this focal length would see 65 degrees.
    camera = Calibration(1000.0, 1000.0, 639.5, 359.5, 1280, 720, Lens("brown", (-0.24, 0.0, 0.0, 0.0)))
    assert (
        described(camera, SIZE) == "FOV 73 x 41 degrees, centre 0.50/0.50, plausible, lens brown (k1 -0.24)"
    )


def test_a_fisheye_may_see_half_the_world() -> None:
    focal = 1280 / math.pi
    camera = Calibration(focal, focal, 639.5, 359.5, 1280, 720, Lens("fisheye", (0.0, 0.0, 0.0, 0.0)))
    assert described(camera, SIZE).startswith(
        "FOV 180 x 101 degrees, centre 0.50/0.50, plausible, lens fisheye"
    )


def test_a_lens_that_folds_is_doubted() -> None:
    camera = Calibration(FX, FX, 639.5, 359.5, 1280, 720, Lens("brown", (-0.9, 0.0, 0.0, 0.0)))
    assert described(camera, SIZE).startswith(
        "FOV 77 x 48 degrees, centre 0.50/0.50, NOT plausible: the lens folds"
    )


# Optics.


@pytest.mark.parametrize(
    ("text", "focal"),
    [
        ("80deg", 640 / math.tan(math.radians(40))),
        ("80 degrees", 640 / math.tan(math.radians(40))),
        (" 80°\n", 640 / math.tan(math.radians(40))),
        ("24mm", 24 * math.hypot(1280, 720) / math.hypot(36, 24)),
        ("4.25mm/5.6mm", 4.25 / 5.6 * 1280),
        ("4.25 mm / 5.6 mm", 4.25 / 5.6 * 1280),
        ('{"focal_mm": 4.25, "sensor_width_mm": 5.6}', 4.25 / 5.6 * 1280),
        ('{"focal_35mm": 24}', 24 * math.hypot(1280, 720) / math.hypot(36, 24)),
        ('{"fov_degrees": 80, "width": 640, "height": 360}', 320 / math.tan(math.radians(40))),
    ],
)
@pytest.mark.parametrize("as_file", [False, True])
def test_optics(text: str, focal: float, as_file: bool, tmp_path: Path) -> None:
    given: Path | str = text
    if as_file:
        given = tmp_path / "optics.txt"
        given.write_text(text, encoding="utf-8")
    camera = read_intrinsics(given, SIZE)
    assert (camera.fx, camera.fy) == pytest.approx((focal, focal))
    assert (camera.cx, camera.cy) == ((camera.width - 1) / 2, (camera.height - 1) / 2)


def test_a_sensor_held_upright() -> None:
    wide, tall = from_focal_mm(4.25, 5.6, (720, 1280)), from_focal_mm(4.25, 5.6, (1280, 720))
    assert wide.fx == pytest.approx(tall.fx)
    assert from_focal_35mm(24.0, (720, 1280)).fx == from_focal_35mm(24.0, (1280, 720)).fx


@pytest.mark.parametrize(
    ("size", "fx", "fy"), [((600, 800), 4 / 5 * 800, 4 / 3 * 600), ((800, 600), 4 / 3 * 600, 4 / 5 * 800)]
)
def test_both_sides_of_a_sensor(size: tuple[int, int], fx: float, fy: float) -> None:
    camera = from_focal_mm(4.0, (5.0, 3.0), size)
    assert (camera.fx, camera.fy) == pytest.approx((fx, fy))


def test_full_frame_and_its_equivalent_agree() -> None:
    assert from_focal_mm(50.0, (36.0, 24.0), (400, 600)).fx == pytest.approx(
        from_focal_35mm(50.0, (400, 600)).fx
    )


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("0mm", "focal length of 0 mm"),
        ("0mm/5mm", "focal length of 0 mm"),
        ("4mm/0mm", "sensor of 0 mm"),
        ("190deg", "190 degrees is impossible"),
        ('{"focal_mm": 4.25}', "add sensor_width_mm"),
        ('{"focal_mm": "four", "sensor_width_mm": 5.6}', "a number as focal_mm"),
    ],
)
def test_impossible_optics(text: str, words: str) -> None:
    with pytest.raises(KinedepthError, match=words):
        read_intrinsics(text, SIZE)


def test_optics_need_a_size() -> None:
    with pytest.raises(KinedepthError, match="add width and height"):
        read_intrinsics("80deg")


def photograph(path: Path, size: tuple[int, int], entries: dict[int, object], turned: bool = False) -> Path:
    exif = Image.Exif()
    if turned:
        exif[0x0112] = 6
    exif.get_ifd(0x8769).update(entries)
    Image.new("RGB", size[::-1]).save(path, exif=exif)
    return path


FOCAL, FILM, PLANE_X, UNIT, WIDTH = 0x920A, 0xA405, 0xA20E, 0xA210, 0xA002


@pytest.mark.parametrize(
    ("entries", "focal"),
    [
        ({FILM: 24}, 24 * math.hypot(80, 60) / math.hypot(36, 24)),
        ({FILM: 24, FOCAL: 4.25, PLANE_X: 100.0}, 24 * math.hypot(80, 60) / math.hypot(36, 24)),
        ({FOCAL: 4.0, PLANE_X: 254.0, UNIT: 2}, 40.0),
        ({FOCAL: 4.0, PLANE_X: 254.0}, 40.0),
        ({FOCAL: 4.0, PLANE_X: 100.0, UNIT: 3}, 40.0),
        ({FOCAL: 4.0, PLANE_X: 100.0, UNIT: 3, WIDTH: 160}, 20.0),
    ],
)
@pytest.mark.parametrize("turned", [False, True])
def test_exif(entries: dict[int, object], focal: float, turned: bool, tmp_path: Path) -> None:
    path = photograph(tmp_path / "a b ä.jpg", (60, 80), entries, turned)
    camera = from_exif(path, (80, 60) if turned else (60, 80))
    assert camera is not None
    assert camera.fx == camera.fy == pytest.approx(focal, rel=1e-5)


def test_exif_for_resized_pictures(tmp_path: Path) -> None:
    path = photograph(tmp_path / "a.jpg", (60, 80), {FOCAL: 4.0, PLANE_X: 254.0})
    camera = from_exif(path, (120, 160))
    assert camera is not None
    assert (camera.fx, camera.cx) == pytest.approx((80.0, 79.5))


@pytest.mark.parametrize("entries", [{}, {FILM: 0}, {FOCAL: 4.25}, {FOCAL: 4.25, PLANE_X: 9.0, UNIT: 77}])
def test_exif_that_says_too_little(entries: dict[int, object], tmp_path: Path) -> None:
    assert from_exif(photograph(tmp_path / "a.jpg", (60, 80), entries), (60, 80)) is None


@pytest.mark.parametrize("content", [b"", b"no picture", b"\xff\xd8\xff\xe1\x00\x10Exif\x00\x00II*\x00"])
def test_exif_of_no_picture(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(content)
    assert from_exif(tmp_path / "a.jpg", (60, 80)) is None


@pytest.mark.parametrize("cut", [6, 12, 20])
def test_exif_that_is_damaged_is_passed_over_in_silence(cut: int, tmp_path: Path) -> None:
    whole = photograph(tmp_path / "a.jpg", (60, 80), {FILM: 24}).read_bytes()
    # The segment's payload ends early: what is left of it is filled up behind its end.
    (length,) = struct.unpack(">H", whole[whole.index(b"Exif") - 2 : whole.index(b"Exif")])
    end = whole.index(b"Exif") - 2 + length
    shorter = whole[: whole.index(b"Exif") - 2] + struct.pack(">H", length - cut)
    shorter += whole[whole.index(b"Exif") : end - cut] + whole[end:]
    (tmp_path / "b.jpg").write_bytes(shorter)
    assert from_exif(tmp_path / "b.jpg", (60, 80)) is None


# What is refused.

REFUSED: dict[str, tuple[str, str]] = {
    "city.json": ('{"intrinsic": {"fx": 2262, "u0": 1096}}', "intrinsic lacks fy, v0"),
    "half.yaml": ("width: 640\nheight: 480\nfx: 0.8\nfy: 500\ncx: 320\ncy: 240\n", "fx=0.8 as a fraction"),
    "six.json": (ours(distortion=[0.1, 0.1, 0, 0, 0, 0.1]), "6 distortion coefficients: .* 4 or 5 or 8"),
    "one.json": (ours(distortion=[0.1]), "1 distortion coefficients"),
    "named.json": (ours(distortion_k1k2p1p2k3=[0.1]), "1 numbers for k1, k2, p1, p2, k3"),
    "prism.json": (ours(distortion=[0.1] * 12), "thin prism"),
    "tilted.json": (ours(distortion=[0.1] * 14), "tilted sensor"),
    "five.json": (ours(distortion=[0.1] * 5, distortion_model="equidistant"), "kind fisheye has 4"),
    "mixed.json": (ours(k1=0.1, p1=0.1, distortion_model="fisheye"), "distortion p1: .* fisheye has k1, k2"),
    "nan.json": (ours(distortion=[float("nan"), 0, 0, 0]), "not finite"),
    "words.json": (ours(distortion=["a", 0, 0, 0]), "distortion coefficients as numbers"),
    "model.json": (
        ours(distortion=[0.1] * 4, distortion_model="ftheta"),
        "kind ftheta, which is not known: plumb_bob",
    ),
    "omni.yaml": (kalibr("radtan", listed(BROWN4)).replace("pinhole", "omni"), "cam0 in .* kind omni"),
    "two.yaml": (
        kalibr("none", "") + kalibr("none", "").replace("cam0", "cam1").replace(str(FX), "900.0"),
        r"2 cameras that differ \(cam0, cam1\)",
    ),
    "list.yaml": ("- front\n- rear\n", "matrix of numbers"),
    "short.yaml": ("- 1\n- 2\n", "holds 2 numbers"),
    "empty.yaml": ("# nothing\n", "no known form"),
    "tabs.yaml": ("a:\n\t- b: [", "no known form"),
    "date.yaml": ("day: 2009-99-99\n", "no known form"),
    "object.yaml": ("K: !!python/object/apply:os.getcwd []\n", "no known form"),
    "keys.yaml": ("fx: 3\nname: front\n", "its keys are fx, name"),
    "long.json": (json.dumps({f"key{i}": i for i in range(40)}), "key11 and 28 more"),
    "matrix.yaml": ("camera_matrix: {rows: 3, cols: 3, data: [1, 2]}\nwidth: 4\nheight: 3\n", "2 numbers"),
    "string.json": ('{"K": "front"}', "its keys are K"),
    "size.json": (json.dumps(KNOWN | {"width": "wide"}), "width in .* is 'wide'"),
    "infinite.json": (json.dumps(KNOWN | {"width": float("inf")}), "width in .* is inf"),
    "cut.yml": (storage()[:140], "or damaged"),
    "no_columns.yml": (storage().replace("   cols: 3\n", "").replace("800.0", "[]"), "matrix of numbers"),
    "cut.xml": (XML[:300], "whole"),
    "no.xml": ("<?xml version='1.0'?><camera/>", "no.xml"),
    "prose.txt": ("Dear reader, the camera was a nice one.\n", "no known form: give K as"),
    "prose2.txt": ("camera: a nice one: with three parts\n", "no known form"),
    "deep.json": ("[" * 100_000, "deep.json"),
    "cameras.txt": (colmap("1 FOV 640 480 500 500 320 240 0.9"), "model FOV, which is not known: SIMPLE_PIN"),
    "cameras_count.txt": (colmap("1 PINHOLE 640 480 500 320 240"), "3 parameters for PINHOLE: it has 4"),
    "cameras_word.txt": (colmap("1 PINHOLE 640 480 500 320 240 x"), "no camera of COLMAP's: 1 PINHOLE"),
    "cameras_zero.txt": (colmap("1 PINHOLE 0 480 500 500 320 240"), "0x480"),
    "cameras_two.txt": (
        colmap("1 SIMPLE_PINHOLE 640 480 500 320 240\n4 SIMPLE_PINHOLE 640 480 600 320 240"),
        r"2 cameras that differ \(1, 4\)",
    ),
    "cameras_nan.txt": (colmap("1 PINHOLE 640 480 nan 500 320 240"), "fx=nan"),
    "calib.txt": ("P2: 1 0 a b\n", "damaged calibration of KITTI"),
    "calib_cam_to_cam.txt": ("P_rect_02: 1 0 1 0 0 1 1 0 0 0 1 0\n", "damaged calibration of KITTI"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_bad_file_is_refused_in_a_sentence(name: str, tmp_path: Path) -> None:
    text, words = REFUSED[name]
    (tmp_path / name).write_text(text)
    with pytest.raises(KinedepthError, match=words) as refusal:
        read_intrinsics(tmp_path / name, SIZE)
    assert name in str(refusal.value)
    assert "\n" not in str(refusal.value)


JUNK = {
    "junk.bin": b"\x01\x00\x00\x00\x00\x00\x00\x00junk",
    "empty.bin": b"",
    "none.bin": bytes(8),
    "model.bin": binary(99),
    "junk.npy": b"\x93NUMPY junk",
    "empty.npy": b"",
    "junk.npz": b"PK\x03\x04junk",
    "junk.yaml": bytes(range(256)),
    "nul.txt": b"\x00\x01\x02\x00",
}


@pytest.mark.parametrize("name", JUNK)
def test_junk_is_refused_in_a_sentence(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(JUNK[name])
    with pytest.raises(KinedepthError, match=name):
        read_intrinsics(tmp_path / name, SIZE)


def test_folder_without_cameras(tmp_path: Path) -> None:
    with pytest.raises(KinedepthError, match=r"without a cameras\.txt"):
        read_intrinsics(tmp_path)


def test_video_given_by_mistake(tmp_path: Path) -> None:
    with (tmp_path / "film.txt").open("wb") as file:
        file.truncate(2**30)
    with pytest.raises(KinedepthError, match="too large"):
        read_intrinsics(tmp_path / "film.txt")


def test_real_dashcam_is_read_with_its_lens(real_data_root: Path) -> None:
    path = real_data_root / "dashcam_udacity" / "intrinsics.json"
    known = json.loads(path.read_text())
    assert read_intrinsics(path).lens == Lens("brown", tuple(known["distortion_k1k2p1p2k3"]))
