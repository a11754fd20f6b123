import gzip
from pathlib import Path

import pytest

from kinedepth.data import kitti
from kinedepth.data.kitti import Line, Wanted, odometry_moments, raw_moments, split_lines, split_names
from kinedepth.errors import KinedepthError

DRIVE = "2011_09_26/2011_09_26_drive_0022_sync"
CALIBRATION = """calib_time: 09-Jan-2012 13:57:47
S_rect_02: 1.242000e+03 3.750000e+02
P_rect_02: 7.215377e+02 0 6.095593e+02 4.485728e+01 0 7.215377e+02 1.728540e+02 0.21 0 0 1 0.0027
S_rect_03: 1.242000e+03 3.750000e+02
P_rect_03: 7.215377e+02 0 6.095593e+02 -3.395242e+02 0 7.215377e+02 1.728540e+02 2.19 0 0 1 0.0027
"""


def raw(root: Path, ending: str = "jpg", count: int = 6) -> Path:
    for camera in ("image_02", "image_03"):
        (root / DRIVE / camera / "data").mkdir(parents=True)
        for i in range(count):
            (root / DRIVE / camera / "data" / f"{i:010d}.{ending}").touch()
    (root / "2011_09_26" / "calib_cam_to_cam.txt").write_text(CALIBRATION)
    return root


def odometry(root: Path) -> Path:
    for camera in ("image_2", "image_3"):
        (root / "sequences" / "09" / camera).mkdir(parents=True)
        for i in range(6):
            (root / "sequences" / "09" / camera / f"{i:06d}.png").touch()
    return root


COUNTS = {
    "eigen_zhou/train": 39810,
    "eigen_zhou/val": 4424,
    "eigen_full/train": 45200,
    "eigen_full/val": 1776,
    "eigen/test": 697,
    "eigen_benchmark/test": 652,
    "benchmark/test": 500,
    "odom/train": 36671,
    "odom/val": 4075,
    "odom/test_09": 1590,
    "odom/test_10": 1200,
}


@pytest.mark.parametrize(("split", "count"), COUNTS.items())
def test_official_lists_are_whole(split: str, count: int) -> None:
    assert len(split_lines(split)) == count


def test_all_lists_are_named() -> None:
    assert set(split_names()) == set(COUNTS)


def test_sides_and_drives_of_the_training_list() -> None:
    lines = split_lines("eigen_zhou/train")
    assert sum(line.side == "left" for line in lines) == 19956
    assert sum(line.side == "right" for line in lines) == 19854
    assert len({line.folder for line in lines}) == 32


def test_eigen_test_list() -> None:
    lines = split_lines("eigen/test")
    assert {line.side for line in lines} == {"left"}
    assert len({line.folder for line in lines}) == 28
    assert sum(line.frame == 0 for line in lines) == 22


@pytest.mark.parametrize(
    "split", ["eigen_zhou/train", "eigen_full/val", "eigen/test", "odom/train", "odom/test_09"]
)
def test_bundled_lists_equal_the_published(split: str, real_data_root: Path) -> None:
    folder, part = split.split("/")
    file = f"test_files_{part[5:]}" if part.startswith("test_") else f"{part}_files"
    text = gzip.decompress((real_data_root / "splits" / folder / f"{file}.txt.gz").read_bytes()).decode()
    published = [(words[0], int(words[1])) for words in map(str.split, text.splitlines())]
    assert [(line.folder, line.frame) for line in split_lines(split)] == published


def test_unknown_split_lists_the_known() -> None:
    with pytest.raises(KinedepthError, match="no split eigen_zuo/train.*eigen_zhou/train"):
        split_lines("eigen_zuo/train")


