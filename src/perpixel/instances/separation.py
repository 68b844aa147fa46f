"""Objects that touch, cut apart at their necks by the watershed of the distance to their edge.

Each pixel climbs to the summit of its basin. Two basins stay one object unless the pass between them is at most
NECK times as high as the lower of their two summits: where an object narrows to three quarters of its lesser side.
The rule knows no size in pixels. It sees a connected region as a whole, so the tiles of a prediction cannot matter.

Source: Cousty, Bertrand, Najman and Couprie (2009), Watershed cuts: minimum spanning forests and the drop of water
principle. Basins are joined in the order of their passes: Edelsbrunner, Letscher and Zomorodian (2002), Topological
persistence and simplification.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from perpixel.geometry.components import RegionFinder, Regions
from perpixel.language.notices import LOGGER

NECK: Final = 0.75

LARGEST_PX: Final = 2**22
"""A region whose box holds more pixels stays whole, and that is reported: it is held in memory to be cut."""

SMALLEST_PX: Final = 9
"""Regions of fewer pixels have no neck: the least that has one is two crosses of five pixels that share an arm."""

ROWS_AT_ONCE: Final = 64


def separated(regions: Regions, numbers: NDArray[np.int64]) -> tuple[Regions, NDArray[np.int64]]:
    """Cut regions into parts.

    Args:
        regions: All regions of a map.
        numbers: The number of each run's region, as `Regions.numbers` gives them; 0 for those that do not count.

    Returns:
        The parts as regions of a map of their own, whose values are the parts' numbers from 1; and by this number the
        value that each part had in the first map.
    """
    pixels = np.bincount(numbers, np.diff(regions.starts))
    is_whole = (pixels[numbers] < SMALLEST_PX) | (numbers == 0)
    starts, parts = [regions.starts[:-1][is_whole]], [numbers[is_whole]]
    values = np.zeros(len(pixels), np.int64)
    values[numbers] = np.where(numbers > 0, regions.values, 0)
    more = [values]
    count = len(pixels)
    order = np.argsort(numbers, kind="stable")
    order = order[~is_whole[order]]
    for runs in np.split(order, np.flatnonzero(np.diff(numbers[order])) + 1) if len(order) else ():
        begin, part = _cut(regions, runs)
        starts.append(begin)
        parts.append(part + count - 1)
        more.append(np.full(part.max(), regions.values[runs[0]]))
        count += int(part.max())
    begin, part = np.concatenate(starts), np.concatenate(parts)
    order = np.argsort(begin)
    begin = np.append(begin[order], regions.starts[-1])
    has_outlines = regions.edges.shape[1] > 0
    return _found(begin, part[order], regions.width, outlines=has_outlines), np.concatenate(more)


def parts_of(mask: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Cut one connected region at its necks.

    Args:
        mask: (h, w), the region in its box; beyond the box nothing belongs to it.

    Returns:
        (h, w) part numbers from 1 in the order of their first pixels; 0 outside.
    """
    from scipy.ndimage import distance_transform_edt

    height = distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1]
    summit = _summits(height, mask)
    top = height.ravel()
    group = _joined(summit, top)
    part = np.zeros(mask.shape, np.int64)
    _, first, inverse = np.unique(group[summit[mask]], return_index=True, return_inverse=True)
    number = np.empty(len(first), np.int64)
    number[np.argsort(first)] = np.arange(1, len(first) + 1)
    part[mask] = number[inverse]
    return part


def can_be_cut(mask: NDArray[np.bool_]) -> bool:
    """Whether a region (h, w) in its box is large enough to have a neck, and small enough to be cut."""
    return int(mask.sum()) >= SMALLEST_PX and not _is_too_large(*mask.shape)


def _is_too_large(height: int, width: int) -> bool:
    """Whether a region's box is too large to be held; that is reported."""
    if height * width <= LARGEST_PX:
        return False
    LOGGER.warning(
        f"one region of {height:,} × {width:,} pixels is not cut into objects: it is too large to be held."
    )
    return True


