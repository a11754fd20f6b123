"""The synthetic world tells the truth: pictures, geometry, motion and files agree with each other."""

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from jaxtyping import Float

from kinedepth.data.synthetic import (
    CLASSES,
    Drive,
    DriveSettings,
    Frame,
    measure,
    moving_mask,
    objects,
    read_truth,
    render,
    residual_motion,
    scene_flow,
    table,
    truth_poses,
    write_drive,
)
from kinedepth.data.synthetic.journey import make_journey
from kinedepth.data.synthetic.road import make_road
from kinedepth.data.synthetic.settings import intrinsics_of
from kinedepth.data.synthetic.statistics import camera_step, static_flow
from kinedepth.data.synthetic.truth import boxes
from kinedepth.errors import KinedepthError

SMALL = (64, 192)


@cache
def drive_of(**settings: object) -> Drive:
    return Drive(DriveSettings(**({"size": SMALL, "frames": 40} | settings)))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def drive() -> Drive:
    return drive_of(seed=1)


@pytest.fixture(scope="module")
def frame(drive: Drive) -> Frame:
    return render(drive, 12)


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("drives") / "one"
    write_drive(DriveSettings(seed=1, size=SMALL, frames=5), folder, stereo=True)
    return folder


def points_of(frame: Frame, settings: DriveSettings) -> Float[np.ndarray, "h w 3"]:
    fx, fy, cx, cy = intrinsics_of(settings)
    y, x = np.mgrid[: settings.size[0], : settings.size[1]]
    rays = np.stack([(x - cx) / fx, (y - cy) / fy, np.ones(settings.size)], -1)
    return np.asarray(rays * frame.depth[..., None])


# A drive is its settings.


def test_same_settings_give_the_same_pixels(drive: Drive, frame: Frame) -> None:
    again = render(Drive(drive.settings), 12)
    assert (again.image == frame.image).all()
    assert (again.depth == frame.depth).all()


def test_another_seed_is_another_street(frame: Frame) -> None:
    other = render(drive_of(seed=2), 12)
    assert np.abs(other.image.astype(int) - frame.image).mean() > 15


def test_any_size_and_any_intrinsics() -> None:
    settings = DriveSettings(size=(40, 56), intrinsics=(60.0, 45.0, 20.0, 12.0), shake=0.0, frames=2)
    seen = render(Drive(settings), 0)
    assert seen.image.shape == (40, 56, 3)
    road = np.flatnonzero(seen.classes[:, 20] == CLASSES.index("road"))
    assert seen.depth[road, 20] == pytest.approx(1.5 * 45 / (road - 12), rel=1e-5)


@pytest.mark.parametrize(
    "wrong", [{"frames": 0}, {"standstill": 1.2}, {"size": (4, 192)}, {"fps": 0.0}, {"lead": -0.1}]
)
def test_settings_out_of_range_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(KinedepthError, match=r"\w+"):
        DriveSettings(**wrong)  # type: ignore[arg-type]


# Geometry.


@pytest.mark.parametrize("height", [1.2, 1.9])
def test_road_depth_follows_from_the_camera_height(height: float) -> None:
    seen = render(drive_of(seed=1, shake=0.0, frames=2, camera_height=height), 0)
    _, fy, _, cy = intrinsics_of(DriveSettings(size=SMALL))
    rows, columns = np.nonzero(seen.classes == CLASSES.index("road"))
    assert len(rows) > 500
    assert seen.depth[rows, columns] == pytest.approx(height * fy / (rows - cy), rel=1e-4)


def test_sky_has_no_depth_and_everything_else_has(frame: Frame) -> None:
    assert ((frame.depth == 0) == (frame.classes == CLASSES.index("sky"))).all()
    assert np.isfinite(frame.depth).all()
    assert 0.02 < (frame.depth == 0).mean() < 0.5


def test_nothing_is_built_on_the_road(drive: Drive) -> None:
    still = drive.still
    solid = np.isin(still.label, [CLASSES.index(name) for name in ("building", "vegetation")])
    low = solid & (still.corners[..., 1].max(1) > -1.0)
    clear = drive.road.clearance(still.corners[low].mean(1)[:, [0, 2]])
    assert clear.min() > 6.2


