"""Finished rows of a prediction, from top to bottom, page after page."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from perpixel.files.write import quantised
from perpixel.predict.arrays import ArrayPredictor
from perpixel.predict.sources import Source
from perpixel.shapes import IGNORED, TargetArray


@dataclass(frozen=True)
class Rows:
    """Rows of one page over its whole width.

    Args:
        page: From 0.
        top: The first row.
        target: (h, W) class indices, or (K, h, W) in {0, 1}; IGNORED outside the image.
        probabilities: (K, h, W), quantised; None where nobody asked for them.
    """

    page: int
    top: int
    target: TargetArray
    probabilities: NDArray[Any] | None

    @property
    def place(self) -> slice:
        """Its rows in the page."""
        return slice(self.top, self.top + self.target.shape[-2])


def predicted_rows(
    predictor: ArrayPredictor, source: Source, name: str, page: int = 0, probabilities: str | None = None
) -> Iterator[Rows]:
    """Predict a source and put its blocks together to rows.

    Args:
        predictor: The network and its codec.
        source: One page.
        name: What to call it in a message.
        page: Its number.
        probabilities: The dtype in which they are wanted, if at all; see `quantised`.

    Yields:
        One row of tiles after the other.
    """
    blocks: list[tuple[TargetArray, NDArray[Any] | None]] = []
    for block, empty in predictor.blocks(source, name):
        wanted = None if probabilities is None else quantised(block.values, probabilities)
        blocks.append((predictor.decode(block, empty), wanted))
        if block.place[1].stop == source.width:
            targets, bands = zip(*blocks, strict=True)
            yield Rows(
                page,
                block.top,
                np.concatenate(targets, axis=-1),
                None if probabilities is None else np.concatenate(bands, axis=-1),
            )
            blocks = []


def unknown_rows(like: Rows, page: int, top: int, height: int) -> Rows:
    """Rows of which nothing is known, of the same width, classes and dtypes as others."""
    *classes, _, width = like.target.shape
    shape = (*classes, height, width)
    bands = None if like.probabilities is None else like.probabilities[:, :1].repeat(height, axis=1) * 0
    return Rows(page, top, np.full(shape, IGNORED, np.uint8), bands)
