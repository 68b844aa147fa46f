"""Masks that hold closed curves: the outlines of objects, where their areas are meant."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from perpixel.dataset.masks.classes import Understood
from perpixel.dataset.masks.evidence import Shapes
from perpixel.dataset.sample import Finding, warning

LEAST_MASKS: Final = 3
MOST: Final = 0.8
"""The share of the masks that are looked at in which it is so."""
THIN: Final = 0.2
"""Of the pixels of a curve, at most this share has neighbours of its own all around."""
FILLED: Final = 2
"""A curve, filled, covers so many times more."""
HOLES: Final = 1.5
"""Holes to a piece: more, and the curves are a net, as membranes are."""


def hollow_masks(understood: Understood, shapes: Shapes) -> list[Finding]:
    """Warn of two classes of which the second is closed curves, each around a single hole."""
    labels = understood.labels
    if len(labels) != 2 or labels.ignored or labels.values[0] != 0 or understood.reading not in ("values", "nonzero"):
        return []
    planes = [array != 0 for array in shapes.arrays if array.any()]
    if len(planes) < LEAST_MASKS or np.mean([_is_curve(plane) for plane in planes]) < MOST:
        return []
    return [
        warning(
            "the masks hold thin closed curves: the outlines of objects, and not their areas.",
            "fill them if the areas are meant; else nothing to fix.",
        )
    ]


def _is_curve(plane: NDArray[np.bool_]) -> bool:
    """Whether pieces of a mask are thin, closed, and have about one hole each."""
    from scipy import ndimage

    around = np.ones((3, 3), bool)
    if ndimage.binary_erosion(plane, around).sum() > THIN * plane.sum():
        return False
    filled = ndimage.binary_fill_holes(plane)
    if filled.sum() < FILLED * plane.sum():
        return False
    return _count(filled & ~plane) <= HOLES * _count(plane, around)


def _count(plane: NDArray[np.bool_], around: NDArray[np.bool_] | None = None) -> int:
    from scipy import ndimage

    return int(ndimage.label(plane, around)[1])