def test_movers_never_share_a_place(drive: Drive) -> None:
    places = np.stack([mover.poses[:, [0, 2], 3] for mover in drive.movers])
    active = np.stack([mover.active for mover in drive.movers])
    gap = np.linalg.norm(places[:, None] - places[None], axis=-1) + np.eye(len(places))[..., None] * 100
    assert gap[active[:, None] & active[None]].min() > 0.5


def test_right_camera_sees_the_left_one_shifted_by_the_baseline(drive: Drive, frame: Frame) -> None:
    fx, _, _, _ = intrinsics_of(drive.settings)
    right = render(drive, 12, right=True)
    y, x = np.mgrid[: SMALL[0], : SMALL[1]].astype(np.float32)
    depth = np.where(frame.depth > 0, frame.depth, 1e6)
    there = (x - fx * drive.settings.baseline / depth).astype(np.float32)
    warped = cv2.remap(right.image.astype(np.float32), there, y, cv2.INTER_LINEAR)
    depth_there = cv2.remap(right.depth, there, y, cv2.INTER_NEAREST)
    seen = (there > 0) & (np.abs(depth_there - frame.depth) < 0.02 * frame.depth)
    assert seen.mean() > 0.5
    error = np.abs(warped - frame.image)[seen].mean()
    assert error < 0.5 * np.abs(right.image.astype(int) - frame.image)[seen].mean()
    assert error < 6


# Motion.


def test_scene_flow_is_camera_motion_and_residual(drive: Drive, frame: Frame) -> None:
    points = points_of(frame, drive.settings)
    carry = np.linalg.inv(drive.camera_pose(13)) @ drive.camera_pose(12)
    expected = points @ carry[:3, :3].T + carry[:3, 3] - points + residual_motion(drive, frame, 13)
    seen = (frame.depth > 0) & (frame.depth < 100)
    assert scene_flow(drive, frame, 13)[seen] == pytest.approx(expected[seen], abs=1e-3)


def test_residual_is_exactly_zero_where_nothing_moves(drive: Drive, frame: Frame) -> None:
    residual = np.abs(residual_motion(drive, frame, 13)).max(-1)
    moving = moving_mask(drive, frame)
    assert 0.01 < moving.mean() < 0.6
    assert residual[~moving].max() == 0
    assert (residual[moving] > 0.01).mean() > 0.8


