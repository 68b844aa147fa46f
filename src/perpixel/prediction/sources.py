"""Where windows come from: an array in memory, or an image file read piece by piece."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from perpixel.geometry.tiling import Tiling
from perpixel.shapes import AnyArray, ImageArray


class Source(Protocol):
    """An image that gives its windows; `perpixel.files.read.OpenImage` is one."""

    @property
    def height(self) -> int:
        """Rows of pixels."""

    @property
    def width(self) -> int:
        """Columns of pixels."""

    @property
    def nodata(self) -> float | None:
        """The value that stands for no measurement; where all channels have it, a pixel is outside the image."""

    def read(self, top: int, left: int, height: int, width: int) -> AnyArray:
        """The window (height, width, C), which lies inside the image."""


@dataclass(frozen=True)
class ArraySource:
    """An (H, W, C) array as a source."""

    image: ImageArray
    nodata: float | None = None

    @property
    def height(self) -> int:
        """Rows of pixels."""
        return len(self.image)

    @property
    def width(self) -> int:
        """Columns of pixels."""
        return int(self.image.shape[1])

    def read(self, top: int, left: int, height: int, width: int) -> AnyArray:
        """A view of the window (height, width, C)."""
        return self.image[top : top + height, left : left + width]


def window_at(source: Source, tiling: Tiling, top: int, left: int) -> AnyArray:
    """Read a whole window (h, w, C) of the tiling; what lies beyond the image is reflected at its border."""
    height, width = tiling.window_hw
    window = source.read(top, left, min(height, source.height - top), min(width, source.width - left))
    missing = (height - window.shape[0], width - window.shape[1])
    return np.pad(window, [(0, missing[0]), (0, missing[1]), (0, 0)], mode="reflect") if any(missing) else window
