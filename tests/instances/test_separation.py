"""Objects cut at their necks: against scikit-image's watershed, convex ones whole, each part connected."""

import logging

import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt
from skimage.measure import label
from skimage.segmentation import watershed

from perpixel.geometry.components import RegionFinder
from perpixel.instances import separation
from perpixel.instances.separation import parts_of, separated


def disc(shape, row, column, radius):
    y, x = np.ogrid[: shape[0], : shape[1]]
    return (y - row) ** 2 + (x - column) ** 2 <= radius**2


def found(target, rows=7):
    finder = RegionFinder(target.shape[1])
    for top in range(0, len(target), rows):
        finder.add(target[top : top + rows])
    return finder.finish()


@pytest.mark.parametrize(("radius", "angle"), [(9, 0.0), (20, 0.6), (31, 1.2), (14, 2.5)])
def test_two_discs_that_touch_are_cut_where_scikit_image_cuts_them(radius, angle):
    step = 1.6 * radius * np.array([np.sin(angle), np.cos(angle)])
    seeds = [np.array([80, 80]), np.round(80 + step).astype(int)]
    mask = disc((160, 160), *seeds[0], radius) | disc((160, 160), *seeds[1], radius)
    parts = parts_of(mask)
    assert parts.max() == 2
    markers = np.zeros(mask.shape, int)
    for number, seed in enumerate(seeds, 1):
        markers[tuple(seed)] = number
    theirs = watershed(-distance_transform_edt(mask), markers, mask=mask)
    same = max((theirs[mask] == parts[mask]).mean(), (theirs[mask] == 3 - parts[mask]).mean())
    assert same > 0.99


@pytest.mark.parametrize("seed", range(6))
def test_convex_objects_stay_whole(seed):
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:120, :140]
    turn, *axes = random.uniform((0, 4, 4), (3.1, 50, 50))
    along, across = (
        (y - 60) * np.sin(turn) + (x - 70) * np.cos(turn),
        (y - 60) * np.cos(turn) - (x - 70) * np.sin(turn),
    )
    for mask in (
        (along / axes[0]) ** 2 + (across / axes[1]) ** 2 <= 1,
        np.maximum(abs(y - 60), abs(x - 70) / 3) < 18,
    ):
        np.testing.assert_array_equal(parts_of(mask), mask)


@pytest.mark.parametrize(("neck", "count"), [(15, 2), (17, 1)])
def test_the_neck_decides(neck, count):
    mask = np.zeros((30, 80), bool)
    mask[4:25, 5:26] = mask[4:25, 50:71] = True  # squares of 21 pixels: summits of 11
    mask[14 - neck // 2 : 15 + neck // 2, 20:60] = True  # a pass of 8 or 9; 0.75 of 11 is 8.25
    assert parts_of(mask).max() == count


def test_parts_are_connected_and_numbered_by_their_first_pixels():
    random = np.random.default_rng(0)
    coarse = random.normal(size=(24, 24)).repeat(9, 0).repeat(9, 1)
    for region in range(1, label(coarse > 0.2, connectivity=1).max() + 1):
        parts = parts_of(label(coarse > 0.2, connectivity=1) == region)
        firsts = [np.flatnonzero(parts == number)[0] for number in range(1, parts.max() + 1)]
        assert firsts == sorted(firsts)
        assert label(parts, background=0, connectivity=1).max() == parts.max()


def test_a_map_is_cut_region_by_region_and_keeps_its_classes():
    target = np.zeros((60, 90), np.uint8)
    for value, row, column, radius in ((1, 20, 20, 9), (1, 20, 35, 9), (2, 45, 60, 12), (2, 5, 80, 4), (3, 0, 0, 5)):
        target[disc(target.shape, row, column, radius)] = value
    regions = found(target)
    numbers = regions.numbers(skip=(0, 3))
    parts, value_of = separated(regions, numbers)
    painted = parts.painted(parts.numbers(), 0, 60)
    np.testing.assert_array_equal(painted > 0, (target == 1) | (target == 2))
    assert painted.max() == 4
    np.testing.assert_array_equal(value_of[parts.painted(parts.values, 0, 60)], np.where(target == 3, 0, target))
    again, _ = separated(found(target, rows=60), numbers)
    np.testing.assert_array_equal(again.painted(again.numbers(), 0, 60), painted)


def test_a_region_too_large_to_hold_stays_whole_and_that_is_told(monkeypatch, caplog):
    target = np.zeros((30, 60), np.uint8)
    target[disc(target.shape, 15, 15, 9) | disc(target.shape, 15, 30, 9)] = 1
    regions = found(target)
    monkeypatch.setattr(separation, "LARGEST_PX", 100)
    with caplog.at_level(logging.WARNING, "perpixel"):
        parts, _ = separated(regions, regions.numbers(skip=(0,)))
    assert parts.numbers().max() == 1
    assert "one region of 19 × 34 pixels is not cut into objects" in caplog.text


def test_a_map_without_objects_has_no_parts():
    regions = found(np.zeros((9, 8), np.uint8))
    parts, _ = separated(regions, regions.numbers(skip=(0,)))
    assert not parts.numbers().any()
