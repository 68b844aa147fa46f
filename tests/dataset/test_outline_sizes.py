"""Outlines of another size, folder or numbering than their images, and rasters that place the centres of pixels."""

import json

import numpy as np
import pytest
import rasterio
from rasterio.features import shapes
from rasterio.transform import Affine

from folders import drawing, photograph, save
from perpixel.dataset import scan
from perpixel.errors import DataError
from perpixel.files.read import read_header

pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")

NAMES = ("disc", "ring")
TARGETS = [drawing(seed) for seed in range(3)]


def outlines(target):
    """Polygons (class, ring) that hold exactly the pixels of each class."""
    traced = shapes(target, mask=target > 0, connectivity=4)
    return [(int(value), geometry["coordinates"][0]) for geometry, value in traced]


def enlarged(target, down, across):
    return target.repeat(down, axis=0).repeat(across, axis=1)


def coco(root, *, down=1, across=1, stated=None, name="{}.png", identity=int, runs=False):
    """Images with outlines that were drawn when they were larger."""
    images, annotations = [], []
    for number, target in enumerate(TARGETS):
        save(root / "images" / f"{number}.png", photograph(target, number))
        height, width = stated or (target.shape[0] * down, target.shape[1] * across)
        entry = {"id": identity(number), "file_name": name.format(number), "height": height, "width": width}
        images.append(entry)
        for value, ring in outlines(enlarged(target, down, across)):
            flat = [each for point in ring for each in point]
            drawn = {"size": [height, width], "counts": [5, height * width - 5]} if runs else [flat]
            annotation = {"image_id": identity(number), "category_id": value, "segmentation": drawn}
            annotations.append({"id": len(annotations), **annotation})
    categories = [{"id": value, "name": each} for value, each in enumerate(NAMES, start=1)]
    content = {"images": images, "annotations": annotations, "categories": categories}
    (root / "annotations.json").write_text(json.dumps(content), encoding="utf-8")
    return root


def assert_gives_back(dataset, targets=TARGETS):
    assert len(dataset.samples) == len(targets)
    for sample, target in zip(sorted(dataset.samples, key=lambda s: s.image.name), targets, strict=True):
        np.testing.assert_array_equal(dataset.target(sample), target)


@pytest.mark.parametrize("times", [1, 2, 3])
def test_images_that_were_made_smaller_keep_their_coco_outlines(tmp_path, times):
    assert_gives_back(scan(coco(tmp_path / "data", down=times, across=times)))


@pytest.mark.parametrize("name", ["images\\{}.png", "C:\\data\\images\\{}.png", "{}.png", "elsewhere/{}.png"])
@pytest.mark.parametrize("identity", [int, str])
def test_coco_paths_and_ids_of_other_programs_are_read(tmp_path, name, identity):
    assert_gives_back(scan(coco(tmp_path / "data", name=name, identity=identity)))


def test_coco_outlines_of_a_cut_image_are_refused(tmp_path):
    with pytest.raises(DataError, match=r"24 × 32, and was 48 × 48 when it was annotated"):
        scan(coco(tmp_path / "data", stated=(48, 48)))


def test_run_lengths_of_another_size_are_refused(tmp_path):
    with pytest.raises(DataError, match="run lengths that count the pixels of an image of another size"):
        scan(coco(tmp_path / "data", down=2, across=2, runs=True))


@pytest.mark.parametrize("times", [1, 2])
def test_images_that_were_made_smaller_keep_their_labelme_outlines(tmp_path, times):
    for number, target in enumerate(TARGETS):
        save(tmp_path / "data" / f"{number}.png", photograph(target, number))
        drawn = [
            {"label": NAMES[value - 1], "points": ring, "shape_type": "polygon"}
            for value, ring in outlines(enlarged(target, times, times))
        ]
        size = {"imageHeight": target.shape[0] * times, "imageWidth": target.shape[1] * times}
        content = {"imagePath": f"{number}.png", "shapes": drawn, **size}
        (tmp_path / "data" / f"{number}.json").write_text(json.dumps(content), encoding="utf-8")
    assert_gives_back(scan(tmp_path / "data"))


def yolo(root, parts=("",), names=None, in_pixels=False):
    """Images of equal names in each part, each with outlines of its own."""
    targets = []
    for place, part in enumerate(parts):
        for number in range(2):
            target = drawing(10 * place + number)
            targets.append(target)
            save(root / "images" / part / f"{number}.png", photograph(target, number))
            height, width = (1, 1) if in_pixels else target.shape
            lines = [
                " ".join([str(value - 1), *(f"{x / width:.6f} {y / height:.6f}" for x, y in ring)])
                for value, ring in outlines(target)
            ]
            path = root / "labels" / part / f"{number}.txt"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("\n".join(lines), encoding="utf-8")
    for file, text in (names or {}).items():
        (root / file).write_text(text, encoding="utf-8")
    return targets


def test_equal_names_in_train_and_val_have_outlines_of_their_own(tmp_path):
    targets = yolo(tmp_path / "data", ("train", "val"))
    dataset = scan(tmp_path / "data")
    found = {(s.image.parent.name, s.image.name): dataset.target(s) for s in dataset.samples}
    for (part, number), target in zip([(p, n) for p in ("train", "val") for n in range(2)], targets, strict=True):
        np.testing.assert_array_equal(found[part, f"{number}.png"], target)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ({"classes.txt": "disc\nring\n"}, ("background", "disc", "ring")),
        ({"data.yaml": "names: {0: disc, 1: ring, 5: other}\n"}, ("background", "disc", "ring")),
        ({"data.yaml": "names: [disc, ring]\n"}, ("background", "disc", "ring")),
    ],
)
def test_yolo_names_are_read(tmp_path, names, expected):
    yolo(tmp_path / "data", names=names)
    assert scan(tmp_path / "data").labels.names[:3] == expected


def test_yolo_outlines_in_pixels_are_refused(tmp_path):
    yolo(tmp_path / "data", in_pixels=True)
    with pytest.raises(DataError, match="2 YOLO files hold pixels, not shares"):
        scan(tmp_path / "data")


@pytest.mark.parametrize("kind", ["Area", "Point"])
@pytest.mark.parametrize("transform", [Affine(0.5, 0, 700, 0, -0.5, 900), Affine(2, 0, -7, 0, -3, 9)])
def test_a_raster_lies_where_gdal_says_whatever_its_tags_place(tmp_path, kind, transform):
    path = tmp_path / "a.tif"
    shape = {"height": 24, "width": 32, "count": 1, "dtype": "uint8"}
    with rasterio.open(path, "w", driver="GTiff", crs="EPSG:32616", transform=transform, **shape) as file:
        file.update_tags(AREA_OR_POINT=kind)
        file.write(np.ones((1, 24, 32), np.uint8))
    with rasterio.open(path) as file:
        expected = tuple(file.transform)[:6]
    assert expected == tuple(transform)[:6]
    np.testing.assert_allclose(read_header(path).georeference.transform, expected)
