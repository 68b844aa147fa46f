"""Means written as a sum over a sum, so that they can be taken over all ranks of a distributed run."""

from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import Tensor

Reduce: TypeAlias = Callable[[Tensor], Tensor]
"""A differentiable sum over ranks, as torch.distributed.nn.functional.all_reduce; by default the tensor itself."""


def here(sums: Tensor) -> Tensor:
    """The sum over one rank: the tensor itself."""
    return sums


def ratio_over_ranks(numerator: Tensor, denominator: Tensor, reduce: Reduce) -> Tensor:
    """Divide two scalars after summing each over ranks; 0 (with a zero gradient) where nothing was counted."""
    top, bottom = reduce(torch.stack([numerator, denominator.to(numerator)]))
    quotient: Tensor = top / bottom.where(bottom > 0, 1)
    return quotient


def mean_of_terms(terms: Tensor, counted: Tensor, reduce: Reduce) -> Tensor:
    """Average terms (rows, C) over the counted channels of a row, then over the rows that have any.

    Args:
        terms: (rows, C) float; a row is an image or the whole batch.
        counted: (rows, C) bool.
        reduce: Sum over ranks, applied to the rows' sum and number.

    >>> mean_of_terms(torch.tensor([[1.0, 3.0], [8.0, 9.0]]), torch.tensor([[True, True], [True, False]]), here)
    tensor(5.)
    """
    number = counted.sum(1)
    rows = (terms * counted).sum(1) / number.clamp(min=1)
    return ratio_over_ranks(rows.sum(), (number > 0).sum(), reduce)
