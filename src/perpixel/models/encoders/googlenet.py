"""GoogLeNet (Szegedy et al. 2015) with batch normalisation, with torchvision's key names."""

import torch
from torch import Tensor, nn

from perpixel.models.base import Encoder

# channels before, and of the branches: 1×1, (reduced, 3×3), (reduced, "5×5"), pooled: Szegedy et al. (2015), Table 1
_INCEPTIONS: dict[str, tuple[int, int, tuple[int, int], tuple[int, int], int]] = {
    "3a": (192, 64, (96, 128), (16, 32), 32),
    "3b": (256, 128, (128, 192), (32, 96), 64),
    "4a": (480, 192, (96, 208), (16, 48), 64),
    "4b": (512, 160, (112, 224), (24, 64), 64),
    "4c": (512, 128, (128, 256), (24, 64), 64),
    "4d": (512, 112, (144, 288), (32, 64), 64),
    "4e": (528, 256, (160, 320), (32, 128), 128),
    "5a": (832, 256, (160, 320), (32, 128), 128),
    "5b": (832, 384, (192, 384), (48, 128), 128),
}


class GoogLeNet(Encoder):
    """Nine inception modules as a feature pyramid: each feature map before it is pooled, and the last one.

    The third branch has 3×3 kernels where the paper has 5×5, as in the public weights.

    Args:
        in_channels: Channels of the image.

    Source: Szegedy et al. (2015), Table 1; batch normalisation and names as in torchvision.
    """

    mean = (0.5, 0.5, 0.5)
    std = (0.5, 0.5, 0.5)

    def __init__(self, *, in_channels: int = 3) -> None:
        super().__init__()
        self.conv1 = _Convolution(in_channels, 64, 7, stride=2)
        self.conv2 = _Convolution(64, 64, 1)
        self.conv3 = _Convolution(64, 192, 3)
        for name, branches in _INCEPTIONS.items():
            self.add_module(f"inception{name}", _Inception(*branches))
        self.pool = nn.MaxPool2d(3, stride=2, ceil_mode=True)
        self.last_pool = nn.MaxPool2d(2)
        self.out_channels = (64, 192, 480, 832, 1024)
        self.strides = (2, 4, 8, 16, 32)

    def forward(self, image: Tensor) -> list[Tensor]:
        """Map image (N, C, H, W) to five feature maps, at strides 2, 4, 8, 16 and 32."""
        features = [self.conv1(image)]
        features.append(self.conv3(self.conv2(self.pool(features[-1]))))
        for stage, pool in (("3", self.pool), ("4", self.pool), ("5", self.last_pool)):
            x = pool(features[-1])
            for name in _INCEPTIONS:
                if name.startswith(stage):
                    x = self.get_submodule(f"inception{name}")(x)
            features.append(x)
        return features


class _Convolution(nn.Module):
    """Convolution without bias, normalisation, rectifier."""

    def __init__(self, channels: int, out_channels: int, kernel: int, *, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, out_channels, kernel, stride, kernel // 2, bias=False)
        self.bn = nn.BatchNorm2d(out_channels, eps=1e-3)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.bn(self.conv(x)).relu()
        return out


class _Inception(nn.Module):
    """Four branches side by side, concatenated."""

    def __init__(
        self, channels: int, single: int, three: tuple[int, int], five: tuple[int, int], pooled: int
    ) -> None:
        super().__init__()
        self.branch1 = _Convolution(channels, single, 1)
        self.branch2 = nn.Sequential(_Convolution(channels, three[0], 1), _Convolution(*three, 3))
        self.branch3 = nn.Sequential(_Convolution(channels, five[0], 1), _Convolution(*five, 3))
        self.branch4 = nn.Sequential(nn.MaxPool2d(3, stride=1, padding=1), _Convolution(channels, pooled, 1))

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([self.branch1(x), self.branch2(x), self.branch3(x), self.branch4(x)], dim=1)
