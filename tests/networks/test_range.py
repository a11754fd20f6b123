import pytest
import torch

from kinedepth.errors import KinedepthError
from kinedepth.geometry.camera import Camera
from kinedepth.networks.blocks.range import FlatGround, InverseDepthRange
from kinedepth.networks.blocks.resnet import ResNetEncoder
from kinedepth.networks.depth.monodepth2 import Monodepth2Depth

KITTI = FlatGround.below_camera(focal=721.5377, center=172.854, image_height=375)
SIZES = [(64, 96), (96, 320), (192, 640), (64, 64)]


def at_start(ground, rows, columns=32, near=0.1, far=100.0):
    return InverseDepthRange(near, far, ground)([torch.zeros(1, 1, rows, columns)])[0]


@pytest.mark.parametrize("logit", [-4.0, 0.0, 2.5])
def test_inverse_depth_is_affine_in_the_sigmoid(logit):
    inverse_depth = InverseDepthRange(0.5, 50.0)([torch.full((1, 1, 2, 2), logit)])[0]
    wanted = 1 / 50 + (2 - 1 / 50) / (1 + torch.exp(torch.tensor(-logit)))
    torch.testing.assert_close(inverse_depth, wanted.expand_as(inverse_depth))


@pytest.mark.parametrize(("sigmoid", "depth"), [(0.01, 9.099181), (0.1, 0.991080), (0.5, 0.199800)])
def test_depths_of_the_fact_sheet(sigmoid, depth):
    logit = torch.logit(torch.tensor(sigmoid)).expand(1, 1, 1, 1)
    assert 1 / float(InverseDepthRange()([logit])[0]) == pytest.approx(depth, rel=1e-5)


@pytest.mark.parametrize("rows", [8, 24, 96, 375])
def test_start_is_the_plane_below_the_camera(rows):
    factor = rows / 375
    camera = Camera(torch.tensor([[721.5377, 721.5377]]), torch.tensor([[609.0, 172.854]])).resized(
        (factor, factor)
    )
    below = torch.arange(rows)[:, None] - camera.center[0, 1]
    plane = KITTI.camera_height * camera.focal[0, 1] / below
    wanted = torch.where((below > 0) & (plane < KITTI.background), 1 / plane, 1 / KITTI.background)
    torch.testing.assert_close(at_start(KITTI, rows, 1)[0, 0], wanted, rtol=1e-4, atol=1e-5)


def test_median_of_the_ground_is_one():
    inverse_depth = at_start(KITTI, 375)[0, 0, 173:, 0]
    assert float((1 / inverse_depth).median()) == pytest.approx(1, rel=0.01)


def test_camera_height_may_be_given():
    near = at_start(FlatGround(height=0.1), 96)[..., -1, 0]
    far = at_start(FlatGround(height=0.2), 96)[..., -1, 0]
    assert float(near / far) == pytest.approx(2, rel=1e-4)


def test_nothing_jumps_at_the_horizon():
    inverse_depth = at_start(KITTI, 375)[0, 0, :, 0]
    steps = inverse_depth.diff()
    assert bool((steps >= 0).all())
    assert float(steps.max()) == pytest.approx(1 / (KITTI.camera_height * 721.5377), rel=1e-3)


@pytest.mark.parametrize("height", [1e-4, 0.01, 100.0])
@pytest.mark.parametrize("background", [1e-3, 1e4])
def test_prior_keeps_off_the_ends_of_the_range(height, background):
    inverse_depth = at_start(FlatGround(height=height, background=background), 96)
    share = (inverse_depth - 1 / 100) / (10 - 1 / 100)
    assert 0.9e-3 < float(share.min()) <= float(share.max()) < 1 - 0.9e-3


@pytest.mark.parametrize("size", SIZES)
def test_network_starts_at_the_prior_of_every_scale(size):
    network = Monodepth2Depth(ResNetEncoder(18, "scratch"), start="flat_ground", ground=KITTI).eval()
    with torch.no_grad():
        maps = network(torch.rand(2, 3, *size))
    wanted = tuple(at_start(KITTI, size[0] >> s, size[1] >> s).expand(2, -1, -1, -1) for s in range(4))
    torch.testing.assert_close(maps, wanted)


def test_flat_start_learns_from_the_heads_on(image):
    network = Monodepth2Depth(ResNetEncoder(18, "scratch"), start="flat_ground")
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)
    sum(one.mean() for one in network(image)).backward()
    assert all(parameter.grad.any() for parameter in network.decoder.heads.parameters())
    optimizer.step()
    sum(one.mean() for one in network(image)).backward()
    assert [name for name, p in network.named_parameters() if not p.grad.any()] == []


def test_checkpoint_reproduces_the_ground(image):
    torch.manual_seed(5)
    source = Monodepth2Depth(ResNetEncoder(18, "scratch"), 0.2, 60.0, "flat_ground", KITTI).eval()
    other = Monodepth2Depth(ResNetEncoder(18, "scratch"), start="flat_ground").eval()
    other.load_state_dict(source.state_dict())
    with torch.no_grad():
        torch.testing.assert_close(other(image), source(image), rtol=0, atol=0)


def test_network_start_has_no_ground(network):
    assert network.range.prior(64) is None
    assert "range.ground" not in network.state_dict()


def test_prior_is_no_parameter():
    assert list(InverseDepthRange(ground=KITTI).parameters()) == []


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"horizon": 1.2}, "horizon 1.2"),
        ({"horizon": 0.0}, "horizon"),
        ({"focal": 0.0}, "focal"),
        ({"height": -1.0}, "h"),
    ],
)
def test_grounds_that_are_none(wrong, words):
    with pytest.raises(KinedepthError, match=words):
        FlatGround(**wrong)
