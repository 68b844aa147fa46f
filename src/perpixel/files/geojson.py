"""Polygons as GeoJSON, in the coordinate reference system of the image or in its pixels.

Source: RFC 7946; the member "crs" is that of GeoJSON 2008, which every GIS reads.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TextIO, TypeAlias

import numpy as np
from numpy.typing import NDArray

from perpixel.errors import OutputError
from perpixel.files.atomic import replacing
from perpixel.files.tiff_writer import Tag

Transform: TypeAlias = tuple[float, float, float, float, float, float]

GEOKEYS_TAG: Final = 34735
PROJECTED_KEY, GEOGRAPHIC_KEY, USER_DEFINED = 3072, 2048, 32767


@dataclass(frozen=True)
class Place:
    """How pixels become coordinates.

    Args:
        transform: (a, b, c, d, e, f): x = a·column + b·row + c, y = d·column + e·row + f.
        epsg: Number of the coordinate reference system; None for pixels.
    """

    transform: Transform = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
    epsg: int | None = None

    def ring(self, corners: NDArray[np.int64]) -> list[list[float]]:
        """A closed ring of coordinates from corners (n, 2) in pixels; outer rings run counter-clockwise on a map."""
        a, b, c, d, e, f = self.transform
        x, y = corners.T
        if self.epsg is None:
            points = corners.tolist()
        else:
            points = np.stack([a * x + b * y + c, d * x + e * y + f], axis=1).tolist()
            if a * e - b * d < 0:
                points.reverse()
        return [*points, points[0]]


@dataclass
class GeoJsonWriter:
    """A GeoJSON file that is being written, a feature a line; made by `writing_geojson`."""

    place: Place
    _file: TextIO
    _separator: str = "\n"

    def add(self, rings: list[NDArray[np.int64]], properties: dict[str, Any]) -> None:
        """Write one polygon: its outer ring and its holes, in pixels."""
        geometry = {"type": "Polygon", "coordinates": [self.place.ring(ring) for ring in rings]}
        feature = {"type": "Feature", "properties": properties, "geometry": geometry}
        self._file.write(self._separator + json.dumps(feature, ensure_ascii=False))
        self._separator = ",\n"


@contextmanager
def writing_geojson(path: Path, place: Place) -> Iterator[GeoJsonWriter]:
    """Open a GeoJSON file to write; it takes its place when the block ends without an error. Raises OutputError."""
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        file.write(_head(place))
        yield GeoJsonWriter(place, file)
        file.write("\n]}\n")


def place_of(transform: Transform, tags: tuple[Tag, ...], name: str) -> Place:
    """The place of a GeoTIFF, its EPSG number from its GeoKeys.

    Args:
        transform: Of its pixels.
        tags: As `perpixel.files.tiff_writer.georeference_tags` gives them.
        name: What to call it in a message.

    Raises:
        OutputError: Its coordinate reference system has no EPSG number.
    """
    keys = next((values for code, _, values in tags if code == GEOKEYS_TAG), ())
    entries = {keys[i]: keys[i + 3] for i in range(4, len(keys) - 3, 4)}
    epsg = entries.get(PROJECTED_KEY) or entries.get(GEOGRAPHIC_KEY)
    if epsg is None or epsg == USER_DEFINED:
        raise OutputError(
            f"the coordinate reference system of {name} has no EPSG number, which polygons are told by.",
            fix="reproject the image to a system with a number, or leave polygons out.",
        )
    return Place(transform, int(epsg))


def _head(place: Place) -> str:
    crs = ""
    if place.epsg is not None:
        name = {"type": "name", "properties": {"name": f"urn:ogc:def:crs:EPSG::{place.epsg}"}}
        crs = f'"crs": {json.dumps(name)}, '
    return f'{{"type": "FeatureCollection", {crs}"features": ['
