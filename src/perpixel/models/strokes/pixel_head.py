"""The quick learner: small networks of two layers on the features of labelled pixels, averaged.

Some see the filters of the image only, some the fine maps of the encoder as well, some all of its maps: which of them
is right depends on the images, and few strokes do not tell. Their first layers are linear, so each level of the
features is multiplied at its own resolution, and the products are enlarged and added.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from perpixel.models.strokes.pixel_features import FeatureGroups, Maps

MEMBERS: Final = 2
"""Networks for each group of features."""

HIDDEN: Final = 16
STEPS: Final = 30
BATCH: Final = 768
LEARNING_RATE: Final = 0.02
WEIGHT_DECAY: Final = 0.05
DROPOUT: Final = 0.1
CLIP: Final = 3.0
"""Standard deviations from the mean that a feature may lie: an unusual image does not lead far astray."""

DEEP_SCALE: Final = 0.3
"""By this factor all features are smaller where the coarse maps are among them: few strokes tell little of those."""

SHARP_WEIGHT: Final = 2.0
"""Of the networks that see the filters: the encoder's maps are surer than few strokes warrant."""

STRIP_PX: Final = 128


@dataclass(frozen=True)
class Layers:
    """The networks of a group as one: H hidden units on D features, those that it does not see weighted 0."""

    first: Tensor  # (H, D)
    first_bias: Tensor  # (H,)
    second: Tensor  # (K, H)
    second_bias: Tensor  # (K,)

    def probabilities(self, hidden: Tensor) -> Tensor:
        """The second layer: (1, H, h, w) before the ReLU, which is overwritten, to (1, K, h, w)."""
        return F.conv2d(F.relu_(hidden), self.second[..., None, None], self.second_bias).softmax(1)


@dataclass(frozen=True)
class Head:
    """What tells the classes apart: the mean of three groups' probabilities, that of the filters twice.

    Args:
        mean: (D,) of the features.
        std: (D,)
        sharp: The networks that see the filters, at full resolution.
        blunt: The others, which see what there is from half the resolution on.
        centred: Whether the features are told by their difference from the block's means.
    """

    mean: Tensor
    std: Tensor
    sharp: Layers
    blunt: tuple[Layers, Layers]
    centred: bool

    def predict(self, block: Maps) -> NDArray[np.uint8]:
        """The class of every pixel of a block, (h, w)."""
        return np.concatenate([np.asarray(each.argmax(0).numpy(), np.uint8) for each in self._strips(block)])

    def probabilities(self, block: Maps) -> Tensor:
        """The probabilities of every pixel of a block, (K, h, w)."""
        return torch.cat(list(self._strips(block)), 1)

    @torch.inference_mode()
    def _strips(self, block: Maps) -> Iterator[Tensor]:
        """The probabilities (K, h, w) strip by strip: the hidden units of a whole block would take much memory."""
        levels = [self._scaled(block, block.levels[k], self._columns(block, k)) for k in range(1, len(block.levels))]
        blunt = torch.stack([each.probabilities(self._coarse(block, levels, each)) for each in self.blunt]).sum(0)
        hidden, columns = self._coarse(block, levels, self.sharp), block.inside[1]
        fine, last = self._columns(block, 0), block.inside[0].stop
        for top in range(block.inside[0].start, last, STRIP_PX):
            rows = slice(top, min(top + STRIP_PX, last))
            features = self._scaled(block, block.levels[0][:, :, rows, columns], fine)
            strip = F.conv2d(features, self.sharp.first[:, fine, None, None]).add_(_enlarged(hidden, rows, columns))
            found = self.sharp.probabilities(strip).mul_(SHARP_WEIGHT).add_(_enlarged(blunt, rows, columns))
            yield found[0] / (SHARP_WEIGHT + len(self.blunt))

    def _coarse(self, block: Maps, levels: Sequence[Tensor], layers: Layers) -> Tensor:
        """What all levels but the finest add to the hidden units: (1, H, h, w) at half the resolution."""
        hidden: Tensor | None = None
        for level in reversed(range(1, len(block.levels))):
            weight = layers.first[:, self._columns(block, level), None, None]
            if hidden is None and not weight.any():
                continue
            product = F.conv2d(levels[level - 1], weight)
            if hidden is not None:
                product += F.interpolate(hidden, product.shape[-2:], mode="bilinear", align_corners=False)
            hidden = product
        assert hidden is not None, "every group sees features of some level"
        return hidden.add_(layers.first_bias.view(1, -1, 1, 1))

    @staticmethod
    def _columns(block: Maps, level: int) -> slice:
        """Where the features of a level lie among those of all."""
        start = sum(each.shape[1] for each in block.levels[:level])
        return slice(start, start + block.levels[level].shape[1])

    def _scaled(self, block: Maps, features: Tensor, columns: slice) -> Tensor:
        """Features (1, C, h, w) of a block standardised and clipped."""
        means = self.mean + block.means if self.centred else self.mean
        mean, std = (each[columns].view(1, -1, 1, 1) for each in (means, self.std))
        return features.float().sub_(mean).div_(std).clamp_(-CLIP, CLIP)