def test_moved_points_meet_their_own_object_in_the_next_frame(drive: Drive, frame: Frame) -> None:
    fx, fy, cx, cy = intrinsics_of(drive.settings)
    x, y, z = np.moveaxis(points_of(frame, drive.settings) + scene_flow(drive, frame, 13), -1, 0)
    core = cv2.erode(moving_mask(drive, frame).astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
    column, row = np.round(fx * x / np.maximum(z, 0.1) + cx), np.round(fy * y / np.maximum(z, 0.1) + cy)
    inside = core & (z > 0.5) & (column >= 0) & (column < SMALL[1]) & (row >= 0) & (row < SMALL[0])
    next_instances = render(drive, 13).instances
    landed = next_instances[row[inside].astype(int), column[inside].astype(int)]
    assert inside.sum() > 100
    assert (landed == frame.instances[inside]).mean() > 0.9


def test_rigid_motion_of_an_object_explains_its_residual(drive: Drive, frame: Frame) -> None:
    first_from_camera = np.linalg.inv(drive.camera_pose(0)) @ frame.pose
    next_from_first = np.linalg.inv(drive.camera_pose(13)) @ drive.camera_pose(0)
    cars = [item for item in objects(drive, frame) if item.moving and item.label in ("car", "truck", "bus")]
    assert cars
    item = max(cars, key=lambda item: (frame.instances == item.instance).sum())
    chosen = frame.instances == item.instance
    points = np.c_[points_of(frame, drive.settings)[chosen], np.ones(chosen.sum())].T
    motion = next_from_first @ (item.motion - np.eye(4)) @ first_from_camera @ points
    assert residual_motion(drive, frame, 13)[chosen] == pytest.approx(motion[:3].T, abs=2e-3)


def test_limbs_move_on_their_own(drive: Drive) -> None:
    people = [mover for mover in drive.movers if mover.label == CLASSES.index("person") and mover.moves]
    assert {len(person.bodies) for person in people} == {5}
    legs = [body for body in people[0].bodies if body.pivot[1] == pytest.approx(-0.86)]
    turns = [leg.pose(0.3)[2, 1] - leg.pose(0.0)[2, 1] for leg in legs]
    assert turns[0] == pytest.approx(-turns[1])
    assert abs(turns[0]) > 0.05


def test_poses_are_rigid(drive: Drive) -> None:
    rotations = np.concatenate([drive.journey.poses[:, :3, :3], drive.body_poses(7)[:, :3, :3]])
    identity = np.broadcast_to(np.eye(3), rotations.shape)
    assert rotations @ rotations.transpose(0, 2, 1) == pytest.approx(identity, abs=1e-9)
    assert np.linalg.det(rotations) == pytest.approx(np.ones(len(rotations)))


def test_boxes_hold_exactly_their_pixels(frame: Frame) -> None:
    for instance, (x0, y0, x1, y1) in boxes(frame.instances).items():
        mask = frame.instances == instance
        assert mask[y0 : y1 + 1, x0 : x1 + 1].sum() == mask.sum()
        assert mask[y0].any()
        assert mask[:, x1].any()


# What the settings switch.


def steps_of(**settings: object) -> Float[np.ndarray, " n"]:
    """Metres travelled over ground by each frame of a drive of 40."""
    chosen = DriveSettings(**({"frames": 40} | settings))  # type: ignore[arg-type]
    places = make_journey(chosen, make_road(chosen)).poses[:, [0, 2], 3]
    return np.asarray(np.linalg.norm(np.diff(places, axis=0), axis=1))


@pytest.mark.parametrize("share", [0.0, 0.25, 0.5])
def test_standstill_takes_the_share_asked_for(share: float) -> None:
    assert (steps_of(seed=3, standstill=share) == 0).sum() == round(40 * share)


def test_a_standing_camera_without_traffic_sees_the_same_picture() -> None:
    drive = drive_of(seed=3, standstill=0.25, traffic=False)
    index = next(index for index in range(38) if camera_step(drive, index) == 0)
    assert (render(drive, index).image == render(drive, index + 1).image).all()


def test_fast_stretches_double_the_motion() -> None:
    usual, fast = (steps_of(seed=3, turns=0.0, fast=share).mean() for share in (0.0, 0.5))
    assert 0.6 < usual < 1.1
    assert fast == pytest.approx(1.5 * usual, rel=0.1)


def test_turns_are_sharp() -> None:
    turning, straight = (make_road(DriveSettings(seed=4, frames=150, turns=rate)) for rate in (2.0, 0.0))
    assert np.abs(turning.curvature).max() > 1 / 18
    assert np.ptp(turning.heading) > np.pi / 3
    assert np.abs(straight.curvature).max() < 1 / 50


def test_without_traffic_nothing_moves_but_cars_are_parked() -> None:
    drive = drive_of(seed=3, standstill=0.25, traffic=False)
    frames = [render(drive, index) for index in (0, 20)]
    assert not any(moving_mask(drive, seen).any() for seen in frames)
    assert any((seen.instances > 0).any() for seen in frames)


def test_exposure_changes_pixels_by_the_gain_it_reports() -> None:
    plain, exposed = drive_of(seed=1), drive_of(seed=1, exposure=0.3)
    gains = exposed.journey.gain
    assert np.ptp(gains) > 0.2
    index = int(np.abs(np.log(gains[:40])).argmax())
    was, now = render(plain, index).image.astype(float), render(exposed, index).image.astype(float)
    middle = (was > 30) & (was < 120) & (now < 250)
    assert (now[middle] / was[middle]).mean() == pytest.approx(gains[index], rel=0.03)


def test_specular_changes_vehicles_and_no_truth(drive: Drive, frame: Frame) -> None:
    shiny = render(drive_of(seed=1, specular=True), 12)
    assert (shiny.depth == frame.depth).all()
    changed = (np.abs(shiny.image.astype(int) - frame.image) > 8).any(-1)
    assert changed.mean() > 0.02
    grown = cv2.dilate((frame.instances > 0).astype(np.uint8), np.ones((5, 5), np.uint8)) > 0
    assert (changed & grown).sum() > 0.9 * changed.sum()


# What is in it.


def test_streets_hold_every_class() -> None:
    found = {CLASSES[mover.label] for seed in (1, 2) for mover in drive_of(seed=seed).movers}
    assert found == {"person", "cyclist", "car", "truck", "bus"}


def test_a_lead_vehicle_keeps_the_speed_of_the_camera() -> None:
    drive = drive_of(seed=1, lead=1.0, turns=0.0)
    steps = np.array([camera_step(drive, index) for index in range(40)])
    moving = [mover for mover in drive.movers if mover.moves]
    kept = [np.abs(np.diff(mover.travelled) - steps).max() < 0.05 for mover in moving]
    assert any(kept)


@pytest.fixture(scope="module")
def measured() -> dict[str, float]:
    return measure(drive_of(seed=1, size=(192, 640), frames=100), (5, 35, 65))


@pytest.mark.parametrize(("name", "least"), [("textured", 0.6), ("moving", 0.05), ("ego_speed", 0.3)])
def test_pictures_carry_enough(measured: dict[str, float], name: str, least: float) -> None:
    assert measured[name] >= least


def test_pictures_agree_with_the_truth(measured: dict[str, float]) -> None:
    assert 0 < measured["warp_error"] < 2


def test_static_flow_is_large_enough_to_learn_from(measured: dict[str, float]) -> None:
    assert measured["flow_p5"] < measured["flow_p50"] < measured["flow_p95"]
    assert 3 < measured["flow_p50"] < 40


def test_table_prints_every_number_with_its_target(measured: dict[str, float]) -> None:
    text = table(measured)
    assert all(name in text for name in measured)
    assert "target < 2" in text


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 5])
def test_a_hundred_frames_reach_every_target(seed: int) -> None:
    whole = measure(Drive(DriveSettings(seed=seed)))
    assert whole["textured"] >= 0.6
    assert whole["moving"] >= 0.05
    assert whole["ego_speed"] >= 0.3
    assert whole["warp_error"] < 2


