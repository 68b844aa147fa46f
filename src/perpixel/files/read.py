"""Read images and masks. The content decides what a file is, never its ending."""

import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from perpixel.files.deep_png import deep_png_header
from perpixel.files.ome_zarr import is_zarr, open_zarr
from perpixel.files.open_image import Box, GeoReference, OpenImage, check_size, damage_told, unreadable, wide_dtype
from perpixel.files.pillow_images import decode, open_picture, picture_header, read_indices, turned
from perpixel.files.tiff import inverted, open_tiff, tiff_orientation
from perpixel.shapes import AnyArray

__all__ = [
    "GeoReference",
    "Header",
    "OpenImage",
    "RawMask",
    "is_image",
    "is_tiff",
    "open_image",
    "read_header",
    "read_image",
    "read_mask",
    "turned",
]

IMAGE_ENDINGS: Final = frozenset(
    f".{ending}"
    for ending in "png jpg jpeg jpe bmp webp gif tif tiff gtif gtiff npy ppm pgm pbm pnm jp2".split()  # noqa: SIM905
)
TIFF_STARTS: Final = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
NPY_START: Final = b"\x93NUMPY"
PICTURE_STARTS: Final = (b"\x89PNG", b"\xff\xd8\xff", b"BM", b"RIFF", b"GIF8", b"\0\0\0\x0cjP", b"P4", b"P5", b"P6")


@dataclass(frozen=True)
class Header:
    """What is known of an image before its pixels are decoded; height and width as they lie in the file."""

    height: int
    width: int
    orientation: int = 1
    channels: int = 1
    dtype: str = "uint8"
    pages: int = 1
    georeference: GeoReference | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Height and width as read: after the orientation."""
        return (self.width, self.height) if self.orientation >= 5 else (self.height, self.width)


@dataclass(frozen=True)
class RawMask:
    """A mask as it lies in its file, turned by the file's own orientation tag.

    Args:
        values: (H, W) integers, (H, W, 3) colours, or (H, W, C).
        palette: (256, 3) uint8 where the values are palette indices.
        lossy: Whether the format (JPEG) altered the values.
        nodata: The value that the file names as no data.
        georeference: For GeoTIFF.
        alpha: (H, W), where the file has one beside the values; 0 is transparent.
        pages: Pages in the file.
        orientation: The tag by which it was turned, 1..8.
    """

    values: AnyArray
    palette: NDArray[np.uint8] | None = None
    lossy: bool = False
    nodata: float | None = None
    georeference: GeoReference | None = None
    alpha: AnyArray | None = None
    pages: int = 1
    orientation: int = 1


def open_image(path: Path, page: int = 0) -> OpenImage:
    """Open one page of an image file; a context manager.

    Args:
        path: PNG, JPEG, BMP, WebP, GIF (first frame), TIFF, GeoTIFF, .npy, or the folder of a Zarr image.
        page: Of a multi-page TIFF or a Zarr image, from 0.

    Returns:
        TIFF, .npy and Zarr decode only the windows that are read; the others are decoded here, once.

    Raises:
        DataError: The file is missing, truncated, no image, too large, or without that page.
    """
    path = Path(path)
    match _kind(path):
        case "tiff":
            return open_tiff(path, page)
        case "npy":
            return _open_array(path)
        case "zarr":
            return open_zarr(path, page)
        case _:
            return open_picture(path)


def read_image(path: Path, page: int = 0, box: Box | None = None) -> AnyArray:
    """Read an image, or a box of it, as (H, W, C) uint8, uint16 or float32. Raises DataError as `open_image` does."""
    with open_image(path, page) as image:
        return image.read(*box) if box else image.read()


def decode_picture(path: Path) -> Image.Image | None:
    """Decode a picture as `open_image` does, without copying it into an array; None for TIFF, .npy and Zarr.

    Raises:
        DataError: As `open_image` does.
    """
    return decode(path) if _kind(path) == "picture" and deep_png_header(path) is None else None


def read_header(path: Path) -> Header:
    """Read size, orientation and number of pages, without decoding pixels. Raises DataError."""
    match _kind(path):
        case "tiff":
            orientation = tiff_orientation(path)
            with open_tiff(path) as image:
                height, width = image.height, image.width
                if orientation >= 5:
                    height, width = width, height
                return Header(
                    height, width, orientation, image.channels, image.dtype.name, image.pages, image.georeference
                )
        case "npy":
            with _open_array(path) as image:
                return Header(image.height, image.width, 1, image.channels, image.dtype.name)
        case "zarr":
            with open_zarr(path) as image:
                return Header(image.height, image.width, 1, image.channels, image.dtype.name, image.pages)
        case _:
            return Header(*picture_header(path))


def read_mask(path: Path, page: int = 0, box: Box | None = None) -> RawMask:
    """Read a mask, or a box of it, as it lies: indices stay indices, colours colours. Raises DataError."""
    match _kind(path):
        case "tiff":
            mask = _tiff_mask(path, page, box)
        case "npy":
            with _open_array(path) as image:
                mask = RawMask(_flat(image.window(*(box or (0, 0, image.height, image.width)))))
        case _:
            found = read_indices(path)
            values, alpha = (None if each is None else turned(each, found.orientation) for each in found[:2])
            assert values is not None
            top, left, height, width = box or (0, 0, *values.shape[:2])
            part = (slice(top, top + height), slice(left, left + width))
            alpha = None if alpha is None else alpha[part]
            mask = RawMask(values[part], found.palette, found.lossy, alpha=alpha, orientation=found.orientation)
    nodata = mask.nodata if mask.nodata is not None and math.isfinite(mask.nodata) else None  # NaN is −1 by now
    return replace(mask, values=_whole_numbers(mask.values, path), nodata=nodata)


def _tiff_mask(path: Path, page: int, box: Box | None) -> RawMask:
    with open_tiff(path, page, keep_indices=True) as image:
        top, left, height, width = (0, 0, image.height, image.width) if image.white_is_zero or not box else box
        check_size(path, height, width, image.channels * image.dtype.itemsize)
        with damage_told(path):
            values = image.window(top, left, height, width)
        if image.white_is_zero:  # decided by the whole file, of which the box is a part
            values = _as_shown(values)
            top, left, height, width = box or (0, 0, image.height, image.width)
            values = values[top : top + height, left : left + width]
        alpha = values[..., -1] if image.has_alpha else None
        values = values if alpha is None else values[..., :-1]
        if alpha is not None and image.georeference is not None and values.shape[-1] == 1:
            values = np.where(alpha[..., None] == 0, -1, values.astype(np.int32))  # GDAL's alpha: outside of the data
            alpha = None
        return RawMask(
            _flat(values),
            image.palette,
            image.lossy,
            image.nodata,
            image.georeference,
            alpha,
            image.pages,
            image.orientation,
        )


def _as_shown(values: AnyArray) -> AnyArray:
    """Values of a file whose 0 is white, as they look; small ones are class indices, which count as they are."""
    bits = 1 if values.dtype == bool or values.max(initial=0) <= 1 else 8 * values.dtype.itemsize
    greatest = (1 << bits) - 1
    return inverted(values, bits) if bits == 1 or 2 * int(values.max(initial=0)) > greatest else values


def is_image(path: Path) -> bool:
    """Whether the file's ending is an image's, or else its first bytes are."""
    if path.suffix.lower() in IMAGE_ENDINGS:
        return True
    if path.suffix.lower() in {".txt", ".json", ".csv", ".yaml", ".yml", ".md", ".xml", ".html", ".py", ".geojson"}:
        return False
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            start = file.read(12)
    except OSError:
        return False
    return start.startswith((*TIFF_STARTS, NPY_START, b"\x89PNG", b"\xff\xd8\xff", b"GIF8"))


def is_tiff(path: Path) -> bool:
    """Whether the content is a TIFF's. Raises DataError where the file cannot be read."""
    return _kind(path) == "tiff"


