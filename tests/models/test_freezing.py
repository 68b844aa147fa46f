import pytest
import torch

from perpixel.errors import SettingsError
from perpixel.models import build
from perpixel.models.freezing import freeze_stages, freeze_statistics


def network_on(encoder, name="unet", channels=3):
    return build(name, encoder=encoder, in_channels=channels, classes=2).train()


@pytest.mark.parametrize(
    ("name", "encoder"),
    [
        ("unet", "efficientnet_lite0"),
        ("unet", "resnet18"),
        ("unet", "vgg11"),
        ("unet", "googlenet"),
        ("smp/unet", "resnet18"),
    ],
)
@pytest.mark.parametrize("stages", [0, 1, 3])
def test_no_gradient_reaches_the_first_stages_and_each_later_one_learns(name, encoder, stages):
    network = network_on(encoder, name, channels=2)
    freeze_stages(network, stages, 2)
    assert network.encoder.training
    image = torch.randn(2, 2, 64, 64)
    maps = [each for each in network.encoder(image) if not torch.equal(each, image)]  # smp's gives the image, too
    assert [each.requires_grad for each in maps] == [False] * stages + [True] * (len(maps) - stages)
    sum(each.sum() for each in maps[stages:]).backward()
    for parameter in network.encoder.parameters():
        assert parameter.requires_grad == (parameter.grad is not None)


def test_a_network_without_an_encoder_has_no_stages_to_freeze():
    network = build("unet", in_channels=1, classes=2, width=2, depth=1)
    freeze_stages(network, 0, 1)
    assert all(parameter.requires_grad for parameter in network.parameters())
    with pytest.raises(SettingsError, match="and there is none"):
        freeze_stages(network, 3, 1)


def test_more_stages_than_an_encoder_has_are_refused():
    with pytest.raises(SettingsError, match=r"train.frozen_stages = 6 is more .* has: 5[\s\S]*Fix: give at most 5"):
        freeze_stages(network_on("resnet18"), 6, 3)


@pytest.mark.parametrize("of_all", [True, False])
def test_frozen_stages_keep_their_statistics(of_all):
    network = network_on("resnet18")
    freeze_stages(network, 2, 3)
    freeze_statistics(network.encoder, of_all=of_all)
    before = {name: tensor.clone() for name, tensor in network.encoder.state_dict().items()}
    network.encoder(torch.randn(2, 3, 64, 64))
    after = network.encoder.state_dict()
    moved = {name.split(".")[0] for name, tensor in before.items() if not torch.equal(tensor, after[name])}
    assert moved == (set() if of_all else {"layer2", "layer3", "layer4"})
