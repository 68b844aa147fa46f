"""Weights of classes: against scikit-learn's where they mean the same, and at their limits."""

import numpy as np
import pytest
from sklearn.utils.class_weight import compute_class_weight

from perpixel.errors import SettingsError
from perpixel.losses import median_frequency, positive_weight, weights_by_class
from perpixel.losses.balance import LARGEST


def test_median_frequency_is_scikit_learn_but_for_the_unit():
    """Where every image holds every class; its classes weigh 1 together on the mean, here the median class does."""
    pixels = np.repeat(np.arange(5), [500, 300, 90, 80, 30])
    theirs = compute_class_weight("balanced", classes=np.arange(5), y=pixels)
    ours = median_frequency((np.bincount(pixels) / len(pixels)).tolist())
    np.testing.assert_allclose(ours, theirs / theirs[2], rtol=1e-12)


def test_true_pixels_weigh_as_much_as_false_ones_together():
    shares = np.array([0.9, 0.5, 0.05])
    np.testing.assert_allclose(shares * positive_weight(shares.tolist()), 1 - shares, rtol=1e-12)


@pytest.mark.parametrize("weigh", [median_frequency, positive_weight])
def test_no_class_weighs_beyond_the_limits_and_an_absent_one_weighs_1(weigh):
    weights = weigh([1.0, 0.5, 0.5, 1e-9, 0.0])
    assert weights[3:] == [LARGEST, 1.0]
    assert all(1 / LARGEST <= weight <= LARGEST for weight in weights)
    assert weigh([0.0, 0.0]) == [1.0, 1.0]


def test_a_class_that_covers_everything_still_counts():
    assert positive_weight([1.0]) == [1 / LARGEST]


def test_classes_that_there_are_not_are_told_all_at_once():
    message = r"A weight is given for the class 'cel', which there is not.\nFix: did you mean cell\?"
    with pytest.raises(SettingsError, match=message) as caught:
        weights_by_class({"cel": 2.0, "grund": 1.0, "cell": 3.0}, ("ground", "cell"))
    assert len(caught.value.problems) == 2
