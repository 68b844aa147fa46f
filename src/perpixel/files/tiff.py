"""TIFF and GeoTIFF of any bit depth, tiled or in strips, with pages, bands and nodata, window by window."""

import contextlib
import logging
import warnings
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image

from perpixel.errors import DataError
from perpixel.files.control_points import grid_through
from perpixel.files.limits import MAX_PAGES
from perpixel.files.open_image import GeoReference, OpenImage, Window, check_size, damage_told, unreadable, wide_dtype
from perpixel.files.pillow_images import ORIENTATION, turned
from perpixel.files.tiff_limits import TiffPage, refuse_bomb, refuse_segments
from perpixel.shapes import AnyArray

logging.getLogger("tifffile").setLevel(logging.CRITICAL)  # what matters is raised

BUILT_IN = {1, 8, 32946, 32773, 34925}
"""Compressions that tifffile decodes by itself: none, deflate, packbits, LZMA."""
LOSSY = {6, 7, 33003, 33004, 33005, 34712, 34892}
"""Compressions that alter values: JPEG of several kinds, JPEG 2000."""
ALPHA_ROWS = 1024
"""Rows of an alpha that are looked at in one go."""


def open_tiff(path: Path, page: int = 0, *, keep_indices: bool = False) -> OpenImage:
    """Open a page of a TIFF file; a stack of slices counts as pages, a stack of bands as channels.

    Values of a colour table are read as its colours, unless `keep_indices`.
    """
    with damage_told(path):
        file = tifffile.TiffFile(path)
    try:
        with damage_told(path):
            return _open(file, path, page, keep_indices)
    except BaseException:
        file.close()
        raise


def tiff_orientation(path: Path) -> int:
    """The orientation tag of the first page, 1..8."""
    with damage_told(path), tifffile.TiffFile(path) as file:
        return _orientation(file.pages[0])


def _open(file: tifffile.TiffFile, path: Path, number: int, keep_indices: bool) -> OpenImage:
    pages = [page for page in _every_page(file, path) if not _is_reduced(page)]
    if not pages:
        raise unreadable(path, "it has no page")
    first = pages[0]
    separate_bands = len(pages) > 1 and file.is_imagej and "C" in file.series[0].axes
    same = [page for page in pages if page.shape == first.shape and page.dtype == first.dtype]
    if not 0 <= number < len(same):
        raise DataError(f"{path} has {len(same)} pages; page {number} was asked for.", fix="choose another page.")
    if separate_bands and len(same) <= 16:
        raise unreadable(path, "its channels lie in pages of their own; save them as one multi-band TIFF")
    page = same[number]
    if page.dtype is None:
        raise unreadable(path, "its sample format is unknown")
    height, width, channels = page.imagelength, page.imagewidth, page.samplesperpixel
    if not all(isinstance(length, int) and length >= 0 for length in (height, width, channels)):
        raise unreadable(path, "its size is damaged")
    if height * width == 0:
        check_size(path, height, width)
    refuse_segments(page, path)
    window, closing = _window(file, page, path, number)
    orientation = _orientation(page)
    if orientation != 1:
        whole = turned(window(0, 0, height, width), orientation)
        height, width = whole.shape[:2]
        window = lambda top, left, h, w: whole[top : top + h, left : left + w]  # noqa: E731
    dtype, palette = wide_dtype(np.dtype(page.dtype)), _palette(page)
    has_alpha, white_is_zero = _has_alpha(page), _white_is_zero(page)
    if keep_indices:
        pass
    elif palette is not None:
        window, channels, dtype = _coloured(window, palette), 3, np.dtype(np.uint8)
    elif white_is_zero:
        window = _inverted(window, page.bitspersample)
    elif has_alpha and _is_constant(path, window, (height, width), number):
        window, channels, has_alpha = _without_last(window), channels - 1, False
    return OpenImage(
        path,
        height,
        width,
        channels,
        dtype,
        window,
        closing,
        nodata=_nodata(page),
        georeference=_georeference(page, path),
        pages=len(same),
        palette=palette,
        has_alpha=has_alpha,
        lossy=int(page.compression) in LOSSY,
        white_is_zero=white_is_zero,
        orientation=orientation,
    )


def _has_alpha(page: TiffPage) -> bool:
    """Whether the last of several samples is an alpha by the tag ExtraSamples (1 or 2)."""
    extra = list(page.extrasamples or ())
    return page.samplesperpixel in (2, 4) and len(extra) > 0 and int(extra[-1]) in (1, 2)


def _white_is_zero(page: TiffPage) -> bool:
    return bool(
        page.photometric == tifffile.PHOTOMETRIC.MINISWHITE
        and page.samplesperpixel == 1
        and page.dtype is not None
        and np.dtype(page.dtype).kind in "bu"
    )


