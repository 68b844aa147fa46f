"""Rasters that lie by ground control points: read, and written again at the same place."""

import json

import numpy as np
import pytest

from perpixel.errors import DataError
from perpixel.files.control_points import grid_through
from perpixel.files.read import read_header
from perpixel.prediction.outputs import Outputs
from perpixel.prediction.predictor import Predictor
from prediction.networks import LooksAround, codec_for, image_of

rasterio = pytest.importorskip("rasterio")
pytestmark = pytest.mark.filterwarnings("ignore:Dataset has no geotransform")
GRID = np.array([[9.85, 1.74, 500_000], [1.74, -9.85, 4_500_000]])
CORNERS = ((0, 0), (0, 32), (24, 0), (24, 32), (11, 17))


def by_control_points(path, off=0.0, **tags):
    """A raster of 24 × 32 whose control points lie on GRID, the last one `off` pixels away."""
    from rasterio.control import GroundControlPoint

    points = []
    for number, (row, column) in enumerate(CORNERS):
        x, y = GRID @ (column + off * (number == len(CORNERS) - 1), row, 1)
        points.append(GroundControlPoint(row=row, col=column, x=x, y=y))
    with rasterio.open(path, "w", driver="GTiff", height=24, width=32, count=3, dtype="uint8") as file:
        file.write(np.moveaxis(image_of(24, 32), -1, 0))
        file.gcps = points, rasterio.crs.CRS.from_epsg(32633)
        file.update_tags(**tags)
    return path


@pytest.mark.parametrize("tags", [{}, {"AREA_OR_POINT": "Point"}])
@pytest.mark.parametrize("ending", ["geojson", "geopackage"])
def test_masks_and_outlines_lie_where_the_control_points_are(tmp_path, tags, ending):
    path = by_control_points(tmp_path / "a.tif", **tags)
    with rasterio.open(path) as file:
        points, crs = file.gcps
        true = rasterio.transform.from_gcps(points)
    found = read_header(path).georeference
    assert found.transform == pytest.approx(tuple(true)[:6], abs=1e-6)
    predictor = Predictor(LooksAround(), codec_for())
    predictor.predict_file(path, tmp_path / "out", Outputs(polygons=ending))
    with rasterio.open(tmp_path / "out" / "a.tif") as file:
        assert [(p.row, p.col, p.x, p.y) for p in file.gcps[0]] == [(p.row, p.col, p.x, p.y) for p in points]
        assert file.gcps[1] == crs
    if ending == "geojson":
        written = json.loads((tmp_path / "out" / "polygons" / "a.geojson").read_text(encoding="utf-8"))
        corners = np.array([c for f in written["features"] for ring in f["geometry"]["coordinates"] for c in ring])
        pixels = np.linalg.solve(np.array(true).reshape(3, 3), np.c_[corners, np.ones(len(corners))].T).T[:, :2]
        assert np.abs(pixels - pixels.round()).max() < 1e-5
        assert (pixels.min(axis=0) >= -1e-5).all()
        assert (pixels.max(axis=0) <= (32 + 1e-5, 24 + 1e-5)).all()


def test_points_that_fit_no_grid_give_masks_and_no_outlines(tmp_path):
    path = by_control_points(tmp_path / "a.tif", off=3)
    predictor = Predictor(LooksAround(), codec_for())
    predictor.predict_file(path, tmp_path / "out")
    with rasterio.open(tmp_path / "out" / "a.tif") as file:
        assert len(file.gcps[0]) == len(CORNERS)
    with pytest.raises(DataError, match=r"fit no straight grid: outlines would be up to 2\.\d pixels off"):
        predictor.predict_file(path, tmp_path / "more", Outputs(polygons="geojson"))
    assert not (tmp_path / "more" / "polygons").exists()


def test_points_on_a_line_fix_no_grid():
    line = [value for k in range(4) for value in (k, 2 * k, 0, 500 + k, 90 - k, 0)]
    assert grid_through(line) is None
    assert grid_through(line[:12]) is None
