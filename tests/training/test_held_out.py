"""The score of a model on frames that it never learned from, and the pictures of them."""

import math
from collections.abc import Callable
from itertools import cycle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from kinedepth.inference.weights import read_weights
from kinedepth.method import Phase
from kinedepth.training.data import TrainingData
from kinedepth.training.held_out import MOST, Score, abs_rel, evenly, held_out_score, write_strips

CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def with_truth(workshop: Any, drive: Callable[..., Path]) -> Any:
    """Trainers on frames whose depth was measured."""
    return type(workshop)(drive(12, truth=True))


class TestScore:
    @pytest.mark.parametrize(
        ("better", "worse"),
        [
            (Score(9.0, 0.1, 1.0), Score(1.0, 0.2, 1.0)),
            (Score(1.0, None, 1.0), Score(2.0, None, 1.0)),
            (Score(1e9, None, 0.0), Score.worst()),
            (Score(1.0, 0.5, 0.0), Score.worst()),
        ],
    )
    def test_truth_decides_where_there_is_any(self, better: Score, worse: Score):
        assert better < worse
        assert not worse < better

    @pytest.mark.parametrize("value", [math.nan, math.inf])
    def test_nothing_finite_is_never_best(self, value: float):
        assert not Score(value, None, 0.0) < Score.worst()

    def test_collapse(self):
        assert Score(1.0, None, 5e-4).collapsed
        assert not Score(1.0, None, 5e-3).collapsed


class TestAbsRel:
    def test_is_free_of_scale_and_by_image(self):
        depth = torch.rand(2, 1, 8, 12) * 20 + 2
        factors = torch.tensor([3.0, 0.2])[:, None, None, None]
        assert abs_rel(1 / (depth * factors), depth) == pytest.approx([0, 0], abs=1e-6)

    def test_counts_images_alike_whatever_was_measured_in_them(self):
        """The first has many points, the second few; in each, one half is three times too far."""
        depth = torch.full((2, 1, 4, 8), 10.0)
        predicted = depth.clone()
        predicted[..., :2] *= 3
        depth[1, :, 1:] = 0
        assert abs_rel(1 / predicted, depth) == pytest.approx([0.5, 0.5])

    def test_leaves_out_what_was_not_measured(self):
        depth = torch.full((3, 1, 4, 8), 10.0)
        depth[0], depth[1] = 0, 100
        assert abs_rel(1 / torch.rand(3, 1, 4, 8).clamp(0.1), depth[:2].repeat(2, 1, 1, 1)[:3]) == []
        assert len(abs_rel(1 / torch.rand(3, 1, 4, 8).clamp(0.1), depth)) == 1

    def test_reads_predictions_at_the_size_of_the_truth(self):
        assert abs_rel(torch.full((1, 1, 4, 6), 0.5), torch.full((1, 1, 9, 13), 7.0)) == pytest.approx(
            [0], abs=1e-6
        )


class TestHeldOut:
    def samples(self, workshop: Any) -> Any:
        return workshop.data(workshop.tiny(workshop.settings()).learns_from).held_out

    def test_does_not_depend_on_the_batches(self, with_truth: Any):
        method, samples = with_truth.tiny(with_truth.settings()), self.samples(with_truth)
        one, two = (held_out_score(method, samples, size, CPU) for size in (1, 2))
        assert one.abs_rel == pytest.approx(two.abs_rel, rel=1e-5)
        assert one.spread == pytest.approx(two.spread, rel=1e-5)
        assert one.loss == pytest.approx(two.loss, rel=1e-3)  # another tie noise
        assert set(one.scalars()) == {"held_out/loss", "held_out/spread", "held_out/abs_rel"}

    def test_is_the_same_each_time(self, workshop: Any):
        method, samples = workshop.tiny(workshop.settings()), self.samples(workshop)
        assert held_out_score(method, samples, 2, CPU) == held_out_score(method, samples, 2, CPU)

    def test_changes_no_buffer(self, workshop: Any):
        method, samples = workshop.tiny(workshop.settings()), self.samples(workshop)
        before = {key: value.clone() for key, value in method.state_dict().items()}
        held_out_score(method, samples, 2, CPU)
        assert all(torch.equal(before[key], value) for key, value in method.state_dict().items())
        assert not any(module.training for module in method.networks.modules())

    def test_looks_at_so_many_and_no_more(self, workshop: Any):
        samples = self.samples(workshop)
        samples = samples.subset([0, 1] * MOST)
        assert len(evenly(samples, MOST)) == MOST
        assert [moment.name for moment in evenly(samples, 1).moments] == [samples.moments[0].name]
        assert len(evenly(self.samples(workshop), MOST)) == 2


