"""Cloud-optimised masks: GDAL says so, overviews are there, pixels and colours are the same."""

import sys

import numpy as np
import pytest
import rasterio

from perpixel.errors import OutputError
from perpixel.files.cog import require_rasterio
from perpixel.prediction import Outputs, PredictOptions, Predictor
from prediction.networks import LooksAround, codec_for, image_of
from prediction.test_files import geotiff

TILES = PredictOptions(tile_px=256, overlap_px=32, whole_px=1)


def test_a_cloud_optimised_mask_is_the_plain_one_with_overviews(tmp_path):
    path = geotiff(tmp_path / "a.tif", image_of(700, 600), nodata=0)
    predictor = Predictor(LooksAround(), codec_for(), options=TILES)
    predictor.predict_file(path, tmp_path / "plain")
    predictor.predict_file(path, tmp_path / "cloud", Outputs(cloud=True))
    with rasterio.open(tmp_path / "plain/a.tif") as plain, rasterio.open(tmp_path / "cloud/a.tif") as cloud:
        assert cloud.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert cloud.overviews(1)
        assert (cloud.crs, cloud.transform, cloud.nodata) == (plain.crs, plain.transform, plain.nodata)
        assert cloud.colormap(1) == plain.colormap(1)
        np.testing.assert_array_equal(cloud.read(), plain.read())
    assert [path.name for path in (tmp_path / "cloud").iterdir()] == ["a.tif"]


def test_without_rasterio_the_way_out_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "rasterio", None)
    with pytest.raises(OutputError, match=r"rasterio, which is not installed\.\nFix: pip install 'perpixel\[geo\]'"):
        require_rasterio()
