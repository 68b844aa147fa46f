"""TIFF written in pieces of any order: tiled, compressed, BigTIFF where needed, with its place on the earth.

Source: TIFF 6.0 (Adobe, 1992), sections 2, 14 and 15; BigTIFF (AWare Systems); GeoTIFF 1.1 (OGC 19-008r4).
"""

import struct
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Final, Self, TypeAlias

import numpy as np
import tifffile
from numpy.typing import NDArray

from perpixel.files.atomic import replacing
from perpixel.shapes import AnyArray, AnyDtype

BLOCK_PX: Final = 256
"""Side of a block in the file; a multiple of 16 by the standard."""

ZLIB_LEVEL: Final = 4

ASCII, SHORT, LONG, DOUBLE, LONG8 = 2, 3, 4, 12, 16
FORMATS: Final = {1: "B", ASCII: "s", SHORT: "H", LONG: "I", DOUBLE: "d", LONG8: "Q"}

Tag: TypeAlias = tuple[int, int, Sequence[Any] | bytes]
"""Code, type and values of an entry."""

GEOREFERENCE_TAGS: Final = (33550, 33922, 34264, 34735, 34736, 34737)
"""Pixel scale, tie points, transformation, and the GeoKeys with their numbers and texts."""

NODATA_TAG: Final = 42113
"""GDAL's: the value, written as text."""


@dataclass(frozen=True)
class TiffLayout:
    """What the pages of a TIFF file hold.

    Args:
        height: In pixels.
        width: In pixels.
        bands: Values a pixel.
        dtype: Of the values.
        pages: Pages of this layout.
        colours: (256, 3) uint8 colour table, for one uint8 band.
        nodata: The value of pixels outside the image, if any.
        georeference: The source's own tags, see `georeference_tags`.
    """

    height: int
    width: int
    bands: int
    dtype: AnyDtype
    pages: int = 1
    colours: NDArray[np.uint8] | None = None
    nodata: int | None = None
    georeference: tuple[Tag, ...] = ()

    @classmethod
    def of(cls, array: AnyArray, colours: NDArray[np.uint8] | None = None) -> Self:
        """The layout of an (H, W) or (H, W, bands) array."""
        height, width, *bands = array.shape
        return cls(height, width, bands[0] if bands else 1, array.dtype, colours=colours)

    @property
    def is_big(self) -> bool:
        """Whether the file could pass 4 GiB, the limit of classic TIFF, if nothing in it could be compressed."""
        size = self.pages * self.height * self.width * self.bands * self.dtype.itemsize
        return size * 1.01 > 2**32 - 2**25


