"""Point clouds: upright, of the right camera, without veils at edges; other programs read them."""

from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh

from kinedepth.data.moments import Lens
from kinedepth.errors import KinedepthError
from kinedepth.geometry.camera import Camera
from kinedepth.inference.cloud import Cut, points, without_edges, write_ply
from kinedepth.inference.notes import DepthNote

SIZE = (96, 160)
CAMERA = Camera(torch.tensor([120.0, 110.0]), torch.tensor([79.5, 40.0]))
HEIGHT = 1.6
NOTE = DepthNote("metric", "baseline 0.54 m", None, CAMERA)


def rays() -> np.ndarray:
    v, u = np.mgrid[: SIZE[0], : SIZE[1]]
    return np.stack(((u - 79.5) / 120, (v - 40) / 110, np.ones(SIZE)), -1)


@pytest.fixture
def ground() -> np.ndarray:
    """Flat ground below a camera that looks along it; a wall far away above the horizon."""
    down = rays()[..., 1]
    return np.where(down > HEIGHT / 200, HEIGHT / np.maximum(down, 1e-9), 200.0).astype(np.float32)


@pytest.fixture
def picture() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (*SIZE, 3), dtype=np.uint8)


def load(path: Path) -> trimesh.PointCloud:
    cloud = trimesh.load(path)
    assert isinstance(cloud, trimesh.PointCloud)
    return cloud


def test_trimesh_reads_points_and_colors(tmp_path: Path, ground: np.ndarray, picture: np.ndarray) -> None:
    count = write_ply(tmp_path / "a.ply", ground, picture, NOTE, Cut((0.5, 300.0), 0.0))
    cloud = load(tmp_path / "a.ply")
    assert count == len(cloud.vertices) == SIZE[0] * SIZE[1]
    expected = rays() * ground[..., None] * (1, -1, -1)
    np.testing.assert_allclose(cloud.vertices, expected.reshape(-1, 3), rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(np.asarray(cloud.colors)[:, :3], picture.reshape(-1, 3))


def test_flat_ground_stays_flat_and_below(tmp_path: Path, ground: np.ndarray, picture: np.ndarray) -> None:
    write_ply(tmp_path / "a.ply", ground, picture, NOTE)
    vertices = np.asarray(load(tmp_path / "a.ply").vertices)
    np.testing.assert_allclose(vertices[:, 1], -HEIGHT, rtol=1e-5)
    assert (vertices[:, 2] < 0).all()
    # As far as the range, at 1.6 m height: the edge filter must not take distant road for an edge.
    assert -vertices[:, 2].min() == pytest.approx(ground[ground < 80].max())
    assert vertices[vertices[:, 0] > 0, 0].size > 0.4 * len(vertices)


def test_range_in_metres_and_in_medians(tmp_path: Path, ground: np.ndarray, picture: np.ndarray) -> None:
    write_ply(tmp_path / "a.ply", ground, picture, NOTE, Cut((5.0, 20.0)))
    depth = -np.asarray(load(tmp_path / "a.ply").vertices)[:, 2]
    assert 5 <= depth.min() < 5.2 < 18 < depth.max() <= 20
    relative = DepthNote("relative", "monocular video", None, CAMERA)
    write_ply(tmp_path / "b.ply", 0.01 * ground, picture, relative, Cut((0.5, 2.0)))
    depth = -np.asarray(load(tmp_path / "b.ply").vertices)[:, 2] / np.median(0.01 * ground)
    assert 0.5 <= depth.min() < 0.55 < depth.max() <= 2


@pytest.mark.parametrize("blur", [1, 2, 4])
def test_no_veil_between_a_box_and_what_is_behind(
    tmp_path: Path, ground: np.ndarray, picture: np.ndarray, blur: int
) -> None:
    """Whether its edge is sharp or smeared over some pixels, as networks do."""
    inverse = np.full(SIZE, 1 / 30)
    inverse[:, 80:] = 1 / 6
    kernel = np.ones(blur) / blur
    inverse = np.apply_along_axis(lambda row: np.convolve(np.pad(row, 9, "edge"), kernel, "same"), 1, inverse)
    depth = (1 / inverse[:, 9:-9]).astype(np.float32)
    write_ply(tmp_path / "a.ply", depth, picture, NOTE, Cut(edge=0.02))
    kept = -np.asarray(load(tmp_path / "a.ply").vertices)[:, 2]
    assert not ((kept > 6.5) & (kept < 27)).any()
    assert len(kept) > 0.9 * depth.size


@pytest.mark.parametrize("nothing", [0.0, np.nan, np.inf, -3.0])
def test_holes_are_left_out_and_are_no_edges(
    tmp_path: Path, ground: np.ndarray, picture: np.ndarray, nothing: float
) -> None:
    whole = write_ply(tmp_path / "whole.ply", ground, picture, NOTE)
    ground[70, 60] = nothing
    assert write_ply(tmp_path / "a.ply", ground, picture, NOTE) == whole - 1


def test_edges_do_not_depend_on_the_unit(ground: np.ndarray) -> None:
    ground[50:70, 60:90] = 4.0
    same = without_edges(ground, CAMERA)
    np.testing.assert_array_equal(without_edges(ground * np.float32(0.125), CAMERA), same)
    assert not same[60, 60]
    assert same[60, 75]


def test_points_are_those_of_the_camera(ground: np.ndarray) -> None:
    ours = points(ground, CAMERA)
    theirs = CAMERA.unproject(torch.from_numpy(ground)[None, None])[0].permute(1, 2, 0).numpy()
    np.testing.assert_allclose(ours, theirs * (1, -1, -1), rtol=1e-5, atol=1e-5)


def test_the_header_says_what_it_is(tmp_path: Path, ground: np.ndarray, picture: np.ndarray) -> None:
    note = DepthNote("relative", "monocular\nvideo", None, CAMERA)
    write_ply(tmp_path / "a.ply", ground, picture, note)
    header = (tmp_path / "a.ply").read_bytes().split(b"end_header\n")[0].decode("ascii").splitlines()
    assert header[:2] == ["ply", "format binary_little_endian 1.0"]
    assert "comment scale relative, from monocular video" in header
    assert "comment unit unknown: one factor away from metres" in header
    assert any(line.startswith("comment camera pinhole fx 120 fy 110 cx 79.5 cy 40") for line in header)
    assert all(line.startswith(("ply", "format", "comment", "element", "property")) for line in header)


@pytest.mark.parametrize(
    ("note", "why"),
    [(DepthNote(), "--fov"), (DepthNote(camera=CAMERA, lens=Lens("fisheye", (0.1,) * 4)), "undistort")],
)
def test_without_a_pinhole_there_is_no_cloud(
    tmp_path: Path, ground: np.ndarray, picture: np.ndarray, note: DepthNote, why: str
) -> None:
    with pytest.raises(KinedepthError, match=why):
        write_ply(tmp_path / "a.ply", ground, picture, note)
    assert not list(tmp_path.iterdir())
