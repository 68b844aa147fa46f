"""Connected regions of a map that comes row by row, and their outlines along the edges of the pixels.

A region is a largest set of pixels of one value that touch at their sides. Kept are runs (stretches of one value
within a row) and edges between values; so memory goes with the length of all borders, never with the area.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from perpixel.geometry.polygons import PixelRing, doubled_area, simplified, without_straights
from perpixel.shapes import IGNORED, WholeArray

NumberArray: TypeAlias = WholeArray

ROWS_AT_ONCE = 64

FEW_RUNS = 100_000
"""Up to so many are joined by NumPy, for scipy's graphs take 0.4 s of a processor to load."""

BEYOND = ((-1, 0), (0, 1), (1, 0), (0, -1))
"""Step (row, column) over each side of a pixel: top, right, bottom, left."""
AHEAD = ((0, 1), (1, 0), (0, -1), (-1, 0))
"""Step to the pixel ahead, where each side is walked with its pixel on the right."""
CORNERS = np.array([(1, 0), (1, 1), (0, 1), (0, 0)])
"""Where each side ends, (x, y) from the pixel's upper left."""


@dataclass(frozen=True)
class Region:
    """One region with its outline.

    Args:
        number: From 1, in the order of the regions' first pixels.
        value: The value that its pixels have.
        pixels: How many they are.
        rings: The outer ring, clockwise on the screen, then the holes, counter-clockwise.
    """

    number: int
    value: int
    pixels: int
    rings: list[PixelRing]


@dataclass
class RegionFinder:
    """Takes a map of class indices, or of other numbers, from top to bottom and finds its regions.

    Args:
        width: Pixels in a row.
        nothing: The value that belongs to no region.
        outlines: Whether `Regions.outlined` will be asked for; without, it is faster.
    """

    width: int
    nothing: int = IGNORED
    outlines: bool = True
    _rows: int = field(default=0, init=False)
    _runs: int = field(default=0, init=False)
    _starts: list[NDArray[np.int64]] = field(default_factory=list, init=False)
    _values: list[NumberArray] = field(default_factory=list, init=False)
    _pairs: list[NDArray[np.int64]] = field(default_factory=list, init=False)
    _edges: list[NDArray[np.int64]] = field(default_factory=list, init=False)
    _last: tuple[NumberArray, NDArray[np.bool_], NDArray[np.int64]] | None = field(default=None, init=False)
    _before: NumberArray | None = field(default=None, init=False)
    _held: NumberArray | None = field(default=None, init=False)

    def add(self, target: NumberArray) -> None:
        """Take the next rows, (h, W), of one dtype."""
        for top in range(0, len(target), ROWS_AT_ONCE):
            rows = target[top : top + ROWS_AT_ONCE]
            self._find_runs(rows)
            if self.outlines:
                self._find_edges(rows)
            self._rows += len(rows)

    def finish(self) -> "Regions":
        """Join the runs to regions, after the last row."""
        if self._held is not None:
            self._find_edges(np.full_like(self._held, self.nothing))
        starts = np.concatenate([*self._starts, [self._rows * self.width]])
        pairs = np.concatenate([*self._pairs, np.zeros((2, 0), np.int64)], axis=1)
        component = (joined_by_numpy if self._runs <= FEW_RUNS else _joined_by_scipy)(pairs, self._runs)
        edges = np.concatenate([*self._edges, np.zeros((3, 0), np.int64)], axis=1)
        return Regions(self.width, starts, np.concatenate(self._values), component, edges, self.nothing)

    def _find_runs(self, rows: NumberArray) -> None:
        is_start = np.ones(rows.shape, bool)
        is_start[:, 1:] = rows[:, 1:] != rows[:, :-1]
        place = np.flatnonzero(is_start)
        run = self._runs - 1 + np.cumsum(is_start.ravel()).reshape(rows.shape)
        self._starts.append(place + self._rows * self.width)
        self._values.append(rows.ravel()[place])
        self._runs += len(place)
        if self._last is not None:
            above, above_start, above_run = self._last
            rows, is_start = np.vstack([above, rows]), np.vstack([above_start, is_start])
            run = np.vstack([above_run, run])
        touching = (rows[1:] == rows[:-1]) & (is_start[1:] | is_start[:-1])
        self._pairs.append(np.stack([run[:-1][touching], run[1:][touching]]))
        self._last = rows[-1:], is_start[-1:], run[-1:]

    def _find_edges(self, rows: NumberArray) -> None:
        """Edges of the held row and all but the last of the new ones, whose row below is not known yet."""
        before = np.full_like(rows[:1], self.nothing) if self._before is None else self._before
        known = rows if self._held is None else np.vstack([self._held, rows])
        first = self._rows - (0 if self._held is None else len(self._held))
        if len(known) > 1:
            padded = np.pad(np.vstack([before, known]), [(0, 0), (1, 1)], constant_values=self.nothing)
            self._edges.append(_edges(padded, first, self.nothing))
            before = known[-2:-1]
        self._before, self._held = before, known[-1:]


