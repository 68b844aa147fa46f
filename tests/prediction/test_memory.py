"""The need is known before the start: exact for feature maps, and it does not grow with the area."""

import torch
from torch import nn

from perpixel.prediction import PredictOptions, Predictor
from perpixel.prediction.memory import activation_bytes
from prediction.networks import LooksAround, codec_for


def test_feature_maps_are_counted_while_they_live():
    network = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 2, 3, padding=1), nn.Conv2d(2, 5, 1))
    assert activation_bytes(network, (2, 3, 40, 50)) == (3 + 8 + 2) * 4 * 2 * 40 * 50
    assert next(network.parameters()).device == torch.device("cpu")


def test_the_need_grows_with_the_width_alone():
    predictor = Predictor(LooksAround(), codec_for(), options=PredictOptions(tile_px=256, overlap_px=64))
    square = predictor.memory_need(4096, 4096)
    assert predictor.memory_need(400_000, 4096) == square
    rows = predictor.memory_need(4096, 49_152) - square
    assert rows == 3 * predictor.tiling(4096, 4096).rows.ramp_px * (49_152 - 4096) * 4
    assert rows < 0.1 * square
