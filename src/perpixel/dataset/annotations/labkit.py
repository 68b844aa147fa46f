"""Labels of Labkit: NAME.labeling, a JSON with the pixels of each label; or NAME.tif and NAME.tif.labels.

A .labeling holds {"interval": {"min", "max"}, "labels": {NAME: [[x, y], …]}}, of a stack [x, y, z]. A .tif.labels
holds {"labelSets": [[], [NAME], …]}: which labels each value of the TIFF stands for.

Source: juglab/labkit-ui, LabelingSerializer.java.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from perpixel.dataset.annotations.annotated import Annotated, Outline
from perpixel.dataset.annotations.placing import NamedImages, runs_of
from perpixel.dataset.layout.names import key, stem
from perpixel.errors import DataError
from perpixel.files.limits import MAX_PIXELS
from perpixel.files.parse import parse_json
from perpixel.files.read import read_header, read_mask
from perpixel.files.whole_file import text_of
from perpixel.runtime.json_values import Json, JsonMapping
from perpixel.shapes import AnyArray

MOST_PAGES: Final = 10_000


def labkit_labels(_: Json, path: Path, __: Sequence[Path]) -> list[Annotated] | None:
    """The one image of a .labeling; None for JSON of another form."""
    data = parse_json(text_of(path), str(path))
    if not isinstance(data, dict) or not isinstance(data.get("labels"), dict) or "interval" not in data:
        return None
    least, greatest = data["interval"]["min"], data["interval"]["max"]
    width, height, *more = (int(b) - int(a) + 1 for a, b in zip(least, greatest, strict=True))
    if not 0 < height * width <= MAX_PIXELS or len(more) > 1 or max(more, default=1) > MOST_PAGES:
        raise ValueError(f"an interval of {width} × {height}")
    areas = []
    for name, pixels in data["labels"].items():
        places = np.array(pixels, np.int64).reshape(-1, len(least)) - np.array(least)
        if places.size and (places.min() < 0 or (places >= [width, height, *more]).any()):
            raise ValueError(f"pixels of {name} outside the interval")
        for page in np.unique(places[:, 2]) if more else [0]:
            plane = np.zeros((height, width), bool)
            here = places[places[:, 2] == page] if more else places
            plane[here[:, 1], here[:, 0]] = True
            areas += _area(str(name), plane, int(page) if more else None)
    return [Annotated("", tuple(areas), height, width)]


def labkit_raster(_: Json, path: Path, images: Sequence[Path]) -> list[Annotated] | None:
    """The labels of a TIFF by the names in the file next to it; None for JSON of another form."""
    data = parse_json(text_of(path), str(path))
    if not isinstance(data, dict) or not isinstance(data.get("labelSets"), list):
        return None
    raster = path.with_suffix("")
    header = read_header(raster)
    areas = []
    for page in range(header.pages):
        values = read_mask(raster, page).values
        if values.ndim != 2 or int(values.max(initial=0)) >= len(data["labelSets"]):
            raise ValueError(f"{raster.name} holds more than the labels of {path.name}")
        areas += _of_sets(values, data, page if header.pages > 1 else None)
    height, width = header.size
    return [Annotated(_image_of(raster, images), tuple(areas), height, width)]


def _of_sets(values: AnyArray, data: JsonMapping, page: int | None) -> list[Outline]:
    sets: list[list[str]] = data["labelSets"]
    names = sorted({name for each in sets for name in each})
    planes = {name: np.isin(values, [k for k, each in enumerate(sets) if name in each]) for name in names}
    if sum(plane.astype(np.uint8) for plane in planes.values()).max(initial=0) > 1:  # type: ignore[union-attr]
        raise DataError("a pixel has two labels.", fix="save one label for each pixel.")
    return [area for name, plane in planes.items() for area in _area(name, plane, page)]


def _area(name: str, plane: AnyArray, page: int | None) -> list[Outline]:
    return [Outline(name, runs=runs_of(plane), page=page)] if plane.any() else []


def _image_of(raster: Path, images: Sequence[Path]) -> str:
    """The name of the image that a label raster is of: its own, or what is left of it without words like "labels"."""
    if NamedImages(images).named(raster.name):
        return raster.name
    same = [image.name for image in images if raster.name.startswith(image.name)]  # a.tif-labeling.tif
    same = same or [image.name for image in images if key(stem(image.name)) == key(stem(raster.name))]
    return same[0] if len(same) == 1 else raster.name
