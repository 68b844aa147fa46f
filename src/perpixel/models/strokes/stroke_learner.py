"""A prediction from a few strokes within a second: features that are computed once, and a quick learner on them.

The features of each block of an image are computed once and kept. Every stroke fits the head again, to
the features of at most SAMPLES labelled pixels a class of each block.

Where every labelled block holds every class, as images of cells do, the encoder's mean of a block says how it was
stained or lit, not what it shows, and is taken off. Where blocks hold different classes, as maps do, it tells them.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from perpixel.models.base import Encoder
from perpixel.models.strokes.pixel_features import Maps, extracted, feature_groups
from perpixel.models.strokes.pixel_head import Head, fitted_head
from perpixel.shapes import IGNORED

BLOCK_PX: Final = 1024
MARGIN_PX: Final = 64
MOST_BLOCKS: Final = 6

SAMPLES: Final = 600

BlockKey: TypeAlias = tuple[str, int, int]
"""The image, then row and column of the block."""

Read: TypeAlias = Callable[[int, int, int, int], NDArray[np.uint8]]
"""(top, left, height, width) to (height, width, 3)."""


@dataclass(frozen=True)
class _Rows:
    """Labelled pixels of a block: the labels' hash, features (N, D), classes (N,) and the block's means (D,)."""

    mark: int
    features: Tensor
    target: Tensor
    means: Tensor


class StrokeLearner:
    """Features and labelled pixels of images.

    Args:
        encoder: In evaluation mode; it sees three channels.
        classes: How many there are.
        most_blocks: Whose features are kept; one takes about 60 MB.
    """

    def __init__(self, encoder: Encoder, classes: int, most_blocks: int = MOST_BLOCKS) -> None:
        self.encoder, self.classes, self.most_blocks = encoder.eval(), classes, most_blocks
        self._groups = feature_groups(encoder)
        self._maps: OrderedDict[BlockKey, Maps] = OrderedDict()
        self._rows: dict[BlockKey, _Rows] = {}

    def learn(self, image_id: str, labels: NDArray[np.uint8], read: Read) -> Head | None:
        """Fit the head to everything that is labelled: `note`, then `fitted`."""
        self.note(image_id, labels, read)
        return self.fitted()

    def note(self, image_id: str, labels: NDArray[np.uint8], read: Read) -> None:
        """Take an image's labels as they are now, instead of what was noted of it before.

        Args:
            image_id: Of the image.
            labels: (H, W) class indices, IGNORED for none.
            read: Reads its pixels.
        """
        for key in [key for key in self._rows if key[0] == image_id]:
            if (labels[_block(key[1], key[2], labels.shape)] == IGNORED).all():
                del self._rows[key]
        for row, column in labelled_blocks(labels):
            part = labels[_block(row, column, labels.shape)]
            key, mark = (image_id, row, column), hash(part.tobytes())
            if key not in self._rows or self._rows[key].mark != mark:
                self._rows[key] = _Rows(mark, *self._sampled(self.maps(key, labels.shape, read), part))

    def fitted(self, image_id: str | None = None) -> Head | None:
        """Fit a head to what was noted of all images, or of one; None while it is of fewer than two classes."""
        noted = [rows for key, rows in self._rows.items() if image_id in (None, key[0])]
        present = [set(rows.target.tolist()) for rows in noted]
        every = set().union(*present)
        if len(every) < 2:
            return None
        centred = all(each == every for each in present)
        features = torch.cat([rows.features - rows.means * centred for rows in noted])
        target = torch.cat([rows.target for rows in noted])
        return fitted_head(features, target, self.classes, self._groups, centred)

    def maps(self, key: BlockKey, shape: tuple[int, ...], read: Read) -> Maps:
        """The features of a block, computed once."""
        if key not in self._maps:
            rows, columns = _block(key[1], key[2], shape)
            top, left = max(0, rows.start - MARGIN_PX), max(0, columns.start - MARGIN_PX)
            bottom, right = min(shape[0], rows.stop + MARGIN_PX), min(shape[1], columns.stop + MARGIN_PX)
            inside = (slice(rows.start - top, rows.stop - top), slice(columns.start - left, columns.stop - left))
            self._maps[key] = extracted(self.encoder, read(top, left, bottom - top, right - left), inside)
            while len(self._maps) > self.most_blocks:
                self._maps.popitem(last=False)
        self._maps.move_to_end(key)
        return self._maps[key]

    def _sampled(self, block: Maps, labels: NDArray[np.uint8]) -> tuple[Tensor, Tensor, Tensor]:
        """The features of some labelled pixels, as the head will see them, their classes, and the block's means."""
        draw = np.random.default_rng(0)
        rows, columns, classes = [], [], []
        for k in range(self.classes):
            y, x = np.nonzero(labels == k)
            chosen = draw.permutation(len(y))[:SAMPLES]
            rows.append(y[chosen])
            columns.append(x[chosen])
            classes.append(np.full(len(chosen), k))
        height, width = block.levels[0].shape[-2:]
        y = torch.from_numpy(np.concatenate(rows)) + block.inside[0].start
        x = torch.from_numpy(np.concatenate(columns)) + block.inside[1].start
        grid = torch.stack([(2 * x + 1) / width - 1, (2 * y + 1) / height - 1], -1).float()[None, None]
        parts = [
            F.grid_sample(each.float(), grid, "bilinear", "border", align_corners=False)[0, :, 0].T
            for each in block.levels
        ]
        return torch.cat(parts, 1), torch.from_numpy(np.concatenate(classes)), block.means


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
