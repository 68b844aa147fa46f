"""Finished pieces of a prediction: the cores of the tiles, in their order, page after page."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from perpixel.files.write import quantised
from perpixel.prediction.arrays import ArrayPredictor, WindowProbabilities, finished
from perpixel.shapes import IGNORED, AnyArray, TargetArray


@dataclass(frozen=True)
class Piece:
    """A rectangle of one page.

    Args:
        page: From 0.
        top: Row of its first pixel.
        left: Column of its first pixel.
        target: (h, w) class indices, or (K, h, w) in {0, 1}; IGNORED outside the image.
        probabilities: (K, h, w), quantised; None where nobody asked for them.
    """

    page: int
    top: int
    left: int
    target: TargetArray
    probabilities: AnyArray | None

    @property
    def bottom(self) -> int:
        """The row below its last one."""
        return self.top + int(self.target.shape[-2])

    @property
    def right(self) -> int:
        """The column after its last one."""
        return self.left + int(self.target.shape[-1])


def predicted_pieces(
    predictor: ArrayPredictor,
    size: tuple[int, int],
    answers: Iterable[WindowProbabilities],
    page: int,
    probabilities: str | None,
) -> Iterator[Piece]:
    """The pieces of a page.

    Args:
        predictor: The network and its codec.
        size: Height and width.
        answers: To all batches of the page, in their order.
        page: Its number.
        probabilities: The dtype in which they are wanted, if at all; see `quantised`.
    """
    for block, empty in finished(predictor.tiling(*size), answers):
        wanted = None if probabilities is None else quantised(predictor.calibrated(block.values), probabilities)
        yield Piece(page, block.top, block.left, predictor.decode(block, empty), wanted)


def unknown_pieces(
    predictor: ArrayPredictor, size: tuple[int, int], done: int, page: int, probabilities: str | None
) -> Iterator[Piece]:
    """The pieces of a page after the first `done` ones, of which nothing is known; see `predicted_pieces`."""
    classes = len(predictor.codec.labels)
    for tile in list(predictor.tiling(*size))[done:]:
        rows, columns = tile.rows, tile.columns
        hw = (rows.end - rows.begin, columns.end - columns.begin)
        bands = None if probabilities is None else np.zeros((classes, *hw), probabilities)
        yield Piece(page, rows.begin, columns.begin, predictor.codec.labels.empty_target(*hw, value=IGNORED), bands)
