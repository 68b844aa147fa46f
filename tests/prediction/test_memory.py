"""The need is known before the start: exact for feature maps, and it does not grow with the area."""

import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from perpixel.prediction import Outputs, PredictOptions, Predictor
from perpixel.prediction.memory import MemoryNeed
from perpixel.prediction.network_memory import activation_bytes, weight_bytes
from prediction.networks import LooksAround, ReadsPixels, codec_for, image_of
from prediction.test_files import png


def test_feature_maps_are_counted_while_they_live():
    network = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 2, 3, padding=1), nn.Conv2d(2, 5, 1))
    assert activation_bytes(network, (2, 3, 40, 50)) == (3 + 8 + 2) * 4 * 2 * 40 * 50
    assert next(network.parameters()).device == torch.device("cpu")


def test_the_copy_that_is_run_takes_no_memory_for_weights(monkeypatch):
    monkeypatch.setattr(nn.Parameter, "__deepcopy__", lambda *_: pytest.fail("weights are copied"))
    assert activation_bytes(nn.Conv2d(3, 2, 3), (1, 3, 10, 10)) == (3 * 100 + 2 * 64) * 4


def test_weights_that_layers_share_count_once():
    one = nn.Conv2d(3, 3, 1, bias=False)
    assert weight_bytes(nn.Sequential(one, one, nn.BatchNorm2d(3))) == (9 + 3 * 4) * 4 + 8


def test_the_need_grows_with_the_width_alone():
    predictor = Predictor(LooksAround(), codec_for(), options=PredictOptions(tile_px=256, overlap_px=64))
    square = predictor.memory_need(4096, 4096)
    assert predictor.memory_need(400_000, 4096) == square
    rows = predictor.memory_need(4096, 49_152).total - square.total
    assert rows == 3 * predictor.tiling(4096, 4096).rows.ramp_px * (49_152 - 4096) * 4
    assert rows < 0.1 * square.total


def test_an_image_seen_whole_keeps_the_feature_maps_that_it_freed():
    predictor = Predictor(ReadsPixels(), codec_for(), options=PredictOptions(device="cpu", whole_px=64 * 64))
    maps = activation_bytes(predictor.inference.networks[0], (1, 3, 64, 64))
    assert predictor.memory_need(64, 64).feature_maps == 2 * maps
    tiled = PredictOptions(device="cpu", whole_px=1, tile_px=64, overlap_px=16)
    assert Predictor(ReadsPixels(), codec_for(), options=tiled).memory_need(640, 640).feature_maps == maps


def test_loading_can_take_more_than_predicting():
    mb = 2**20
    assert MemoryNeed(500 * mb, 100 * mb, 20 * mb, 0).total == (340 + 2 * 500) * mb
    on_device = MemoryNeed(50 * mb, 100 * mb, 20 * mb, mb, 7 * mb, "cuda")
    assert str(on_device) == (
        "about 418 MB of memory: 340 the process, 50 weights, 20 tiles, 1 rows between tiles, "
        "7 pictures held whole; 150 MB on cuda"
    )


@pytest.mark.parametrize(("free_gb", "batch"), [(0, 1), (1, 5), (100, 8)])
def test_a_cuda_device_gets_the_tiles_that_fit_half_of_its_free_memory(monkeypatch, free_gb, batch):
    predictor = Predictor(ReadsPixels(), codec_for(), options=PredictOptions(tile_px=2048, overlap_px=0))
    tiling = predictor.tiling(9000, 9000)
    feature_maps = activation_bytes(predictor.inference.networks[0], (1, 3, 2048, 2048))
    assert feature_maps == 2 * 3 * 4 * 2048**2  # 100 MB: five tiles fit half a gigabyte
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (free_gb * 2**30, 2**40))
    object.__setattr__(predictor.inference, "device", torch.device("cuda"))
    assert predictor.batch_tiles(tiling) == batch


def test_the_need_is_told_before_large_images_once(tmp_path, caplog):
    predictor = Predictor(
        LooksAround(), codec_for(), options=PredictOptions(tile_px=96, overlap_px=32, whole_px=4096)
    )
    sizes = {"small": (60, 60), "large": (130, 90), "smaller": (80, 90)}
    paths = [png(tmp_path / "in" / f"{name}.png", image_of(*size)) for name, size in sizes.items()]
    with caplog.at_level(logging.INFO, "perpixel"):
        list(predictor.predict_files(paths, tmp_path / "out", Outputs(overlay=True)))
    need = predictor.memory_need(130, 90, pictures=130 * 90 * (2 * 3 + 1 + 3))
    assert caplog.messages == [f"large.png: 130 × 90 pixels in 2 tiles, {need}."]


PEAK = """
import sys
from pathlib import Path
from perpixel.runtime.allocator import one_arena
if sys.argv[4] == "command":
    assert one_arena()
import numpy as np, tifffile, torch
from perpixel.models import build
from perpixel.prediction import PredictOptions, Predictor
from prediction.networks import codec_for
folder, side, whole_px = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
blank = np.zeros((side + 200, side + 300, 3), np.uint8)
tifffile.imwrite(folder / "a.tif", blank, tile=(256, 256), compression="zlib", photometric="rgb")
network = build("unet", in_channels=3, classes=3, width=16)
predictor = Predictor(network, codec_for(), options=PredictOptions(tile_px=side, overlap_px=64, whole_px=whole_px))
predictor.predict_file(folder / "a.tif", folder / "out")
peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
print(predictor.memory_need(*blank.shape[:2]).total, int(peak.split()[1]) * 1024)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak is read from Linux's /proc")
@pytest.mark.parametrize(("side", "whole_px"), [(256, 1), (1024, 1), (512, 2**22)])
@pytest.mark.parametrize("caller", ["command", "program"])
@pytest.mark.slow
def test_the_need_is_near_the_peak(tmp_path, side, whole_px, caller):
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    command = [sys.executable, "-c", PEAK, str(tmp_path), str(side), str(whole_px), caller]
    told, peak = map(int, subprocess.run(command, env=environment, check=True, capture_output=True).stdout.split())
    assert 2 / 3 < told / peak < 3 / 2
