"""TIFF written in pieces of any order: pages, BigTIFF, georeference, nothing half-written."""

import warnings
from contextlib import contextmanager

import numpy as np
import pytest
import rasterio
import tifffile
from PIL import Image

from perpixel.errors import OutputError
from perpixel.files.tiff_writer import TiffLayout, georeference_tags, write_tiff, writing_tiff


@contextmanager
def rasterio_quiet(path):
    """A file without a place on the earth, which rasterio warns of."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
        with rasterio.open(path) as file:
            yield file


@pytest.mark.parametrize("step", [256, 100, 70, 900])
@pytest.mark.parametrize("bands", [1, 2, 3])
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "int64"])
def test_parts_may_come_in_any_size_and_order(tmp_path, step, bands, dtype):
    array = np.random.default_rng(0).integers(0, 99, (600, 270, bands)).astype(dtype)
    array = array[..., 0] if bands == 1 else array
    places = [(top, left) for top in range(0, 600, step) for left in range(0, 270, step)]
    with writing_tiff(tmp_path / "a.tif", TiffLayout.of(array)) as writer:
        for place in np.random.default_rng(1).permutation(len(places)):
            top, left = places[place]
            writer.put(0, top, left, array[top : top + step, left : left + step])
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "a.tif"), array)
    with rasterio_quiet(tmp_path / "a.tif") as file:
        np.testing.assert_array_equal(np.moveaxis(file.read(), 0, -1).reshape(array.shape), array)


def test_pages_stay_pages(tmp_path):
    stack = np.random.default_rng(0).integers(0, 2, (5, 40, 30), np.uint8)
    write_tiff(tmp_path / "a.tif", list(stack), TiffLayout(40, 30, 1, stack.dtype, pages=5))
    with tifffile.TiffFile(tmp_path / "a.tif") as file:
        assert len(file.pages) == 5
        np.testing.assert_array_equal(np.stack([page.asarray() for page in file.pages]), stack)


@pytest.mark.parametrize("pages", [1, 3])
def test_a_big_tiff_reads_like_any_other(tmp_path, monkeypatch, pages):
    monkeypatch.setattr(TiffLayout, "is_big", True)
    stack = np.random.default_rng(0).integers(0, 255, (pages, 300, 520), np.uint8)
    colours = np.arange(768).reshape(256, 3).astype(np.uint8)
    layout = TiffLayout(300, 520, 1, stack.dtype, pages=pages, colours=colours, nodata=255)
    write_tiff(tmp_path / "a.tif", list(stack), layout)
    assert (tmp_path / "a.tif").read_bytes()[:4] == b"II+\0"
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "a.tif").reshape(stack.shape), stack)
    with rasterio_quiet(tmp_path / "a.tif") as file:
        np.testing.assert_array_equal(file.read(1), stack[0])
        assert file.nodata == 255


def test_a_file_that_may_pass_four_gibibytes_is_a_big_tiff():
    assert TiffLayout(65_536, 65_536, 1, np.dtype(np.uint8)).is_big
    assert TiffLayout(16_384, 16_384, 4, np.dtype(np.float32)).is_big
    assert not TiffLayout(49_152, 49_152, 1, np.dtype(np.uint8)).is_big


def test_an_interrupted_file_never_appears(tmp_path):
    image = np.zeros((300, 300), np.uint8)

    def write():
        with writing_tiff(tmp_path / "a.tif", TiffLayout.of(image)) as writer:
            writer.put(0, 0, 0, image[:256])
            raise OSError("disk full")

    with pytest.raises(OutputError, match=r"cannot write .*a\.tif: disk full"):
        write()
    assert not list(tmp_path.iterdir())


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
