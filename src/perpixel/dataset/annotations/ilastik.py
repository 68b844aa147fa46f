"""Labels in projects of ilastik (.ilp, which is HDF5): strokes, in blocks of each image.

    Input Data/infos/lane0000/Raw Data/    filePath or nickname, shape, axistags (JSON) of an image
    PixelClassification/LabelNames         of the values from 1 on
    PixelClassification/LabelSets/labels000/block0000    values; attributes blockSlice "[0:64,0:64,0:1]" and axistags

Source: ilastik, applets/base/appletSerializer/slotSerializer.py (SerialBlockSlot) and applets/dataSelection.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np

from perpixel.dataset.annotations.annotated import Annotated, Outline
from perpixel.dataset.annotations.placing import runs_of
from perpixel.errors import DataError
from perpixel.files.limits import MAX_BYTES, MAX_PIXELS
from perpixel.files.parse import parse_json
from perpixel.runtime.json_values import Json
from perpixel.shapes import AnyArray

H5: TypeAlias = Any
"""A group, a data set or a value of h5py, which has no types."""
SLICE: Final = re.compile(r"(\d+):(\d+)")
MOST_PAGES: Final = 10_000


def ilastik_labels(_: Json, path: Path, __: Sequence[Path]) -> list[Annotated]:
    """The labelled images of a project; those without a stroke are left out.

    Raises:
        DataError: h5py is not installed, or the file is no sound project.
    """
    try:
        import h5py
    except ImportError as error:
        fix = "pip install 'perpixel[ilastik]', or export the labels from ilastik (Export Labels) as PNG or TIFF."
        raise DataError(f"{path} is a project of ilastik, which needs h5py.", fix=fix) from error
    try:
        with h5py.File(path, "r") as file:
            return _of_project(file)
    except (OSError, KeyError, RuntimeError, ValueError, TypeError, AttributeError, UnicodeDecodeError) as error:
        raise DataError(
            f"{path} cannot be read as a project of ilastik: {error}.",
            fix="save it again in ilastik, or export the labels (Export Labels) as PNG or TIFF.",
        ) from error


def _of_project(file: H5) -> list[Annotated]:
    groups = [name for name in sorted(file) if hasattr(_inside(file, name), "keys")]
    home = next((name for name in groups if "LabelSets" in file[name]), None)
    if home is None:
        return []
    infos = _inside(file, "Input Data", "infos")
    names = [text.decode() for text in _inside(file, home, "LabelNames")[()]] if "LabelNames" in file[home] else []
    sets = _inside(file, home, "LabelSets")
    found = []
    for lane, labels in zip(sorted(infos, key=_number), sorted(sets, key=_number), strict=False):
        blocks = [_inside(sets, labels, block) for block in sorted(_inside(sets, labels))]
        if blocks:
            found.append(_annotated(_inside(infos, lane, "Raw Data"), blocks, names))
    return [each for each in found if each.areas]


def _annotated(raw: H5, blocks: Sequence[H5], names: Sequence[str]) -> Annotated:
    axes, shape = _axes(raw["axistags"][()]), [int(length) for length in raw["shape"][()]]
    sizes = dict(zip(axes, shape, strict=True))
    height, width = sizes["y"], sizes["x"]
    pages = {axis: length for axis, length in sizes.items() if axis in "zt" and length > 1}
    if not 0 < height * width <= MAX_PIXELS or len(pages) > 1 or sum(pages.values()) > MOST_PAGES:
        raise ValueError(f"an image of {' × '.join(map(str, shape))} ({axes})")
    planes: dict[int, AnyArray] = {}
    for block in blocks:
        _add_block(block, axes, next(iter(pages), None), (height, width), planes)
    areas = []
    for page, plane in sorted(planes.items()):
        for value in sorted({int(v) for v in np.unique(plane)} - {0}):
            label = names[value - 1] if value <= len(names) else f"class {value}"
            areas.append(Outline(label, runs=runs_of(plane == value), page=page if pages else None))
    return Annotated(_name_of(raw), tuple(areas), height, width, tuple(names))


def _add_block(
    block: H5, image_axes: str, page_axis: str | None, size: tuple[int, int], planes: dict[int, AnyArray]
) -> None:
    """Write the values of a block into the planes of its pages."""
    axes = _axes(block.attrs["axistags"]) if "axistags" in block.attrs else image_axes
    axes = axes if len(axes) == block.ndim else f"{image_axes}c"
    slices = [(int(a), int(b)) for a, b in SLICE.findall(_text(block.attrs["blockSlice"]))]
    if len(axes) != block.ndim or len(slices) != block.ndim or block.size > MAX_PIXELS:
        raise ValueError(f"a block of {block.shape} with the axes {axes}")
    starts = dict(zip(axes, (start for start, _ in slices), strict=True))
    first = [axis for axis in axes if axis not in "yx"]
    values = block[()].transpose([axes.index(axis) for axis in (*first, "y", "x")])
    for place in np.ndindex(values.shape[:-2]):
        page = sum(starts[axis] + at for axis, at in zip(first, place, strict=True) if axis == page_axis)
        if page not in planes and (len(planes) + 1) * size[0] * size[1] > MAX_BYTES:
            raise ValueError(f"labels of more than {MAX_BYTES:,} bytes (PERPIXEL_MAX_BYTES allows more)")
        plane = planes.setdefault(page, np.zeros(size, np.uint8))
        top, left = starts["y"], starts["x"]
        under = plane[top : top + values.shape[-2], left : left + values.shape[-1]]
        np.copyto(under, values[place], where=values[place] != 0, casting="unsafe")


def _name_of(raw: H5) -> str:
    """The file of an image: its path without what lies inside an HDF5 file; else its name in the project."""
    text = _text(raw["filePath"][()]) if "filePath" in raw else ""
    return text or _text(raw["nickname"][()])


def _axes(tags: H5) -> str:
    """The letters of the axes of ilastik's axistags: "yxc"."""
    listed: Mapping[str, H5] = parse_json(_text(tags), "the axistags")
    return "".join(str(axis["key"]) for axis in listed["axes"])


def _text(value: H5) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _number(name: str) -> int:
    return int(re.sub(r"\D", "", name) or 0)


def _inside(group: H5, *names: str) -> H5:
    """What lies in the file itself under these names; links to other files are not followed."""
    import h5py

    for name in names:
        if not isinstance(group, h5py.Group) or not isinstance(group.get(name, getlink=True), h5py.HardLink):
            raise KeyError(name)
        group = group[name]
        if isinstance(group, h5py.Dataset) and (group.external or group.is_virtual):
            raise ValueError(f"{name} lies in another file")
    return group
