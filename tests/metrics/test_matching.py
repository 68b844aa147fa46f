"""Instances matched: a value that adds, and empty images."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from perpixel.errors import DataError
from perpixel.metrics import count_instances


def test_images_without_objects():
    some, none = np.array([[1, 0, 2]]), np.zeros((1, 3), int)
    nothing = count_instances(none, none)
    scores = (nothing.mean_average_precision, nothing.panoptic_quality, nothing.aggregated_jaccard)
    assert np.isnan(scores).all()
    for found in (count_instances(none, some), count_instances(some, none)):
        assert found.mean_average_precision == found.panoptic_quality == found.aggregated_jaccard == 0
        assert found.count_error == 2


def test_counts_of_images_add():
    one, other = (
        count_instances(np.array([[1, 2]]), np.array([[1, 1]])),
        count_instances(np.array([[3]]), np.array([[7]])),
    )
    both = sum([one, other])
    assert both.predicted == 3
    assert both.true == 2
    assert both.count_error == 1
    assert both.average_precision[0] == 1 / 4
    assert both.aggregated_jaccard == (1 + 1) / (2 + 1 + 1)


@given(arrays(np.int64, (6, 7), elements=st.integers(0, 4)), st.permutations([10, 20, 30, 40]))
@settings(max_examples=40, deadline=None)
def test_an_object_is_itself_whatever_its_number(labels, numbers):
    renamed = np.array([0, *numbers])[labels]
    counts = count_instances(renamed, labels)
    number = len(np.unique(labels[labels > 0]))
    assert counts.true == counts.predicted == number
    assert (counts.true_positive == number).all()


def test_sizes_must_agree():
    with pytest.raises(DataError, match=r"The predicted objects are \(2, 2\) and the true ones \(3, 2\)"):
        count_instances(np.zeros((2, 2), int), np.zeros((3, 2), int))


def test_large_numbers_are_objects_like_small_ones():
    few, many = np.array([[0, 1, 1, 2]]), np.array([[0, 7, 7, 2**30]])
    assert count_instances(many, few).matched_iou == count_instances(few, few).matched_iou == 2
