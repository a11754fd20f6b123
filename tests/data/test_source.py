import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

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
    assert source.baseline_known
    assert "beside the pictures" in source.summary()


def test_given_baseline_comes_first(tmp_path: Path, pictures: Pictures) -> None:
    pictures(tmp_path / "left")
    pictures(tmp_path / "right")
    assert not open_source(tmp_path).baseline_known
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
    assert "for 96x64 but the pictures are 64x64" in open_source(tmp_path).summary()


def test_distortion_is_said_to_stay(tmp_path: Path, film: Film) -> None:
    film(tmp_path / "a.mp4")
    (tmp_path / "intrinsics.json").write_text(json.dumps(KNOWN | {"distortion_k1k2p1p2k3": [0.1]}))
    assert "distortion in intrinsics.json is not corrected" in open_source(tmp_path / "a.mp4").summary()


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
    assert source.baseline_known == stereo
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
