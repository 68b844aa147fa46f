"""Read images and masks. The content decides what a file is, never its ending."""

import math
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image

from perpixel.files.deep_png import deep_png_header
from perpixel.files.format_table import IMAGE_FORMATS, LONGEST_START, format_of
from perpixel.files.image_format import Header, RawMask
from perpixel.files.open_image import Box, GeoReference, OpenImage, unreadable
from perpixel.files.pillow_images import decode, turned
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

IMAGE_ENDINGS: Final = frozenset(f".{ending}" for each in IMAGE_FORMATS.values() for ending in each.endings)
SURE_STARTS: Final = tuple(
    start for each in IMAGE_FORMATS.values() for start in each.starts if len(start) > 2 and start != b"RIFF"
)
"""What begins nothing but an image; two letters may begin a text, and RIFF is sound and video, too."""


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
    return IMAGE_FORMATS[format_of(path)].open(path, page)


def read_image(path: Path, page: int = 0, box: Box | None = None) -> AnyArray:
    """Read an image, or a box of it, as (H, W, C) uint8, uint16 or float32. Raises DataError as `open_image` does."""
    with open_image(path, page) as image:
        return image.read(*box) if box else image.read()


def decode_picture(path: Path, least_side: int | None = None) -> Image.Image | None:
    """Decode a picture as `open_image` does, without copying it into an array; None for TIFF, .npy and Zarr.

    Args:
        path: The file.
        least_side: Where a smaller picture does, how many pixels its sides have at least; see `decode`.

    Raises:
        DataError: As `open_image` does.
    """
    return decode(path, least_side) if format_of(path) == "picture" and deep_png_header(path) is None else None


def read_header(path: Path) -> Header:
    """Read size, orientation and number of pages, without decoding pixels. Raises DataError."""
    return IMAGE_FORMATS[format_of(path)].read_header(path)


def read_mask(path: Path, page: int = 0, box: Box | None = None) -> RawMask:
    """Read a mask, or a box of it, as it lies: indices stay indices, colours colours. Raises DataError."""
    mask = IMAGE_FORMATS[format_of(path)].read_mask(path, page, box)
    if mask.nodata is None and mask.values.dtype.kind in "iu":
        return mask
    nodata = mask.nodata if mask.nodata is not None and math.isfinite(mask.nodata) else None  # NaN is −1 by now
    return replace(mask, values=_whole_numbers(mask.values, path), nodata=nodata)


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
            start = file.read(LONGEST_START)
    except OSError:
        return False
    return start.startswith(SURE_STARTS)


def is_tiff(path: Path) -> bool:
    """Whether the content is a TIFF's. Raises DataError where the file cannot be read."""
    return format_of(path) == "tiff"


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
