"""The scores of the ISBI 2012 challenge: do the regions between membranes come apart as they should?

A prediction of the inside is cut at a threshold, its connected regions are grown into the membranes between them
until they meet (border thinning, so a membrane's thickness does not count), and compared with the truth's regions
over the truth's inside pixels only.

The scores, the restriction to the truth's inside and regions of four neighbours are the paper's, and tested by its
definitions over pairs of pixels. The challenge's own program, an ImageJ plugin, is not run against them: where its
thinning leaves pixels of a border, it counts each as a region of its own; here none is left. So these scores are near
the challenge's table, but no entry for it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy import ndimage

from perpixel.errors import DataError
from perpixel.metrics.counts import Float64s
from perpixel.metrics.matching import NumberedArray, overlap_table
from perpixel.shapes import AnyArray, FloatArray

THRESHOLDS = np.arange(1, 20) / 20


@dataclass(frozen=True, eq=False)
class MembraneScores:
    """V_rand and V_info of one image, or their mean over images, at every threshold.

    Args:
        thresholds: (T,) float64.
        v_rand: (T,) float64 in 0..1.
        v_info: (T,) float64 in 0..1.
    """

    thresholds: Float64s
    v_rand: Float64s
    v_info: Float64s

    @classmethod
    def mean(cls, scores: Sequence[Self]) -> Self:
        """Average over images that were cut at the same thresholds."""
        v_rand, v_info = (np.mean([getattr(one, name) for one in scores], axis=0) for name in ("v_rand", "v_info"))
        return cls(scores[0].thresholds, v_rand, v_info)

    @property
    def best(self) -> tuple[float, float]:
        """The highest V_rand and the highest V_info over the thresholds, each at its own."""
        return float(self.v_rand.max()), float(self.v_info.max())


def membrane_scores(inside: FloatArray, target: AnyArray, thresholds: Float64s = THRESHOLDS) -> MembraneScores:
    """Score a map of the inside at every threshold.

    Args:
        inside: (H, W) float in 0..1, the probability of being inside a cell, not membrane.
        target: (H, W) bool, true inside.
        thresholds: (T,) inside where the probability is at least this.

    Raises:
        DataError: Sizes differ.

    Source: Arganda-Carreras et al. (2015), with four neighbours for regions.
    """
    if inside.shape != target.shape:
        raise DataError(
            f"The inside's probabilities are {inside.shape} and the target {target.shape}.",
            fix="bring both to the same size.",
        )
    truth = ndimage.label(target)[0]
    pairs = [rand_and_information(thin_borders(ndimage.label(inside >= cut)[0]), truth) for cut in thresholds]
    v_rand, v_info = np.array(pairs).reshape(-1, 2).T
    return MembraneScores(np.asarray(thresholds), v_rand, v_info)


def thin_borders(regions: NumberedArray) -> NumberedArray:
    """Give every pixel (H, W) of the border, 0, to the nearest region; all stays 0 without a region."""
    if not regions.any():
        return regions
    nearest = ndimage.distance_transform_edt(regions == 0, return_distances=False, return_indices=True)
    grown: NumberedArray = regions[tuple(nearest)]
    return grown


def rand_and_information(regions: NumberedArray, truth: NumberedArray) -> tuple[float, float]:
    """Compare two divisions of an image into regions, over the pixels where the truth is not 0.

    Args:
        regions: (H, W) integer, the proposal; every value is a region, 0 too.
        truth: (H, W) integer, 0 where not looked at.

    Returns:
        V_rand, Σ p_ij² / (½ Σ s_i² + ½ Σ t_j²), and V_info, I(S; T) / (½ H(S) + ½ H(T)); the entropies of one region
        are 0, and V_info is 1 where both are. NaN where the truth has no region.

    Source: Arganda-Carreras et al. (2015), equations for V_rand and V_info with α = ½.

    >>> halves = np.repeat([[1, 2]], 4, axis=1)
    >>> rand_and_information(halves, halves), rand_and_information(np.ones_like(halves), halves)
    ((1.0, 1.0), (0.6666666666666666, 0.0))
    """
    looked_at = truth != 0
    if not looked_at.any():
        return float("nan"), float("nan")
    shared = overlap_table(regions[looked_at], truth[looked_at]) / looked_at.sum()
    said, true = shared.sum(1), shared.sum(0)
    v_rand = 2 * (shared**2).sum() / ((said**2).sum() + (true**2).sum())
    entropies = _entropy(said) + _entropy(true)
    information = entropies - _entropy(shared)
    return float(v_rand), float(2 * information / entropies) if entropies > 0 else 1.0


def _entropy(shares: Float64s) -> float:
    some = shares[shares > 0]
    return float(-(some * np.log(some)).sum())
