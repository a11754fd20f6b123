"""Monodepth2 and each of its ablations: every switch changes the right thing and nothing else."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from kinedepth.errors import KinedepthError
from kinedepth.geometry.camera import Camera
from kinedepth.geometry.pose import Pose
from kinedepth.geometry.warp import read
from kinedepth.losses.photometric import Explainability, Photometric
from kinedepth.losses.smoothness import Smoothness
from kinedepth.method import Method
from kinedepth.networks import PoseNetwork
from kinedepth.networks.pose import PoseCNN, PoseResNet, SharedPose
from kinedepth.optimizer import Steps
from kinedepth.recipe import build_method
from kinedepth.scene import Inputs, Sample, View
from kinedepth.settings import Settings, changed
from kinedepth.synthesis import Synthesis

SIZE = (64, 96)
KINDS = ["separate", "shared", "all", "posecnn"]
STEREO = Pose.from_axis_angle(torch.zeros(3, 3), torch.tensor([[-0.1, 0.0, 0.0]] * 3))


def build(pose: dict[str, Any] | None = None, data: dict[str, Any] | None = None, **choices: Any) -> Method:
    groups: dict[str, Any] = {"network": {"weights": "scratch"}, "monodepth2": choices}
    return build_method(changed(Settings(), **groups, pose=pose or {}, data=data or {}))


def sketch(*groups: dict[str, Any], **choices: Any) -> Method:
    """A method without numbers: quick to build, and all that a look at its parts needs."""
    with torch.device("meta"):
        return build(*groups, **choices)


def sample_for(inputs: Inputs, batch: int = 1) -> Sample:
    """What the data layer would give."""
    torch.manual_seed(3)
    camera = Camera(torch.full((batch, 2), 56.0), torch.tensor([[47.5, 31.5]] * batch))
    target = View(torch.rand(batch, 3, *SIZE), camera)
    sources = [View(torch.rand(batch, 3, *SIZE), camera, offset) for offset in inputs.offsets]
    if "stereo" in inputs.priors:
        rig = STEREO.map(lambda tensor: tensor[:batch])
        sources.append(View(torch.rand(batch, 3, *SIZE), camera, view_from_target=rig))
    return Sample(target, tuple(sources))


class Recorder(PoseNetwork):
    """Remembers the images that it was shown, and moves by their mean brightness."""

    def __init__(self) -> None:
        super().__init__()
        self.frames, self.seen = 2, list[tuple[Tensor, ...]]()
        self.size = nn.Parameter(torch.ones(()))

    def vectors(self, *images: Tensor) -> tuple[Tensor, Tensor]:
        self.seen.append(images)
        bright = torch.stack([image.mean((1, 2, 3)) for image in images[1:]], dim=1)[..., None] * self.size
        return 0.1 * bright.expand(-1, -1, 3), bright.expand(-1, -1, 3)


@pytest.fixture
def recorded() -> Callable[..., tuple[Method, Recorder]]:
    """recorded(**choices): a method whose pose network remembers."""

    def make(kind: str = "separate", **choices: Any) -> tuple[Method, Recorder]:
        method, recorder = build({"kind": kind}, **choices), Recorder()
        method.networks["pose"] = recorder
        return method, recorder

    return make


@pytest.fixture(scope="module")
def ready() -> Method:
    """The default method, for reading only."""
    return build().eval()


class TestModes:
    @pytest.mark.parametrize(
        ("choices", "offsets", "priors", "networks"),
        [
            ({}, (-1, 1), set(), {"depth", "pose"}),
            ({"frames": (), "stereo": True}, (), {"stereo"}, {"depth"}),
            ({"stereo": True}, (-1, 1), {"stereo"}, {"depth", "pose"}),
            ({"frames": (-2, -1, 1, 2)}, (-2, -1, 1, 2), set(), {"depth", "pose"}),
        ],
        ids=["M", "S", "MS", "wide"],
    )
    def test_what_each_needs(
        self, choices: dict[str, Any], offsets: tuple[int, ...], priors: set[str], networks: set[str]
    ) -> None:
        method = sketch(**choices)
        assert method.learns_from == Inputs(offsets, frozenset(priors))
        assert method.predicts_from == Inputs()
        assert set(method.networks) == networks
        (phase,) = method.phases
        assert phase.trains == networks

    def test_stereo_alone_uses_the_rigs_pose(self) -> None:
        method = build(frames=(), stereo=True)
        sample = sample_for(method.learns_from)
        assert method(sample).poses == (sample.sources[0].view_from_target,)

    def test_stereo_alone_says_nothing_of_pairs(self) -> None:
        with pytest.raises(KinedepthError, match="no pose network"):
            sketch(frames=(), stereo=True).pose_between(*torch.rand(2, 1, 3, *SIZE))

    @pytest.mark.parametrize("kind", KINDS)
    def test_mono_and_stereo_estimates_what_the_rig_does_not_know(self, kind: str) -> None:
        method = build({"kind": kind}, stereo=True)
        sample = sample_for(method.learns_from)
        estimate = method(sample)
        assert len(estimate.poses) == 3
        assert estimate.poses[2] is sample.sources[2].view_from_target
        assert all(pose.translation.requires_grad for pose in estimate.poses[:2])
        assert [len(scale) for scale in estimate.rebuilt] == [3] * 4

    def test_the_rig_may_come_first(self) -> None:
        method = build({"kind": "all"}, stereo=True)
        sample = sample_for(method.learns_from)
        before, after, partner = sample.sources
        estimate = method.eval()(replace(sample, sources=(partner, before, after)))
        expected = method(sample).poses
        for ours, theirs in zip(estimate.poses, (expected[2], expected[0], expected[1]), strict=True):
            torch.testing.assert_close(ours.matrix(), theirs.matrix())


class TestPoses:
    def test_pairs_are_shown_in_order_of_time(self, recorded: Callable[..., tuple[Method, Recorder]]) -> None:
        method, recorder = recorded()
        sample = sample_for(method.learns_from)
        before, after = sample.sources
        method(sample)
        pairs = [(before.image, sample.target.image), (sample.target.image, after.image)]
        assert len(recorder.seen) == 2
        assert all(
            a is b
            for seen, pair in zip(recorder.seen, pairs, strict=True)
            for a, b in zip(seen, pair, strict=True)
        )

    def test_motion_from_the_past_is_inverted(self, recorded: Callable[..., tuple[Method, Recorder]]) -> None:
        method, recorder = recorded()
        sample = sample_for(method.learns_from)
        before, after = sample.sources
        past, future = method(sample).poses
        forward = recorder(before.image, sample.target.image)
        torch.testing.assert_close((past @ forward).matrix(), torch.eye(4)[None], rtol=0, atol=1e-6)
        torch.testing.assert_close(future.matrix(), recorder(sample.target.image, after.image).matrix())

    def test_networks_see_jittered_images(self, recorded: Callable[..., tuple[Method, Recorder]]) -> None:
        method, recorder = recorded()
        plain = sample_for(method.learns_from)
        views = [replace(one, jittered=torch.rand_like(one.image)) for one in (plain.target, *plain.sources)]
        jittered = Sample(views[0], tuple(views[1:]))
        estimate = method.eval()(jittered)
        assert recorder.seen[0][0] is views[1].jittered
        torch.testing.assert_close(estimate.inverse_depth, method.networks["depth"](views[0].jittered))
        moved = estimate.rebuilt[0][0]
        torch.testing.assert_close(
            moved.image, read(views[1].image, moved.pixels), msg="rebuilt from clean images"
        )

    def test_all_frames_at_once_inverts_nothing(
        self, recorded: Callable[..., tuple[Method, Recorder]]
    ) -> None:
        method, recorder = recorded("all")
        sample = sample_for(method.learns_from)
        poses = method(sample).poses
        assert [image.data_ptr() for image in recorder.seen[0]] == [
            view.image.data_ptr() for view in (sample.target, *sample.sources)
        ]
        for ours, theirs in zip(poses, recorder.forward_all(recorder.seen[0]), strict=True):
            torch.testing.assert_close(ours.matrix(), theirs.matrix())

    def test_shared_features_are_those_of_the_depth_encoder(self) -> None:
        method = build({"kind": "shared"}).eval()
        sample = sample_for(method.learns_from)
        past, future = method(sample).poses
        before, after = (view.image for view in sample.sources)
        torch.testing.assert_close(
            past.matrix(), method.pose_between(before, sample.target.image).inverse().matrix()
        )
        torch.testing.assert_close(future.matrix(), method.pose_between(sample.target.image, after).matrix())

    def test_shared_features_teach_the_depth_encoder(self) -> None:
        method = build({"kind": "shared"})
        sample = sample_for(method.learns_from)
        leaves = [next(method.networks[name].parameters()) for name in ("pose", "depth")]
        gradients = torch.autograd.grad(method(sample).poses[0].translation.sum(), leaves)
        assert all(gradient.abs().sum() > 0 for gradient in gradients)

    @pytest.mark.parametrize(
        ("kind", "expected", "frames"),
        [
            ("separate", PoseResNet, 2),
            ("shared", SharedPose, 2),
            ("all", PoseResNet, 3),
            ("posecnn", PoseCNN, 2),
        ],
    )
    def test_each_kind_builds_its_network(self, kind: str, expected: type, frames: int) -> None:
        pose = sketch({"kind": kind}).networks["pose"]
        assert isinstance(pose, expected)
        assert pose.frames == frames

    def test_all_at_once_reads_every_frame_but_the_partner(self) -> None:
        assert sketch({"kind": "all"}, frames=(-2, -1, 1), stereo=True).networks["pose"].frames == 4

    def test_official_slots(self) -> None:
        assert sketch({"slots": 2}).networks["pose"].decoder.layers[-1].out_channels == 12
        assert sketch().networks["pose"].decoder.layers[-1].out_channels == 6

    def test_all_frames_at_once_refuses_pairs(self) -> None:
        with pytest.raises(KinedepthError, match="separate"):
            sketch({"kind": "all"}).pose_between(*torch.rand(2, 1, 3, *SIZE))

    @pytest.mark.parametrize("kind", ["separate", "shared", "posecnn"])
    def test_a_pair_may_be_asked_for(self, kind: str) -> None:
        pose = build({"kind": kind}).eval().pose_between(*torch.rand(2, 2, 3, *SIZE))
        assert pose.rotation.shape == (2, 3, 3)


DEFAULT = Synthesis()


class TestSwitches:
    def test_defaults_are_the_papers(self) -> None:
        method = sketch()
        assert method.terms == {"photometric": Photometric(), "smoothness": Smoothness(1 / 100)}
        assert method.synthesis == DEFAULT
        (phase,) = method.phases
        assert phase.weights == {"photometric": 1.0, "smoothness": 1e-3}
        assert (phase.epochs, phase.steps, phase.copies) == (20, None, {})
        assert (phase.optimizer.lr, phase.optimizer.kind, phase.optimizer.weight_decay) == (1e-4, "adam", 0.0)
        assert phase.optimizer.schedule == Steps((15,))

    @pytest.mark.parametrize(
        ("choices", "photometric"),
        [
            ({"reprojection": "average"}, Photometric(average=True)),
            ({"automask": False}, Photometric(automask=False)),
            ({"ssim": 0.0}, Photometric(ssim=0.0)),
            ({"tie_noise": 0.0}, Photometric(tie_noise=0.0)),
        ],
    )
    def test_photometric_choices_reach_the_term_alone(
        self, choices: dict[str, Any], photometric: Photometric
    ) -> None:
        method = sketch(**choices)
        assert method.terms == {"photometric": photometric, "smoothness": Smoothness(1 / 100)}
        assert method.synthesis == DEFAULT
        assert method.phase.weights == {"photometric": 1.0, "smoothness": 1e-3}

    @pytest.mark.parametrize(
        ("pose", "data", "choices", "synthesis"),
        [
            ({}, {}, {"full_resolution": False}, replace(DEFAULT, full_resolution=False)),
            ({}, {}, {"align_corners": False}, replace(DEFAULT, align_corners=False)),
            ({}, {"camera_convention": "official"}, {}, replace(DEFAULT, convention="official")),
            ({"kind": "posecnn"}, {}, {}, replace(DEFAULT, translation_by_inverse_depth=True)),
            ({"kind": "all"}, {}, {}, DEFAULT),
        ],
    )
    def test_choices_of_synthesis(
        self, pose: dict[str, Any], data: dict[str, Any], choices: dict[str, Any], synthesis: Synthesis
    ) -> None:
        method = sketch(pose, data, **choices)
        assert method.synthesis == synthesis
        assert method.terms == {"photometric": Photometric(), "smoothness": Smoothness(1 / 100)}

    def test_weight_of_smoothness(self) -> None:
        assert sketch(smoothness=0.1).phase.weights == {"photometric": 1.0, "smoothness": 0.1}

    def test_smoothness_subtracts_the_networks_own_floor(self) -> None:
        settings = changed(Settings(), network={"weights": "scratch", "near": 1.0, "far": 20.0})
        with torch.device("meta"):
            method = build_method(settings)
        assert method.terms["smoothness"] == Smoothness(1 / 20)

    def test_low_resolution_warps_small_images(self) -> None:
        method = build(full_resolution=False)
        estimate = method(sample_for(method.learns_from))
        sizes = [tuple(scale[0].image.shape[-2:]) for scale in estimate.rebuilt]
        assert sizes == [(64, 96), (32, 48), (16, 24), (8, 12)]

    def test_explainability_is_predicted_weighed_and_regularized(self) -> None:
        method = build(explainability=True, automask=False, stereo=True)
        assert method.terms["photometric"] == Photometric(automask=False, explained=True)
        assert method.terms["explainability"] == Explainability(full_resolution=True)
        assert method.phase.weights == {"photometric": 1.0, "smoothness": 1e-3, "explainability": 0.2}
        assert "explain" in method.phase.trains
        sample = sample_for(method.learns_from)
        estimate = method(sample)
        assert [tuple(mask.shape) for mask in estimate.explained] == [
            (1, 3, 64 >> s, 96 >> s) for s in range(4)
        ]
        heads = list(method.networks["explain"].decoder.heads.parameters())
        gradients = torch.autograd.grad(method.losses(sample, estimate)["explainability"], heads)
        assert all(gradient.abs().sum() > 0 for gradient in gradients)

    def test_explainability_at_small_sizes(self) -> None:
        method = build(explainability=True, automask=False, full_resolution=False)
        assert method.terms["explainability"] == Explainability(full_resolution=False)
        sample = sample_for(method.learns_from)
        assert torch.stack(list(method.losses(sample, method(sample)).values())).isfinite().all()

    @pytest.mark.parametrize(
        ("choices", "words"),
        [
            ({"explainability": True}, "automask"),
            ({"frames": (), "stereo": False}, "source"),
            ({"frames": (-1, 0, 1)}, "leave 0 out"),
        ],
    )
    def test_choices_that_exclude_each_other_are_refused(self, choices: dict[str, Any], words: str) -> None:
        with pytest.raises(KinedepthError, match=words):
            build(**choices)

    def test_steps_end_the_phase(self) -> None:
        settings = changed(
            Settings(), network={"weights": "scratch"}, train={"steps": 7, "epochs": 2, "lr": 1e-3}
        )
        with torch.device("meta"):
            (phase,) = build_method(settings).phases
        assert (phase.steps, phase.epochs, phase.optimizer.lr) == (7, 2, 1e-3)


class TestForward:
    def test_what_ships_is_depth_alone(self, ready: Method) -> None:
        estimate = ready.predict(replace(sample_for(ready.learns_from), sources=()))
        assert len(estimate.inverse_depth) == 4
        assert (estimate.poses, estimate.rebuilt, estimate.explained) == ((), (), ())

    def test_training_and_shipping_agree_on_depth(self, ready: Method) -> None:
        sample = sample_for(ready.learns_from)
        torch.testing.assert_close(
            ready(sample).inverse_depth, ready.predict(sample).inverse_depth, rtol=0, atol=0
        )

    def test_autocast_leaves_geometry_and_terms_in_full_precision(self, ready: Method) -> None:
        sample = sample_for(ready.learns_from)
        with torch.autocast("cpu", torch.bfloat16):
            estimate = ready(sample)
            losses = ready.losses(sample, estimate)
        assert {pose.rotation.dtype for pose in estimate.poses} == {torch.float32}
        assert {one.pixels.dtype for scale in estimate.rebuilt for one in scale} == {torch.float32}
        assert {loss.dtype for loss in losses.values()} == {torch.float32}
        assert torch.stack(list(losses.values())).isfinite().all()

    @pytest.mark.parametrize("batch", [1, 3])
    def test_any_number_of_images(self, batch: int, ready: Method) -> None:
        estimate = ready(sample_for(Inputs((1,)), batch))
        assert {one.image.shape[0] for scale in estimate.rebuilt for one in scale} == {batch}