def _kind(path: Path) -> str:
    if is_zarr(path):
        return "zarr"
    if path.exists() and not path.is_file():  # opening a pipe would wait for someone to write into it
        raise unreadable(path, "it is a folder, a pipe or a device")
    with damage_told(path), path.open("rb") as file:
        start = file.read(12)
    if start.startswith(TIFF_STARTS):
        return "tiff"
    if start.startswith(NPY_START):
        return "npy"
    if not start:
        raise unreadable(path, "it is empty")
    if not start.startswith(PICTURE_STARTS):
        raise unreadable(path, "its first bytes are not those of an image")
    return "picture"


def _open_array(path: Path) -> OpenImage:
    """Map a .npy file of (H, W), (H, W, C) or (C, H, W) into memory."""
    with damage_told(path):
        array = np.load(path, mmap_mode="r", allow_pickle=False)
        if array.ndim not in (2, 3) or array.dtype.kind not in "biuf":
            raise unreadable(path, f"an array of shape {array.shape} and dtype {array.dtype} is no image")
    if array.size == 0:
        check_size(path, 0, array.shape[1])
    if array.ndim == 2:
        array = array[..., None]
    elif array.shape[0] < min(array.shape[1:]) and array.shape[0] < array.shape[2]:
        array = np.moveaxis(array, 0, -1)  # the least of the three is the channels'
    height, width, channels = array.shape
    return OpenImage(
        path,
        height,
        width,
        channels,
        wide_dtype(array.dtype),
        window=lambda top, left, h, w: np.array(array[top : top + h, left : left + w]),
        closing=lambda: None,
    )


def _flat(values: AnyArray) -> AnyArray:
    return values[..., 0] if values.shape[-1] == 1 else values


def _whole_numbers(values: AnyArray, path: Path) -> AnyArray:
    """Masks saved as floats are integers or they are no masks; NaN stands for no label and becomes −1."""
    if values.dtype == bool:
        return values.view(np.uint8)
    if values.dtype.kind != "f":
        return values
    values = np.where(np.isnan(values), -1, values)
    if (np.abs(values) > 2**31).any() or (values != np.round(values)).any():
        raise unreadable(path, "a mask of fractions; classes are whole numbers")
    return values.astype(np.int32)
