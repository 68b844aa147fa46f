"""Tile geometry without data: which windows a network sees, and how its answers become one map without seams.

An axis is cut into cores of `step_px = tile_px - overlap_px` pixels. Each tile sees its core, a ramp and a margin on
either side, and answers for core and ramp; in the ramp it hands over linearly to the next tile:

    tile i      |margin|<----- core ----->|ramp|margin|
    tile i + 1                     |margin|<-+-- core ----->|ramp|margin|

The two weights add up to one at every pixel. A network that looks no further than `margin_px` gives the same answer
tiled and whole. Windows lie inside the image, so its border is the border that the network was trained with; only
what is missing to a multiple of `align_px` at the end is reflected.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Span:
    """One tile's part of an axis, in pixels of the image.

    Args:
        see: First pixel of the window that the network sees.
        begin: First pixel of the core.
        end: End of the core, where the next one begins.
        stop: End of the ramp after the core; `end` in the last tile.
    """

    see: int
    begin: int
    end: int
    stop: int

    @property
    def answered(self) -> slice:
        """Core and ramp, counted from the start of the window."""
        return slice(self.begin - self.see, self.stop - self.see)


@dataclass(frozen=True)
class Axis:
    """The tiles along one side of an image.

    Args:
        length_px: Pixels of the image along it, ≥ 1.
        tile_px: Pixels that the network sees, at most; a multiple of `align_px`.
        overlap_px: Pixels that two neighbouring windows share, at most half a tile; a multiple of `align_px`.
        align_px: Every window begins and ends at a multiple of this: the largest stride of the network.

    >>> [(span.see, span.begin, span.stop) for span in Axis(20, tile_px=12, overlap_px=6).spans]
    [(0, 0, 8), (4, 6, 14), (8, 12, 20)]
    """

    length_px: int
    tile_px: int
    overlap_px: int
    align_px: int = 1

    def __post_init__(self) -> None:
        assert self.length_px >= 1
        assert self.align_px >= 1
        assert self.tile_px % self.align_px == self.overlap_px % self.align_px == 0
        assert 0 <= 2 * self.overlap_px <= self.tile_px > 0

    @property
    def step_px(self) -> int:
        """Pixels from one core to the next."""
        return self.tile_px - self.overlap_px

    @property
    def margin_px(self) -> int:
        """Pixels at an inner end of a window whose answers are thrown away; how far a network may look."""
        return self.overlap_px * 7 // 16 // self.align_px * self.align_px

    @property
    def ramp_px(self) -> int:
        """Pixels over which one tile hands over to the next."""
        return self.overlap_px - 2 * self.margin_px

    @property
    def window_px(self) -> int:
        """Pixels that every window has along this axis; less than a tile where the image is smaller."""
        return min(self.tile_px, self._aligned_px)

    @cached_property
    def rising(self) -> NDArray[np.float32]:
        """Weights of the next tile over a ramp; those of the tile before are 1 minus these."""
        return np.arange(1, self.ramp_px + 1, dtype=np.float32) / np.float32(self.ramp_px + 1)

    @cached_property
    def spans(self) -> tuple[Span, ...]:
        """The tiles from first to last; their cores cover the axis without a gap or an overlap."""
        beyond = self.length_px - self.tile_px
        steps = 0 if beyond <= 0 else -(-(beyond + self.margin_px) // self.step_px)
        last_see = self._aligned_px - self.window_px
        spans = []
        for begin in range(0, steps * self.step_px + 1, self.step_px):
            is_last = begin == steps * self.step_px
            end = self.length_px if is_last else begin + self.step_px
            see = min(max(begin - self.margin_px, 0), last_see)
            spans.append(Span(see, begin, end, end if is_last else end + self.ramp_px))
        return tuple(spans)

    @property
    def _aligned_px(self) -> int:
        return -(-self.length_px // self.align_px) * self.align_px


@dataclass(frozen=True)
class Tile:
    """One window: its part of the rows and its part of the columns."""

    rows: Span
    columns: Span


@dataclass(frozen=True)
class Tiling:
    """The tiles of an image, row by row.

    Args:
        height: Pixels of the image.
        width: Pixels of the image.
        tile_hw: Height and width that the network sees at most, multiples of `align_px`.
        overlap_px: Pixels that neighbouring windows share; a multiple of `align_px`, at most half a tile.
        align_px: Every window begins and ends at a multiple of this.
    """

    height: int
    width: int
    tile_hw: tuple[int, int]
    overlap_px: int
    align_px: int = 1

    @cached_property
    def rows(self) -> Axis:
        """The tiles from top to bottom."""
        return Axis(self.height, self.tile_hw[0], self.overlap_px, self.align_px)

    @cached_property
    def columns(self) -> Axis:
        """The tiles from left to right."""
        return Axis(self.width, self.tile_hw[1], self.overlap_px, self.align_px)

    @property
    def window_hw(self) -> tuple[int, int]:
        """Height and width that every window has."""
        return self.rows.window_px, self.columns.window_px

    def __len__(self) -> int:
        return len(self.rows.spans) * len(self.columns.spans)

    def __iter__(self) -> Iterator[Tile]:
        for rows in self.rows.spans:
            for columns in self.columns.spans:
                yield Tile(rows, columns)


@dataclass(frozen=True)
class Block:
    """A finished part of the map: values (K, h, w) whose first pixel lies at (top, left)."""

    top: int
    left: int
    values: NDArray[np.float32]

    @property
    def place(self) -> tuple[slice, slice]:
        """Its rows and columns in the image."""
        height, width = self.values.shape[-2:]
        return slice(self.top, self.top + height), slice(self.left, self.left + width)


@dataclass
class Blender:
    """Joins the answers of the tiles, taken in their order, into finished blocks.

    Kept between two calls: one ramp of rows over the image's width, and one ramp of columns over a tile's height.
    """

    tiling: Tiling
    _above: NDArray[np.float32] | None = field(default=None, init=False)
    _left: NDArray[np.float32] | None = field(default=None, init=False)

    def add(self, tile: Tile, values: NDArray[np.float32]) -> Block:
        """Take one tile's answer and give what it finishes: its core.

        Args:
            tile: The next tile of the tiling.
            values: (K, h, w) over the whole window; overwritten.

        Returns:
            The finished core of the tile.
        """
        rows, columns = tile.rows, tile.columns
        part = values[:, rows.answered, columns.answered]
        part, self._left = _join(part, self._left, columns, self.tiling.columns)
        if self._above is None:
            shape = (len(values), self.tiling.rows.ramp_px, self.tiling.width)
            self._above = np.empty(shape, np.float32)
        above = self._above[:, :, columns.begin : columns.end].swapaxes(1, 2)  # the rows last, as _join has them
        finished, handed_on = _join(part.swapaxes(1, 2), above, rows, self.tiling.rows)
        if handed_on.size:
            above[...] = handed_on
        return Block(rows.begin, columns.begin, finished.swapaxes(1, 2))


def _join(
    part: NDArray[np.float32], before: NDArray[np.float32] | None, span: Span, axis: Axis
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Take over from the tile before along the last axis; give the core and what is handed to the next tile."""
    if span.begin > 0:
        ramp = part[..., : axis.ramp_px]
        assert before is not None, "tiles come in their order"
        ramp *= axis.rising
        ramp += before
    core_px = span.end - span.begin
    return part[..., :core_px], part[..., core_px:] * (1 - axis.rising[: span.stop - span.end])
