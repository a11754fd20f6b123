import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from PIL import Image

from kinedepth.data.moments import Lens
from kinedepth.data.samples import Samples
from kinedepth.data.source import Given, open_source
from kinedepth.data.synthetic import DriveSettings, read_truth, write_drive
from kinedepth.errors import KinedepthError
from kinedepth.scene import Inputs

Pictures = Callable[..., list[Path]]
Film = Callable[..., Path]
KNOWN = {
    "width": 96,
    "height": 64,
    "fx": 60.0,
    "fy": 60.0,
    "cx": 47.5,
    "cy": 31.5,
    "fps": 10,
    "baseline_m": 0.5,
}


def test_video(tmp_path: Path, film: Film) -> None:
    source = open_source(film(tmp_path / "my drive.mp4", count=8, fps=12))
    assert (source.kind, source.count, source.size) == ("a video", 8, (64, 96))
    assert [m.name for m in source.moments()][:2] == ["my drive/000001", "my drive/000002"]
    assert "96x64 at 12 frames/s" in source.summary()


def test_unknown_camera_is_said_to_be_a_guess(tmp_path: Path, film: Film) -> None:
    source = open_source(film(tmp_path / "a.mp4"))
    assert source.guessed
    assert "GUESSED 60 degrees" in source.summary()
    assert "FOV 60 x" in source.summary()


def test_given_field_of_view_is_no_guess(tmp_path: Path, film: Film) -> None:
    source = open_source(film(tmp_path / "a.mp4"), Given(fov_degrees=81.0))
    assert not source.guessed
    assert "FOV 81 x" in source.summary()


def test_given_intrinsics_come_first(tmp_path: Path, pictures: Pictures) -> None:
    pictures(tmp_path / "images")
    (tmp_path / "intrinsics.json").write_text(json.dumps(KNOWN))
    source = open_source(tmp_path, Given("0.7 1.05 0.5 0.5"))
    assert source.sequences[0].calibration.fx == 0.7
    assert open_source(tmp_path).sequences[0].calibration.fx == 60.0


@pytest.mark.parametrize("pointed", ["", "images"])
def test_drive_with_its_camera(pointed: str, tmp_path: Path, pictures: Pictures) -> None:
    pictures(tmp_path / "town" / "images")
    pictures(tmp_path / "town" / "right")
    (tmp_path / "town" / "intrinsics.json").write_text(json.dumps(KNOWN))
    source = open_source(tmp_path / "town" / pointed)
    (sequence,) = source.sequences
    assert (source.kind, sequence.name, sequence.fps, sequence.baseline) == ("a drive", "town", 10.0, 0.5)
    assert "beside the pictures" in source.summary()


def test_given_baseline_comes_first(tmp_path: Path, pictures: Pictures) -> None:
    pictures(tmp_path / "left")
    pictures(tmp_path / "right")
    assert open_source(tmp_path).sequences[0].baseline is None
    assert open_source(tmp_path, Given(baseline=0.3)).sequences[0].baseline == 0.3


def test_folder_of_folders_and_videos(tmp_path: Path, pictures: Pictures, film: Film) -> None:
    pictures(tmp_path / "day 1" / "am", 4)
    pictures(tmp_path / "day 1" / "pm" / "images", 5, (48, 80))
    film(tmp_path / "day 2" / "clip.mp4", count=6)
    source = open_source(tmp_path)
    assert {s.name: len(s.frames) for s in source.sequences} == {
        "day 1/am": 4,
        "day 1/pm": 5,
        "day 2/clip": 6,
    }
    assert len({m.name for m in source.moments()}) == 2 + 3 + 4
    assert "3: day 1/am, day 1/pm, day 2/clip" in source.summary()


def test_kitti_raw_root(tmp_path: Path, pictures: Pictures) -> None:
    drive = tmp_path / "2011_09_26" / "2011_09_26_drive_0001_sync"
    pictures(drive / "image_02" / "data", 4)
    pictures(drive / "image_03" / "data", 4)
    (tmp_path / "2011_09_26" / "calib_cam_to_cam.txt").write_text(
        "S_rect_02: 96 64\nP_rect_02: 60 0 47 6 0 60 31 0 0 0 1 0\n"
        "S_rect_03: 96 64\nP_rect_03: 60 0 47 -24 0 60 31 0 0 0 1 0\n"
    )
    source = open_source(tmp_path)
    (sequence,) = source.sequences
    assert source.kind == "KITTI raw"
    assert sequence.name == "2011_09_26/2011_09_26_drive_0001_sync"
    assert (sequence.calibration.cx, sequence.baseline) == (47.0, 0.5)
    assert len(sequence.partners) == 4


