from itertools import pairwise

import pytest
import torch

from perpixel.errors import SettingsError
from perpixel.models import build, measure_levels


def build_tiny(supervision):
    return build("unetplusplus", in_channels=3, classes=2, widths=(4, 8, 16, 32), supervision=supervision)


def test_every_level_is_cheaper_than_the_next():
    levels = measure_levels(build_tiny("last"), torch.rand(1, 3, 64, 64))
    assert [level.level for level in levels] == [1, 2, 3]
    for smaller, larger in pairwise(levels):
        assert smaller.parameters < larger.parameters
        assert smaller.multiply_adds < larger.multiply_adds
    assert all(level.seconds > 0 for level in levels)


def test_a_network_without_supervision_cannot_be_measured():
    with pytest.raises(SettingsError, match="cannot be pruned to level 1"):
        measure_levels(build_tiny("none"), torch.rand(1, 3, 32, 32))
