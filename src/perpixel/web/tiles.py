"""Tiles of images and layers of any size, at halved resolutions."""

import io
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from perpixel.files.open_image import OpenImage
from perpixel.files.read import open_image
from perpixel.files.write import contrast, picture
from perpixel.shapes import AnyArray, ImageArray

TILE_PX: Final = 512
OVERVIEW_LEVEL: Final = 3
"""From this level on (an eighth of the resolution), tiles come from an overview that is made once."""

MOST_OPEN: Final = 4
SAMPLE_PX: Final = 1024


def png(pixels: NDArray[np.uint8]) -> bytes:
    """Encode (h, w) or (h, w, 3) losslessly, fast rather than small."""
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def levels(height: int, width: int) -> int:
    """How many resolutions there are until one tile holds the image.

    >>> levels(512, 512), levels(513, 20), levels(20000, 20000)
    (1, 2, 7)
    """
    return max(0, (max(height, width) - 1) // TILE_PX).bit_length() + 1


@dataclass
class Pyramid:
    """One page of an image file as tiles.

    Args:
        image: Open for reading.
        is_mask: Whether values must stay as they are: every 2^level-th pixel is taken, else they are averaged.
    """

    image: OpenImage
    is_mask: bool
    _overview: AnyArray | None = field(default=None, init=False)
    _limits: tuple[float, float] | None = field(default=None, init=False)
    _lock: Lock = field(default_factory=Lock, init=False)

    def tile(self, level: int, column: int, row: int) -> AnyArray:
        """Pixels (h, w, C) of a tile, with the dtype of the file; an empty array outside the image."""
        with self._lock:
            factor = 2**level
            if level < OVERVIEW_LEVEL:
                return self._reduced(row * TILE_PX * factor, column * TILE_PX * factor, TILE_PX, TILE_PX, factor)
            overview = self._made_overview()
            step = 2 ** (level - OVERVIEW_LEVEL)
            top, left, side = row * TILE_PX * step, column * TILE_PX * step, TILE_PX * step
            return self._shrunk(overview[top : top + side, left : left + side], step)

    def shown(self, level: int, column: int, row: int) -> NDArray[np.uint8]:
        """A tile as (h, w, 3) uint8, in one contrast over the whole image."""
        pixels = self.tile(level, column, row)
        with self._lock:
            if self._limits is None and pixels.size:
                self._limits = contrast(self._middle())
            return picture(pixels, self._limits) if pixels.size else np.zeros((0, 0, 3), np.uint8)

    def region(self, top: int, left: int, height: int, width: int) -> NDArray[np.uint8]:
        """A part of the image at full resolution, shown like its tiles: (height, width, 3)."""
        with self._lock:
            if self._limits is None:
                self._limits = contrast(self._middle())
            return picture(self.image.read(top, left, height, width), self._limits)

    def _middle(self) -> AnyArray:
        image = self.image
        height, width = min(SAMPLE_PX, image.height), min(SAMPLE_PX, image.width)
        return image.read((image.height - height) // 2, (image.width - width) // 2, height, width)

    def _reduced(self, top: int, left: int, rows: int, columns: int, factor: int) -> AnyArray:
        height = min(rows * factor, self.image.height - top)
        width = min(columns * factor, self.image.width - left)
        if height <= 0 or width <= 0:
            return np.zeros((0, 0, self.image.channels), self.image.dtype)
        return self._shrunk(self.image.read(top, left, height, width), factor)

    def _made_overview(self) -> AnyArray:
        if self._overview is None:
            factor = 2**OVERVIEW_LEVEL
            rows, columns = -(-self.image.height // factor), -(-self.image.width // factor)
            strips = [self._reduced(top * factor, 0, TILE_PX, columns, factor) for top in range(0, rows, TILE_PX)]
            self._overview = np.concatenate(strips)
        return self._overview

    def _shrunk(self, pixels: ImageArray, factor: int) -> AnyArray:
        if factor == 1 or not pixels.size:
            return pixels
        if self.is_mask:
            return pixels[::factor, ::factor]
        rows = np.arange(0, pixels.shape[0], factor)
        columns = np.arange(0, pixels.shape[1], factor)
        counts = np.diff(np.append(rows, pixels.shape[0]))[:, None] * np.diff(np.append(columns, pixels.shape[1]))
        kind = np.float32 if pixels.dtype.kind == "f" else np.uint32
        sums = np.add.reduceat(np.add.reduceat(pixels, rows, 0, kind), columns, 1, kind)
        return np.asarray(sums / counts[..., None], pixels.dtype)


class OpenPyramids:
    """The pyramids that were looked at last; opening one again costs decoding."""

    def __init__(self) -> None:
        self._open: OrderedDict[tuple[Path, int, bool], Pyramid] = OrderedDict()
        self._lock = Lock()

    def get(self, path: Path, page: int = 0, *, is_mask: bool = False) -> Pyramid:
        """The pyramid of a page. Raises DataError where it cannot be read."""
        key = (path, page, is_mask)
        with self._lock:
            if key not in self._open:
                self._open[key] = Pyramid(open_image(path, page), is_mask)
                while len(self._open) > MOST_OPEN:
                    _, old = self._open.popitem(last=False)
                    old.image.closing()
            self._open.move_to_end(key)
            return self._open[key]

    def close(self) -> None:
        """Close all."""
        self.forget(lambda _: True)

    def forget(self, is_gone: Callable[[Path], bool]) -> None:
        """Close the pyramids of files that are about to change."""
        with self._lock:
            for key in [key for key in self._open if is_gone(key[0])]:
                self._open.pop(key).image.closing()
