"""The recipes' networks and one training step of each, beside transcriptions of the tutorials' texts."""

import copy
import importlib.util
from collections import Counter
from pathlib import Path

import pytest
import torch
from torch import nn

from perpixel.losses import supervised, weighted
from perpixel.models import build
from perpixel.models.encoders.resnet import ResNet
from perpixel.models.encoders.vgg import CONVOLUTIONS, VGG
from perpixel.settings.recipes import RECIPES, with_recipe
from perpixel.settings.tree import request_from
from perpixel.training.optimiser import optimiser_for
from perpixel.training.step import freeze

_SPEC = importlib.util.spec_from_file_location(
    "transcriptions", Path(__file__).parents[2] / "benchmarks" / "transcriptions.py"
)
texts = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(texts)

KINDS = {name: "multilabel" if name == "unet-shapes" else "multiclass" for name in RECIPES}
CLASSES = {"fcn-resnet-em": 2, "fcn-vgg-pets": 3, "unet-shapes": 6, "unet-cropland": 2, "unetpp-nuclei": 2}
TRANSCRIBED = {
    "fcn-vgg-pets": texts.FCN,
    "unet-shapes": texts.SimpleUNet,
    "unet-cropland": texts.ReflectUNet,
    "unetpp-nuclei": texts.NestedUNet,
}
WIDTHS = {
    "fcn-vgg-pets": 64,
    "unet-shapes": 64,
    "unet-cropland": 64,
    "unetpp-nuclei": 32,
}  # of the texts' first levels


class Backbone(nn.Module):
    """A copy of an encoder under torchvision's names."""

    def __init__(self, encoder):
        super().__init__()
        self.encoder = copy.deepcopy(encoder)

    def forward(self, image):
        return {"out": self.encoder(image)[-1]}


def pair_of(name, width=None, classes=None, **options):
    """The network of a recipe and that of its text, without trained weights; both as narrow as asked for."""
    model = request_from(with_recipe(name, {})).model
    classes = classes or CLASSES[name]
    encoder, options = model.encoder, {**model.options, **options}
    if name == "fcn-resnet-em":
        theirs = None if width else texts.fcn_resnet50(classes)
        if width is not None:
            encoder = ResNet(layers=(1, 1, 1, 1), bottleneck=True, output_stride=8, width=width)
            theirs = texts.fcn_on(Backbone(encoder), encoder.out_channels[-1], classes)
    else:
        width = width or WIDTHS[name]
        theirs = TRANSCRIBED[name](1 if name == "unetpp-nuclei" else classes, width=width)
        if name == "fcn-vgg-pets":
            encoder = VGG(convolutions=CONVOLUTIONS[16], width=width)
        elif name == "unetpp-nuclei":
            options["widths"] = tuple(width * 2**level for level in range(5))
        else:
            options["width"] = width
    return build(model.name, in_channels=3, classes=classes, encoder=encoder, **options), theirs


def network_of(name, **options):
    """The network of a recipe, as its settings build it."""
    model = request_from(with_recipe(name, {})).model
    sizes = {"in_channels": 3, "classes": CLASSES[name]}
    return build(model.name, **sizes, encoder=model.encoder, **{**model.options, **options})


def parameters(model):
    return sum(parameter.numel() for parameter in model.parameters())


def called(model, size=64, forward=None):
    """Every call of a layer with weights, in order: (module, output shape)."""
    calls = []
    leaves = [m for m in model.modules() if not any(True for _ in m.children()) and any(True for _ in m.parameters())]
    hooks = [m.register_forward_hook(lambda m, _, output: calls.append((m, tuple(output.shape)))) for m in leaves]
    with torch.no_grad():
        (forward or model)(torch.zeros(2, 3, size, size, device=next(model.parameters()).device))
    for hook in hooks:
        hook.remove()
    return calls


def layer(call):
    """What a call of a layer is: the shapes of its weights, and of its output."""
    module, shape = call
    return tuple(tuple(each.shape) for each in module.parameters()), shape


