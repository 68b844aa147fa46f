import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from perpixel.geometry.histogram import byte_histogram


@given(arrays(np.uint8, st.tuples(st.integers(0, 9), st.integers(0, 9))))
def test_equals_a_bincount(values):
    counts = byte_histogram(values)
    assert counts.dtype == np.int64
    np.testing.assert_array_equal(counts, np.bincount(values.ravel(), minlength=256))


@pytest.mark.parametrize("view", [np.s_[::2], np.s_[:, ::3], np.s_[::-1, 1:]])
def test_any_strides(view):
    values = np.random.default_rng(0).integers(0, 256, (31, 17)).astype(np.uint8)
    np.testing.assert_array_equal(byte_histogram(values[view]), np.bincount(values[view].ravel(), minlength=256))


@pytest.mark.parametrize("chosen", [[7], [0, 255], [3, 4, 8], [0, 1, 255], list(range(9)), [250, 255]])
def test_few_values_and_many(chosen):
    values = np.random.default_rng(1).choice(np.array(chosen, np.uint8), (33, 15))
    np.testing.assert_array_equal(byte_histogram(values), np.bincount(values.ravel(), minlength=256))
