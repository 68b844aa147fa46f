"""The F score with any weight of recall."""

from math import inf
from typing import Annotated

from perpixel.metrics.counts import Counts, Float64s, ratio
from perpixel.runtime.function_options import Range


def f_score(counts: Counts, *, beta: Annotated[float, Range(0, inf)] = 2.0) -> Float64s:
    """(1 + β²) TP / ((1 + β²) TP + β² FN + FP), (..., K); β = 1 is Dice. van Rijsbergen (1979), chapter 7.

    Args:
        counts: (..., K).
        beta: How many times more important recall is than precision.
    """
    both = (1 + beta**2) * counts.true_positive
    return ratio(both, both + beta**2 * counts.false_negative + counts.false_positive)
