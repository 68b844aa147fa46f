"""What the quick learner sees of a pixel: filters of the image at six scales, and a frozen encoder's feature maps.

The filters are those that pixel classifiers use: smoothed colours, the strength of edges, and the eigenvalues of the
Hessian. Coarse ones are computed and kept at a coarse resolution.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from perpixel.models import ENCODERS
from perpixel.models.base import Encoder
from perpixel.models.weights import load_encoder_weights

ENCODER: Final = "efficientnet_lite0"

SIGMAS: Final = ((0.5, 1.0), (1.0, 2.0), (2.0, 4.0))
"""Of the filters at full, half and quarter resolution, in pixels of that resolution."""

COLOURS: Final = 3
FILTERS: Final = COLOURS + 3
"""Feature maps that a scale gives: the colours, the gradient, two eigenvalues."""

ENCODER_MAPS: Final = 4
"""Feature maps of the encoder that are used, the finest first: strides 2 to 16."""

FINE_MAPS: Final = 2
"""How many of these are local: strides 2 and 4."""


@dataclass(frozen=True)
class Maps:
    """The features of a block.

    Args:
        levels: Each (1, C_i, H / 2^i, W / 2^i) float16, of the block with its margin.
        inside: Where the block lies in the pixels of the first.
        means: (D,) of the features of all levels in their order, those of the encoder; 0 for the filters.
    """

    levels: tuple[Tensor, ...]
    inside: tuple[slice, slice]
    means: Tensor


@dataclass(frozen=True)
class FeatureGroups:
    """The features that parts of a head see: columns of the features of all levels in their order.

    Args:
        filters: All filters of the image.
        fine: From half the resolution on, the filters and the encoder's fine maps.
        every: From half the resolution on, all.
    """

    filters: Tensor
    fine: Tensor
    every: Tensor


def frozen_encoder() -> Encoder:
    """The encoder of every quick learner, with its public weights. Raises as `load_encoder_weights`."""
    encoder: Encoder = ENCODERS[ENCODER](in_channels=3)
    load_encoder_weights(encoder, ENCODER, "auto")
    return encoder.requires_grad_(False).eval()


@torch.no_grad()
def extracted(encoder: Encoder, pixels: NDArray[np.uint8], inside: tuple[slice, slice]) -> Maps:
    """Compute the features of a part of an image.

    Args:
        encoder: In evaluation mode; it sees three channels.
        pixels: (H, W, 3).
        inside: Where the block lies in it.
    """
    height, width = pixels.shape[:2]
    stride = encoder.strides[-1]
    image = torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].float() / 255
    below, right = -height % stride, -width % stride
    image = F.pad(image, (0, right, 0, below), mode="replicate") if below or right else image
    mean, std = (torch.tensor(each).view(1, 3, 1, 1) for each in (encoder.mean, encoder.std))
    levels: list[list[Tensor]] = [[] for _ in range(ENCODER_MAPS + 1)]
    for level, sigmas in enumerate(SIGMAS):
        smaller = F.avg_pool2d(image, 2**level) if level else image
        levels[level] += [_filtered(smaller, sigma) for sigma in sigmas]
    means = [torch.zeros(each.shape[1]) for each in levels[0]]
    for level, each in enumerate(encoder((image - mean) / std)[:ENCODER_MAPS], start=1):
        means += [torch.zeros(filters.shape[1]) for filters in levels[level]] + [each.mean((0, 2, 3))]
        levels[level].append(each)
    return Maps(tuple(torch.cat(each, 1).half() for each in levels), inside, torch.cat(means))


def feature_groups(encoder: Encoder) -> FeatureGroups:
    """Which columns of the features come from where."""
    filters: list[int] = []
    fine: list[int] = []
    start = 0
    for level in range(ENCODER_MAPS + 1):
        ours = FILTERS * len(SIGMAS[level]) if level < len(SIGMAS) else 0
        theirs = encoder.out_channels[level - 1] if level else 0
        filters += range(start, start + ours)
        if 1 <= level <= FINE_MAPS:
            fine += range(start, start + ours + theirs)
        start += ours + theirs
    return FeatureGroups(torch.tensor(filters), torch.tensor(fine), torch.arange(FILTERS * len(SIGMAS[0]), start))


def _filtered(image: Tensor, sigma: float) -> Tensor:
    """Colours, gradient magnitude and eigenvalues of the Hessian at one scale: (1, FILTERS, H, W)."""
    smooth = _blurred(image, sigma)
    grey = F.pad(smooth.mean(1, keepdim=True), (1, 1, 1, 1), mode="replicate")
    middle, left, right = grey[..., 1:-1, 1:-1], grey[..., 1:-1, :-2], grey[..., 1:-1, 2:]
    above, below = grey[..., :-2, 1:-1], grey[..., 2:, 1:-1]
    gradient = ((right - left) ** 2 + (below - above) ** 2).sqrt() / 2
    across, down = left + right - 2 * middle, above + below - 2 * middle
    mixed = (grey[..., 2:, 2:] + grey[..., :-2, :-2] - grey[..., 2:, :-2] - grey[..., :-2, 2:]) / 4
    mean, half_gap = (across + down) / 2, (((across - down) / 2) ** 2 + mixed**2).sqrt()
    return torch.cat([smooth, gradient, mean + half_gap, mean - half_gap], 1)


def _blurred(image: Tensor, sigma: float) -> Tensor:
    """Smooth (1, 3, H, W) by a Gaussian, the borders repeated."""
    radius = max(1, int(3 * sigma + 0.5))
    offsets = torch.arange(-radius, radius + 1, dtype=torch.float32)
    kernel = torch.exp(-(offsets**2) / (2 * sigma**2))
    kernel = (kernel / kernel.sum()).expand(COLOURS, 1, -1)
    image = F.pad(image, (radius, radius, radius, radius), mode="replicate")
    image = F.conv2d(image, kernel[:, :, None, :], groups=COLOURS)
    return F.conv2d(image, kernel[:, :, :, None], groups=COLOURS)
