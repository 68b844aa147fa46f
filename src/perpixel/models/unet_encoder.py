"""U-Net on an encoder that has seen ImageNet, with a light and a full decoder."""

from collections.abc import Sequence
from typing import Literal, get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from perpixel.models.base import Encoder, SegmentationModel, check_halving
from perpixel.models.blocks import (
    ConvolutionStyle,
    check_choice,
    convolution,
    double_convolution,
    initialise,
    separable_convolution,
)

Decoder = Literal["light", "full"]

FULL_CHANNELS = (256, 128, 64, 32, 16)
LIGHT_CHANNELS = (128, 64, 48, 32)


class EncoderUNet(SegmentationModel):
    """The contracting path is an encoder; the expanding path joins its feature maps, coarse to fine.

    "full" decodes down to every pixel: at each stride nearest upsampling, the skip, two 3×3 convolutions. It is
    the decoder of segmentation_models.pytorch's `Unet` (without its optional attention), which joins nothing
    at stride 1 unless the encoder has a map there.

    "light" has one convolution at each stride and ends at stride 2, where it joins the pixels themselves,
    folded two by two into channels, and unfolds its logits in the same way: a fraction of the cost, and
    the finest detail still reaches the output. Its last convolution, which alone would last a third of a training
    step, is depthwise separable: a 3×3 filter of each channel, then a 1×1.

    Args:
        encoder: The feature pyramid.
        in_channels: Channels C of the image.
        classes: Classes K.
        decoder: "light" or "full".

    Source: Ronneberger et al. (2015); sub-pixel convolution: Shi et al. (2016), section 3; depthwise separable
    convolution: Howard et al. (2017), section 3.1.
    """

    encoder: Encoder

    def __init__(self, *, encoder: Encoder, in_channels: int, classes: int, decoder: Decoder = "light") -> None:
        super().__init__(stride=encoder.strides[-1])
        check_halving(encoder)
        check_choice("decoder", decoder, get_args(Decoder))
        self.encoder = encoder
        self.light = decoder == "light"
        skips = dict(zip(encoder.strides, encoder.out_channels, strict=True))
        channels, stride = encoder.out_channels[-1], encoder.strides[-1]
        if self.light:
            skips[2] = skips.get(2, 0) + 4 * in_channels
        self.ups = nn.ModuleList()
        for out_channels in _channels(LIGHT_CHANNELS if self.light else FULL_CHANNELS, stride):
            stride //= 2
            joined = channels + skips.get(stride, 0)
            self.ups.append(_Up(_light(joined, out_channels, stride) if self.light else _full(joined, out_channels)))
            channels = out_channels
        self.head = nn.Conv2d(channels, 4 * classes if self.light else classes, 3, padding=1)
        for module in (self.ups, self.head):
            initialise(module)

    def heads(self, image: Tensor) -> dict[str, Tensor]:
        """Map a padded image to its one head."""
        skips = dict(zip(self.encoder.strides, ([x] for x in self.encoder(image)), strict=True))
        (x,) = skips.pop(self.encoder.strides[-1])
        if self.light:
            skips.setdefault(2, []).append(F.pixel_unshuffle(image, 2))
        stride = self.stride
        for up in self.ups:
            stride //= 2
            x = up(x, skips.get(stride, []))
        logits = self.head(x)
        return {"logits": F.pixel_shuffle(logits, 2) if self.light else logits}


class _Up(nn.Module):
    """Nearest upsampling, the skips of that stride, then convolutions."""

    def __init__(self, convolutions: nn.Sequential) -> None:
        super().__init__()
        self.convolutions = convolutions

    def forward(self, x: Tensor, skips: Sequence[Tensor]) -> Tensor:
        x = F.interpolate(x, scale_factor=2, mode="nearest")
        out: Tensor = self.convolutions(torch.cat([x, *skips], dim=1) if skips else x)
        return out


def _full(channels: int, out_channels: int) -> nn.Sequential:
    return double_convolution(channels, out_channels, ConvolutionStyle())


def _light(channels: int, out_channels: int, stride: int) -> nn.Sequential:
    if stride == 2:
        return separable_convolution(channels, out_channels)
    return convolution(channels, out_channels, ConvolutionStyle())


def _channels(widths: Sequence[int], stride: int) -> Sequence[int]:
    """The last of the decoder's widths, one for each halving of the stride.

    >>> _channels((256, 128, 64, 32, 16), 8)
    (64, 32, 16)
    """
    halvings = stride.bit_length() - 1 - (widths is LIGHT_CHANNELS)
    return widths[-halvings:]
