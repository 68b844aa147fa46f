"""A raster of labels beside its image, as GIS programs write it."""

import numpy as np
import pytest

from folder_kinds import photo, shapes
from perpixel.dataset import scan
from perpixel.errors import DataError

rasterio = pytest.importorskip("rasterio")
HEIGHT, WIDTH = 96, 128


def _raster(path, pixels, nodata=None):
    bands = pixels.reshape(HEIGHT, WIDTH, -1).transpose(2, 0, 1)
    place = rasterio.Affine(0.5, 0, 1000, 0, -0.5, 5000)
    with rasterio.open(
        path, "w", width=WIDTH, height=HEIGHT, count=len(bands), dtype=bands.dtype, crs="EPSG:32633",
        transform=place, nodata=nodata,
    ) as file:  # fmt: skip
        file.write(bands)


@pytest.mark.parametrize(
    ("dtype", "nodata"), [("int16", -1), ("int32", -2147483648), ("float32", -9999), ("uint16", 65535)]
)
def test_a_band_of_few_whole_numbers_is_the_labels_and_its_nodata_none(tmp_path, dtype, nodata):
    target = shapes(1, 4, HEIGHT, WIDTH)
    _raster(tmp_path / "ortho.tif", photo(target))
    _raster(
        tmp_path / "training_raster.tif", np.where(target == 0, nodata, target.astype(np.int64)).astype(dtype), nodata
    )
    (sample,) = (dataset := scan(tmp_path, whole=True)).samples
    assert sample.image.name == "ortho.tif"
    found = dataset.target(sample)
    assert ((found == 255) == (target == 0)).all()
    assert {(int(a), int(b)) for a, b in zip(target[target > 0], found[target > 0], strict=True)} == {
        (1, 0), (2, 1), (3, 2),
    }  # fmt: skip


@pytest.mark.parametrize("dtype", ["uint16", "int16", "float32"])
@pytest.mark.parametrize(("least", "steepness"), [(200, 1), (200, 20), (1, 20), (0, 16)])
def test_heights_are_no_labels(tmp_path, dtype, least, steepness):
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    _raster(tmp_path / "ortho.tif", photo(shapes(1, 4, HEIGHT, WIDTH)))
    _raster(tmp_path / "surface.tif", (least + (rows + columns) // steepness).astype(dtype))
    with pytest.raises(DataError, match="no masks were found"):
        scan(tmp_path)
