"""Pixels of images that hold no data: out of the statistics, the training and the scores."""

import numpy as np
import pytest
import rasterio

from folders import drawing, photograph, save
from perpixel.audit import audit
from perpixel.dataset import scan
from perpixel.shapes import IGNORED


@pytest.fixture(autouse=True)
def _cache(tmp_path, monkeypatch):
    monkeypatch.setenv("PERPIXEL_CACHE", str(tmp_path / "cache"))


def raster(path, image, nodata):
    path.parent.mkdir(parents=True, exist_ok=True)
    height, width, count = image.shape
    shape = {"height": height, "width": width, "count": count, "dtype": image.dtype}
    with rasterio.open(
        path, "w", driver="GTiff", transform=rasterio.Affine(1, 0, 7, 0, -1, 9), nodata=nodata, **shape
    ) as file:
        file.write(np.moveaxis(image, -1, 0))


def folder_of(path, dtype, nodata, hole, tagged=True):
    """Four images with a corner of `hole`, and masks that label it, too."""
    images = []
    for number in range(4):
        image = photograph(drawing(number), number, 3, "uint8").astype(dtype) + np.array(5, dtype)
        image[:6, :9] = hole
        image[20, 20, 0] = hole  # one channel alone is a value
        raster(path / "images" / f"{number}.tif", image, nodata if tagged else None)
        save(path / "masks" / f"{number}.png", drawing(number))
        images.append(image)
    return images


CASES = [
    ("uint8", 0, 0, True),
    ("uint16", 0, 0, True),
    ("uint16", 65535, 65535, True),
    ("int16", -9999, -9999, True),
    ("float32", -9999, -9999, True),
    ("float32", -3.4e38, -3.4e38, True),
    ("float32", None, np.inf, False),
    ("float32", None, np.nan, False),
]


@pytest.mark.parametrize(("dtype", "nodata", "hole", "tagged"), CASES)
def test_what_holds_no_data_has_no_label_and_is_the_mean(tmp_path, dtype, nodata, hole, tagged):
    images = folder_of(tmp_path / "data", dtype, nodata, hole, tagged)
    dataset = scan(tmp_path / "data")
    for number, sample in enumerate(dataset.samples):
        image, target = dataset.labelled_image(sample)
        expected = drawing(number).copy()
        np.testing.assert_array_equal(dataset.target(sample), expected)  # the mask stays as it is
        expected[:6, :9] = IGNORED
        np.testing.assert_array_equal(target, expected)
        known = np.ones(expected.shape, bool)
        known[:6, :9] = known[20, 20] = False
        np.testing.assert_array_equal(image[known], images[number][known].astype(image.dtype))
        if image.dtype.kind == "u":
            inside = np.ones(expected.shape, bool)
            inside[:6, :9] = False
            mean = images[number][inside].astype(float).mean(axis=0)
            assert np.abs(image[:6, :9].astype(float) - mean).max() <= 1
        else:
            assert np.isnan(image[:6, :9]).all()


@pytest.mark.parametrize(("dtype", "nodata", "hole", "tagged"), CASES)
def test_what_holds_no_data_is_in_no_statistic(tmp_path, dtype, nodata, hole, tagged):
    images = folder_of(tmp_path / "data", dtype, nodata, hole, tagged)
    result = audit(scan(tmp_path / "data"))
    values = np.stack(images).astype(np.float64)
    with np.errstate(invalid="ignore"):
        values[(values == hole) | ~(np.abs(values) < 1e30)] = np.nan
    pixels = values.reshape(-1, 3)
    np.testing.assert_allclose(result.mean, np.nanmean(pixels, axis=0), rtol=1e-5)
    np.testing.assert_allclose(result.std, np.nanstd(pixels, axis=0), rtol=1e-5)
    np.testing.assert_array_equal(result.least, np.nanmin(pixels, axis=0))
    assert not result.duplicates


def test_images_without_a_tag_are_as_they_are(tmp_path):
    folder_of(tmp_path / "data", "uint8", 0, 0, tagged=False)
    dataset = scan(tmp_path / "data")
    image, target = dataset.labelled_image(dataset.samples[0])
    assert not image[:6, :9].any()
    np.testing.assert_array_equal(target, drawing(0))
