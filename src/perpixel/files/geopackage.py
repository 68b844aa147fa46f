"""Polygons as a GeoPackage: one SQLite file with the table `objects`, which every GIS opens.

Source: OGC GeoPackage 1.3.1 (12-128r18), clauses 1.1 and 2.1; Well-known Binary of OGC 06-103r4.
"""

import errno
import sqlite3
import struct
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from perpixel.files.atomic import cannot_write, replacing
from perpixel.files.places import WorldPlace
from perpixel.runtime.json_values import JsonObject

NO_MAP: Final = -1
"""The standard's number for plane coordinates that lie nowhere on the earth: pixels."""

WGS84: Final = (
    'GEOGCS["WGS 84",DATUM["WGS_1984",SPHEROID["WGS 84",6378137,298.257223563]],PRIMEM["Greenwich",0],'
    'UNIT["degree",0.0174532925199433],AUTHORITY["EPSG","4326"]]'
)

HEAD: Final = """
PRAGMA application_id = 1196444487; PRAGMA user_version = 10301; PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF;
CREATE TABLE gpkg_spatial_ref_sys (srs_name TEXT NOT NULL, srs_id INTEGER NOT NULL PRIMARY KEY,
  organization TEXT NOT NULL, organization_coordsys_id INTEGER NOT NULL, definition TEXT NOT NULL, description TEXT);
CREATE TABLE gpkg_contents (table_name TEXT NOT NULL PRIMARY KEY, data_type TEXT NOT NULL, identifier TEXT UNIQUE,
  description TEXT DEFAULT '', last_change DATETIME NOT NULL, min_x DOUBLE, min_y DOUBLE, max_x DOUBLE, max_y DOUBLE,
  srs_id INTEGER, FOREIGN KEY (srs_id) REFERENCES gpkg_spatial_ref_sys (srs_id));
CREATE TABLE gpkg_geometry_columns (table_name TEXT NOT NULL, column_name TEXT NOT NULL,
  geometry_type_name TEXT NOT NULL, srs_id INTEGER NOT NULL, z TINYINT NOT NULL, m TINYINT NOT NULL,
  PRIMARY KEY (table_name, column_name), UNIQUE (table_name),
  FOREIGN KEY (table_name) REFERENCES gpkg_contents (table_name),
  FOREIGN KEY (srs_id) REFERENCES gpkg_spatial_ref_sys (srs_id));
CREATE TABLE objects (id INTEGER PRIMARY KEY, geom POLYGON, class TEXT, number INTEGER, pixels INTEGER, page INTEGER);
"""

UNCHANGED: Final = "1970-01-01T00:00:00.000Z"
"""In the place of the time of writing, so that equal polygons are equal bytes."""


@dataclass
class GeoPackageWriter:
    """A GeoPackage that is being written; made by `writing_geopackage`."""

    place: WorldPlace
    _database: sqlite3.Connection
    _low: NDArray[np.float64] = field(default_factory=lambda: np.full(2, np.inf), init=False)
    _high: NDArray[np.float64] = field(default_factory=lambda: np.full(2, -np.inf), init=False)

    @property
    def _srs(self) -> int:
        return NO_MAP if self.place.epsg is None else self.place.epsg

    def open(self) -> None:
        """Write the tables that say what the file is."""
        self._database.executescript(HEAD)
        systems = [
            ("Undefined cartesian", NO_MAP, "NONE", NO_MAP, "undefined"),
            ("Undefined geographic", 0, "NONE", 0, "undefined"),
            ("WGS 84", 4326, "EPSG", 4326, WGS84),
        ]
        if self._srs not in (NO_MAP, 4326):
            definition = self.place.georeference.crs_wkt or "undefined"
            systems.append((f"EPSG:{self._srs}", self._srs, "EPSG", self._srs, definition))
        self._database.executemany("INSERT INTO gpkg_spatial_ref_sys VALUES (?, ?, ?, ?, ?, NULL)", systems)

    def add(self, rings: list[NDArray[np.int64]], properties: JsonObject) -> None:
        """Write one polygon: its outer ring and its holes, in pixels; class, number, pixels and perhaps page."""
        points = [np.array(self.place.ring(ring), "<f8") for ring in rings]
        low, high = points[0].min(axis=0), points[0].max(axis=0)
        self._low, self._high = np.minimum(self._low, low), np.maximum(self._high, high)
        envelope = struct.pack("<4d", low[0], high[0], low[1], high[1])
        body = b"".join(struct.pack("<I", len(ring)) + ring.tobytes() for ring in points)
        header = b"GP" + struct.pack("<BBi", 0, 0b11, self._srs) + envelope
        geometry = header + struct.pack("<BII", 1, 3, len(points)) + body
        values = [properties.get(name) for name in ("class", "number", "pixels", "page")]
        self._database.execute("INSERT INTO objects VALUES (NULL, ?, ?, ?, ?, ?)", (geometry, *values))

    def close(self) -> None:
        """Write where all polygons lie."""
        box = [*self._low.tolist(), *self._high.tolist()] if np.isfinite(self._low).all() else [None] * 4
        contents = ("objects", "features", "objects", "", UNCHANGED, *box, self._srs)
        self._database.execute("INSERT INTO gpkg_contents VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", contents)
        columns = ("objects", "geom", "POLYGON", self._srs)
        self._database.execute("INSERT INTO gpkg_geometry_columns VALUES (?, ?, ?, ?, 0, 0)", columns)
        self._database.commit()


@contextmanager
def writing_geopackage(path: Path, place: WorldPlace) -> Iterator[GeoPackageWriter]:
    """Open a GeoPackage to write; it takes its place when the block ends without an error. Raises OutputError."""
    with replacing(path) as temporary:
        try:
            with closing(sqlite3.connect(temporary)) as database:
                writer = GeoPackageWriter(place, database)
                writer.open()
                yield writer
                writer.close()
        except sqlite3.Error as error:
            raise cannot_write(path, OSError(errno.EIO, str(error))) from error
