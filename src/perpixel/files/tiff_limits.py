"""What the tiles and strips of a TIFF may take, known before they are decoded."""

import lzma
import math
import zlib
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np

from perpixel.errors import DataError
from perpixel.files.limits import MAX_BYTES, MAX_CHANNELS

DEFLATE: Final = (8, 32946)
LZMA: Final = 34925
ALWAYS_ALLOWED: Final = 2**26
"""Bytes of a segment (64 MiB) that may be larger than its image: a tile of 4,096 × 4,096 RGB."""
PIECE: Final = 2**20
HIGHEST_RATIO: Final = 1032
"""Deflate makes no byte into more. Source: https://zlib.net/zlib_tech.html"""


TiffPage: TypeAlias = Any
"""A page of tifffile, which states no types."""


def refuse_segments(page: TiffPage, path: Path) -> None:
    """Raise DataError for too many channels, and where a tile or strip is too large, or far larger than its page."""
    if page.samplesperpixel > MAX_CHANNELS:  # GDAL decodes the whole image again for each
        raise DataError(
            f"{path} has {page.samplesperpixel:,} channels; at most {MAX_CHANNELS:,} are read.",
            fix="restore the file from its source; or allow more by the environment variable PERPIXEL_MAX_CHANNELS.",
        )
    taken = _segment_bytes(page)
    whole = page.imagelength * page.imagewidth * page.samplesperpixel * np.dtype(page.dtype).itemsize
    if taken > min(MAX_BYTES, max(4 * whole, ALWAYS_ALLOWED)):
        raise DataError(
            f"{path} declares tiles or strips of {taken:,} bytes for {page.imagelength:,} × {page.imagewidth:,} "
            f"pixels; at most {MAX_BYTES:,} are decoded at once.",
            fix="restore the file from its source, or save it with smaller tiles; or allow more by the environment "
            "variable PERPIXEL_MAX_BYTES.",
        )


def refuse_bomb(data: bytes, page: TiffPage) -> None:
    """Raise ValueError where compressed bytes hold far more than their tile or strip, piece by piece."""
    allowed = max(4 * _segment_bytes(page), ALWAYS_ALLOWED)
    decoder: Any
    if page.compression in DEFLATE and len(data) * HIGHEST_RATIO > allowed:
        decoder = zlib.decompressobj()
    elif page.compression == LZMA:
        decoder = lzma.LZMADecompressor()
    else:
        return
    held, fed = 0, data
    while not decoder.eof:
        piece = decoder.decompress(fed, PIECE)
        held, fed = held + len(piece), getattr(decoder, "unconsumed_tail", b"")
        if held > allowed:
            raise ValueError(f"its compressed bytes hold more than {allowed:,}")
        if not piece and not fed:
            return  # cut off, which decoding tells


def _segment_bytes(page: TiffPage) -> int:
    shape = (page.tiledepth or 1, page.tilelength, page.tilewidth) if page.is_tiled else (
        min(page.rowsperstrip, page.imagelength), page.imagewidth)  # fmt: skip
    samples = 1 if page.planarconfig == 2 else page.samplesperpixel
    return int(math.prod(shape) * samples * np.dtype(page.dtype).itemsize)
