import pytest
import torch
import torch.nn.functional as F

from perpixel.errors import SettingsError
from perpixel.models import build
from perpixel.models.segnet import unpool


def test_values_go_back_where_the_maxima_lay():
    before = torch.randint(0, 3, (2, 3, 8, 12)).double()  # with many equal maxima
    pooled, places = F.max_pool2d(before, 2, return_indices=True)
    values = torch.rand_like(pooled)
    assert torch.equal(unpool(values, before), F.max_unpool2d(values, places, 2))


def test_gradients_go_to_the_pooled_values_alone():
    before = torch.rand(1, 2, 4, 4, dtype=torch.double, requires_grad=True)
    values = torch.rand(1, 2, 2, 2, dtype=torch.double, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: unpool(x, before.detach()), values)
    unpool(values, before).sum().backward()
    assert before.grad is None


def test_the_decoder_mirrors_the_thirteen_convolutions_of_vgg16():
    with torch.device("meta"):
        network = build("segnet", in_channels=3, classes=2)
    shapes = [tuple(each.shape) for each in network.state_dict().values() if each.ndim == 4]
    encoder, decoder = shapes[:13], shapes[13:]
    mirrored = [(inputs, outputs, 3, 3) for outputs, inputs, *_ in reversed(encoder)]
    assert decoder[:-1] == mirrored[:-1]
    assert decoder[-1] == (2, 64, 3, 3)


def test_an_encoder_that_does_not_pool_is_refused():
    with pytest.raises(SettingsError, match=r"does not have\.\nFix: choose a VGG as encoder"):
        build("segnet", in_channels=3, classes=2, encoder="resnet18")