class TestBest:
    def run(self, workshop: Any, folder: Path, errors: list[float], **train: Any) -> list[int]:
        """Train with held-out losses as given; the steps of best and last."""
        told = cycle(errors)

        def term(sample: Any, estimate: Any) -> Any:
            if torch.is_grad_enabled():
                return estimate.inverse_depth[0].mean()
            return torch.tensor(next(told))

        phase = Phase("all", 1, frozenset({"one"}), {"term": 1.0}, steps=len(errors))
        trainer = workshop.trainer(folder, workshop.phased((phase,), {"term": term}), save_every=1, **train)
        trainer.fit()
        return [
            read_weights(folder / "checkpoints" / f"{name}.safetensors")[1]["step"]
            for name in ("best", "last")
        ]

    def test_is_that_of_the_lowest_loss(self, workshop: Any, tmp_path: Path):
        assert self.run(workshop, tmp_path, [3.0, 1.0, 2.0, 1.0]) == [2, 4]

    def test_is_the_last_where_nothing_is_held_out(self, workshop: Any, tmp_path: Path):
        assert self.run(workshop, tmp_path, [1.0, 2.0, 3.0], held_out=0.0)[0] == 3

    def test_is_that_of_the_lowest_error_where_depth_was_measured(self, with_truth: Any, tmp_path: Path):
        losses = [4.0, 3.0, 2.0, 1.0]
        best, last = self.run(with_truth, tmp_path, losses)
        errors = [
            line["held_out/abs_rel"] for line in with_truth.metrics(tmp_path) if "held_out/abs_rel" in line
        ]
        assert best == 1 + int(np.argmin(errors))
        assert last == 4

    def test_of_another_phase_does_not_count(self, workshop: Any, tmp_path: Path):
        """Its terms were others, so the sums do not compare."""
        terms = {"small": lambda *given: given[1].inverse_depth[0].mean() * 1e-3}
        phases = (
            Phase("first", 1, frozenset({"one"}), {"small": 1.0}, steps=2),
            Phase("second", 1, frozenset({"one"}), {"fit": 1.0}, steps=2),
        )
        workshop.trainer(tmp_path, workshop.phased(phases, terms)).fit()
        assert read_weights(tmp_path / "checkpoints" / "best.safetensors")[1]["step"] == 4

    def test_holds_the_running_average(self, workshop: Any, tmp_path: Path):
        trainer = workshop.trainer(tmp_path, steps=3, average=0.5)
        trainer.fit()
        kept, _ = read_weights(tmp_path / "checkpoints" / "last.safetensors")
        ours, learned = trainer.model.networks.state_dict(), trainer.method.networks.state_dict()
        assert all(torch.equal(kept[key], ours[key]) for key in ours)
        assert not torch.equal(kept["depth.head.weight"], learned["depth.head.weight"])


class TestStrips:
    def test_show_target_depth_views_and_mask(self, workshop: Any, tmp_path: Path):
        workshop.trainer(tmp_path, steps=4, save_every=2, samples=2).fit()
        names = sorted(path.name for path in (tmp_path / "samples").iterdir())
        assert names == [f"step_{step:06d}_{index}.png" for step in (2, 4) for index in (0, 1)]
        picture = np.asarray(Image.open(tmp_path / "samples" / names[0]))
        assert picture.shape[1] >= 5 * 64  # target, depth, two rebuilt views, auto-mask

    def test_target_is_the_held_out_picture(self, workshop: Any, tmp_path: Path):
        method = workshop.tiny(workshop.settings())
        samples = workshop.data(method.learns_from).held_out
        (name, picture), *_ = write_strips(method, samples, tmp_path, 7)
        assert name == "sample_0"
        target = (samples[0].target.image * 255).round().byte().permute(1, 2, 0).numpy()
        np.testing.assert_array_equal(picture[-32:, :64], target)
        np.testing.assert_array_equal(
            np.asarray(Image.open(tmp_path / "samples" / "step_000007_0.png")), picture
        )

    def test_of_a_method_without_views(self, workshop: Any, tmp_path: Path):
        phase = Phase("all", 1, frozenset({"one"}), {"fit": 1.0}, steps=1)
        workshop.trainer(tmp_path, workshop.phased((phase,)), samples=1).fit()
        assert len(list((tmp_path / "samples").iterdir())) == 1

    @pytest.mark.parametrize(("samples", "held_out", "count"), [(0, 0.2, 0), (9, 0.2, 2), (3, 0.0, 3)])
    def test_as_many_as_asked_for(
        self, samples: int, held_out: float, count: int, workshop: Any, tmp_path: Path
    ):
        workshop.trainer(tmp_path, steps=1, samples=samples, held_out=held_out).fit()
        assert len(list(tmp_path.glob("samples/*.png"))) == count


def test_without_held_out_the_training_samples_are_shown_as_they_are(workshop: Any):
    data: TrainingData = workshop.data(workshop.tiny(workshop.settings()).learns_from, held_out=0.0)
    assert len(data.judged) == 8
    assert data.judged.augment is None
    assert data.samples.augment is not None
