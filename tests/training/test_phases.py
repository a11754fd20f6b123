"""Phases: exactly the named networks change, by exactly the named terms, for exactly so many steps."""

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from kinedepth.method import Method, Phase
from kinedepth.optimizer import Cosine, Exponential, Optimizer, Steps
from kinedepth.training.trainer import Interrupted

WEIGHTS = {"fit": 1.0}
NETWORKS = ("one", "two", "three")


def phase(name: str, trains: str, **more: Any) -> Phase:
    """Two steps unless said otherwise; `trains` holds names between spaces."""
    return Phase(
        name, **{"epochs": 1, "trains": frozenset(trains.split()), "weights": WEIGHTS, "steps": 2, **more}
    )


def copy_of(method: Method, name: str) -> dict[str, Tensor]:
    return {key: value.clone() for key, value in method.networks[name].state_dict().items()}


def changed(before: dict[str, Tensor], after: dict[str, Tensor]) -> set[str]:
    """The entries that are not equal to the last bit."""
    return {key for key in before if not torch.equal(before[key], after[key])}


class TestTrains:
    @pytest.mark.parametrize("trained", ["one", "two", "one three", "one two three"])
    def test_exactly_the_named_networks(self, trained: str, workshop: Any, tmp_path: Path):
        rest = frozenset(NETWORKS) - set(trained.split())
        method = workshop.phased((phase("only", trained, uses=rest),))
        before = {name: copy_of(method, name) for name in NETWORKS}
        workshop.trainer(tmp_path, method, held_out=0.2).fit()
        after = {name: copy_of(method, name) for name in NETWORKS}
        moved = {name: changed(before[name], after[name]) for name in NETWORKS}
        assert all(moved[name] == set(before[name]) for name in trained.split())
        assert not any(moved[name] for name in rest)

    def test_the_next_phase_freezes_what_the_first_trained(self, workshop: Any, tmp_path: Path):
        between: dict[str, dict[str, Tensor]] = {}
        method = workshop.phased((phase("first", "one"), phase("second", "two", uses=frozenset({"one"}))))

        def remember() -> None:
            if method.phase.name == "second" and not between:
                between.update({name: copy_of(method, name) for name in NETWORKS})

        workshop.trainer(tmp_path, method, listen=remember).fit()
        moved = {name: changed(between[name], copy_of(method, name)) for name in NETWORKS}
        # The second's buffers had moved already when it was looked at, in the forward pass of its first step.
        assert not moved["one"]
        assert not moved["three"]
        assert moved["two"]

    def test_only_the_named_terms(self, workshop: Any, tmp_path: Path):
        terms = {"other": lambda sample, estimate: estimate.inverse_depth[0].mean()}
        phases = (phase("first", "one"), phase("second", "one", weights={"other": 0.5}))
        workshop.trainer(tmp_path, workshop.phased(phases, terms)).fit()
        logged = [line for line in workshop.metrics(tmp_path) if "lr" in line]
        assert [sorted(key for key in line if key.startswith("loss/")) for line in logged] == [
            ["loss/fit", "loss/total"],
            ["loss/fit", "loss/total"],
            ["loss/other", "loss/total"],
            ["loss/other", "loss/total"],
        ]


class TestLength:
    def test_steps_and_epochs(self, workshop: Any, tmp_path: Path):
        """Six samples in batches of two: an epoch has three steps."""
        phases = (phase("steps", "one", steps=4), phase("epochs", "one", steps=None, epochs=2))
        trainer = workshop.trainer(tmp_path, workshop.phased(phases))
        trainer.fit()
        assert trainer.position.total == 4 + 2 * 3
        assert [line["step"] for line in workshop.metrics(tmp_path) if "lr" in line] == list(range(1, 11))

    def test_every_epoch_varies_the_samples_anew(self, workshop: Any, tmp_path: Path):
        """Also the first of the second phase: no order comes twice."""
        seen: list[tuple[float, ...]] = []
        phases = (phase("first", "one", steps=3), phase("second", "one", steps=None, epochs=2))
        method = workshop.phased(phases)
        whole = method.forward

        def watch(sample: Any) -> Any:
            if torch.is_grad_enabled():
                seen.extend(tuple(image.flatten()[:50].tolist()) for image in sample.target.seen)
            return whole(sample)

        method.forward = watch
        workshop.trainer(tmp_path, method).fit()
        epochs = [tuple(seen[start : start + 6]) for start in (0, 6, 12)]
        assert len(set(epochs)) == 3


