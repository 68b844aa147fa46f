"""What a format of image files is: how its files are known, opened, and read as masks."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from perpixel.files.open_image import Box, GeoReference, OpenImage
from perpixel.shapes import AnyArray


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


def header_by_opening(opened: OpenImage) -> Header:
    """The header of an image that is upright as it lies."""
    with opened as image:
        return Header(image.height, image.width, 1, image.channels, image.dtype.name, image.pages)


def mask_by_opening(opened: OpenImage, box: Box | None) -> RawMask:
    """The values of an open image, or of a box of it, as a mask."""
    with opened as image:
        values = image.window(*(box or (0, 0, image.height, image.width)))
    return RawMask(without_lone_channel(values))


def without_lone_channel(values: AnyArray) -> AnyArray:
    """(H, W, 1) as (H, W); more channels as they are."""
    return values[..., 0] if values.shape[-1] == 1 else values


@dataclass(frozen=True, kw_only=True)
class ImageFormat:
    """How one kind of image file is read.

    Args:
        endings: What its files are called, without the dot: finds them in folders; the content decides what they are.
        starts: Any of the first bytes of its files; none for a format of folders.
        open: (path, page) to the open image. Raises DataError.
        header: The same without decoding pixels, where `open` would decode them.
        mask: (path, page, box) to the values as they lie, where a mask is more than the pixels.
        is_ours: Whether a path is one, where the first bytes cannot tell.
    """

    endings: tuple[str, ...]
    open: Callable[[Path, int], OpenImage]
    starts: tuple[bytes, ...] = ()
    header: Callable[[Path], Header] | None = None
    mask: Callable[[Path, int, Box | None], RawMask] | None = None
    is_ours: Callable[[Path], bool] | None = None

    def read_header(self, path: Path) -> Header:
        """Size, orientation and number of pages. Raises DataError."""
        return header_by_opening(self.open(path, 0)) if self.header is None else self.header(path)

    def read_mask(self, path: Path, page: int, box: Box | None) -> RawMask:
        """A mask, or a box of it, as it lies. Raises DataError."""
        return mask_by_opening(self.open(path, page), box) if self.mask is None else self.mask(path, page, box)