def test_kitti_odometry_root(tmp_path: Path, pictures: Pictures) -> None:
    pictures(tmp_path / "sequences" / "00" / "image_2", 4)
    (tmp_path / "sequences" / "00" / "calib.txt").write_text(
        "P2: 60 0 47 6 0 60 31 0 0 0 1 0\nP3: 60 0 47 -24 0 60 31 0 0 0 1 0\n"
    )
    source = open_source(tmp_path)
    assert source.kind == "KITTI odometry"
    assert source.sequences[0].calibration.width == 96


def test_broken_camera_beside_the_pictures_is_refused(tmp_path: Path, pictures: Pictures) -> None:
    pictures(tmp_path)
    (tmp_path / "intrinsics.json").write_text('{"width": 96, "height": 64, "fx": 60, "fy"')
    with pytest.raises(KinedepthError, match="intrinsics.json is not valid JSON"):
        open_source(tmp_path)


def test_camera_of_other_proportions_is_noted(tmp_path: Path, pictures: Pictures) -> None:
    pictures(tmp_path, size=(64, 64))
    (tmp_path / "intrinsics.json").write_text(json.dumps(KNOWN))
    assert "for 96x64 but the pictures of" in open_source(tmp_path).summary()
    assert "are 64x64, of other proportions" in open_source(tmp_path).summary()


def test_a_lens_is_undone_in_every_frame(tmp_path: Path, film: Film) -> None:
    film(tmp_path / "a.mp4", count=4)
    lens = {"distortion_k1k2p1p2k3": [-0.2, 0.05, 0, 0, 0.01]}
    (tmp_path / "intrinsics.json").write_text(json.dumps(KNOWN | lens))
    source = open_source(tmp_path / "a.mp4")
    (sequence,) = source.sequences
    assert "lens brown, undistorted when read" in source.summary()
    (rectified,) = {frame.rectified for frame in sequence.frames}
    assert rectified is not None
    assert rectified.raw.lens == Lens("brown", (-0.2, 0.05, 0.0, 0.0, 0.01))
    assert (rectified.raw.fx, rectified.raw.width, rectified.raw.height) == (60, 96, 64)
    assert sequence.calibration == rectified.pinhole
    assert sequence.calibration.lens is None


def test_a_lens_is_that_of_the_pictures_size(tmp_path: Path, film: Film) -> None:
    film(tmp_path / "a.mp4", count=4, size=(128, 192))
    (tmp_path / "intrinsics.json").write_text(json.dumps(KNOWN | {"distortion": [-0.2, 0.05, 0, 0]}))
    rectified = open_source(tmp_path / "a.mp4").sequences[0].frames[0].rectified
    assert rectified is not None
    assert (rectified.raw.fx, rectified.raw.width) == (120, 192)


def test_a_stereo_partner_is_taken_to_have_the_same_lens(tmp_path: Path, pictures: Pictures) -> None:
    pictures(tmp_path / "left")
    pictures(tmp_path / "right")
    (tmp_path / "intrinsics.json").write_text(json.dumps(KNOWN | {"distortion": [-0.2, 0.05, 0, 0]}))
    source = open_source(tmp_path)
    (sequence,) = source.sequences
    assert sequence.partners[0].rectified == sequence.frames[0].rectified
    assert "undistorted with the same lens" in source.summary()


YAML = """image_width: 96
image_height: 64
camera_matrix: {rows: 3, cols: 3, data: [61, 0, 47.5, 0, 61, 31.5, 0, 0, 1]}
"""
TEXTS = {
    "cam.txt": "61 0 47.5\n0 61 31.5\n0 0 1\n",
    "intrinsics.txt": "61 61 47.5 31.5",
    "calibration.yaml": YAML,
    "camera_info.yaml": YAML,
    "cameras.txt": "# CAMERA_ID, MODEL, WIDTH, HEIGHT, PARAMS[]\n1 PINHOLE 96 64 61 61 48 32\n",
    "sparse/0/cameras.txt": "1 SIMPLE_PINHOLE 96 64 61 48 32\n",
    "camera.json": json.dumps({"K": [[61, 0, 47.5], [0, 61, 31.5], [0, 0, 1]], "width": 96, "height": 64}),
}


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("place", ["trip", "trip/images", ""])
def test_a_camera_beside_the_pictures_is_found(
    name: str, place: str, tmp_path: Path, pictures: Pictures
) -> None:
    pictures(tmp_path / "trip" / "images")
    (tmp_path / place / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / place / name).write_text(TEXTS[name])
    source = open_source(tmp_path)
    assert source.sequences[0].calibration.resized((64, 96)).fx == pytest.approx(61)
    assert f"from {Path(name).name} beside the pictures" in source.summary()
    assert "plausible" in source.summary()


