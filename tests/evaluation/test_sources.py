"""Sources with truth: which protocols they serve, and a predictor's tables and paths over them."""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from kinedepth.data.lens import undistorted
from kinedepth.data.moments import Moment
from kinedepth.data.moments import Sequence as Frames
from kinedepth.data.samples import read_truth as read_depth
from kinedepth.data.source import open_source
from kinedepth.data.synthetic import DriveSettings, read_truth, truth_poses, write_drive
from kinedepth.errors import KinedepthError
from kinedepth.evaluation import tracks
from kinedepth.evaluation.error_maps import worst_and_median
from kinedepth.evaluation.findings import Findings, write_findings
from kinedepth.evaluation.judge import (
    MODEL,
    by_constant,
    by_flat_ground,
    by_map,
    by_predictor,
    depth_tables,
    verdict,
)
from kinedepth.evaluation.odometry import relative_steps
from kinedepth.evaluation.protocol import (
    KITTI_EIGEN,
    KITTI_EIGEN_BENCHMARK,
    KITTI_GARG_IMPROVED,
    KITTI_GARG_SCAN,
    ODOMETRY_5_FRAMES,
    SYNTHETIC,
)
from kinedepth.evaluation.sources import find_truth, kitti_test_images
from kinedepth.inference.predictor import Predictor, Unit
from kinedepth.method import Method, Phase
from kinedepth.scene import Estimate, Inputs, Sample

FRAMES = 7


class Brighter(Method):
    """Inverse depth is 0.1 + the picture's brightness; looks at neighbours when told so."""

    def __init__(self, offsets: tuple[int, ...] = ()) -> None:
        phase = Phase("all", 1, frozenset({"depth"}), {})
        super().__init__(networks={"depth": nn.Linear(1, 1)}, terms={}, phases=(phase,))
        self.predicts_from = Inputs(offsets, frozenset())

    def predict(self, sample: Sample) -> Estimate:
        assert tuple(source.offset for source in sample.sources) == self.predicts_from.offsets
        return Estimate((0.1 + sample.target.seen.mean(1, keepdim=True),))

    def forward(self, sample: Sample) -> Estimate:
        return self.predict(sample)

    def pose_between(self, first: Tensor, second: Tensor) -> object:
        raise KinedepthError("no pose network")


