"""Intervals: they cover a known truth as often as they say, alone, in groups, and for differences."""

import numpy as np
import pytest
from scipy.stats import bootstrap, norm, t

from perpixel.metrics import Counts, bootstrap_interval, paired_difference

SIMULATIONS = 1500


def covered(intervals, truth):
    return np.mean([one.low <= truth <= one.high for one in intervals])


@pytest.mark.slow
@pytest.mark.parametrize("images", [12, 60])
def test_intervals_of_a_mean_cover_the_truth(images):
    rng = np.random.default_rng(images)
    samples = rng.beta(8, 3, (SIMULATIONS, images))
    found = [bootstrap_interval(values, draws=500, seed=seed) for seed, values in enumerate(samples)]
    assert 0.93 <= covered(found, 8 / 11) <= 0.97


def pooled_counts(rng, images):
    """Images of very different sizes whose pixels of class 1 are hit with probability 0.8."""
    true = rng.integers(50, 500, images)
    hit = rng.binomial(true, rng.beta(16, 4, images))
    extra = rng.binomial(true, 0.1)
    return Counts(*(part[:, None] for part in (hit, extra, true - hit, 1000 - extra)))


def test_intervals_of_a_pooled_ratio_cover_the_truth():
    rng = np.random.default_rng(5)
    samples = [pooled_counts(rng, 40) for _ in range(SIMULATIONS)]
    found = [bootstrap_interval(one, lambda c: c.iou[:, 0], draws=500, seed=n) for n, one in enumerate(samples)]
    assert 0.93 <= covered(found, 0.8 / 1.1) <= 0.97


@pytest.mark.slow
def test_intervals_over_groups_cover_what_images_alone_miss():
    rng = np.random.default_rng(6)
    group = np.repeat(np.arange(25), 4)
    alone, together = [], []
    for seed in range(SIMULATIONS):
        values = 0.7 + 0.05 * rng.normal(size=25)[group] + 0.02 * rng.normal(size=100)
        alone.append(bootstrap_interval(values, draws=300, seed=seed))
        together.append(bootstrap_interval(values, groups=group.tolist(), draws=300, seed=seed))
    assert 0.93 <= covered(together, 0.7) <= 0.97
    assert covered(alone, 0.7) < 0.8


def test_intervals_of_a_difference_cover_the_truth():
    rng = np.random.default_rng(7)
    found = []
    for seed in range(SIMULATIONS):
        hardness = rng.normal(0, 0.2, 30)
        first, second = (0.6 + hardness + rng.normal(0, 0.03, 30) for _ in range(2))
        found.append(paired_difference(first, second + 0.05, draws=300, seed=seed))
    assert 0.93 <= covered(found, 0.05) <= 0.97
    assert np.mean([one.high - one.low for one in found]) < 0.05  # though the values spread over 0.8


def test_the_percentiles_are_scipys():
    values = np.random.default_rng(8).exponential(size=25)
    ours = bootstrap_interval(values, draws=20_000)
    tail = norm.cdf(np.sqrt(25 / 24) * t.ppf(0.025, 24))
    theirs = bootstrap(
        (values,), np.mean, confidence_level=1 - 2 * tail, n_resamples=20_000, method="percentile", rng=1
    ).confidence_interval
    assert ours.value == pytest.approx(values.mean())
    assert ours.low == pytest.approx(theirs.low, rel=0.02)
    assert ours.high == pytest.approx(theirs.high, rel=0.02)


def test_a_difference_of_counts_is_drawn_together():
    rng = np.random.default_rng(9)
    first = pooled_counts(rng, 30)
    same = paired_difference(first, first, lambda c: c.iou)
    assert same.value == same.low == same.high == 0
    confusions = rng.integers(1, 100, (2, 30, 3, 3))
    before, after = (Counts.of_confusion(part) for part in confusions)
    found = paired_difference(before, after, lambda c: c.mean_iou)
    assert found.value == pytest.approx(after.pooled.mean_iou - before.pooled.mean_iou)
    assert found.low < found.value < found.high
    assert bootstrap_interval(before, lambda c: c.iou).value.shape == (3,)


def test_undefined_values_are_left_out_and_too_few_images_give_no_interval():
    found = bootstrap_interval(np.array([[0.5, np.nan], [0.7, np.nan], [np.nan, np.nan]]))
    np.testing.assert_allclose(found.value, [0.6, np.nan])
    assert np.isnan(found.low[1])
    assert not np.isnan(found.low[0])
    single = bootstrap_interval(np.array([0.5]))
    assert single.value == 0.5
    assert np.isnan(single.low)
    assert np.isnan(single.high)


def test_draws_do_not_depend_on_how_many_are_made_at_once(monkeypatch):
    values = np.random.default_rng(10).random(50)
    whole = bootstrap_interval(values)
    monkeypatch.setattr("perpixel.metrics.intervals._DRAWN_AT_ONCE", 50 * 7)
    pieces = bootstrap_interval(values)
    assert pieces.low == pytest.approx(whole.low)
    assert pieces.high == pytest.approx(whole.high)
