"""Baselines: the counts that the blind predictors really get."""

import numpy as np
import pytest

from perpixel.metrics import Counts, baselines, count


def test_background_and_majority_are_what_their_masks_score():
    rng = np.random.default_rng(0)
    target = rng.choice(3, (4, 20, 20), p=[0.3, 0.5, 0.2]).astype(np.uint8)
    images = Counts.stack([count(np.roll(one, 1), one, classes=3, kind="multiclass") for one in target])
    found = baselines(images)
    for name, value in (("background", 0), ("majority", 1)):
        for n in range(4):
            blind = np.full_like(target[n], value)
            assert found[name][n] == count(blind, target[n], classes=3, kind="multiclass")


def test_prior_is_what_drawing_at_random_scores_on_average():
    counts = Counts.of_confusion(np.array([[0, 800, 0], [0, 0, 150], [50, 0, 0]]))
    assert baselines(counts)["prior"].pixel_accuracy == pytest.approx(0.8**2 + 0.15**2 + 0.05**2, abs=0.002)


def test_overlapping_baselines_take_each_class_alone():
    rng = np.random.default_rng(1)
    target = (rng.random((2, 30, 30)) < np.array([0.7, 0.2])[:, None, None]).astype(np.uint8)
    counts = count(np.zeros_like(target), target, classes=2, kind="multilabel")
    found = baselines(counts)
    assert found["background"] == counts
    most = np.stack([np.ones((30, 30), np.uint8), np.zeros((30, 30), np.uint8)])
    assert found["majority"] == count(most, target, classes=2, kind="multilabel")
    share = target.mean((1, 2))
    np.testing.assert_allclose(found["prior"].recall, share, atol=0.01)
    np.testing.assert_allclose(found["prior"].specificity, 1 - share, atol=0.01)


@pytest.mark.parametrize("kind", ["multiclass", "multilabel"])
def test_nothing_counted_has_empty_baselines(kind):
    nothing = Counts.zero(2, kind)
    assert all(found == nothing for found in baselines(nothing).values())
