"""The outline of a region exactly along the edges of its pixels, as rings and as run lengths."""

import numpy as np
from numpy.typing import NDArray

from perpixel.geometry.polygons import PixelRing, doubled_area, without_straights
from perpixel.shapes import AnyArray

STEPS = ((1, 0), (0, 1), (-1, 0), (0, -1))
"""Right, down, left, up: turning right is one further."""


def rings_of(mask: AnyArray) -> list[PixelRing]:
    """The outer ring and the holes of one region of pixels that touch with their sides.

    Args:
        mask: (H, W), not zero inside.

    Returns:
        Rings of corners (x, y), the outer one first; filled by the even-odd rule they hold the region's pixels.

    >>> [ring.tolist() for ring in rings_of(np.array([[0, 1], [0, 1]]))]
    [[[1, 0], [2, 0], [2, 2], [1, 2]]]
    """
    ways = _edges(np.pad(np.asarray(mask, bool), 1))
    rings = []
    while ways:
        start = next(iter(ways))
        corners, at, step = [], start, min(ways[start])
        while True:
            ways[at].remove(step)
            if not ways[at]:
                del ways[at]
            corners.append(at)
            at = (at[0] + STEPS[step][0], at[1] + STEPS[step][1])
            if at == start:
                break
            ahead = ways[at]
            step = (step + 1) % 4 if (step + 1) % 4 in ahead else min(ahead)
        rings.append(without_straights(np.array(corners)))
    return sorted(rings, key=lambda ring: -abs(doubled_area(ring)))


def _edges(padded: NDArray[np.bool_]) -> dict[tuple[int, int], set[int]]:
    """The directions in which edges leave each corner (x, y), the region to their right."""
    ways: dict[tuple[int, int], set[int]] = {}
    inside = padded[1:-1, 1:-1]
    sides = (
        (inside & ~padded[:-2, 1:-1], (0, 0)),  # above: from the upper left corner to the right
        (inside & ~padded[1:-1, 2:], (1, 0)),  # right: down
        (inside & ~padded[2:, 1:-1], (1, 1)),  # below: to the left
        (inside & ~padded[1:-1, :-2], (0, 1)),  # left: up
    )
    for step, (edge, (dx, dy)) in enumerate(sides):
        for row, column in np.argwhere(edge).tolist():
            ways.setdefault((column + dx, row + dy), set()).add(step)
    return ways


def one_ring(rings: list[PixelRing]) -> PixelRing:
    """One ring that goes to each hole and back, for formats without holes; the even-odd rule fills it the same.

    The ways to the holes run along edges of pixels, first up or down, then across, so that they hold no centre.
    """
    outer, *holes = rings
    (x, y), *_ = outer.tolist()
    whole = outer.tolist()
    for hole in holes:
        corners = hole.tolist()
        between = [x, corners[0][1]]
        whole += [[x, y], between, *corners, corners[0], between]
    return np.array([*whole, [x, y]]) if holes else outer


def runs_in(mask: AnyArray, top: int, left: int, height: int, width: int) -> list[int]:
    """COCO's run lengths, down the columns of an image of that size, of a piece (h, w) that lies in it.

    >>> runs_in(np.array([[1, 1]]), 1, 0, 2, 3)
    [1, 1, 1, 1, 2]
    """
    rows, columns = np.nonzero(np.asarray(mask).T)[::-1]
    places = (columns + left) * height + rows + top  # in order down the columns
    breaks = np.flatnonzero(np.diff(places) != 1) + 1
    starts = places[np.concatenate([[0], breaks])]
    ends = places[np.concatenate([breaks - 1, [len(places) - 1]])] + 1
    bounds = np.concatenate([[0], np.stack([starts, ends], axis=1).ravel(), [height * width]])
    return [int(length) for length in np.diff(bounds)]
