"""A journey without PyTorch: a large GeoTIFF from a bundle, in flat memory, its place on the earth kept."""

import os
import subprocess
import sys

import numpy as np
import pytest

import perpixel
from generated import TINY, write_cells
from perpixel.settings.tree import settings_from
from perpixel.training import train_run

SIDE = 8192
PREDICT = """
import sys
sys.modules["torch"] = None
import resource
from perpixel.cli import main
assert main(["predict", *sys.argv[1:3], "--out", sys.argv[3], "--tta", "none"]) == 0
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the peak of memory is read as Linux tells it")
def test_a_large_geotiff_without_torch_takes_little_memory(tmp_path):
    rasterio = pytest.importorskip("rasterio")
    place = {"crs": "EPSG:32633", "transform": rasterio.Affine(0.5, 0, 5e5, 0, -0.5, 5e6)}
    settings = {**TINY, "model": {"encoder": "efficientnet_lite0", "weights": "none"}}
    run = train_run(write_cells(tmp_path / "cells"), tmp_path / "run", settings_from(settings))
    bundle = perpixel.export(run, tmp_path / "bundle").path
    path, band = tmp_path / "large.tif", np.random.default_rng(0).integers(0, 256, (SIDE, SIDE), np.uint8)
    layout = {"height": SIDE, "width": SIDE, "count": 3, "dtype": "uint8", "tiled": True}
    with rasterio.open(path, "w", driver="GTiff", **layout, **place) as file:
        for number in (1, 2, 3):
            file.write(band, number)
    command = [sys.executable, "-c", PREDICT, str(bundle), str(path), str(tmp_path / "out")]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    assert float(done.stdout.split()[-1]) < 1500
    with rasterio.open(tmp_path / "out" / "large.tif") as mask:
        assert (mask.crs, mask.transform, mask.shape) == (place["crs"], place["transform"], (SIDE, SIDE))