def test_own_list(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text(f"{DRIVE} 3 l\n\n{DRIVE} 0000000004 r\n")
    assert split_lines(tmp_path / "mine.txt") == [Line(DRIVE, 3, "left"), Line(DRIVE, 4, "right")]


@pytest.mark.parametrize("line", ["drive", "drive three l", "drive 3 x", "drive 3 l 4"])
def test_odd_line_is_shown(line: str, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text(line)
    with pytest.raises(KinedepthError, match=r"mine.txt has the (line|side)"):
        split_lines(tmp_path / "mine.txt")


@pytest.mark.parametrize("ending", ["jpg", "png"])
def test_raw_layout(ending: str, tmp_path: Path) -> None:
    raw(tmp_path, ending)
    (moment,) = raw_moments(tmp_path, [Line(DRIVE, 2, "right")])
    folder = tmp_path / DRIVE / "image_03" / "data"
    assert moment.name == f"{DRIVE}/right/0000000002"
    assert moment.target.path == folder / f"0000000002.{ending}"
    assert {o: f.path.stem for o, f in moment.neighbors.items()} == {-1: "0000000001", 1: "0000000003"}
    assert moment.partner is None


@pytest.mark.parametrize(("side", "other"), [("left", "image_03"), ("right", "image_02")])
def test_stereo_partner_is_the_other_camera(side: str, other: str, tmp_path: Path) -> None:
    (moment,) = raw_moments(raw(tmp_path), [Line(DRIVE, 2, side)], Wanted((), stereo=True))
    assert moment.partner.side == side
    assert moment.partner.frame.path == tmp_path / DRIVE / other / "data" / "0000000002.jpg"
    assert moment.partner.baseline == 0.54


def test_official_camera(tmp_path: Path) -> None:
    (moment,) = raw_moments(raw(tmp_path), [Line(DRIVE, 2)])
    camera = moment.calibration.camera((192, 640), "official")
    assert camera.focal.tolist() + camera.center.tolist() == pytest.approx([371.2, 368.64, 320, 96])


def test_camera_of_the_drive(tmp_path: Path) -> None:
    wanted = Wanted((), stereo=True, calibration="drive")
    (moment,) = raw_moments(raw(tmp_path), [Line(DRIVE, 2)], wanted)
    assert moment.calibration.fx == pytest.approx(721.5377)
    assert (moment.calibration.width, moment.calibration.height) == (1242, 375)
    assert moment.partner.baseline == pytest.approx(0.5327, abs=1e-4)


def test_missing_files_are_counted_in_one_error(tmp_path: Path) -> None:
    lines = [Line(DRIVE, i) for i in (0, 3, 5)]
    with pytest.raises(KinedepthError, match=r"2 files are missing for the 3 entries .*frame -1"):
        raw_moments(raw(tmp_path), lines)


def test_missing_drive_is_named(tmp_path: Path) -> None:
    with pytest.raises(KinedepthError, match=r"697 files are missing .* first .*drive_0002_sync.*0000000069"):
        raw_moments(tmp_path, "eigen/test", Wanted(()))


def test_missing_root(tmp_path: Path) -> None:
    with pytest.raises(KinedepthError, match="no folder .*kitti"):
        raw_moments(tmp_path / "kitti")


@pytest.mark.parametrize(
    ("truth", "place", "kind"),
    [
        ("lidar", "velodyne_points/data/0000000002.bin", "velodyne"),
        ("improved", "proj_depth/groundtruth/image_02/0000000002.png", "png"),
    ],
)
def test_truths(truth: str, place: str, kind: str, tmp_path: Path) -> None:
    raw(tmp_path)
    with pytest.raises(KinedepthError, match=f"1 files are missing .*{place}"):
        raw_moments(tmp_path, [Line(DRIVE, 2)], Wanted((), truth=truth))
    (tmp_path / DRIVE / place).parent.mkdir(parents=True)
    (tmp_path / DRIVE / place).touch()
    (moment,) = raw_moments(tmp_path, [Line(DRIVE, 2)], Wanted((), truth=truth))
    assert (moment.truth.path, moment.truth.kind) == (tmp_path / DRIVE / place, kind)


def test_odometry_layout(tmp_path: Path) -> None:
    lines = [line for line in split_lines("odom/test_09") if line.frame < 5]
    moments = odometry_moments(odometry(tmp_path), lines, Wanted((1,)))
    assert [moment.target.label for moment in moments] == [f"{i:06d}" for i in range(5)]
    assert moments[4].neighbors[1].path == tmp_path / "sequences" / "09" / "image_2" / "000005.png"


def test_odometry_root_may_be_its_sequences(tmp_path: Path) -> None:
    odometry(tmp_path)
    assert len(odometry_moments(tmp_path / "sequences", [Line("9", 2)])) == 1


def test_folders_are_listed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Path] = []
    real = kitti._names
    monkeypatch.setattr(kitti, "_names", lambda folder: calls.append(folder) or real(folder))
    raw_moments(raw(tmp_path, count=50), [Line(DRIVE, i) for i in range(1, 49)])
    assert len(calls) == 1
