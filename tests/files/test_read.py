import io
import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import rasterio
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps
from rasterio.transform import Affine

from perpixel.errors import DataError
from perpixel.files.limits import MAX_PIXELS
from perpixel.files.open_image import damage_told
from perpixel.files.read import open_image, read_header, read_image, read_mask

pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")

random = np.random.default_rng(0)
GRAY = random.integers(0, 256, (20, 30, 1), np.uint8)
COLOUR = random.integers(0, 256, (20, 30, 3), np.uint8)
DEEP = random.integers(0, 2**16, (20, 30, 1), np.uint16)


@pytest.mark.parametrize("ending", ["png", "bmp", "webp", "tif", "npy", "ppm"])
@pytest.mark.parametrize("pixels", [GRAY, COLOUR], ids=["gray", "colour"])
def test_lossless_formats_give_the_pixels_back(tmp_path, ending, pixels):
    path = tmp_path / f"a.{ending}"
    flat = pixels[..., 0] if pixels.shape[2] == 1 else pixels
    if ending == "npy":
        np.save(path, flat)
    elif ending == "webp":
        Image.fromarray(flat).save(path, lossless=True)
    else:
        Image.fromarray(flat).save(path)
    image = read_image(path)
    if ending == "webp" and pixels.shape[2] == 1:  # WebP knows no gray
        pixels = np.repeat(pixels, 3, axis=2)
    np.testing.assert_array_equal(image, pixels)
    assert image.dtype == np.uint8


def test_a_jpeg_is_what_pillow_decodes(tmp_path):
    Image.fromarray(COLOUR).save(tmp_path / "a.jpg")
    np.testing.assert_array_equal(read_image(tmp_path / "a.jpg"), np.asarray(Image.open(tmp_path / "a.jpg")))


def test_palettes_become_colours_and_a_gif_gives_its_first_frame(tmp_path):
    picture = Image.fromarray(COLOUR).quantize(16)
    picture.save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), np.asarray(picture.convert("RGB")))
    picture.save(tmp_path / "a.gif", save_all=True, append_images=[Image.new("P", picture.size)])
    np.testing.assert_array_equal(read_image(tmp_path / "a.gif"), np.asarray(picture.convert("RGB")))


def test_the_content_decides_not_the_ending(tmp_path):
    Image.fromarray(COLOUR).save(tmp_path / "a.jpg", "PNG")
    np.testing.assert_array_equal(read_image(tmp_path / "a.jpg"), COLOUR)


def test_an_alpha_is_dropped_only_if_constant(tmp_path):
    alpha = np.full((20, 30, 1), 255, np.uint8)
    Image.fromarray(np.concatenate([COLOUR, alpha], 2)).save(tmp_path / "constant.png")
    alpha[3, 4] = 7
    Image.fromarray(np.concatenate([COLOUR, alpha], 2)).save(tmp_path / "varying.png")
    np.testing.assert_array_equal(read_image(tmp_path / "constant.png"), COLOUR)
    assert read_image(tmp_path / "varying.png").shape == (20, 30, 4)
    assert [read_header(tmp_path / f"{name}.png").channels for name in ("constant", "varying")] == [3, 4]


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied_as_pillow_does(tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(COLOUR).save(tmp_path / "a.png", exif=exif)
    expected = np.asarray(ImageOps.exif_transpose(Image.open(tmp_path / "a.png")))
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), expected)
    assert read_header(tmp_path / "a.png").size == expected.shape[:2]


@pytest.mark.parametrize(
    ("pixels", "options"),
    [
        (GRAY[..., 0], {}),
        (DEEP[..., 0], {"compression": "deflate", "predictor": True}),
        (COLOUR, {"tile": (16, 16), "compression": "deflate"}),
        (COLOUR, {"planarconfig": "separate", "rowsperstrip": 7}),
        (random.normal(size=(20, 30)).astype(np.float32), {"rowsperstrip": 3}),
        (random.integers(0, 255, (20, 30, 7), np.uint8), {"planarconfig": "contig", "photometric": "minisblack"}),
        (random.integers(-99, 99, (20, 30), np.int16), {}),
    ],
    ids=["8 bit", "16 bit deflate", "tiled", "planes", "float", "7 bands", "signed"],
)
def test_tiff_of_every_kind_is_read_as_tifffile_and_rasterio_read_it(tmp_path, pixels, options):
    if options.get("planarconfig") == "separate":
        tifffile.imwrite(tmp_path / "a.tif", np.moveaxis(pixels, -1, 0), photometric="rgb", **options)
    else:
        tifffile.imwrite(tmp_path / "a.tif", pixels, **options)
    expected = pixels[..., None] if pixels.ndim == 2 else pixels
    with rasterio.open(tmp_path / "a.tif") as source:
        np.testing.assert_array_equal(np.moveaxis(source.read(), 0, -1), expected)
    image = read_image(tmp_path / "a.tif")
    np.testing.assert_array_equal(image, expected)
    assert image.dtype == (np.float32 if pixels.dtype == np.int16 else pixels.dtype)


