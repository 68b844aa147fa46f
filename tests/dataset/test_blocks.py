"""One georeferenced raster is cut into blocks that a split can divide; only the blocks are read."""

import json
from collections import Counter

import numpy as np
import pytest
import rasterio

from folders import drawing, photograph
from perpixel.audit import audit
from perpixel.dataset import scan
from perpixel.files.read import open_image, read_mask
from perpixel.shapes import IGNORED
from perpixel.split import split

HEIGHT, WIDTH = 200, 260


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setenv("PERPIXEL_CACHE", str(tmp_path / "cache"))


def raster(path, pixels, east=500_000, nodata=None):
    """A tiled GeoTIFF of (H, W) or (H, W, C) pixels, two metres each."""
    bands = np.atleast_3d(pixels).transpose(2, 0, 1)
    path.parent.mkdir(parents=True, exist_ok=True)
    with rasterio.open(
        path, "w", driver="GTiff", height=bands.shape[1], width=bands.shape[2], count=len(bands), dtype=pixels.dtype,
        crs="EPSG:32618", transform=rasterio.Affine(2, 0, east, 0, -2, 4_100_000), nodata=nodata, tiled=True,
        blockxsize=64, blockysize=64,
    ) as file:  # fmt: skip
        file.write(bands)
    return path


def scene(seed=0):
    target = np.kron(drawing(seed, 3, 20, 26), np.ones((10, 10), np.uint8))
    return photograph(target, seed), target


@pytest.fixture
def folder(tmp_path):
    image, target = scene()
    raster(tmp_path / "data" / "images" / "area.tif", image)
    raster(tmp_path / "data" / "masks" / "area.tif", target)
    return tmp_path / "data"


def test_blocks_are_windows_of_the_raster_with_a_gap_between_them(folder):
    dataset, (image, target) = scan(folder), scene()
    shown = np.zeros((HEIGHT, WIDTH), int)
    for block in dataset.samples:
        (top, left), height, width = block.corner, block.height, block.width
        window = np.s_[top : top + height, left : left + width]
        np.testing.assert_array_equal(dataset.image(block), image[window])
        np.testing.assert_array_equal(dataset.target(block), target[window])
        shown[window] += 1
        around = np.s_[max(top - 3, 0) : top + height + 3, max(left - 3, 0) : left + width + 3]
        shown[around] += 100
    assert set(shown[shown % 100 > 0]) == {101}  # in one block, and three pixels off any other
    assert len(dataset.samples) == 24
    assert (shown % 100 == 1).mean() > 0.8
    assert "1 georeferenced raster is cut into 24 blocks of about" in dataset.findings[-1].problem.what


def test_blocks_are_divided_and_their_figures_are_those_of_their_pixels(folder):
    dataset = scan(folder)
    figures = audit(dataset)
    divided = split(dataset.samples, figures)
    assert Counter(part for part, _ in divided.parts.values()) == {"train": 19, "val": 3, "test": 2}
    assert {reason for _, reason in divided.parts.values()} == {"block of a raster"}
    pixels = np.concatenate([dataset.image(block).reshape(-1, 3) for block in dataset.samples])
    np.testing.assert_allclose(figures.mean, pixels.mean(axis=0), rtol=1e-9)
    np.testing.assert_allclose(figures.std, pixels.std(axis=0), rtol=1e-9)
    targets = np.concatenate([dataset.target(block).ravel() for block in dataset.samples])
    assert [each.pixels for each in figures.classes] == np.bincount(targets, minlength=3).tolist()


def test_only_the_tiles_of_a_block_are_read(folder, monkeypatch):
    block = next(block for block in scan(folder).samples if block.corner == (0, 0))
    wanted = []
    monkeypatch.setattr("perpixel.files.tiff._segment", lambda _file, _page, index, _lock: wanted.append(index))
    with open_image(block.image) as image:
        image.read(*block.box)
    read_mask(block.masks[0], 0, block.box)
    assert wanted == [0, 0]


def test_blocks_without_labels_are_left_out_and_told(tmp_path):
    image, target = scene()
    target[:, 130:] = IGNORED
    raster(tmp_path / "images" / "area.tif", image)
    raster(tmp_path / "masks" / "area.tif", target, nodata=IGNORED)
    dataset = scan(tmp_path)
    assert all((dataset.target(block) != IGNORED).any() for block in dataset.samples)
    assert f"{24 - len(dataset.samples)} more hold no label" in dataset.findings[-1].problem.what


def test_outlines_are_cut_with_their_raster(tmp_path):
    raster(tmp_path / "area.tif", scene()[0])
    corners = [(500_100, 4_099_900), (500_300, 4_099_900), (500_300, 4_099_700), (500_100, 4_099_700)]
    feature = {"type": "Polygon", "coordinates": [[*corners, corners[0]]]}
    crs = {"type": "name", "properties": {"name": "EPSG:32618"}}
    features = [{"type": "Feature", "properties": {"class": "roof"}, "geometry": feature}]
    layer = {"type": "FeatureCollection", "crs": crs, "features": features}
    (tmp_path / "roofs.geojson").write_text(json.dumps(layer))
    whole, cut = scan(tmp_path, whole=True), scan(tmp_path)
    target = whole.target(whole.samples[0])
    assert target.sum() == 100 * 100
    for block in cut.samples:
        top, left, height, width = block.box
        window = np.s_[top : top + height, left : left + width]
        np.testing.assert_array_equal(cut.target(block), target[window])
        np.testing.assert_array_equal(cut.instances(block) > 0, target[window] > 0)


def test_instances_of_a_block_are_those_of_its_raster(tmp_path):
    image, target = scene()
    numbers = np.kron(np.arange(1, 521).reshape(20, 26), np.ones((10, 10))).astype(np.uint16) * (target > 0)
    numbers[:, :13] = np.repeat(np.arange(1, 201)[:, None], 13, axis=1)
    raster(tmp_path / "images" / "area.tif", image)
    raster(tmp_path / "masks" / "area.tif", numbers)
    dataset = scan(tmp_path)
    assert dataset.reading == "instances"
    for block in dataset.samples:
        top, left, height, width = block.box
        np.testing.assert_array_equal(dataset.instances(block), numbers[top : top + height, left : left + width])


def test_several_rasters_given_splits_and_plain_images_stay_whole(tmp_path):
    image, target = scene()
    for number in range(3):
        raster(tmp_path / "three" / "images" / f"{number}.tif", image, 500_000 + 1000 * number)
        raster(tmp_path / "three" / "masks" / f"{number}.tif", target, 500_000 + 1000 * number)
    for part in ("train", "val"):
        raster(tmp_path / "given" / part / "images" / f"{part}.tif", image)
        raster(tmp_path / "given" / part / "masks" / f"{part}.tif", target)
    for name, count in (("three", 3), ("given", 2)):
        samples = scan(tmp_path / name).samples
        assert [sample.corner for sample in samples] == [None] * count


def test_scoring_sees_rasters_whole(folder):
    (sample,) = scan(folder, whole=True).samples
    assert (sample.corner, sample.height, sample.width) == (None, HEIGHT, WIDTH)
