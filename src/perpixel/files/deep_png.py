"""PNG with several channels of 16 bits, which Pillow would cut to 8 bits."""

import zlib
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from perpixel.files.open_image import check_size, damage_told, unreadable
from perpixel.files.whole_file import content_of

PNG_START: Final = b"\x89PNG\r\n\x1a\n"
CHANNELS: Final = {2: 3, 4: 2, 6: 4}
"""Colour type to channels: RGB, gray with alpha, RGBA."""


def deep_png_header(path: Path) -> tuple[int, int, int] | None:
    """Height, width and channels of a PNG of several channels of 16 bits; None of any other file."""
    with damage_told(path), path.open("rb") as file:
        start = file.read(29)
    if len(start) < 29 or start[:8] != PNG_START or start[12:16] != b"IHDR" or start[24] != 16:
        return None
    if start[25] not in CHANNELS:
        return None
    return int.from_bytes(start[20:24], "big"), int.from_bytes(start[16:20], "big"), CHANNELS[start[25]]


def read_deep_png(path: Path) -> NDArray[np.uint16]:
    """Decode the file to (H, W, C) uint16.

    Source: Portable Network Graphics (PNG) Specification, ISO/IEC 15948, sections 7 (scanlines) and 9 (filters).

    Raises:
        DataError: The file is damaged, too large, or interlaced.
    """
    header = deep_png_header(path)
    assert header is not None, "a PNG of several channels of 16 bits"
    height, width, channels = header
    check_size(path, height, width, 8 * channels)  # the pixels, their filters and two copies
    row_bytes = 2 * channels * width
    with damage_told(path):
        data = content_of(path)
        if data[28]:
            raise unreadable(path, "it is an interlaced PNG of 16 bits; save it without interlacing")
        decoder = zlib.decompressobj()
        raw = decoder.decompress(_pixel_data(data), height * (row_bytes + 1))
        if len(raw) < height * (row_bytes + 1):
            raise ValueError(f"{height * (row_bytes + 1) - len(raw):,} bytes are missing")
        rows = np.frombuffer(raw, np.uint8).reshape(height, row_bytes + 1)
        pixels = _unfiltered(rows[:, 0], rows[:, 1:].reshape(height, width, 2 * channels))
    return np.ascontiguousarray(pixels).view(">u2").astype(np.uint16)


def _pixel_data(data: bytes) -> bytes:
    """The compressed pixels: the IDAT chunks one after another."""
    parts, place = [], len(PNG_START)
    while place + 8 <= len(data):
        length, kind = int.from_bytes(data[place : place + 4], "big"), data[place + 4 : place + 8]
        if kind == b"IDAT":
            parts.append(data[place + 8 : place + 8 + length])
        place += length + 12
    return b"".join(parts)


def _unfiltered(filters: NDArray[np.uint8], rows: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Undo the filters of (H, W, bytes a pixel): 0 none, 1 left, 2 above, 3 mean of both, 4 Paeth."""
    if filters.size and filters.max() > 4:
        raise ValueError("an unknown filter")
    if (filters >= 3).any():
        return _by_diagonals(filters, rows)
    result = rows.copy()
    for row, kind in enumerate(filters):
        if kind == 1:
            result[row] = np.cumsum(rows[row], axis=0, dtype=np.uint8)
        elif kind == 2 and row:
            result[row] += result[row - 1]
    return result


def _by_diagonals(filters: NDArray[np.uint8], rows: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """All pixels of one diagonal at once: each needs only those left, above, and above on the left."""
    height, width, depth = rows.shape
    result = np.zeros((height + 1, width + 1, depth), np.int16)
    kinds = filters.astype(np.int64)[:, None]
    for diagonal in range(height + width - 1):
        row = np.arange(max(0, diagonal - width + 1), min(height, diagonal + 1))
        column = diagonal - row
        left, above, corner = result[row + 1, column], result[row, column + 1], result[row, column]
        predicted: Any = np.choose(
            kinds[row], (np.zeros_like(left), left, above, (left + above) >> 1, _paeth(left, above, corner))
        )
        result[row + 1, column + 1] = (rows[row, column] + predicted) & 255
    return result[1:, 1:].astype(np.uint8)


def _paeth(left: NDArray[np.int16], above: NDArray[np.int16], corner: NDArray[np.int16]) -> NDArray[np.int16]:
    """Whichever of the three is nearest to left + above − corner; of equals the first."""
    to_left, to_above = np.abs(above - corner), np.abs(left - corner)
    to_corner = np.abs(left + above - 2 * corner)
    is_left = (to_left <= to_above) & (to_left <= to_corner)
    return np.where(is_left, left, np.where(to_above <= to_corner, above, corner))
