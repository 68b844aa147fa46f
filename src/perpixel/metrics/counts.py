"""What was right and what was wrong, counted: a value that adds, and every ratio that follows from it.

Counts of tiles, images, ranks and runs add exactly, so one pass gives the pooled figures (of the sum), the figures of
each image (of one term) and the bootstrap (of drawn sums). A ratio whose denominator is 0 is undefined, NaN: never 0,
never 1. Means are over the classes where the ratio is defined; for two classes that is the background's and the
foreground's, so the foreground alone is `iou[1]`.
"""

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from typing import Self

import numpy as np
from numpy.typing import NDArray

from perpixel.runtime.json_values import JsonMapping, JsonObject
from perpixel.shapes import AnyArray, LabelKind, WholeArray

Int64s = NDArray[np.int64]
Float64s = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Counts:
    """Pixels by class and by what became of them; arrays may share leading axes, such as one for images.

    Args:
        true_positive: (..., K) int64, pixels of class k that were said to be k.
        false_positive: (..., K) int64, pixels of another class that were said to be k.
        false_negative: (..., K) int64, pixels of class k that were said to be another.
        true_negative: (..., K) int64, the other pixels that are not ignored.
        confusion: (..., K, K) int64 for multiclass labels, rows the truth and columns the prediction; else None.

    >>> counts = Counts.of_confusion(np.array([[6, 1], [1, 0]]))
    >>> counts.iou
    array([0.75, 0.  ])
    >>> (counts + counts).mean_iou.item()
    0.375
    """

    true_positive: Int64s
    false_positive: Int64s
    false_negative: Int64s
    true_negative: Int64s
    confusion: Int64s | None = None

    @classmethod
    def of_confusion(cls, confusion: WholeArray) -> Self:
        """Count from confusion matrices (..., K, K) of multiclass labels, rows the truth."""
        table: Int64s = np.asarray(confusion, dtype=np.int64)
        true_positive = table.diagonal(axis1=-2, axis2=-1)
        false_positive = table.sum(-2) - true_positive
        false_negative = table.sum(-1) - true_positive
        total = table.sum((-2, -1))[..., None]
        true_negative = total - true_positive - false_positive - false_negative
        return cls(true_positive, false_positive, false_negative, true_negative, table)

    @classmethod
    def zero(cls, classes: int, kind: LabelKind) -> Self:
        """Nothing counted yet."""
        if kind == "multiclass":
            return cls.of_confusion(np.zeros((classes, classes), np.int64))
        return cls(*np.zeros((4, classes), np.int64))

    @classmethod
    def flawless(cls, classes: int, kind: LabelKind) -> Self:
        """A pixel of every class, all of them right."""
        counts = cls.of_confusion(np.eye(classes, dtype=np.int64))
        return counts if kind == "multiclass" else replace(counts, confusion=None)

    @classmethod
    def stack(cls, counts: Iterable[Self]) -> Self:
        """Lay counts side by side along a new first axis, one an image; at least one is needed."""
        listed = list(counts)
        assert listed, "nothing to stack"
        columns = {part.name: [getattr(one, part.name) for one in listed] for part in fields(cls)}
        if listed[0].confusion is None:
            del columns["confusion"]
        return cls(**{name: np.stack(column) for name, column in columns.items()})

    @classmethod
    def from_dict(cls, stored: JsonMapping) -> Self:
        """Read what `to_dict` wrote."""
        return cls(**{name: np.asarray(value, dtype=np.int64) for name, value in stored.items()})

    def to_dict(self) -> JsonObject:
        """Write as nested lists of int, ready for JSON."""
        return {name: array.tolist() for name, array in self._arrays().items()}

    @property
    def kind(self) -> LabelKind:
        """The kind of the labels."""
        return "multilabel" if self.confusion is None else "multiclass"

    @property
    def classes(self) -> int:
        """K."""
        return int(self.true_positive.shape[-1])

    @property
    def pooled(self) -> Self:
        """The sum over every leading axis."""
        lead = tuple(range(self.true_positive.ndim - 1))
        return type(self)(**{name: array.sum(lead) for name, array in self._arrays().items()})

    def __add__(self, other: Self) -> Self:
        """Add class by class."""
        theirs = other._arrays()
        return type(self)(**{name: array + theirs[name] for name, array in self._arrays().items()})

    def __radd__(self, other: int) -> Self:
        """Let `sum` start from 0."""
        return self if other == 0 else NotImplemented

    def __eq__(self, other: object) -> bool:
        """Compare every count."""
        if not isinstance(other, Counts) or self.kind != other.kind:
            return False
        theirs = other._arrays()
        return all(np.array_equal(array, theirs[name]) for name, array in self._arrays().items())

    __hash__ = None  # type: ignore[assignment] # arrays have none

    def __getitem__(self, index: int | slice | NDArray[np.int64]) -> Self:
        """Take one image, or several, along the leading axes."""
        return type(self)(**{name: array[index] for name, array in self._arrays().items()})

    # The ratios of every class, (..., K) float64.

    @property
    def iou(self) -> Float64s:
        """TP / (TP + FP + FN): intersection over union, Jaccard index."""
        return ratio(self.true_positive, self.true_positive + self.false_positive + self.false_negative)

    @property
    def dice(self) -> Float64s:
        """2 TP / (2 TP + FP + FN): Dice coefficient, F1."""
        both = 2 * self.true_positive
        return ratio(both, both + self.false_positive + self.false_negative)

    @property
    def precision(self) -> Float64s:
        """TP / (TP + FP): the share of the pixels said to be k that are k."""
        return ratio(self.true_positive, self.true_positive + self.false_positive)

    @property
    def recall(self) -> Float64s:
        """TP / (TP + FN): the share of the pixels of k that were found; class accuracy, sensitivity."""
        return ratio(self.true_positive, self.true_positive + self.false_negative)

    @property
    def specificity(self) -> Float64s:
        """TN / (TN + FP): the share of the pixels of other classes that were not said to be k."""
        return ratio(self.true_negative, self.true_negative + self.false_positive)

    # One number, (...) float64.

    @property
    def mean_iou(self) -> Float64s:
        """The mean of `iou` over the classes that are in the truth or in the prediction."""
        return mean_defined(self.iou)

    @property
    def mean_dice(self) -> Float64s:
        """The mean of `dice` over the classes that are in the truth or in the prediction."""
        return mean_defined(self.dice)

    @property
    def mean_accuracy(self) -> Float64s:
        """The mean of `recall` over the classes that are in the truth; balanced accuracy."""
        return mean_defined(self.recall)

    @property
    def pixel_accuracy(self) -> Float64s:
        """The share of answers that are right: one a pixel if multiclass, one a pixel and class if multilabel."""
        asked = self.true_positive + self.false_negative
        right = self.true_positive
        if self.kind == "multilabel":
            asked = asked + self.false_positive + self.true_negative
            right = right + self.true_negative
        return ratio(right.sum(-1), asked.sum(-1))

    @property
    def kappa(self) -> Float64s:
        """Agreement beyond chance of one answer a pixel, -1..1; undefined for multilabel labels, or in one class.

        Source: Cohen (1960), equation 1.
        """
        if self.kind == "multilabel":
            return np.full(self.true_positive.shape[:-1], np.nan)
        true = (self.true_positive + self.false_negative).astype(np.float64)
        said = (self.true_positive + self.false_positive).astype(np.float64)
        total = true.sum(-1)
        by_chance = ratio((true * said).sum(-1), total**2)
        return ratio(self.pixel_accuracy - by_chance, 1 - by_chance)

    @property
    def frequency_weighted_iou(self) -> Float64s:
        """Σ share_k · iou_k with share_k the share of class k in the truth's labels."""
        true = self.true_positive + self.false_negative
        return ratio((true * np.nan_to_num(self.iou)).sum(-1), true.sum(-1))

    def _arrays(self) -> dict[str, Int64s]:
        arrays = {part.name: getattr(self, part.name) for part in fields(self)}
        return {name: array for name, array in arrays.items() if array is not None}


def ratio(numerator: AnyArray, denominator: AnyArray) -> Float64s:
    """Divide, with NaN where nothing is counted."""
    with np.errstate(invalid="ignore"):
        quotient: Float64s = np.true_divide(numerator, denominator)
    return quotient


def mean_defined(values: Float64s) -> Float64s:
    """Average the last axis over what is not NaN; NaN if nothing is left."""
    defined = ~np.isnan(values)
    return ratio(np.where(defined, values, 0).sum(-1), defined.sum(-1))
