"""Stories 9, 10 and 13 to 16: one video predicted, its files read by others, judged against its truth."""

import csv
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import av
import cv2
import numpy as np
import OpenEXR
import pytest
import trimesh
from PIL import Image

from kinedepth.cli.main import main
from kinedepth.inference.files import read_depth

evo_metrics = pytest.importorskip("evo.core.metrics")
evo_files = pytest.importorskip("evo.tools.file_interface")

FORMATS = ("npy", "npz", "png16", "exr", "pfm")
COUNT = 14


@pytest.fixture(scope="module")
def out(run: Path, drive: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Everything that predict can write of the drive's video."""
    folder = tmp_path_factory.mktemp("everything") / "out put ü"
    words = ["predict", str(run), str(drive / "drive.mp4"), "-o", str(folder), "--cloud", "frames"]
    assert main([*words, "--cloud-every", "7", "--format", *FORMATS, "--poses", "tum", "kitti"]) == 0
    return folder


@pytest.fixture(scope="module")
def truth(drive: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The drive's depth as KITTI stores it: 16-bit PNG, meters times 256."""
    folder = tmp_path_factory.mktemp("truth") / "gt_png16"
    folder.mkdir()
    for path in sorted((drive / "truth").glob("*.npz")):
        with np.load(path) as arrays:
            depth = np.nan_to_num(arrays["depth"], posinf=0.0)
        steps = np.where(depth < 200, np.rint(depth * 256), 0).astype(np.uint16)
        Image.fromarray(steps).save(folder / f"{path.stem}.png")
    return folder


def test_story_9_the_video_is_as_long_as_it_came(out: Path, drive: Path) -> None:
    facts = []
    for path in (drive / "drive.mp4", out / "depth.mp4"):
        with av.open(str(path)) as container:
            stream = container.streams.video[0]
            count = sum(1 for _ in container.decode(stream))
            facts.append((count, stream.average_rate, float(stream.duration * stream.time_base)))
    assert facts[0] == pytest.approx(facts[1])
    assert facts[0][0] == COUNT
    note = json.loads((out / "prediction.json").read_text())
    assert note["colors"]["bright"] > note["colors"]["dark"]  # one range for the whole clip


def test_story_10_every_format_says_the_same_to_us_and_to_others(out: Path) -> None:
    exact, note = read_depth(out / "depth" / "000005.npy")
    assert (exact.dtype, exact.shape, note.scale) == (np.float32, (64, 96), "relative")
    others = {
        "npz": np.load(out / "depth_npz" / "000005.npz")["depth"],
        "exr": OpenEXR.File(str(out / "depth_exr" / "000005.exr")).channels()["Z"].pixels,
        "pfm": cv2.imread(str(out / "depth_pfm" / "000005.pfm"), cv2.IMREAD_UNCHANGED),
    }
    for name, values in others.items():
        np.testing.assert_array_equal(values, exact, err_msg=name)
        ours, told = read_depth(out / f"depth_{name}" / f"000005.{name}")
        np.testing.assert_array_equal(ours, exact)
        assert (told.scale, told.source) == (note.scale, note.source)
    steps = cv2.imread(str(out / "depth_png16" / "000005.png"), cv2.IMREAD_UNCHANGED)
    ours, told = read_depth(out / "depth_png16" / "000005.png")
    assert told.factor
    np.testing.assert_allclose(steps / told.factor, exact, atol=0.51 / told.factor)
    np.testing.assert_allclose(ours, exact, atol=0.51 / told.factor)


def test_story_13_evo_reads_the_path_and_agrees(
    out: Path, drive: Path, kinedepth: Callable, tmp_path: Path
) -> None:
    measured = drive / "truth" / "poses.txt"
    true = evo_files.read_kitti_poses_file(str(measured))
    predicted = evo_files.read_kitti_poses_file(str(out / "poses_kitti.txt"))
    timed = evo_files.read_tum_trajectory_file(str(out / "poses_tum.txt"))
    np.testing.assert_allclose(timed.positions_xyz, predicted.positions_xyz, atol=1e-6)
    predicted.align(true, correct_scale=True)
    ape = evo_metrics.APE(evo_metrics.PoseRelation.translation_part)
    ape.process_data((true, predicted))
    done = kinedepth("evaluate", out / "poses_kitti.txt", measured, "-o", tmp_path / "paths")
    assert done.code == 0, done.err
    (found,) = json.loads((tmp_path / "paths" / "evaluation.json").read_text())["odometry"]["prediction"]
    assert found["whole_path_ate_m"]["7dof"] == pytest.approx(
        ape.get_statistic(evo_metrics.StatisticsType.rmse), rel=1e-6
    )
    assert "t_err" in done.out


def test_story_13_depth_against_poses_names_the_file_to_give(
    out: Path, drive: Path, kinedepth: Callable, tmp_path: Path
) -> None:
    (tmp_path / "truth").mkdir()
    shutil.copy(drive / "drive.mp4", tmp_path / "drive.mp4")
    shutil.copy(drive / "truth" / "poses.txt", tmp_path / "truth" / "poses.txt")
    done = kinedepth("evaluate", out, tmp_path)
    assert done.code == 1
    assert f"kinedepth evaluate {out / 'poses_kitti.txt'}" in done.err


def test_story_14_files_against_files_by_name(
    out: Path, truth: Path, kinedepth: Callable, tmp_path: Path
) -> None:
    words = ["evaluate", "--pred", out, "--gt", truth, "--protocol", "kitti-eigen"]
    done = kinedepth(*words, "-o", tmp_path / "table")
    assert done.code == 0, done.err
    assert "kitti-eigen · truth" in done.out
    columns = re.sub(r"[│\s]+", " ", done.out)
    assert "scale: median of each image" in columns
    assert "abs_rel sq_rel rmse rmse_log a1 a2 a3" in columns
    with (tmp_path / "table" / "images.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == COUNT
    assert {row["protocol"] for row in rows} == {"kitti-eigen"}
    assert (tmp_path / "table" / "error_worst.png").is_file()
    assert (tmp_path / "table" / "report.html").is_file()

    (truth / "000004.png").rename(tmp_path / "000004.png")
    done = kinedepth(*words)
    (tmp_path / "000004.png").rename(truth / "000004.png")
    assert done.code == 1
    assert "The truth of 000004 is missing" in done.err


def test_story_14_objects_and_background_where_they_are_known(
    out: Path, drive: Path, kinedepth: Callable
) -> None:
    done = kinedepth("evaluate", out, drive, "--protocol", "synthetic")
    assert done.code == 0, done.err
    assert "dynamic objects" in done.out
    assert "background" in done.out


def test_story_15_disparities_of_another_program_in_the_order_of_a_list(
    out: Path, truth: Path, kinedepth: Callable, tmp_path: Path
) -> None:
    names = [path.stem for path in sorted(truth.glob("*.png"))][::-1]
    inverse = np.stack([1 / read_depth(out / "depth" / f"{name}.npy")[0] for name in names])
    np.save(tmp_path / "disps_mine_split.npy", inverse)
    (tmp_path / "names.txt").write_text("\n".join(names))
    protocol = ["--protocol", "kitti-eigen", "--latex"]
    array = [tmp_path / "disps_mine_split.npy", truth, "--names", tmp_path / "names.txt"]
    rows = []
    for words in ([out, truth], array):
        done = kinedepth("evaluate", *words, *protocol)
        assert done.code == 0, done.err
        rows.append(re.findall(r"^model & .*", done.out, re.MULTILINE)[0])
    assert rows[0] == rows[1]


def test_story_16_a_cloud_that_viewers_read(out: Path) -> None:
    clouds = sorted((out / "cloud").glob("*.ply"))
    assert [path.stem for path in clouds] == ["000000", "000007"]
    cloud = trimesh.load(clouds[0])
    assert len(cloud.vertices) > 1000
    assert cloud.colors.shape == (len(cloud.vertices), 4)
    assert (cloud.vertices[:, 2] < 0).all()  # in front of a viewer that looks along -z
    assert (
        cloud.vertices[-96:, 1].max() < 0 < cloud.vertices[:96, 1].min()
    )  # the last row is below the camera
    assert b"relative" in clouds[0].read_bytes()[:2000]
