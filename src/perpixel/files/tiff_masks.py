"""TIFF files as masks, whose values count as they lie; and their headers."""

from pathlib import Path

import numpy as np

from perpixel.files.image_format import Header, RawMask, without_lone_channel
from perpixel.files.open_image import Box, check_size, damage_told
from perpixel.files.tiff import inverted, open_tiff, tiff_orientation
from perpixel.shapes import AnyArray


def tiff_header(path: Path) -> Header:
    """Size as it lies in the file, orientation and number of pages. Raises DataError."""
    orientation = tiff_orientation(path)
    with open_tiff(path) as image:
        height, width = image.height, image.width
        if orientation >= 5:
            height, width = width, height
        channels, dtype = image.channels, image.dtype.name
        return Header(height, width, orientation, channels, dtype, image.pages, image.georeference)


def tiff_mask(path: Path, page: int, box: Box | None) -> RawMask:
    """The values of a page, or of a box of it, palette indices as they are. Raises DataError."""
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
            without_lone_channel(values),
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
