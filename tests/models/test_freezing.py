import pytest
import torch

from perpixel.errors import SettingsError
from perpixel.models import build_encoder
from perpixel.models.freezing import freeze_stages, freeze_statistics


@pytest.mark.parametrize("name", ["efficientnet_lite0", "resnet18", "vgg11", "googlenet"])
@pytest.mark.parametrize("stages", [0, 1, 3])
def test_no_gradient_reaches_the_first_stages_and_each_later_one_learns(name, stages):
    encoder = build_encoder(name, in_channels=2, weights="none").train()
    freeze_stages(encoder, stages, 2)
    assert encoder.training
    maps = encoder(torch.randn(2, 2, 64, 64))
    assert [each.requires_grad for each in maps] == [False] * stages + [True] * (len(maps) - stages)
    sum(each.sum() for each in maps[stages:]).backward()
    for parameter in encoder.parameters():
        assert parameter.requires_grad == (parameter.grad is not None)


def test_more_stages_than_an_encoder_has_are_refused():
    encoder = build_encoder("resnet18", in_channels=3, weights="none")
    with pytest.raises(SettingsError, match=r"train.frozen_stages = 6 is more .* has: 5[\s\S]*Fix: give at most 5"):
        freeze_stages(encoder, 6, 3)


@pytest.mark.parametrize("of_all", [True, False])
def test_frozen_stages_keep_their_statistics(of_all):
    encoder = build_encoder("resnet18", in_channels=3, weights="none").train()
    freeze_stages(encoder, 2, 3)
    freeze_statistics(encoder, of_all=of_all)
    before = {name: tensor.clone() for name, tensor in encoder.state_dict().items()}
    encoder(torch.randn(2, 3, 64, 64))
    kept = {name.split(".")[0] for name, tensor in encoder.state_dict().items() if torch.equal(tensor, before[name])}
    moved = {
        name.split(".")[0] for name, tensor in encoder.state_dict().items() if not torch.equal(tensor, before[name])
    }
    assert {"conv1", "bn1", "layer1"} <= kept - moved
    assert moved == (set() if of_all else {"layer2", "layer3", "layer4"})
