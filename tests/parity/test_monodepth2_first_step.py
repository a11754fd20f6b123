"""The first step of the real trainer on the fixture's batch: its loss is the fixture's.

Pictures go in by the door of any user, as a folder of drives; only what networks would say is replaced.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from PIL import Image
from torch import Tensor, nn

from kinedepth import catalog, run
from kinedepth.geometry.depth import inverse_depth_from_sigmoid
from kinedepth.networks import DepthNetwork, Features, PoseNetwork, PoseVectors
from kinedepth.settings import Settings, changed, recipe

Arrays = dict[str, Tensor]
FRAMES = ("frame_m1", "frame_0", "frame_p1")


def places(images: Tensor, known: Tensor) -> Tensor | None:
    """Which of the `known` images each of `images` is (the order of a batch is shuffled), if it is one."""
    distances = (images[:, None] - known[None]).abs().amax((2, 3, 4))
    return distances.argmin(1) if (distances.amin(1) < 1e-6).all() else None


class ToldDepth(DepthNetwork):
    """Says the fixture's inverse depth."""

    near, far = 0.0, 0.0

    def __init__(self, settings: Any, inputs: Arrays) -> None:
        super().__init__()
        self.near, self.far, self.inputs = settings.near, settings.far, inputs
        self.silent = nn.Parameter(torch.zeros(()))

    def encode(self, image: Tensor) -> Features:
        return Features((image,))

    def decode(self, features: Features) -> tuple[Tensor, ...]:
        which = places(features.encoder[0], self.inputs["frame_0"])
        maps = [self.inputs[f"disp_{scale}"][which] for scale in range(4)]
        return tuple(inverse_depth_from_sigmoid(one, self.near, self.far) + 0 * self.silent for one in maps)


class ToldPose(PoseNetwork):
    """Says the fixture's motion of a pair in order of time."""

    frames = 2
    pairs: ClassVar = {"m1": ("frame_m1", "frame_0"), "p1": ("frame_0", "frame_p1")}

    def __init__(self, inputs: Arrays) -> None:
        super().__init__()
        self.inputs = inputs
        self.silent = nn.Parameter(torch.zeros(()))

    def vectors(self, *images: Tensor) -> PoseVectors:
        for name, pair in self.pairs.items():
            first, second = (
                places(*both) for both in zip(images, (self.inputs[f] for f in pair), strict=True)
            )
            if first is not None and second is not None:
                assert torch.equal(first, second)
                angle, translation = (
                    self.inputs[f"{kind}_{name}"][first] for kind in ("axisangle", "translation")
                )
                return angle + 0 * self.silent, translation
        raise AssertionError("a pair of frames that the fixture does not know")


def write_drives(root: Path, inputs: Arrays) -> None:
    """A drive of three frames for each item of the batch, with its camera beside them."""
    for item, matrix in enumerate(inputs["K_0"][:, :3, :3].tolist()):
        drive = root / f"item_{item}"
        drive.mkdir(parents=True)
        for index, name in enumerate(FRAMES):
            pixels = (inputs[name][item] * 255).round().byte().permute(1, 2, 0).numpy()
            Image.fromarray(pixels).save(drive / f"{index}.png")
        height, width = inputs["frame_0"].shape[-2:]
        camera = {"K": matrix, "width": width, "height": height}
        (drive / "intrinsics.json").write_text(json.dumps(camera))


def one_step(inputs: Arrays) -> Settings:
    """The official recipe on the fixture's size and batch; the fixture has neither noise nor augmentation."""
    size = (inputs["frame_0"].shape[-2], inputs["frame_0"].shape[-1])
    return changed(
        recipe("monodepth2_official"),
        network={"weights": "scratch"},
        monodepth2={"tie_noise": 0.0},
        data={"size": size, "split": "", "held_out": 0.0, "flip": False, "jitter": False},
        train={
            "batch_size": len(inputs["frame_0"]),
            "steps": 1,
            "samples": 0,
            "logger": "none",
            "device": "cpu",
        },
    )


def test_loss_of_the_first_step(
    common_inputs: Arrays,
    parity_arrays: Callable[[str], Arrays],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
):
    write_drives(tmp_path / "drives", common_inputs)
    told = {"monodepth2": lambda network, ground: ToldDepth(network, common_inputs)}
    monkeypatch.setattr(catalog, "DEPTH_NETWORKS", told)
    monkeypatch.setattr(catalog, "POSE_NETWORKS", {"separate": lambda *parts: ToldPose(common_inputs)})
    run.start(tmp_path / "drives", one_step(common_inputs), tmp_path / "run", say=lambda line: None)
    (line,) = (json.loads(text) for text in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines())
    official = parity_arrays("monodepth2/losses_default")["loss"]
    assert line["step"] == 1
    assert line["loss/total"] == pytest.approx(float(official), rel=2e-5)
