"""Areas of classes: pixels, shares, and square metres where the coordinate reference system tells them."""

import csv
import io
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from perpixel.files.atomic import write_text
from perpixel.files.csv_cells import safe_cell
from perpixel.files.read import GeoReference
from perpixel.labels.labels import Labels
from perpixel.shapes import TargetArray

WGS84_RADIUS_M: Final = 6_378_137.0
WGS84_ECCENTRICITY: Final = 0.081_819_190_842_621_5


@dataclass(frozen=True)
class Area:
    """What a class covers.

    Args:
        pixels: How many.
        share: Of the pixels that are known, 0..1; NaN where none is.
        square_metres: On the ground; NaN where no coordinate reference system tells them.
    """

    pixels: int
    share: float
    square_metres: float


@dataclass
class AreaTable:
    """Adds up what each class covers, page by page.

    Args:
        labels: The classes.
        georeference: Of the image; None leaves the square metres empty.
    """

    labels: Labels
    georeference: GeoReference | None = None
    _sums: dict[int, NDArray[np.float64]] = field(default_factory=dict, init=False)

    def add(self, target: TargetArray, page: int, top: int) -> None:
        """Count rows of a target, (h, W) or (K, h, W), whose first one is row `top` of the page."""
        by_row = np.stack([each.sum(axis=1) for each in self.labels.class_masks(target)])  # (K, h)
        known = self.labels.known(target).sum()
        sizes = pixel_areas(self.georeference, top, target.shape[-2])
        sums = np.stack([by_row.sum(1), np.full(len(by_row), known), by_row @ sizes], axis=1)
        self._sums[page] = self._sums.get(page, 0) + sums.astype(np.float64)

    def areas(self) -> Iterator[tuple[int, str, Area]]:
        """Page, class and area, in their order."""
        for page, sums in sorted(self._sums.items()):
            for name, (pixels, known, metres) in zip(self.labels.names, sums, strict=True):
                yield page, name, Area(int(pixels), float(pixels / known) if known else math.nan, float(metres))

    def write(self, path: Path) -> None:
        """Write page, class, pixels, share of the labelled pixels and square metres as CSV. Raises OutputError."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["page", "class", "pixels", "share", "square_metres"])
        for page, name, area in self.areas():
            share = "" if math.isnan(area.share) else f"{area.share:.6f}"
            metres = "" if math.isnan(area.square_metres) else f"{area.square_metres:.3f}"
            writer.writerow([page, safe_cell(name), area.pixels, share, metres])
        write_text(path, text.getvalue())


def pixel_areas(georeference: GeoReference | None, top: int, height: int) -> NDArray[np.float64]:
    """Square metres of a pixel in each of the rows, (height,).

    In a projected CRS the pixel's area on the map; in a geographic one the exact area of the cell on the WGS 84
    ellipsoid (Snyder, 1987, Map Projections: A Working Manual, equation 3-12). NaN without a CRS.
    """
    unknown = np.full(height, np.nan)
    if georeference is None or not georeference.crs_wkt:
        return unknown
    from rasterio.crs import CRS  # it has read the CRS, so it is there

    crs = CRS.from_wkt(georeference.crs_wkt)
    a, b, _, d, e, f = georeference.transform
    if crs.is_projected:
        return np.full(height, abs(a * e - b * d) * crs.linear_units_factor[1] ** 2)
    if not crs.is_geographic or b or d:
        return unknown
    latitudes = np.radians(f + e * np.arange(top, top + height + 1))
    zones = np.abs(np.diff(_authalic(latitudes))) * WGS84_RADIUS_M**2 / 2
    return np.asarray(zones * np.radians(abs(a)))


def _authalic(latitude: NDArray[np.float64]) -> NDArray[np.float64]:
    """Snyder's q: a zone between two latitudes has the area a²/2 · (q₂ - q₁) for each radian of longitude."""
    ecc, sine = WGS84_ECCENTRICITY, np.sin(latitude)
    logarithm = np.log((1 - ecc * sine) / (1 + ecc * sine)) / (2 * ecc)
    return np.asarray((1 - ecc**2) * (sine / (1 - (ecc * sine) ** 2) - logarithm))
