import json

import numpy as np
import pytest
import rasterio
import shapefile
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from rasterio.features import rasterize, shapes
from rasterio.transform import Affine

from folders import drawing, photograph, save
from perpixel.dataset import scan
from perpixel.dataset.annotations.coco import decode_runs
from perpixel.dataset.annotations.filling import even_odd
from perpixel.errors import DataError
from perpixel.shapes import IGNORED

pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")

NAMES = ("background", "disc", "ring")


def _outlines(target):
    """Polygons (class, rings of x, y) that hold exactly the pixels of each class: what rasterio traces."""
    return [
        (int(value), geometry["coordinates"]) for geometry, value in shapes(target, mask=target > 0, connectivity=4)
    ]


def _images(root, targets, ending="png", **options):
    for number, target in enumerate(targets):
        save(root / "images" / f"{number}.{ending}", photograph(target, number), **options)
    return root


TARGETS = [drawing(seed) for seed in range(3)]


@settings(max_examples=80, deadline=None)
@given(
    ring=st.lists(st.tuples(st.floats(-3, 23), st.floats(-3, 18)), min_size=3, max_size=9),
    hole=st.lists(st.tuples(st.floats(2, 9), st.floats(2, 9)), min_size=3, max_size=5),
)
def test_filling_agrees_with_a_ray_from_every_pixel_centre(ring, hole):
    def crossed_oddly(points):
        inside = np.zeros((15, 20), bool)
        for row in range(15):
            for column in range(20):
                x, y = column + 0.5, row + 0.5
                for (x0, y0), (x1, y1) in zip(points, points[1:] + points[:1], strict=True):
                    if (y0 <= y) != (y1 <= y):
                        crossing = x0 + (y - y0) * (x1 - x0) / (y1 - y0)
                        assume(abs(crossing - x) > 1e-9)  # on the edge itself either answer is right
                        inside[row, column] ^= crossing <= x
        return inside

    np.testing.assert_array_equal(even_odd([ring], 15, 20), crossed_oddly(ring))
    np.testing.assert_array_equal(even_odd([ring, hole], 15, 20), crossed_oddly(ring) ^ crossed_oddly(hole))


@pytest.mark.parametrize("seed", range(5))
def test_filling_agrees_with_rasterio(seed):
    random = np.random.default_rng(seed)
    ring = [tuple(point) for point in random.uniform(0, 60, (6, 2))]
    expected = rasterize([({"type": "Polygon", "coordinates": [ring]}, 1)], (60, 60), dtype="uint8").astype(bool)
    assert (even_odd([ring], 60, 60) != expected).sum() <= 2  # centres on the outline may fall either way


def _coco(targets, segmentation):
    images = [{"id": n, "file_name": f"{n}.png"} for n in range(len(targets))]
    annotations = [
        {"id": 1, "image_id": number, "category_id": value * 10, "segmentation": written, "iscrowd": 0}
        for number, target in enumerate(targets) for value, written in segmentation(target)
    ]  # fmt: skip
    categories = [{"id": 20, "name": "ring"}, {"id": 10, "name": "disc"}]
    return {"images": images, "annotations": annotations, "categories": categories}


def _as_polygons(target):
    return [(value, [[x for point in rings[0] for x in point]]) for value, rings in _outlines(target)]


def _runs(plane):
    flat = plane.T.ravel()
    changes = np.flatnonzero(np.diff(flat)) + 1
    runs = np.diff([0, *changes, flat.size]).tolist()
    return ([0] if flat[0] else []) + runs


def _as_runs(target):
    return [(k, {"size": list(target.shape), "counts": _runs(target == k)}) for k in (1, 2)]


def _compressed(runs):
    """pycocotools' rleToString, written from its C source."""
    text = ""
    for index, run in enumerate(runs):
        x = run - (runs[index - 2] if index > 2 else 0)
        more = True
        while more:
            bits = x & 0x1F
            x >>= 5
            more = x != -1 if bits & 0x10 else x != 0
            text += chr((bits | 0x20 if more else bits) + 48)
    return text


def _as_compressed(target):
    return [(k, {"size": list(target.shape), "counts": _compressed(_runs(target == k))}) for k in (1, 2)]


@pytest.mark.parametrize("segmentation", [_as_polygons, _as_runs, _as_compressed])
def test_coco_gives_the_labels_back(tmp_path, segmentation):
    _images(tmp_path, TARGETS)
    (tmp_path / "annotations.json").write_text(json.dumps(_coco(TARGETS, segmentation)))
    dataset = scan(tmp_path)
    assert dataset.labels.names == NAMES
    for sample, target in zip(dataset.samples, TARGETS, strict=True):
        np.testing.assert_array_equal(dataset.target(sample), target)
    assert dataset.instances(dataset.samples[0]).max() >= 2


