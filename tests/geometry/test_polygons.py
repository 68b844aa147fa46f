"""Simplified lines: within the tolerance, the same from either end, fixed corners kept."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from perpixel.geometry.polygons import doubled_area, simplified


def star(seed, count):
    """A ring of whole coordinates without a repeated corner."""
    random = np.random.default_rng(seed)
    angle = np.sort(random.uniform(0, 2 * np.pi, count))
    ring = np.rint(np.stack([np.cos(angle), np.sin(angle)], 1) * random.uniform(20, 60, (count, 1))).astype(np.int64)
    return ring[np.sort(np.unique(ring, axis=0, return_index=True)[1])]


@settings(deadline=None)
@given(st.integers(0, 10**6), st.integers(6, 80), st.floats(0.5, 10))
def test_every_corner_lies_within_the_tolerance_of_the_new_line(seed, count, tolerance):
    ring = star(seed, count)
    simple = simplified(ring, np.zeros(len(ring), bool), tolerance)
    starts, along = simple, np.roll(simple, -1, 0) - simple
    for corner in ring:
        share = np.clip(((corner - starts) * along).sum(1) / np.maximum((along**2).sum(1), 1e-12), 0, 1)
        assert np.hypot(*(corner - starts - share[:, None] * along).T).min() <= tolerance + 1e-9


@settings(deadline=None)
@given(st.integers(0, 10**6), st.integers(3, 60), st.floats(0.1, 10), st.integers(0, 3))
def test_either_direction_and_any_start_give_the_same_corners(seed, count, tolerance, fixed):
    ring = star(seed, count)
    is_fixed = np.zeros(len(ring), bool)
    is_fixed[np.random.default_rng(seed).integers(0, len(ring), fixed)] = True
    corners = set(map(tuple, simplified(ring, is_fixed, tolerance).tolist()))
    turn = seed % len(ring)
    turned = simplified(np.roll(ring, turn, 0)[::-1], np.roll(is_fixed, turn)[::-1], tolerance)
    assert set(map(tuple, turned.tolist())) == corners
    assert set(map(tuple, ring[is_fixed].tolist())) <= corners


def test_no_tolerance_keeps_every_turn():
    ring = star(1, 40)
    assert abs(doubled_area(simplified(ring, np.zeros(len(ring), bool), 0))) == abs(doubled_area(ring))
