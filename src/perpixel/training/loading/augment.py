"""Geometric and photometric transforms of image and mask together, a whole batch at a time.

What a pixel shows may change, which class it has may not: masks are moved by nearest neighbour only, and a pixel
that comes from outside its image is IGNORED. Every draw comes from the generators given, one a batch slot, so that
a batch is a pure function of (seed, step, slot).
"""

import math
from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from perpixel.settings.tree import AugmentSettings
from perpixel.shapes import IGNORED


def window_hw(crop_hw: tuple[int, int], settings: AugmentSettings) -> tuple[int, int]:
    """Height and width of the source window in which every rotated and zoomed crop lies, in pixels.

    That is the crop itself where nothing is rotated, zoomed or bent.
    """
    if not _moves(settings):
        return crop_hw

    def reach(along: int, across: int) -> int:
        angle = min(math.radians(settings.rotate_degrees), math.atan2(across, along))
        side = settings.zoom * (along * math.cos(angle) + across * math.sin(angle))
        side += 6 * settings.elastic_px + 2 * settings.translate_px
        return 2 * math.ceil(side / 2) + along % 2

    height, width = crop_hw
    return reach(height, width), reach(width, height)


def augment(
    image: Tensor,
    target: Tensor,
    crop_hw: tuple[int, int],
    settings: AugmentSettings,
    draws: Sequence[np.random.Generator],
) -> tuple[Tensor, Tensor]:
    """Cut one random view out of every window.

    Args:
        image: (N, C, H, W) float32, normalised; windows of `window_hw`.
        target: (N, H, W) or (N, K, H, W) uint8, IGNORED outside the image.
        crop_hw: Height and width of what is returned, in pixels.
        settings: Which transforms, and how strong.
        draws: N generators, one a slot.

    Returns:
        Image (N, C, h, w) float32 and target (N, h, w) or (N, K, h, w) uint8.
    """
    if _moves(settings):
        image, target = _move(image, target, crop_hw, settings, draws)
    image, target = _flip(image, target, settings, draws)
    return _shade(image, settings, draws), target


def _moves(settings: AugmentSettings) -> bool:
    return settings.rotate_degrees > 0 or settings.zoom > 1 or max(settings.elastic_px, settings.translate_px) > 0


def _move(
    image: Tensor,
    target: Tensor,
    crop_hw: tuple[int, int],
    settings: AugmentSettings,
    draws: Sequence[np.random.Generator],
) -> tuple[Tensor, Tensor]:
    """Rotate, zoom and bend about the window's centre by one resampling."""
    height, width = image.shape[-2:]
    grid = torch.stack([_grid(crop_hw, settings, draw) for draw in draws])  # (N, h, w, 2) in pixels from the centre
    grid = grid * 2 / torch.tensor([width, height], dtype=torch.float32)
    moved = F.grid_sample(image, grid, mode="bilinear", padding_mode="reflection", align_corners=False)
    layers = target if target.dim() == 4 else target[:, None]  # (N, K or 1, H, W)
    labels = F.grid_sample(layers.float(), grid, mode="nearest", padding_mode="border", align_corners=False)
    outside = (grid.abs() > 1).any(-1)[:, None]  # (N, 1, h, w)
    labels = labels.masked_fill(outside, IGNORED).to(torch.uint8)
    return moved, labels if target.dim() == 4 else labels[:, 0]


