"""ResNet (He et al. 2016), with torchvision's and timm's key names."""

from collections.abc import Sequence
from typing import Literal

from torch import Tensor, nn

from perpixel.models.base import Encoder


class ResNet(Encoder):
    """Residual network as a feature pyramid: the stem at stride 2, then four stages.

    The stride of a bottleneck lies in its 3×3 convolution, as in torchvision and timm ("v1.5").

    Args:
        layers: Number of blocks in each of the four stages.
        bottleneck: Three convolutions a block (ResNet-50 and deeper) instead of two.
        width: Channels of the stem; 64 in the paper.
        output_stride: Stride of the last stage. 16 and 8 replace the strides of the last stages by dilation.
        in_channels: Channels of the image.

    Source: He, Zhang, Ren, Sun (2016), Table 1; dilation as in Yu, Koltun (2016) and torchvision.
    """

    def __init__(
        self,
        *,
        layers: Sequence[int],
        bottleneck: bool,
        width: int = 64,
        output_stride: Literal[8, 16, 32] = 32,
        in_channels: int = 3,
    ) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, width, 7, stride=2, padding=3, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.relu = nn.ReLU(inplace=True)
        self.maxpool = nn.MaxPool2d(3, stride=2, padding=1)
        channels, stride, dilation = width, 4, 1
        self.out_channels, self.strides = (width,), (2,)
        for index, blocks in enumerate(layers):
            step, first_dilation = (2 if index else 1), dilation
            if stride * step > output_stride:
                step, dilation = 1, dilation * 2
            stride *= step
            stage_width = width * 2**index
            block = _Bottleneck if bottleneck else _Basic
            first = block(channels, stage_width, stride=step, dilation=first_dilation)
            channels = first.out_channels
            rest = [block(channels, stage_width, dilation=dilation) for _ in range(blocks - 1)]
            self.add_module(f"layer{index + 1}", nn.Sequential(first, *rest))
            self.out_channels += (channels,)
            self.strides += (stride,)

    def forward(self, image: Tensor) -> list[Tensor]:
        """Map image (N, C, H, W) to five feature maps, at strides 2, 4, 8, 16, 32 unless dilated."""
        x = self.relu(self.bn1(self.conv1(image)))
        features = [x]
        x = self.maxpool(x)
        for index in range(1, 5):
            x = self.get_submodule(f"layer{index}")(x)
            features.append(x)
        return features


class _Residual(nn.Module):
    """What both blocks share: the shortcut, added before the last activation."""

    expansion: int

    def __init__(self, channels: int, width: int, stride: int) -> None:
        super().__init__()
        self.out_channels = width * self.expansion
        self.relu = nn.ReLU(inplace=True)
        self.downsample: nn.Module = nn.Identity()
        if stride != 1 or channels != self.out_channels:
            self.downsample = nn.Sequential(
                nn.Conv2d(channels, self.out_channels, 1, stride=stride, bias=False),
                nn.BatchNorm2d(self.out_channels),
            )

    def forward(self, x: Tensor) -> Tensor:
        out = self.residual(x)
        out += self.downsample(x)
        activated: Tensor = self.relu(out)
        return activated

    def residual(self, x: Tensor) -> Tensor:
        raise NotImplementedError


class _Basic(_Residual):
    expansion = 1

    def __init__(self, channels: int, width: int, *, stride: int = 1, dilation: int = 1) -> None:
        super().__init__(channels, width, stride)
        self.conv1 = _convolution(channels, width, stride=stride, dilation=dilation)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = _convolution(width, width, dilation=dilation)
        self.bn2 = nn.BatchNorm2d(width)

    def residual(self, x: Tensor) -> Tensor:
        out: Tensor = self.bn2(self.conv2(self.relu(self.bn1(self.conv1(x)))))
        return out


class _Bottleneck(_Residual):
    expansion = 4

    def __init__(self, channels: int, width: int, *, stride: int = 1, dilation: int = 1) -> None:
        super().__init__(channels, width, stride)
        self.conv1 = nn.Conv2d(channels, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = _convolution(width, width, stride=stride, dilation=dilation)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, self.out_channels, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(self.out_channels)

    def residual(self, x: Tensor) -> Tensor:
        x = self.relu(self.bn1(self.conv1(x)))
        x = self.relu(self.bn2(self.conv2(x)))
        out: Tensor = self.bn3(self.conv3(x))
        return out


def _convolution(channels: int, out_channels: int, *, stride: int = 1, dilation: int = 1) -> nn.Conv2d:
    return nn.Conv2d(channels, out_channels, 3, stride=stride, padding=dilation, dilation=dilation, bias=False)
