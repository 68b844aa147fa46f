"""Areas on the map: projected, in feet, and on the ellipsoid."""

import csv

import numpy as np
import pytest
from rasterio.crs import CRS

from perpixel.files.areas import AreaTable, pixel_areas
from perpixel.files.read import GeoReference
from perpixel.labels.labels import Labels


def place(epsg, transform):
    return GeoReference(CRS.from_epsg(epsg).to_wkt(), transform)


def test_a_pixel_of_a_projected_map_has_one_area():
    areas = pixel_areas(place(32618, (2.0, 0, 5e5, 0, -3.0, 4e6)), 10, 4)
    np.testing.assert_allclose(areas, [6.0] * 4)
    turned = pixel_areas(place(32618, (0.0, 2.0, 5e5, 3.0, 0.0, 4e6)), 0, 1)
    np.testing.assert_allclose(turned, 6.0)


def test_feet_become_metres():
    areas = pixel_areas(place(2263, (10.0, 0, 1e6, 0, -10.0, 2e5)), 0, 1)
    np.testing.assert_allclose(areas, 100 * (1200 / 3937) ** 2, rtol=1e-9)


def test_cells_of_the_whole_earth_add_up_to_its_surface():
    """510 065 621.724 km² by the definition of WGS 84 (NIMA TR8350.2, table 3.3, authalic sphere)."""
    areas = pixel_areas(place(4326, (1.0, 0, -180, 0, -1.0, 90)), 0, 180)
    assert areas.sum() * 360 == pytest.approx(510_065_621.724e6, rel=1e-9)
    assert areas[90] == pytest.approx(12_308.8e6, rel=1e-3), "a degree by a degree at the equator, in square metres"


def test_without_a_system_no_metres():
    assert np.isnan(pixel_areas(None, 0, 3)).all()
    assert np.isnan(pixel_areas(GeoReference("", (1.0, 0, 0, 0, -1.0, 0)), 0, 3)).all()


@pytest.mark.parametrize("kind", ["multiclass", "multilabel"])
def test_the_table_adds_rows_and_pages(tmp_path, kind):
    labels = Labels(kind, ("a", "b"), (0, 1) if kind == "multiclass" else (255, 255), ((0, 0, 0), (9, 9, 9)),
                    encoding="index" if kind == "multiclass" else "files")  # fmt: skip
    target = np.array([[0, 1, 1], [0, 255, 1]], np.uint8)
    if kind == "multilabel":
        target = np.stack([target, target])
    table = AreaTable(labels, place(32618, (2.0, 0, 5e5, 0, -2.0, 4e6)))
    for page in (0, 1):
        table.add(target[..., :1, :], page, 0)
        table.add(target[..., 1:, :], page, 1)
    table.write(tmp_path / "a.csv")
    rows = list(csv.reader((tmp_path / "a.csv").read_text().splitlines()))[1:]
    first = 2 if kind == "multiclass" else 3
    assert rows[0] == ["0", "a", str(first), f"{first / 5:.6f}", f"{4 * first:.3f}"]
    assert rows[3] == ["1", "b", "3", "0.600000", "12.000"]
