import huggingface_hub
import pytest
import safetensors.torch
import timm
import torch
import torchvision

from kinedepth.errors import KinedepthError
from kinedepth.networks.blocks.resnet import ResNetEncoder, repeated

CHANNELS = {18: (64, 64, 128, 256, 512), 34: (64, 64, 128, 256, 512), 50: (64, 256, 512, 1024, 2048)}


def parameters(module):
    return sum(parameter.numel() for parameter in module.parameters())


def forbidden(*_, **__):
    raise AssertionError("nothing may be downloaded here")


@pytest.fixture(scope="module")
def torchvision_resnet():
    torch.manual_seed(3)
    return torchvision.models.resnet18(weights=None).eval()


@pytest.fixture(scope="module", params=[".pth", ".safetensors"])
def file(request, torchvision_resnet, tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / f"resnet18{request.param}"
    state = torchvision_resnet.state_dict()
    if request.param == ".pth":
        torch.save(state, path)
    else:
        safetensors.torch.save_file(state, path)
    return str(path)


@pytest.mark.parametrize("layers", CHANNELS)
def test_states_its_channels_and_reduction(layers):
    encoder = ResNetEncoder(layers, "scratch").eval()
    with torch.no_grad():
        maps = encoder(torch.rand(1, 3, 64, 96))
    assert encoder.channels == CHANNELS[layers] == tuple(one.shape[1] for one in maps)
    assert (
        encoder.reduction
        == tuple(64 // one.shape[2] for one in maps)
        == tuple(96 // one.shape[3] for one in maps)
    )


@pytest.mark.parametrize(("frames", "count"), [(1, 11_176_512), (2, 11_185_920)])
def test_parameter_counts_of_the_fact_sheet(frames, count):
    assert parameters(ResNetEncoder(18, "scratch", frames)) == count


def test_maps_are_torchvisions(torchvision_resnet, file):
    image = torch.rand(1, 3, 64, 96)
    resnet = torchvision_resnet
    with torch.no_grad():
        stem = resnet.relu(resnet.bn1(resnet.conv1((image - 0.45) / 0.225)))
        first = resnet.layer1(resnet.maxpool(stem))
        wanted = (
            stem,
            first,
            second := resnet.layer2(first),
            third := resnet.layer3(second),
            resnet.layer4(third),
        )
        ours = ResNetEncoder(18, file).eval()(image)
    torch.testing.assert_close(ours, wanted, rtol=0, atol=1e-5)


@pytest.mark.parametrize("frames", [2, 3])
def test_equal_frames_see_what_one_saw(frames, file):
    image = torch.rand(1, 3, 64, 96)
    with torch.no_grad():
        one = ResNetEncoder(18, file).eval()(image)[0]
        several = ResNetEncoder(18, file, frames).eval()(torch.cat([image] * frames, dim=1))[0]
    torch.testing.assert_close(several, one, rtol=0, atol=1e-5)


def test_filters_are_repeated_and_divided():
    filters = torch.rand(4, 3, 7, 7)
    torch.testing.assert_close(repeated(filters, 3), torch.cat([filters] * 3, dim=1) / 3)


def test_residual_branches_speak_at_the_start():
    body = ResNetEncoder(18, "scratch").body
    assert all(bool((block.bn2.weight == 1).all()) for stage in (body.layer1, body.layer4) for block in stage)


def test_scratch_downloads_nothing(monkeypatch):
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", forbidden)
    monkeypatch.setattr(timm.models, "load_pretrained", forbidden)
    assert parameters(ResNetEncoder(18, "scratch")) > 0


def test_imagenet_takes_torchvisions_first_weights(monkeypatch, file, torchvision_resnet):
    asked = []
    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", lambda *_: None)
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", lambda *names: asked.append(names) or file)
    encoder = ResNetEncoder(18)
    assert asked == [("timm/resnet18.tv_in1k", "model.safetensors")]
    torch.testing.assert_close(encoder.body.layer4[1].conv2.weight, torchvision_resnet.layer4[1].conv2.weight)


def test_imagenet_from_the_cache_asks_nobody(monkeypatch, file):
    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", lambda *_: file)
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", forbidden)
    assert parameters(ResNetEncoder(18, "imagenet")) > 0


@pytest.mark.parametrize("error", [OSError("no route"), RuntimeError("closed"), ValueError("bad header")])
def test_failed_download_is_one_sentence_with_the_remedy(monkeypatch, error):
    def fail(*_):
        raise error

    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", lambda *_: None)
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", fail)
    with pytest.raises(KinedepthError, match=r"resnet18\.tv_in1k.*--network\.weights scratch") as caught:
        ResNetEncoder(18, "imagenet")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("weights", "words"), [("imagnet", "neither"), ("", "neither")])
def test_unknown_weights(weights, words):
    with pytest.raises(KinedepthError, match=words):
        ResNetEncoder(18, weights)


def test_file_that_holds_no_weights(tmp_path):
    path = tmp_path / "weights.pth"
    path.write_bytes(b"not a checkpoint")
    with pytest.raises(KinedepthError, match="can not be read"):
        ResNetEncoder(18, str(path))


def test_weights_of_another_resnet(file):
    with pytest.raises(KinedepthError, match="does not hold the weights of this ResNet"):
        ResNetEncoder(50, file)


def test_unknown_depth():
    with pytest.raises(KinedepthError, match="ResNet-20"):
        ResNetEncoder(20, "scratch")
