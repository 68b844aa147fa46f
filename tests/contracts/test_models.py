"""What every network must do; a new one is a line in CASES."""

from collections.abc import Callable

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from perpixel.models import MODELS, SegmentationModel, build
from perpixel.models.base import Encoder
from perpixel.models.encoders.efficientnet_lite import EfficientNetLite
from perpixel.models.encoders.resnet import ResNet
from perpixel.models.encoders.vgg import VGG


def vgg(channels: int) -> Encoder:
    return VGG(convolutions=(1, 1, 1, 1, 1), width=4, in_channels=channels)


def resnet(channels: int, output_stride: int = 32) -> Encoder:
    return ResNet(layers=(1, 1, 1, 1), bottleneck=True, width=4, output_stride=output_stride, in_channels=channels)


def lite(channels: int) -> Encoder:
    return EfficientNetLite(width=0.25, depth=0.3, in_channels=channels)


CASES: dict[str, Callable[[int, int], SegmentationModel]] = {
    "unet": lambda c, k: build("unet", in_channels=c, classes=k, width=4),
    "unet valid": lambda c, k: build("unet", in_channels=c, classes=k, width=4, depth=2, padding="valid"),
    "unet reflect": lambda c, k: build(
        "unet",
        in_channels=c,
        classes=k,
        width=4,
        norm="instance",
        padding="reflect",
        activation="leaky_relu",
        dropout=0.3,
        upsampling="bilinear",
    ),
    "unet light": lambda c, k: build("unet", in_channels=c, classes=k, encoder=lite(c)),
    "unet full": lambda c, k: build("unet", in_channels=c, classes=k, encoder=resnet(c), decoder="full"),
    "unetplusplus": lambda c, k: build(
        "unetplusplus", in_channels=c, classes=k, widths=(4, 8, 8, 16), supervision="mean"
    ),
    "unetplusplus encoder": lambda c, k: build(
        "unetplusplus", in_channels=c, classes=k, encoder=lite(c), supervision="last"
    ),
    "fcn32s": lambda c, k: build("fcn32s", in_channels=c, classes=k, encoder=vgg(c), hidden=8),
    "fcn16s": lambda c, k: build("fcn16s", in_channels=c, classes=k, encoder=resnet(c)),
    "fcn8s": lambda c, k: build("fcn8s", in_channels=c, classes=k, encoder=vgg(c), hidden=8),
    "fcn8s bilinear": lambda c, k: build("fcn8s", in_channels=c, classes=k, encoder=lite(c), upsampling="bilinear"),
    "fcn_tutorial": lambda c, k: build("fcn_tutorial", in_channels=c, classes=k, encoder=vgg(c)),
    "segnet": lambda c, k: build("segnet", in_channels=c, classes=k, encoder=vgg(c)),
    "fcn_resnet50": lambda c, k: build("fcn_resnet50", in_channels=c, classes=k, encoder=resnet(c, 8)),
    "fcn_resnet101": lambda c, k: build("fcn_resnet101", in_channels=c, classes=k, encoder=resnet(c, 16)),
    "smp/fpn": lambda c, k: build("smp/fpn", in_channels=c, classes=k, encoder="test_resnet"),
}


@pytest.fixture(params=CASES)
def make(request: pytest.FixtureRequest) -> Callable[[int, int], SegmentationModel]:
    torch.manual_seed(0)
    case = CASES[request.param]

    def make(channels: int, classes: int) -> SegmentationModel:
        return stirred(case(channels, classes))

    return make


def stirred(model: SegmentationModel) -> SegmentationModel:
    """Move every weight a little, so that what starts at zero carries gradients and values too."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.01)
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.running_var.uniform_(0.5, 1.5)
    return model


def test_every_model_of_the_table_has_a_case():
    assert {name.split()[0] for name in CASES} >= set(MODELS)


@pytest.mark.parametrize(("channels", "classes", "size"), [(3, 2, (33, 97)), (1, 1, (1, 1)), (5, 3, (64, 31))])
def test_any_size_any_channels_any_classes(make, channels, classes, size):
    model = make(channels, classes).eval()
    with torch.inference_mode():
        logits = model(torch.rand(2, channels, *size))
    assert logits.shape == (2, classes, *size)
    assert logits.isfinite().all()


def test_values_do_not_depend_on_the_batch_around(make):
    model = make(3, 2).eval().double()
    images = torch.rand(3, 3, 40, 36, dtype=torch.float64)
    with torch.inference_mode():
        torch.testing.assert_close(model(images)[1:2], model(images[1:2]), rtol=1e-9, atol=1e-9)


def test_training_outputs_are_named_and_carry_the_loss_to_every_parameter(make):
    model = make(3, 2).train()
    outputs = model.training_outputs(torch.rand(1, 3, 30, 20))
    assert outputs.keys() == model.loss_weights.keys()
    assert "logits" in outputs
    assert all(logits.shape == (1, 2, 30, 20) for logits in outputs.values())
    sum(model.loss_weights[name] * logits.square().sum() for name, logits in outputs.items()).backward()
    assert not [name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()]


def test_bfloat16_and_channels_last_agree_with_float32(make):
    model = make(3, 2).eval()
    image = torch.rand(1, 3, 50, 47)
    with torch.inference_mode():
        exact = model(image)
        model = model.to(memory_format=torch.channels_last)
        image = image.to(memory_format=torch.channels_last)
        torch.testing.assert_close(model(image), exact, rtol=1e-4, atol=1e-4)
        with torch.autocast("cpu", torch.bfloat16):
            coarse = model(image).float()
    assert (coarse - exact).abs().mean() <= 0.05 * exact.abs().max()


def test_weights_survive_safetensors(make, tmp_path):
    model = make(3, 2).eval()
    save_file(model.state_dict(), tmp_path / "model.safetensors")
    other = make(3, 2).eval()
    other.load_state_dict(load_file(tmp_path / "model.safetensors"))
    image = torch.rand(1, 3, 33, 40)
    with torch.inference_mode():
        assert torch.equal(model(image), other(image))


@pytest.mark.slow
def test_exports_with_dynamic_batch_height_and_width(make):
    model = make(3, 2).eval()
    free = torch.export.Dim.DYNAMIC
    program = torch.export.export(
        model, (torch.rand(2, 3, 70, 90),), dynamic_shapes=({0: free, 2: free, 3: free},)
    ).module()
    for shape in ((1, 3, 33, 97), (3, 3, 64, 64), (2, 3, 5, 250)):
        image = torch.rand(shape)
        with torch.no_grad():
            torch.testing.assert_close(program(image), model(image), rtol=1e-4, atol=1e-4)


@pytest.mark.slow
def test_compiles(make):
    model = make(3, 2).eval()
    compiled = torch.compile(model, backend="aot_eager")
    image = torch.rand(1, 3, 50, 47)
    with torch.no_grad():
        torch.testing.assert_close(compiled(image), model(image), rtol=1e-4, atol=1e-4)
