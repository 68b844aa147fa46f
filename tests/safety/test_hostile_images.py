"""Small files that ask for much: refused before memory is taken."""

import io
import json
import lzma
import os
import struct
import tracemalloc
import zlib

import numpy as np
import pytest
import tifffile

from folders import save
from perpixel.dataset import scan
from perpixel.errors import DataError
from perpixel.files import open_image as image_module
from perpixel.files import tiff as tiff_module
from perpixel.files import tiff_limits
from perpixel.files.read import is_image, open_image, read_header, read_image, read_mask
from perpixel.prediction.inputs import expanded

LITTLE = 2**24


def refused(path, message):
    """Both readers refuse without taking 16 MB."""
    tracemalloc.start()
    for read in (read_image, read_mask):
        with pytest.raises(DataError, match=message):
            read(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < LITTLE


def with_tags(path, **changes):
    """Change the numbers of tags of the first page of a TIFF."""
    with tifffile.TiffFile(path, mode="r+b") as file:
        for name, value in changes.items():
            file.pages[0].tags[name].overwrite(value)


def test_a_tile_far_larger_than_its_image(tmp_path):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.zeros((32, 32), np.uint8), tile=(32, 32), compression="zlib")
    with_tags(path, TileWidth=65536, TileLength=24000)
    refused(path, r"declares tiles or strips of 1,572,864,000 bytes for 32 × 32 pixels; .*\n.*PERPIXEL_MAX_BYTES")


@pytest.mark.parametrize("compress", [zlib.compress, lambda data: lzma.compress(data, lzma.FORMAT_XZ, preset=0)])
def test_a_tile_whose_bytes_are_a_bomb(tmp_path, compress, monkeypatch):
    monkeypatch.setattr(tiff_limits, "ALWAYS_ALLOWED", 2**20)
    path = tmp_path / "a.tif"
    bomb = compress(bytes(2**25))
    code = 8 if bomb[:1] == b"x" else 34925
    tags = [(256, 3, 32), (257, 3, 32), (258, 3, 8), (259, 3, code), (262, 3, 1), (273, 4, 8), (277, 3, 1),
            (278, 3, 32), (279, 4, len(bomb))]  # fmt: skip
    entries = b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in tags)
    directory = struct.pack("<H", len(tags)) + entries + struct.pack("<I", 0)
    path.write_bytes(b"II*\0" + struct.pack("<I", 8 + len(bomb)) + bomb + directory)
    refused(path, "its compressed bytes hold more than 1,048,576")


def test_a_sound_tiff_of_one_strip_is_read(tmp_path, monkeypatch):
    monkeypatch.setattr(tiff_limits, "ALWAYS_ALLOWED", 2**10)
    pixels = np.random.default_rng(0).integers(0, 2, (300, 200, 3), np.uint8)
    for compression in ("zlib", "lzma", None):
        tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="rgb", compression=compression, rowsperstrip=300)
        assert (read_image(tmp_path / "a.tif") == pixels).all()


def test_an_rgba_picture_counts_its_copies(tmp_path):
    """16,000² pixels of RGBA took 2.8 GB."""
    header = struct.pack(">IIBBBBB", 16_000, 16_000, 8, 6, 0, 0, 0)
    chunk = b"IHDR" + header
    content = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
    data = b"IDAT" + zlib.compress(b"")
    content += struct.pack(">I", len(data) - 4) + data + struct.pack(">I", zlib.crc32(data))
    (tmp_path / "a.png").write_bytes(content)
    refused(tmp_path / "a.png", r"16,000 × 16,000 pixels take 2,816,000,000 bytes to decode; at most 2,147,483,648")
    with pytest.raises(DataError, match="to decode"):
        read_header(tmp_path / "a.png")


def test_more_pages_than_the_limit(tmp_path, monkeypatch):
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((5, 8, 8), np.uint8), photometric="minisblack")
    monkeypatch.setattr(tiff_module, "MAX_PAGES", 4)
    with pytest.raises(DataError, match=r"it holds more than 4 pages \(PERPIXEL_MAX_PAGES allows more\)"):
        read_header(tmp_path / "a.tif")


def test_more_channels_than_the_limit(tmp_path):
    """32,768 channels that only GDAL decodes took minutes."""
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.zeros((24, 32, 3), np.uint8), photometric="rgb")
    with_tags(path, SamplesPerPixel=32768)
    for read in (read_image, read_mask, read_header):
        with pytest.raises(DataError, match=r"32,768 channels; at most 512 are read.\n.*PERPIXEL_MAX_CHANNELS"):
            read(path)


def test_a_window_counts_its_bytes(tmp_path, monkeypatch):
    np.save(tmp_path / "a.npy", np.zeros((64, 64, 8), np.float32))
    monkeypatch.setattr(image_module, "MAX_BYTES", 64 * 64 * 8 * 4 - 1)
    with open_image(tmp_path / "a.npy") as image:
        assert image.read(0, 0, 32, 64).shape == (32, 64, 8)
        with pytest.raises(DataError, match=r"64 × 64 pixels take 131,072 bytes to decode; at most 131,071"):
            image.read()


