import numpy as np
import torch

from perpixel.shapes import IGNORED
from perpixel.training.difficulty import Difficulty, tally_of


def known(wrong, labelled):
    counted = torch.tensor([wrong, labelled])
    return Difficulty(counted, torch.zeros_like(counted))


def test_of_nothing_nothing_is_known():
    assert Difficulty.of(3).errors is None
    assert Difficulty.of(3).made_known().errors is None
    assert Difficulty.of(0).plus(np.zeros((2, 0), np.int64)).made_known().errors is None


def test_what_is_counted_is_known_after_the_next_validation():
    counted = Difficulty.of(2).plus(np.array([[1, 2], [10, 10]])).plus(np.array([[2, 0], [10, 0]]))
    assert counted.errors is None
    np.testing.assert_array_equal(counted.made_known().errors, [3 / 20, 2 / 10])


def test_an_image_that_was_not_shown_keeps_what_was_known_of_it():
    later = known([1, 1, 0], [2, 4, 0]).plus(np.array([[0, 0, 0], [0, 8, 0]])).made_known()
    assert later.known.tolist() == [[1, 0, 0], [2, 8, 0]]
    assert later.growing.tolist() == [[0, 0, 0]] * 2
    np.testing.assert_array_equal(later.errors, [1 / 2, 0, 1 / 10])  # the last was never shown: the mean of all


def test_every_class_of_overlapping_labels_counts():
    truth = np.array([[[[0, 1]], [[1, IGNORED]]]], np.uint8)  # (1, 2, 1, 2)
    prediction = np.array([[[[1, 1]], [[0, 0]]]], bool)
    assert tally_of(prediction, truth, np.array([1]), 2).tolist() == [[0, 2], [0, 3]]


def test_views_of_the_same_image_add():
    truth = np.zeros((3, 4, 4), np.uint8)
    prediction = np.zeros_like(truth)
    prediction[0, 0], prediction[2, :2] = 1, 1
    assert tally_of(prediction, truth, np.array([1, 0, 1]), 3).tolist() == [[0, 12, 0], [16, 32, 0]]