def fitted_head(features: Tensor, target: Tensor, classes: int, groups: FeatureGroups, centred: bool) -> Head:
    """Fit a head.

    Args:
        features: (N, D), less the means of their blocks if `centred`.
        target: (N,) class indices.
        classes: How many there are.
        groups: Which of the features come from where.
        centred: Whether the features are told by their difference from the block's means.
    """
    mean, std = features.mean(0), features.std(0).clamp_min(1e-6)
    inputs = ((features - mean) / std).clamp(-CLIP, CLIP)
    with torch.random.fork_rng(devices=[]), _one_thread():
        torch.manual_seed(0)
        sharp, fine, every = (
            _layers(inputs, columns, scale, _trained(inputs[:, columns] * scale, target, classes))
            for columns, scale in ((groups.filters, 1.0), (groups.fine, 1.0), (groups.every, DEEP_SCALE))
        )
    return Head(mean, std, sharp, (fine, every), centred)


@contextmanager
def _one_thread() -> Iterator[None]:
    """The matrices of a fit are small: threads that wait for each other on a busy machine take many times as long."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _enlarged(half: Tensor, rows: slice, columns: slice) -> Tensor:
    """A part of what twice the resolution of (1, C, h, w) would be."""
    above = max(0, rows.start // 2 - 1)
    part = half[:, :, above : -(-rows.stop // 2) + 1]
    part = F.interpolate(part, scale_factor=2.0, mode="bilinear", align_corners=False)
    return part[:, :, rows.start - 2 * above : rows.stop - 2 * above, columns]


def _layers(inputs: Tensor, columns: Tensor, scale: float, weights: Sequence[Tensor]) -> Layers:
    """Join trained networks to one; their logits are averaged."""
    first = torch.zeros(MEMBERS, HIDDEN, inputs.shape[1])
    first[..., columns] = weights[0].transpose(1, 2) * scale
    second = weights[2].flatten(0, 1).T.contiguous() / MEMBERS
    return Layers(first.flatten(0, 1), weights[1].flatten(), second, weights[3].mean((0, 1)))


def _trained(inputs: Tensor, target: Tensor, classes: int) -> list[Tensor]:
    """Train MEMBERS networks: weights (M, D, HIDDEN), biases (M, 1, HIDDEN), (M, HIDDEN, K) and (M, 1, K)."""
    width = inputs.shape[1]
    shapes = ((width, HIDDEN), (1, HIDDEN), (HIDDEN, classes), (1, classes))
    spreads = (width**-0.5, 0.0, HIDDEN**-0.5, 0.0)
    weights = [
        ((2 * torch.rand(MEMBERS, *shape) - 1) * spread).requires_grad_()
        for shape, spread in zip(shapes, spreads, strict=True)
    ]
    adam = _AdamW(weights)
    for _ in range(STEPS):
        rows = torch.randint(len(target), (MEMBERS, BATCH))
        hidden = F.dropout(F.relu(torch.baddbmm(weights[1], inputs[rows], weights[0])), DROPOUT)
        logits = torch.baddbmm(weights[3], hidden, weights[2])
        loss = F.cross_entropy(logits.flatten(0, 1), target[rows].flatten())
        adam.step(torch.autograd.grad(loss, weights))
    return [each.detach() for each in weights]


class _AdamW:
    """Loshchilov and Hutter (2019), Algorithm 2. PyTorch's own loads its compiler first, which takes seconds."""

    def __init__(self, weights: list[Tensor]) -> None:
        self.weights, self.number = weights, 0
        self.means = [torch.zeros_like(each) for each in weights]
        self.squares = [torch.zeros_like(each) for each in weights]

    @torch.no_grad()
    def step(self, gradients: tuple[Tensor, ...]) -> None:
        self.number += 1
        first, second = 1 - 0.9**self.number, 1 - 0.999**self.number
        for weight, gradient, mean, square in zip(self.weights, gradients, self.means, self.squares, strict=True):
            mean.lerp_(gradient, 0.1)
            square.lerp_(gradient**2, 0.001)
            weight.mul_(1 - LEARNING_RATE * WEIGHT_DECAY)
            weight.addcdiv_(mean / first, (square / second).sqrt_().add_(1e-8), value=-LEARNING_RATE)