def test_chunks_of_zarr_are_bounded(tmp_path, monkeypatch):
    zarr = pytest.importorskip("zarr")
    from perpixel.files import ome_zarr

    zarr.create_array(str(tmp_path / "a.zarr"), shape=(32, 32), chunks=(32, 32), dtype="uint8")
    monkeypatch.setattr(ome_zarr, "MAX_BYTES", 1000)
    with pytest.raises(DataError, match=r"its chunks take 1,024 bytes each; at most 1,000 are taken at once"):
        read_image(tmp_path / "a.zarr")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_named_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.png")
    os.mkfifo(tmp_path / "a")
    assert not is_image(tmp_path / "a")
    for read in (read_image, read_mask, read_header):
        with pytest.raises(DataError, match=r"a.png cannot be read: it is a folder, a pipe or a device"):
            read(tmp_path / "a.png")
    with pytest.raises(DataError, match="holds no images"):
        scan(tmp_path)


@pytest.mark.parametrize("given", ["x" * 5000, "a\0b", "[", "~nobody/x.png", ""])
def test_odd_paths_to_predict_are_told(given, tmp_path, monkeypatch):
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    with pytest.raises(DataError, match=r"Fix: "):
        expanded([given])


def test_names_to_predict_are_plain(tmp_path):
    save(tmp_path / "a\nb.png", np.zeros((4, 4), np.uint8))
    with pytest.raises(DataError, match=r"1 file name is not UTF-8, or holds line breaks"):
        expanded([str(tmp_path)])


def test_nan_as_nodata_of_float_labels(tmp_path):
    mask = np.zeros((24, 32), np.float32)
    mask[:12], mask[0] = 1, np.nan
    for name in ("a", "b"):
        save(tmp_path / "images" / f"{name}.png", np.random.default_rng(0).integers(0, 256, (24, 32, 3), np.uint8))
        (tmp_path / "masks").mkdir(exist_ok=True)
        extra = [(42113, "s", 4, "nan", True)]
        tifffile.imwrite(tmp_path / "masks" / f"{name}.tif", mask, extratags=extra)
    dataset = scan(tmp_path)
    target = dataset.target(dataset.samples[0])
    assert (target[0] == 255).all()
    assert np.unique(target[1:]).tolist() == [0, 1]


def test_run_lengths_of_a_smaller_area_than_the_image(tmp_path):
    save(tmp_path / "a.png", np.random.default_rng(0).integers(0, 256, (24, 32, 3), np.uint8))
    coco = {
        "images": [{"id": 1, "file_name": "a.png"}],
        "categories": [{"id": 1, "name": "disc"}],
        "annotations": [
            {"id": 1, "image_id": 1, "category_id": 1, "segmentation": {"size": [4, 5], "counts": [0, 20]}}
        ],
    }
    (tmp_path / "coco.json").write_text(json.dumps(coco), encoding="utf-8")
    dataset = scan(tmp_path)
    target = dataset.target(dataset.samples[0])
    assert target[:4, :5].all()
    assert target.sum() == 20
    coco["annotations"][0]["segmentation"] = {"size": [2**20, 2**20], "counts": [0, 2**40]}
    (tmp_path / "coco.json").write_text(json.dumps(coco), encoding="utf-8")
    with pytest.raises(DataError, match="is not sound COCO"):
        scan(tmp_path)


def test_a_file_beside_a_tiff_is_not_opened(tmp_path, monkeypatch):
    """An .aux.xml or .ovr may name other files."""
    rasterio = pytest.importorskip("rasterio")
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, np.zeros((8, 8), np.uint8))
    (tmp_path / "a.tif").write_bytes(buffer.getvalue())
    seen = {}
    real = rasterio.open

    def spy(name, **options):
        seen.update(options, **rasterio.env.getenv())
        return real(name, **options)

    monkeypatch.setattr(rasterio, "open", spy)
    assert tiff_module._crs_wkt(tmp_path / "a.tif") == ""
    assert seen["driver"] == "GTiff"
    assert seen["GDAL_DISABLE_READDIR_ON_OPEN"] == "EMPTY_DIR"


def test_a_colour_table_that_lost_its_end_is_black_there(tmp_path):
    indices, path = np.arange(16, dtype=np.uint8).reshape(4, 4), tmp_path / "a.tif"
    tifffile.imwrite(path, indices, photometric="palette", colormap=np.full((3, 256), 65535, np.uint16))
    with tifffile.TiffFile(path, mode="r+b") as tiff:
        tag = tiff.pages[0].tags["ColorMap"]
        tiff.filehandle.seek(tag.offset + 4)
        tiff.filehandle.write((6).to_bytes(4, "little"))  # two colours are left of 256
    mask = read_mask(path)
    assert mask.palette.shape == (256, 3)
    np.testing.assert_array_equal(mask.palette.any(axis=1).nonzero()[0], [0, 1])
    np.testing.assert_array_equal(read_image(path)[..., 0] > 0, indices < 2)
