"""The predictor: input size, the right resize, mode and unit, neighbours, motion."""

import weakref
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

from kinedepth.errors import KinedepthError
from kinedepth.geometry.camera import Camera
from kinedepth.inference.predictor import Predictor, Unit
from kinedepth.inference.video import video_writer
from kinedepth.method import Method

Make = Callable[..., np.ndarray]


def _network_input(picture: np.ndarray, size: tuple[int, int]) -> torch.Tensor:
    small = Image.fromarray(picture).resize((size[1], size[0]), Image.Resampling.LANCZOS)
    return torch.from_numpy(np.asarray(small) / np.float32(255)).permute(2, 0, 1)[None]


def test_depth_is_the_inverse_of_the_enlarged_inverse(predictor: Predictor, picture: Make) -> None:
    image = picture()
    predictor.method.eval()
    with torch.no_grad():
        inverse = predictor.method.networks["depth"](_network_input(image, predictor.size))[0, 0].numpy()
    enlarged = cv2.resize(inverse, (image.shape[1], image.shape[0]), interpolation=cv2.INTER_LINEAR)
    prediction = predictor.infer(image)
    assert prediction.depth.dtype == np.float32
    assert prediction.depth.shape == image.shape[:2]
    np.testing.assert_allclose(prediction.depth, 1 / enlarged, rtol=1e-5)


@pytest.mark.parametrize("size", [(1, 1), (717, 1279), (64, 32), (32, 64)])
def test_any_size_comes_back(predictor: Predictor, picture: Make, size: tuple[int, int]) -> None:
    assert predictor.infer(picture(0, *size)).depth.shape == size


def test_a_file_is_its_picture(predictor: Predictor, picture: Make, tmp_path: Path) -> None:
    path = tmp_path / "Straße 1.png"
    Image.fromarray(picture()).save(path)
    np.testing.assert_array_equal(predictor.infer(path).depth, predictor.infer(picture()).depth)
    np.testing.assert_array_equal(predictor.infer(str(path)).depth, predictor.infer(picture()).depth)


def test_a_damaged_file_is_named(predictor: Predictor, tmp_path: Path) -> None:
    (tmp_path / "bad.jpg").write_bytes(b"\xff\xd8\xff no")
    with pytest.raises(KinedepthError, match=r"bad.jpg"):
        predictor.infer(tmp_path / "bad.jpg")


def test_many_is_each(predictor: Predictor, picture: Make) -> None:
    images = [picture(1), picture(2, 20, 30), picture(3)]
    for together, image in zip(predictor.infer_many(images), images, strict=True):
        np.testing.assert_allclose(together.depth, predictor.infer(image).depth, rtol=1e-5)


def test_no_pictures_no_predictions(predictor: Predictor) -> None:
    assert predictor.infer_many([]) == []


def test_the_trainers_mode_comes_back(predictor: Predictor, picture: Make) -> None:
    predictor.method.train()
    norm = predictor.method.networks["depth"].norm
    before = norm.running_mean.clone()
    predictor.infer(picture())
    assert predictor.method.training
    assert norm.training
    torch.testing.assert_close(norm.running_mean, before)


def test_flip_blends_the_mirrored_prediction(predictor: Predictor, picture: Make) -> None:
    """On a network without position the mirrored prediction is the same, so nothing may change."""
    plain = predictor.infer(picture(4, 32, 64)).depth
    predictor.flip = True
    np.testing.assert_allclose(predictor.infer(picture(4, 32, 64)).depth, plain, rtol=1e-5)


@pytest.mark.parametrize(
    "array",
    [np.zeros((4, 5), np.uint8), np.zeros((4, 5, 3)), np.zeros((4, 5, 4), np.uint8), np.zeros(3, np.uint8)],
)
def test_what_is_no_picture_is_refused(predictor: Predictor, array: np.ndarray) -> None:
    with pytest.raises(KinedepthError, match="is no picture"):
        predictor.infer(array)


