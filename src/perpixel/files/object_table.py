"""Objects measured one by one: area, centroid, box, diameter and mean intensity, rows after rows."""

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from perpixel.files.atomic import write_text
from perpixel.files.csv_cells import safe_cell
from perpixel.runtime.json_values import JsonMapping, JsonObject
from perpixel.shapes import AnyArray


@dataclass(frozen=True)
class MeasuredObject:
    """One instance of a class in a mask.

    Args:
        number: From 1 in its image, page and, for multilabel classes, class.
        class_name: Its class.
        pixels: How many it has.
        centroid: Mean row and column of its pixels; the centre of the first pixel is (0, 0).
        box: Top row, left column, and the row and column behind its last ones.
        mean_intensity: Of each channel of the image under it; empty where the image is not known.
        square_metres: Its area on the ground; NaN where no coordinate reference system tells it.
    """

    number: int
    class_name: str
    pixels: int
    centroid: tuple[float, float]
    box: tuple[int, int, int, int]
    mean_intensity: tuple[float, ...] = ()
    square_metres: float = math.nan

    @property
    def diameter_px(self) -> float:
        """Of a circle of the same area, in pixels."""
        return 2 * math.sqrt(self.pixels / math.pi)

    def row(self) -> JsonObject:
        """A row of objects.csv; square metres and metres only where they are known."""
        top, left, bottom, right = self.box
        channels = len(self.mean_intensity)
        names = ["mean_intensity"] if channels == 1 else [f"mean_intensity_{c}" for c in range(1, channels + 1)]
        row: JsonObject = {
            "number": self.number,
            "class": self.class_name,
            "area_px": self.pixels,
            "centroid_row": round(self.centroid[0], 2),
            "centroid_column": round(self.centroid[1], 2),
            "top": top,
            "left": left,
            "bottom": bottom,
            "right": right,
            "diameter_px": round(self.diameter_px, 2),
            **{name: round(value, 3) for name, value in zip(names, self.mean_intensity, strict=True)},
        }
        if not math.isnan(self.square_metres):
            row["square_metres"] = round(self.square_metres, 3)
            row["diameter_m"] = round(2 * math.sqrt(self.square_metres / math.pi), 3)
        return row


class ObjectSums:
    """Adds up the pixels of numbered objects, in memory that grows with their number alone.

    Args:
        count: How many objects there are.
    """

    def __init__(self, count: int) -> None:
        self._pixels = np.zeros(count + 1, np.int64)
        self._sums = np.zeros((2, count + 1))
        self._metres = np.zeros(count + 1)
        self._least = np.full((2, count + 1), np.iinfo(np.int64).max)
        self._most = np.full((2, count + 1), -1, np.int64)
        self._intensities: NDArray[np.float64] | None = None

    def add(self, numbers: AnyArray, top: int, metres: NDArray[np.float64], image: AnyArray | None = None) -> None:
        """Take rows of the map.

        Args:
            numbers: (h, W) the object of each pixel, 0 for none.
            top: Row of the first one.
            metres: (h,) square metres of a pixel of each row; NaN where they are not known.
            image: (h, W, C) under them, if it is known.
        """
        rows, columns = np.nonzero(numbers)
        found = numbers[rows, columns]
        size = len(self._pixels)
        self._pixels += np.bincount(found, minlength=size)
        self._metres += np.bincount(found, metres[rows], minlength=size)
        for axis, places in enumerate((rows + top, columns)):
            self._sums[axis] += np.bincount(found, places, minlength=size)
            np.minimum.at(self._least[axis], found, places)
            np.maximum.at(self._most[axis], found, places)
        if image is not None:
            sums = [np.bincount(found, band[rows, columns], minlength=size) for band in np.moveaxis(image, -1, 0)]
            before = np.zeros((len(sums), size)) if self._intensities is None else self._intensities
            self._intensities = before + np.stack(sums)

    def objects(self, class_names: Sequence[str]) -> list[MeasuredObject]:
        """Every object, by number; the names are those of their classes, from number 1 on."""
        found = []
        for number, name in enumerate(class_names, start=1):
            pixels = int(self._pixels[number])
            row, column = self._sums[:, number] / pixels
            (top, left), (bottom, right) = self._least[:, number], self._most[:, number] + 1
            means = () if self._intensities is None else tuple(map(float, self._intensities[:, number] / pixels))
            box = (int(top), int(left), int(bottom), int(right))
            metres = float(self._metres[number])
            found.append(MeasuredObject(number, name, pixels, (float(row), float(column)), box, means, metres))
        return found


def rows_as_csv(rows: Sequence[JsonMapping]) -> str:
    """Rows as CSV with the columns of all of them, empty where one has none.

    >>> rows_as_csv([{"a": 1}, {"a": 2, "b": 3}]).split()
    ['a,b', '1,', '2,3']
    """
    text = io.StringIO()
    columns = list(dict.fromkeys(key for row in rows for key in row)) or ["image", "number", "class", "area_px"]
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows({key: safe_cell(value) for key, value in row.items()} for row in rows)
    return text.getvalue()


def join_tables(paths: Sequence[Path], out: Path) -> None:
    """Write the rows of several CSV tables to one. Raises OutputError."""
    rows: list[JsonMapping] = []
    for path in paths:
        with path.open(encoding="utf-8", newline="") as file:
            rows += csv.DictReader(file)
    write_text(out, rows_as_csv(rows))
