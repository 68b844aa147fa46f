"""Boundaries: missing contours, tiny masks, multilabel labels."""

import numpy as np
import pytest

from perpixel.metrics import contour_distances, count_boundary


def test_a_missing_contour_is_infinitely_far_and_two_are_undefined():
    some, none = np.eye(5, dtype=bool), np.zeros((5, 5), bool)
    for found in (contour_distances(some, none), contour_distances(none, some)):
        assert found.hausdorff95 == found.mean == np.inf
        assert found.f1(1.0) == 0
    neither = contour_distances(none, none)
    assert np.isnan([neither.hausdorff95, neither.mean, neither.f1(1.0)]).all()


def test_equal_masks_are_at_distance_zero():
    mask = np.eye(5, dtype=bool)
    same = contour_distances(mask, mask)
    assert (same.hausdorff95, same.mean, same.f1(0.0)) == (0, 0, 1)


def test_contours_too_far_apart_score_nothing():
    one, other = np.zeros((2, 9, 9), bool)
    one[0, 0] = other[8, 8] = True
    assert contour_distances(one, other).f1(3.0) == 0
    assert contour_distances(one, other).hausdorff95 == pytest.approx(8 * np.sqrt(2))


def test_overlapping_labels_have_a_boundary_for_every_class():
    target = np.zeros((2, 20, 20), np.uint8)
    target[0, 5:15, 5:15] = target[1, :, :10] = 1
    counts = count_boundary(target, target, classes=2)
    np.testing.assert_array_equal(counts.iou, [1, 1])
    np.testing.assert_array_equal(counts.true_positive, [36, 20 * 10 - 18 * 8])
    multiclass = count_boundary(target[0], target[0], classes=2)
    assert multiclass.true_positive[1] == 36


def test_empty_rows_and_columns_around_change_no_distance():
    one, other = np.random.default_rng(0).random((2, 12, 17)) < 0.4
    close, far = contour_distances(one, other), contour_distances(np.pad(one, 9), np.pad(other, 9))
    np.testing.assert_array_equal(close.from_prediction, far.from_prediction)
    np.testing.assert_array_equal(close.from_target, far.from_target)
