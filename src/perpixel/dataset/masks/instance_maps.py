"""A labelled raster cut into blocks, so that one raster can train, validate and test."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise, product
from typing import Final

from perpixel.dataset.annotations.geo import touches
from perpixel.dataset.layout.folder import Dataset
from perpixel.dataset.layout.inventory import gathered
from perpixel.dataset.sample import Ring, Sample, Shape, info
from perpixel.errors import DataError
from perpixel.shapes import IGNORED

BLOCKS: Final = 20
"""At least so many in all: two for validation and two for test where these get a tenth each."""
LEAST_PX: Final = 32
LARGEST_PX: Final = 2048
GAP_SHARE: Final = 1 / 16
"""Of a block's side, left out between two blocks."""
ENOUGH: Final = 3
"""Labelled images from which each of training, validation and test can have whole ones."""


def in_blocks(dataset: Dataset) -> Dataset:
    """Cut georeferenced rasters into a grid of blocks where they are too few to be divided whole.

    Between the blocks a gap is left out, so that no part sees the border of another; blocks without any label are
    left out, too. A raster that the folder gives to a part stays whole.

    Source: Roberts et al. (2017), Cross-validation strategies for data with temporal, spatial, hierarchical, or
    phylogenetic structure, Ecography 40: blocks of space for what is near in space.

    Raises:
        DataError: A mask cannot be read.
    """
    rasters = dataset.samples
    if len(rasters) >= ENOUGH or not all(map(_can_be_cut, rasters)):
        return dataset
    side = min(max(math.sqrt(sum(s.height * s.width for s in rasters) / BLOCKS), LEAST_PX), LARGEST_PX)
    gap = round(side * GAP_SHARE)
    blocks = [block for raster in rasters for block in _grid(raster, side, gap)]
    labelled, problems = gathered(lambda block: bool((dataset.target(block) != IGNORED).any()), blocks)
    if problems:
        raise DataError.of(problems)
    kept = tuple(block for block in blocks if labelled[block])
    if len(kept) < ENOUGH:
        return dataset
    bare = f", {len(blocks) - len(kept)} more hold no label" if len(kept) < len(blocks) else ""
    told = info(
        f"{len(rasters)} georeferenced raster(s) [is|are] cut into {len(kept)} blocks of about {kept[0].height} × "
        f"{kept[0].width} pixels, {gap} pixels apart, for training, validation and test{bare}.",
        "put rasters into train/, val/ and test/ to use them whole.",
    )
    return replace(dataset, samples=kept, findings=(*dataset.findings, told))


def _can_be_cut(sample: Sample) -> bool:
    is_upright = sample.page == sample.mask_page == 0 and sample.mask_turn == 1
    has_runs = any(shape.runs for shape in sample.shapes or ())
    return sample.bounds is not None and sample.split is None and is_upright and not has_runs


def _grid(raster: Sample, side: float, gap: int) -> Iterator[Sample]:
    rows, columns = (_cuts(length, side, gap) for length in (raster.height, raster.width))
    for (row, (top, height)), (column, (left, width)) in product(enumerate(rows), enumerate(columns)):
        yield replace(
            raster,
            name=f"{raster.name}_r{row}c{column}",
            corner=(top, left),
            height=height,
            width=width,
            bounds=None,
            pixels=None,
            shapes=None if raster.shapes is None else tuple(_moved(raster.shapes, top, left, height, width)),
        )


def _cuts(length: int, side: float, gap: int) -> list[tuple[int, int]]:
    """(start, size) of nearly equal pieces of a length, `gap` apart.

    >>> _cuts(100, 34, 2)
    [(0, 32), (34, 32), (68, 32)]
    """
    number = math.ceil(length / side)
    edges = [round(k * (length + gap) / number) for k in range(number + 1)]
    return [(start, end - gap - start) for start, end in pairwise(edges)]


def _moved(shapes: Sequence[Shape], top: int, left: int, height: int, width: int) -> Iterator[Shape]:
    """The shapes that reach into a block, in its pixels."""

    def moved(outline: Ring) -> Ring:
        return tuple((x - left, y - top) for x, y in outline)

    for shape in shapes:
        polygons = tuple(tuple(map(moved, rings)) for rings in shape.polygons)
        if touches(polygons, height, width):
            yield replace(shape, polygons=polygons)
