"""Strokes carried on to the pixels around them, where a quick learner is sure of the class."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from perpixel.models.strokes.pixel_features import frozen_encoder
from perpixel.models.strokes.pixel_head import Head
from perpixel.models.strokes.stroke_learner import BLOCK_PX, StrokeLearner, labelled_blocks, place_of_block
from perpixel.runtime.progress import Progress, silent
from perpixel.shapes import IGNORED

SURE: Final = 0.9
"""The probability of its class from which a pixel is given it."""

KEPT_PX: Final = 16 * BLOCK_PX**2
"""Pixels whose features are kept from the first look at an image to the second, about 1 GB; others look again."""


@dataclass(frozen=True)
class Stroked:
    """An image that is partly labelled.

    Args:
        name: Unique among them.
        read: Gives its pixels, (H, W, 3) uint8, and its labels, (H, W) class indices or IGNORED.
        size: Pixels, H × W.
    """

    name: str
    read: Callable[[], tuple[NDArray[np.uint8], NDArray[np.uint8]]]
    size: int


def propagated(
    images: Sequence[Stroked], classes: int, progress: Progress = silent
) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    """Carry the strokes of each image on.

    Two quick learners say the class of a pixel: one has learnt from the strokes of all images, one from those of the
    image alone. Where the mean of their probabilities is at least SURE, the pixel gets the class; what has a label
    keeps it. Images without strokes stay as they are.

    Args:
        images: All of the training images.
        classes: How many there are.
        progress: Called with the images that are done, each twice.

    Yields:
        The name of an image, and its labels (H, W), IGNORED where none is sure.

    Raises:
        SettingsError: The public weights of the encoder cannot be had.
    """
    largest = max((min(each.size, BLOCK_PX**2) for each in images), default=1)
    learner = StrokeLearner(frozen_encoder(), classes, most_blocks=max(1, KEPT_PX // largest))
    for number, each in enumerate(images):
        pixels, labels = each.read()
        learner.note(each.name, labels, _reader(pixels))
        progress("carrying the strokes on", number + 1, 2 * len(images))
    shared = learner.fitted()
    for number, each in enumerate(images):
        pixels, labels = each.read()
        heads = [head for head in (shared, learner.fitted(each.name)) if head is not None]
        if heads and labelled_blocks(labels):
            yield each.name, _carried_on(learner, heads, each.name, pixels, labels)
        else:
            yield each.name, labels
        progress("carrying the strokes on", len(images) + number + 1, 2 * len(images))


def _carried_on(
    learner: StrokeLearner, heads: Sequence[Head], name: str, pixels: NDArray[np.uint8], labels: NDArray[np.uint8]
) -> NDArray[np.uint8]:
    """The labels of an image, and what the mean of some heads is sure of, block by block."""
    result = labels.copy()
    rows, columns = (range(-(-side // BLOCK_PX)) for side in labels.shape)
    for row, column in [(row, column) for row in rows for column in columns]:
        maps = learner.maps((name, row, column), labels.shape, _reader(pixels))
        shares = torch.stack([head.probabilities(maps) for head in heads]).mean(0)
        share, found = shares.max(0)
        place = place_of_block(row, column, labels.shape)
        is_new = (labels[place] == IGNORED) & (share >= SURE).numpy()
        result[place][is_new] = found.numpy()[is_new]
    return result


def _reader(pixels: NDArray[np.uint8]) -> Callable[[int, int, int, int], NDArray[np.uint8]]:
    return lambda top, left, height, width: pixels[top : top + height, left : left + width]
