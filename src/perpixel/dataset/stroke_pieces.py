"""Which connected pieces of a class are held out for validation."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from perpixel.shapes import TargetArray

EVERY: Final = 4
"""Of the pieces of a class in an image one in so many is held out, and one of two or three."""


def pieces_held_out(target: TargetArray, classes: int) -> NDArray[np.bool_]:
    """Where (H, W) pieces lie that validate: the second of each class, and every fourth from there on.

    >>> pieces_held_out(np.array([[1, 255, 1, 255, 0]], np.uint8), 2).astype(int).tolist()
    [[0, 0, 1, 0, 0]]
    """
    from scipy import ndimage

    held = np.zeros(target.shape, bool)
    for k in range(classes):
        pieces, count = ndimage.label(target == k, np.ones((3, 3), bool))
        if count >= 2:
            held |= (pieces % EVERY == 2) & (pieces > 0)
    return held