@settings(max_examples=100, deadline=None)
@given(runs=st.lists(st.integers(0, 100_000), max_size=20))
def test_compressed_runs_are_decoded_as_they_were_encoded(runs):
    assert decode_runs(_compressed(runs)) == tuple(runs)


@pytest.mark.parametrize(("text", "message"), [("5\u20ac", "is no letter"), ("o", "end within a number")])
def test_damaged_runs_are_refused(text, message):
    with pytest.raises(DataError, match=message):
        decode_runs(text)


def test_coco_with_boxes_or_lost_images_says_so(tmp_path):
    _images(tmp_path, TARGETS)
    data = _coco(TARGETS, _as_polygons)
    data["annotations"][0]["segmentation"] = []
    data["images"].append({"id": 77, "file_name": "lost.png"})
    (tmp_path / "coco.json").write_text(json.dumps(data))
    with pytest.raises(DataError, match="have no outline, only a box") as raised:
        scan(tmp_path)
    assert "1 of 4 images listed in" in str(raised.value)
    assert "lost.png" in str(raised.value)


def test_unsound_coco_says_so(tmp_path):
    _images(tmp_path, TARGETS)
    (tmp_path / "coco.json").write_text(json.dumps({"images": [{}], "annotations": [], "categories": []}))
    with pytest.raises(DataError, match="is not sound COCO"):
        scan(tmp_path)


def _labelme(target, name):
    return {
        "imagePath": f"..\\images\\{name}.png",
        "shapes": [
            {"label": NAMES[value], "points": rings[0], "shape_type": "polygon"} for value, rings in _outlines(target)
        ],
    }


def test_labelme_gives_the_labels_back(tmp_path):
    _images(tmp_path, TARGETS)
    for number, target in enumerate(TARGETS):
        (tmp_path / "images" / f"{number}.json").write_text(json.dumps(_labelme(target, number)))
    dataset = scan(tmp_path)
    assert dataset.labels.names == NAMES
    for sample, target in zip(dataset.samples, TARGETS, strict=True):
        np.testing.assert_array_equal(dataset.target(sample), target)


def test_labelme_rectangles_circles_and_ignored_areas(tmp_path):
    _images(tmp_path, TARGETS[:1])
    shapes_ = [
        {"label": "box", "points": [[2, 3], [8, 6]], "shape_type": "rectangle"},
        {"label": "ball", "points": [[20, 12], [25, 12]], "shape_type": "circle"},
        {"label": "__ignore__", "points": [[2, 3], [4, 3], [4, 6], [2, 6]], "shape_type": "polygon"},
    ]
    (tmp_path / "0.json").write_text(json.dumps({"imagePath": "0.png", "shapes": shapes_}))
    dataset = scan(tmp_path)
    target = dataset.target(dataset.samples[0])
    assert dataset.labels.names == ("background", "ball", "box")
    assert (target[3:6, 4:8] == 2).all()
    assert (target[3:6, 2:4] == 255).all()
    assert abs((target == 1).sum() - np.pi * 25) < 5


def test_labelme_lines_and_files_without_image_are_told(tmp_path):
    _images(tmp_path, TARGETS[:1])
    line = {"label": "road", "points": [[2, 3], [8, 6]], "shape_type": "line"}
    (tmp_path / "0.json").write_text(json.dumps({"imagePath": "0.png", "shapes": [line]}))
    (tmp_path / "9.json").write_text(json.dumps({"imagePath": "9.png", "shapes": []}))
    with pytest.raises(DataError, match="1 LabelMe shapes are no areas") as raised:
        scan(tmp_path)
    assert "1 LabelMe files belong to no image" in str(raised.value)


def _yolo(target):
    height, width = target.shape
    return "\n".join(
        " ".join(map(str, [value - 1, *(c / s for x, y in rings[0] for c, s in ((x, width), (y, height)))]))
        for value, rings in _outlines(target)
    )


def test_yolo_segments_give_the_labels_back(tmp_path):
    _images(tmp_path, TARGETS)
    (tmp_path / "labels").mkdir()
    for number, target in enumerate(TARGETS):
        (tmp_path / "labels" / f"{number}.txt").write_text(_yolo(target))
    (tmp_path / "data.yaml").write_text("names: {0: disc, 1: ring}\n")
    dataset = scan(tmp_path)
    assert dataset.labels.names == NAMES
    for sample, target in zip(dataset.samples, TARGETS, strict=True):
        np.testing.assert_array_equal(dataset.target(sample), target)


