"""Zarr arrays and OME-Zarr images: read window by window, and class maps written a piece at a time.

Source: Zarr 2 and 3; OME-NGFF 0.4 and 0.5 (multiscale metadata, of which the first, full resolution is used).
"""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from perpixel.errors import DataError, OutputError
from perpixel.files.atomic import cannot_write
from perpixel.files.limits import MAX_BYTES
from perpixel.files.open_image import OpenImage, damage_told, unreadable, wide_dtype
from perpixel.runtime.json_values import JsonObject
from perpixel.shapes import AnyArray

MARKS: Final = ("zarr.json", ".zarray", ".zgroup")
"""One of these files lies in every folder that is a Zarr array or group."""

AXES: Final = "tczyx"
CHUNK_PX: Final = 512
EXTRA: Final = "pip install 'perpixel[zarr]'."


def is_zarr(path: Path) -> bool:
    """Whether the folder is a Zarr array or group."""
    return any((path / mark).is_file() for mark in MARKS)


def open_zarr(path: Path, page: int = 0) -> OpenImage:
    """Open one plane of an OME-Zarr image, or of an array of (H, W), (C, H, W) or (H, W, C).

    Args:
        path: The folder.
        page: Which plane; of several times and depths all depths of the first time come first.

    Raises:
        DataError: It is no image, or zarr is not installed.
    """
    try:
        import zarr
    except ImportError:
        raise DataError(f"{path} needs zarr, which is not installed.", fix=EXTRA) from None

    with damage_told(path):
        node = zarr.open(path, mode="r")
        array, axes = (node, _guessed(node)) if isinstance(node, zarr.Array) else _full_resolution(node, path)
        if len(axes) != array.ndim or not set("yx") <= set(axes) <= set(AXES) or array.dtype.kind not in "biuf":
            raise unreadable(path, f"an array of shape {array.shape} and dtype {array.dtype} is no image")
    if (chunk := math.prod(array.chunks) * array.dtype.itemsize) > MAX_BYTES:
        raise unreadable(path, f"its chunks take {chunk:,} bytes each; at most {MAX_BYTES:,} are taken at once")
    length = dict.fromkeys(AXES, 1) | dict(zip(axes, array.shape, strict=True))
    pages = length["t"] * length["z"]
    if not 0 <= page < pages:
        raise DataError(f"{path} has {pages} pages; page {page} was asked for.", fix="choose another page.")
    time, depth = divmod(page, length["z"])

    def window(top: int, left: int, height: int, width: int) -> AnyArray:
        at: dict[str, Any] = {"t": time, "z": depth, "c": slice(None)}
        at |= {"y": slice(top, top + height), "x": slice(left, left + width)}
        values = np.asarray(array[tuple(at[axis] for axis in axes)])
        kept = [axis for axis in axes if axis in "cyx"]
        values = values if "c" in kept else values[..., None]
        return values.transpose([[*kept, "c"].index(axis) for axis in "yxc"])

    return OpenImage(
        path, length["y"], length["x"], length["c"], wide_dtype(array.dtype), window, lambda: None, pages=pages
    )


class ZarrWriter:
    """A class map that is being written as OME-Zarr 0.5, one array of uint8 at full resolution.

    Args:
        path: The folder to make.
        shape: Length of each axis.
        axes: One of t, c, z, y, x for each axis.

    Raises:
        OutputError: zarr is not installed, or the folder cannot be made.
    """

    def __init__(self, path: Path, shape: Sequence[int], axes: str) -> None:
        require_zarr()
        import zarr

        kinds = {"t": "time", "c": "channel"}
        scale: JsonObject = {"type": "scale", "scale": [1.0] * len(axes)}
        image: JsonObject = {
            "name": path.stem,
            "axes": [{"name": axis, "type": kinds.get(axis, "space")} for axis in axes],
            "datasets": [{"path": "0", "coordinateTransformations": [scale]}],
        }
        chunks = tuple(CHUNK_PX if axis in "yx" else 1 for axis in axes)
        self._path = path
        try:
            group = zarr.open_group(path, mode="w", attributes={"ome": {"version": "0.5", "multiscales": [image]}})
            self._array = group.create_array("0", shape=tuple(shape), chunks=chunks, dtype="uint8", fill_value=255)
        except OSError as error:
            raise cannot_write(path, error) from error

    def put(self, place: tuple[Any, ...], values: NDArray[np.uint8]) -> None:
        """Write values at a place, an index or a slice for each axis. Raises OutputError."""
        try:
            self._array[place] = values
        except OSError as error:
            raise cannot_write(self._path, error) from error


def require_zarr() -> None:
    """Raise OutputError where zarr is not installed."""
    try:
        import zarr  # noqa: F401
    except ImportError:
        raise OutputError("zarr is not installed.", fix=EXTRA) from None


def _guessed(array: Any) -> str:
    """The axes of a lone array; of three the shortest one is the channels', if it is the first or the last."""
    names = getattr(array.metadata, "dimension_names", None)
    if names and all(names):
        return "".join(names)
    if array.ndim == 2:
        return "yx"
    return "cyx" if array.ndim == 3 and array.shape[0] < min(array.shape[1:]) else "yxc"


def _full_resolution(group: Any, path: Path) -> tuple[Any, str]:
    """The largest array of an OME-Zarr image, and its axes."""
    described = group.attrs.get("ome", group.attrs).get("multiscales")
    if not described:
        raise unreadable(path, "the Zarr group holds no OME-Zarr image; name one of its arrays instead")
    axes = [axis if isinstance(axis, str) else axis["name"] for axis in described[0].get("axes", AXES)]
    return group[described[0]["datasets"][0]["path"]], "".join(axes)
