"""Polygons and instances of predicted files: exact, the same with any tiles, in the CRS of the image."""

import json
import sqlite3

import numpy as np
import pytest
import rasterio
import tifffile
from rasterio.features import rasterize
from skimage.measure import label

from perpixel.errors import OutputError
from perpixel.prediction import Outputs, PredictOptions, Predictor
from prediction.networks import NAMES, LooksAround, ReadsPixels, codec_for, image_of
from prediction.test_files import geotiff, png

OBJECTS = Outputs(polygons="geojson", instances="connected")


def features(path):
    return json.loads(path.read_text())


def coarse_image(height, width):
    return image_of(-(-height // 8), -(-width // 8)).repeat(8, 0).repeat(8, 1)[:height, :width]


def test_polygons_of_a_geotiff_rasterise_back_to_the_mask(tmp_path):
    image = coarse_image(300, 410)
    options = PredictOptions(tile_px=96, overlap_px=32, whole_px=1)
    path = geotiff(tmp_path / "a.tif", image)
    Predictor(LooksAround(), codec_for(), options=options).predict_file(path, tmp_path / "out", OBJECTS)
    collection = features(tmp_path / "out/polygons/a.geojson")
    assert collection["crs"]["properties"]["name"] == "urn:ogc:def:crs:EPSG::32618"
    values = dict(zip(NAMES, (0, 7, 9), strict=True))
    shapes = [(each["geometry"], values[each["properties"]["class"]]) for each in collection["features"]]
    with rasterio.open(tmp_path / "out/a.tif") as mask:
        target, transform = mask.read(1), mask.transform
        back = rasterize(shapes, mask.shape, transform=transform, fill=0, dtype="uint8")
    np.testing.assert_array_equal(back, target)
    with rasterio.open(tmp_path / "out/instances/a.tif") as instances:
        numbers = instances.read(1)
        assert instances.crs == rasterio.CRS.from_epsg(32618)
        assert instances.transform == transform
    expected = label(target, background=0, connectivity=1)
    assert ((numbers > 0) == (expected > 0)).all()
    pairs = np.unique(np.stack([numbers.ravel(), expected.ravel()]), axis=1)
    assert pairs.shape[1] == len(np.unique(pairs[0])) == len(np.unique(pairs[1])) == len(shapes) + 1


def test_outer_rings_run_counter_clockwise_on_the_map(tmp_path):
    path = geotiff(tmp_path / "a.tif", coarse_image(40, 50))
    Predictor(ReadsPixels(), codec_for()).predict_file(path, tmp_path / "out", OBJECTS)
    for each in features(tmp_path / "out/polygons/a.geojson")["features"]:
        x, y = np.array(each["geometry"]["coordinates"][0]).T
        assert (x[0], y[0]) == (x[-1], y[-1])
        assert (x[:-1] * y[1:] - x[1:] * y[:-1]).sum() > 0


@pytest.mark.parametrize("instances", ["connected", "watershed"])
@pytest.mark.parametrize("kind", ["multiclass", "multilabel"])
def test_tiles_do_not_cut_objects(tmp_path, kind, instances):
    image, written = coarse_image(200, 170), []
    outputs = Outputs(polygons="geojson", instances=instances)
    for number, options in enumerate([PredictOptions(), PredictOptions(tile_px=64, overlap_px=16, whole_px=1)]):
        path = png(tmp_path / f"in{number}" / "a.png", image)
        out = tmp_path / f"out{number}"
        Predictor(ReadsPixels(), codec_for(kind), options=options).predict_file(path, out, outputs)
        written.append({file.relative_to(out): file.read_bytes() for file in out.rglob("*.geojson")})
        numbers = {file.relative_to(out): tifffile.imread(file).tobytes() for file in out.rglob("*.tif")}
        assert len(numbers) == (1 if kind == "multiclass" else 3)
        written[-1] |= numbers
    assert written[0] == written[1]


def test_pages_have_objects_of_their_own(tmp_path):
    stack = np.zeros((2, 20, 30, 3), np.uint8)
    stack[0, 5:9, 4:12, 1] = stack[1, 2:5, 2:5, 2] = 255
    tifffile.imwrite(tmp_path / "a.tif", stack, photometric="rgb")
    Predictor(ReadsPixels(), codec_for()).predict_file(tmp_path / "a.tif", tmp_path / "out", OBJECTS)
    properties = [each["properties"] for each in features(tmp_path / "out/polygons/a.geojson")["features"]]
    assert properties == [
        {"class": "road", "number": 1, "pixels": 32, "page": 0},
        {"class": "tree", "number": 1, "pixels": 9, "page": 1},
    ]
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "out/instances/a.tif"), stack.max(axis=3) == 255)


