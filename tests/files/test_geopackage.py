"""GeoPackage: read by GDAL's own driver, equal to GeoJSON of the same polygons, the standard's rules kept."""

import sqlite3
import struct
import warnings

import numpy as np
import pytest
from rasterio.crs import CRS

from perpixel.errors import OutputError
from perpixel.files.geopackage import writing_geopackage
from perpixel.files.open_image import GeoReference
from perpixel.files.places import WorldPlace

RING = np.array([(0, 0), (4, 0), (4, 3), (0, 3)])
HOLE = np.array([(1, 1), (1, 2), (2, 2), (2, 1)])
UTM = WorldPlace(GeoReference(CRS.from_epsg(32618).to_wkt(), (2.0, 0, 500_000, 0, -2.0, 4_100_000)), 32618)
FIRST = {"class": "tree", "number": 1, "pixels": 11}
SECOND = {"class": "Straße", "number": 7, "pixels": 12, "page": 3}


def write(path, place):
    with writing_geopackage(path, place) as writer:
        writer.add([RING, HOLE], FIRST)
        writer.add([RING + 5], SECOND)
    return path


def rings(blob):
    """The rings of a little-endian Well-known Binary polygon."""
    order, kind, count = struct.unpack_from("<BII", blob)
    assert (order, kind) == (1, 3)
    place, found = 9, []
    for _ in range(count):
        (points,) = struct.unpack_from("<I", blob, place)
        found.append(np.frombuffer(blob, "<f8", 2 * points, place + 4).reshape(-1, 2).tolist())
        place += 4 + 16 * points
    assert place == len(blob)
    return found


@pytest.mark.parametrize("place", [WorldPlace(), UTM], ids=["pixels", "map"])
def test_gdal_reads_what_was_written(tmp_path, place):
    pyogrio = pytest.importorskip("pyogrio", reason="pyogrio is not installed")
    path = write(tmp_path / "a.gpkg", place)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        about = pyogrio.read_info(path, layer="objects")
        meta, _, geometry, columns = pyogrio.raw.read(path)
    assert about["geometry_type"] == "Polygon"
    assert meta["fields"].tolist() == ["class", "number", "pixels", "page"]
    assert [column.tolist()[0] for column in columns[:3]] == list(FIRST.values())
    assert [column.tolist()[1] for column in columns] == list(SECOND.values())
    assert [rings(blob) for blob in geometry] == [[place.ring(RING), place.ring(HOLE)], [place.ring(RING + 5)]]
    corners = np.array(place.ring(RING) + place.ring(RING + 5))
    np.testing.assert_array_equal(about["total_bounds"], [*corners.min(axis=0), *corners.max(axis=0)])
    if place.epsg is not None:
        assert CRS.from_user_input(about["crs"]) == CRS.from_epsg(32618)


def test_the_file_says_what_it_is_and_refers_to_nothing_missing(tmp_path):
    with sqlite3.connect(write(tmp_path / "a.gpkg", UTM)) as database:
        assert database.execute("PRAGMA application_id").fetchone() == (int.from_bytes(b"GPKG", "big"),)
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert database.execute("PRAGMA foreign_key_check").fetchall() == []
        systems = database.execute("SELECT srs_id FROM gpkg_spatial_ref_sys ORDER BY srs_id").fetchall()
    database.close()
    assert systems == [(-1,), (0,), (4326,), (32618,)]


def test_equal_polygons_are_equal_bytes_and_none_are_allowed(tmp_path):
    one, other = (write(tmp_path / name, UTM).read_bytes() for name in ("a.gpkg", "b.gpkg"))
    assert one == other
    with writing_geopackage(tmp_path / "none.gpkg", UTM):
        pass
    with sqlite3.connect(tmp_path / "none.gpkg") as database:
        assert database.execute("SELECT min_x, max_y FROM gpkg_contents").fetchone() == (None, None)
    database.close()


def test_a_failure_leaves_no_file(tmp_path):
    what_sqlite_cannot_hold = {"class": object()}  # stands for a full disk

    def fails():
        with writing_geopackage(tmp_path / "a.gpkg", WorldPlace()) as writer:
            writer.add([RING], FIRST)
            writer.add([RING], what_sqlite_cannot_hold)

    with pytest.raises(OutputError, match=r"cannot write .*a\.gpkg: (.|\n)*Fix: free some space"):
        fails()
    assert not list(tmp_path.iterdir())
