import torch
from torch import nn

from perpixel.models import build


def test_on_vgg16_it_doubles_through_512_512_256_and_128_channels_and_adds_blocks_5_4_and_3():
    with torch.device("meta"):
        model = build("fcn_tutorial", in_channels=3, classes=7)
    convolutions = [module for module in (*model.ups, model.head) if isinstance(module, nn.ConvTranspose2d)]
    assert [layer.out_channels for layer in convolutions] == [512, 512, 256, 128, 7]
    assert all(layer.kernel_size == (3, 3) and layer.stride == (2, 2) for layer in convolutions)
    assert model.skip_levels == [4, 3, 2, None]
