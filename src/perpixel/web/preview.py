"""A prediction from a few strokes within a second: frozen features of an encoder, and a small head fitted to them.

The encoder sees each block of an image once. Its feature maps are kept, and every stroke fits the head again: two
layers on the features of at most SAMPLES labelled pixels a class. The first layer is linear, so it is applied at each
map's own resolution before the maps are enlarged and added.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from perpixel.models.base import Encoder
from perpixel.shapes import IGNORED

BLOCK_PX: Final = 1024
MARGIN_PX: Final = 64
MOST_BLOCKS: Final = 6

SAMPLES: Final = 600
HIDDEN: Final = 16
STEPS: Final = 50
BATCH: Final = 4096
"""Rows that a step sees where there are more: the time of a fit does not grow with the labels."""

MAPS: Final = 4
"""Feature maps of the encoder that are used, the finest first: strides 2 to 16."""

BlockKey: TypeAlias = tuple[str, int, int]
"""The image, then row and column of the block."""

Read: TypeAlias = Callable[[int, int, int, int], NDArray[np.uint8]]
"""(top, left, height, width) to (height, width, 3)."""


@dataclass(frozen=True)
class Maps:
    """The features of a block.

    Args:
        maps: Each (1, C_i, h_i, w_i), of the block with its margin.
        inside: Where the block lies in the pixels of that.
    """

    maps: tuple[Tensor, ...]
    inside: tuple[slice, slice]
    seen_hw: tuple[int, int]


@dataclass(frozen=True)
class Head:
    """Two layers on standardised features."""

    mean: Tensor  # (D,)
    std: Tensor  # (D,)
    first: nn.Linear
    second: nn.Linear

    def predict(self, block: Maps) -> NDArray[np.uint8]:
        """The class of every pixel of a block, (h, w)."""
        return np.asarray(self.logits(block).argmax(0).numpy(), np.uint8)

    @torch.inference_mode()
    def logits(self, block: Maps) -> Tensor:
        """The logits of every pixel of a block, (K, h, w)."""
        weight = self.first.weight / self.std
        bias = self.first.bias - weight @ self.mean
        widths = [each.shape[1] for each in block.maps]
        kernels = weight[..., None, None].split(widths, 1)  # type: ignore[no-untyped-call]
        parts = list(zip(block.maps, kernels, strict=True))
        hidden = F.conv2d(*parts[-1], bias)
        for each, part in reversed(parts[:-1]):  # enlarged step by step, each step a finer map is added
            size = each.shape[-2:]
            if hidden.shape[-2:] != size:
                hidden = F.interpolate(hidden, size, mode="bilinear", align_corners=False)
            hidden = hidden + F.conv2d(each, part)
        logits = F.conv2d(F.relu(hidden), self.second.weight[..., None, None], self.second.bias)
        logits = F.interpolate(logits, block.seen_hw, mode="bilinear", align_corners=False)
        return logits[0, :, *block.inside]


class Previewer:
    """Features and labelled pixels of the images that are being painted.

    Args:
        encoder: In evaluation mode; it sees three channels.
        classes: How many there are.
        most_blocks: Whose features are kept; one takes about 40 MB.
    """

    def __init__(self, encoder: Encoder, classes: int, most_blocks: int = MOST_BLOCKS) -> None:
        self.encoder, self.classes, self.most_blocks = encoder.eval(), classes, most_blocks
        self._maps: OrderedDict[BlockKey, Maps] = OrderedDict()
        self._rows: dict[BlockKey, tuple[int, Tensor, Tensor]] = {}

    def learn(self, image_id: str, labels: NDArray[np.uint8], read: Read) -> Head | None:
        """Fit the head to everything that is labelled, this image's labels as they are now.

        Args:
            image_id: Of the image.
            labels: (H, W) class indices, IGNORED for none.
            read: Reads its pixels.

        Returns:
            The head; None while there are labels of fewer than two classes.
        """
        for key in [key for key in self._rows if key[0] == image_id]:
            if (labels[_block(key[1], key[2], labels.shape)] == IGNORED).all():
                del self._rows[key]
        for row, column in labelled_blocks(labels):
            part = labels[_block(row, column, labels.shape)]
            key, mark = (image_id, row, column), hash(part.tobytes())
            if key not in self._rows or self._rows[key][0] != mark:
                self._rows[key] = (mark, *self._sampled(self.maps(key, labels.shape, read), part))
        if not self._rows:
            return None
        features = torch.cat([rows[1] for rows in self._rows.values()])
        target = torch.cat([rows[2] for rows in self._rows.values()])
        return _fitted(features, target, self.classes) if target.min() < target.max() else None

    @torch.no_grad()
    def maps(self, key: BlockKey, shape: tuple[int, ...], read: Read) -> Maps:
        """The features of a block, computed once."""
        if key not in self._maps:
            rows, columns = _block(key[1], key[2], shape)
            top, left = max(0, rows.start - MARGIN_PX), max(0, columns.start - MARGIN_PX)
            bottom, right = min(shape[0], rows.stop + MARGIN_PX), min(shape[1], columns.stop + MARGIN_PX)
            inside = (slice(rows.start - top, rows.stop - top), slice(columns.start - left, columns.stop - left))
            self._maps[key] = self._extracted(read(top, left, bottom - top, right - left), inside)
            while len(self._maps) > self.most_blocks:
                self._maps.popitem(last=False)
        self._maps.move_to_end(key)
        return self._maps[key]

    def _extracted(self, pixels: NDArray[np.uint8], inside: tuple[slice, slice]) -> Maps:
        height, width = pixels.shape[:2]
        stride = self.encoder.strides[-1]
        image = torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].float() / 255
        below, right = -height % stride, -width % stride
        image = F.pad(image, (0, right, 0, below), mode="replicate") if below or right else image
        mean, std = (torch.tensor(each).view(1, 3, 1, 1) for each in (self.encoder.mean, self.encoder.std))
        found = self.encoder((image - mean) / std)[:MAPS]
        return Maps((_local(image), *found), inside, (image.shape[-2], image.shape[-1]))

    def _sampled(self, block: Maps, labels: NDArray[np.uint8]) -> tuple[Tensor, Tensor]:
        """The features of some labelled pixels, as the head will see them, and their classes."""
        draw = np.random.default_rng(0)
        rows, columns, classes = [], [], []
        for k in range(self.classes):
            y, x = np.nonzero(labels == k)
            chosen = draw.permutation(len(y))[:SAMPLES]
            rows.append(y[chosen])
            columns.append(x[chosen])
            classes.append(np.full(len(chosen), k))
        height, width = block.seen_hw
        y = torch.from_numpy(np.concatenate(rows)) + block.inside[0].start
        x = torch.from_numpy(np.concatenate(columns)) + block.inside[1].start
        grid = torch.stack([(2 * x + 1) / width - 1, (2 * y + 1) / height - 1], -1).float()[None, None]
        parts = [
            F.grid_sample(each, grid, "bilinear", "border", align_corners=False)[0, :, 0].T for each in block.maps
        ]
        return torch.cat(parts, 1), torch.from_numpy(np.concatenate(classes))


def _fitted(features: Tensor, target: Tensor, classes: int) -> Head:
    """Fit a head.

    Args:
        features: (N, D).
        target: (N,) class indices.
        classes: How many there are.
    """
    mean, std = features.mean(0), features.std(0).clamp_min(1e-6)
    inputs = (features - mean) / std
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        first, second = nn.Linear(features.shape[1], HIDDEN), nn.Linear(HIDDEN, classes)
        optimiser = torch.optim.AdamW([*first.parameters(), *second.parameters()], lr=0.02, weight_decay=0.05)
        for _ in range(STEPS):
            rows = torch.randint(len(target), (BATCH,)) if len(target) > BATCH else slice(None)
            optimiser.zero_grad()
            logits = second(F.dropout(F.relu(first(inputs[rows])), 0.1))
            F.cross_entropy(logits, target[rows]).backward()  # type: ignore[no-untyped-call]
            optimiser.step()
    return Head(mean, std, first.requires_grad_(False), second.requires_grad_(False))


def labelled_blocks(labels: NDArray[np.uint8]) -> list[tuple[int, int]]:
    """Row and column of every block that holds a label."""
    rows, columns = (range(-(-side // BLOCK_PX)) for side in labels.shape)
    return [
        (row, column)
        for row in rows
        for column in columns
        if (labels[_block(row, column, labels.shape)] != IGNORED).any()
    ]


def blocks_in(box: Sequence[int], shape: tuple[int, ...]) -> list[tuple[int, int]]:
    """The blocks that touch a box (top, left, bottom, right) in pixels."""
    top, left, bottom, right = box
    rows = range(max(0, top) // BLOCK_PX, -(-min(shape[0], bottom) // BLOCK_PX))
    columns = range(max(0, left) // BLOCK_PX, -(-min(shape[1], right) // BLOCK_PX))
    return [(row, column) for row in rows for column in columns]


def place_of_block(row: int, column: int, shape: tuple[int, ...]) -> tuple[slice, slice]:
    """Where a block lies in the pixels of an image."""
    return _block(row, column, shape)


def _block(row: int, column: int, shape: Any) -> tuple[slice, slice]:
    return (
        slice(row * BLOCK_PX, min((row + 1) * BLOCK_PX, int(shape[0]))),
        slice(column * BLOCK_PX, min((column + 1) * BLOCK_PX, int(shape[1]))),
    )


def _local(image: Tensor) -> Tensor:
    """Colours and the strength of edges at three scales, at half the resolution: (1, 12, H / 2, W / 2)."""
    half = F.avg_pool2d(image, 2)
    found = []
    for radius in (0, 1, 3):
        smooth = half if radius == 0 else F.avg_pool2d(half, 2 * radius + 1, 1, radius, count_include_pad=False)
        grey = F.pad(smooth.mean(1, keepdim=True), (1, 1, 1, 1), mode="replicate")
        across = grey[..., 1:-1, 2:] - grey[..., 1:-1, :-2]
        down = grey[..., 2:, 1:-1] - grey[..., :-2, 1:-1]
        found += [smooth, (across**2 + down**2).sqrt()]
    return torch.cat(found, 1)