@dataclass(frozen=True)
class Regions:
    """All regions of a map.

    Args:
        width: Pixels in a row.
        starts: Where each run begins, counted in pixels row after row; and the number of pixels at the end.
        values: Class index, or other number, of each run.
        component: Region of each run, from 1 in the order of their first pixels.
        edges: (3, E): each side between two values, as four times its pixel plus the side; the one after it; and
            whether three values or more, or one value twice, meet where it ends.
        nothing: The value that belongs to no region.
    """

    width: int
    starts: NDArray[np.int64]
    values: NumberArray
    component: NDArray[np.int64]
    edges: NDArray[np.int64]
    nothing: int = IGNORED

    def numbers(self, skip: tuple[int, ...] = (), least_px: int = 0) -> NDArray[np.int64]:
        """The number of each run's region, from 1 without a gap in the order of their first pixels; 0 for none.

        Args:
            skip: Values whose regions do not count, such as the background; `nothing` never does.
            least_px: Regions of fewer pixels do not count.
        """
        pixels = np.bincount(self.component, np.diff(self.starts))
        counts = ~np.isin(self.values, (*skip, self.nothing)) & (pixels[self.component] >= least_px)
        keep = np.zeros(len(pixels), np.int64)
        keep[self.component[counts]] = 1
        return np.where(counts, np.cumsum(keep)[self.component], 0)

    def painted(self, numbers: NDArray[np.int64], top: int, height: int) -> NDArray[np.int64]:
        """Rows of the map with a number for each run, (height, W)."""
        begin, end = top * self.width, (top + height) * self.width
        first, last = np.searchsorted(self.starts, [begin, end])
        lengths = np.diff(self.starts[first : last + 1])
        return np.repeat(numbers[first:last], lengths).reshape(height, self.width)

    def outlined(self, numbers: NDArray[np.int64], tolerance_px: float = 0) -> Iterator[Region]:
        """The regions of these numbers, in their order, with their outlines.

        Args:
            numbers: One a run, see `numbers`.
            tolerance_px: How far a simplified outline may leave the exact one; neighbours are simplified alike, so
                that no gap opens between them. A ring that falls together is left out.
        """
        rings: dict[int, list[PixelRing]] = {}
        for pixel, corners, is_fixed in self._rings():
            run = int(np.searchsorted(self.starts, pixel, side="right")) - 1
            if number := int(numbers[run]):
                ring = simplified(corners, is_fixed, tolerance_px) if tolerance_px else without_straights(corners)
                if len(ring) > 2:
                    rings.setdefault(number, []).append(ring)
        pixels = np.bincount(numbers, np.diff(self.starts))
        value = np.zeros(len(pixels), np.int64)
        value[numbers] = self.values
        for number in sorted(rings):
            outer_first = sorted(rings[number], key=lambda ring: -doubled_area(ring))
            yield Region(number, int(value[number]), int(pixels[number]), outer_first)

    def _rings(self) -> Iterator[tuple[int, PixelRing, NDArray[np.bool_]]]:
        """Follow the edges; each ring with a pixel that it runs along, and which of its corners are fixed.

        Fixed are the meetings of several regions and the corners of the map; those that are no corners of this region
        are given, too, where they lie on the outline.
        """
        order = np.argsort(self.edges[0])
        edge, after, meets = self.edges[:, order]
        following = np.searchsorted(edge, after).tolist()
        ends = CORNERS[edge % 4] + np.stack([edge // 4 % self.width, edge // 4 // self.width], axis=1)
        limits = (self.width, self.starts[-1] // self.width)
        is_fixed = (meets == 1) | ((ends == 0) | (ends == limits)).all(axis=1)
        is_kept = (is_fixed | (edge % 4 != after % 4)).tolist()
        is_open = bytearray(b"\1") * len(edge)
        for start in range(len(edge)):
            if not is_open[start]:
                continue
            corners, here = [], start
            while is_open[here]:
                is_open[here] = 0
                if is_kept[here]:
                    corners.append(here)
                here = following[here]
            yield int(edge[start]) // 4, ends[corners], is_fixed[corners]


def joined_by_numpy(pairs: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """The component of each member, from 1 in the order of their first members.

    Args:
        pairs: (2, P), members that belong together.
        count: Of members.

    >>> joined_by_numpy(np.array([[0, 2, 4], [2, 5, 4]]), 6)
    array([1, 2, 1, 3, 4, 1])
    """
    root = np.arange(count)
    while pairs.shape[1]:
        np.minimum.at(root, pairs.max(0), pairs.min(0))  # a higher root joins its lowest neighbour
        while (further := root[root]).tobytes() != root.tobytes():
            root = further
        pairs = root[pairs]
        pairs = pairs[:, pairs[0] != pairs[1]]
    return np.cumsum(root == np.arange(count))[root]


def _joined_by_scipy(pairs: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    graph = coo_array((np.ones(pairs.shape[1], bool), tuple(pairs)), shape=(count, count))
    component = connected_components(graph, directed=False)[1]
    first = np.unique(component, return_index=True)[1]
    number = np.empty(len(first), np.int64)
    number[np.argsort(first)] = np.arange(1, len(first) + 1)
    return number[component]


def _edges(padded: NumberArray, first_row: int, nothing: int) -> NDArray[np.int64]:
    """The sides between two values of the inner rows of (h + 2, W + 2), and the side that follows each.

    At a corner where a region only touches itself, the walk stays with its pixel: pixels join by sides alone.
    """
    width = padded.shape[1] - 2
    inner = padded[1:-1, 1:-1]
    found = []
    for side, (beyond, ahead) in enumerate(zip(BEYOND, AHEAD, strict=True)):
        row, column = np.nonzero((inner != _shifted(padded, beyond)) & (inner != nothing))
        across = (ahead[0] + beyond[0], ahead[1] + beyond[1])
        value = inner[row, column]
        around = [padded[1 + row + step[0], 1 + column + step[1]] for step in (ahead, across, beyond)]
        goes_on = around[0] == value
        turns_out = goes_on & (around[1] == value)
        step = np.where(turns_out[:, None], across, np.where(goes_on[:, None], ahead, (0, 0)))
        turn = np.where(turns_out, 3, np.where(goes_on, 0, 1))
        pixel = (row + first_row) * width + column
        after = pixel + step[:, 0] * width + step[:, 1]
        found.append(np.stack([4 * pixel + side, 4 * after + (side + turn) % 4, _meets(value, *around)]))
    return np.concatenate(found, axis=1)


def _meets(own: NumberArray, ahead: NumberArray, across: NumberArray, beyond: NumberArray) -> NDArray[np.bool_]:
    """Whether more than two borders meet at the corner that these four pixels share."""
    borders = sum(
        (a != b).astype(np.int8) for a, b in ((own, ahead), (ahead, across), (across, beyond), (beyond, own))
    )
    return np.asarray(borders > 2)


def _shifted(padded: NumberArray, step: tuple[int, int]) -> NumberArray:
    """The inner part, moved so that each pixel shows its neighbour a step away."""
    height, width = padded.shape
    return padded[1 + step[0] : height - 1 + step[0], 1 + step[1] : width - 1 + step[1]]
