"""Masks and lenses of samples: which pixels count, at which size, in which views; what is refused."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from kinedepth.data import folder
from kinedepth.data.augment import Draw, augmented
from kinedepth.data.frames import as_pixels, counting, read_labels, read_mask
from kinedepth.data.lens import labels_undistorted, rectification, seen, undistorted
from kinedepth.data.loading import batches
from kinedepth.data.moments import Calibration, Frame, Lens, Moment, Truth
from kinedepth.data.samples import Samples
from kinedepth.data.store import DecodedVideos, FrameStore
from kinedepth.errors import KinedepthError
from kinedepth.scene import Inputs, Sample

Pictures = Callable[..., list[Path]]
CAMERA = Calibration(50.0, 50.0, 47.5, 31.5, 96, 64)
SIZE = (32, 48)
BARREL = rectification(replace(CAMERA, lens=Lens("brown", (-0.2, 0.05, 0.0, 0.0))))
WIDE = replace(BARREL, pinhole=replace(BARREL.pinhole, fx=30.0, fy=30.0))
"""Shows less than the picture: its corners and borders are empty."""


@pytest.fixture
def moments(tmp_path: Path, pictures: Pictures) -> list[Moment]:
    pictures(tmp_path / "drive", 8)
    return folder.moments(tmp_path / "drive", (-1, 1), CAMERA)


def written(path: Path, mask: np.ndarray) -> Path:
    Image.fromarray(mask).save(path)
    return path


def bonnet(size: tuple[int, int] = (64, 96), value: int = 255) -> np.ndarray:
    mask = np.full(size, value, np.uint8)
    mask[-size[0] // 4 :, : size[1] // 2] = 0
    return mask


@pytest.fixture
def masked(moments: list[Moment], tmp_path: Path) -> list[Moment]:
    path = written(tmp_path / "hood.png", bonnet())
    return [replace(moment, mask=path) for moment in moments]


def rectified(moment: Moment, **parts: object) -> Moment:
    neighbors = {offset: replace(frame, rectified=WIDE) for offset, frame in moment.neighbors.items()}
    return replace(moment, target=replace(moment.target, rectified=WIDE), neighbors=neighbors, **parts)


def counts(sample: Sample) -> list[torch.Tensor]:
    return [view.counts for view in (sample.target, *sample.sources)]


def test_without_masks_and_lenses_nothing_is_said(moments: list[Moment]) -> None:
    assert counts(Samples(moments, Inputs((-1, 1)), SIZE)[0]) == [None] * 3


def test_a_mask_is_for_every_view(masked: list[Moment]) -> None:
    expected = torch.ones(1, *SIZE, dtype=torch.bool)
    expected[:, 24:, :24] = False
    assert all(torch.equal(one, expected) for one in counts(Samples(masked, Inputs((-1, 1)), SIZE)[2]))


def test_pictures_are_not_blackened(moments: list[Moment], masked: list[Moment]) -> None:
    plain, other = (Samples(these, Inputs(), SIZE)[0].target.image for these in (moments, masked))
    assert torch.equal(plain, other)


def test_masked_and_unmasked_moments_make_one_batch(moments: list[Moment], masked: list[Moment]) -> None:
    mixed = Samples([masked[0], *moments[1:4]], Inputs((-1, 1)), SIZE)
    (batch,) = batches(mixed, 4, shuffle=False)
    assert batch.target.counts.shape == (4, 1, *SIZE)
    assert batch.target.counts.flatten(1).all(1).tolist() == [False, True, True, True]
    assert mixed.subset([1, 2])[0].target.counts is None


@pytest.mark.parametrize("size", [(64, 96), (32, 48), (128, 192), (640, 960), (16, 24), (65, 96)])
def test_a_mask_of_any_size_is_cut_on_the_careful_side(size: tuple[int, int], tmp_path: Path) -> None:
    path = written(tmp_path / "m.png", bonnet(size))
    found = counting(path, None, SIZE)[0]
    kept = read_mask(path)
    rows, columns = (np.arange(n) for n in size)
    own = found[rows * SIZE[0] // size[0]][:, columns * SIZE[1] // size[1]].numpy()
    assert not (own & ~kept).any()
    assert abs(float(found.float().mean()) - kept.mean()) < 0.06


def test_one_black_pixel_leaves_out_the_pixel_that_shows_it(tmp_path: Path) -> None:
    mask = np.full((640, 960), 255, np.uint8)
    mask[300, 500] = 0
    found = counting(written(tmp_path / "m.png", mask), None, SIZE)[0]
    assert (~found).nonzero().tolist() == [[15, 25]]


@pytest.mark.parametrize("value", [1, 255])
@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "1", "P"])
def test_zero_is_left_out_in_every_kind_of_picture(mode: str, value: int, tmp_path: Path) -> None:
    mask = bonnet(value=255 if mode == "1" else value)
    Image.fromarray(mask).convert(mode).save(tmp_path / "m.png")
    assert np.array_equal(read_mask(tmp_path / "m.png"), mask > 0)


def test_black_of_a_lossy_picture_is_nearly_black(tmp_path: Path) -> None:
    Image.fromarray(bonnet()).save(tmp_path / "m.jpg", quality=40)
    assert np.array_equal(read_mask(tmp_path / "m.jpg"), bonnet() > 0)


def test_an_inverted_mask_is_refused(moments: list[Moment], tmp_path: Path) -> None:
    mask = np.zeros((64, 96), np.uint8)
    mask[62:] = 255
    path = written(tmp_path / "m.png", mask)
    with pytest.raises(KinedepthError, match=r"m.png leaves out 97%: 0 must be where .*NOT count; is it inv"):
        Samples([replace(moments[0], mask=path)], Inputs(), SIZE)


def test_a_mask_for_other_pictures_is_refused(moments: list[Moment], tmp_path: Path) -> None:
    path = written(tmp_path / "m.png", bonnet((64, 99)))
    with pytest.raises(KinedepthError, match=r"m.png is 99x64 but the pictures of drive are 96x64"):
        Samples([replace(moments[0], mask=path)], Inputs(), SIZE)


def test_a_mask_for_another_video_is_refused(film: Callable[..., Path], tmp_path: Path) -> None:
    path = written(tmp_path / "m.png", bonnet((96, 64)))
    clip = film(tmp_path / "a.mp4", count=3)
    moment = Moment("a/0", "a", Frame(clip, 0), CAMERA, mask=path)
    with pytest.raises(KinedepthError, match=r"m.png is 64x96 but the pictures of a are 96x64"):
        Samples([moment], Inputs(), SIZE)
    assert Samples([replace(moment, mask=written(path, bonnet()))], Inputs(), SIZE)[0].target.counts.any()


def test_a_missing_mask_is_named(moments: list[Moment], tmp_path: Path) -> None:
    with pytest.raises(KinedepthError, match="none.png"):
        Samples([replace(moments[0], mask=tmp_path / "none.png")], Inputs(), SIZE)


def test_a_mask_is_read_once(masked: list[Moment]) -> None:
    samples = Samples(masked, Inputs((-1, 1)), SIZE)
    masked[0].mask.unlink()
    assert not samples[4].target.counts.all()


def test_a_mirror_turns_the_mask_over(masked: list[Moment]) -> None:
    sample = Samples(masked, Inputs((-1, 1)), SIZE)[0]
    turned = augmented(sample, Draw(flip=True))
    for one, other in zip(counts(sample), counts(turned), strict=True):
        assert torch.equal(one.flip(-1), other)
        assert not torch.equal(one, other)


def test_the_mask_is_not_the_partners(pictures: Pictures, tmp_path: Path) -> None:
    pictures(tmp_path / "rig" / "left", 2)
    pictures(tmp_path / "rig" / "right", 2)
    path = written(tmp_path / "m.png", bonnet())
    moment = replace(folder.moments(tmp_path / "rig", (), CAMERA)[0], mask=path)
    other = replace(moment.partner, frame=replace(moment.partner.frame, rectified=WIDE))
    stereo = Inputs((), frozenset({"stereo"}))
    target, partner = counts(Samples([moment], stereo, SIZE)[0])
    assert not target.all()
    assert partner.all()
    target, partner = counts(Samples([replace(moment, partner=other)], stereo, SIZE)[0])
    assert torch.equal(partner, counting(None, WIDE, SIZE))
    assert not partner.all()


class TestLens:
    def test_pictures_are_undistorted_before_they_are_resized(self, moments: list[Moment]) -> None:
        moment = rectified(moments[0])
        image = Samples([moment], Inputs((-1,)), SIZE)[0].target.image
        straight = Image.fromarray(undistorted(np.asarray(Image.open(moment.target.path)), WIDE))
        assert torch.equal(image, torch.from_numpy(as_pixels(straight, SIZE)) / np.float32(255))

    def test_frames_of_a_video_are_undistorted(self, film: Callable[..., Path], tmp_path: Path) -> None:
        path, videos = film(tmp_path / "a.mp4", count=3), DecodedVideos()
        whole = videos.frame(path, 1, (64, 96)).transpose(1, 2, 0)
        straight = videos.frame(path, 1, (64, 96), WIDE)
        assert np.array_equal(straight, undistorted(np.ascontiguousarray(whole), WIDE).transpose(2, 0, 1))

    def test_the_store_keeps_lenses_apart(
        self, moments: list[Moment], film: Callable[..., Path], tmp_path: Path
    ) -> None:
        store = FrameStore(SIZE)
        for frame in (moments[0].target, Frame(film(tmp_path / "a.mp4", count=3), 1)):
            plain, wide, barrel = (store.read(replace(frame, rectified=r)) for r in (None, WIDE, BARREL))
            assert not np.array_equal(plain, wide)
            assert not np.array_equal(wide, barrel)
            again = FrameStore(SIZE)
            assert np.array_equal(again.read(frame), plain)
            assert np.array_equal(again.read(replace(frame, rectified=WIDE)), wide)

    def test_counts_are_what_the_lens_shows(self, moments: list[Moment]) -> None:
        found = counts(Samples([rectified(moments[0])], Inputs((-1, 1)), SIZE)[0])
        shown = seen(WIDE, (64, 96)).reshape(32, 2, 48, 2).all((1, 3))
        assert 0.3 < shown.mean() < 0.97
        assert all(np.array_equal(one[0].numpy(), shown) for one in found)

    def test_one_distorted_moment_gives_all_a_mask(self, moments: list[Moment]) -> None:
        samples = Samples([moments[0], rectified(moments[1])], Inputs(), SIZE)
        assert samples[0].target.counts.all()
        assert not samples[1].target.counts.all()

    def test_the_mask_is_bent_like_its_picture(self, tmp_path: Path) -> None:
        """Whatever is painted where the mask is black, nothing of it is seen where pixels count."""
        mask = bonnet()
        path = written(tmp_path / "m.png", mask)
        found = counting(path, WIDE, (64, 96))[0].numpy()
        picture = np.random.default_rng(0).integers(0, 255, (64, 96, 3), np.uint8)
        painted = np.where(mask[..., None] > 0, picture, 255).astype(np.uint8)
        one, other = undistorted(picture, WIDE), undistorted(painted, WIDE)
        assert np.array_equal(one[found], other[found])
        assert not np.array_equal(one, other)
        lost = seen(WIDE, (64, 96)) & labels_undistorted(mask > 0, WIDE) & ~found
        assert lost.mean() < 0.06

    def test_labels_are_bent_like_their_picture(self, tmp_path: Path) -> None:
        labels = np.arange(64 * 96, dtype=np.uint16).reshape(64, 96)
        Image.fromarray(labels).save(tmp_path / "l.png")
        found = read_labels(tmp_path / "l.png", (64, 96), rectified=WIDE)
        assert np.array_equal(found, labels_undistorted(labels, WIDE))
        assert not np.array_equal(found, labels)
        assert read_labels(tmp_path / "l.png", SIZE, rectified=WIDE).shape == SIZE

    def test_measured_depth_is_undistorted(self, moments: list[Moment], tmp_path: Path) -> None:
        depth = np.linspace(1, 50, 64 * 96, dtype=np.float32).reshape(64, 96)
        np.savez(tmp_path / "t.npz", depth=depth)
        moment = rectified(moments[0], truth=Truth(tmp_path / "t.npz", "npz"))
        measured = Samples([moment], Inputs(), SIZE, truth=True)[0].depth
        assert np.array_equal(measured[0].numpy(), labels_undistorted(depth, WIDE))
        assert (measured == 0).any()

    def test_instances_of_samples_are_undistorted(self, moments: list[Moment], tmp_path: Path) -> None:
        path = written(tmp_path / "i.png", bonnet())
        moment = rectified(moments[0])
        moment = replace(moment, target=replace(moment.target, instances=path))
        view = Samples([moment], Inputs((), frozenset({"instances"})), (64, 96))[0].target
        assert np.array_equal(view.instances.numpy(), labels_undistorted(bonnet(), WIDE))
