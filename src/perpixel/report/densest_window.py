"""Where a picture holds most of something."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

SEARCHED_PX: Final = 1 << 20
"""Larger pictures are searched at every second, third … pixel."""


def densest_window(places: NDArray[np.bool_], side_px: int) -> tuple[int, slice, slice] | None:
    """Count, rows and columns of the square window that holds most of the places (H, W); None where there are none.

    >>> densest_window(np.eye(4, dtype=bool)[:, ::-1] & (np.arange(4) < 2), 2)
    (2, slice(2, 4, None), slice(0, 2, None))
    """
    step = max(1, round((places.size / SEARCHED_PX) ** 0.5))
    seen = places[::step, ::step]
    if not seen.any():
        return None
    height, width = (max(1, min(side_px // step, side)) for side in seen.shape)
    sums = np.pad(seen.astype(np.int64).cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    inside = sums[height:, width:] - sums[:-height, width:] - sums[height:, :-width] + sums[:-height, :-width]
    row, column = (int(place) * step for place in np.unravel_index(int(inside.argmax()), inside.shape))
    rows, columns = slice(row, row + height * step), slice(column, column + width * step)
    return int(places[rows, columns].sum()), rows, columns