def _summits(height: NDArray[np.float64], mask: NDArray[np.bool_]) -> NDArray[np.int64]:
    """The pixel (counted row after row) that each pixel climbs to, always to its highest neighbour by a side.

    Of equal heights the first pixel counts as the higher one.
    """
    rank = np.full(mask.size, mask.size)
    inside = np.flatnonzero(mask)
    order = inside[np.argsort(-height.ravel()[inside], kind="stable")]
    rank[order] = np.arange(len(order))
    padded = np.pad(rank.reshape(mask.shape), 1, constant_values=mask.size)
    around = [padded[1:-1, 1:-1], padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:]]
    best = np.minimum.reduce(around)
    climb = np.append(order, mask.size)  # by rank, the pixel
    upward: NDArray[np.int64] = np.where(mask.ravel(), climb[np.minimum(best.ravel(), len(order))], 0)
    while (further := upward[upward]).tobytes() != upward.tobytes():
        upward = further
    return upward.reshape(mask.shape)


def _joined(summit: NDArray[np.int64], top: NDArray[np.float64]) -> NDArray[np.int64]:
    """By summit, the highest summit of the part that it belongs to."""
    leader = np.arange(top.size)

    def highest(one: int) -> int:
        while leader[one] != one:
            leader[one] = leader[leader[one]]
            one = int(leader[one])
        return one

    passes = _passes(summit, top)
    for saddle, one, other in passes:
        low, high = sorted((highest(one), highest(other)), key=lambda pixel: (top[pixel], -pixel))
        if low != high and saddle > NECK * top[low]:
            leader[low] = high
    for one in {pixel for _, *pair in passes for pixel in pair}:
        leader[one] = highest(one)
    return leader


def _passes(summit: NDArray[np.int64], top: NDArray[np.float64]) -> list[tuple[float, int, int]]:
    """The highest pass between each two basins that touch, and their summits; the highest passes first."""
    height = top.reshape(summit.shape)
    found = []
    for near, far in (np.s_[:-1, :], np.s_[1:, :]), (np.s_[:, :-1], np.s_[:, 1:]):
        saddle = np.minimum(height[near], height[far])
        touch = (summit[near] != summit[far]) & (saddle > 0)
        found.append(np.stack([-saddle[touch], *np.sort([summit[near][touch], summit[far][touch]], axis=0)]))
    down, one, other = np.concatenate(found, axis=1)
    order = np.lexsort((other, one, down))
    _, highest = np.unique(one[order] * top.size + other[order], return_index=True)
    order = order[np.sort(highest)]
    return list(zip(-down[order], one[order].astype(int), other[order].astype(int), strict=True))


def _cut(regions: Regions, runs: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Cut the region of these runs; give where its new runs begin in the map, and their parts from 1."""
    begin, end = regions.starts[runs], regions.starts[runs + 1]
    row, left, width = begin // regions.width, begin % regions.width, end - begin
    corner = row.min(), left.min()
    box = int(row.max() - corner[0] + 1), int((left + width).max() - corner[1])
    if _is_too_large(*box):
        return begin, np.ones(len(begin), np.int64)
    flat = (row - corner[0]) * box[1] + left - corner[1]
    change = np.zeros(box[0] * box[1] + 1, np.int8)
    np.add.at(change, flat, 1)
    np.add.at(change, flat + width, -1)
    part = parts_of(np.cumsum(change[:-1], dtype=np.int8).reshape(box).astype(bool))
    before = np.pad(part, [(0, 0), (1, 0)])[:, :-1]
    y, x = np.nonzero((part != before) & (part > 0))
    return (y + corner[0]) * regions.width + x + corner[1], part[y, x]


def _found(starts: NDArray[np.int64], parts: NDArray[np.int64], width: int, *, outlines: bool) -> Regions:
    """The regions of a map of parts, given by its runs."""
    finder = RegionFinder(width, nothing=0, outlines=outlines)
    height = int(starts[-1]) // width
    for top in range(0, height, ROWS_AT_ONCE):
        bottom = min(top + ROWS_AT_ONCE, height)
        first = int(np.searchsorted(starts, top * width, side="right")) - 1
        last = int(np.searchsorted(starts, bottom * width))
        lengths = np.diff(np.clip(starts[first : last + 1], top * width, bottom * width)).astype(np.int64)
        finder.add(np.repeat(parts[first:last], lengths).reshape(bottom - top, width))
    return finder.finish()