def _inverted(window: Window, bits: int) -> Window:
    """Values that count from white as values that count from black."""
    return lambda *box: inverted(window(*box), bits)


def inverted(values: AnyArray, bits: int) -> AnyArray:
    """The greatest value of so many bits minus each value; of bool the opposite."""
    return ~values if values.dtype == bool else ((1 << bits) - 1 - values.astype(np.int64)).astype(values.dtype)


def _without_last(window: Window) -> Window:
    return lambda *box: window(*box)[..., :-1]


def _is_constant(path: Path, window: Window, size_hw: tuple[int, int], number: int) -> bool:
    """Whether the last channel has one value; found once for a file, and soon where it varies."""
    status = path.stat()
    key = (str(path), number, status.st_size, status.st_mtime_ns)
    if key not in _CONSTANT_ALPHAS:
        height, width = size_hw
        seen: set[int] = set()
        for top in range(0, height, ALPHA_ROWS):
            alpha = window(top, 0, min(ALPHA_ROWS, height - top), width)[..., -1]
            seen |= {alpha.min().item(), alpha.max().item()}
            if len(seen) > 1:
                break
        _CONSTANT_ALPHAS[key] = len(seen) <= 1
    return _CONSTANT_ALPHAS[key]


_CONSTANT_ALPHAS: dict[tuple[str, int, int, int], bool] = {}


def _window(file: tifffile.TiffFile, page: TiffPage, path: Path, number: int) -> tuple[Window, TiffPage]:
    """A reader of windows: tifffile's segments where it decodes them, else rasterio, else the whole by Pillow."""
    if page.compression in BUILT_IN and _built_in_predictor(page):
        lock = Lock()
        return lambda *box: _segments(file, page, box, lock), file.close
    with contextlib.suppress(ImportError):
        return _rasterio_window(path, number, file)
    if page.samplesperpixel in (1, 3, 4) and page.bitspersample in (1, 8, 16):
        with Image.open(path) as image:
            check_size(path, image.height, image.width)
            image.seek(page.index)
            whole = np.asarray(image)
            if _white_is_zero(page) and image.mode in ("1", "L"):
                whole = inverted(whole, 8)  # Pillow has turned it
        whole = whole[..., None] if whole.ndim == 2 else whole
        return lambda top, left, h, w: whole[top : top + h, left : left + w], file.close
    raise DataError(
        f"{path} is compressed with {page.compression.name}, which needs rasterio.",
        fix="pip install 'perpixel[geo]', or save the file with deflate compression.",
    )


def _built_in_predictor(page: TiffPage) -> bool:
    return page.predictor in (1, 2) and page.bitspersample in (8, 16, 32, 64)


def _rasterio_window(path: Path, number: int, file: tifffile.TiffFile) -> tuple[Window, TiffPage]:
    from rasterio.windows import Window as Box

    source = _by_gdal(path if number == 0 else f"GTIFF_DIR:{number + 1}:{path}")
    lock = Lock()

    def window(top: int, left: int, height: int, width: int) -> AnyArray:
        with lock:
            bands = source.read(window=Box(left, top, width, height))
        return np.ascontiguousarray(np.moveaxis(bands, 0, -1))

    def closing() -> None:
        source.close()
        file.close()

    return window, closing


