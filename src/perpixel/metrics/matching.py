"""Predicted instances matched with true ones: average precision, panoptic quality, aggregated Jaccard."""

from dataclasses import dataclass, fields
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from perpixel.errors import DataError
from perpixel.metrics.counts import Float64s, Int64s, mean_defined, ratio
from perpixel.shapes import WholeArray

THRESHOLDS: Final = np.arange(10, 20) / 20
"""0.5, 0.55 … 0.95: an object is found where its IoU with a predicted one is above the threshold."""

MOST_NUMBERS: Final = 1 << 22
"""Numbers of objects below this are looked up in a table."""

NumberedArray = WholeArray


@dataclass(frozen=True, eq=False)
class InstanceCounts:
    """Instances found, false positive and false negative; a value that adds, and arrays may share leading axes.

    Args:
        true_positive: (..., 10) int64, pairs with an IoU above each of `THRESHOLDS`.
        predicted: (...) int64, objects predicted.
        true: (...) int64, objects in the truth.
        matched_iou: (...) float64, Σ IoU of the pairs above 0.5.
        shared_px: (...) int64, intersections of true objects with the predicted ones nearest to them in IoU.
        joint_px: (...) int64, their unions, with every object that has no partner.
        count_error: (...) int64, |predicted − true| of each image.
    """

    true_positive: Int64s
    predicted: Int64s
    true: Int64s
    matched_iou: Float64s
    shared_px: Int64s
    joint_px: Int64s
    count_error: Int64s

    def __add__(self, other: Self) -> Self:
        """Add field by field."""
        return type(self)(*(getattr(self, part.name) + getattr(other, part.name) for part in fields(self)))

    def __radd__(self, other: int) -> Self:
        """Let `sum` start from 0."""
        return self if other == 0 else NotImplemented

    @property
    def average_precision(self) -> Float64s:
        """TP / (TP + FP + FN) at every threshold (..., 10); NaN where there are no objects at all."""
        union = (self.predicted + self.true)[..., None] - self.true_positive
        return ratio(self.true_positive, union)

    @property
    def mean_average_precision(self) -> Float64s:
        """The mean of `average_precision` over 0.5:0.05:0.95; of one image, the 2018 nuclei competition's score."""
        return mean_defined(self.average_precision)

    @property
    def panoptic_quality(self) -> Float64s:
        """Σ IoU of pairs above 0.5 / (TP + FP/2 + FN/2). Source: Kirillov et al. (2019), equation 1."""
        return ratio(2 * self.matched_iou, self.predicted + self.true)

    @property
    def aggregated_jaccard(self) -> Float64s:
        """Shared over joint pixels of nearest partners. Source: Kumar et al. (2017), algorithm 1."""
        return ratio(self.shared_px, self.joint_px)


def count_instances(prediction: NumberedArray, target: NumberedArray) -> InstanceCounts:
    """Match the objects of one image.

    Args:
        prediction: (H, W) integer, 0 outside, another value for every object.
        target: (H, W) integer, likewise. Clear both where ignored.

    Returns:
        The counts of the image. Above an IoU of 0.5 a pair is unique, so nothing is left to choose.

    Raises:
        DataError: Sizes differ.

    >>> truth = np.array([[1, 1, 1, 0, 2, 2]])
    >>> guess = np.array([[1, 1, 0, 0, 0, 0]])
    >>> count_instances(guess, truth).average_precision[:5]
    array([0.5, 0.5, 0.5, 0.5, 0. ])
    """
    if prediction.shape != target.shape:
        raise DataError(
            f"The predicted objects are {prediction.shape} and the true ones {target.shape}.",
            fix="bring both to the same size.",
        )
    shared = overlap_table(prediction, target)
    said_px, true_px = shared.sum(1)[1:], shared.sum(0)[1:]
    shared = shared[1:, 1:]
    joint = said_px[:, None] + true_px - shared
    iou = shared / joint
    matched = iou[iou > 0.5]
    partner = iou.argmax(0) if len(said_px) else np.zeros(0, np.intp)
    columns = np.flatnonzero(iou.max(0, initial=0) > 0)
    partner = partner[columns] if len(partner) else partner
    alone_px = np.delete(said_px, partner).sum() + np.delete(true_px, columns).sum()
    return InstanceCounts(
        true_positive=(matched[:, None] > THRESHOLDS).sum(0),
        predicted=np.asarray(len(said_px)),
        true=np.asarray(len(true_px)),
        matched_iou=matched.sum(),
        shared_px=shared[partner, columns].sum(),
        joint_px=joint[partner, columns].sum() + alone_px,
        count_error=np.asarray(abs(len(said_px) - len(true_px))),
    )


def overlap_table(prediction: NumberedArray, target: NumberedArray) -> Int64s:
    """Count the pixels that objects share: rows the prediction's values, columns the truth's, 0 first in both."""
    (rows, said), (columns, true) = (_numbered(labels) for labels in (prediction, target))
    return np.bincount(said * columns + true, minlength=rows * columns).reshape(rows, columns)


def _numbered(labels: NumberedArray) -> tuple[int, NDArray[np.intp]]:
    """How many values there are, 0 always among them, and the place of every pixel's value; flat."""
    flat = labels.ravel()
    assert not (flat < 0).any(), "objects have positive numbers"
    if flat.max(initial=0) >= MOST_NUMBERS:
        values, places = np.unique(np.append(flat, 0), return_inverse=True)
        return len(values), places[:-1]
    present = np.bincount(flat, minlength=1) > 0  # a table is one read a pixel, sorting log2 of them
    present[0] = True
    place = present.cumsum() - 1
    return int(present.sum()), place[flat]
