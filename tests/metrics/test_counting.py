"""Counting: equal to the obvious loop, to scikit-learn, and to itself however the pixels are cut."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import confusion_matrix, multilabel_confusion_matrix

from perpixel.errors import DataError
from perpixel.metrics import Counts, count
from perpixel.shapes import IGNORED


def blobs(shape, classes, seed, ignored=0.1):
    """Masks made of runs, with some of the truth ignored."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, classes, (2, shape[0] // 16 + 1, shape[1] // 16 + 1)).astype(np.uint8)
    prediction, target = coarse.repeat(16, 1).repeat(16, 2)[:, : shape[0], : shape[1]]
    target = target.copy()
    target[rng.random(shape) < ignored] = IGNORED
    return prediction, target


@pytest.mark.parametrize("classes", [2, 3, 15, 16, 22, 23, 255])
@pytest.mark.parametrize("ignored", [0.0, 0.1, 1.0])
def test_confusion_equals_scikit_learn(classes, ignored):
    for prediction, target in [
        blobs((70, 90), classes, classes, ignored),
        np.random.default_rng(0).integers(0, classes, (2, 40, 50)).astype(np.uint8),
    ]:
        known = target != IGNORED
        counts = count(prediction, target, classes=classes, kind="multiclass")
        if not known.any():
            assert counts == Counts.zero(classes, "multiclass")
            continue
        expected = confusion_matrix(target[known], prediction[known], labels=range(classes))
        np.testing.assert_array_equal(counts.confusion, expected)
        assert counts.confusion.dtype == np.int64


@pytest.mark.parametrize("classes", [1, 3])
def test_overlapping_counts_equal_scikit_learn(classes):
    rng = np.random.default_rng(1)
    prediction, target = rng.integers(0, 2, (2, 4, classes, 9, 7)).astype(np.uint8)
    target[rng.random(target.shape) < 0.2] = IGNORED
    counts = count(prediction, target, classes=classes, kind="multilabel")
    for k in range(classes):
        known = target[:, k] != IGNORED
        ((tn, fp), (fn, tp)) = multilabel_confusion_matrix(target[:, k][known], prediction[:, k][known], labels=[1])[
            0
        ]
        assert (tp, fp, fn, tn) == tuple(
            part[k]
            for part in (counts.true_positive, counts.false_positive, counts.false_negative, counts.true_negative)
        )
    assert counts.kind == "multilabel"


@given(
    arrays(np.uint8, (12, 10), elements=st.sampled_from([0, 1, 2, IGNORED])),
    arrays(np.uint8, (12, 10), elements=st.integers(0, 2)),
    st.lists(st.integers(1, 11), max_size=4),
    st.randoms(),
)
@settings(max_examples=60, deadline=None)
def test_any_tiling_in_any_order_counts_the_same(target, prediction, cuts, random):
    edges = sorted({0, *cuts, 12})
    tiles = [slice(*pair) for pair in itertools.pairwise(edges)]
    random.shuffle(tiles)
    pieces = [count(prediction[tile], target[tile], classes=3, kind="multiclass") for tile in tiles]
    assert sum(pieces) == count(prediction, target, classes=3, kind="multiclass")
    assert Counts.stack(pieces).pooled == sum(pieces)


def test_bool_predictions_and_strided_views_are_read_as_they_are():
    prediction, target = np.random.default_rng(2).integers(0, 2, (2, 20, 30)).astype(np.uint8)
    plain = count(prediction[::2, ::3].copy(), target[::2, ::3].copy(), classes=2, kind="multiclass")
    assert count(prediction[::2, ::3].astype(bool), target[::2, ::3], classes=2, kind="multiclass") == plain


def test_an_empty_tile_counts_nothing():
    nothing = np.zeros((0, 5), np.uint8)
    for classes in (2, 4):
        assert count(nothing, nothing, classes=classes, kind="multiclass") == Counts.zero(classes, "multiclass")


@pytest.mark.parametrize("classes", [2, 4])
@pytest.mark.parametrize("value", [4, 254])
def test_values_that_are_no_class_are_refused(classes, value):
    good, bad = np.zeros((20, 20), np.uint8), np.zeros((20, 20), np.uint8)
    bad[3, 4] = value
    also_ignored = bad.copy()
    also_ignored[0] = IGNORED
    for target in (bad, also_ignored):
        with pytest.raises(DataError, match=rf"(?s)The target holds values.*from 0 to {classes - 1}.*- {value}"):
            count(good, target, classes=classes, kind="multiclass")
    with pytest.raises(DataError, match=r"(?s)The prediction holds values that are no class.*Fix: map"):
        count(bad, good, classes=classes, kind="multiclass")
    with pytest.raises(DataError, match="The prediction holds values"):
        count(np.full((3, 3), IGNORED, np.uint8), np.zeros((3, 3), np.uint8), classes=classes, kind="multiclass")


def test_shapes_and_dtypes_are_checked():
    small, large = np.zeros((2, 3), np.uint8), np.zeros((4, 3), np.uint8)
    with pytest.raises(DataError, match=r"The prediction is 2×3 and the target 4×3"):
        count(small, large, classes=2, kind="multiclass")
    with pytest.raises(DataError, match="with 3 or 4 axes for multilabel labels"):
        count(small, small, classes=2, kind="multilabel")
    with pytest.raises(DataError, match="The target has 1 channels, and there are 2 classes"):
        count(small[None], small[None], classes=2, kind="multilabel")
    with pytest.raises(DataError, match="The prediction is int64, not uint8"):
        count(small.astype(np.int64), small, classes=2, kind="multiclass")
