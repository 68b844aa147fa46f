"""Polygons as GeoJSON, in the coordinate reference system of the image or in its pixels.

Source: RFC 7946; the member "crs" is that of GeoJSON 2008, which every GIS reads.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import numpy as np
from numpy.typing import NDArray

from perpixel.files.atomic import replacing
from perpixel.files.places import WorldPlace
from perpixel.runtime.json_values import JsonObject


@dataclass
class GeoJsonWriter:
    """A GeoJSON file that is being written, a feature a line; made by `writing_geojson`."""

    place: WorldPlace
    _file: TextIO
    _separator: str = "\n"

    def add(self, rings: list[NDArray[np.int64]], properties: JsonObject) -> None:
        """Write one polygon: its outer ring and its holes, in pixels."""
        geometry = {"type": "Polygon", "coordinates": [self.place.ring(ring) for ring in rings]}
        feature = {"type": "Feature", "properties": properties, "geometry": geometry}
        self._file.write(self._separator + json.dumps(feature, ensure_ascii=False))
        self._separator = ",\n"


@contextmanager
def writing_geojson(path: Path, place: WorldPlace) -> Iterator[GeoJsonWriter]:
    """Open a GeoJSON file to write; it takes its place when the block ends without an error. Raises OutputError."""
    with replacing(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        file.write(_head(place))
        yield GeoJsonWriter(place, file)
        file.write("\n]}\n")


def _head(place: WorldPlace) -> str:
    crs = ""
    if place.epsg is not None:
        name = {"type": "name", "properties": {"name": f"urn:ogc:def:crs:EPSG::{place.epsg}"}}
        crs = f'"crs": {json.dumps(name)}, '
    return f'{{"type": "FeatureCollection", {crs}"features": ['
