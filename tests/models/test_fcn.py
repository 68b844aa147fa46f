import pytest
import torch
import torch.nn.functional as F
from torch import nn

from perpixel.errors import SettingsError
from perpixel.models import build
from perpixel.models.encoders.resnet import ResNet
from perpixel.models.encoders.vgg import VGG
from perpixel.models.fcn import FCN, bilinear_

CLASSIFIER_KEYS = (("classifier.0", "classifier.3"), ("pre_logits.fc1", "pre_logits.fc2"))


def tiny(skips: int, *, width: int = 4, classes: int = 2) -> FCN:
    """An FCN with scores that are not zero."""
    torch.manual_seed(0)
    encoder = VGG(convolutions=(1, 1, 1, 1, 1), width=width)
    model = FCN(encoder=encoder, classes=classes, skips=skips, hidden=8).eval()
    for score in (model.score, *model.skip_scores):
        nn.init.normal_(score.weight, std=0.5)
    return model


def test_parameter_counts_of_the_paper():
    """Table 1 of Long et al. (2015) gives FCN-VGG16 134 M parameters, for 21 classes."""
    with torch.device("meta"):
        models = {name: build(name, in_channels=3, classes=21) for name in ("fcn32s", "fcn16s", "fcn8s")}
    vgg16, fc6, fc7, score = 14_714_688, 49 * 512 * 4096 + 4096, 4096 * 4096 + 4096, 21 * 4097
    pool4, pool3 = 21 * 513, 21 * 257
    common = vgg16 + fc6 + fc7 + score
    counts = {name: sum(p.numel() for p in model.parameters()) for name, model in models.items()}
    assert counts == {
        "fcn32s": common + 21 * 21 * 64**2,
        "fcn16s": common + pool4 + 21 * 21 * (4**2 + 32**2),
        "fcn8s": common + pool4 + pool3 + 21 * 21 * (2 * 4**2 + 16**2),
    }
    assert round(common / 1e6) == 134


@pytest.mark.parametrize("factor", [2, 8, 16, 32])
def test_a_fresh_transposed_convolution_is_bilinear_interpolation(factor):
    image = torch.rand(2, 3, 9, 7)
    transposed = FCN(encoder=VGG(convolutions=(1,), width=1), classes=3, skips=0, hidden=0).ups[0]
    assert transposed.factor == 2
    weight = bilinear_(torch.empty(3, 3, 2 * factor, 2 * factor))
    padded = F.pad(image, (1, 1, 1, 1), mode="replicate")
    up = F.conv_transpose2d(padded, weight, stride=factor, padding=3 * factor // 2)
    expected = F.interpolate(image, scale_factor=factor, mode="bilinear", align_corners=False)
    torch.testing.assert_close(up, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("skips", [0, 1, 2])
def test_fresh_networks_with_both_ways_of_upsampling_agree(skips):
    learned = tiny(skips)
    fixed = FCN(encoder=learned.encoder, classes=2, skips=skips, hidden=8, upsampling="bilinear").eval()
    fixed.load_state_dict({key: learned.state_dict()[key] for key in fixed.state_dict()})
    image = torch.rand(1, 3, 70, 99)
    with torch.no_grad():
        torch.testing.assert_close(learned(image), fixed(image), rtol=1e-5, atol=1e-5)


def test_skips_come_from_pool4_and_pool3():
    model = tiny(2)
    image = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        pools, x = [], image
        for layer in model.encoder.features:
            x = layer(x)
            if isinstance(layer, nn.MaxPool2d):
                pools.append(x)
        scores = model.score(model.classifier(pools[4]))
        scores = model.ups[0](scores) + model.skip_scores[0](pools[3])
        scores = model.ups[1](scores) + model.skip_scores[1](pools[2])
        torch.testing.assert_close(model(image), model.ups[2](scores))


@pytest.mark.parametrize("shift", [32, 64])
def test_a_shifted_image_gives_shifted_logits(shift):
    """Up to the coarsest stride, away from the borders that the receptive field of 404 pixels sees."""
    model = tiny(2)
    tall = F.interpolate(torch.rand(1, 3, 30, 2), size=(960 + shift, 64), mode="bicubic")
    with torch.no_grad():
        first, second = model(tall[:, :, :960]), model(tall[:, :, shift:])
    margin = 256
    torch.testing.assert_close(
        first[:, :, margin + shift : 960 - margin], second[:, :, margin : 960 - shift - margin], rtol=1e-4, atol=1e-5
    )
    assert first.std() > 1e-3


@pytest.mark.parametrize("keys", CLASSIFIER_KEYS)
def test_fully_connected_layers_of_public_weights_become_convolutions(keys):
    model = tiny(0)
    fc6, fc7 = nn.Linear(32 * 49, 8), nn.Linear(8, 8)
    layers = zip(keys, (fc6, fc7), strict=True)
    model.take_classifier(
        {f"{key}.{part}": value for key, layer in layers for part, value in layer.state_dict().items()}
    )
    features = torch.rand(1, 32, 7, 7)
    with torch.no_grad():
        expected = fc7(fc6(features.flatten(1)).relu()).relu()
        torch.testing.assert_close(model.classifier(features)[..., 3, 3], expected)


def test_a_weight_file_of_vgg_fills_the_classifier_too(tmp_path):
    encoder = VGG(convolutions=(1, 1, 2, 2, 2))
    fc6, fc7 = torch.rand(8, 512 * 49), torch.rand(8, 8)
    heads = {"classifier.0.weight": fc6, "classifier.0.bias": fc6[:, 0], "classifier.6.bias": fc7[0]}
    heads |= {"classifier.3.weight": fc7, "classifier.3.bias": fc7[0]}
    torch.save(encoder.state_dict() | heads, tmp_path / "vgg11.pth")
    model = build("fcn8s", in_channels=3, classes=2, encoder="vgg11", weights=tmp_path / "vgg11.pth", hidden=8)
    assert torch.equal(model.classifier[0].weight.flatten(1), fc6)
    assert torch.equal(model.classifier[3].bias, fc7[0])
    narrow = build("fcn8s", in_channels=3, classes=2, encoder="vgg11", weights=tmp_path / "vgg11.pth", hidden=4)
    assert not torch.equal(narrow.classifier[3].bias, fc7[0, :4])


def test_an_encoder_without_finer_features_is_refused():
    encoder = ResNet(layers=(1, 1, 1, 1), bottleneck=True, width=4, output_stride=8)
    build("fcn32s", in_channels=3, classes=2, encoder=encoder)
    encoder.strides = (8,)
    with pytest.raises(SettingsError, match=r"no features at stride 4, only at \(8,\)[\s\S]*Fix: choose FCN-32s"):
        build("fcn16s", in_channels=3, classes=2, encoder=encoder)
