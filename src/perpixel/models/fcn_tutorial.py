"""The FCN that tutorials build on VGG16: transposed convolutions with the encoder's own widths, skips added."""

from torch import Tensor, nn

from perpixel.models.base import Encoder, SegmentationModel, check_halving
from perpixel.models.blocks import initialise


class TutorialFCN(SegmentationModel):
    """Double the size by 3×3 transposed convolutions and add the encoder's features of that size.

    On VGG16 these are 512, 512, 256 and 128 channels; block5, block4 and block3 are added.

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
            self.ups.append(_transposed(channels, out_channels))
            self.skip_levels.append(encoder.strides.index(stride) if skip else None)
            channels = out_channels
        self.head = _transposed(channels, classes)
        for module in (self.ups, self.head):
            initialise(module)

    def heads(self, image: Tensor) -> dict[str, Tensor]:
        """Map a padded image to its one head."""
        features = self.encoder(image)
        x = features[-1]
        for up, level in zip(self.ups, self.skip_levels, strict=True):
            x = up(x).relu()
            if level is not None:
                x = x + features[level]
        return {"logits": self.head(x)}


def _transposed(channels: int, out_channels: int) -> nn.ConvTranspose2d:
    return nn.ConvTranspose2d(channels, out_channels, 3, stride=2, padding=1, output_padding=1)