class TestUnit:
    def test_relative_is_said(self, predictor: Predictor, picture: Make) -> None:
        prediction = predictor.infer(picture())
        assert (prediction.scale, prediction.source) == ("relative", "monocular video")

    def test_metric_scales_depth_and_motion(self, predictor: Predictor, picture: Make) -> None:
        unit = Unit("metric", "baseline 0.54 m", 5.4, 0.02)
        metric = Predictor(predictor.method, predictor.size, unit)
        images = picture(0), picture(1)
        np.testing.assert_allclose(
            metric.infer(images[0]).depth, 5.4 * predictor.infer(images[0]).depth, rtol=1e-6
        )
        assert metric.infer(images[0]).uncertainty == 0.02
        np.testing.assert_allclose(
            metric.pose(*images)[:3, 3], 5.4 * predictor.pose(*images)[:3, 3], rtol=1e-6
        )
        np.testing.assert_allclose(metric.pose(*images)[:3, :3], predictor.pose(*images)[:3, :3])

    def test_anchor_sets_the_median_and_stays_relative(self, predictor: Predictor, picture: Make) -> None:
        anchored = predictor.anchored(3.0)
        prediction = anchored.infer(picture())
        assert np.median(prediction.depth) == pytest.approx(3.0, rel=1e-6)
        assert prediction.scale == "relative"
        assert "median" in prediction.source
        assert predictor.range_anchor is None

    @pytest.mark.parametrize("median", [0.0, -1.0, float("nan"), float("inf")])
    def test_an_impossible_anchor(self, predictor: Predictor, median: float) -> None:
        with pytest.raises(KinedepthError, match="no anchor"):
            predictor.anchored(median)


class TestCamera:
    camera = Camera(torch.tensor([60.0, 58.0]), torch.tensor([41.0, 22.0]))

    def test_unknown_stays_unknown(self, predictor: Predictor, picture: Make) -> None:
        assert predictor.infer(picture()).camera is None

    def test_the_pictures_own_comes_back(self, predictor: Predictor, picture: Make) -> None:
        camera = predictor.infer(picture(), self.camera).camera
        assert camera is not None
        torch.testing.assert_close(camera.matrix(), self.camera.matrix())

    def test_the_predictors_is_brought_to_the_picture(self, predictor: Predictor, picture: Make) -> None:
        """Both sides of the picture keep their angle: a centred camera stays centred."""
        centered = Camera(torch.tensor([30.0, 30.0]), torch.tensor([31.5, 15.5]))
        camera = (
            Predictor(predictor.method, predictor.size, camera=centered).infer(picture(0, 64, 192)).camera
        )
        assert camera is not None
        torch.testing.assert_close(camera.focal, torch.tensor([90.0, 60.0]))
        torch.testing.assert_close(camera.center, torch.tensor([95.5, 31.5]))


