"""TIFF written a piece at a time: tiled, compressed, BigTIFF where needed, with the georeference of its source."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self, TypeAlias

import numpy as np
import tifffile
from numpy.typing import NDArray

from perpixel.files.atomic import replacing

BLOCK_PX: Final = 256
"""Side of a block in a TIFF file; a multiple of 16 by the standard."""

Tag: TypeAlias = tuple[int, int, int, Any]
"""Code, type, count and value of a TIFF tag."""

GEOREFERENCE_TAGS: Final = (33550, 33922, 34264, 34735, 34736, 34737)
"""Pixel scale, tie points, transformation, and the GeoKeys with their numbers and texts (OGC GeoTIFF 1.1)."""

NODATA_TAG: Final = 42113
"""GDAL's: the value, written as text."""


@dataclass(frozen=True)
class TiffLayout:
    """What a TIFF page holds.

    Args:
        height: In pixels.
        width: In pixels.
        bands: Values a pixel.
        dtype: Of the values.
        pages: Pages of this layout, one after the other.
        colours: (256, 3) uint8 colour table, for one uint8 band.
        nodata: The value of pixels outside the image, if any.
        georeference: The source's own tags, see `georeference_tags`.
    """

    height: int
    width: int
    bands: int
    dtype: np.dtype[Any]
    pages: int = 1
    colours: NDArray[np.uint8] | None = None
    nodata: int | None = None
    georeference: tuple[Tag, ...] = ()

    @classmethod
    def of(cls, array: NDArray[Any], colours: NDArray[np.uint8] | None = None) -> Self:
        """The layout of an (H, W) or (H, W, bands) array."""
        height, width, *bands = array.shape
        return cls(height, width, bands[0] if bands else 1, array.dtype, colours=colours)

    @property
    def tags(self) -> tuple[Tag, ...]:
        """The tags beside the pixels' own."""
        if self.nodata is None:
            return self.georeference
        text = str(self.nodata)
        return (*self.georeference, (NODATA_TAG, 2, len(text) + 1, text))


def write_tiff(path: Path, rows: Iterable[NDArray[Any]], layout: TiffLayout) -> None:
    """Write a TIFF file from rows of pixels; never more than the given rows and one row of blocks are held.

    Args:
        path: Ends in .tif or .tiff.
        rows: (n, W) or (n, W, bands) arrays, one below the other, any n; page after page.
        layout: What the pages hold.

    Raises:
        OutputError: The file cannot be written.
    """
    with replacing(path) as temporary, tifffile.TiffWriter(temporary, bigtiff=_is_big(layout)) as writer:
        pieces = iter(rows)
        for _ in range(layout.pages):
            _write_page(writer, _blocks(pieces, layout), layout)


def georeference_tags(path: Path) -> tuple[Tag, ...]:
    """The tags of a GeoTIFF that say where it lies on the earth; none for any other file."""
    try:
        with tifffile.TiffFile(path) as file:
            tags = file.pages.first.tags
            return tuple(
                (code, int(tags[code].dtype), tags[code].count, tags[code].value)
                for code in GEOREFERENCE_TAGS
                if code in tags
            )
    except tifffile.TiffFileError:
        return ()


def _write_page(writer: tifffile.TiffWriter, blocks: Iterator[NDArray[Any]], layout: TiffLayout) -> None:
    bands = (layout.bands,) if layout.bands > 1 else ()
    photometric = "rgb" if layout.bands == 3 and layout.dtype == np.uint8 else "minisblack"
    options: dict[str, Any] = {"photometric": photometric}
    if layout.bands > 1:
        options["planarconfig"] = "contig"
    if layout.colours is not None:
        options = {"colormap": layout.colours.T.astype(np.uint16) * 257, "photometric": "palette"}
    writer.write(
        blocks,
        shape=(layout.height, layout.width, *bands),
        dtype=layout.dtype,
        tile=(BLOCK_PX, BLOCK_PX),
        compression="zlib",
        compressionargs={"level": 6},
        extratags=[(*tag, True) for tag in layout.tags],
        metadata=None,
        software=False,
        maxworkers=1,
        **options,
    )


def _is_big(layout: TiffLayout) -> bool:
    """Whether the file could pass 4 GiB, the limit of classic TIFF, if nothing in it could be compressed."""
    size = layout.pages * layout.height * layout.width * layout.bands * layout.dtype.itemsize
    return size * 1.01 > 2**32 - 2**25


def _blocks(pieces: Iterator[NDArray[Any]], layout: TiffLayout) -> Iterator[NDArray[Any]]:
    """Cut one page of rows into blocks, left to right and top to bottom; those at the border are padded with 0."""
    waiting: list[NDArray[Any]] = []
    for top in range(0, layout.height, BLOCK_PX):
        count = min(BLOCK_PX, layout.height - top)
        while sum(map(len, waiting)) < count:
            waiting.append(next(pieces))
        rows = waiting[0] if len(waiting) == 1 else np.concatenate(waiting)
        waiting = [rows[count:]] if len(rows) > count else []
        for left in range(0, layout.width, BLOCK_PX):
            block = rows[:count, left : left + BLOCK_PX]
            missing = [(0, BLOCK_PX - block.shape[0]), (0, BLOCK_PX - block.shape[1]), (0, 0)][: block.ndim]
            yield np.ascontiguousarray(np.pad(block, missing))