def test_the_nearest_camera_counts(tmp_path: Path, pictures: Pictures, film: Film) -> None:
    pictures(tmp_path / "a")
    film(tmp_path / "b" / "c.mp4")
    (tmp_path / "cam.txt").write_text(TEXTS["cam.txt"])
    (tmp_path / "b" / "cam.txt").write_text("70 0 47.5 0 70 31.5 0 0 1")
    assert [s.calibration.fx for s in open_source(tmp_path).sequences] == [61, 70]
    # Above where the user points nothing is looked for.
    assert open_source(tmp_path / "a").guessed


def test_exif_is_taken_where_nothing_else_is_known(tmp_path: Path, pictures: Pictures) -> None:
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0xA405] = 28
    for path in pictures(tmp_path, 3, ending="jpg"):
        with Image.open(path) as picture:
            picture.save(path, exif=exif)
    source = open_source(tmp_path)
    assert not source.guessed
    assert "from the EXIF of 000000.jpg: FOV 65 x" in source.summary()
    (tmp_path / "cam.txt").write_text(TEXTS["cam.txt"])
    assert "from cam.txt" in open_source(tmp_path).summary()


def test_each_run_of_one_size_is_a_sequence(tmp_path: Path, pictures: Pictures) -> None:
    pictures(tmp_path / "trip", 4)
    pictures(tmp_path / "trip", 2, (48, 64), start=4)
    pictures(tmp_path / "trip", 3, start=6)
    pictures(tmp_path / "trip", 3, (32, 48), start=9)
    (tmp_path / "trip" / "intrinsics.json").write_text(json.dumps(KNOWN))
    (tmp_path / "trip" / "times.txt").write_text(" ".join(f"{i / 10}" for i in range(12)))
    source = open_source(tmp_path / "trip")
    assert [(s.name, len(s.frames), s.size) for s in source.sequences] == [
        ("trip/96x64", 4, (64, 96)),
        ("trip/96x64-2", 3, (64, 96)),
        ("trip/48x32", 3, (32, 48)),
    ]
    assert source.sequences[1].times == (0.6, 0.7, 0.8)
    assert [frame.label for frame in source.sequences[1].frames] == ["000006", "000007", "000008"]
    assert source.sequences[2].calibration.resized((32, 48)).fx == 30
    assert "several sizes (7 of 96x64, 2 of 64x48, 3 of 48x32)" in source.summary()
    assert "left out, shorter than 3 pictures: 2 of 64x48" in source.summary()
    assert len({moment.name for moment in source.moments()}) == 4


def test_numbers_without_a_size_are_those_of_the_first(tmp_path: Path, pictures: Pictures) -> None:
    pictures(tmp_path, 3)
    pictures(tmp_path, 3, (32, 48), start=3)
    source = open_source(tmp_path, Given("60 60 47.5 31.5"))
    assert [s.calibration.resized(s.size).fx for s in source.sequences] == [60, 30]


def test_a_camera_for_one_of_two_proportions_is_noted(tmp_path: Path, pictures: Pictures) -> None:
    pictures(tmp_path, 3)
    pictures(tmp_path, 3, (96, 64), start=3)
    assert "/64x96 are 64x96, of other proportions" in open_source(tmp_path, Given("60 60 47 31")).summary()


def test_a_guess_is_made_for_each_size(tmp_path: Path, film: Film) -> None:
    film(tmp_path / "wide.mp4")
    film(tmp_path / "tall.mp4", size=(96, 64))
    tall, wide = open_source(tmp_path).sequences
    assert tall.calibration.fx == pytest.approx(tall.calibration.fy)
    assert wide.calibration.fx == pytest.approx(tall.calibration.fx)
    assert (tall.size, wide.size) == ((96, 64), (64, 96))


def test_sizes_that_change_all_the_time_are_refused(tmp_path: Path, pictures: Pictures) -> None:
    for start in range(6):
        pictures(tmp_path / "mix", 1, (64, 96) if start % 2 else (96, 64), start=start)
    with pytest.raises(KinedepthError, match=r"mix change their size all the time \(3 of 64x96, 3 of"):
        open_source(tmp_path / "mix")


def test_what_systems_leave_in_folders_is_no_picture(tmp_path: Path, pictures: Pictures) -> None:
    pictures(tmp_path / "a")
    for name in ("._000001.png", "Thumbs.db", ".DS_Store", "desktop.ini"):
        (tmp_path / "a" / name).write_bytes(b"no picture")
    for name in ("__MACOSX", "@eaDir", ".git"):
        pictures(tmp_path / name / "a")
    (sequence,) = open_source(tmp_path).sequences
    assert len(sequence.frames) == 5