class TestVideo:
    def test_a_file_streams_every_frame(self, predictor: Predictor, picture: Make, tmp_path: Path) -> None:
        frames = [picture(seed, 46, 84) for seed in range(5)]
        with video_writer(tmp_path / "drive.mp4", Fraction(10)) as video:
            for frame in frames:
                video.write(frame)
        depths = [prediction.depth for prediction in predictor.video(tmp_path / "drive.mp4", batch=2)]
        assert len(depths) == 5
        for depth, frame in zip(depths, frames, strict=True):
            np.testing.assert_allclose(depth, predictor.infer(frame).depth, rtol=0.1)

    @pytest.mark.parametrize("batch", [1, 3])
    def test_batches_change_nothing(self, predictor: Predictor, picture: Make, batch: int) -> None:
        frames = [picture(seed) for seed in range(7)]
        for prediction, frame in zip(predictor.video(iter(frames), batch=batch), frames, strict=True):
            np.testing.assert_allclose(prediction.depth, predictor.infer(frame).depth, rtol=1e-5)

    def test_neighbours_are_seen(self, picture: Make, method_with: Callable[..., Method]) -> None:
        """The toy adds each neighbour's brightness, so a dark one must show."""
        predictor = Predictor(method_with((-1,)), (32, 64))
        dark, bright = np.zeros((45, 83, 3), np.uint8), np.full((45, 83, 3), 255, np.uint8)
        depths = [prediction.depth[0, 0] for prediction in predictor.video([dark, bright, bright])]
        np.testing.assert_allclose(1 / np.array(depths), [0.1, 1.1, 2.1], rtol=1e-4)

    def test_a_lone_picture_is_its_own_neighbour(self, method_with: Callable[..., Method]) -> None:
        bright = np.full((45, 83, 3), 255, np.uint8)
        assert 1 / Predictor(method_with((-1, 1)), (32, 64)).infer(bright).depth[0, 0] == pytest.approx(
            3.1, 1e-4
        )

    def test_a_folder_and_its_files_are_clips(
        self, predictor: Predictor, picture: Make, tmp_path: Path
    ) -> None:
        for index in (10, 9, 2):
            Image.fromarray(picture(index)).save(tmp_path / f"{index}.png")
        expected = [predictor.infer(picture(index)).depth for index in (2, 9, 10)]
        for source in (tmp_path, [tmp_path / "2.png", str(tmp_path / "9.png"), tmp_path / "10.png"]):
            given = [prediction.depth for prediction in predictor.video(source)]
            np.testing.assert_array_equal(given, expected)

    def test_memory_is_flat(self, predictor: Predictor) -> None:
        alive: list[weakref.ref[np.ndarray]] = []
        most = 0

        def frames() -> Iterator[np.ndarray]:
            for _ in range(30):
                frame = np.zeros((8, 8, 3), np.uint8)
                alive.append(weakref.ref(frame))
                yield frame

        for _ in predictor.video(frames(), batch=2):
            most = max(most, sum(ref() is not None for ref in alive))
        assert most <= 5

    def test_a_missing_video_is_named(self, predictor: Predictor, tmp_path: Path) -> None:
        with pytest.raises(KinedepthError, match=r"none.mp4"):
            next(predictor.video(tmp_path / "none.mp4"))


class TestMotion:
    def test_pose_is_second_from_first(self, predictor: Predictor) -> None:
        bright = np.full((45, 83, 3), 255, np.uint8)
        pose = predictor.pose(np.zeros_like(bright), bright)
        np.testing.assert_allclose(pose[:3, 3], [0, 0, -1], atol=1e-6)
        np.testing.assert_array_equal(pose[3], [0, 0, 0, 1])

    def test_trajectory_chains_from_the_first_camera(self, predictor: Predictor) -> None:
        bright = np.full((45, 83, 3), 255, np.uint8)
        poses = predictor.trajectory([bright] * 4)
        np.testing.assert_array_equal(poses[0], np.eye(4))
        second_from_first = predictor.pose(bright, bright)
        np.testing.assert_allclose(
            poses[3], np.linalg.inv(np.linalg.matrix_power(second_from_first, 3)), atol=1e-5
        )

    def test_a_method_without_poses_says_so(self, picture: Make, method_with: Callable[..., Method]) -> None:
        with pytest.raises(KinedepthError, match="no pose"):
            Predictor(method_with(()), (32, 64)).pose(picture(0), picture(1))


def test_priors_are_refused(method_with: Callable[..., Method]) -> None:
    with pytest.raises(KinedepthError, match="needs instances to predict"):
        Predictor(method_with((), frozenset({"instances"})), (32, 64))


@pytest.mark.parametrize("device", ["abacus", "cuda:77"])
def test_a_missing_device_is_named(predictor: Predictor, device: str) -> None:
    with pytest.raises(KinedepthError, match=device):
        Predictor(predictor.method, predictor.size, device=device)


def test_a_broken_network_is_said(predictor: Predictor, picture: Make) -> None:
    torch.nn.init.constant_(predictor.method.networks["depth"].gain, float("nan"))
    with pytest.raises(KinedepthError, match="checkpoint is damaged"):
        predictor.infer(picture())