def test_a_still_world_has_no_flow() -> None:
    drive = drive_of(seed=3, standstill=0.25, traffic=False)
    index = next(index for index in range(38) if camera_step(drive, index) == 0)
    assert static_flow(drive, render(drive, index)).max() < 1e-3


# Files.


def test_files_are_those_of_a_user(written: Path) -> None:
    names = sorted(path.relative_to(written).as_posix() for path in written.rglob("*") if path.is_file())
    assert [name for name in names if "0000" not in name] == [
        "intrinsics.json",
        "stereo.json",
        "truth/exposure.txt",
        "truth/objects.json",
        "truth/poses.txt",
        "truth/times.txt",
    ]
    assert sum(name.startswith("images/") for name in names) == 5
    camera = json.loads((written / "intrinsics.json").read_text())
    assert camera == pytest.approx(
        {"width": 192, "height": 64, "fx": 111.36, "fy": 111.36, "cx": 95.5, "cy": 31.5}
    )
    assert json.loads((written / "stereo.json").read_text()) == {"baseline": 0.54}


def test_pictures_come_back_as_rendered(written: Path) -> None:
    drive = drive_of(seed=1, frames=5)
    for folder, right in (("images", False), ("right", True)):
        image = cv2.imread(str(written / folder / "000003.png"))[..., ::-1]
        assert (image == render(drive, 3, right=right).image).all()


def test_truth_comes_back_within_half_precision(written: Path) -> None:
    drive = drive_of(seed=1, frames=5)
    frame, truth = render(drive, 2), read_truth(written, 2)
    assert truth.depth == pytest.approx(frame.depth, rel=5e-4)
    assert (truth.instances == frame.instances).all()
    assert (truth.classes == frame.classes).all()
    assert (truth.moving == moving_mask(drive, frame)).all()
    near = (frame.depth > 0) & (frame.depth < 60)
    assert truth.residual == pytest.approx(residual_motion(drive, frame, 3), abs=2e-3)
    assert truth.scene_flow[near] == pytest.approx(scene_flow(drive, frame, 3)[near], abs=1e-2)