@pytest.mark.parametrize("compression", ["lzw", "jpeg", "zstd", "packbits"])
def test_compressions_that_tifffile_lacks_are_read_by_rasterio(tmp_path, compression):
    options = {"photometric": "ycbcr"} if compression == "jpeg" else {}
    with rasterio.open(
        tmp_path / "a.tif", "w", driver="GTiff", height=20, width=30, count=3, dtype="uint8", compress=compression,
        transform=Affine(2, 0, 0, 0, -2, 0), crs="EPSG:32633", **options,
    ) as file:  # fmt: skip
        file.write(np.moveaxis(COLOUR, -1, 0))
    with rasterio.open(tmp_path / "a.tif") as source:
        expected = np.moveaxis(source.read(), 0, -1)
    np.testing.assert_array_equal(read_image(tmp_path / "a.tif"), expected)


def test_pages_of_a_stack_are_read_one_by_one(tmp_path):
    stack = random.integers(0, 255, (5, 20, 30), np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", stack, photometric="minisblack")
    for page in range(5):
        with open_image(tmp_path / "a.tif", page) as image:
            assert image.pages == 5
            np.testing.assert_array_equal(image.read()[..., 0], stack[page])
    with pytest.raises(DataError, match="has 5 pages; page 5 was asked for"):
        open_image(tmp_path / "a.tif", 5)


def test_georeference_and_nodata_are_those_of_rasterio(tmp_path):
    transform = Affine(0.5, 0, 700_000, 0, -0.5, 3_700_000)
    with rasterio.open(
        tmp_path / "a.tif", "w", driver="GTiff", height=20, width=30, count=1, dtype="uint16", nodata=7,
        crs="EPSG:32616", transform=transform,
    ) as file:  # fmt: skip
        file.write(DEEP[..., 0], 1)
    with open_image(tmp_path / "a.tif") as image, rasterio.open(tmp_path / "a.tif") as source:
        assert image.nodata == source.nodata == 7
        assert image.georeference.transform == tuple(source.transform)[:6]
        assert rasterio.crs.CRS.from_wkt(image.georeference.crs_wkt) == source.crs
        assert image.georeference.bounds(20, 30) == tuple(source.bounds)


@pytest.mark.parametrize("shape", [(20, 30), (20, 30, 5), (5, 20, 30)])
def test_npy_has_its_channels_last_or_first(tmp_path, shape):
    pixels = random.normal(size=shape).astype(np.float32)
    np.save(tmp_path / "a.npy", pixels)
    expected = pixels[..., None] if len(shape) == 2 else np.moveaxis(pixels, 0, -1) if shape[0] == 5 else pixels
    np.testing.assert_array_equal(read_image(tmp_path / "a.npy"), expected)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_window_is_that_part_of_the_whole(data, tmp_path_factory):
    height, width = data.draw(st.integers(1, 70)), data.draw(st.integers(1, 70))
    kind = data.draw(st.sampled_from(["tiles", "strips", "npy", "png"]))
    pixels = np.random.default_rng(height * 71 + width).integers(0, 255, (height, width, 3), np.uint8)
    path = tmp_path_factory.mktemp("window") / ("a.npy" if kind == "npy" else "a.png" if kind == "png" else "a.tif")
    if kind == "npy":
        np.save(path, np.moveaxis(pixels, -1, 0) if min(height, width) > 3 else pixels)
    elif kind == "png":
        Image.fromarray(pixels).save(path)
    else:
        options = {"tile": (16, 32)} if kind == "tiles" else {"rowsperstrip": data.draw(st.integers(1, 80))}
        tifffile.imwrite(path, pixels, photometric="rgb", compression="deflate", **options)
    top, left = data.draw(st.integers(0, height - 1)), data.draw(st.integers(0, width - 1))
    h, w = data.draw(st.integers(1, height - top)), data.draw(st.integers(1, width - left))
    with open_image(path) as image:
        shape = (image.height, image.width, image.channels)
        if shape == pixels.shape:
            np.testing.assert_array_equal(image.read(top, left, h, w), pixels[top : top + h, left : left + w])


def test_a_mask_keeps_its_indices_palette_and_colours(tmp_path):
    picture = Image.fromarray(COLOUR).quantize(16)
    picture.save(tmp_path / "palette.png")
    mask = read_mask(tmp_path / "palette.png")
    np.testing.assert_array_equal(mask.values, np.asarray(picture))
    np.testing.assert_array_equal(mask.palette[mask.values], np.asarray(picture.convert("RGB")))
    Image.fromarray(GRAY[..., 0] > 99).save(tmp_path / "bits.png")
    np.testing.assert_array_equal(read_mask(tmp_path / "bits.png").values, np.where(GRAY[..., 0] > 99, 255, 0))
    Image.fromarray(DEEP[..., 0]).save(tmp_path / "deep.png")
    np.testing.assert_array_equal(read_mask(tmp_path / "deep.png").values, DEEP[..., 0])
    np.save(tmp_path / "float.npy", np.array([[0.0, np.nan], [2.0, 1.0]]))
    np.testing.assert_array_equal(read_mask(tmp_path / "float.npy").values, [[0, -1], [2, 1]])


def test_a_mask_of_fractions_is_refused(tmp_path):
    np.save(tmp_path / "a.npy", np.array([[0.25, 1.0]]))
    with pytest.raises(DataError, match="a mask of fractions; classes are whole numbers"):
        read_mask(tmp_path / "a.npy")


def _huge_png(width: int, height: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")


def _png() -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(COLOUR).save(buffer, "PNG")
    return buffer.getvalue()


def _tiff() -> bytes:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, COLOUR, photometric="rgb")
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "cannot be read: it is empty"),
        (b"what is this?", r"its first bytes are not those of an image"),
        (_png()[:300], "truncated or damaged"),
        (_tiff()[:-500], "truncated or damaged"),
        (_tiff()[:40], "truncated or damaged"),
        (_huge_png(40_000, 40_000), rf"declares 40,000 × 40,000 pixels; at most {MAX_PIXELS:,}"),
    ],
    ids=["empty", "no image", "truncated PNG", "truncated TIFF", "TIFF head", "bomb"],
)
def test_what_cannot_be_read_says_so(tmp_path, content, message):
    (tmp_path / "a.png").write_bytes(content)
    with pytest.raises(DataError, match=message) as raised:
        read_image(tmp_path / "a.png")
    assert "a.png" in str(raised.value)
    assert "Fix: " in str(raised.value)