def _grid(crop_hw: tuple[int, int], settings: AugmentSettings, draw: np.random.Generator) -> Tensor:
    """Where each pixel of the crop comes from, as (x, y) from the window's centre, in pixels."""
    height, width = crop_hw
    angle = math.radians(draw.uniform(-settings.rotate_degrees, settings.rotate_degrees))
    zoom = settings.zoom ** draw.uniform(-1, 1)
    y = torch.arange(height, dtype=torch.float32) - (height - 1) / 2
    x = torch.arange(width, dtype=torch.float32) - (width - 1) / 2
    cos, sin = zoom * math.cos(angle), zoom * math.sin(angle)
    grid = torch.stack(
        [cos * x[None, :] - sin * y[:, None], sin * x[None, :] + cos * y[:, None]], dim=-1
    )  # (h, w, 2)
    if settings.elastic_px:
        coarse = draw.normal(0, settings.elastic_px, (1, 2, max(2, height // 32), max(2, width // 32)))
        bend = F.interpolate(torch.from_numpy(coarse).float(), crop_hw, mode="bicubic", align_corners=True)
        grid = grid + bend[0].permute(1, 2, 0)
    if settings.translate_px:
        grid = grid + torch.from_numpy(draw.uniform(-settings.translate_px, settings.translate_px, 2)).float()
    return grid


def _flip(
    image: Tensor, target: Tensor, settings: AugmentSettings, draws: Sequence[np.random.Generator]
) -> tuple[Tensor, Tensor]:
    images, targets = [], []
    square = image.shape[-1] == image.shape[-2]
    for one, labels, draw in zip(image, target, draws, strict=True):
        chance = draw.random(2)
        turns = int(draw.integers(4)) if settings.quarter_turns else 0
        turns = turns if square else 2 * (turns // 2)
        dims = _flipped(chance, settings)
        images.append(one.flip(dims).rot90(turns, (-2, -1)))
        targets.append(labels.flip(dims).rot90(turns, (-2, -1)))
    return torch.stack(images), torch.stack(targets)


def _flipped(chance: NDArray[np.float64], settings: AugmentSettings) -> list[int]:
    """The axes to flip; with `one_flip` the shares of both directions exclude each other."""
    sideways, upward = settings.horizontal_flip, settings.vertical_flip
    if settings.one_flip:
        return [-1] if chance[0] < sideways else [-2] * bool(chance[0] < sideways + upward)
    return [-1] * bool(chance[0] < sideways) + [-2] * bool(chance[1] < upward)


def _shade(image: Tensor, settings: AugmentSettings, draws: Sequence[np.random.Generator]) -> Tensor:
    """Contrast, brightness, saturation, colour, gamma, noise and blur of a normalised image."""

    def column(values: list[float]) -> Tensor:
        return torch.tensor(values, dtype=torch.float32).view(-1, 1, 1, 1)

    if settings.contrast > 1:
        gain = column([settings.contrast ** d.uniform(-1, 1) for d in draws])
        mean = image.mean((-2, -1), keepdim=True)
        image = (image - mean) * gain + mean
    if settings.brightness > 0:
        image = image + column([2 * settings.brightness * d.uniform(-1, 1) for d in draws])
    if settings.saturation > 1:
        spread = column([settings.saturation ** d.uniform(-1, 1) for d in draws])
        grey = image.mean(1, keepdim=True)
        image = (image - grey) * spread + grey
    if settings.colour > 0:
        shifts = np.stack([2 * settings.colour * d.uniform(-1, 1, image.shape[1]) for d in draws])
        image = image + torch.from_numpy(shifts.astype(np.float32))[:, :, None, None]
    if settings.gamma > 1:
        image = _gamma(image, column([settings.gamma ** d.uniform(-1, 1) for d in draws]))
    if settings.noise > 0:
        noise = [d.standard_normal(image.shape[1:], np.float32) * d.uniform(0, settings.noise) for d in draws]
        image = image + torch.from_numpy(np.stack(noise).astype(np.float32))
    if settings.blur_px > 0:
        image = torch.stack([_blur(one, d.uniform(0, settings.blur_px)) for one, d in zip(image, draws, strict=True)])
    return image


def _gamma(image: Tensor, power: Tensor) -> Tensor:
    """Raise each image, stretched to 0..1, to a power."""
    low = image.amin((1, 2, 3), keepdim=True)
    spread = (image.amax((1, 2, 3), keepdim=True) - low).clamp_min(1e-6)
    return ((image - low) / spread) ** power * spread + low


def _blur(image: Tensor, sigma: float) -> Tensor:
    """Gaussian of `sigma` pixels over (C, H, W), cut at 3 sigma."""
    radius = math.ceil(3 * sigma)
    if sigma < 0.1 or radius >= min(image.shape[-2:]):
        return image
    x = torch.arange(-radius, radius + 1, dtype=torch.float32)
    kernel = torch.exp(-(x**2) / (2 * sigma**2))
    kernel = (kernel / kernel.sum()).view(1, 1, 1, -1)
    layers = F.pad(image[:, None], (radius, radius, radius, radius), mode="reflect")
    return F.conv2d(F.conv2d(layers, kernel), kernel.transpose(2, 3))[:, 0]