@pytest.mark.parametrize(
    ("name", "count"),
    [("fcn-vgg-pets", 24_010_179), ("unet-shapes", 7_783_238), ("unet-cropland", 31_043_586)],
)
def test_a_network_is_its_text_layer_by_layer(name, count):
    with torch.device("meta"):
        ours, theirs = network_of(name), TRANSCRIBED[name](CLASSES[name])
        assert list(map(layer, called(ours))) == list(map(layer, called(theirs)))
    assert parameters(ours) == parameters(theirs) == count


def test_unetplusplus_is_its_text_layer_by_layer():
    with torch.device("meta"):
        ours, theirs = pair_of("unetpp-nuclei", classes=1)
        here = Counter(map(layer, called(ours, forward=ours.training_outputs)))
        assert here == Counter(map(layer, called(theirs)))
    assert parameters(ours) == parameters(theirs) == 9_163_428


@pytest.mark.parametrize(("auxiliary", "count"), [(True, 35_312_471), (False, 32_947_266)])
def test_fcn_resnet50_is_torchvisions_with_and_without_the_auxiliary_head(auxiliary, count):
    with torch.device("meta"):
        theirs = texts.fcn_resnet50(2, auxiliary)
        ours = network_of("fcn-resnet-em", auxiliary_weight=0.5 if auxiliary else 0.0)
    assert parameters(theirs) == count
    extra = 19 * 257 if auxiliary else 0  # the text leaves the 21 classes of COCO to the auxiliary head
    assert parameters(ours) == count - extra
    renamed = {key.replace("encoder.", "backbone.") for key in ours.state_dict()}
    assert renamed == set(theirs.state_dict())


def paired(name, ours, theirs):
    """Tensors of both networks that mean the same, as ((ours, theirs, order of theirs' input channels or None))."""
    if name == "unetpp-nuclei":
        yield from paired_nested(ours, theirs)
        return
    here = [module for module, _ in called(ours)]
    there = [module for module, _ in called(theirs)]  # the text's auxiliary head, if any, is called last
    joined = {id(up.convolutions[0]) for up in ours.ups} if name == "unet-shapes" else set()
    for mine, other in zip(here, there, strict=name != "fcn-resnet-em"):
        order = None
        if id(mine) in joined:  # the text joins (below, skip), we (skip, below)
            skip = mine.out_channels
            order = [*range(mine.in_channels - skip, mine.in_channels), *range(mine.in_channels - skip)]
        yield mine.weight, other.weight, order
        if other.bias is not None:
            yield mine.bias, other.bias, None


def paired_nested(ours, theirs):
    """Blocks of U-Net++ by their names; the text joins (left…, below), we (below, …left)."""
    for level in range(5):
        yield from paired_block(ours.downs[level], getattr(theirs, f"conv{level}_0"), None)
    widths = [down[0].out_channels for down in ours.downs]
    for place, node in ours.nodes.items():
        level, column = map(int, place.split("_"))
        left = [range(index * widths[level], (index + 1) * widths[level]) for index in reversed(range(column))]
        below = range(column * widths[level], column * widths[level] + widths[level + 1])
        order = [channel for part in (below, *left) for channel in part]
        yield from paired_block(node.convolutions, getattr(theirs, f"conv{place}"), order)


def paired_block(mine, other, order):
    layers = [each for each in mine if any(True for _ in each.parameters())]
    for index, (ours, theirs) in enumerate(
        zip(layers, (other.conv1, other.bn1, other.conv2, other.bn2), strict=True)
    ):
        yield ours.weight, theirs.weight, order if index == 0 else None
        yield ours.bias, theirs.bias, None


def batch_of(name, size):
    torch.manual_seed(1)
    image = torch.randn(2, 3, size, size, dtype=torch.float64)
    if KINDS[name] == "multilabel":
        return image, torch.randint(0, 2, (2, CLASSES[name], size, size))
    return image, torch.randint(0, CLASSES[name], (2, size, size))


def loss_of_text(name, theirs, image, target):
    """The loss, as the text computes it."""
    outputs = theirs(image)
    if name == "fcn-resnet-em":
        return texts.fcn_resnet50_loss(outputs, target)
    if name == "fcn-vgg-pets":
        return texts.sparse_categorical_crossentropy(outputs, target)
    if name == "unet-shapes":
        return texts.calc_loss(outputs, target.double())
    if name == "unet-cropland":
        return nn.CrossEntropyLoss()(outputs, target)
    return sum(texts.bce_dice_loss(each, target[:, None].double()) for each in outputs) / len(outputs)


