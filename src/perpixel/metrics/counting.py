"""From a prediction and its truth to Counts, at the speed of reading both a few times.

Two classes: three counts of comparisons. More classes: truth and prediction make one code a pixel. Where the codes of
all classes, or of each half of them, fit into a byte, bytes are counted; of more classes the codes, and since masks
are made of runs, runs instead of pixels wherever there are few.
"""

from typing import Final

import numpy as np

from perpixel.errors import DataError
from perpixel.geometry.histogram import byte_histogram
from perpixel.metrics.counts import Counts, Int64s
from perpixel.shapes import IGNORED, AnyArray, LabelKind, TargetArray

RUN_PX: Final = 16
"""Runs are counted where they are at least this long on average."""

BYTE_CLASSES: Final = 22
"""The most classes of which two halves are enough: 11 × 22 codes fit into a byte."""


def count(prediction: TargetArray, target: TargetArray, *, classes: int, kind: LabelKind) -> Counts:
    """Count what a prediction got right, leaving ignored pixels out.

    Args:
        prediction: uint8, multiclass (H, W) or (N, H, W) in 0..K−1; multilabel (K, H, W) or (N, K, H, W) in {0, 1}.
        target: uint8 of the same shape; may hold IGNORED too.
        classes: K.
        kind: The kind of the labels.

    Returns:
        The counts of all pixels together.

    Raises:
        DataError: Shapes or dtypes differ, or a value is no class.

    >>> truth = np.array([[0, 1, 1], [0, 2, 255]], np.uint8)
    >>> guess = np.array([[0, 1, 0], [0, 2, 1]], np.uint8)
    >>> count(guess, truth, classes=3, kind="multiclass").confusion
    array([[2, 0, 0],
           [1, 1, 0],
           [0, 0, 1]])
    """
    prediction, target = _checked(prediction, "prediction"), _checked(target, "target")
    layers = (2, 3) if kind == "multiclass" else (3, 4)
    if prediction.shape != target.shape or target.ndim not in layers:
        raise DataError(
            f"The prediction is {_shape(prediction)} and the target {_shape(target)}.",
            fix=f"bring both to the same size, with {layers[0]} or {layers[1]} axes for {kind} labels.",
        )
    if kind == "multilabel":
        if target.shape[-3] != classes:
            raise DataError(
                f"The target has {target.shape[-3]} channels, and there are {classes} classes.",
                fix="give one channel for each class.",
            )
        channels = zip(np.moveaxis(prediction, -3, 0), np.moveaxis(target, -3, 0), strict=True)
        return Counts(*np.array([_count_binary(p.ravel(), t.ravel()) for p, t in channels], np.int64).T)
    if classes == 2:
        both, extra, missed, neither = _count_binary(prediction.ravel(), target.ravel())
        return Counts.of_confusion(np.array([[neither, extra], [missed, both]]))
    return Counts.of_confusion(_confusion(prediction.ravel(), target.ravel(), classes))


def _count_binary(prediction: TargetArray, target: TargetArray) -> tuple[int, int, int, int]:
    """TP, FP, FN and TN of flat arrays; IGNORED is above both answers, so it never looks like a false positive."""
    _refuse_values(prediction, 2, "prediction")
    hidden = _ignored(target, 2) if target.size and target.max() > 1 else 0
    extra, missed, true = _nonzero(prediction > target), _nonzero(prediction < target), _nonzero(target)
    missed, true = missed - hidden, true - hidden
    return true - missed, extra, missed, target.size - hidden - true - extra


def _confusion(prediction: TargetArray, target: TargetArray, classes: int) -> Int64s:
    """The confusion matrix (K, K) of flat arrays."""
    _refuse_values(prediction, classes, "prediction")
    table = (_by_bytes if classes <= BYTE_CLASSES else _by_codes)(prediction, target, classes)
    if table.sum() < target.size:
        _ignored(target, classes)
    return table


def _by_bytes(prediction: TargetArray, target: TargetArray, classes: int) -> Int64s:
    """Count the matrix in groups of rows whose codes fit into a byte, beside 255 for the pixels of other rows."""
    codes = target * np.uint8(classes)
    codes += prediction  # modulo 256
    together = IGNORED // classes
    rows = []
    for first in range(0, classes, together):
        group = min(together, classes - first)
        shifted = codes - np.uint8(first * classes % 256)
        elsewhere = (target - np.uint8(first) >= group).view(np.uint8)
        shifted |= np.negative(elsewhere, out=elsewhere)
        rows.append(byte_histogram(shifted)[: group * classes])
    return np.concatenate(rows).reshape(classes, classes)


def _by_codes(prediction: TargetArray, target: TargetArray, classes: int) -> Int64s:
    """Count in a table with a row for every value that a byte can hold."""
    codes = np.multiply(target, classes, dtype=np.uint16)
    codes += prediction
    return _histogram(codes, 256 * classes).reshape(256, classes)[:classes]


def _histogram(codes: AnyArray, bins: int) -> Int64s:
    """How often each code occurs in a flat array."""
    changes = codes[1:] != codes[:-1]
    if _nonzero(changes) * RUN_PX > codes.size or not codes.size:
        return np.bincount(codes, minlength=bins)
    last = np.append(np.flatnonzero(changes), codes.size - 1)
    lengths = np.diff(last, prepend=-1)
    return np.bincount(codes[last], lengths, minlength=bins).astype(np.int64)  # float64 sums are exact below 2**53


def _ignored(target: TargetArray, classes: int) -> int:
    """How many pixels of a target are ignored; every other value has to be a class."""
    raised = target + np.uint8(1)  # IGNORED is 0
    if raised.max() > classes:
        _refuse_values(target[target != IGNORED], classes, "target")
    return target.size - _nonzero(raised)


def _refuse_values(values: TargetArray, classes: int, name: str) -> None:
    if values.size and values.max() >= classes:
        wrong = np.unique(values[values >= classes])
        raise DataError(
            f"The {name} holds values that are no class: there are {classes}, from 0 to {classes - 1}.",
            examples=[str(value) for value in wrong],
            fix=f"map these values to classes, or to {IGNORED} in a target to leave their pixels out.",
        )


def _nonzero(array: AnyArray) -> int:
    return int(np.count_nonzero(array))


def _checked(array: TargetArray, name: str) -> TargetArray:
    array = np.asarray(array)
    if array.dtype == bool:
        return array.view(np.uint8)
    if array.dtype != np.uint8:
        raise DataError(f"The {name} is {array.dtype}, not uint8.", fix="give class values as uint8.")
    return array


def _shape(array: TargetArray) -> str:
    return "×".join(map(str, array.shape))
