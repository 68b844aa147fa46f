"""Our encoders against timm's and torchvision's with the same weights."""

import pytest
import torch
from torch import nn

from perpixel.errors import SettingsError
from perpixel.models import ENCODERS, build, build_encoder, encoder_statistics
from perpixel.models.blocks import normalised
from perpixel.models.encoders import timm_encoder
from perpixel.models.encoders.efficientnet_lite import _SameConv2d
from perpixel.models.encoders.resnet import ResNet
from perpixel.models.registry import missing_weights
from perpixel.models.torchvision_shim import prepare_torchvision
from perpixel.models.weights import HUB_NAMES, PACKAGED, load_public

prepare_torchvision()


def calibrated(network: nn.Module, image: torch.Tensor) -> nn.Module:
    """Random weights with the batch statistics of one pass, so that features keep the size of real ones."""
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 1.0
    with torch.no_grad():
        network.train()(image)
    return network.eval()


def test_resnet50_gives_timms_features():
    import timm

    image = torch.rand(2, 3, 64, 96)
    reference = calibrated(timm.create_model("resnet50", features_only=True), image)
    encoder = build_encoder("resnet50", in_channels=3).eval()
    load_public(encoder, reference.state_dict(), origin="timm")
    check_features(encoder, reference, image)


@pytest.mark.parametrize("name", list(PACKAGED))
def test_efficientnet_lite_gives_timms_features(name):
    import timm

    image = torch.rand(2, 3, 64, 96)
    reference = timm.create_model(HUB_NAMES[name], features_only=True).eval()
    encoder = build_encoder(name, in_channels=3, weights="auto").eval()
    reference.load_state_dict(encoder.state_dict())
    check_features(encoder.double(), reference.double(), image.double())


@pytest.mark.parametrize("name", ["vgg16", "vgg16_bn"])
def test_vgg16_gives_torchvisions_features(name):
    import torchvision

    image = torch.rand(2, 3, 64, 96)
    with torch.device("meta"):
        network = torchvision.models.get_model(name)
    features = calibrated(network.features.to_empty(device="cpu").apply(_draw), image)
    encoder = build_encoder(name, in_channels=3).eval()
    load_public(encoder, {f"features.{key}": value for key, value in features.state_dict().items()}, origin="tv")
    x, expected = image, []
    with torch.no_grad():
        for layer in features:
            if isinstance(layer, nn.MaxPool2d):
                expected.append(x)
            x = layer(x)
        for ours, theirs in zip(encoder(image), [*expected, x], strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)


def _draw(module: nn.Module) -> None:
    if hasattr(module, "reset_parameters"):
        module.reset_parameters()


