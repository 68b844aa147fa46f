"""TIFF written from rows in any pieces: pages, BigTIFF, georeference, nothing half-written."""

import numpy as np
import pytest
import rasterio
import tifffile
from PIL import Image

from perpixel.errors import OutputError
from perpixel.files.tiff_writer import TiffLayout, georeference_tags, write_tiff


@pytest.mark.parametrize("cuts", [[600], [1] * 600, [256, 256, 88], [100, 300, 200], [599, 1]])
@pytest.mark.parametrize("bands", [1, 2])
def test_rows_may_come_in_any_pieces(tmp_path, cuts, bands):
    array = np.random.default_rng(0).integers(0, 9, (600, 70, bands), np.uint16)
    array = array[..., 0] if bands == 1 else array
    write_tiff(tmp_path / "a.tif", np.split(array, np.cumsum(cuts)[:-1]), TiffLayout.of(array))
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "a.tif"), array)


def test_pages_stay_pages(tmp_path):
    stack = np.random.default_rng(0).integers(0, 2, (5, 40, 30), np.uint8)
    write_tiff(tmp_path / "a.tif", list(stack), TiffLayout(40, 30, 1, stack.dtype, pages=5))
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        assert len(file.pages) == 5
        np.testing.assert_array_equal(np.stack([page.asarray() for page in file.pages]), stack)


def test_a_file_that_may_pass_four_gibibytes_is_a_big_tiff(tmp_path):
    layout = TiffLayout(256, 256, 1, np.dtype(np.uint8), pages=66_000)

    starts = []

    def interrupted():
        for _ in range(100):
            yield np.random.default_rng(0).integers(0, 256, (256, 256), np.uint8)
        starts.extend(path.read_bytes()[:4] for path in tmp_path.iterdir())
        raise OSError("disk full")

    with pytest.raises(OutputError, match=r"cannot write .*a\.tif: disk full"):
        write_tiff(tmp_path / "a.tif", interrupted(), layout)
    assert starts == [b"II+\0"]
    assert not list(tmp_path.iterdir()), "nothing half-written stays"


def test_the_georeference_is_carried_over(tmp_path):
    profile = {"driver": "GTiff", "height": 30, "width": 20, "count": 1, "dtype": "uint8", "crs": "EPSG:32618"}
    transform = rasterio.Affine(0.5, 0, 300_000.25, 0, -0.5, 4_000_000.75)
    with rasterio.open(tmp_path / "source.tif", "w", **profile, transform=transform) as source:
        source.write(np.zeros((1, 30, 20), np.uint8))
        crs, bounds = source.crs, source.bounds
    colours = np.random.default_rng(0).integers(0, 256, (256, 3), np.uint8)
    layout = TiffLayout(
        30, 20, 1, np.dtype(np.uint8), colours=colours, nodata=255,
        georeference=georeference_tags(tmp_path / "source.tif"),
    )  # fmt: skip
    write_tiff(tmp_path / "mask.tif", [np.ones((30, 20), np.uint8)], layout)
    with rasterio.open(tmp_path / "mask.tif") as mask:
        assert (mask.crs, mask.transform, mask.bounds, mask.nodata) == (crs, transform, bounds, 255)
        assert {k: tuple(v[:3]) for k, v in mask.colormap(1).items()} == dict(enumerate(map(tuple, colours.tolist())))


def test_other_files_have_no_georeference(tmp_path):
    Image.new("L", (4, 4)).save(tmp_path / "a.png")
    assert georeference_tags(tmp_path / "a.png") == ()
