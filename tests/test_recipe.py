"""From settings to parts: what is built, what is refused, and what a checkpoint brings back."""

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from kinedepth.data import kitti
from kinedepth.data.moments import Calibration, Lens
from kinedepth.errors import KinedepthError
from kinedepth.inference.weights import read_header, write_weights
from kinedepth.method import Method
from kinedepth.networks.blocks.range import FlatGround
from kinedepth.optimizer import Cosine, Progress, Steps
from kinedepth.recipe import (
    build_method,
    camera_note,
    checkpoint_of,
    flat_ground,
    header,
    initialize,
    load_method,
    load_predictor,
    open_data,
    optimizer,
    understand,
)
from kinedepth.settings import Settings, Train, changed

SIZE = (64, 96)
SMALL = changed(
    Settings(),
    network={"weights": "scratch"},
    pose={"kind": "posecnn"},
    data={"size": SIZE, "held_out": 0.25},
)


def write_pictures(folder: Path, count: int, size: tuple[int, int] = SIZE) -> None:
    folder.mkdir(parents=True)
    noise = np.random.default_rng(0)
    for index in range(count):
        pixels = noise.integers(0, 255, (*size, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{index:03d}.png")


@pytest.fixture(scope="module")
def drive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A stereo rig of ten pairs with measured depth: fx 80, camera centre (47.5, 31.5), 0.5 m apart."""
    folder = tmp_path_factory.mktemp("drive")
    write_pictures(folder / "images", 10)
    write_pictures(folder / "right", 10)
    (folder / "truth").mkdir()
    for index in range(10):
        np.savez(folder / "truth" / f"{index:03d}.npz", depth=np.full(SIZE, 5, np.float32))
    camera = {
        "fx": 80,
        "fy": 80,
        "cx": 47.5,
        "cy": 31.5,
        "width": SIZE[1],
        "height": SIZE[0],
        "baseline": 0.5,
    }
    (folder / "intrinsics.json").write_text(json.dumps(camera))
    return folder


class TestNames:
    @pytest.mark.parametrize(
        ("change", "said"),
        [
            ({"network": {"name": "monodepth"}}, "no depth network 'monodepth'. Did you mean 'monodepth2'"),
            ({"network": {"encoder": "resnet81"}}, "no encoder 'resnet81'. Did you mean 'resnet18'"),
            ({"pose": {"encoder": "vgg"}}, "no encoder 'vgg'. Known: .*resnet50"),
        ],
    )
    def test_that_no_table_holds(self, change: dict[str, dict[str, Any]], said: str):
        with pytest.raises(KinedepthError, match=said):
            build_method(changed(SMALL, **change))

    def test_of_a_method(self):
        with pytest.raises(KinedepthError, match="no method 'monodepth'. Did you mean 'monodepth2'"):
            build_method(Settings(method="monodepth"))


class TestOptimizer:
    def test_drops_after_the_epochs_of_the_paper(self):
        made = optimizer(Train())
        assert made.schedule == Steps((15,))
        rates = [made.rates(["depth"], Progress(epoch, 0, 1)) for epoch in (0, 14, 15, 19)]
        assert rates == [[1e-4], [1e-4], [pytest.approx(1e-5)], [pytest.approx(1e-5)]]

    def test_follows_a_cosine_where_asked(self):
        made = optimizer(Train(lr=2e-4, schedule="cosine", warmup=10))
        assert made.lr == 2e-4
        assert made.schedule == Cosine(warmup=10)


class TestData:
    def opened(self, drive: Path, **data: Any) -> Any:
        settings = changed(SMALL, data=data)
        method_inputs = build_method(settings).learns_from
        return open_data(understand(drive, settings.data), settings, method_inputs)

    def test_holds_out_the_end_and_reads_its_truth(self, drive: Path):
        data = self.opened(drive)
        assert (len(data.learn), len(data.held_out)) == (4, 2)
        learned = {path for moment in data.learn.moments for path in moment.frames()}
        assert learned.isdisjoint(path for moment in data.held_out.moments for path in moment.frames())
        assert data.held_out[0].depth is not None
        assert data.learn[0].depth is None
        assert data.notes == ("moments    4 to learn from, 2 held out",)

    def test_holds_nothing_out_where_asked(self, drive: Path):
        data = self.opened(drive, held_out=0.0)
        assert (len(data.learn), data.held_out) == (8, None)

    @pytest.mark.parametrize(("flip", "jitter"), [(True, False), (False, True), (False, False)])
    def test_varies_what_is_learned_from_alone(self, flip: bool, jitter: bool, drive: Path):
        data = self.opened(drive, flip=flip, jitter=jitter)
        assert (data.learn.augment.flip, data.learn.augment.jitter) == (0.5 * flip, 0.5 * jitter)
        assert data.held_out.augment is None

    def test_reads_each_picture_once_for_both(self, drive: Path):
        data = self.opened(drive)
        assert data.learn.store is data.held_out.store

    def test_says_that_a_size_was_rounded(self, drive: Path):
        data = self.opened(drive, size=(70, 100))
        assert data.learn.size == (64, 96)
        assert data.notes[1].startswith("note       networks see 96x64")

    @pytest.mark.parametrize(
        ("convention", "center"), [("centers", (95.5, 63.5)), ("official", (95.0, 63.0))]
    )
    def test_rescales_the_camera_as_asked(self, convention: str, center: tuple[float, ...], drive: Path):
        data = self.opened(drive, size=(128, 192), camera_convention=convention)
        camera = data.held_out[0].target.camera
        assert camera.focal.tolist() == [160.0, 160.0]
        assert tuple(camera.center.tolist()) == center

    @pytest.mark.parametrize(
        ("given", "focal"), [({"fov": 90.0}, 48.0), ({"intrinsics": "60 60 47 31"}, 60.0)]
    )
    def test_takes_the_camera_that_is_given(self, given: dict[str, Any], focal: float, drive: Path):
        data = self.opened(drive, **given)
        assert data.learn[0].target.camera.focal.tolist() == pytest.approx([focal, focal])

    def test_takes_every_moment_unless_asked(self, drive: Path, monkeypatch: pytest.MonkeyPatch):
        def refuse(*given: Any) -> None:
            raise AssertionError("measured")

        monkeypatch.setattr("kinedepth.data.choosing.measured", refuse)
        data = self.opened(drive, held_out=0.0)
        assert [moment.name for moment in data.learn.moments] == [
            moment.name for moment in understand(drive, SMALL.data).source.moments()
        ]
        assert data.gap == 1

    def test_takes_the_gap_that_is_given(self, drive: Path):
        data = self.opened(drive, gap=2, held_out=0.0)
        assert (len(data.learn), data.gap) == (6, 2)
        assert [frame.label for frame in data.learn.moments[0].frames()[:3]] == ["002", "000", "004"]

    def test_drops_what_is_no_motion(self, drive: Path):
        """Noise that differs in every picture is a cut between any two."""
        with pytest.raises(KinedepthError, match="no moment of .* is left: 8 span a cut"):
            self.opened(drive, cuts=True)

    def test_stereo_alone_measures_nothing(self, drive: Path):
        settings = changed(SMALL, monodepth2={"frames": (), "stereo": True}, data={"gap": 0, "cuts": True})
        data = open_data(understand(drive, settings.data), settings, build_method(settings).learns_from)
        assert len(data.learn) + len(data.held_out) == 10

    def test_leaves_out_what_a_mask_says(self, drive: Path, tmp_path: Path):
        pixels = np.full(SIZE, 255, np.uint8)
        pixels[48:] = 0
        Image.fromarray(pixels).save(tmp_path / "hood.png")
        data = self.opened(drive, mask=str(tmp_path / "hood.png"))
        counts = data.learn[0].target.counts
        assert counts is not None
        assert counts[0, :48].all()
        assert not counts[0, 48:].any()
        assert "motion     mask leaves out 25 % (hood.png)" in data.notes

    def test_measures_for_the_sake_of_a_mask(self, drive: Path):
        data = self.opened(drive, mask="auto")
        assert (len(data.learn), len(data.held_out)) == (4, 2)
        assert data.choices[0].motion is not None
        assert json.loads(json.dumps(data.facts))["sequences"][0]["mask"] is None

    def test_an_official_split_keeps_its_own_moments(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
        drive = tmp_path / "2011_09_26" / "2011_09_26_drive_0001_sync" / "image_02" / "data"
        write_pictures(drive, 4)
        for path in drive.iterdir():
            path.rename(drive / f"{int(path.stem):010d}.png")
        lines = [kitti.Line("2011_09_26/2011_09_26_drive_0001_sync", 1)] * 2
        monkeypatch.setattr(kitti, "split_lines", lambda name: lines)
        settings = changed(SMALL, data={"split": "eigen_zhou", "gap": 0, "standstill": True})
        footage = understand(tmp_path, settings.data)
        data = open_data(footage, settings, build_method(settings).learns_from)
        assert any("an official split has its own" in note for note in data.notes)
        assert data.facts["kind"] == "KITTI, official split"

    def test_refuses_a_sequence_that_is_too_short(self, tmp_path: Path):
        write_pictures(tmp_path / "short", 2)
        with pytest.raises(KinedepthError, match="2 frames"):
            self.opened(tmp_path / "short")


class TestFlatGround:
    def test_is_seen_by_the_camera_of_the_source(self, drive: Path):
        footage = understand(drive, SMALL.data)
        assert flat_ground(SMALL, footage) == FlatGround(80 / 64, 32 / 64, 0.0)
        larger = changed(SMALL, data={"size": (128, 192)})
        assert flat_ground(larger, footage) == FlatGround(80 / 64, 32 / 64, 0.0)

    def test_lies_at_the_height_of_the_camera_where_the_unit_is_known(self, drive: Path):
        settings = changed(SMALL, monodepth2={"stereo": True}, network={"camera_height": 1.5})
        assert flat_ground(settings, understand(drive, settings.data)).height == pytest.approx(
            1.5 * 0.1 / 0.5
        )


class TestHeader:
    def test_of_one_camera_is_relative(self, drive: Path):
        note = header(SMALL, understand(drive, SMALL.data))
        assert note["unit"] == {"scale": "relative", "source": "monocular video", "factor": 1.0}
        assert note["settings"]["pose"]["kind"] == "posecnn"

    def test_of_a_stereo_rig_is_metric(self, drive: Path):
        settings = changed(SMALL, monodepth2={"stereo": True})
        note = header(settings, understand(drive, settings.data))
        assert note["unit"] == {"scale": "metric", "source": "stereo baseline 0.500 m", "factor": 5.0}

    def test_can_be_written(self, drive: Path):
        note = header(SMALL, understand(drive, SMALL.data))
        assert json.loads(json.dumps(note)).keys() == note.keys()

    def written(self, drive: Path, path: Path, **data: Any) -> Path:
        settings = changed(SMALL, data=data)
        note = header(settings, understand(drive, settings.data), gap=3)
        write_weights(path, build_method(settings).networks.state_dict(), note)
        return path

    def test_says_where_the_camera_comes_from(self, drive: Path, tmp_path: Path):
        path = self.written(drive, tmp_path / "a.safetensors")
        assert camera_note(path) == ("from intrinsics.json beside the pictures", None)
        assert read_header(path)["gap"] == 3
        predictor = load_predictor(path)
        assert (predictor.gap, predictor.odometer().gap) == (3, 3)
        assert predictor.infer(np.zeros((64, 96, 3), np.uint8)).camera_source == (
            "the run's: from intrinsics.json beside the pictures"
        )

    def test_keeps_the_lens(self, drive: Path, tmp_path: Path):
        known = {"fx": 80, "fy": 80, "cx": 47.5, "cy": 31.5, "width": 96, "height": 64}
        (tmp_path / "lens.json").write_text(json.dumps(known | {"distortion": [-0.2, 0.05, 0.0, 0.0]}))
        path = self.written(drive, tmp_path / "a.safetensors", intrinsics=str(tmp_path / "lens.json"))
        note = camera_note(path)
        assert note.source == "from lens.json"
        lens = Lens("brown", (-0.2, 0.05, 0.0, 0.0))
        assert note.raw == Calibration(80.0, 80.0, 47.5, 31.5, 96, 64, lens)
        camera = load_predictor(path).camera
        assert camera is not None
        assert camera.focal.tolist() != [80, 80]

    def test_of_an_official_split(self, tmp_path: Path):
        settings = changed(SMALL, data={"split": "eigen_zhou"})
        note = header(settings, understand(tmp_path, settings.data))
        assert (note["camera_source"], note["raw_camera"]) == ("the one camera of Monodepth2 for KITTI", None)

    def test_of_older_checkpoints_says_little(self, drive: Path, tmp_path: Path):
        note = header(SMALL, understand(drive, SMALL.data))
        old = {key: note[key] for key in ("settings", "camera", "size", "unit")}
        old["camera"] = {key: value for key, value in note["camera"].items() if key != "lens"}
        path = tmp_path / "old.safetensors"
        write_weights(path, build_method(SMALL).networks.state_dict(), old)
        assert camera_note(path).raw is None
        assert load_predictor(path).camera is not None


@pytest.fixture(scope="module")
def trained(drive: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder with checkpoints of networks that begin at flat ground, as if trained."""
    folder = tmp_path_factory.mktemp("run")
    (folder / "checkpoints").mkdir()
    settings = changed(SMALL, network={"start": "flat_ground"})
    footage = understand(drive, settings.data)
    for seed, name in enumerate(("best", "last"), 1):
        torch.manual_seed(seed)
        method = build_method(settings, flat_ground(settings, footage))
        # A recipe of pretrained encoders: whoever opens the checkpoint needs no connection.
        note = header(changed(settings, network={"weights": "imagenet"}), footage)
        path = folder / "checkpoints" / f"{name}.safetensors"
        write_weights(path, method.networks.state_dict(), note)
    return folder


class TestCheckpointOf:
    def test_a_run_is_its_best(self, trained: Path):
        assert checkpoint_of(trained) == trained / "checkpoints" / "best.safetensors"

    def test_a_run_without_best_is_its_last(self, trained: Path, tmp_path: Path):
        (tmp_path / "checkpoints").mkdir()
        (tmp_path / "checkpoints" / "last.safetensors").touch()
        assert checkpoint_of(tmp_path) == tmp_path / "checkpoints" / "last.safetensors"

    def test_a_file_is_itself(self, tmp_path: Path):
        assert checkpoint_of(tmp_path / "any.safetensors") == tmp_path / "any.safetensors"

    def test_a_folder_without_any(self, tmp_path: Path):
        with pytest.raises(KinedepthError, match="holds no checkpoint"):
            checkpoint_of(tmp_path)


class TestLoading:
    def test_brings_back_the_method_without_a_download(self, trained: Path, monkeypatch: pytest.MonkeyPatch):
        def refuse(*given: Any) -> None:
            raise AssertionError("a download")

        monkeypatch.setattr("kinedepth.networks.blocks.resnet.imagenet_file", refuse)
        method, note = load_method(trained)
        assert not method.training
        assert note["settings"]["network"]["weights"] == "imagenet"
        ground = method.networks["depth"].range.ground
        assert ground is not None
        assert float(ground[0]) == 0.5

    def test_a_predictor_knows_size_and_unit(self, trained: Path):
        predictor = load_predictor(trained)
        prediction = predictor.infer(np.zeros((50, 70, 3), np.uint8))
        assert prediction.depth.shape == (50, 70)
        assert prediction.scale == "relative"

    def other(self, path: Path, change: Callable[[dict[str, Tensor]], dict[str, Tensor]], note: Any) -> Path:
        method = build_method(SMALL)
        write_weights(path, change(method.networks.state_dict()), note)
        return path

    def test_weights_of_another_recipe_are_one_sentence(self, tmp_path: Path):
        note = {"settings": asdict(changed(SMALL, network={"encoder": "resnet50"}))}
        path = self.other(tmp_path / "a.safetensors", dict, note)
        with pytest.raises(KinedepthError, match="do not fit its own recipe") as refused:
            load_method(path)
        assert "\n" not in str(refused.value)
        assert len(str(refused.value)) < 500

    @pytest.mark.parametrize("load", [load_method, load_predictor])
    def test_a_header_that_says_nothing(self, load: Callable[[Path], Any], tmp_path: Path):
        path = self.other(tmp_path / "a.safetensors", dict, {})
        with pytest.raises(KinedepthError, match="does not hold its recipe"):
            load(path)

    def test_a_header_without_a_camera(self, tmp_path: Path):
        path = self.other(tmp_path / "a.safetensors", dict, {"settings": asdict(SMALL)})
        assert load_method(path)
        with pytest.raises(KinedepthError, match="does not hold its camera"):
            load_predictor(path)


def weights_of(method: Method) -> dict[str, Tensor]:
    return {key: value.clone() for key, value in method.networks.state_dict().items()}


class TestInitialize:
    def test_takes_all_that_fits(self, trained: Path):
        method = build_method(SMALL)
        lines = initialize(method, trained)
        theirs, ours = weights_of(load_method(trained)[0]), weights_of(method)
        assert all(torch.equal(value, theirs[key]) for key, value in ours.items())
        count = len([key for key in ours if key.startswith("depth.")]) - 1
        assert lines == [
            f"depth      {count} of {count} tensors from the checkpoint; not used: range.ground",
            "pose       16 of 16 tensors from the checkpoint",
        ]

    def test_lists_what_stays_as_it_was(self, trained: Path):
        method = build_method(changed(SMALL, pose={"kind": "shared"}))
        before = weights_of(method)
        lines = initialize(method, trained)
        assert "0 of 8 tensors from the checkpoint; as they were: decoder.layers.0.bias, " in lines[1]
        after = weights_of(method)
        assert all(torch.equal(before[key], after[key]) for key in before if key.startswith("pose."))
        assert not torch.equal(before["depth.decoder.heads.0.weight"], after["depth.decoder.heads.0.weight"])

    def test_lists_networks_that_this_recipe_has_not(self, trained: Path):
        method = build_method(changed(SMALL, monodepth2={"frames": (), "stereo": True}))
        assert initialize(method, trained)[1:] == ["pose       of the checkpoint is not part of this recipe"]

    def test_leaves_range_and_ground_to_the_recipe(self, trained: Path):
        ground = FlatGround(1.0, 0.25, 0.0)
        method = build_method(
            changed(SMALL, network={"start": "flat_ground", "near": 0.5, "far": 50.0}), ground
        )
        before = method.networks["depth"].range.ground.clone()
        initialize(method, trained)
        depth = method.networks["depth"]
        assert (depth.near, depth.far, depth.range.limits.tolist()) == (0.5, 50.0, [0.5, 50.0])
        assert torch.equal(depth.range.ground, before)

    def test_refuses_a_checkpoint_of_which_nothing_fits(self, tmp_path: Path):
        write_weights(
            tmp_path / "a.safetensors", {"depth.range.limits": torch.ones(2), "x": torch.ones(3)}, {}
        )
        with pytest.raises(KinedepthError, match="No weights of .* fit this recipe"):
            initialize(build_method(SMALL), tmp_path / "a.safetensors")
