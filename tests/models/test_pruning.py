from itertools import pairwise

import pytest
import torch

from perpixel.errors import SettingsError
from perpixel.models import build, measure_levels


def build_tiny(supervision):
    return build("unetplusplus", in_channels=3, classes=2, widths=(4, 8, 16, 32), supervision=supervision)


def test_every_level_is_cheaper_than_the_next_and_has_its_own_loss():
    torch.manual_seed(0)
    model, image = build_tiny("last"), torch.rand(1, 3, 64, 64)
    levels = measure_levels(model, image, lambda logits: logits.square().mean())
    assert [level.level for level in levels] == [1, 2, 3]
    for smaller, larger in pairwise(levels):
        assert smaller.parameters < larger.parameters
        assert smaller.multiply_adds < larger.multiply_adds
    with torch.no_grad():
        heads = model.eval().training_outputs(image)
    expected = [float(heads[name].square().mean()) for name in ("level1", "level2", "logits")]
    assert [level.loss for level in levels] == pytest.approx(expected, rel=1e-4)
    assert all(level.seconds > 0 for level in levels)


def test_a_network_without_supervision_cannot_be_measured():
    with pytest.raises(SettingsError, match="cannot be pruned to level 1"):
        measure_levels(build_tiny("none"), torch.rand(1, 3, 32, 32), lambda logits: logits.mean())
