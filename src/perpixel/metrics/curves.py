"""Every threshold at once, in bounded memory: histograms of the probabilities of pixels in and out of a class.

The bins are [b/B, (b+1)/B) with B a power of two, so what a threshold of b/B says is exact, for every b. Between two
of them nothing is known but how many pixels lie there; what that can change of an area under a curve is computed from
the histogram itself and given beside it.
"""

from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
from scipy.special import digamma

from perpixel.errors import DataError
from perpixel.metrics.counts import Counts, Float64s, Int64s, ratio
from perpixel.shapes import IGNORED, AnyArray, FloatArray, TargetArray

BINS = 4096
CHUNK_PX = 1 << 20


@dataclass(frozen=True, eq=False)
class ThresholdCurves:
    """Pixels by class, truth and probability; values that add.

    Args:
        positives: (K, B) int64, pixels of class k whose probability lies in bin b.
        negatives: (K, B) int64, the other pixels that are not ignored.
        sums: (2, K) float64, the probabilities of either added up, exactly.
    """

    positives: Int64s
    negatives: Int64s
    sums: Float64s

    @classmethod
    def zero(cls, classes: int, bins: int = BINS) -> Self:
        """Nothing seen yet."""
        nothing = np.zeros((classes, bins), np.int64)
        return cls(nothing, nothing.copy(), np.zeros((2, classes)))

    def __add__(self, other: Self) -> Self:
        """Add bin by bin."""
        return type(self)(self.positives + other.positives, self.negatives + other.negatives, self.sums + other.sums)

    def __radd__(self, other: int) -> Self:
        """Let `sum` start from 0."""
        return self if other == 0 else NotImplemented

    @property
    def bins(self) -> int:
        """B."""
        return int(self.positives.shape[1])

    @property
    def thresholds(self) -> Float64s:
        """The thresholds (B,) at which everything is exact: b / B."""
        return np.arange(self.bins) / self.bins

    @property
    def counts(self) -> Counts:
        """The counts (B, K) of saying yes where the probability is at least the threshold; also ROC and PR points."""
        above, false = (part[:, ::-1].cumsum(1)[:, ::-1].T for part in (self.positives, self.negatives))
        return Counts(above, false, self.positives.sum(1) - above, self.negatives.sum(1) - false)

    def true_positive_rates(self, false_positive_rates: Float64s) -> Float64s:
        """The ROC curves as true positive rates (K, points) at rising rates in 0..1.

        NaN where a class has all pixels or none.

        >>> truth = np.array([[0, 1, 1, 0]], np.uint8)
        >>> p = np.array([[0.1, 0.8, 0.3, 0.6]])
        >>> threshold_curves(np.stack([1 - p, p]), truth).true_positive_rates(np.array([0.0, 0.75]))[1]
        array([0.5, 1. ])
        """
        counts = self.counts
        rates = np.full((self.positives.shape[0], len(false_positive_rates)), np.nan)
        for k, (false, true) in enumerate(zip((1 - counts.specificity).T, counts.recall.T, strict=True)):
            if np.isfinite(false).all() and np.isfinite(true).all():
                rates[k] = np.interp(false_positive_rates, np.append(0.0, false[::-1]), np.append(0.0, true[::-1]))
        return rates

    @property
    def auc(self) -> Float64s:
        """Area under the ROC curve (K,), a tie counting one half; within `auc_error` of the unbinned one."""
        below = self.negatives.cumsum(1) - self.negatives
        return self._per_pair(self.positives * (below + self.negatives / 2))

    @property
    def auc_error(self) -> Float64s:
        """Half the share of pairs (K,) that fall into one bin: the most that binning can move `auc`."""
        return self._per_pair(self.positives * (self.negatives / 2))

    @property
    def average_precision(self) -> Float64s:
        """Σ (step of recall) · precision over the thresholds (K,); within `average_precision_bounds`."""
        precision = np.nan_to_num(self.counts.precision.T)
        return ratio((self.positives * precision).sum(1), self.positives.sum(1))

    @property
    def average_precision_bounds(self) -> tuple[Float64s, Float64s]:
        """What average precision (K,) would be with every bin in its worst and in its best order."""
        counts = self.counts
        true, false = counts.true_positive.T, counts.false_positive.T
        before = true - self.positives  # true pixels above this bin
        worst = _sum_of_precisions(before, false, self.positives)
        best = _sum_of_precisions(before, false - self.negatives, self.positives)
        total = self.positives.sum(1)
        return ratio(worst.sum(1), total), ratio(best.sum(1), total)

    @property
    def soft_dice(self) -> Float64s:
        """Dice (K,) of the probabilities p themselves: 2 Σ p·y / (Σ p + Σ y), pooled over pixels; no binning.

        Source: Milletari et al. (2016), equation 1, with p in place of p² in the denominator.
        """
        true, other = self.sums
        return ratio(2 * true, true + other + self.positives.sum(1))

    def best_thresholds(self, score: Literal["iou", "dice"] = "iou") -> Float64s:
        """The threshold of each class (K,) with the highest score, of equals the nearest to 0.5.

        NaN where no pixel is of the class. Choose it on validation, never on the images that are scored.
        """
        scores = np.nan_to_num(getattr(self.counts, score), nan=-1.0)
        away = np.abs(self.thresholds - 0.5)[:, None]
        chosen = np.where(scores == scores.max(0), away, np.inf).argmin(0)
        return np.where(self.positives.any(1), self.thresholds[chosen], np.nan)

    def reliability(self, groups: int = 16) -> "Reliability":
        """How often a pixel is of class k where its probability says p; groups must divide B."""
        centres = self.thresholds + 0.5 / self.bins
        number = self.positives + self.negatives
        pixels, true, said = (
            part.reshape(len(part), groups, -1).sum(2) for part in (number, self.positives, number * centres)
        )
        return Reliability(pixels, ratio(said, pixels), ratio(true, pixels))

    @property
    def brier(self) -> Float64s:
        """The mean (K,) of (p − y)², each p at its bin's centre: within 1 / B of the unbinned mean."""
        centres = self.thresholds + 0.5 / self.bins
        squares = self.positives * (1 - centres) ** 2 + self.negatives * centres**2
        return ratio(squares.sum(1), (self.positives + self.negatives).sum(1))

    def _per_pair(self, pairs: Float64s) -> Float64s:
        return ratio(pairs.sum(1), self.positives.sum(1) * self.negatives.sum(1, dtype=np.float64))


