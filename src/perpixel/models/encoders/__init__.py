"""Encoders: the part of a network that looks at the image, with public ImageNet weights.

perpixel's own are small files that load fast; every other name is asked of timm.
"""

from collections.abc import Callable
from functools import partial
from typing import Final

from perpixel.models.base import Encoder
from perpixel.models.encoders.alexnet import AlexNet
from perpixel.models.encoders.efficientnet_lite import EfficientNetLite
from perpixel.models.encoders.googlenet import GoogLeNet
from perpixel.models.encoders.resnet import ResNet
from perpixel.models.encoders.vgg import CONVOLUTIONS, VGG

ENCODERS: Final[dict[str, Callable[..., Encoder]]] = {
    "efficientnet_lite0": EfficientNetLite,
    "efficientnet_lite1": partial(EfficientNetLite, width=1.0, depth=1.1),
    "efficientnet_lite2": partial(EfficientNetLite, width=1.1, depth=1.2),
    "alexnet": AlexNet,
    "googlenet": GoogLeNet,
    "resnet18": partial(ResNet, layers=(2, 2, 2, 2), bottleneck=False),
    "resnet34": partial(ResNet, layers=(3, 4, 6, 3), bottleneck=False),
    "resnet50": partial(ResNet, layers=(3, 4, 6, 3), bottleneck=True),
    "resnet101": partial(ResNet, layers=(3, 4, 23, 3), bottleneck=True),
    "resnet152": partial(ResNet, layers=(3, 8, 36, 3), bottleneck=True),
    "vgg11": partial(VGG, convolutions=CONVOLUTIONS[11]),
    "vgg13": partial(VGG, convolutions=CONVOLUTIONS[13]),
    "vgg16": partial(VGG, convolutions=CONVOLUTIONS[16]),
    "vgg19": partial(VGG, convolutions=CONVOLUTIONS[19]),
    "vgg11_bn": partial(VGG, convolutions=CONVOLUTIONS[11], batch_norm=True),
    "vgg13_bn": partial(VGG, convolutions=CONVOLUTIONS[13], batch_norm=True),
    "vgg16_bn": partial(VGG, convolutions=CONVOLUTIONS[16], batch_norm=True),
    "vgg19_bn": partial(VGG, convolutions=CONVOLUTIONS[19], batch_norm=True),
}
"""The encoders of perpixel, each a function of `in_channels`."""
