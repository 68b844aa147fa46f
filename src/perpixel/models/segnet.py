"""SegNet (Badrinarayanan, Kendall, Cipolla 2017): a decoder that unpools by the places of the encoder's maxima."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from perpixel.errors import SettingsError
from perpixel.models.base import Encoder, SegmentationModel
from perpixel.models.blocks import ConvolutionStyle, convolution, initialise
from perpixel.models.encoders.vgg import VGG

_STYLE = ConvolutionStyle(norm="batch", bias=True)


class SegNet(SegmentationModel):
    """VGG mirrored: each block of the decoder unpools, and has as many convolutions as that of the encoder.

    Args:
        encoder: VGG, whose 2×2 poolings say where a maximum lay.
        classes: Classes K.

    Raises:
        SettingsError: The encoder is no VGG.

    Source: Badrinarayanan, Kendall, Cipolla (2017), section 3 and Figure 2.
    """

    encoder: VGG

    def __init__(self, *, encoder: Encoder, classes: int) -> None:
        super().__init__(stride=encoder.strides[-1])
        if not isinstance(encoder, VGG):
            raise SettingsError(
                f"segnet unpools by the places of 2×2 maxima, which {type(encoder).__name__} does not have.",
                fix="choose a VGG as encoder, vgg16_bn for example, or the network unet, which takes any.",
            )
        self.encoder = encoder
        widths = encoder.out_channels[:-1]
        self.blocks = nn.ModuleList()
        for level in reversed(range(len(widths))):
            width, count = widths[level], encoder.convolutions[level]
            layers = [convolution(width, width, _STYLE) for _ in range(count - 1)]
            if level:
                layers.append(convolution(width, widths[level - 1], _STYLE))
            self.blocks.append(nn.Sequential(*layers))
        self.head = nn.Conv2d(widths[0], classes, 3, padding=1)
        initialise(self.blocks)
        initialise(self.head)

    def heads(self, image: Tensor) -> dict[str, Tensor]:
        """Map a padded image to its one head."""
        *unpooled, x = self.encoder(image)
        for block, feature in zip(self.blocks, reversed(unpooled), strict=True):
            x = block(unpool(x, feature))
        return {"logits": self.head(x)}


def unpool(x: Tensor, before: Tensor) -> Tensor:
    """Put each value where the maximum of its 2×2 pixels lay, and zero elsewhere.

    The same as `F.max_unpool2d` with the places of `F.max_pool2d`, in operators that every runtime knows.

    Args:
        x: (N, C, h, w), values of pooled pixels.
        before: (N, C, 2h, 2w), what was pooled; of equal maxima the first counts.
    """
    n, c, h, w = x.shape
    place = F.pixel_unshuffle(before, 2).view(n, c, 4, h, w).argmax(2, keepdim=True)
    is_there = place == torch.arange(4, device=x.device).view(4, 1, 1)
    return F.pixel_shuffle((x.unsqueeze(2) * is_there).view(n, 4 * c, h, w), 2)