def _segments(file: tifffile.TiffFile, page: TiffPage, box: tuple[int, ...], lock: Lock) -> AnyArray:
    """Decode the strips or tiles that touch the box, and only those."""
    top, left, height, width = box
    planes = page.samplesperpixel if page.planarconfig == 2 else 1
    samples = 1 if planes > 1 else page.samplesperpixel
    if page.is_tiled:
        rows, columns = page.tilelength, page.tilewidth
    else:
        rows, columns = min(page.rowsperstrip, page.imagelength), page.imagewidth
    down, across = -(-page.imagelength // rows), -(-page.imagewidth // columns)
    if len(page.dataoffsets) < planes * down * across:
        raise ValueError("strips or tiles are missing")
    result = np.zeros((height, width, planes * samples), page.dtype)
    for plane in range(planes):
        for y in range(top // rows, -(-(top + height) // rows)):
            for x in range(left // columns, -(-(left + width) // columns)):
                index = (plane * down + y) * across + x
                segment = _segment(file, page, index, lock)
                if segment is None:  # a sparse file leaves empty tiles out
                    continue
                block = segment.reshape(-1, segment.shape[-2], samples)
                first_row, first_column = max(top, y * rows), max(left, x * columns)
                end_row = min(top + height, y * rows + block.shape[0])
                end_column = min(left + width, x * columns + block.shape[1])
                inner = block[
                    first_row - y * rows : end_row - y * rows, first_column - x * columns : end_column - x * columns
                ]
                rows_in, columns_in = (
                    slice(first_row - top, end_row - top),
                    slice(first_column - left, end_column - left),
                )
                result[rows_in, columns_in, plane * samples : (plane + 1) * samples] = inner
    return result


def _segment(file: tifffile.TiffFile, page: TiffPage, index: int, lock: Lock) -> AnyArray | None:
    offset, count = page.dataoffsets[index], page.databytecounts[index]
    if count == 0:
        return None
    with lock:
        file.filehandle.seek(offset)
        data = file.filehandle.read(count)
    if len(data) < count:
        raise ValueError(f"{count - len(data):,} bytes are missing")
    refuse_bomb(data, page)
    segment: AnyArray | None = page.decode(data, index, jpegtables=page.jpegtables)[0]
    return None if segment is None else segment[0]


def _every_page(file: tifffile.TiffFile, path: Path) -> list[TiffPage]:
    """The pages in their order; a damaged chain of them may lead back to one before."""
    pages: list[TiffPage] = []
    offsets: set[int] = set()
    for page in file.pages:
        if page.offset in offsets:
            raise unreadable(path, "its pages run in a circle")
        offsets.add(page.offset)
        pages.append(page)
        if len(pages) > MAX_PAGES:
            raise unreadable(path, f"it holds more than {MAX_PAGES:,} pages (PERPIXEL_MAX_PAGES allows more)")
    return pages


def _is_reduced(page: TiffPage) -> bool:
    return bool(page.subfiletype & 0b101)


def _orientation(page: TiffPage) -> int:
    tag = page.tags.get(ORIENTATION)
    value = tag.value if tag is not None else 1
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _nodata(page: TiffPage) -> float | None:
    tag = page.tags.get(42113)  # GDAL_NODATA
    if tag is None:
        return None
    try:
        return float(str(tag.value).strip("\x00 "))
    except ValueError:
        return None


def _palette(page: TiffPage) -> NDArray[np.uint8] | None:
    """The colour table, (256, 3) for 8 bits, if the page has one; what a damaged one lacks is black."""
    if page.photometric != tifffile.PHOTOMETRIC.PALETTE or page.colormap is None or page.bitspersample > 16:
        return None
    given = (page.colormap.T >> 8).astype(np.uint8)
    table = np.zeros((2**page.bitspersample, 3), np.uint8)
    table[: len(given)] = given[: len(table)]
    return table


def _coloured(window: Window, palette: NDArray[np.uint8]) -> Window:
    return lambda *box: palette[window(*box)[..., 0]]


def _georeference(page: TiffPage, path: Path) -> GeoReference | None:
    """The transform from the tags; the CRS by rasterio where it is installed."""
    scale, tie, matrix = (page.tags.get(code) for code in (33550, 33922, 34264))
    error_px = 0.0
    if matrix is not None:
        m = matrix.value
        transform = (m[0], m[1], m[3], m[4], m[5], m[7])
    elif scale is not None and tie is not None:
        (sx, sy), (column, row, _, x, y, _) = scale.value[:2], tie.value[:6]
        transform = (sx, 0.0, x - column * sx, 0.0, -sy, y + row * sy)
    elif tie is not None and (fitted := grid_through(tie.value)) is not None:
        transform, error_px = fitted
    else:
        return None
    keys = page.tags.get(34735)  # groups of four: the key, where its value is, how many, the value
    if keys is not None and any(
        keys.value[at] == 1025 and keys.value[at + 3] == 2 for at in range(4, len(keys.value) - 3, 4)
    ):
        a, b, c, d, e, f = transform  # PixelIsPoint: the tags place the centre of a pixel, not its corner
        transform = (a, b, c - (a + b) / 2, d, e, f - (d + e) / 2)
    return GeoReference(_crs_wkt(path), tuple(map(float, transform)), error_px)  # type: ignore[arg-type]


def _crs_wkt(path: Path) -> str:
    try:
        source = _by_gdal(path)
    except ImportError:
        return ""
    with source:
        crs = source.crs or source.gcps[1]
        return crs.to_wkt() if crs else ""


def _by_gdal(name: Path | str) -> Any:
    """Open a TIFF as such and by itself: files beside it (.ovr, .aux.xml) could name others, anywhere."""
    import rasterio

    with warnings.catch_warnings(), rasterio.Env(GDAL_DISABLE_READDIR_ON_OPEN="EMPTY_DIR", GDAL_PAM_ENABLED="NO"):
        warnings.simplefilter("ignore")
        return rasterio.open(name, driver="GTiff")
