"""Threshold curves: histograms that add, exact at their thresholds, honest about the rest."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perpixel.errors import DataError
from perpixel.metrics import ThresholdCurves, count, threshold_curves
from perpixel.metrics.curves import CHUNK_PX
from perpixel.shapes import IGNORED


def example(seed=0, shape=(40, 30)):
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(3, *shape)).astype(np.float32)
    target = rng.integers(0, 3, shape).astype(np.uint8)
    target[rng.random(shape) < 0.2] = IGNORED
    probs = np.exp(logits) / np.exp(logits).sum(0)
    return probs, target


@pytest.mark.parametrize("at", [0, 1000, 2048, 4095])
def test_counts_at_a_threshold_are_the_counts_of_the_mask(at):
    probs, target = example()
    counts = threshold_curves(probs, target).counts[at]
    one_hot = np.where(target == IGNORED, IGNORED, target == np.arange(3)[:, None, None]).astype(np.uint8)
    mask = (probs >= at / 4096).astype(np.uint8)
    assert counts == count(mask, one_hot, classes=3, kind="multilabel")
    assert counts == threshold_curves(probs, one_hot).counts[at]


@given(st.lists(st.integers(1, 39), max_size=4), st.randoms())
@settings(max_examples=20, deadline=None)
def test_any_tiling_in_any_order_adds_to_the_same(cuts, random):
    probs, target = example()
    edges = sorted({0, *cuts, 40})
    tiles = [slice(a, b) for a, b in zip(edges, edges[1:], strict=False)]  # noqa: RUF007
    random.shuffle(tiles)
    total = sum(threshold_curves(probs[:, tile], target[tile]) for tile in tiles)
    whole = threshold_curves(probs, target)
    np.testing.assert_array_equal(total.positives, whole.positives)
    np.testing.assert_array_equal(total.negatives, whole.negatives)
    np.testing.assert_array_equal((total + ThresholdCurves.zero(3)).negatives, whole.negatives)


def test_chunks_make_no_difference():
    p = np.random.default_rng(1).random((1, 3, CHUNK_PX // 2 + 7), dtype=np.float32)
    target = (p > 0.3).astype(np.uint8)
    curves = threshold_curves(p, target)
    expected = np.histogram(p[target == 1], bins=4096, range=(0, 1))[0]
    np.testing.assert_array_equal(curves.positives[0], expected)
    assert curves.auc_error[0] < 1e-3


def test_the_best_threshold_is_the_best_and_the_nearest_to_half():
    p = np.array([[[0.1, 0.3, 0.9]]])
    curves = threshold_curves(p, np.array([[[0, 0, 1]]], np.uint8))
    assert curves.best_thresholds() == curves.best_thresholds("dice") == 0.5
    curves = threshold_curves(p, np.array([[[0, 1, 1]]], np.uint8))
    assert curves.best_thresholds()[0] == np.floor(0.3 * 4096) / 4096
    assert np.isnan(threshold_curves(p, np.zeros((1, 1, 3), np.uint8)).best_thresholds())


def test_certain_probabilities_fall_into_the_last_bin():
    curves = threshold_curves(np.ones((1, 1, 2)), np.array([[[0, 1]]], np.uint8), bins=16)
    assert curves.positives[0, -1] == curves.negatives[0, -1] == 1
    assert curves.auc == curves.auc_error == 0.5


def test_undefined_is_nan():
    nothing = ThresholdCurves.zero(2)
    for value in (nothing.auc, nothing.average_precision, nothing.brier):
        assert np.isnan(value).all()
    assert np.isnan(nothing.reliability().expected_calibration_error).all()
    assert np.isnan(nothing.reliability().frequency).all()


def test_a_perfectly_calibrated_map_has_no_calibration_error():
    p = np.full((1, 100, 100), 0.25)
    truth = np.zeros((1, 100, 100), np.uint8)
    truth[0, :25] = 1
    curves = threshold_curves(p, truth)
    assert curves.reliability().expected_calibration_error[0] <= 1 / (2 * 4096)
    assert curves.brier[0] == pytest.approx(0.25 * 0.75, abs=1 / 4096)


@pytest.mark.parametrize("value", [np.nan, 1.5, -0.25])
def test_what_is_no_probability_is_refused(value):
    probs, target = example()
    probs[1, 2, 3] = value
    with pytest.raises(DataError, match=r"(?s)Probabilities lie in 0..1; these span.*Fix: apply softmax or sigmoid"):
        threshold_curves(probs, target)


def test_sizes_must_agree():
    probs, target = example()
    with pytest.raises(DataError, match=r"The probabilities are \(3, 40, 30\) and the target \(39, 30\)"):
        threshold_curves(probs, target[1:])
    with pytest.raises(DataError, match="one layer of probabilities for each class"):
        threshold_curves(probs, target[None])
