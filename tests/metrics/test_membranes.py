"""Membrane scores: thinning, thresholds, and the ends of the scale."""

import numpy as np
import pytest

from perpixel.errors import DataError
from perpixel.metrics import MembraneScores, membrane_scores
from perpixel.metrics.membranes import rand_and_information, thin_borders


def cells(width=1):
    """Two cells, and the membrane of some width between them."""
    inside = np.ones((20, 41), bool)
    inside[:, 20 - width // 2 : 21 + width // 2] = False
    return inside


def test_a_membranes_thickness_does_not_count():
    for width in (1, 5, 9):
        scores = membrane_scores(cells(width).astype(float), cells())
        assert scores.best == (1, 1)


def test_a_gap_merges_cells_and_costs_both_scores():
    leaky = cells().astype(float)
    leaky[10, 20] = 0.6
    scores = membrane_scores(leaky, cells(), np.array([0.5, 0.7]))
    np.testing.assert_allclose(scores.v_rand, [2 / 3, 1])
    np.testing.assert_allclose(scores.v_info, [0, 1], atol=1e-12)


def test_means_are_taken_before_the_best():
    first, second = (MembraneScores(np.array([0.3, 0.6]), np.array(v), np.array(v)) for v in ([0.2, 0.8], [0.9, 0.5]))
    assert MembraneScores.mean([first, second]).best == pytest.approx((0.65, 0.65))


def test_thinning_gives_the_border_to_the_nearest_region():
    np.testing.assert_array_equal(thin_borders(np.array([[1, 0, 0, 0, 2]]))[0, [1, 3]], [1, 2])
    assert not thin_borders(np.zeros((2, 2), int)).any()


def test_the_ends_of_the_scale():
    whole = np.ones((3, 4), int)
    assert rand_and_information(whole, whole) == (1, 1)
    assert np.isnan(rand_and_information(whole, 0 * whole)).all()


def test_sizes_must_agree():
    with pytest.raises(DataError, match=r"The inside's probabilities are \(2, 3\) and the target \(3, 3\)"):
        membrane_scores(np.zeros((2, 3)), np.zeros((3, 3), bool))
