"""How well outlines agree: boundary IoU in counts that add, and distances between contours in pixels."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from perpixel.metrics.counting import count
from perpixel.metrics.counts import Counts, Float64s
from perpixel.shapes import IGNORED, AnyArray, TargetArray

Mask = NDArray[np.bool_]


def count_boundary(prediction: TargetArray, target: TargetArray, *, classes: int, width: float = 0.02) -> Counts:
    """Count only the pixels near the inside of an outline; the `iou` of these counts is the boundary IoU.

    Args:
        prediction: uint8, multiclass (H, W), multilabel (K, H, W).
        target: uint8 of the same shape.
        classes: K.
        width: Distance from the outline as a share of the image's diagonal; at least one pixel.

    Returns:
        Counts of every class's boundary against all else. The image's edge is an outline too. Ignored pixels are
        not counted, and belong to no class when outlines are drawn.

    Source: Cheng et al. (2021), equation 2; steps to the eight neighbours, as in the authors' code.
    """
    ignored = target == IGNORED
    said, true = _layers(prediction, classes) & ~ignored, _layers(target, classes)
    steps = max(1, round(width * float(np.hypot(*target.shape[-2:]))))
    inner_said, inner_true = (
        np.stack([_inner_boundary(layer, steps) for layer in layers]).astype(np.uint8) for layers in (said, true)
    )
    inner_true[np.broadcast_to(ignored, inner_true.shape)] = IGNORED
    return count(inner_said, inner_true, classes=classes, kind="multilabel")


@dataclass(frozen=True, eq=False)
class ContourDistances:
    """How far every contour pixel is from the other contour.

    Args:
        from_prediction: (P,) float64, pixels, from the prediction's contour to the nearest pixel of the truth's.
        from_target: (T,) float64, pixels, the other way.
    """

    from_prediction: Float64s
    from_target: Float64s

    @property
    def hausdorff95(self) -> float:
        """The larger of the two 95th percentiles: inf if one contour is missing, NaN if both are."""
        if missing := self._missing():
            return missing
        return float(max(np.percentile(side, 95) for side in (self.from_prediction, self.from_target)))

    @property
    def mean(self) -> float:
        """The mean over both contours' pixels, the symmetric surface distance; inf and NaN as in `hausdorff95`."""
        return self._missing() or float(np.concatenate([self.from_prediction, self.from_target]).mean())

    def f1(self, tolerance_px: float) -> float:
        """Boundary F1: precision and recall are the shares of contour pixels within the tolerance.

        0 if one contour is missing, NaN if both are.

        Source: Csurka et al. (2013), section 2.
        """
        if missing := self._missing():
            return 0.0 if missing == np.inf else missing
        precision, recall = ((side <= tolerance_px).mean() for side in (self.from_prediction, self.from_target))
        return float(2 * precision * recall / (precision + recall)) if precision + recall else 0.0

    def _missing(self) -> float:
        """NaN without any contour, inf with one, 0 with both."""
        missing = (not self.from_prediction.size) + (not self.from_target.size)
        return (0.0, np.inf, np.nan)[missing]


def contour_distances(prediction: AnyArray, target: AnyArray) -> ContourDistances:
    """Measure the contours of two masks against each other.

    Args:
        prediction: (H, W) bool, where the class was said to be.
        target: (H, W) bool, where it is. Clear both where ignored.

    Returns:
        Euclidean distances in pixels. A contour is the mask's pixels beside the outside (four neighbours) or beside
        the image's edge, as in MONAI.

    >>> one, other = np.zeros((2, 9, 9), bool)
    >>> one[2:5, 2:5] = other[2:5, 4:7] = True
    >>> contour_distances(one, other).hausdorff95
    2.0
    """
    said, true = (_contour(mask) for mask in _trimmed(prediction.astype(bool), target.astype(bool)))
    if not said.any() or not true.any():
        infinite = np.full(int(said.sum() + true.sum()), np.inf)
        return ContourDistances(infinite[: said.sum()], infinite[: true.sum()])
    return ContourDistances(ndimage.distance_transform_edt(~true)[said], ndimage.distance_transform_edt(~said)[true])


def _layers(array: TargetArray, classes: int) -> Mask:
    """One mask (K, H, W) a class."""
    return np.equal(array, 1 if array.ndim == 3 else np.arange(classes)[:, None, None])


def _trimmed(first: Mask, second: Mask) -> tuple[Mask, Mask]:
    """Both without the rows and columns around them where neither is, which change no contour and no distance."""
    either = first | second
    if not either.any():
        return first, second
    rows, columns = (np.flatnonzero(either.any(axis)) for axis in (1, 0))
    box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    return first[box], second[box]


def _contour(mask: Mask) -> Mask:
    inside: Mask = ndimage.binary_erosion(mask)
    return mask & ~inside


def _inner_boundary(mask: Mask, steps: int) -> Mask:
    """The mask's pixels within so many steps of the outside; equal to the mask less its erosion, in one pass."""
    depth = ndimage.distance_transform_cdt(np.pad(mask, 1), metric="chessboard")[1:-1, 1:-1]
    return mask & (depth <= steps)
