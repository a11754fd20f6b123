from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from kinedepth.data import folder
from kinedepth.data.augment import Augment
from kinedepth.data.loading import batch_count, batches, order
from kinedepth.data.moments import Calibration, Frame, Moment, Truth
from kinedepth.data.samples import Samples, read_truth
from kinedepth.data.store import FrameStore
from kinedepth.errors import KinedepthError
from kinedepth.geometry.record import leaves
from kinedepth.scene import Inputs, Sample

Pictures = Callable[..., list[Path]]
CAMERA = Calibration(50.0, 50.0, 47.5, 31.5, 96, 64)
SIZE = (32, 64)


@pytest.fixture
def moments(tmp_path: Path, pictures: Pictures) -> list[Moment]:
    pictures(tmp_path / "drive", 12)
    return folder.moments(tmp_path / "drive", (-1, 1), CAMERA)


@pytest.fixture
def stereo(tmp_path: Path, pictures: Pictures) -> list[Moment]:
    pictures(tmp_path / "rig" / "left", 4)
    pictures(tmp_path / "rig" / "right", 4, start=0)
    return folder.moments(tmp_path / "rig", (), CAMERA)


def same(one: Sample, other: Sample) -> bool:
    pairs = zip(leaves(one), leaves(other), strict=True)
    return one.names == other.names and all(torch.equal(a, b) for a, b in pairs)


def test_a_sample_holds_what_was_asked(moments: list[Moment]) -> None:
    sample = Samples(moments, Inputs((-1, 1)), SIZE)[3]
    assert sample.names == ("drive/000004",)
    assert [view.offset for view in (sample.target, *sample.sources)] == [0, -1, 1]
    assert sample.target.image.shape == (3, *SIZE)
    assert sample.target.jittered is None
    assert sample.depth is None


def test_pixels_are_those_of_the_resized_file(moments: list[Moment]) -> None:
    sample = Samples(moments, Inputs((-1,)), SIZE)[0]
    for view, frame in ((sample.target, moments[0].target), (sample.sources[0], moments[0].neighbors[-1])):
        resized = Image.open(frame.path).resize(SIZE[::-1], Image.Resampling.LANCZOS)
        assert torch.equal(
            view.image, torch.from_numpy(np.asarray(resized).transpose(2, 0, 1) / np.float32(255))
        )


@pytest.mark.parametrize(("convention", "cx"), [("centers", 31.5), ("official", 47.5 * 64 / 96)])
def test_camera_follows_the_resize(moments: list[Moment], convention: str, cx: float) -> None:
    camera = Samples(moments, Inputs(), SIZE, convention=convention)[0].target.camera
    assert camera.focal.tolist() == pytest.approx([50 * 64 / 96, 25])
    assert camera.center[0].item() == pytest.approx(cx)


def test_flat_picture_of_one_color_survives(tmp_path: Path) -> None:
    paths = [tmp_path / f"{i}.png" for i in range(3)]
    for path in paths:
        Image.new("RGB", (96, 64), (255, 0, 51)).save(path)
    image = Samples(folder.moments(tmp_path), Inputs(), SIZE)[0].target.image
    assert image.flatten(1).unique(dim=1).flatten().tolist() == pytest.approx([1.0, 0.0, 0.2])


@pytest.mark.parametrize(("side", "x"), [("left", -0.1), ("right", 0.1)])
def test_stereo_partner_has_the_official_unit(stereo: list[Moment], side: str, x: float) -> None:
    turned = [replace(m, partner=replace(m.partner, side=side)) for m in stereo]
    sample = Samples(turned, Inputs((), frozenset({"stereo"})), SIZE)[0]
    (partner,) = sample.sources
    assert partner.offset == 0
    assert partner.view_from_target.translation.tolist() == pytest.approx([x, 0, 0])
    assert torch.equal(partner.view_from_target.rotation, torch.eye(3))


def test_stereo_partner_in_metres(stereo: list[Moment]) -> None:
    known = [replace(m, partner=replace(m.partner, baseline=0.54)) for m in stereo]
    samples = Samples(known, Inputs((), frozenset({"stereo"})), SIZE, baseline="metres")
    assert samples[0].sources[0].view_from_target.translation[0].item() == pytest.approx(-0.54)


def test_unknown_baseline_is_refused(stereo: list[Moment]) -> None:
    with pytest.raises(KinedepthError, match="--baseline"):
        Samples(stereo, Inputs((), frozenset({"stereo"})), SIZE, baseline="metres")[0]


