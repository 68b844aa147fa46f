"""What an image file is to the rest of perpixel: a size, a dtype, and windows of pixels."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from perpixel.errors import DataError
from perpixel.files.limits import MAX_BYTES, MAX_PIXELS
from perpixel.shapes import AnyArray, AnyDtype, ImageArray

LARGEST_MEASURED: Final = 1e30
"""Floats beyond are no measurements, but the −3.4e38 by which rasters mark pixels without data."""
UNTAGGED_NODATA: Final = -9999.0
"""What rasters hold where nothing was measured, whether or not they say so."""

MAX_ERROR_PX: Final = 0.1
"""Outlines may be so far off because a grid does not fit ground control points."""

Box: TypeAlias = tuple[int, int, int, int]
"""Top, left, height and width in pixels."""

Window: TypeAlias = Callable[[int, int, int, int], AnyArray]
"""(top, left, height, width) in pixels to (height, width, C)."""


@dataclass(frozen=True)
class GeoReference:
    """Where a raster lies on the earth.

    Args:
        crs_wkt: The coordinate reference system as WKT; empty where the file names none.
        transform: (a, b, c, d, e, f): x = a·column + b·row + c, y = d·column + e·row + f, for a pixel's upper left.
        error_px: How far the transform is from the ground control points of the file, if it is fitted to them: the
            greatest distance, in pixels.
    """

    crs_wkt: str
    transform: tuple[float, float, float, float, float, float]
    error_px: float = 0.0

    def refuse_inexact(self, name: str) -> None:
        """Raise DataError where outlines would be shifted against the pixels: no straight grid fits."""
        if self.error_px > MAX_ERROR_PX:
            raise DataError(
                f"{name} lies by ground control points that fit no straight grid: outlines would be up to "
                f"{self.error_px:.1f} pixels off.",
                fix="warp it to a grid first (gdalwarp IN OUT), or give masks instead of outlines.",
            )

    def bounds(self, height: int, width: int) -> tuple[float, float, float, float]:
        """The box (least x, least y, greatest x, greatest y) of a raster of this size."""
        a, b, c, d, e, f = self.transform
        corners = [(row, column) for row in (0, height) for column in (0, width)]
        xs = [a * column + b * row + c for row, column in corners]
        ys = [d * column + e * row + f for row, column in corners]
        return min(xs), min(ys), max(xs), max(ys)


@dataclass(frozen=True)
class OpenImage:
    """One page of an image file, open for reading; a context manager.

    Args:
        path: The file.
        height: In pixels, as read: after the EXIF orientation.
        width: In pixels.
        channels: C.
        dtype: Of what `read` gives: uint8, uint16 or float32.
        nodata: The value of pixels that hold no measurement, where the file names one.
        georeference: For GeoTIFF, else None.
        pages: Pages in the file.
        palette: The colour table of a TIFF, (256, 3), if it has one.
        has_alpha: Whether the last channel of a TIFF is an alpha by its tag.
        lossy: Whether the compression altered the values.
        white_is_zero: Whether the file says that 0 is white, and the values lie as in the file.
        orientation: The tag of a TIFF by which it is turned, 1..8.
        window: How to read; use `read`.
        closing: How to let go of the file.
    """

    path: Path
    height: int
    width: int
    channels: int
    dtype: AnyDtype
    window: Window
    closing: Callable[[], None]
    nodata: float | None = None
    georeference: GeoReference | None = None
    pages: int = 1
    palette: NDArray[np.uint8] | None = None
    has_alpha: bool = False
    lossy: bool = False
    white_is_zero: bool = False
    orientation: int = 1

    def read(self, top: int = 0, left: int = 0, height: int | None = None, width: int | None = None) -> AnyArray:
        """Read the window, or the whole page.

        Args:
            top: First row.
            left: First column.
            height: Rows; to the last one by default.
            width: Columns; to the last one by default.

        Returns:
            (height, width, C) of the file's dtype.

        Raises:
            DataError: The file is truncated or damaged, or the window holds more than MAX_PIXELS pixels.
        """
        height = self.height - top if height is None else height
        width = self.width - left if width is None else width
        assert 0 <= top <= top + height <= self.height, "the window leaves the image"
        assert 0 <= left <= left + width <= self.width, "the window leaves the image"
        check_size(self.path, height, width, self.channels * self.dtype.itemsize)
        with damage_told(self.path):
            pixels = self.window(top, left, height, width)
        return without_sentinels(widened(pixels, self.path), self.nodata)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.closing()


class damage_told:  # noqa: N801  (reads as a clause in a with statement)
    """Turn whatever a decoder raises on damaged bytes into a DataError that names the file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> None:
        return None

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        if isinstance(error, PermissionError):
            raise DataError(
                f"{self.path} may not be read: permission denied.", fix="change its permissions (chmod u+r)."
            ) from error
        if isinstance(error, Exception) and not isinstance(error, DataError):
            raise unreadable(self.path, _reason(error)) from error


