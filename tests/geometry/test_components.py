"""Regions and outlines against scikit-image's labels and rasterio's rasteriser."""

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio.features import rasterize
from skimage.measure import label

from perpixel.geometry import components
from perpixel.geometry.components import RegionFinder
from perpixel.geometry.polygons import doubled_area
from perpixel.shapes import IGNORED


def found(target, cuts=()):
    finder = RegionFinder(target.shape[1])
    for rows in np.split(target, cuts):
        finder.add(rows)
    return finder.finish()


def maps(values=3):
    sizes = st.tuples(st.integers(1, 24), st.integers(1, 24), st.integers(0, 10**6), st.sampled_from([1, 2, 5]))

    def build(size):
        height, width, seed, grain = size
        coarse = np.random.default_rng(seed).integers(0, values, (height, width), np.uint8)
        return np.where(coarse == values - 1, IGNORED, coarse).astype(np.uint8).repeat(grain, 0).repeat(grain, 1)

    return st.builds(build, sizes)


@settings(deadline=None)
@given(maps(), st.integers(0, 30))
def test_regions_are_those_of_scikit_image(target, cut):
    regions = found(target, [min(cut, len(target))])
    ours = regions.painted(regions.numbers(), 0, len(target))
    theirs = label(target, background=IGNORED, connectivity=1)
    assert ((ours == 0) == (target == IGNORED)).all()
    pairs = np.unique(np.stack([ours.ravel(), theirs.ravel()]), axis=1)
    assert len(np.unique(pairs[0])) == len(np.unique(pairs[1])) == pairs.shape[1]
    firsts = np.unique(ours[ours > 0], return_index=True)
    assert (np.diff(firsts[1]) > 0).all(), "numbers follow the first pixels"
    assert firsts[0].tolist() == list(range(1, len(firsts[0]) + 1))


@settings(deadline=None)
@given(maps(), st.integers(0, 30))
def test_outlines_rasterise_back_exactly(target, cut):
    regions = found(target, [min(cut, len(target))])
    numbers = regions.numbers()
    labels = regions.painted(numbers, 0, len(target))
    shapes = []
    for region in regions.outlined(numbers):
        outer, *holes = region.rings
        assert doubled_area(outer) > 0
        assert all(doubled_area(hole) < 0 for hole in holes)
        assert sum(map(doubled_area, region.rings)) == 2 * region.pixels == 2 * (labels == region.number).sum()
        assert (target[labels == region.number] == region.value).all()
        rings = [[*ring.tolist(), ring[0].tolist()] for ring in region.rings]
        shapes.append(({"type": "Polygon", "coordinates": rings}, region.number))
    back = rasterize(shapes, target.shape, fill=0, dtype="int32") if shapes else np.zeros_like(labels)
    np.testing.assert_array_equal(back, labels)


@settings(deadline=None, max_examples=20)
@given(maps(), st.integers(0, 30))
def test_maps_of_many_runs_are_joined_alike(target, cut):
    few = found(target).component
    before = components.FEW_RUNS
    components.FEW_RUNS = 0
    try:
        np.testing.assert_array_equal(found(target, [min(cut, len(target))]).component, few)
    finally:
        components.FEW_RUNS = before


def test_rows_may_come_in_bands_taller_than_one_step():
    target = np.random.default_rng(0).integers(0, 2, (200, 40), np.uint8)
    whole = found(target)
    for cuts in ([1, 2, 3], [64, 128], [63, 65, 190]):
        np.testing.assert_array_equal(found(target, cuts).component, whole.component)
        assert sorted(found(target, cuts).edges.T.tolist()) == sorted(whole.edges.T.tolist())


def test_a_ring_of_pixels_has_one_hole_of_four_corners():
    target = np.full((5, 6), IGNORED, np.uint8)
    target[1:4, 1:5] = 7
    target[2, 2:4] = IGNORED
    regions = found(target)
    (region,) = regions.outlined(regions.numbers())
    assert (region.number, region.value, region.pixels) == (1, 7, 10)
    outer, hole = (sorted(map(tuple, ring.tolist())) for ring in region.rings)
    assert outer == [(1, 1), (1, 4), (5, 1), (5, 4)]
    assert hole == [(2, 2), (2, 3), (4, 2), (4, 3)]


@pytest.mark.parametrize(("skip", "least", "count"), [((), 0, 3), ((0,), 0, 2), ((0,), 2, 1), ((), 100, 0)])
def test_background_and_small_regions_do_not_count(skip, least, count):
    target = np.zeros((4, 4), np.uint8)
    target[0, 0], target[2:, 2:] = 1, 2
    numbers = found(target).numbers(skip, least)
    assert sorted(set(numbers) - {0}) == list(range(1, count + 1))


@settings(deadline=None)
@given(maps().map(lambda target: np.where(target == IGNORED, 2, target).astype(np.uint8)), st.floats(0.1, 4))
def test_simplified_neighbours_leave_no_gap(target, tolerance):
    regions = found(target)
    walked, area = Counter(), 0
    for region in regions.outlined(regions.numbers(), tolerance):
        area += sum(map(doubled_area, region.rings))
        for ring in region.rings:
            corners = [*map(tuple, ring.tolist()), tuple(ring[0].tolist())]
            walked.update(pairwise(corners))
    assert area == 2 * target.size, "what one region loses another one gains"
    height, width = target.shape
    for (start, end), times in walked.items():
        at_the_edge = any(start[i] == end[i] and start[i] in (0, (width, height)[i]) for i in (0, 1))
        assert at_the_edge or walked[end, start] == times, "each line within the map is walked from both sides"


def test_a_staircase_becomes_a_slope():
    target = np.tril(np.ones((40, 40), np.uint8))
    exact, rough = (
        {region.value: region.rings[0] for region in found(target).outlined(found(target).numbers(), tolerance)}
        for tolerance in (0, 1)
    )
    assert len(exact[1]) > 75
    assert len(rough[1]) <= 5
    assert abs(doubled_area(rough[1]) / 2 - target.sum()) <= 40
