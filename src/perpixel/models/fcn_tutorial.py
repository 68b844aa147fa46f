"""The FCN that tutorials build on VGG16: transposed convolutions with the encoder's own widths, skips added."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from perpixel.models.base import Encoder, SegmentationModel, check_halving

_CONVOLVED_AT = (16, 4, 2)
"""The strides, in pixels, at which a 3×3 convolution follows the transposed one; at 8 the text has none."""


class TutorialFCN(SegmentationModel):
    """Double the size by 3×3 transposed convolutions, convolve, and add the encoder's features of that size.

    On VGG16 these are 512, 512, 256 and 128 channels; block5, block4 and block3 are added. With three classes the
    network has 24,010,179 parameters. Weights start as in Keras: Glorot's uniform distribution, biases zero.

    Args:
        encoder: A feature pyramid with strides 4, 8, 16 and 32.
        classes: Classes K.
    """

    encoder: Encoder

    def __init__(self, *, encoder: Encoder, classes: int) -> None:
        super().__init__(stride=encoder.strides[-1])
        check_halving(encoder)
        self.encoder = encoder
        channels, stride = encoder.out_channels[-1], encoder.strides[-1]
        widths = dict(zip(encoder.strides, encoder.out_channels, strict=True))
        self.ups = nn.ModuleList()
        self.skip_levels: list[int | None] = []
        while stride > 2:
            stride //= 2
            skip = stride in widths and stride >= 4
            out_channels = widths[stride] if skip else max(1, channels // 2)
            self.ups.append(_Doubling(channels, out_channels, convolved=stride in _CONVOLVED_AT))
            self.skip_levels.append(encoder.strides.index(stride) if skip else None)
            channels = out_channels
        self.head = _SameTransposed(channels, classes)
        for parameter in (*self.ups.parameters(), *self.head.parameters()):
            nn.init.xavier_uniform_(parameter) if parameter.ndim > 1 else nn.init.zeros_(parameter)

    def heads(self, image: Tensor) -> dict[str, Tensor]:
        """Map a padded image to its one head."""
        features = self.encoder(image)
        x = features[-1]
        for up, level in zip(self.ups, self.skip_levels, strict=True):
            x = up(x)
            if level is not None:
                x = x + features[level]
        return {"logits": self.head(x)}


class _SameTransposed(nn.Module):
    """Keras' Conv2DTranspose(n, 3, strides=2, padding="same"): (N, C, H, W) to (N, n, 2H, 2W).

    PyTorch's padding of 1 with an output padding of 1 crops the first row and column of what the kernels write;
    Keras crops the last ones.
    """

    def __init__(self, channels: int, out_channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(channels, out_channels, 3, 3))
        self.bias = nn.Parameter(torch.zeros(out_channels))

    def forward(self, x: Tensor) -> Tensor:
        return F.conv_transpose2d(x, self.weight, self.bias, stride=2)[..., :-1, :-1]


class _Doubling(nn.Module):
    """Double the size by a transposed convolution, and convolve once more where the text does."""

    def __init__(self, channels: int, out_channels: int, *, convolved: bool) -> None:
        super().__init__()
        self.transposed = _SameTransposed(channels, out_channels)
        self.convolution = nn.Conv2d(out_channels, out_channels, 3, padding=1) if convolved else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.convolution(self.transposed(x).relu()).relu()
        return out
