"""EfficientNet-lite 0 to 2 (Tan and Le 2019; lite: no squeeze-excitation, ReLU6), with timm's key names."""

import math

import torch.nn.functional as F
from torch import Tensor, nn

from perpixel.models.base import Encoder
from perpixel.models.blocks import normalised

# kernel, stride, expansion, channels, blocks of each of the seven stages: Tan and Le (2019), Table 1
STAGES = (
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 4),
    (3, 1, 6, 320, 1),
)
_PYRAMID = (0, 1, 2, 4, 6)  # the last stage of each stride: 2, 4, 8, 16, 32


class EfficientNetLite(Encoder):
    """Inverted bottlenecks as a feature pyramid of five maps.

    Borders are padded as TensorFlow does ("SAME": the odd pixel below and right), as its public weights expect.

    Args:
        width: Factor of the channels, rounded to multiples of eight.
        depth: Factor of the number of blocks, rounded up; the first and last stage keep one.
        in_channels: Channels of the image.

    Source: Tan, Le (2019); the lite variants, tensorflow/tpu, models/official/efficientnet/lite.
    """

    mean = (0.5, 0.5, 0.5)
    std = (0.5, 0.5, 0.5)

    def __init__(self, *, width: float = 1.0, depth: float = 1.0, in_channels: int = 3) -> None:
        super().__init__()
        stem_channels = 32  # not scaled in the lite variants
        self.conv_stem = _SameConv2d(in_channels, stem_channels, 3, stride=2)
        self.bn1 = _batch_norm(stem_channels)
        self.act1 = nn.ReLU6(inplace=True)
        stages, channels, ends = [], stem_channels, []
        for index, (kernel, stride, expansion, base, count) in enumerate(STAGES):
            out_channels = _round_to_eight(base * width)
            outer = index in (0, len(STAGES) - 1)
            blocks: list[nn.Module] = []
            for number in range(count if outer else math.ceil(count * depth)):
                step = stride if number == 0 else 1
                blocks.append(_InvertedResidual(channels, out_channels, kernel, step, expansion))
                channels = out_channels
            stages.append(nn.Sequential(*blocks))
            ends.append(channels)
        self.blocks = nn.Sequential(*stages)
        self.out_channels = tuple(ends[index] for index in _PYRAMID)
        self.strides = (2, 4, 8, 16, 32)

    def forward(self, image: Tensor) -> list[Tensor]:
        """Map image (N, C, H, W) to five feature maps, at strides 2, 4, 8, 16 and 32."""
        x = self.act1(normalised(self.conv_stem, self.bn1, image))
        features = []
        for index, stage in enumerate(self.blocks):
            x = stage(x)
            if index in _PYRAMID:
                features.append(x)
        return features


class _InvertedResidual(nn.Module):
    """Expand by a 1×1, filter each channel, project by a 1×1; a shortcut where the shape stays."""

    def __init__(self, channels: int, out_channels: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        middle = channels * expansion
        self.shortcut = stride == 1 and channels == out_channels
        self.expands = expansion != 1
        self.act = nn.ReLU6(inplace=True)
        depthwise = _SameConv2d(middle, middle, kernel, stride=stride, groups=middle)
        if self.expands:
            self.conv_pw = nn.Conv2d(channels, middle, 1, bias=False)
            self.bn1 = _batch_norm(middle)
            self.conv_dw = depthwise
            self.bn2 = _batch_norm(middle)
            self.conv_pwl = nn.Conv2d(middle, out_channels, 1, bias=False)
            self.bn3 = _batch_norm(out_channels)
        else:  # timm names the layers of a block without expansion otherwise
            self.conv_dw = depthwise
            self.bn1 = _batch_norm(middle)
            self.conv_pw = nn.Conv2d(middle, out_channels, 1, bias=False)
            self.bn2 = _batch_norm(out_channels)

    def forward(self, x: Tensor) -> Tensor:
        if self.expands:
            out: Tensor = self.act(normalised(self.conv_pw, self.bn1, x))
            out = self.act(normalised(self.conv_dw, self.bn2, out))
            out = normalised(self.conv_pwl, self.bn3, out)
        else:
            out = self.act(normalised(self.conv_dw, self.bn1, x))
            out = normalised(self.conv_pw, self.bn2, out)
        if self.shortcut:
            out += x
        return out


class _SameConv2d(nn.Conv2d):
    """Convolution without bias, padded as TensorFlow pads even sizes: at stride 2 one pixel more on the right.

    Padding the input costs a copy of it; dropping the first row and column of a wider output instead leaves a view
    which batch norm copies forth and back, at twice the time of the whole block.
    """

    def __init__(self, channels: int, out_channels: int, kernel: int, *, stride: int, groups: int = 1) -> None:
        even = stride == 2
        super().__init__(
            channels, out_channels, kernel, stride, 0 if even else kernel // 2, groups=groups, bias=False
        )
        self.margin = (kernel // 2 - 1, kernel // 2) * 2 if even else None

    def _conv_forward(self, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        out: Tensor = super()._conv_forward(F.pad(x, self.margin) if self.margin else x, weight, bias)
        return out


def _batch_norm(channels: int) -> nn.BatchNorm2d:
    """The authors' epsilon; their momentum of 0.01 would need hundreds of steps to forget ImageNet's statistics."""
    return nn.BatchNorm2d(channels, eps=1e-3)


def _round_to_eight(channels: float) -> int:
    rounded = max(8, int(channels + 4) // 8 * 8)
    return rounded + 8 if rounded < 0.9 * channels else rounded