def test_stereo_is_left_out_unless_asked(stereo: list[Moment]) -> None:
    assert Samples(stereo, Inputs(), SIZE)[0].sources == ()


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        (Inputs((-2,)), r"drive/000001 has no neighbour at -2"),
        (Inputs((-1,), frozenset({"stereo"})), "no stereo partner"),
        (Inputs((-1,), frozenset({"instances"})), "no instances: make them with `kinedepth labels`"),
    ],
)
def test_what_moments_lack_is_said(moments: list[Moment], inputs: Inputs, words: str) -> None:
    with pytest.raises(KinedepthError, match=words):
        Samples(moments, inputs, SIZE)


def test_no_moments_are_refused() -> None:
    with pytest.raises(KinedepthError, match="empty"):
        Samples([], Inputs(), SIZE)


def test_instances_are_read_for_every_view(tmp_path: Path, pictures: Pictures) -> None:
    pictures(tmp_path / "images", 3)
    (tmp_path / "instances").mkdir()
    for i in range(3):
        labels = np.zeros((64, 96), np.uint16)
        labels[:, 48:] = 300 + i
        Image.fromarray(labels).save(tmp_path / "instances" / f"{i:06d}.png")
    sample = Samples(folder.moments(tmp_path), Inputs((-1, 1), frozenset({"instances"})), SIZE)[0]
    ids = [view.instances.unique().tolist() for view in (sample.target, *sample.sources)]
    assert ids == [[0, 301], [0, 300], [0, 302]]
    assert (sample.target.instances[:, 32:] == 301).all()


def test_truth_keeps_its_own_size(moments: list[Moment], tmp_path: Path) -> None:
    depth = np.linspace(1, 50, 64 * 96, dtype=np.float32).reshape(64, 96)
    np.savez(tmp_path / "t.npz", depth=np.where(depth > 40, np.inf, depth))
    with_truth = [replace(m, truth=Truth(tmp_path / "t.npz", "npz")) for m in moments]
    measured = Samples(with_truth, Inputs(), SIZE, truth=True)[0].depth
    assert torch.equal(measured[0], torch.from_numpy(np.where(depth > 40, 0, depth)))


def test_truth_that_some_lack_is_left_out(moments: list[Moment], tmp_path: Path) -> None:
    some = [replace(moments[0], truth=Truth(tmp_path / "t.npz", "npz")), *moments[1:]]
    assert Samples(some, Inputs(), SIZE, truth=True)[0].depth is None


def test_png_truth_is_in_256ths_of_a_metre(tmp_path: Path) -> None:
    Image.fromarray(np.array([[0, 256, 640]], np.uint16)).save(tmp_path / "t.png")
    assert read_truth(Truth(tmp_path / "t.png", "png")).tolist() == [[[0.0, 1.0, 2.5]]]


@pytest.mark.parametrize("kind", ["npz", "png", "velodyne"])
def test_missing_truth_is_named(kind: str, tmp_path: Path) -> None:
    with pytest.raises(KinedepthError, match=str(tmp_path)):
        read_truth(Truth(tmp_path / f"t.{kind}", kind))


def test_real_truths_agree(real_data_root: Path) -> None:
    root = real_data_root / "kitti_depth_0001"
    laser = read_truth(Truth(root / "velodyne" / "000005.bin", "velodyne", root / "calib"))
    dense = read_truth(Truth(root / "gt_depth" / "000005.png", "png"))
    assert laser.shape == dense.shape
    both = (laser > 0) & (dense > 0)
    assert ((laser - dense).abs() / dense)[both].median() < 0.05


def test_damaged_file_is_named_when_prepared(moments: list[Moment]) -> None:
    path = moments[4].target.path
    path.write_bytes(path.read_bytes()[:-80])
    with pytest.raises(KinedepthError, match=path.name):
        Samples(moments, Inputs((-1, 1)), SIZE).prepare()


def test_prepared_frames_are_not_read_again(moments: list[Moment]) -> None:
    samples = Samples(moments, Inputs((-1, 1)), SIZE)
    seen: list[tuple[int, int]] = []
    samples.prepare(lambda done, total: seen.append((done, total)))
    moments[0].target.path.unlink()
    assert samples[0].names == ("drive/000001",)
    assert seen[-1] == (12, 12)


def test_frames_beyond_the_memory_are_read_again(moments: list[Moment]) -> None:
    store = FrameStore(SIZE, memory=2 * 3 * 32 * 64)
    for frame in (moments[0].target, moments[1].target, moments[2].target):
        store.read(frame)
    moments[2].target.path.unlink()
    store.read(moments[1].target)
    with pytest.raises(KinedepthError, match="no picture .*000003.png"):
        store.read(moments[2].target)


def test_subset_shares_the_store(moments: list[Moment]) -> None:
    samples = Samples(moments, Inputs((-1, 1)), SIZE)
    part = samples.subset([4, 2])
    assert [sample.names[0] for sample in part] == ["drive/000005", "drive/000003"]
    assert part.store is samples.store


