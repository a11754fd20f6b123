import pytest
import torch

from kinedepth.errors import KinedepthError
from kinedepth.geometry.pose import Pose
from kinedepth.networks.blocks.resnet import ResNetEncoder
from kinedepth.networks.explain import Explainability
from kinedepth.networks.pose import PoseCNN, PoseResNet, SharedPose

UNUSED_SLOT = 6


def resnet(frames=2, slots=None):
    return PoseResNet(ResNetEncoder(18, "scratch", frames), slots)


def parameters(module):
    return sum(parameter.numel() for parameter in module.parameters())


def images(frames, batch=2):
    return tuple(torch.rand(batch, 3, 64, 96) for _ in range(frames))


MAKERS = {"resnet": resnet, "posecnn": PoseCNN}


@pytest.fixture(params=MAKERS)
def make(request):
    torch.manual_seed(2)
    return MAKERS[request.param]


def test_parameter_count_of_the_fact_sheet():
    assert parameters(resnet(slots=2).decoder) == 1_314_572


def test_six_numbers_by_default():
    assert parameters(resnet(slots=2)) - parameters(resnet()) == 6 * 256 + 6


@pytest.mark.parametrize("batch", [1, 3])
def test_a_pair_gives_a_pose(make, batch):
    pose = make().eval()(*images(2, batch))
    assert isinstance(pose, Pose)
    assert pose.rotation.shape == (batch, 3, 3)
    assert pose.translation.shape == (batch, 3)
    identity = torch.eye(3).expand(batch, 3, 3)
    torch.testing.assert_close(pose.rotation @ pose.rotation.mT, identity, rtol=0, atol=1e-3)


def test_starts_near_rest(make):
    with torch.no_grad():
        axis_angle, translation = make().eval().vectors(*images(2))
    assert 0 < float(axis_angle.abs().max()) < 0.1
    assert 0 < float(translation.abs().max()) < 0.1


def test_order_of_the_pair_matters(make):
    network, (first, second) = make().eval(), images(2)
    assert not torch.equal(network(first, second).translation, network(second, first).translation)


def test_all_frames_at_once(make):
    network, frames = make(frames=3).eval(), images(3)
    axis_angle, translation = network.vectors(*frames)
    poses = network.forward_all(frames)
    assert axis_angle.shape == translation.shape == (2, 2, 3)
    torch.testing.assert_close(torch.stack([pose.translation for pose in poses], dim=1), translation)
    wanted = Pose.from_axis_angle(axis_angle[:, 1], translation[:, 1])
    torch.testing.assert_close(poses[1].rotation, wanted.rotation)


@pytest.mark.parametrize(("built", "given"), [(2, 3), (3, 2)])
def test_another_number_of_frames(make, built, given):
    with pytest.raises(KinedepthError, match=f"{built} frames at once, not {given}"):
        make(frames=built).vectors(*images(given))


@pytest.mark.parametrize("slots", [1, 2])
def test_gradient_reaches_every_parameter_but_the_unused_slot(slots):
    network = resnet(slots=slots)
    network(*images(2)).matrix().square().sum().backward()
    last = network.decoder.layers[-1]
    assert [name for name, p in network.named_parameters() if not p.grad.any()] == []
    assert bool(last.bias.grad[:UNUSED_SLOT].all())
    assert not last.bias.grad[UNUSED_SLOT:].any()


def test_gradient_reaches_every_parameter_of_posecnn():
    network = PoseCNN()
    network(*images(2)).matrix().square().sum().backward()
    assert [name for name, p in network.named_parameters() if not p.grad.any()] == []


def test_evaluation_is_deterministic(make):
    network, pair = make().eval(), images(2)
    torch.testing.assert_close(network.vectors(*pair), network.vectors(*pair), rtol=0, atol=0)


def test_autocast_gives_finite_float32(make):
    network, pair = make().eval(), images(2)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        narrow = network(*pair)
    with torch.no_grad():
        plain = network(*pair)
    assert narrow.rotation.dtype == narrow.translation.dtype == torch.float32
    torch.testing.assert_close(narrow.matrix(), plain.matrix(), rtol=0, atol=2e-3)


@pytest.fixture
def features(network):
    with torch.no_grad():
        return tuple(network.encode(one) for one in images(3))


def test_shared_encoder_pairs(network, features):
    pose = SharedPose(network.encoder.channels[-1])
    second_from_first, other = pose(*features[:2]), pose(features[1], features[0])
    assert second_from_first.translation.shape == (2, 3)
    assert not torch.equal(second_from_first.translation, other.translation)


def test_shared_encoder_all_frames(network, features):
    pose = SharedPose(network.encoder.channels[-1], frames=3)
    assert len(pose.forward_all(features)) == 2
    with pytest.raises(KinedepthError, match="3 frames at once, not 2"):
        pose(*features[:2])


def test_shared_pose_has_no_encoder_of_its_own(network):
    # squeeze; the joined maps of two frames; one more layer; six numbers
    counts = (512 * 256 + 256, 512 * 256 * 9 + 256, 256 * 256 * 9 + 256, 256 * 6 + 6)
    assert parameters(SharedPose(network.encoder.channels[-1])) == sum(counts)


@pytest.mark.parametrize("sources", [1, 2, 3])
def test_explained_share_for_every_source(sources, network, features):
    with torch.no_grad():
        masks = Explainability(network.encoder.channels, sources)(features[0])
    assert [tuple(mask.shape) for mask in masks] == [(2, sources, 64 >> s, 96 >> s) for s in range(4)]
    assert all(0 < float(mask.min()) < float(mask.max()) < 1 for mask in masks)


def test_gradient_reaches_every_parameter_of_the_mask(network, features):
    explain = Explainability(network.encoder.channels)
    sum(mask.mean() for mask in explain(features[0])).backward()
    assert [name for name, p in explain.named_parameters() if not p.grad.any()] == []
