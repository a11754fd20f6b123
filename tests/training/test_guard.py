"""Numbers that are not finite, and depth that is constant, are said."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from kinedepth.errors import KinedepthError
from kinedepth.geometry.camera import Camera
from kinedepth.method import Phase
from kinedepth.scene import Sample, View
from kinedepth.training.guard import refuse_broken_weights, refuse_non_finite


@pytest.fixture
def sample() -> Sample:
    camera = Camera(torch.tensor([[30.0, 31.0]] * 2), torch.tensor([[15.0, 16.0]] * 2))
    target, source = (
        View(torch.full((2, 3, 4, 6), value), camera, offset) for value, offset in ((0.25, 0), (0.5, 1))
    )
    return Sample(target, (source,), names=("drive/000001", "drive/000007"))


def test_finite_losses_come_back_as_numbers(sample: Sample, tmp_path: Path):
    losses = {"photometric": torch.tensor(0.5, requires_grad=True), "smoothness": torch.tensor(2)}
    assert refuse_non_finite(losses, sample, tmp_path, 1) == {"photometric": 0.5, "smoothness": 2.0}
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_others_name_the_term_and_the_files(value: float, sample: Sample, tmp_path: Path):
    losses = {"photometric": torch.tensor(0.5), "smoothness": torch.tensor(value)}
    with pytest.raises(KinedepthError) as refused:
        refuse_non_finite(losses, sample, tmp_path, 12)
    sentence = str(refused.value)
    assert sentence.startswith(f"Loss term 'smoothness' is {value} at step 12 on drive/000001, drive/000007;")
    assert str(tmp_path / "samples" / "not_finite_step_12.npz") in sentence


def test_the_sample_is_saved(sample: Sample, tmp_path: Path):
    with pytest.raises(KinedepthError):
        refuse_non_finite({"a": torch.tensor(math.nan)}, sample, tmp_path, 3)
    with np.load(tmp_path / "samples" / "not_finite_step_3.npz") as kept:
        assert kept["names"].tolist() == ["drive/000001", "drive/000007"]
        np.testing.assert_array_equal(kept["image_0"], np.full((2, 3, 4, 6), 0.25, np.float32))
        np.testing.assert_array_equal(kept["seen_1"], np.full((2, 3, 4, 6), 0.5, np.float32))
        assert kept["K_1"][1].tolist() == [[30, 0, 15], [0, 31, 16], [0, 0, 1]]


def test_a_sample_that_cannot_be_saved_hides_nothing(sample: Sample, tmp_path: Path):
    (tmp_path / "samples").write_text("in the way")
    with pytest.raises(KinedepthError, match="Loss term 'a' is nan.*could not be saved"):
        refuse_non_finite({"a": torch.tensor(math.nan)}, sample, tmp_path, 3)


@pytest.mark.parametrize("entry", ["weight", "running_mean"])
def test_broken_weights_are_named(entry: str):
    network = torch.nn.ModuleDict({"depth": torch.nn.BatchNorm2d(3)})
    refuse_broken_weights(network, 1)
    with torch.no_grad():
        getattr(network["depth"], entry)[1] = math.inf
    with pytest.raises(
        KinedepthError, match=f"'depth.{entry}' are not finite after step 4 and were not saved"
    ):
        refuse_broken_weights(network, 4)


class TestTraining:
    def test_stops_on_a_learning_rate_without_measure(self, workshop: Any, tmp_path: Path):
        with pytest.raises(KinedepthError, match="lower train.lr"):
            workshop.trainer(tmp_path, lr=1e30).fit()

    def test_stops_on_a_broken_picture_and_keeps_the_save_before(self, workshop: Any, tmp_path: Path):
        trainer = workshop.trainer(tmp_path, save_every=2)
        whole, calls = trainer.method.forward, iter(range(1, 100))

        def forward(given: Sample) -> Any:
            spoilt = torch.is_grad_enabled() and next(calls) == 4
            return whole(given.map(lambda tensor: tensor * math.nan) if spoilt else given)

        trainer.method.forward = forward
        with pytest.raises(
            KinedepthError, match=r"'photometric' is nan at step 4 on drive\d+/00000\d, drive\d+/00000\d"
        ):
            trainer.fit()
        kept = workshop.state(tmp_path)
        assert kept["position"]["total"] == 2
        assert all(tensor.isfinite().all() for tensor in kept["networks"].values())
        assert (tmp_path / "samples" / "not_finite_step_4.npz").is_file()
        assert [line["step"] for line in workshop.metrics(tmp_path) if "lr" in line] == [1, 2, 3]

    def test_does_not_save_weights_that_broke_in_the_last_step(self, workshop: Any, tmp_path: Path):
        """The loss was finite, its gradient was not."""

        def bent(sample: Sample, estimate: Any) -> Tensor:
            away: Tensor = (estimate.inverse_depth[0] - estimate.inverse_depth[0].detach()).mean()
            return away.sqrt()  # of zero: infinite slope

        phase = Phase("all", 1, frozenset({"one"}), {"bent": 1.0}, steps=2)
        with pytest.raises(KinedepthError, match=r"weights 'one\.layer\..*' are not finite after step 1"):
            workshop.trainer(tmp_path, workshop.phased((phase,), {"bent": bent}), save_every=1).fit()
        assert workshop.state(tmp_path)["position"]["total"] == 0


class TestCollapse:
    @pytest.mark.parametrize("held_out", [0.2, 0.0])
    def test_is_said(self, held_out: float, workshop: Any, tmp_path: Path, capsys: Any):
        trainer = workshop.trainer(tmp_path, lr=1e-12, steps=1, held_out=held_out)
        with torch.no_grad():
            trainer.method.networks["depth"].head.weight.zero_()
        trainer.fit()
        assert "Depth is constant over the image at step 1: the training collapsed" in capsys.readouterr().out

    def test_is_not_said_of_depth_that_varies(self, workshop: Any, tmp_path: Path, capsys: Any):
        workshop.trainer(tmp_path, lr=1e-12, steps=1).fit()
        assert "collapsed" not in capsys.readouterr().out
