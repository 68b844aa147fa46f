"""The STAC item beside exports of georeferenced runs says what the extension for models demands."""

import json
import re

import numpy as np
import pytest

import perpixel
from generated import TINY, disc, picture_of
from perpixel.settings.tree import request_from
from perpixel.training import train_run

rasterio = pytest.importorskip("rasterio")

pytestmark = pytest.mark.long


def write_map(folder):
    """Eight GeoTIFFs in a row, 24 pixels of half a metre each, in UTM zone 33."""
    for number in range(8):
        draw = np.random.default_rng(number)
        target = disc(24, 24, draw).astype(np.uint8)
        place = {"crs": "EPSG:32633", "transform": rasterio.Affine(0.5, 0, 5e5 + 12 * number, 0, -0.5, 5e6)}
        for name, bands in (("images", picture_of(target, draw).transpose(2, 0, 1)), ("masks", target[None] * 255)):
            path = folder / name / f"map_{number}.tif"
            path.parent.mkdir(parents=True, exist_ok=True)
            layout = {"height": 24, "width": 24, "count": len(bands), "dtype": "uint8"}
            with rasterio.open(path, "w", driver="GTiff", **layout, **place) as file:
                file.write(bands)
    return folder


@pytest.fixture(scope="module")
def item(tmp_path_factory):
    folder = tmp_path_factory.mktemp("stac")
    run = train_run(write_map(folder / "map"), folder / "roofs 2", request_from(TINY))
    path = perpixel.export(run, folder / "out").path
    return json.loads((path / "item.json").read_text(encoding="utf-8"))


def test_the_place_is_that_of_all_images(item):
    from rasterio.warp import transform_bounds

    expected = transform_bounds("EPSG:32633", "EPSG:4326", 5e5, 5e6 - 12, 5e5 + 96, 5e6)
    np.testing.assert_allclose(item["bbox"], expected, atol=1e-6)
    ring = np.array(item["geometry"]["coordinates"][0])
    assert (ring[0] == ring[-1]).all()
    np.testing.assert_allclose([*ring.min(0), *ring.max(0)], item["bbox"])


def test_the_fields_are_those_of_the_extension(item):
    properties = item["properties"]
    assert (item["type"], item["stac_version"], item["id"]) == ("Feature", "1.1.0", "roofs-2")
    assert "https://stac-extensions.github.io/mlm/v1.5.2/schema.json" in item["stac_extensions"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", properties["datetime"])
    assert re.fullmatch(r"[a-zA-Z][a-zA-Z0-9_.\-\s]+[a-zA-Z0-9]", properties["mlm:name"])
    assert properties["mlm:tasks"] == ["semantic-segmentation"]
    assert (properties["mlm:pretrained"], properties["mlm:pretrained_source"]) == (False, None)
    (image,), (result,) = properties["mlm:input"], properties["mlm:output"]
    assert image["bands"] == []
    for tensor, channels, kind in ((image["input"], 3, "uint8"), (result["result"], 2, "float32")):
        assert (tensor["shape"], tensor["data_type"]) == ([-1, channels, -1, -1], kind)
        assert len(tensor["dim_order"]) == len(set(tensor["dim_order"])) == 4
    for k, each in enumerate(result["classification:classes"]):
        assert each["value"] == k
        assert re.fullmatch(r"[0-9A-Za-z-_]+", each["name"])
        assert re.fullmatch(r"[0-9A-F]{6}", each["color_hint"])
    model = item["assets"]["model"]
    assert "mlm:model" in model["roles"]
    assert (model["href"], model["mlm:artifact_type"]) == ("./model.onnx", "onnx")


def test_images_without_a_place_get_no_item(cells_run, tmp_path):
    assert not (perpixel.export(cells_run, tmp_path / "out").path / "item.json").exists()