class TestStart:
    def test_copies_once_when_the_phase_starts(self, workshop: Any, tmp_path: Path):
        phases = (
            phase("first", "one"),
            phase("second", "one", uses=frozenset({"two"}), copies={"two": "one"}),
        )
        method = workshop.phased(phases)
        at_start: dict[str, Tensor] = {}

        def remember() -> None:
            if method.phase.name == "second" and not at_start:
                at_start.update(copy_of(method, "one"))

        workshop.trainer(tmp_path, method, listen=remember).fit()
        one, two = copy_of(method, "one"), copy_of(method, "two")
        # The first forward pass had moved the buffers of what learns already.
        assert not {key for key in changed(at_start, two) if "running" not in key and "tracked" not in key}
        assert changed(one, two) == set(one)
        assert int(two["layer.1.num_batches_tracked"]) == 2

    def test_copies_reach_the_running_average(self, workshop: Any, tmp_path: Path):
        phases = (
            phase("first", "one"),
            phase("second", "one", uses=frozenset({"two"}), copies={"two": "one"}),
        )
        trainer = workshop.trainer(tmp_path, workshop.phased(phases), average=0.999)
        trainer.fit()
        assert not changed(copy_of(trainer.method, "two"), copy_of(trainer.model, "two"))
        assert changed(copy_of(trainer.method, "one"), copy_of(trainer.model, "one"))

    @pytest.mark.parametrize(("carry", "steps"), [(True, 4), (False, 2)])
    def test_the_optimizer_goes_on_if_told_to(self, carry: bool, steps: int, workshop: Any, tmp_path: Path):
        phases = (phase("first", "one two"), phase("second", "two three", carry=carry))
        workshop.trainer(tmp_path, workshop.phased(phases)).fit()
        kept = workshop.state(tmp_path)["optimizer"]
        groups = {group["name"]: group["params"] for group in kept["param_groups"]}
        assert set(groups) == {"two", "three"}
        assert {int(kept["state"][index]["step"]) for index in groups["two"]} == {steps}
        assert {int(kept["state"][index]["step"]) for index in groups["three"]} == {2}


class TestRate:
    @pytest.mark.parametrize(
        ("schedule", "expected"),
        [
            (Steps((1,)), [1, 1, 1, 0.1, 0.1, 0.1]),
            (Exponential(0.5), [1, 1, 1, 0.5, 0.5, 0.5]),
            (Cosine(warmup=2), [0.5, 1, 1, 0.853553, 0.5, 0.146447]),
        ],
        ids=["steps", "exponential", "cosine"],
    )
    def test_follows_the_schedule(self, schedule: Any, expected: list[float], workshop: Any, tmp_path: Path):
        method = workshop.phased(
            (phase("all", "one", steps=6, optimizer=Optimizer(1e-2, schedule=schedule)),)
        )
        workshop.trainer(tmp_path, method).fit()
        rates = [line["lr"] for line in workshop.metrics(tmp_path) if "lr" in line]
        assert rates == pytest.approx([1e-2 * factor for factor in expected], rel=1e-5)

    def test_counts_from_the_beginning_of_its_phase(self, workshop: Any, tmp_path: Path):
        slow = Optimizer(1e-3, schedule=Steps((1,)))
        phases = (phase("first", "one", steps=4), phase("second", "one", steps=4, optimizer=slow))
        workshop.trainer(tmp_path, workshop.phased(phases)).fit()
        rates = [line["lr"] for line in workshop.metrics(tmp_path) if "lr" in line]
        assert rates[4:] == pytest.approx([1e-3, 1e-3, 1e-3, 1e-4])

    def test_of_zero_changes_no_weight(self, workshop: Any, tmp_path: Path):
        method = workshop.phased((phase("all", "one two", optimizer=Optimizer(1e-2, factors={"two": 0.0})),))
        before = copy_of(method, "two")
        workshop.trainer(tmp_path, method).fit()
        assert all("running" in key or "tracked" in key for key in changed(before, copy_of(method, "two")))
        line = workshop.metrics(tmp_path)[0]
        assert (line["lr"], line["lr/one"], line["lr/two"]) == (1e-2, 1e-2, 0.0)


class Wandering:
    """An adaptive weight that counts how often it was asked."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, values: Any) -> float:
        self.count += 1
        return 1.0 + 0.1 * self.count

    def state_dict(self) -> dict[str, Any]:
        return {"count": self.count}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.count = state["count"]


def three_phases() -> tuple[Phase, ...]:
    return (
        phase("first", "one", steps=3),
        phase("second", "one two", steps=3, carry=True, copies={"two": "one"}, weights={"fit": Wandering()}),
        phase("third", "three", steps=2, uses=frozenset({"one", "two"})),
    )


@pytest.fixture(scope="module")
def unbroken(workshop: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("unbroken")
    workshop.trainer(folder, workshop.phased(three_phases()), average=0.9).fit()
    return folder


class TestResume:
    @pytest.mark.parametrize("stop", [2, 3, 4, 6, 7])
    def test_across_phases(
        self, stop: int, workshop: Any, unbroken: Path, tmp_path: Path, same: Callable[..., None]
    ):
        left = iter(range(stop, 0, -1))

        def ring() -> None:
            if next(left, 0) == 1:
                signal.raise_signal(signal.SIGINT)

        first = workshop.trainer(tmp_path, workshop.phased(three_phases()), listen=ring, average=0.9)
        with pytest.raises(Interrupted, match=f"step {stop};"):
            first.fit()
        workshop.trainer(tmp_path, workshop.phased(three_phases()), average=0.9).fit(resume=True)
        assert workshop.metrics(tmp_path) == workshop.metrics(unbroken)
        same(workshop.state(tmp_path), workshop.state(unbroken))

    def test_adaptive_weights_do_not_see_the_scoring(self, workshop: Any, tmp_path: Path):
        weight = Wandering()
        method = workshop.phased((phase("all", "one", steps=4, weights={"fit": weight}),))
        workshop.trainer(tmp_path, method, save_every=1).fit()
        assert weight.count == 4
