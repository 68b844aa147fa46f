"""Outlines as rings of corners: area, straight parts, and simplification that opens no gap between neighbours."""

from itertools import pairwise
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

PixelRing: TypeAlias = NDArray[np.int64]
"""Corners (x, y) of a closed line in pixels from the upper left, (n, 2); the first is not repeated."""


def doubled_area(ring: PixelRing) -> int:
    """Twice the area inside, positive where the ring runs clockwise on the screen.

    >>> doubled_area(np.array([(0, 0), (3, 0), (3, 2), (0, 2)]))
    12
    """
    x, y = ring.T
    return int((x * np.roll(y, -1) - y * np.roll(x, -1)).sum())


def without_straights(ring: PixelRing) -> PixelRing:
    """The ring without the points at which it goes straight on.

    >>> without_straights(np.array([(0, 0), (1, 0), (3, 0), (3, 2), (0, 2)])).tolist()
    [[0, 0], [3, 0], [3, 2], [0, 2]]
    """
    before, after = ring - np.roll(ring, 1, 0), np.roll(ring, -1, 0) - ring
    turns = before[:, 0] * after[:, 1] != before[:, 1] * after[:, 0]
    return np.asarray(ring[turns])


def simplified(ring: PixelRing, is_fixed: NDArray[np.bool_], tolerance_px: float) -> PixelRing:
    """Leave out corners, so that the line stays within a distance of where it was.

    The line between two fixed corners is simplified the same whichever way it is walked, so two regions that share
    it keep sharing it.

    Args:
        ring: (n, 2) corners.
        is_fixed: (n,) corners that stay.
        tolerance_px: Greatest distance between a corner and the new line.

    Source: Douglas and Peucker (1973), Algorithms for the reduction of the number of points.
    """
    fixed = np.flatnonzero(is_fixed)
    first = int(fixed[0]) if len(fixed) else _least(ring)
    ring = np.roll(ring, -first, axis=0)
    closed = np.concatenate([ring, ring[:1]])
    stops = [*((fixed - first) if len(fixed) else [0]), len(ring)]
    lines = [_line(closed[a : b + 1], tolerance_px)[:-1] for a, b in pairwise(stops)]
    return np.concatenate(lines)


def _line(points: PixelRing, tolerance_px: float) -> PixelRing:
    """Simplify an open line, or one that returns to its start; walked in the same way from either end."""
    if tuple(points[0]) == tuple(points[-1]):
        middle = _farthest(points)
        return np.concatenate([_line(points[: middle + 1], tolerance_px)[:-1], _line(points[middle:], tolerance_px)])
    if tuple(points[0]) > tuple(points[-1]):
        return _line(points[::-1], tolerance_px)[::-1]
    keep = np.zeros(len(points), bool)
    keep[[0, -1]] = True
    parts = [(0, len(points) - 1)]
    while parts:
        a, b = parts.pop()
        if b - a < 2:
            continue
        distances = _distances(points[a + 1 : b], points[a], points[b])
        worst = int(distances.argmax())
        if distances[worst] > tolerance_px:
            middle = a + 1 + worst
            keep[middle] = True
            parts += [(a, middle), (middle, b)]
    return points[keep]


def _distances(points: PixelRing, start: NDArray[np.int64], end: NDArray[np.int64]) -> NDArray[np.float64]:
    """Distance of each point to the segment from start to end, which differ."""
    along, offset = end - start, points - start
    share = np.clip(offset @ along / (along @ along), 0, 1)
    return np.asarray(np.hypot(*(offset - share[:, None] * along).T))


def _farthest(points: PixelRing) -> int:
    """The point farthest from the first; of several the least by x and y, so that the direction does not matter."""
    squares = ((points - points[0]) ** 2).sum(axis=1)
    candidates = np.flatnonzero(squares == squares.max())
    return int(candidates[_least(points[candidates])])


def _least(points: PixelRing) -> int:
    return int(np.lexsort(points.T[::-1])[0])