@dataclass(frozen=True, eq=False)
class Reliability:
    """A reliability diagram.

    Args:
        pixels: (K, groups) int64.
        confidence: (K, groups) float64, the mean probability, within half a bin; NaN where there are no pixels.
        frequency: (K, groups) float64, the share of pixels that are of the class.
    """

    pixels: Int64s
    confidence: Float64s
    frequency: Float64s

    @property
    def expected_calibration_error(self) -> Float64s:
        """The mean over pixels (K,) of |confidence − frequency| of their group; within 1 / 2B of the unbinned one.

        Source: Naeini et al. (2015), equation 3, for each class against the rest.
        """
        gaps = np.nan_to_num(np.abs(self.confidence - self.frequency))
        return ratio((self.pixels * gaps).sum(1), self.pixels.sum(1))


def threshold_curves(probs: FloatArray, target: TargetArray, *, bins: int = BINS) -> ThresholdCurves:
    """Sort the pixels of one image or tile into bins of probability.

    Args:
        probs: (K, H, W) float in 0..1: softmax for multiclass labels, sigmoids for multilabel ones.
        target: (H, W) uint8 multiclass or (K, H, W) uint8 multilabel; IGNORED where unknown.
        bins: B, a power of two from 16 to 65,536.

    Returns:
        Histograms that add, 16 · K · B bytes however many pixels.

    Raises:
        DataError: Sizes differ, or a probability is NaN or outside 0..1.

    >>> truth = np.array([[0, 1, 1, 1]], np.uint8)
    >>> p = np.array([[0.1, 0.4, 0.8, 0.9]])
    >>> curves = threshold_curves(np.stack([1 - p, p]), truth)
    >>> curves.auc, curves.best_thresholds()[1].item()
    (array([1., 1.]), 0.39990234375)
    """
    assert bins in {1 << n for n in range(4, 17)}, "bins is a power of two from 16 to 65,536"
    if probs.shape[-2:] != target.shape[-2:] or probs.ndim != 3 or (target.ndim == 3 and probs.shape != target.shape):
        raise DataError(
            f"The probabilities are {probs.shape} and the target {target.shape}.",
            fix="give one layer of probabilities for each class, of the target's height and width.",
        )
    tables, sums = [], []
    for k, layer in enumerate(probs):
        truth, value = (target, k) if target.ndim == 2 else (target[k], 1)
        tables.append(_two_histograms(layer.ravel(), truth.ravel(), value, bins))
        sums.append([layer[truth == value].sum(dtype=np.float64), layer[truth != IGNORED].sum(dtype=np.float64)])
    negatives, positives = np.stack(tables, 1)
    true, every = np.array(sums).T
    return ThresholdCurves(positives, negatives, np.stack([true, every - true]))


def _two_histograms(probs: AnyArray, target: TargetArray, class_index: int, bins: int) -> Int64s:
    """Histograms (2, B) of the probabilities where the target is not, and is, the class; flat arrays."""
    table = np.zeros(3 * bins, np.int64)
    for start in range(0, probs.size, CHUNK_PX):
        p, truth = probs[start : start + CHUNK_PX], target[start : start + CHUNK_PX]
        if not (p.min() >= 0 and p.max() <= 1):
            raise DataError(
                f"Probabilities lie in 0..1; these span {p.min()} to {p.max()}.",
                fix="apply softmax or sigmoid to the logits first, and look for NaN in the model's output.",
            )
        codes = np.minimum(p * p.dtype.type(bins), bins - 1).astype(np.int64)
        codes += (truth == class_index) * np.int64(bins)
        codes += (truth == IGNORED) * np.int64(2 * bins)
        table += np.bincount(codes, minlength=table.size)
    return table.reshape(3, bins)[:2]


def _sum_of_precisions(true: Int64s, false: Int64s, joining: Int64s) -> Float64s:
    """Σ_{i=1..n} (true + i) / (true + false + i), the precisions as n true pixels join; a difference of digammas."""
    total = true + false
    sums: Float64s = joining - false * (digamma(total + joining + 1) - digamma(total + 1))
    return sums