def test_small_objects_are_left_out(tmp_path):
    image = np.zeros((20, 30, 3), np.uint8)
    image[3, 3, 1] = image[10:14, 10:14, 1] = 255
    path = png(tmp_path / "in" / "a.png", image)
    outputs = Outputs(polygons="geojson", least_px=2)
    Predictor(ReadsPixels(), codec_for()).predict_file(path, tmp_path / "out", outputs)
    (only,) = features(tmp_path / "out/polygons/a.geojson")["features"]
    assert only["properties"]["pixels"] == 16
    assert only["geometry"]["coordinates"] == [[[14, 10], [14, 14], [10, 14], [10, 10], [14, 10]]]


def test_objects_that_touch_are_told_apart(tmp_path):
    y, x = np.mgrid[:40, :60]
    discs = [(y - 20) ** 2 + (x - column) ** 2 <= 100 for column in (20, 37)]
    image = np.zeros((40, 60, 3), np.uint8)
    image[discs[0] | discs[1], 2] = 255
    path = png(tmp_path / "in" / "a.png", image)
    outputs = Outputs(polygons="geojson", instances="watershed", least_px=20)
    Predictor(ReadsPixels(), codec_for()).predict_file(path, tmp_path / "out", outputs)
    numbers = tifffile.imread(tmp_path / "out/instances/a.tif")
    assert (numbers[20, 20], numbers[20, 37]) == (1, 2)
    np.testing.assert_array_equal(numbers > 0, image[..., 2] > 0)
    properties = [each["properties"] for each in features(tmp_path / "out/polygons/a.geojson")["features"]]
    counts = np.bincount(numbers.ravel())[1:]
    assert properties == [{"class": "tree", "number": n, "pixels": px} for n, px in enumerate(counts.tolist(), 1)]


def test_a_geopackage_holds_the_polygons_of_the_geojson(tmp_path):
    path, counts = geotiff(tmp_path / "a.tif", coarse_image(90, 70)), []
    for polygons in ("geojson", "geopackage"):
        Predictor(ReadsPixels(), codec_for()).predict_file(path, tmp_path / polygons, Outputs(polygons=polygons))
    for each in features(tmp_path / "geojson/polygons/a.geojson")["features"]:
        counts.append(tuple(each["properties"].values()))
    with sqlite3.connect(tmp_path / "geopackage/polygons/a.gpkg") as database:
        assert database.execute("SELECT class, number, pixels FROM objects").fetchall() == counts
    database.close()


def test_a_system_without_a_number_is_refused(tmp_path):
    place = (33550, 12, 3, (1.0, 1.0, 0.0), True), (33922, 12, 6, (0.0,) * 6, True)
    tifffile.imwrite(tmp_path / "a.tif", image_of(8, 8), photometric="rgb", extratags=place)
    with pytest.raises(OutputError, match=r"reference system of .*a\.tif has no EPSG number(.|\n)*Fix: reproject"):
        Predictor(ReadsPixels(), codec_for()).predict_file(tmp_path / "a.tif", tmp_path / "out", OBJECTS)
    assert not [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
