"""Monodepth2's networks against arrays of the official ones, by official names and with filled weights."""

from collections.abc import Callable

import pytest
import torch

from kinedepth.geometry.pose import Pose
from kinedepth.networks.blocks.resnet import ResNetEncoder
from kinedepth.networks.depth.monodepth2 import Monodepth2Depth
from kinedepth.networks.official import from_official, load_official, to_official
from kinedepth.networks.pose import PoseCNN, PoseResNet

SCALES = range(4)
FEATURES = range(5)
MAPS = {"rtol": 0, "atol": 1e-5}
MATRICES = {"rtol": 0, "atol": 1e-6}


@pytest.fixture(scope="module", params=[18, 50], ids=["r18", "r50"])
def layers(request):
    return request.param


@pytest.fixture(scope="module")
def expected(layers, parity_arrays):
    return parity_arrays(f"monodepth2/depth_net_r{layers}")


@pytest.fixture(scope="module")
def network(layers, official_state):
    network = Monodepth2Depth(ResNetEncoder(layers, "scratch")).eval()
    files = {part: official_state("monodepth2", f"{part}_r{layers}") for part in ("encoder", "depth")}
    load_official(network, files)
    return network


@pytest.fixture(scope="module")
def features(network, common_inputs):
    with torch.no_grad():
        return network.encode(common_inputs["frame_0"])


@pytest.fixture(scope="module")
def inverse_depth(network, features):
    with torch.no_grad():
        return network.decode(features)


@pytest.mark.parametrize("scale", SCALES)
def test_sigmoid_maps(scale, network, inverse_depth, expected):
    floor, ceiling = 1 / network.far, 1 / network.near
    ours = (inverse_depth[scale] - floor) / (ceiling - floor)
    torch.testing.assert_close(ours, expected[f"disp_{scale}"], **MAPS)


def kept(maps: torch.Tensor, rule: str) -> torch.Tensor:
    """The elements that a slice such as "[:, ::16]" keeps."""
    steps = (part.strip().rpartition("::")[2] for part in rule.strip("[]").split(","))
    return maps[tuple(slice(None, None, int(step) if step.isdigit() else None) for step in steps)]


@pytest.mark.parametrize("index", FEATURES)
def test_encoder_maps(index, layers, features, expected, parity_json):
    slices = parity_json("monodepth2/case")["slices"]
    rule = slices[f"depth_net_r{layers}: feat_i_sub (i>=1)" if index else "depth_net_*: feat_0_sub"]
    torch.testing.assert_close(kept(features.encoder[index], rule), expected[f"feat_{index}_sub"], **MAPS)


@pytest.fixture(scope="module")
def pose_arrays(parity_arrays):
    return parity_arrays("monodepth2/pose_net")


def pose_resnet(official_state: Callable, slots: int) -> PoseResNet:
    network = PoseResNet(ResNetEncoder(18, "scratch", frames=2), slots).eval()
    load_official(network, {part: official_state("monodepth2", part) for part in ("pose_encoder", "pose")})
    return network


@pytest.fixture(scope="module")
def posenet(official_state):
    return pose_resnet(official_state, slots=2)


@pytest.fixture(scope="module")
def one_slot_posenet(official_state):
    return pose_resnet(official_state, slots=1)


@pytest.fixture(params=["m1", "p1"])
def pair(request, common_inputs):
    order = ("frame_m1", "frame_0") if request.param == "m1" else ("frame_0", "frame_p1")
    return request.param, [common_inputs[name] for name in order]


@torch.no_grad()
def test_pose_vectors(pair, posenet, pose_arrays):
    name, images = pair
    axis_angle, translation = posenet.vectors(*images)
    torch.testing.assert_close(axis_angle, pose_arrays[f"axisangle_{name}"][:, :, 0], **MATRICES)
    torch.testing.assert_close(translation, pose_arrays[f"translation_{name}"][:, :, 0], **MATRICES)


@torch.no_grad()
def test_pose_matrices(pair, posenet, pose_arrays):
    name, images = pair
    second_from_first = posenet(*images)
    trained = second_from_first.inverse() if name == "m1" else second_from_first
    torch.testing.assert_close(second_from_first.matrix(), pose_arrays[f"T_{name}_no_invert"], **MATRICES)
    torch.testing.assert_close(
        second_from_first.inverse().matrix(), pose_arrays[f"T_{name}_invert"], **MATRICES
    )
    torch.testing.assert_close(trained.matrix(), pose_arrays[f"T_{name}_as_trained"], **MATRICES)


@torch.no_grad()
def test_official_second_slot_is_cut_on_import(pair, posenet, one_slot_posenet):
    _, images = pair
    wanted, ours = posenet(*images), one_slot_posenet(*images)
    torch.testing.assert_close(ours.matrix(), wanted.matrix(), **MATRICES)


@torch.no_grad()
def test_posecnn(official_state, common_inputs, pose_arrays):
    network = PoseCNN().eval()
    load_official(network, {"posecnn": official_state("monodepth2", "posecnn")})
    axis_angle, translation = network.vectors(common_inputs["frame_m1"], common_inputs["frame_0"])
    torch.testing.assert_close(axis_angle, pose_arrays["posecnn_axisangle_m1"][:, :, 0], **MATRICES)
    torch.testing.assert_close(translation, pose_arrays["posecnn_translation_m1"][:, :, 0], **MATRICES)


@torch.no_grad()
def test_forward_is_the_first_vector(pair, posenet):
    _, images = pair
    axis_angle, translation = posenet.vectors(*images)
    wanted = Pose.from_axis_angle(axis_angle[:, 0], translation[:, 0])
    torch.testing.assert_close(posenet(*images).matrix(), wanted.matrix(), rtol=0, atol=0)


OWNERS = {
    "encoder_r18": ("encoder", lambda: Monodepth2Depth(ResNetEncoder(18, "scratch"))),
    "depth_r18": ("depth", lambda: Monodepth2Depth(ResNetEncoder(18, "scratch"))),
    "encoder_r50": ("encoder", lambda: Monodepth2Depth(ResNetEncoder(50, "scratch"))),
    "depth_r50": ("depth", lambda: Monodepth2Depth(ResNetEncoder(50, "scratch"))),
    "pose_encoder": ("pose_encoder", lambda: PoseResNet(ResNetEncoder(18, "scratch", frames=2), slots=2)),
    "pose": ("pose", lambda: PoseResNet(ResNetEncoder(18, "scratch", frames=2), slots=2)),
    "posecnn": ("posecnn", PoseCNN),
}
CLASSIFIER = {"encoder.fc.weight", "encoder.fc.bias"}


def test_every_official_file_is_covered(parity_json):
    assert set(parity_json("monodepth2/state_dict")) == set(OWNERS)


@pytest.mark.parametrize("entry", OWNERS)
def test_official_names_travel_there_and_back(entry, official_state):
    part, make = OWNERS[entry]
    official, state = official_state("monodepth2", entry), make().state_dict()
    ours = from_official(part, official, state)
    back = to_official(part, state | ours)
    assert set(official) - set(back) <= CLASSIFIER
    torch.testing.assert_close(back, {name: official[name] for name in back}, rtol=0, atol=0)