def unreadable(path: Path, reason: str) -> DataError:
    """The error for a file whose bytes are not an image that can be read."""
    return DataError(
        f"{path} cannot be read: {reason}.",
        fix="restore the file from its source, or remove it together with its mask.",
    )


def check_size(path: Path, height: int, width: int, pixel_bytes: int = 1) -> None:
    """Raise DataError for an empty image, and for one of more than MAX_PIXELS pixels or MAX_BYTES bytes.

    Args:
        path: The file.
        height: In pixels.
        width: In pixels.
        pixel_bytes: What a pixel takes while it is decoded, copies included.
    """
    if height * width == 0:
        raise DataError(f"{path} is {height} × {width} pixels: it holds no pixel.", fix="remove the file.")
    if height * width > MAX_PIXELS:
        raise DataError(
            f"{path} declares {height:,} × {width:,} pixels; at most {MAX_PIXELS:,} are decoded at once.",
            fix="cut it into pieces, or save it as a tiled TIFF, which is read window by window; or allow more by "
            "the environment variable PERPIXEL_MAX_PIXELS.",
        )
    if height * width * pixel_bytes > MAX_BYTES:
        raise DataError(
            f"{path}: {height:,} × {width:,} pixels take {height * width * pixel_bytes:,} bytes to decode; at most "
            f"{MAX_BYTES:,} are taken at once.",
            fix="cut it into pieces, or save it as a tiled TIFF, which is read window by window; or allow more by "
            "the environment variable PERPIXEL_MAX_BYTES.",
        )


def widened(pixels: ImageArray, path: Path) -> AnyArray:
    """Give uint8 and uint16 as they are, bool as uint8, everything else as float32 where that is exact enough.

    Raises:
        DataError: Complex numbers, or integers that float32 would round (2²⁴ and beyond).
    """
    if pixels.dtype in (np.uint8, np.uint16, np.float32):
        return pixels
    if pixels.dtype == bool:
        return pixels.view(np.uint8)
    if pixels.dtype.kind == "f":
        return pixels.astype(np.float32)
    if pixels.dtype.kind in "iu":
        if pixels.dtype.itemsize > 2 and pixels.size and max(-int(pixels.min()), int(pixels.max())) > 2**24:
            raise DataError(
                f"{path} holds integers beyond ±2^24, which float32 would round.",
                fix="rescale its values to 16 bits before giving it to perpixel.",
            )
        return pixels.astype(np.float32)
    raise DataError(f"{path} holds {pixels.dtype} values.", fix="save it as 8 or 16-bit integers, or as float32.")


def without_sentinels(pixels: ImageArray, nodata: float | None) -> AnyArray:
    """Floats with NaN where nothing was measured: the file's nodata, −9999, infinities, and what is beyond 10³⁰.

    Integers stay as they are: theirs are told apart by the nodata of the file alone.

    >>> without_sentinels(np.array([1.0, -9999, -3.4e38], np.float32), None)
    array([ 1., nan, nan], dtype=float32)
    """
    if pixels.dtype.kind != "f":
        return pixels
    empty = ~(np.abs(pixels) < LARGEST_MEASURED) | (pixels == UNTAGGED_NODATA)
    if nodata is not None:
        empty |= pixels == np.float32(nodata)
    return np.where(empty, np.float32(np.nan), pixels) if empty.any() else pixels


def without_data(pixels: ImageArray, nodata: float | None) -> NDArray[np.bool_] | None:
    """Which pixels (H, W) hold no measurement in any channel: nodata, or no number. None where there are none.

    >>> without_data(np.array([[[1, 0], [0, 0]]], np.uint8), 0)
    array([[False,  True]])
    """
    if pixels.dtype.kind != "f" and nodata is None:
        return None
    missing: NDArray[np.bool_] = np.asarray(np.isnan(pixels))
    if nodata is not None:
        missing = np.asarray(missing | (pixels == nodata))
    empty: NDArray[np.bool_] = np.asarray(missing.all(axis=2))
    return empty if empty.any() else None


def wide_dtype(dtype: AnyDtype) -> AnyDtype:
    """The dtype that `widened` gives for this one."""
    if dtype in (np.uint8, np.uint16):
        return np.dtype(dtype.type)
    return np.dtype(np.uint8 if dtype.kind == "b" else np.float32)


def _reason(error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return "it does not exist, or is a link to nowhere"
    return f"it is truncated or damaged ({str(error).strip().rstrip('.') or type(error).__name__})"
