"""VGG (Simonyan and Zisserman 2015), with torchvision's and timm's key names."""

from collections.abc import Sequence

from torch import Tensor, nn

from perpixel.models.base import Encoder

CONVOLUTIONS = {11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}
"""Convolutions in each of the five blocks, by depth of the network."""


class VGG(Encoder):
    """Five blocks of 3×3 convolutions as a feature pyramid: each block before pooling, and the last pooling.

    Args:
        convolutions: Number of convolutions in each block.
        batch_norm: Batch normalisation after each convolution.
        width: Channels of the first block; 64 in the paper. Later blocks have 2, 4, 8 and 8 times as many.
        in_channels: Channels of the image.

    Source: Simonyan, Zisserman (2015), Table 1.
    """

    def __init__(
        self,
        *,
        convolutions: Sequence[int],
        batch_norm: bool = False,
        width: int = 64,
        in_channels: int = 3,
    ) -> None:
        super().__init__()
        self.convolutions = tuple(convolutions)
        block_channels = [width * min(2**index, 8) for index in range(len(convolutions))]
        self.out_channels = (*block_channels, block_channels[-1])
        self.strides = tuple(2**index for index in range(len(self.out_channels)))
        layers: list[nn.Module] = []
        channels = in_channels
        for count, out_channels in zip(convolutions, block_channels, strict=True):
            for _ in range(count):
                layers.append(nn.Conv2d(channels, out_channels, 3, padding=1))
                if batch_norm:
                    layers.append(nn.BatchNorm2d(out_channels))
                layers.append(nn.ReLU(inplace=True))
                channels = out_channels
            layers.append(nn.MaxPool2d(2))
        self.features = nn.Sequential(*layers)

    def forward(self, image: Tensor) -> list[Tensor]:
        """Map image (N, C, H, W) to six feature maps, at strides 1, 2, 4, 8, 16 and 32."""
        x, features = image, []
        for layer in self.features:
            if isinstance(layer, nn.MaxPool2d):
                features.append(x)
            x = layer(x)
        return [*features, x]
