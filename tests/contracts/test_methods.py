"""What every method of the catalog keeps, in each of its kinds of training."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from kinedepth.catalog import METHODS, POSE_NETWORKS
from kinedepth.geometry.camera import Camera
from kinedepth.geometry.pose import Pose
from kinedepth.inference.weights import write_weights
from kinedepth.method import Method, Phase
from kinedepth.recipe import build_method, load_method
from kinedepth.scene import Inputs, Sample, View
from kinedepth.settings import Settings, changed, from_mapping, to_mapping

SIZE = (64, 96)
GROUPS = {"network": {"weights": "scratch"}}

VARIANTS: dict[str, dict[str, dict[str, Any]]] = {
    "default": {},
    "stereo": {"monodepth2": {"frames": (), "stereo": True}},
    "mono and stereo": {"monodepth2": {"stereo": True}},
    "explained": {"monodepth2": {"explainability": True, "automask": False}},
    **{f"pose {kind}": {"pose": {"kind": kind}} for kind in sorted(POSE_NETWORKS) if kind != "separate"},
}


@dataclass
class Case:
    """A method as settings describe it, with what it learns from."""

    settings: Settings
    method: Method
    sample: Sample


def sample_for(inputs: Inputs) -> Sample:
    """A sample that holds what is asked for, and nothing else."""
    torch.manual_seed(3)
    camera = Camera(torch.full((2, 2), 56.0), torch.tensor([[47.5, 31.5]] * 2))
    target = View(torch.rand(2, 3, *SIZE), camera)
    sources = [View(torch.rand(2, 3, *SIZE), camera, offset) for offset in inputs.offsets]
    if "stereo" in inputs.priors:
        rig = Pose.from_axis_angle(torch.zeros(2, 3), torch.tensor([[-0.1, 0.0, 0.0]] * 2))
        sources.append(View(torch.rand(2, 3, *SIZE), camera, view_from_target=rig))
    return Sample(target, tuple(sources), names=("a", "b"))


def case(name: str, variant: str) -> Case:
    torch.manual_seed(0)
    settings = changed(replace(Settings(), method=name), **GROUPS, **VARIANTS[variant])
    method = build_method(settings)
    return Case(settings, method, sample_for(method.learns_from))


@pytest.fixture(
    scope="module", params=[(name, variant) for name in sorted(METHODS) for variant in VARIANTS], ids=str
)
def given(request: pytest.FixtureRequest) -> Case:
    """For tests that put back what they change."""
    return case(*request.param)


def state(method: Method) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in method.networks.state_dict().items()}


def one_step(method: Method, phase: Phase, sample: Sample) -> dict[str, Tensor]:
    """What the trainer does; gives the losses."""
    optimizer = phase.optimizer.build({name: method.networks[name] for name in sorted(phase.trains)})
    losses = method.losses(sample, method(sample))
    torch.stack(list(losses.values())).sum().backward()
    optimizer.step()
    return losses


def test_every_phase_changes_exactly_its_networks_by_exactly_its_terms(given: Case) -> None:
    method = given.method.train()
    learning = {name for phase in method.phases for name in phase.trains}
    assert learning == set(method.networks), "a network that no phase trains is of no use"
    original = state(method)
    for phase in method.phases:
        method.start(phase)
        before = state(method)
        losses = one_step(method, phase, given.sample)
        now = method.networks.state_dict()
        same = {name for name, tensor in before.items() if torch.equal(tensor, now[name])}
        frozen = {name for name in before if name.split(".")[0] not in phase.trains}
        assert frozen <= same, "neither weights nor buffers of a frozen network change"
        dead = {
            name
            for name, p in method.networks.named_parameters()
            if name in same - frozen and p.requires_grad
        }
        assert dead == set(), "everything that may learn does"
        assert set(losses) == set(phase.weights)
        assert all(loss.ndim == 0 and loss.isfinite() for loss in losses.values())
    method.networks.load_state_dict(original)
    method.zero_grad()


def test_evaluation_and_back_leaves_the_phase_in_force(given: Case) -> None:
    for phase in given.method.phases:
        given.method.enter(phase)
        given.method.eval().train()
        awake = {name for name, network in given.method.networks.items() if network.training}
        assert awake == phase.trains


def test_predicts_from_what_it_says(given: Case) -> None:
    method = given.method.eval()
    with torch.inference_mode():
        estimate = method.predict(sample_for(method.predicts_from))
        again = method.predict(sample_for(method.predicts_from))
    assert tuple(estimate.inverse_depth[0].shape) == (2, 1, *SIZE)
    assert all(one.min() > 0 for one in estimate.inverse_depth)
    assert torch.equal(estimate.inverse_depth[0], again.inverse_depth[0])


def test_every_source_has_a_pose_and_is_rebuilt(given: Case) -> None:
    method = given.method.eval()
    with torch.inference_mode():
        estimate = method(given.sample)
    assert len(estimate.poses) == len(given.sample.sources)
    assert {len(scale) for scale in estimate.rebuilt} == {len(given.sample.sources)}
    assert len(estimate.rebuilt) == len(estimate.inverse_depth)


def test_comes_back_from_a_checkpoint_with_no_other_file(given: Case, tmp_path: Path) -> None:
    method = given.method.eval()
    header = {"settings": to_mapping(given.settings), "size": SIZE}
    write_weights(tmp_path / "last.safetensors", method.networks.state_dict(), header)
    loaded, note = load_method(tmp_path / "last.safetensors")
    assert from_mapping(note["settings"]) == given.settings
    assert not loaded.training
    assert loaded.learns_from == method.learns_from
    with torch.inference_mode():
        ours, theirs = (one(given.sample) for one in (method, loaded))
    assert torch.equal(ours.inverse_depth[0], theirs.inverse_depth[0])
    assert all(torch.equal(a.matrix(), b.matrix()) for a, b in zip(ours.poses, theirs.poses, strict=True))


@pytest.mark.parametrize("name", sorted(METHODS))
def test_exports_what_it_predicts_with(name: str) -> None:
    method = case(name, "default").method.eval()
    if method.predicts_from != Inputs():
        pytest.skip("predicts from more than one image")

    class Shipped(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.method = method

        def forward(self, image: Tensor) -> Tensor:
            camera = Camera(torch.ones(1, 2), torch.ones(1, 2))
            return self.method.predict(Sample(View(image, camera))).inverse_depth[0]

    image = torch.rand(1, 3, *SIZE)
    exported = torch.export.export(Shipped().eval(), (image,)).module()
    torch.testing.assert_close(exported(image), Shipped().eval()(image), rtol=1e-4, atol=1e-5)
