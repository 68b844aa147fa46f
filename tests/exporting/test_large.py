"""A journey without PyTorch: perpixel-runtime installed by pip alone, and a large GeoTIFF from a bundle."""

import os
import subprocess
import sys
import tomllib
import venv
from pathlib import Path

import numpy as np
import pytest

import perpixel
from generated import TINY, write_cells
from perpixel.settings.tree import request_from
from perpixel.training import train_run

SIDE = 8192
HOME = Path(perpixel.__file__).parents[2]
PREDICT = """
import importlib.util, resource, sys
from perpixel.cli import main
assert importlib.util.find_spec("torch") is None
assert "site-packages" in importlib.util.find_spec("perpixel").origin
assert main(["predict", *sys.argv[1:3], "--out", sys.argv[3], "--tta", "none"]) == 0
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
"""


def project(path):
    return tomllib.loads(path.read_text(encoding="utf-8"))["project"]


def test_the_runtime_needs_what_perpixel_needs_and_no_more():
    whole, runtime = project(HOME / "pyproject.toml"), project(HOME / "packaging" / "runtime" / "pyproject.toml")
    optional = whole["optional-dependencies"]
    assert set(runtime["dependencies"]) <= {*whole["dependencies"], *optional["runtime"]}
    assert not any(each.startswith(("torch", "lightning")) for each in runtime["dependencies"])
    for extra, needs in runtime["optional-dependencies"].items():
        assert set(needs) <= set(optional[extra])
    kept = ("requires-python", "license", "authors", "scripts")
    assert all(runtime[key] == whole[key] for key in kept)


@pytest.fixture
def python_without_torch(tmp_path):
    """Of a fresh environment in which pip installed perpixel-runtime with what it needs for GeoTIFFs."""
    venv.create(tmp_path / "venv", with_pip=True)
    python = tmp_path / "venv" / ("Scripts" if os.name == "nt" else "bin") / "python"
    command = [python, "-m", "pip", "install", "--quiet", "-c", HOME / "constraints.txt"]
    subprocess.run([*command, f"{HOME / 'packaging' / 'runtime'}[geo]"], check=True, timeout=600)
    return python


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the peak of memory is read as Linux tells it")
def test_a_large_geotiff_without_torch_takes_little_memory(python_without_torch, tmp_path):
    rasterio = pytest.importorskip("rasterio")
    place = {"crs": "EPSG:32633", "transform": rasterio.Affine(0.5, 0, 5e5, 0, -0.5, 5e6)}
    settings = {**TINY, "model": {"encoder": "efficientnet_lite0", "weights": "none"}}
    run = train_run(write_cells(tmp_path / "cells"), tmp_path / "run", request_from(settings))
    bundle = perpixel.export(run, tmp_path / "bundle").path
    path, band = tmp_path / "large.tif", np.random.default_rng(0).integers(0, 256, (SIDE, SIDE), np.uint8)
    layout = {"height": SIDE, "width": SIDE, "count": 3, "dtype": "uint8", "tiled": True}
    with rasterio.open(path, "w", driver="GTiff", **layout, **place) as file:
        for number in (1, 2, 3):
            file.write(band, number)
    command = [python_without_torch, "-P", "-c", PREDICT, bundle, path, tmp_path / "out"]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment |= {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    print(done.stdout)
    assert float(done.stdout.split()[-1]) < 1500
    with rasterio.open(tmp_path / "out" / "large.tif") as mask:
        assert (mask.crs, mask.transform, mask.shape) == (place["crs"], place["transform"], (SIDE, SIDE))
