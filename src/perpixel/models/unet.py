"""U-Net (Ronneberger, Fischer, Brox 2015)."""

from typing import get_args

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from perpixel.models.base import SegmentationModel, crop
from perpixel.models.blocks import (
    ConvolutionStyle,
    Upsample,
    Upsampling,
    check_at_least,
    check_choice,
    double_convolution,
    initialise,
)


class UNet(SegmentationModel):
    """Contracting path, expanding path, and a skip connection at every level. Ronneberger et al. (2015), Figure 1.

    Args:
        in_channels: Channels C of the image.
        classes: Classes K.
        width: Channels of the first level; each level below has twice as many. 64 in the paper.
        depth: Number of 2×2 poolings. 4 in the paper.
        upsampling: "transposed" for the paper's 2×2 up-convolution that halves the channels; the others
            have no parameters and leave the channels to the next convolution.
        style: Of the 3×3 convolutions. The paper's has norm "none" and padding "valid": then the image is mirrored
            at its borders so that logits still cover it, as in its Figure 2, and `bare` is its bare network.

    Source: Ronneberger, Fischer, Brox (2015), section 2.
    """

    def __init__(
        self,
        *,
        in_channels: int,
        classes: int,
        width: int = 64,
        depth: int = 4,
        upsampling: Upsampling = "transposed",
        style: ConvolutionStyle | None = None,
    ) -> None:
        check_at_least("width", width, 1)
        check_at_least("depth", depth, 1)
        check_choice("upsampling", upsampling, get_args(Upsampling))
        super().__init__(stride=2**depth)
        style = style or ConvolutionStyle()
        self.depth, self.valid = depth, style.padding == "valid"
        widths = [width * 2**level for level in range(depth + 1)]
        self.first = double_convolution(in_channels, width, style)
        self.downs = nn.ModuleList(double_convolution(c, 2 * c, style) for c in widths[:-1])
        self.ups = nn.ModuleList(_Up(2 * c, c, upsampling, style) for c in reversed(widths[:-1]))
        self.head = nn.Conv2d(width, classes, 1)
        initialise(self)

    def forward(self, image: Tensor) -> Tensor:
        """Map image (N, C, H, W) to logits (N, K, H, W), for any H, W ≥ 1."""
        if not self.valid:
            return super().forward(image)
        height, width = image.shape[-2:]
        logits = self.bare(_mirror(image, self.depth))
        return crop(logits, logits.shape[-2] - height, logits.shape[-1] - width)

    def training_outputs(self, image: Tensor) -> dict[str, Tensor]:
        """Map image (N, C, H, W) to {"logits": (N, K, H, W)}."""
        return {"logits": self(image)}

    def heads(self, image: Tensor) -> dict[str, Tensor]:
        """Map a padded image to its one head."""
        return {"logits": self.bare(image)}

    def bare(self, image: Tensor) -> Tensor:
        """The bare network: sides must be multiples of 2**depth or, for "valid", even before each pooling."""
        x = self.first(image)
        skips = []
        for down in self.downs:
            skips.append(x)
            x = down(F.max_pool2d(x, 2))
        for up in self.ups:
            x = up(x, skips.pop())
        logits: Tensor = self.head(x)
        return logits


class _Up(nn.Module):
    """Upsample, join the skip of that level, convolve twice."""

    def __init__(self, channels: int, out_channels: int, upsampling: Upsampling, style: ConvolutionStyle) -> None:
        super().__init__()
        self.upsample: nn.Module
        if upsampling == "transposed":
            self.upsample = nn.ConvTranspose2d(channels, out_channels, 2, stride=2)
            channels = out_channels
        else:
            self.upsample = Upsample(upsampling)
        self.convolutions = double_convolution(channels + out_channels, out_channels, style)

    def forward(self, x: Tensor, skip: Tensor) -> Tensor:
        x = self.upsample(x)
        out: Tensor = self.convolutions(torch.cat([_centre(skip, x), x], dim=1))
        return out


def _centre(skip: Tensor, like: Tensor) -> Tensor:
    """Crop a skip to the middle that unpadded convolutions have left."""
    rows, columns = ((a - b) // 2 for a, b in zip(skip.shape[-2:], like.shape[-2:], strict=True))
    if not (rows or columns):
        return skip
    return skip[..., rows : rows + like.shape[-2], columns : columns + like.shape[-1]]


def valid_margins(size: int, depth: int = 4) -> tuple[int, int]:
    """Pixels to add before and after a side so that unpadded convolutions give logits for all of it.

    >>> valid_margins(388)
    (92, 92)
    """
    factor = 1 << depth
    before = 6 * factor - 4
    return before, _bottom(size, factor) * factor + 4 * (factor - 1) - size - before


def _bottom(size: int, factor: int) -> int:
    """The least side at the deepest level that leaves `size` pixels of logits."""
    return (size + 4 * (factor - 1) + factor - 1) // factor + 4


def _mirror(image: Tensor, depth: int) -> Tensor:
    """Extend an image by its mirrored self, as often as it takes. Ronneberger et al. (2015), Figure 2."""
    for axis in (-2, -1):
        size = image.shape[axis]
        before, after = valid_margins(size, depth)
        place = torch.arange(-before, size + after, device=image.device)
        period = 2 * size - 2 + (size == 1)
        place = place.remainder(period)
        image = image.index_select(axis, torch.minimum(place, period - place).clamp(max=size - 1))
    return image