@dataclass
class TiffWriter:
    """A TIFF file that is being written; made by `writing_tiff`.

    Blocks that are only partly known are kept until the rest of them comes; all others are written at once.
    """

    layout: TiffLayout
    _file: BinaryIO
    _segments: NDArray[np.int64] = field(init=False)  # (pages, blocks, 2): place and length in the file
    _waiting: dict[tuple[int, int, int], tuple[AnyArray, int]] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        down, self._across = -(-self.layout.height // BLOCK_PX), -(-self.layout.width // BLOCK_PX)
        self._segments = np.zeros((self.layout.pages, down * self._across, 2), np.int64)
        self._file.write(b"II+\0\x08\0\0\0" + bytes(8) if self.layout.is_big else b"II*\0" + bytes(4))

    def put(self, page: int, top: int, left: int, values: AnyArray) -> None:
        """Write a part of a page; each pixel is given once.

        Args:
            page: From 0.
            top: Row of the part's first pixel.
            left: Column of the part's first pixel.
            values: (h, w) or (h, w, bands).
        """
        values = values.reshape(*values.shape[:2], self.layout.bands)
        height, width = values.shape[:2]
        for row in range(top // BLOCK_PX, -(-(top + height) // BLOCK_PX)):
            for column in range(left // BLOCK_PX, -(-(left + width) // BLOCK_PX)):
                y, x = row * BLOCK_PX - top, column * BLOCK_PX - left
                part = values[max(y, 0) : y + BLOCK_PX, max(x, 0) : x + BLOCK_PX]
                self._fill((page, row, column), max(-y, 0), max(-x, 0), part)

    def close(self) -> None:
        """Write the directory of every page. All pixels must have been given."""
        assert not self._waiting, "parts of the image were never given"
        link = 8 if self.layout.is_big else 4
        for segments in self._segments:
            start, next_link = self._write_directory(segments)
            self._file.seek(link)
            self._file.write(struct.pack("<Q" if self.layout.is_big else "<I", start))
            link = next_link

    def _fill(self, block: tuple[int, int, int], y: int, x: int, part: AnyArray) -> None:
        """Put a part into a block, y and x pixels from its corner, and write the block when it is full."""
        page, row, column = block
        height = min(BLOCK_PX, self.layout.height - row * BLOCK_PX)
        width = min(BLOCK_PX, self.layout.width - column * BLOCK_PX)
        shape = (BLOCK_PX, BLOCK_PX, self.layout.bands)
        pixels, missing = self._waiting.pop(block, (None, height * width))
        pixels = np.zeros(shape, self.layout.dtype) if pixels is None else pixels
        pixels[y : y + part.shape[0], x : x + part.shape[1]] = part
        missing -= part.shape[0] * part.shape[1]
        if missing:
            self._waiting[block] = pixels, missing
            return
        data = zlib.compress(pixels.data, ZLIB_LEVEL)
        self._segments[page][row * self._across + column] = self._append(data), len(data)

    def _append(self, data: bytes) -> int:
        """Write at the end, at an even place; give the place."""
        place = self._file.seek(0, 2)
        if place % 2:
            place += self._file.write(b"\0")
        self._file.write(data)
        return place

    def _write_directory(self, segments: NDArray[np.int64]) -> tuple[int, int]:
        """Write one page's entries; give where they start, and where the link to the next page belongs."""
        is_big = self.layout.is_big
        inline, offset = (8, "<Q") if is_big else (4, "<I")
        tags = sorted(_tags(self.layout, segments), key=lambda tag: tag[0])
        entries = b""
        for code, kind, values in tags:
            is_text = isinstance(values, bytes)
            data = values if is_text else struct.pack(f"<{len(values)}{FORMATS[kind]}", *values)
            assert isinstance(data, bytes)
            if len(data) > inline:
                data = struct.pack(offset, self._append(data))
            entries += struct.pack("<HHQ" if is_big else "<HHI", code, kind, len(values)) + data.ljust(inline, b"\0")
        count = struct.pack("<Q" if is_big else "<H", len(tags))
        start = self._append(count + entries + bytes(inline))
        return start, start + len(count) + len(entries)


@contextmanager
def writing_tiff(path: Path, layout: TiffLayout) -> Iterator[TiffWriter]:
    """Open a TIFF file to write; it takes its place when the block ends without an error.

    Raises:
        OutputError: The file cannot be written.
    """
    with replacing(path) as temporary, temporary.open("wb") as file:
        writer = TiffWriter(layout, file)
        yield writer
        writer.close()


def write_tiff(path: Path, pages: Sequence[AnyArray], layout: TiffLayout) -> None:
    """Write a TIFF file from whole pages, (H, W) or (H, W, bands) each. Raises OutputError."""
    with writing_tiff(path, layout) as writer:
        for number, page in enumerate(pages):
            writer.put(number, 0, 0, page)


def georeference_tags(path: Path) -> tuple[Tag, ...]:
    """The tags of a GeoTIFF that say where it lies on the earth; none for any other file."""
    if path.is_dir():
        return ()
    try:
        with tifffile.TiffFile(path) as file:
            tags = file.pages.first.tags
            return tuple(
                (code, int(tags[code].dtype), _values(tags[code].value)) for code in GEOREFERENCE_TAGS if code in tags
            )
    except tifffile.TiffFileError:
        return ()


def _values(value: Any) -> Sequence[Any] | bytes:
    if isinstance(value, str):
        return value.encode() + b"\0"
    return value if isinstance(value, tuple) else (value,)


def _tags(layout: TiffLayout, segments: NDArray[np.int64]) -> list[Tag]:
    """All entries of a page."""
    whole = LONG8 if layout.is_big else LONG
    is_colour = layout.bands == 3 and layout.dtype == np.uint8
    photometric = 3 if layout.colours is not None else 2 if is_colour else 1
    sample_format = {"u": 1, "i": 2, "f": 3}[layout.dtype.kind]
    tags: list[Tag] = [
        (256, LONG, (layout.width,)),
        (257, LONG, (layout.height,)),
        (258, SHORT, (layout.dtype.itemsize * 8,) * layout.bands),
        (259, SHORT, (8,)),  # deflate
        (262, SHORT, (photometric,)),
        (277, SHORT, (layout.bands,)),
        (284, SHORT, (1,)),  # the bands of a pixel lie together
        (322, SHORT, (BLOCK_PX,)),
        (323, SHORT, (BLOCK_PX,)),
        (324, whole, segments[:, 0].tolist()),
        (325, LONG, segments[:, 1].tolist()),
        (339, SHORT, (sample_format,) * layout.bands),
        *layout.georeference,
    ]
    if layout.colours is not None:
        tags.append((320, SHORT, [int(value) * 257 for value in layout.colours.T.ravel()]))
    if extra := layout.bands - (3 if is_colour else 1):
        tags.append((338, SHORT, (0,) * extra))
    if layout.nodata is not None:
        tags.append((NODATA_TAG, ASCII, str(layout.nodata).encode() + b"\0"))
    return tags
