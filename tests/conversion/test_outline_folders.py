"""COCO, YOLO and GeoJSON written and read back: the same pixels, where the format can hold them."""

import json

import numpy as np
import pytest
import rasterio
from affine import Affine

from folders import drawing, photograph, save
from perpixel.cli import main
from perpixel.conversion import write_conversion
from perpixel.dataset import scan
from perpixel.dataset.annotations.filling import even_odd
from perpixel.errors import DataError
from perpixel.geometry.pixel_outlines import one_ring, rings_of, runs_in

FORMATS = ("coco", "yolo", "geojson")


def noisy(seed, classes=3, height=24, width=33):
    """A mask of many regions, with holes in them and corners that touch."""
    random = np.random.default_rng(seed)
    return random.choice(classes, (height, width), p=[0.5, *[0.5 / (classes - 1)] * (classes - 1)]).astype(np.uint8)


def data(root, *, parts=False, ignored=False, classes=3):
    for number in range(6):
        target = noisy(number, classes)
        target[5:15, 5:15] = drawing(number, classes)[5:15, 5:15]
        if ignored:
            target[-3:, -5:] = 255
        home = root / ("train" if number < 4 else "val") if parts else root
        save(home / "images" / f"a{number}.png", photograph(np.minimum(target, classes)))
        save(home / "masks" / f"a{number}.png", target)
    return scan(root)


def same(first, second):
    assert first.labels.names[1:] == second.labels.names[1:]  # class 0 comes back as background
    assert [s.name for s in first.samples] == [s.name for s in second.samples]
    for one, other in zip(first.samples, second.samples, strict=True):
        np.testing.assert_array_equal(first.image(one), second.image(other))
        np.testing.assert_array_equal(first.target(one), second.target(other))
        assert one.split == other.split


SLOW = [pytest.param(each, False, marks=pytest.mark.slow) for each in ("yolo", "geojson")]


@pytest.mark.parametrize(("to", "parts"), [*((each, True) for each in FORMATS), ("coco", False), *SLOW])
def test_outlines_read_back_pixel_for_pixel(tmp_path, to, parts):
    dataset = data(tmp_path / "data", parts=parts)
    write_conversion(dataset, tmp_path / "out", to)
    same(dataset, scan(tmp_path / "out"))
    write_conversion(scan(tmp_path / "out"), tmp_path / "twice", to)
    same(dataset, scan(tmp_path / "twice"))


@pytest.mark.parametrize("to", ["coco", "geojson"])
def test_pixels_without_a_label_read_back(tmp_path, to):
    dataset = data(tmp_path / "data", ignored=True)
    write_conversion(dataset, tmp_path / "out", to)
    same(dataset, scan(tmp_path / "out"))


def test_yolo_refuses_pixels_without_a_label(tmp_path):
    dataset = data(tmp_path / "data", ignored=True)
    with pytest.raises(DataError, match="for which YOLO has no sign"):
        write_conversion(dataset, tmp_path / "out", "yolo")
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


@pytest.mark.parametrize("to", FORMATS)
def test_unlabelled_images_stay_unlabelled(tmp_path, to):
    data(tmp_path / "data", parts=True)
    save(tmp_path / "data" / "test" / "images" / "t.png", photograph(drawing(1)))
    write_conversion(scan(tmp_path / "data"), tmp_path / "out", to)
    assert len(scan(tmp_path / "out").unlabelled) == 1


def test_georeferenced_rasters_get_coordinates_of_the_map(tmp_path):
    for number in range(3):
        target = noisy(number)
        for kind, pixels in (("images", photograph(target)), ("masks", target[..., None])):
            path = tmp_path / "data" / kind / f"{number}.tif"
            path.parent.mkdir(parents=True, exist_ok=True)
            height, width, count = pixels.shape
            profile = {"height": height, "width": width, "count": count, "dtype": "uint8", "crs": "EPSG:32632"}
            with rasterio.open(path, "w", transform=Affine(0.3, 0, 4e5 + number, 0, -0.3, 5e6), **profile) as file:
                file.write(np.moveaxis(pixels, -1, 0))
    dataset = scan(tmp_path / "data")
    write_conversion(dataset, tmp_path / "out", "geojson")
    content = json.loads((tmp_path / "out" / "images" / "0.geojson").read_text())
    assert content["crs"]["properties"]["name"].endswith("32632")
    assert 4e5 <= content["features"][0]["geometry"]["coordinates"][0][0][0] < 4e5 + 20
    read = scan(tmp_path / "out")
    for one, other in zip(dataset.samples, read.samples, strict=True):
        np.testing.assert_array_equal(dataset.target(one) > 0, read.target(other) > 0)


@pytest.mark.parametrize("seed", range(40))
def test_rings_and_runs_hold_the_pixels_of_a_region(seed):
    from scipy import ndimage

    numbered, _ = ndimage.label(np.random.default_rng(seed).random((12, 15)) < 0.65)
    mask = numbered == np.argmax(np.bincount(numbered[numbered > 0]))
    rings = rings_of(mask)
    for filled in (rings, [one_ring(rings)]):
        points = [tuple(map(tuple, ring.tolist())) for ring in filled]
        np.testing.assert_array_equal(even_odd(points, 12, 15), mask)
    runs = runs_in(mask[:, 3:], 2, 4, 16, 20)
    expected = np.zeros((16, 20), bool)
    expected[2:14, 4:16] = mask[:, 3:]
    values = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
    np.testing.assert_array_equal(values.reshape(20, 16).T, expected)


def test_the_command_knows_the_formats(tmp_path, capsys):
    data(tmp_path / "data")
    assert main(["convert", str(tmp_path / "data"), str(tmp_path / "out"), "--to", "coco"]) == 0
    assert "6 labelled images converted: " in capsys.readouterr().out
    assert (tmp_path / "out" / "annotations" / "instances.json").is_file()
