"""The inputs that all parity cases share, and the rule that fills their networks."""

import pytest
import torch

WEIGHTS = ("conv1.weight", "bn1.weight", "bn1.bias", "bn1.running_mean", "bn1.running_var", "fc.weight")
FRAMES = ("frame_m2", "frame_m1", "frame_0", "frame_p1")


@pytest.mark.parametrize("name", [f"encoder.{name}" for name in WEIGHTS])
def test_weight_rule(name, fill, parity_arrays, parity_json):
    expected = parity_arrays("common/weight_rule")[name]
    ours = fill({name: expected.shape}, parity_json("common/case")["seed"])
    torch.testing.assert_close(ours[name], expected, rtol=0, atol=0)


def test_weight_rule_file_is_covered(parity_arrays):
    assert set(parity_arrays("common/weight_rule")) == {f"encoder.{name}" for name in WEIGHTS}


def test_aliases_share_one_tensor(fill):
    state = fill({"a.weight": [2, 3], "b.weight": [2, 3]}, 5, aliases={"b.weight": "a.weight"})
    assert state["b.weight"] is state["a.weight"]


@pytest.mark.parametrize("name", FRAMES)
def test_frames_have_the_case_size(name, common_inputs, parity_json):
    image = common_inputs[name]
    assert list(image.shape[-2:]) == parity_json("common/case")["size"]
    assert 0 <= image.min() < image.max() <= 1


@pytest.mark.parametrize("scale", range(4))
def test_intrinsics_and_their_inverse(scale, common_inputs):
    product = common_inputs[f"K_{scale}"] @ common_inputs[f"inv_K_{scale}"]
    torch.testing.assert_close(product, torch.eye(4).expand_as(product), rtol=0, atol=1e-4)


@pytest.mark.parametrize("scale", range(4))
def test_sigmoid_maps_halve_with_each_scale(scale, common_inputs):
    maps, image = common_inputs[f"disp_{scale}"], common_inputs["frame_0"]
    assert maps.shape == (image.shape[0], 1, image.shape[2] >> scale, image.shape[3] >> scale)
    assert 0 < maps.min() < maps.max() < 1