def check_features(encoder, reference, image):
    assert encoder.out_channels == tuple(reference.feature_info.channels())
    assert encoder.strides == tuple(reference.feature_info.reduction())
    with torch.no_grad():
        for ours, theirs in zip(encoder(image), reference(image), strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", ["alexnet", "googlenet"])
def test_what_timm_lacks_gives_torchvisions_features(name):
    image = torch.rand(2, 3, 64, 96)
    with torch.device("meta"):
        network = public_network(name)
    reference = calibrated(network.to_empty(device="cpu").apply(_draw), image).double()
    encoder = build_encoder(name, in_channels=3).eval()
    load_public(encoder, reference.state_dict(), origin="torchvision")
    encoder = encoder.double()
    if name == "alexnet":  # torchvision pads by 2 and not at all
        reference.features[0].padding = (4, 4)
        for place in (2, 5, 12):
            reference.features[place].padding = 1
    expected = {}
    for layer in ("features.11",) if name == "alexnet" else ("conv1", "conv3", "inception3b", "inception5b"):
        reference.get_submodule(layer).register_forward_hook(
            lambda module, args, output, layer=layer: expected.update({layer: output})
        )
    with torch.no_grad():
        reference(image.double())
        ours = encoder(image.double())
    places = {"features.11": -2, "conv1": 0, "conv3": 1, "inception3b": 2, "inception5b": 4}
    for layer, output in expected.items():
        torch.testing.assert_close(ours[places[layer]], output)


def public_network(name):
    import timm
    import torchvision

    hub_name = HUB_NAMES.get(name, name)
    if timm.is_model(hub_name):
        return timm.create_model(hub_name)
    return torchvision.models.get_model(name, **({"init_weights": False} if name == "googlenet" else {}))


@pytest.mark.parametrize("name", ENCODERS)
def test_every_encoder_has_the_keys_and_shapes_of_timm_or_torchvision(name):
    with torch.device("meta"):
        encoder = build_encoder(name, in_channels=3)
        public = public_network(name).state_dict()
    own = encoder.state_dict()
    parts = {key.split(".")[0] for key in own}
    assert {key: tensor.shape for key, tensor in own.items()} == {
        key: tensor.shape for key, tensor in public.items() if key.split(".")[0] in parts
    }


@pytest.mark.parametrize("name", ["efficientnet_lite0", "resnet18", "vgg11", "alexnet", "googlenet"])
def test_feature_maps_have_the_channels_and_strides_they_promise(name):
    encoder = build_encoder(name, in_channels=2).eval()
    with torch.no_grad():
        features = encoder(torch.rand(1, 2, 64, 96))
    assert [x.shape[1] for x in features] == list(encoder.out_channels)
    assert [(64 // x.shape[2], 96 // x.shape[3]) for x in features] == [(s, s) for s in encoder.strides]


def test_dilation_replaces_the_last_strides():
    encoder = ResNet(layers=(1, 1, 1, 2), bottleneck=True, width=4, output_stride=8)
    assert encoder.strides == (2, 4, 8, 8, 8)
    assert encoder(torch.rand(1, 3, 64, 64))[-1].shape[-2:] == (8, 8)


@pytest.mark.parametrize(
    "name", ["efficientnet_lite0", "efficientnet_lite2", "resnet50", "vgg16_bn", "convnext_atto"]
)
def test_statistics_are_those_of_the_public_weights(name):
    import timm

    settings = timm.get_pretrained_cfg(HUB_NAMES.get(name, name))
    assert encoder_statistics(name) == (tuple(settings.mean), tuple(settings.std))


def test_any_encoder_of_timm_gives_its_pyramid():
    encoder = build_encoder("test_convnext", in_channels=4).eval()
    features = encoder(torch.rand(1, 4, 64, 64))
    assert [x.shape[1] for x in features] == list(encoder.out_channels)


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("inception_v3", r"an image of 128 × 128 pixels gives maps of \[61, 28, 13, 6, 2\] instead of \[64, 32"),
        ("vit_tiny_patch16_224", r"it does not take an image of 64 × 64 pixels"),
    ],
)
def test_an_encoder_whose_maps_do_not_fit_is_refused(name, found):
    with pytest.raises(
        SettingsError, match=rf"feature maps of {name} do not fit the image: {found}[\s\S]*Fix: choose"
    ):
        build_encoder(name, in_channels=3)


def test_an_encoder_that_does_not_fit_is_refused_before_its_weights_are_sought(monkeypatch):
    monkeypatch.setattr(timm_encoder, "fetch", lambda *_: pytest.fail("its weights were sought"))
    with pytest.raises(SettingsError, match="feature maps of inception_v3 do not fit"):
        missing_weights("unet", "inception_v3")


def test_an_unknown_encoder_is_refused_with_a_suggestion():
    with pytest.raises(SettingsError, match=r"no encoder 'resnet51'[\s\S]*Fix: did you mean .*resnet5"):
        build_encoder("resnet51", in_channels=3)
    with pytest.raises(SettingsError, match=r"no encoder 'resnet51'"):
        encoder_statistics("resnet51")


def test_an_encoder_without_pyramid_is_refused(monkeypatch):
    import timm

    def refuse(*args, **kwargs):
        raise RuntimeError("features_only is not implemented")

    monkeypatch.setattr(timm, "create_model", refuse)
    with pytest.raises(SettingsError, match=r"timm gives no feature maps for 'resnet26'[\s\S]*Fix: choose"):
        build_encoder("resnet26", in_channels=3)


@pytest.mark.parametrize("model", ["unet", "unetplusplus", "fcn_tutorial"])
def test_an_encoder_whose_maps_do_not_halve_is_refused(model):
    dilated = ResNet(layers=(1, 1, 1, 1), bottleneck=True, width=4, output_stride=8)
    with pytest.raises(SettingsError, match=r"strides double, not \(2, 4, 8, 8, 8\)[\s\S]*Fix: choose one without"):
        build(model, in_channels=3, classes=1, encoder=dilated)


def test_dilation_is_asked_only_of_encoders_that_have_it():
    with pytest.raises(SettingsError, match=r"encoder vgg11 has no output_stride[\s\S]*Fix: choose one of resnet18"):
        build("fcn_resnet50", in_channels=3, classes=1, encoder="vgg11")


def test_timm_missing_is_said(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "timm", None)
    with pytest.raises(SettingsError, match=r"timm, which is not installed[\s\S]*pip install"):
        build_encoder("convnext_atto", in_channels=3)


@pytest.mark.parametrize(("stride", "groups"), [(1, 1), (2, 6)])
def test_a_norm_of_fixed_statistics_is_folded_with_the_same_values_and_gradients(stride, groups):
    torch.manual_seed(0)
    convolution = _SameConv2d(6, 6, 3, stride=stride, groups=groups).double()
    norm = nn.BatchNorm2d(6, eps=1e-3).double().eval()
    for tensor in (norm.running_mean, norm.running_var, norm.weight.data, norm.bias.data):
        tensor.uniform_(0.5, 2)
    image = torch.randn(2, 6, 8, 10, dtype=torch.float64, requires_grad=True)
    learnt = [image, *convolution.parameters(), *norm.parameters()]
    towards = torch.randn(2, 6, 8 // stride, 10 // stride, dtype=torch.float64)
    folded, apart = normalised(convolution, norm, image), norm(convolution(image))
    torch.testing.assert_close(folded, apart)
    for one, other in zip(*(torch.autograd.grad(out, learnt, towards) for out in (folded, apart)), strict=True):
        torch.testing.assert_close(one, other)