def test_a_missing_file_says_so(tmp_path):
    with pytest.raises(DataError, match="does not exist, or is a link to nowhere"):
        read_image(tmp_path / "a.png")


@pytest.mark.skipif(getattr(os, "geteuid", lambda: 1)() == 0, reason="root may read everything")
def test_no_permission_says_so(tmp_path):
    (tmp_path / "a.png").write_bytes(_png())
    (tmp_path / "a.png").chmod(0)
    with pytest.raises(DataError, match="may not be read: permission denied"):
        read_image(tmp_path / "a.png")


def test_permission_errors_are_told_as_such():
    with pytest.raises(DataError, match="may not be read: permission denied"), damage_told(Path("a.png")):
        raise PermissionError(13, "Permission denied")


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros((0, 5), np.uint8), "it holds no pixel"),
        (np.zeros(5, np.uint8), r"shape \(5,\) and dtype uint8 is no image"),
        (np.zeros((5, 5), np.complex64), "dtype complex64 is no image"),
        (np.full((5, 5), 2**30, np.int64), r"integers beyond ±2\^24"),
    ],
)
def test_arrays_that_are_no_images_are_refused(tmp_path, array, message):
    np.save(tmp_path / "a.npy", array)
    with pytest.raises(DataError, match=message):
        read_image(tmp_path / "a.npy")