def test_yolo_boxes_are_refused(tmp_path):
    _images(tmp_path, TARGETS[:1])
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "0.txt").write_text("0 0.5 0.5 0.2 0.2\n0 0.1 0.2 0.3\n")
    with pytest.raises(DataError, match="1 YOLO files hold boxes, not outlines") as raised:
        scan(tmp_path)
    assert "hold lines that are no outlines" in str(raised.value)


TRANSFORM = Affine(0.5, 0, 700_000, 0, -0.5, 3_700_000)


def _scene(root, target, crs="EPSG:32616"):
    root.mkdir(parents=True, exist_ok=True)
    height, width = target.shape
    with rasterio.open(
        root / "scene.tif", "w", driver="GTiff", height=height, width=width, count=3, dtype="uint8", crs=crs,
        transform=TRANSFORM,
    ) as file:  # fmt: skip
        file.write(np.moveaxis(photograph(target), -1, 0))
    return [
        {"type": "Feature", "properties": {"Class": NAMES[int(value)]}, "geometry": geometry}
        for geometry, value in shapes(target, mask=target > 0, connectivity=4, transform=TRANSFORM)
    ]


def test_geojson_in_the_coordinates_of_the_image_gives_the_labels_back(tmp_path):
    features = _scene(tmp_path, TARGETS[0])
    crs = {"type": "name", "properties": {"name": "urn:ogc:def:crs:EPSG::32616"}}
    (tmp_path / "things.geojson").write_text(
        json.dumps({"type": "FeatureCollection", "crs": crs, "features": features})
    )
    dataset = scan(tmp_path)
    assert dataset.labels.names == NAMES
    np.testing.assert_array_equal(dataset.target(dataset.samples[0]), TARGETS[0])