def test_objects_come_back(written: Path) -> None:
    drive = drive_of(seed=1, frames=5)
    expected = objects(drive, render(drive, 2))
    found = read_truth(written, 2).objects
    assert [item.instance for item in found] == [item.instance for item in expected]
    assert [item.box for item in found] == [item.box for item in expected]
    assert np.stack([item.motion for item in found]) == pytest.approx(
        np.stack([item.motion for item in expected]), abs=1e-5
    )


def test_poses_come_back_relative_to_the_first(written: Path) -> None:
    poses = truth_poses(written)
    journey = drive_of(seed=1, frames=5).journey.poses[:5]
    assert poses[0] == pytest.approx(np.eye(4), abs=1e-9)
    assert journey[0] @ poses == pytest.approx(journey, abs=1e-6)
    assert read_truth(written, 4).next_from_camera is None


def test_video_has_the_frames_and_the_rate(written: Path, tmp_path: Path) -> None:
    write_drive(DriveSettings(seed=1, size=SMALL, frames=5), tmp_path / "drive", video=True, truth=False)
    with av.open(str(tmp_path / "drive" / "drive.mp4")) as container:
        assert container.streams.video[0].average_rate == 10
        pictures = [picture.to_ndarray(format="rgb24") for picture in container.decode(video=0)]
    assert len(pictures) == 5
    expected = cv2.imread(str(written / "images" / "000003.png"))[..., ::-1]
    assert np.abs(pictures[3].astype(int) - expected).mean() < 4
    assert sorted(path.name for path in (tmp_path / "drive").iterdir()) == ["drive.mp4", "intrinsics.json"]


def test_two_workers_write_the_same_files(written: Path, tmp_path: Path) -> None:
    script = (
        "import sys; from kinedepth.data.synthetic import DriveSettings, write_drive\n"
        "if __name__ == '__main__':\n"
        "    settings = DriveSettings(seed=1, size=(64, 192), frames=5)\n"
        "    write_drive(settings, sys.argv[1], stereo=True, workers=2)\n"
    )
    program = tmp_path / "program.py"
    program.write_text(script)
    root = str(Path(__file__).parents[2])
    environment = os.environ | {"PYTHONPATH": root}
    subprocess.run([sys.executable, str(program), str(tmp_path / "two")], check=True, env=environment)
    for path in sorted(written.rglob("*.png")) + [written / "truth" / "objects.json"]:
        assert (tmp_path / "two" / path.relative_to(written)).read_bytes() == path.read_bytes()


def test_an_existing_folder_is_left_alone(written: Path) -> None:
    before = (written / "truth" / "poses.txt").read_text()
    with pytest.raises(KinedepthError, match="exists already"):
        write_drive(DriveSettings(size=SMALL, frames=2), written)
    assert (written / "truth" / "poses.txt").read_text() == before


def test_a_failure_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cv2, "imwrite", lambda *_: False)
    with pytest.raises(KinedepthError, match="could not be written"):
        write_drive(DriveSettings(size=SMALL, frames=2), tmp_path / "drive")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("settings", "options", "words"),
    [
        (DriveSettings(size=(65, 193), frames=2), {"video": True}, "even sides"),
        (DriveSettings(size=SMALL, frames=2), {}, "not a folder"),
    ],
)
def test_what_cannot_be_written_is_refused(
    tmp_path: Path, settings: DriveSettings, options: dict[str, bool], words: str
) -> None:
    with pytest.raises(KinedepthError, match=words):
        write_drive(settings, tmp_path / "missing" / "drive", **options)  # type: ignore[arg-type]


def test_missing_truth_is_named(written: Path, tmp_path: Path) -> None:
    with pytest.raises(KinedepthError, match="000009"):
        read_truth(written, 9)
    with pytest.raises(KinedepthError, match=r"poses\.txt"):
        truth_poses(tmp_path)