@pytest.fixture(scope="module")
def drives(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("drives")
    for seed in (3, 4):
        write_drive(DriveSettings(seed=seed, frames=FRAMES, size=(48, 96)), root / f"seed{seed}")
    return root


def truthful(moments: Sequence[Moment]) -> Iterator[np.ndarray]:
    """Inverse depth as it truly is, where there is any."""
    for moment in moments:
        assert moment.truth is not None
        depth = read_depth(moment.truth)[0].numpy().astype(np.float64)
        yield np.divide(1.0, depth, out=np.full(depth.shape, 0.02), where=depth > 0)


def test_a_drive_is_judged_in_three_regions(drives: Path) -> None:
    moments = find_truth(drives / "seed3").images["synthetic"]()
    table = depth_tables(moments, SYNTHETIC, {"truth": truthful}).tables["truth"]
    assert [row.name for row in table.of()] == [f"seed3/{index:06d}" for index in range(FRAMES)]
    for region in SYNTHETIC.regions:
        assert table.mean(region) == pytest.approx(
            {"abs_rel": 0, "sq_rel": 0, "rmse": 0, "rmse_log": 0, "a1": 1, "a2": 1, "a3": 1}, abs=1e-9
        )


@pytest.mark.parametrize(("region", "moves"), [("dynamic objects", True), ("background", False)])
def test_regions_are_what_moves_and_what_does_not(drives: Path, region: str, moves: bool) -> None:
    moments = find_truth(drives / "seed3").images["synthetic"]()
    table = depth_tables(moments, SYNTHETIC, {"truth": truthful}).tables["truth"]
    truth = [read_truth(drives / "seed3", index) for index in range(FRAMES)]
    counts = [((t.depth > 1e-3) & (t.depth < 80) & (t.moving == moves)).sum() for t in truth]
    assert [row.pixels for row in table.of(region)] == [count for count in counts if count]
    assert sum(counts) > 100


def test_every_drive_of_a_folder_counts(drives: Path) -> None:
    found = find_truth(drives)
    assert found.protocols == ["synthetic", "odometry-5-frames", "odometry-5-frames-complete"]
    assert len(found.images["synthetic"]()) == 2 * FRAMES
    assert [track.sequence.name for track in found.tracks] == ["seed3", "seed4"]


@pytest.mark.parametrize("align", ["median", "one_factor"])
def test_tables_do_not_depend_on_how_many_images_are_read_at_once(
    drives: Path, align: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    moments = find_truth(drives).images["synthetic"]()
    guesses = {"half": lambda these: (each / (2 + place) for place, each in enumerate(truthful(these)))}
    protocol = SYNTHETIC.aligned(align)
    first = depth_tables(moments, protocol, guesses).tables["half"]
    monkeypatch.setattr("kinedepth.evaluation.judge._TOGETHER", len(moments))
    again = depth_tables(moments, protocol, guesses).tables["half"]
    factors = {round(row.factor, 3) for row in first.rows}
    assert (len(factors) == 1) == (align == "one_factor")
    assert align == "median" or first == again


def test_a_predictor_is_judged_as_it_infers(drives: Path) -> None:
    moments = find_truth(drives / "seed3").images["synthetic"]()
    predictor = Predictor(Brighter(), (48, 96))
    inferred = lambda these: (1 / predictor.infer(m.target.path).depth for m in these)  # noqa: E731
    tables = depth_tables(
        moments, SYNTHETIC, {"judged": by_predictor(predictor, batch=3), "inferred": inferred}
    ).tables
    assert tables["judged"].mean() == pytest.approx(tables["inferred"].mean(), rel=1e-5)


def test_metric_depth_is_in_meters(drives: Path) -> None:
    moments = find_truth(drives / "seed3").images["synthetic"]()[:2]
    relative = Predictor(Brighter(), (48, 96))
    metric = Predictor(Brighter(), (48, 96), Unit("metric", "baseline 0.54 m", 5.4))
    factors = [m * 5.4 for m in by_predictor(metric)(moments)]
    for one, other in zip(factors, by_predictor(relative)(moments), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5)


def test_neighbours_are_read_for_a_method_that_asks(drives: Path) -> None:
    moments = find_truth(drives / "seed3", (-1,)).images["synthetic"]()
    assert len(moments) == FRAMES - 1
    assert len(list(by_predictor(Predictor(Brighter((-1,)), (32, 64)))(moments))) == FRAMES - 1


def test_images_without_truth_are_left_out_and_named(drives: Path) -> None:
    moments = find_truth(drives / "seed3").images["synthetic"]()
    bare = [replace(moments[0], truth=None), *moments[1:]]
    judged = depth_tables(bare, SYNTHETIC, {"truth": truthful})
    assert judged.left_out == ("seed3/000000",)
    assert len(judged.tables["truth"].of()) == FRAMES - 1
    with pytest.raises(KinedepthError, match="No image has truth"):
        depth_tables(bare[:1], SYNTHETIC, {"truth": truthful})


def test_verdict_names_who_is_better(drives: Path) -> None:
    moments = find_truth(drives / "seed3").images["synthetic"]()
    tables = depth_tables(
        moments, SYNTHETIC, {MODEL: by_constant(), "truth": truthful, "ramp": by_map(np.eye(8) + 0.01)}
    ).tables
    said = verdict(tables)
    assert re.fullmatch(
        r"whole: the model \(abs_rel \d\.\d{3}\) beats ramp \(\d+\.\d{3}\) and LOSES to truth \(0\.000\)\.",
        said,
    )


# Real frames


@pytest.mark.parametrize(
    ("protocol", "expected"),
    [(KITTI_GARG_IMPROVED, "gt_depth/eigen_crop"), (KITTI_GARG_SCAN, "lidar_depth/eigen_crop")],
)
@pytest.mark.parametrize("align", ["median", "none"])
def test_flat_ground_on_real_frames(
    real_data_root: Path, protocol: object, expected: str, align: str
) -> None:
    folder = real_data_root / "kitti_depth_0001"
    values = json.loads((folder / "expected_metrics.json").read_text())["values"][f"{expected}/{align}"]
    assert isinstance(protocol, type(KITTI_EIGEN))
    moments = find_truth(folder).images[protocol.name]()
    table = depth_tables(moments, protocol.aligned(align), {"ground": by_flat_ground(1.65)}).tables["ground"]
    values.pop("median_ratio_mean", None)
    assert table.mean() == pytest.approx(values, rel=1e-5)


def test_real_frames_serve_three_protocols(real_data_root: Path) -> None:
    found = find_truth(real_data_root / "kitti_depth_0001")
    assert found.protocols == ["kitti-garg-improved", "kitti-garg-scan", "kitti-eigen"]
    assert [len(found.images[name]()) for name in found.protocols] == [12, 12, 1]


def test_real_poses_are_found(real_data_root: Path) -> None:
    found = find_truth(real_data_root / "kitti_odometry_00")
    assert found.protocols == ["odometry-5-frames", "odometry-5-frames-complete"]
    assert len(tracks.measured_poses(found.tracks[0])) == len(found.tracks[0].sequence.frames)
    with pytest.raises(
        KinedepthError, match=r"lacks what synthetic needs, rendered truth .* odometry-5-frames"
    ):
        found.require("synthetic")


def test_frames_without_truth_are_refused(real_data_root: Path) -> None:
    with pytest.raises(KinedepthError, match="holds nothing to judge a model by"):
        find_truth(real_data_root / "kitti_raw_0095")


# KITTI raw in its own layout, made up

CAMERA = "S_rect_0{n}: 96 48\nP_rect_0{n}: 50 0 47 {shift} 0 50 24 0 0 0 1 0\n"


@pytest.fixture
def kitti_raw(tmp_path: Path) -> Path:
    """One day, one drive with two frames, whose scan lies on a wall 20 m before the scanner."""
    day = tmp_path / "KITTI" / "2011_09_26"
    drive = day / "2011_09_26_drive_0002_sync"
    for folder in ("image_02/data", "velodyne_points/data", "proj_depth/groundtruth/image_02"):
        (drive / folder).mkdir(parents=True)
    cameras = "R_rect_00: 1 0 0 0 1 0 0 0 1\n" + CAMERA.format(n=2, shift=0) + CAMERA.format(n=3, shift=-27)
    (day / "calib_cam_to_cam.txt").write_text(cameras)
    (day / "calib_velo_to_cam.txt").write_text("R: 0 -1 0 0 0 -1 1 0 0\nT: 0 0 -2\n")
    y, z = (axis.ravel() for axis in np.meshgrid(np.linspace(-15, 15, 40), np.linspace(-8, 8, 30)))
    wall = np.stack([np.full(y.shape, 20.0), y, z, np.zeros(y.shape)], 1).astype(np.float32)
    for frame in ("0000000069", "0000000054"):
        Image.new("RGB", (96, 48), (90, 120, 60)).save(drive / "image_02/data" / f"{frame}.png")
        wall.tofile(drive / "velodyne_points/data" / f"{frame}.bin")
        depth = np.full((48, 96), 18 * 256, dtype=np.uint16)
        Image.fromarray(depth).save(drive / "proj_depth/groundtruth/image_02" / f"{frame}.png")
    return tmp_path / "KITTI"


@pytest.fixture
def list_of_two(tmp_path: Path) -> Path:
    path = tmp_path / "two.txt"
    drive = "2011_09_26/2011_09_26_drive_0002_sync"
    path.write_text(f"{drive} 0000000069 l\n{drive} 0000000054 l\n")
    return path


@pytest.mark.parametrize(
    ("kind", "protocol", "depth"), [("lidar", KITTI_EIGEN, 20.0), ("improved", KITTI_EIGEN_BENCHMARK, 18.0)]
)
def test_kitti_raw_in_its_own_layout(
    kitti_raw: Path, list_of_two: Path, kind: str, protocol: object, depth: float
) -> None:
    moments = kitti_test_images(kitti_raw, list_of_two, kind)
    assert isinstance(protocol, type(KITTI_EIGEN))
    guesses = {"right": by_constant(depth), "twice": by_constant(2 * depth)}
    tables = depth_tables(moments, protocol.aligned("none"), guesses).tables
    assert tables["right"].mean()["abs_rel"] == pytest.approx(0, abs=1e-6)
    assert tables["twice"].mean()["abs_rel"] == pytest.approx(1)
    assert moments[0].calibration.fx == 50
    assert "of the 6" in tables["right"].caption()


def test_kitti_root_is_known_and_what_is_missing_counted(kitti_raw: Path) -> None:
    found = find_truth(kitti_raw)
    assert found.protocols == ["kitti-eigen", "kitti-eigen-benchmark"]
    with pytest.raises(KinedepthError, match=r"files are missing for the 697 entries asked of .*, first "):
        found.images["kitti-eigen"]()


def test_one_drive_of_kitti_is_judged_without_a_list(kitti_raw: Path) -> None:
    found = find_truth(kitti_raw / "2011_09_26")
    assert found.protocols == ["kitti-garg-improved", "kitti-eigen"]
    assert len(found.images["kitti-eigen"]()) == 2


# Paths


def true_steps(sequence: Frames) -> np.ndarray:
    frames = sequence.frames
    return relative_steps(truth_poses(frames[0].path.parent.parent))


def test_true_motion_has_no_error(drives: Path) -> None:
    found = find_truth(drives)
    movers = {MODEL: true_steps, "straight ahead": tracks.straight_ahead}
    results = tracks.judge_paths(found.tracks, movers, ODOMETRY_5_FRAMES, metric=True)
    for path in results[MODEL]:
        assert path.snippets.mean == pytest.approx(0, abs=1e-6)
        assert path.whole == pytest.approx({"scale": 0, "7dof": 0, "none": 0}, abs=1e-4)
        np.testing.assert_allclose(path.predicted, path.measured, atol=1e-6)
    assert results["straight ahead"][0].snippets.mean > 1e-4
    assert "beats straight ahead" in tracks.verdict(results)
    assert "LOSES to model" in tracks.verdict(results, "straight ahead")


def test_a_path_in_other_units_is_aligned(drives: Path) -> None:
    track = find_truth(drives / "seed3").tracks[0]
    steps = true_steps(track.sequence)
    steps[:, :3, 3] *= 0.1
    errors = tracks.path_errors(track, steps, ODOMETRY_5_FRAMES, ("scale", "7dof", "none"))
    assert errors.snippets.mean == pytest.approx(0, abs=1e-6)
    assert errors.whole["7dof"] == pytest.approx(0, abs=1e-4)
    assert errors.whole["none"] > 0.1


def kitti_odometry(root: Path, frames: list[int], poses: int) -> Path:
    pictures = root / "sequences" / "09" / "image_2"
    pictures.mkdir(parents=True)
    (root / "poses").mkdir()
    for frame in frames:
        Image.new("RGB", (64, 32)).save(pictures / f"{frame:06d}.png")
    matrices = np.tile(np.eye(4)[:3], (poses, 1, 1))
    matrices[:, 2, 3] = np.arange(poses)
    np.savetxt(root / "poses" / "09.txt", matrices.reshape(-1, 12))
    return root


@pytest.mark.parametrize("part", [".", "sequences/09"])
def test_poses_of_kitti_odometry_are_matched_by_number(tmp_path: Path, part: str) -> None:
    root = kitti_odometry(tmp_path, [4, 5, 6, 8, 9], poses=12)
    (track,) = find_truth(root / part).tracks
    np.testing.assert_allclose(tracks.measured_poses(track)[:, 2, 3], [4, 5, 6, 8, 9])


def test_poses_that_do_not_match_are_refused(tmp_path: Path) -> None:
    (track,) = find_truth(kitti_odometry(tmp_path, [4, 5, 6, 18], poses=12)).tracks
    with pytest.raises(KinedepthError, match=r"12 poses for the 4 frames of .* matched by number"):
        tracks.measured_poses(track)


# Files


def test_findings_are_written_whole(drives: Path, tmp_path: Path) -> None:
    found = find_truth(drives / "seed3")
    moments = found.images["synthetic"]()
    judged = depth_tables(moments, SYNTHETIC, {MODEL: by_constant(), "truth": truthful})
    paths = tracks.judge_paths(found.tracks, {MODEL: true_steps}, ODOMETRY_5_FRAMES)
    result = Findings({"command": ["test"]}, judged, paths)
    files = write_findings(tmp_path / "out", result, moments, by_constant(), drives)
    assert files == sorted(
        ["details.csv", "error_median.png", "error_worst.png", "evaluation.json", "images.csv"]
        + [f"error_worst_{rank}.png" for rank in range(2, 6)]
        + ["path_seed3.png", "path_seed3.txt", "path_seed3_measured.txt", "table.json", "worst.csv"]
    )
    note = json.loads((tmp_path / "out" / "evaluation.json").read_text())
    assert note["means"][MODEL]["whole"] == pytest.approx(judged.tables[MODEL].mean())
    assert note["odometry"][MODEL][0]["snippets"]["protocol"]["name"] == "odometry-5-frames"
    with Image.open(tmp_path / "out" / "error_worst.png") as picture:
        assert picture.width >= 480
    with pytest.raises(KinedepthError, match="exists"):
        write_findings(tmp_path / "out", result, moments, by_constant(), drives)


def test_nothing_is_left_of_findings_that_fail(drives: Path, tmp_path: Path) -> None:
    moments = find_truth(drives / "seed3").images["synthetic"]()
    judged = depth_tables(moments, SYNTHETIC, {MODEL: by_constant()})

    def broken(these: Sequence[Moment]) -> list[np.ndarray]:
        raise KinedepthError("no")

    with pytest.raises(KinedepthError, match="no"):
        write_findings(tmp_path / "out", Findings({}, judged), moments, broken, drives)
    assert not list(tmp_path.iterdir())


def test_worst_and_median_are_by_relative_error(drives: Path) -> None:
    moments = find_truth(drives / "seed3").images["synthetic"]()
    table = depth_tables(moments, SYNTHETIC, {MODEL: by_constant()}).tables[MODEL]
    picked = worst_and_median(table)
    errors = np.sort(table.values("abs_rel"))
    assert picked["worst"].errors["abs_rel"] == errors[-1]
    assert picked["median"].errors["abs_rel"] == np.median(errors)


def test_a_predictor_without_pose_says_so(drives: Path) -> None:
    track = find_truth(drives / "seed3").tracks[0]
    with pytest.raises(KinedepthError, match="no pose network"):
        tracks.by_predictor(Predictor(Brighter(), (32, 64)))(track.sequence)


def test_a_video_with_truth_beside_it_is_judged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    write_drive(DriveSettings(seed=5, frames=6, size=(48, 96)), tmp_path / "film", video=True)
    found = find_truth(tmp_path / "film")
    moments = found.images["synthetic"]()
    assert len(moments) == 6
    guessed = list(by_predictor(Predictor(Brighter(), (48, 96)))(moments))
    assert len({float(torch.as_tensor(each).mean()) for each in guessed}) == 6
    assert len(list(tracks.pictures(found.tracks[0].sequence))) == 6


def test_poses_are_asked_of_pictures_without_the_bending_of_the_lens(tmp_path: Path) -> None:
    picture = np.random.default_rng(0).integers(0, 255, (48, 64, 3)).astype(np.uint8)
    for index in range(3):
        Image.fromarray(picture).save(tmp_path / f"{index}.png")
    camera = {"fx": 50, "fy": 50, "cx": 31.5, "cy": 23.5, "width": 64, "height": 48}
    (tmp_path / "intrinsics.json").write_text(json.dumps(camera | {"distortion": [-0.3, 0.1, 0, 0]}))
    (sequence,) = open_source(tmp_path).sequences
    seen = next(tracks.pictures(sequence))
    assert sequence.frames[0].rectified is not None
    np.testing.assert_array_equal(seen, undistorted(picture, sequence.frames[0].rectified))
    assert np.abs(seen.astype(int) - picture).mean() > 5