@pytest.mark.parametrize("place", ["trip", "trip/images"])
def test_times_beside_the_pictures(place: str, tmp_path: Path, pictures: Pictures) -> None:
    pictures(tmp_path / "trip" / "images", 4)
    (tmp_path / "trip" / "times.txt").write_text("0\n1.0e-1\n0.2\n0.4\n")
    (sequence,) = open_source(tmp_path / place).sequences
    assert sequence.times == (0, 0.1, 0.2, 0.4)
    assert sequence.fps == pytest.approx(7.5)


def test_times_of_other_pictures_are_not_taken(tmp_path: Path, pictures: Pictures) -> None:
    pictures(tmp_path, 4)
    (tmp_path / "times.txt").write_text("0 0.1 0.2")
    assert open_source(tmp_path).sequences[0].times is None


def test_empty_folder(tmp_path: Path) -> None:
    with pytest.raises(KinedepthError, match="holds neither pictures nor videos"):
        open_source(tmp_path)


def test_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(KinedepthError, match="nothing at .*gone"):
        open_source(tmp_path / "gone")


def test_single_picture(tmp_path: Path, pictures: Pictures) -> None:
    with pytest.raises(KinedepthError, match="single picture"):
        open_source(pictures(tmp_path, 1)[0])


def test_text_file(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello " * 50)
    with pytest.raises(KinedepthError, match="notes.txt is not a video"):
        open_source(tmp_path / "notes.txt")


def test_pictures_beside_videos(tmp_path: Path, pictures: Pictures, film: Film) -> None:
    pictures(tmp_path)
    film(tmp_path / "a.mp4")
    with pytest.raises(KinedepthError, match="pictures and videos"):
        open_source(tmp_path)


def test_short_sequence_among_others_is_named(tmp_path: Path, pictures: Pictures) -> None:
    pictures(tmp_path / "long", 6)
    pictures(tmp_path / "short", 2)
    with pytest.raises(KinedepthError, match="sequence short has 2 frames"):
        open_source(tmp_path).moments()


@pytest.mark.parametrize(
    ("folder", "stereo", "truth"),
    [
        ("kitti_raw_0095/images", False, False),
        ("kitti_odometry_00", False, False),
        ("kitti_depth_0001", True, True),
        ("kitti_tracking_0005/left", True, False),
        ("kitti_static_camera", True, False),
        ("dashcam_udacity/test_video.mp4", False, False),
    ],
)
def test_real_folders(folder: str, stereo: bool, truth: bool, real_data_root: Path) -> None:
    source = open_source(real_data_root / folder)
    (sequence,) = source.sequences
    assert not source.guessed
    assert ", plausible" in source.summary()
    assert bool(sequence.partners) == stereo
    assert all((s.baseline is not None) == stereo for s in source.sequences)
    assert bool(sequence.truths) == truth
    assert len(source.moments()) == source.count - 2


@pytest.fixture(scope="module", params=["images", "video"])
def rendered(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A synthetic drive as files."""
    settings = DriveSettings(frames=4, size=(32, 64), fps=8.0)
    path = tmp_path_factory.mktemp("world") / "drive one"
    write_drive(settings, path, video=request.param == "video", stereo=True)
    return path


def test_synthetic_drive_is_a_source_like_any_other(rendered: Path) -> None:
    source = open_source(rendered)
    (sequence,) = source.sequences
    assert (source.count, source.size, sequence.fps) == (4, (32, 64), pytest.approx(8))
    assert (sequence.baseline, source.guessed) == (0.54, False)
    assert all(truth is not None and truth.kind == "npz" for truth in sequence.truths)
    assert sequence.poses == rendered / "truth" / "poses.txt"


def test_synthetic_truth_reaches_the_sample(rendered: Path) -> None:
    inputs = Inputs((-1, 1), frozenset({"stereo", "instances", "semantics"}))
    samples = Samples(open_source(rendered).moments(), inputs, (32, 64), truth=True)
    known = read_truth(rendered, 2)
    assert torch.equal(samples[1].depth[0], torch.from_numpy(known.depth))
    assert (samples[1].target.instances.numpy() == known.instances).all()
    assert (samples[1].target.semantics.numpy() == known.classes).all()
    assert [view.offset for view in samples[1].sources] == [-1, 1, 0]


def test_drive_found_from_above_has_no_extra_sequences(rendered: Path) -> None:
    (sequence,) = open_source(rendered.parent).sequences
    assert sequence.name.startswith("drive one")
    assert len(sequence.partners) == 4


def test_truth_beside_several_videos_belongs_to_none(tmp_path: Path, film: Film) -> None:
    film(tmp_path / "a.mp4")
    film(tmp_path / "b.mp4")
    (tmp_path / "truth").mkdir()
    (tmp_path / "truth" / "000001.npz").touch()
    assert not any(sequence.truths for sequence in open_source(tmp_path).sequences)