def optimiser_of_text(name, theirs):
    if name == "fcn-vgg-pets":
        free = [each for part, each in theirs.named_parameters() if not part.startswith("blocks.")]
        return torch.optim.Adam(free, lr=1e-3)  # Keras adds 1e-7 to the divisor, PyTorch 1e-8
    if name == "unetpp-nuclei":
        return torch.optim.SGD(theirs.parameters(), lr=1e-3, momentum=0.9, weight_decay=1e-4, nesterov=False)
    decay = 1e-8 if name == "unet-cropland" else 0.0
    return torch.optim.Adam(theirs.parameters(), lr=1e-4, weight_decay=decay)


def heads_of(name, ours, theirs):
    """The scoring layers of U-Net++: the text's one output is the difference of our two."""
    if name != "unetpp-nuclei":
        return []
    return [(ours.outputs[str(column)], theirs.finals[column - 1]) for column in range(1, 5)]


@pytest.mark.parametrize(
    ("name", "width"),
    [
        pytest.param(name, width, marks=[pytest.mark.slow] * (width is None))
        for name in RECIPES
        for width in (4, None)
    ],
)
def test_one_training_step_is_the_texts(name, width):
    torch.manual_seed(0)
    train = request_from(with_recipe(name, {})).train
    ours, theirs = (network.train() for network in pair_of(name, width))
    pairs = list(paired(name, ours, theirs))
    freeze(ours, train, 3)
    ours, theirs = ours.double(), theirs.double()  # in place
    heads = heads_of(name, ours, theirs)
    with torch.no_grad():
        for mine, other, order in pairs:
            mine.copy_(other if order is None else other[:, order])
        for mine, other in heads:
            mine.weight[1:].copy_(other.weight), mine.bias[1:].copy_(other.bias)
            mine.weight[:1].zero_(), mine.bias[:1].zero_()
    optimiser, other_optimiser = optimiser_for(ours, train), optimiser_of_text(name, theirs)
    image, target = batch_of(name, 64)
    loss = weighted(train.loss, KINDS[name])
    torch.manual_seed(2)  # dropout draws the same in both
    value = supervised(ours.training_outputs(image), target, loss, ours.loss_weights)
    value.backward()
    torch.manual_seed(2)
    expected = loss_of_text(name, theirs, image, target)
    expected.backward()
    torch.testing.assert_close(value, expected, rtol=1e-5, atol=1e-7)
    moved = 0
    for mine, other, order in pairs:
        if mine.requires_grad:
            grad = other.grad if order is None else other.grad[:, order]
            torch.testing.assert_close(mine.grad, grad, rtol=1e-5, atol=1e-9)
            moved += 1
    assert moved >= 10
    for mine, other in heads:
        torch.testing.assert_close(mine.weight.grad[1:], other.weight.grad, rtol=1e-5, atol=1e-9)
    optimiser.step(), other_optimiser.step()
    frozen = [mine for mine, _, _ in pairs if not mine.requires_grad]
    assert len(frozen) == (2 * sum(CONVOLUTIONS[16]) if name == "fcn-vgg-pets" else 0)
    moving = {id(each) for group in other_optimiser.param_groups for each in group["params"]}
    for mine, other, order in pairs:
        decays_biases = train.weight_decay and mine.ndim == 1  # the texts' decay does, ours does not
        if id(other) in moving and not decays_biases:
            torch.testing.assert_close(mine, other if order is None else other[:, order], rtol=1e-5, atol=1e-6)


def test_lovasz_hinge_and_softmax_are_the_texts():
    torch.manual_seed(0)
    logits, target = torch.randn(2, 2, 16, 16, dtype=torch.float64), torch.randint(0, 2, (2, 16, 16))
    hinge = weighted({"lovasz_hinge": 1.0}, "multiclass")(logits, target)
    torch.testing.assert_close(hinge, texts.lovasz_hinge(logits[:, 1] - logits[:, 0], target.double()))
    softmax = weighted({"lovasz_softmax": 1.0}, "multiclass")(logits, target)
    torch.testing.assert_close(softmax, texts.lovasz_softmax(logits.softmax(1), target))
