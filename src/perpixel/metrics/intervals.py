"""How sure a number is: bootstrap intervals over images, or over groups of images that belong together.

Pooled figures follow from sums of counts and mean figures from a sum and a number, so a bootstrap draw is a weighted
sum of rows: all draws are one matrix product.
"""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from scipy.special import ndtr, stdtrit

from perpixel.metrics.counts import Counts, Float64s, Int64s
from perpixel.shapes import AnyArray

Statistic: TypeAlias = Callable[[Counts], Float64s]
"""A property of counts, such as lambda counts: counts.mean_iou."""

DRAWS = 2000
_DRAWN_AT_ONCE = 1 << 22


@dataclass(frozen=True)
class Interval:
    """A value and where it may lie; scalars, or arrays of one shape.

    Args:
        value: The figure of the whole sample.
        low: Lower end; NaN with fewer than two images (or groups).
        high: Upper end.
        level: The share of such intervals that hold the truth, such as 0.95.
    """

    value: Float64s
    low: Float64s
    high: Float64s
    level: float


def bootstrap_interval(
    sample: Counts | Float64s,
    statistic: Statistic | None = None,
    *,
    groups: Sequence[Hashable] | None = None,
    level: float = 0.95,
    draws: int = DRAWS,
    seed: int = 0,
) -> Interval:
    """Draw images (or groups) with replacement and see how the figure moves.

    Args:
        sample: Counts stacked along a first axis of images, for a pooled figure; or values (N, ...) of the images,
            for their mean, where NaN is left out.
        statistic: The pooled figure, from counts; needed for counts and meaningless for values.
        groups: (N,) the group of every image; groups are drawn whole.
        level: Coverage aimed at.
        draws: Bootstrap draws.
        seed: Seed of the draws.

    Returns:
        An expanded percentile interval: the percentiles are widened as Student's t is wider than the normal, so that
        few images do not look surer than they are.

    Source: Efron (1979); Hesterberg (2015), section 4.5, for the expansion.

    >>> found = bootstrap_interval(np.array([0.6, 0.8, 0.7, 0.9, 0.5]))
    >>> float(found.value), bool(found.low < 0.6), bool(found.high > 0.8)
    (0.7, True, True)
    """
    table, figure = _additive(sample, statistic)
    return _interval(_by_group(table, groups), figure, level, draws, seed)


def paired_difference(  # noqa: PLR0913 - the options of bootstrap_interval, and one sample more
    first: Counts | Float64s,
    second: Counts | Float64s,
    statistic: Statistic | None = None,
    *,
    groups: Sequence[Hashable] | None = None,
    level: float = 0.95,
    draws: int = DRAWS,
    seed: int = 0,
) -> Interval:
    """Compare two runs on the same images, in the same order: second − first; arguments as in `bootstrap_interval`.

    Both are drawn together, so what makes an image hard for both cancels. Of values, only the images where both are
    defined are compared.
    """
    if not isinstance(first, Counts) and not isinstance(second, Counts):
        return bootstrap_interval(second - first, groups=groups, level=level, draws=draws, seed=seed)
    table_1, figure_1 = _additive(first, statistic)
    table_2, figure_2 = _additive(second, statistic)
    assert len(table_1) == len(table_2), "both runs have the same images"
    cut = table_1.shape[1]

    def difference(sums: Float64s) -> Float64s:
        return figure_2(sums[:, cut:]) - figure_1(sums[:, :cut])

    return _interval(_by_group(np.hstack([table_1, table_2]), groups), difference, level, draws, seed)


def _additive(
    sample: Counts | Float64s, statistic: Statistic | None
) -> tuple[Float64s, Callable[[Float64s], Float64s]]:
    """A table (N, D) whose sums decide the figure, and the figure of sums (draws, D)."""
    if isinstance(sample, Counts):
        assert statistic is not None, "counts need a statistic"
        return _counts_table(sample), lambda sums: np.asarray(statistic(_counts_of(sums, sample)))
    values = np.asarray(sample, dtype=np.float64)
    flat = values.reshape(len(values), -1)
    table = np.hstack([np.nan_to_num(flat), ~np.isnan(flat)])

    def mean(sums: Float64s) -> Float64s:
        total, number = np.split(sums, 2, axis=1)
        with np.errstate(invalid="ignore"):
            return (total / number).reshape(len(sums), *values.shape[1:])

    return table, mean


def _counts_table(counts: Counts) -> Float64s:
    if counts.confusion is not None:
        return counts.confusion.reshape(len(counts.confusion), -1).astype(np.float64)
    parts = (counts.true_positive, counts.false_positive, counts.false_negative, counts.true_negative)
    return np.hstack(parts).astype(np.float64)


def _counts_of(sums: Float64s, like: Counts) -> Counts:
    whole: Int64s = sums.astype(np.int64)  # sums of integers, exact below 2**53
    if like.confusion is not None:
        return Counts.of_confusion(whole.reshape(-1, like.classes, like.classes))
    return Counts(*np.split(whole, 4, axis=1))


def _by_group(table: Float64s, groups: Sequence[Hashable] | None) -> Float64s:
    if groups is None:
        return table
    assert len(groups) == len(table), "one group for every image"
    places = {group: place for place, group in enumerate(dict.fromkeys(groups))}
    sums = np.zeros((len(places), table.shape[1]))
    np.add.at(sums, [places[group] for group in groups], table)
    return sums


def _interval(
    table: Float64s, figure: Callable[[Float64s], Float64s], level: float, draws: int, seed: int
) -> Interval:
    rows = len(table)
    value = figure(table.sum(0, keepdims=True))[0]
    if rows < 2:
        nothing = np.full_like(value, np.nan)
        return Interval(value, nothing, nothing, level)
    drawn = figure(_drawn_sums(table, draws, np.random.default_rng(seed)))
    tail = ndtr(np.sqrt(rows / (rows - 1)) * stdtrit(rows - 1, (1 - level) / 2))
    low, high = _quantiles(drawn, np.array([tail, 1 - tail]))
    return Interval(value, low, high, level)


def _drawn_sums(table: Float64s, draws: int, rng: np.random.Generator) -> Float64s:
    """Sums (draws, D) of as many rows as there are, drawn with replacement."""
    rows = len(table)
    at_once = max(1, _DRAWN_AT_ONCE // rows)
    sums = []
    for start in range(0, draws, at_once):
        number = min(at_once, draws - start)
        chosen = rng.integers(rows, size=(number, rows)) + np.arange(number)[:, None] * rows
        times = np.bincount(chosen.ravel(), minlength=number * rows).reshape(number, rows)
        sums.append(times.astype(np.float64) @ table)
    return np.vstack(sums)


def _quantiles(drawn: AnyArray, levels: Float64s) -> Float64s:
    """Quantiles along the first axis of what is defined; NaN where nothing is."""
    empty = np.isnan(drawn).all(0)
    return np.where(empty, np.nan, np.nanquantile(np.where(empty, 0, drawn), levels, axis=0))