def test_epochs_vary_and_repeat(moments: list[Moment]) -> None:
    samples = Samples(moments, Inputs((-1, 1)), SIZE, Augment(), seed=3)
    first = [samples[0, i] for i in range(10)]
    again = Samples(moments, Inputs((-1, 1)), SIZE, Augment(), seed=3)
    torch.manual_seed(99)
    assert all(same(again[0, i], first[i]) for i in reversed(range(10)))
    assert not all(same(samples[1, i], first[i]) for i in range(10))
    assert not all(same(replace(samples, seed=4)[0, i], first[i]) for i in range(10))


@pytest.mark.parametrize("workers", [0, 3])
def test_batches_go_on_where_they_stopped(moments: list[Moment], workers: int) -> None:
    samples = Samples(moments, Inputs((-1, 1)), SIZE, Augment())
    whole = list(batches(samples, 3, seed=1, epoch=2))
    rest = list(batches(samples, 3, seed=1, epoch=2, start=1, workers=workers))
    assert len(whole) == 3
    assert all(same(a, b) for a, b in zip(whole[1:], rest, strict=True))


def test_batches_before_the_start_are_not_read(moments: list[Moment]) -> None:
    samples = Samples(moments, Inputs(), SIZE)
    first = order(10, 0, 0)[:4]
    for i in first:
        moments[i].target.path.unlink()
    assert len(list(batches(samples, 4, start=1))) == 1
    with pytest.raises(KinedepthError, match="no picture"):
        next(batches(samples, 4))


@pytest.mark.parametrize("workers", [0, 2])
def test_damaged_file_ends_the_epoch(moments: list[Moment], workers: int) -> None:
    moments[7].target.path.write_bytes(b"")
    with pytest.raises(KinedepthError, match="000008.png is empty"):
        list(batches(Samples(moments, Inputs(), SIZE), 2, workers=workers))


def test_an_epoch_reads_each_moment_once(moments: list[Moment]) -> None:
    samples = Samples(moments, Inputs(), SIZE)
    read = [name for batch in batches(samples, 4, epoch=1, drop_last=False) for name in batch.names]
    assert sorted(read) == [moment.name for moment in moments]
    assert read != sorted(read)
    assert (batch_count(samples, 4), batch_count(samples, 4, drop_last=False)) == (2, 3)


def test_orders_of_epochs_differ() -> None:
    assert order(50, 0, 0) != order(50, 0, 1)
    assert order(50, 0, 0) != order(50, 1, 0)
    assert order(5, 0, 0, shuffle=False) == [0, 1, 2, 3, 4]


def test_batch_larger_than_the_data_is_refused(moments: list[Moment]) -> None:
    with pytest.raises(KinedepthError, match="10 samples do not fill a batch of 11"):
        batches(Samples(moments, Inputs(), SIZE), 11)


def test_reader_may_be_left_early(moments: list[Moment]) -> None:
    reading = batches(Samples(moments, Inputs(), SIZE), 2, workers=2)
    assert next(reading).target.image.shape == (2, 3, *SIZE)
    reading.close()


def test_videos_and_folders_give_equal_samples(
    tmp_path: Path, pictures: Pictures, film: Callable[..., Path]
) -> None:
    path = film(tmp_path / "a.mp4", count=3, size=(64, 96))
    moment = Moment("a/1", "a", Frame(path, 1), CAMERA, {-1: Frame(path, 0), 1: Frame(path, 2)})
    pictures(tmp_path / "stills", 3, (64, 96))
    filmed = Samples([moment], Inputs((-1, 1)), SIZE)[0]
    still = Samples(folder.moments(tmp_path / "stills", (-1, 1), CAMERA), Inputs((-1, 1)), SIZE)[0]
    for one, other in zip((filmed.target, *filmed.sources), (still.target, *still.sources), strict=True):
        assert (one.image - other.image).abs().mean() < 0.02


def test_truths_of_several_sizes_fit_into_one_batch(moments: list[Moment], tmp_path: Path) -> None:
    for i, size in enumerate(((64, 96), (32, 48))):
        np.savez(tmp_path / f"{i}.npz", depth=np.full(size, 7.0 + i, np.float32))
    two = [replace(m, truth=Truth(tmp_path / f"{i}.npz", "npz")) for i, m in enumerate(moments[:2])]
    (batch,) = batches(Samples(two, Inputs(), SIZE, truth=True), 2, shuffle=False)
    assert batch.depth.shape == (2, 1, 64, 96)
    assert batch.depth.flatten(1).unique(dim=1).flatten().tolist() == [7.0, 8.0]