def test_geojson_in_degrees_is_brought_to_the_image(tmp_path):
    from rasterio.warp import transform_geom

    features = _scene(tmp_path, TARGETS[0])
    for feature in features:
        feature["geometry"] = transform_geom("EPSG:32616", "EPSG:4326", feature["geometry"])
        feature["properties"] = {}
    (tmp_path / "roofs.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    dataset = scan(tmp_path)
    assert dataset.labels.names == ("background", "roofs")
    assert ((dataset.target(dataset.samples[0]) > 0) == (TARGETS[0] > 0)).mean() > 0.99


def test_geojson_elsewhere_is_refused(tmp_path):
    _scene(tmp_path, TARGETS[0])
    square = {"type": "Polygon", "coordinates": [[[0, 0], [1, 0], [1, 1], [0, 0]]]}
    collection = {
        "type": "FeatureCollection",
        "features": [{"type": "Feature", "properties": {}, "geometry": square}],
    }
    (tmp_path / "roofs.geojson").write_text(json.dumps(collection))
    with pytest.raises(DataError, match=r"none of the 1 outlines in .*roofs\.geojson lies on an image"):
        scan(tmp_path)


def test_unsound_geojson_and_unknown_systems_say_so(tmp_path):
    features = _scene(tmp_path, TARGETS[0])
    crs = {"type": "name", "properties": {"name": "EPSG:999999"}}
    (tmp_path / "a.geojson").write_text(json.dumps({"type": "FeatureCollection", "crs": crs, "features": features}))
    with pytest.raises(DataError, match="names an unknown coordinate system: EPSG:999999"):
        scan(tmp_path)
    bad = {"type": "Feature", "geometry": {"type": "Polygon", "coordinates": [[1]]}}
    (tmp_path / "a.geojson").write_text(json.dumps(bad))
    with pytest.raises(DataError, match="is not sound GeoJSON"):
        scan(tmp_path)


def test_a_shapefile_gives_the_labels_back(tmp_path):
    features = _scene(tmp_path, TARGETS[1])
    with shapefile.Writer(str(tmp_path / "things.shp"), shapeType=shapefile.POLYGON) as writer:
        writer.field("class", "C")
        for feature in features:
            writer.poly(feature["geometry"]["coordinates"])
            writer.record(feature["properties"]["Class"])
    with rasterio.open(tmp_path / "scene.tif") as source:
        (tmp_path / "things.prj").write_text(source.crs.to_wkt())
    dataset = scan(tmp_path)
    np.testing.assert_array_equal(dataset.target(dataset.samples[0]), TARGETS[1])
    (tmp_path / "things.dbf").write_bytes(b"damaged")
    with pytest.raises(DataError, match=r"things\.shp cannot be read"):
        scan(tmp_path)


def test_outlines_are_read_by_the_names_of_given_labels(tmp_path):
    from perpixel.labels.labels import Labels

    _images(tmp_path, TARGETS)
    (tmp_path / "annotations.json").write_text(json.dumps(_coco(TARGETS, _as_polygons)))
    colours = ((0, 0, 0),) * 3
    labels = Labels("multiclass", ("background", "ring", "disc"), (0, 1, 2), colours)
    dataset = scan(tmp_path, labels)
    np.testing.assert_array_equal(dataset.target(dataset.samples[0]), np.array([0, 2, 1])[TARGETS[0]])
    with pytest.raises(DataError, match=r"1 drawn class is none of the given ones"):
        scan(tmp_path, Labels("multiclass", ("background", "ring"), (0, 1), colours[:2]))


@pytest.mark.parametrize(
    ("shape", "area"),
    [
        ({"name": "rect", "x": 5, "y": 6, "width": 10, "height": 4}, 40),
        ({"name": "circle", "cx": 20, "cy": 20, "r": 8}, np.pi * 64),
        ({"name": "ellipse", "cx": 20, "cy": 20, "rx": 12, "ry": 4, "theta": 0.7}, np.pi * 48),
    ],
)
def test_shapes_of_via_cover_their_area(tmp_path, shape, area):
    save(tmp_path / "a.png", photograph(np.zeros((40, 40), np.uint8)))
    region = {"shape_attributes": shape, "region_attributes": {"class": "cat"}}
    entry = {"filename": "a.png", "size": -1, "regions": [region]}
    (tmp_path / "via.json").write_text(json.dumps({"a.png-1": entry}), encoding="utf-8")
    dataset = scan(tmp_path)
    assert dataset.target(dataset.samples[0]).sum() == pytest.approx(area, rel=0.05)


def test_points_of_via_are_no_areas(tmp_path):
    save(tmp_path / "a.png", photograph(np.zeros((40, 40), np.uint8)))
    region = {"shape_attributes": {"name": "point", "cx": 3, "cy": 4}, "region_attributes": {"class": "cat"}}
    entry = {"filename": "a.png", "size": -1, "regions": [region]}
    (tmp_path / "via.json").write_text(json.dumps({"a.png-1": entry}), encoding="utf-8")
    with pytest.raises(DataError, match="1 annotations are boxes, points or lines"):
        scan(tmp_path)


@pytest.mark.parametrize("crowds", [1, 3])
def test_a_few_crowds_have_no_label_where_no_object_lies_on_them(tmp_path, crowds):
    """Where many annotations are crowds, the tool writes painted masks so, and they are objects."""
    save(tmp_path / "a.png", photograph(drawing(0)))
    save(tmp_path / "b.png", photograph(drawing(1)))
    square = [[2, 2, 10, 2, 10, 10, 2, 10]]
    annotations = [{"image_id": k % 2, "category_id": 1, "segmentation": square, "iscrowd": 0} for k in range(5)]
    whole = {"counts": [0, 24 * 16, 24 * 16], "size": [24, 32]}  # the left half
    annotations += [{"image_id": 0, "category_id": 1, "segmentation": whole, "iscrowd": 1}] * crowds
    content = {
        "images": [{"id": 0, "file_name": "a.png"}, {"id": 1, "file_name": "b.png"}],
        "annotations": annotations,
        "categories": [{"id": 1, "name": "cow"}],
    }
    (tmp_path / "coco.json").write_text(json.dumps(content))
    dataset = scan(tmp_path)
    target = dataset.target(dataset.samples[0])
    assert (target[2:10, 2:10] == 1).all()
    assert (target[:, 16:] == 0).all()
    assert (target[12:, :16] == (IGNORED if crowds == 1 else 1)).all()
    assert any("1 of 6 annotations" in f.problem.what for f in dataset.findings) == (crowds == 1)


@pytest.mark.parametrize(("shift", "category", "asks"), [(0, 1, True), (2, 1, True), (9, 1, False), (0, 2, False)])
def test_coco_files_of_one_thing_are_asked_about(tmp_path, shift, category, asks):
    """Two people's outlines of the same; not those of other objects, nor of another class."""
    for name in ("a", "b"):
        save(tmp_path / f"{name}.png", photograph(drawing(ord(name))))
    for file, by, of in (("anna", 0, 1), ("berta", shift, category)):
        ring = [2 + by, 2, 14 + by, 2, 14 + by, 14, 2 + by, 14]
        content = {
            "images": [{"id": 0, "file_name": "a.png"}, {"id": 1, "file_name": "b.png"}],
            "annotations": [{"image_id": k, "category_id": of, "segmentation": [ring]} for k in (0, 1)],
            "categories": [{"id": 1, "name": "cow"}, {"id": 2, "name": "calf"}],
        }
        (tmp_path / f"{file}.json").write_text(json.dumps(content))
    if asks:
        with pytest.raises(DataError, match="hold nearly the same outlines of 2 images"):
            scan(tmp_path)
    else:
        assert len(scan(tmp_path).samples) == 2
