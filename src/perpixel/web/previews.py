"""The previews of the images that are being painted, kept to be shown tile by tile."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from typing import Final

import numpy as np
from numpy.typing import NDArray

from perpixel.models.strokes.pixel_features import frozen_encoder
from perpixel.models.strokes.stroke_learner import StrokeLearner, blocks_in, place_of_block
from perpixel.shapes import IGNORED
from perpixel.web.prediction_layers import TilePlace
from perpixel.web.tiles import TILE_PX, Pyramid

MOST_BLOCKS: Final = 4
"""Blocks of one view that are predicted at once; a view of more of the image is told to come closer."""

MOST_KEPT: Final = 4


@dataclass
class _Shown:
    version: int
    mask: NDArray[np.uint8]


class PreviewStore:
    """Previews by image.

    Args:
        classes: How many there are.
    """

    def __init__(self, classes: int) -> None:
        self._classes = classes
        self._learner: StrokeLearner | None = None
        self._shown: OrderedDict[str, _Shown] = OrderedDict()
        self._lock = Lock()
        self._wanted: Callable[[StrokeLearner], None] | None = None

    def want(
        self, image_id: str, shape: tuple[int, int], box: tuple[int, int, int, int], read: Callable[[], Pyramid]
    ) -> bool:
        """Note the part of an image that is looked at, instead of what was noted before; `prepare` sees to it.

        Args:
            image_id: Of the image.
            shape: (H, W)
            box: (top, left, bottom, right) that is seen.
            read: Gives what reads the image.

        Returns:
            Whether nothing was noted, so that `prepare` has to be called.
        """

        def computed(learner: StrokeLearner) -> None:
            blocks = blocks_in(box, shape)
            for row, column in blocks if len(blocks) <= MOST_BLOCKS else ():
                learner.maps((image_id, row, column), shape, read().region)

        with self._lock:
            was_idle, self._wanted = self._wanted is None, computed
        return was_idle

    def prepare(self) -> None:
        """Compute the features of what is looked at, so that the first preview does not wait for them."""
        with self._lock:
            computed, self._wanted = self._wanted, None
        if computed is not None:
            computed(self._made())

    def refresh(
        self, image_id: str, labels: NDArray[np.uint8], box: tuple[int, int, int, int], pixels: Pyramid
    ) -> int:
        """Predict the part of an image that is seen from the strokes alone; give the version.

        Args:
            image_id: Of the image.
            labels: As they are now, (H, W).
            box: (top, left, bottom, right) that is seen.
            pixels: What reads the image.

        Raises:
            LookupError: There are labels of fewer than two classes; or the box holds too much to be quick.
        """
        blocks = blocks_in(box, labels.shape)
        if len(blocks) > MOST_BLOCKS:
            raise LookupError("zoom in for a preview: it is computed for at most four blocks of 1,024 pixels.")
        learner = self._made()
        head = learner.learn(image_id, labels, pixels.region)
        if head is None:
            raise LookupError("a preview needs strokes of two classes.")
        with self._lock:
            shown = self._shown.setdefault(image_id, _Shown(0, np.full(labels.shape, IGNORED, np.uint8)))
            self._shown.move_to_end(image_id)
            while len(self._shown) > MOST_KEPT:
                self._shown.popitem(last=False)
        for row, column in blocks:
            maps = learner.maps((image_id, row, column), labels.shape, pixels.region)
            shown.mask[place_of_block(row, column, labels.shape)] = head.predict(maps)
        shown.version += 1
        return shown.version

    def tile(self, image_id: str, place: TilePlace) -> NDArray[np.uint8]:
        """A tile of class indices, 255 where nothing is predicted. Raises KeyError where there is no preview."""
        mask, step = self._shown[image_id].mask, 2**place.level
        side = TILE_PX * step
        rows = slice(place.row * side, (place.row + 1) * side, step)
        return mask[rows, place.column * side : (place.column + 1) * side : step].copy()

    def _made(self) -> StrokeLearner:
        """The encoder is loaded with the first preview."""
        if self._learner is None:
            self._learner = StrokeLearner(frozen_encoder(), self._classes)
        return self._learner
