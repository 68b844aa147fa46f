"""Small generated folders of outlines, as tools export them, each with its true labels."""

import base64
import io
import itertools
import json
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from folder_kinds import HEIGHT, WIDTH, Kind, Truth, lines, numbers, photo, save
from perpixel.dataset.annotations.filling import even_odd

Outline = list[tuple[float, float]]
CLASSES = ("cat", "dog")


def outlines(seed: int) -> list[tuple[str, Outline]]:
    """A polygon of each class, apart from each other; (x, y) in pixels."""
    random = np.random.default_rng(seed)
    found = []
    for k, name in enumerate(CLASSES):
        centre = WIDTH * (0.25 + 0.5 * k), HEIGHT * random.uniform(0.4, 0.6)
        angles = np.sort(random.uniform(0, 2 * np.pi, 9))
        radius = random.uniform(6, 11, 9)
        found.append(
            (
                name,
                [
                    (float(centre[0] + r * np.cos(a)), float(centre[1] + r * np.sin(a)))
                    for a, r in zip(angles, radius, strict=False)
                ],
            )
        )
    return found


def filled(shapes: list[tuple[str, Outline]], names: tuple[str, ...] = CLASSES) -> NDArray[np.uint8]:
    """The pixels whose centre an outline holds."""
    target = np.zeros((HEIGHT, WIDTH), np.uint8)
    for name, outline in shapes:
        target[even_odd([tuple(outline)], HEIGHT, WIDTH)] = names.index(name) + 1
    return target


def dump(path: Path, content: Any) -> None:
    """A JSON file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")


def drawn(root: Path, image: str = "images/{}.png", names: list[str] | None = None, start: int = 0):
    """Write images; yield their name, their path and the outlines, and fill `labels`."""
    labels: dict[str, NDArray[Any]] = {}
    items = []
    for k, name in enumerate(names or [f"im{k}" for k in range(4)], start=start):
        shapes = outlines(k)
        target = filled(shapes)
        save(root / image.format(name), photo(target, k))
        labels[image.format(name)] = target
        items.append((name, image.format(name), shapes))
    return items, labels


def flat(outline: Outline) -> list[float]:
    return [value for point in outline for value in point]


def coco(
    items, names=CLASSES, first: int = 1, folder: bool = False, sizes: tuple[int, int] = (HEIGHT, WIDTH), **extra
) -> dict[str, Any]:
    images, annotations = [], []
    for k, (_name, path, shapes) in enumerate(items):
        images.append(
            {"id": k, "file_name": path if folder else Path(path).name, "height": sizes[0], "width": sizes[1]}
        )
        for label, outline in shapes:
            annotations.append(
                {
                    "id": len(annotations),
                    "image_id": k,
                    "category_id": first + names.index(label),
                    "segmentation": [flat(outline)],
                    "iscrowd": 0,
                    "area": 9,
                    "bbox": [0, 0, 1, 1],
                }
            )
    return {
        "images": images,
        "annotations": annotations,
        "categories": [{"id": first + k, "name": n, "supercategory": "x"} for k, n in enumerate(names)],
        **extra,
    }


def coco_from_0(root: Path) -> Truth:
    items, labels = drawn(root)
    dump(root / "annotations.json", coco(items, first=0))
    return Truth(labels, CLASSES)


def coco_with_paths(root: Path) -> Truth:
    items, labels = drawn(root, "data/images/{}.png")
    dump(root / "data/labels.json", coco(items, folder=True))
    return Truth(labels, CLASSES)


def coco_in_each_part(root: Path) -> Truth:
    labels = {}
    for part, count, start in (("train", 3, 0), ("val", 2, 7), ("test", 1, 11)):
        items, found = drawn(root, part + "/{}.png", numbers(count), start)
        labels |= found
        dump(root / part / "_annotations.coco.json", coco(items))
    return Truth(labels, CLASSES, {"train": 3, "val": 2, "test": 1})


def coco_equal_names_apart(root: Path) -> Truth:
    labels = {}
    for part, count, start in (("train", 3, 0), ("val", 2, 7)):
        items, found = drawn(root, "images/" + part + "/{}.png", numbers(count), start)
        labels |= found
        dump(root / f"annotations/instances_{part}.json", coco(items))
    return Truth(labels, CLASSES, {"train": 3, "val": 2})


def coco_2017(root: Path) -> Truth:
    labels = {}
    for part, count, start in (("train2017", 3, 0), ("val2017", 2, 7)):
        items, found = drawn(root, part + "/{}.jpg", [f"{k:012d}" for k in range(start, start + count)], start)
        labels |= found
        for what in ("instances", "person_keypoints"):
            content = coco(items)
            if what != "instances":
                content["annotations"] = [
                    {**a, "keypoints": [1, 2, 2], "num_keypoints": 1, "category_id": 1}
                    for a in content["annotations"][:1]
                ]
                content["categories"] = [{"id": 1, "name": "cat", "keypoints": ["nose"]}]
            dump(root / f"annotations/{what}_{part}.json", content)
        dump(
            root / f"annotations/captions_{part}.json",
            {"images": coco(items)["images"], "annotations": [{"image_id": 0, "id": 1, "caption": "a"}]},
        )
        dump(
            root / f"annotations/panoptic_{part}.json",
            {
                "images": coco(items)["images"],
                "categories": [],
                "annotations": [{"image_id": 0, "file_name": "x.png", "segments_info": []}],
            },
        )
    return Truth(labels, CLASSES, {"train": 3, "val": 2})


def coco_category_orders_differ(root: Path) -> Truth:
    labels = {}
    for part, names, start in (("train", CLASSES, 0), ("val", CLASSES[::-1], 7)):
        items, found = drawn(root, "images/{}.png", [f"{part}{k}" for k in range(3)], start)
        labels |= found
        dump(root / f"{part}.json", coco(items, names=names))
    return Truth(labels, CLASSES, {"train": 3, "val": 3})


def runs_of(mask: NDArray[Any]) -> list[int]:
    flat_ = mask.T.ravel().astype(int)
    edges = np.flatnonzero(np.diff(flat_)) + 1
    bounds = [0, *edges.tolist(), flat_.size]
    runs = [b - a for a, b in itertools.pairwise(bounds)]
    return [0, *runs] if flat_[0] else runs


def coco_runs_mixed(root: Path) -> Truth:
    items, labels = drawn(root)
    content = coco(items)
    for k, annotation in enumerate(content["annotations"]):
        if k % 2:
            path = items[annotation["image_id"]][1]
            mask = labels[path] == annotation["category_id"]
            annotation["segmentation"] = {"size": [HEIGHT, WIDTH], "counts": runs_of(mask)}
            annotation["iscrowd"] = 1
    dump(root / "coco.json", content)
    return Truth(labels, CLASSES)


def coco_images_resized(root: Path) -> Truth:
    items, labels = drawn(root)
    halved = [(n, p, [(c, [(x / 2, y / 2) for x, y in o]) for c, o in s]) for n, p, s in items]
    dump(root / "coco.json", coco(halved, sizes=(HEIGHT // 2, WIDTH // 2)))
    return Truth(labels, CLASSES)


def coco_one_image_missing(root: Path) -> Truth:
    items, labels = drawn(root)
    (root / items[0][1]).unlink()
    dump(root / "coco.json", coco(items))
    return Truth({k: v for k, v in labels.items() if k != items[0][1]}, CLASSES, may_ask=True)


def coco_boxes_only(root: Path) -> Truth:
    items, _ = drawn(root)
    content = coco(items)
    for annotation in content["annotations"]:
        annotation["segmentation"] = []
    dump(root / "coco.json", content)
    return Truth(must_ask=True)


def coco_overlapping(root: Path) -> Truth:
    """Two classes that overlap: COCO has no order, so it is a question, or the later one covers."""
    items, labels = drawn(root)
    dump(root / "coco.json", coco(items))
    return Truth(labels, CLASSES)


def _labelme(name: str, shapes, kind: str = "polygon", **more) -> dict[str, Any]:
    return {
        "version": "5.4",
        "flags": {},
        "imagePath": f"{name}.png",
        "imageData": None,
        "imageHeight": HEIGHT,
        "imageWidth": WIDTH,
        "shapes": [
            {"label": c, "points": o, "shape_type": kind, "group_id": None, "flags": {}, **more} for c, o in shapes
        ],
    }


def labelme_apart(root: Path) -> Truth:
    items, labels = drawn(root)
    for name, _, shapes in items:
        dump(root / "jsons" / f"{name}.json", {**_labelme(name, shapes), "imagePath": f"..\\images\\{name}.png"})
    return Truth(labels, CLASSES)


def labelme_masks(root: Path) -> Truth:
    items, labels = drawn(root)
    for name, path, _ in items:
        shapes = []
        for k, label in enumerate(CLASSES, start=1):
            rows, columns = np.nonzero(labels[path] == k)
            box = rows.min(), rows.max(), columns.min(), columns.max()
            crop = (labels[path] == k)[box[0] : box[1] + 1, box[2] : box[3] + 1]
            stream = io.BytesIO()
            Image.fromarray(crop.astype(np.uint8) * 255).save(stream, "PNG")
            shapes.append(
                {
                    "label": label,
                    "shape_type": "mask",
                    "points": [[int(box[2]), int(box[0])], [int(box[3]), int(box[1])]],
                    "mask": base64.b64encode(stream.getvalue()).decode(),
                    "flags": {},
                    "group_id": None,
                }
            )
        dump(root / "images" / f"{name}.json", {**_labelme(name, []), "shapes": shapes})
    return Truth(labels, CLASSES)


def labelme_without_points(root: Path) -> Truth:
    items, labels = drawn(root)
    for name, _, shapes in items:
        content = _labelme(name, shapes)
        content["shapes"].append({"label": "note", "points": [[3, 3]], "shape_type": "point"})
        dump(root / "images" / f"{name}.json", content)
    return Truth(labels, CLASSES, may_ask=True)


def labelme_parts(root: Path) -> Truth:
    labels = {}
    for part, count, start in (("train", 3, 0), ("val", 2, 7)):
        items, found = drawn(root, part + "/{}.png", numbers(count), start)
        labels |= found
        for name, _, shapes in items:
            dump(root / part / f"{name}.json", _labelme(name, shapes))
    return Truth(labels, CLASSES, {"train": 3, "val": 2})


def labelme_images_shared_apart(root: Path) -> Truth:
    labels = {}
    for part, count, start in (("train", 3, 0), ("val", 2, 7)):
        items, found = drawn(root, "images/" + part + "/{}.png", numbers(count), start)
        labels |= found
        for name, _, shapes in items:
            dump(root / "annotations" / part / f"{name}.json", _labelme(name, shapes))
    return Truth(labels, CLASSES, {"train": 3, "val": 2})


def labelme_one_unlabelled(root: Path) -> Truth:
    items, labels = drawn(root)
    for name, _, shapes in items[1:]:
        dump(root / "images" / f"{name}.json", _labelme(name, shapes))
    del labels[items[0][1]]
    return Truth(labels, CLASSES)


def _yolo(root: Path, items, label: str) -> None:
    for name, _, shapes in items:
        rows = [
            " ".join(
                [
                    str(CLASSES.index(c)),
                    *(f"{v / s:.7f}" for v, s in zip(flat(o), [WIDTH, HEIGHT] * len(o), strict=False)),
                ]
            )
            for c, o in shapes
        ]
        lines(root / label.format(name), *rows)


def yolo_split(root: Path) -> Truth:
    labels = {}
    for part, count, start in (("train", 3, 0), ("val", 2, 7)):
        items, found = drawn(root, "images/" + part + "/{}.jpg", numbers(count, start), start)
        labels |= found
        _yolo(root, items, "labels/" + part + "/{}.txt")
    lines(root / "data.yaml", "path: .", "train: images/train", "val: images/val", "nc: 2", "names: ['cat', 'dog']")
    return Truth(labels, CLASSES, {"train": 3, "val": 2})


def yolo_obj_names(root: Path) -> Truth:
    items, labels = drawn(root, "obj_train_data/{}.png")
    _yolo(root, items, "obj_train_data/{}.txt")
    lines(root / "obj.names", *CLASSES)
    lines(root / "obj.data", "classes = 2", "train = data/train.txt", "names = data/obj.names")
    lines(root / "train.txt", *[f"data/{p}" for _, p, _ in items])
    return Truth(labels, CLASSES)


def yolo_lists(root: Path) -> Truth:
    items, labels = drawn(root, "images/{}.png", numbers(5))
    _yolo(root, items, "labels/{}.txt")
    lines(root / "train.txt", *[f"./images/{n}.png" for n in numbers(3)])
    lines(root / "val.txt", *[f"./images/{n}.png" for n in numbers(2, 3)])
    lines(root / "dataset.yaml", "train: train.txt", "val: val.txt", "names:", "  0: cat", "  1: dog")
    return Truth(labels, CLASSES, {"train": 3, "val": 2})


def yolo_empty_files(root: Path) -> Truth:
    items, labels = drawn(root)
    _yolo(root, items, "labels/{}.txt")
    lines(root / "data.yaml", "names: [cat, dog]")
    (root / "labels" / "im0.txt").write_text("")
    labels["images/im0.png"] = np.zeros((HEIGHT, WIDTH), np.uint8)
    return Truth(labels, CLASSES)


def yolo_boxes_among(root: Path) -> Truth:
    items, labels = drawn(root)
    _yolo(root, items, "labels/{}.txt")
    with (root / "labels" / "im1.txt").open("a") as file:
        file.write("0 0.5 0.5 0.2 0.2\n")
    return Truth(labels, must_ask=True)


def yolo_class_beyond_names(root: Path) -> Truth:
    items, labels = drawn(root)
    _yolo(root, items, "labels/{}.txt")
    lines(root / "data.yaml", "names: [cat]")
    return Truth(labels, may_ask=True)


def _qupath(
    shapes, *, as_list: bool = False, name: Callable[[str], Any] = lambda c: {"name": c, "colorRGB": -3670016}
) -> Any:
    features = [
        {
            "type": "Feature",
            "id": "PathAnnotationObject",
            "geometry": {"type": "Polygon", "coordinates": [[*map(list, o), list(o[0])]]},
            "properties": {"objectType": "annotation", "classification": name(c), "isLocked": False},
        }
        for c, o in shapes
    ]
    return features if as_list else {"type": "FeatureCollection", "features": features}


def qupath_list(root: Path) -> Truth:
    items, labels = drawn(root)
    for name, _, shapes in items:
        dump(root / "images" / f"{name}.json", _qupath(shapes, as_list=True))
    return Truth(labels, CLASSES)


def qupath_collection(root: Path) -> Truth:
    items, labels = drawn(root)
    for name, _, shapes in items:
        dump(
            root / "annotations" / f"{name}.geojson",
            _qupath(shapes, name=lambda c: {"name": c, "color": [200, 0, 0]}),
        )
    return Truth(labels, CLASSES)


def qupath_derived_classes(root: Path) -> Truth:
    items, labels = drawn(root)
    for name, _, shapes in items:
        dump(
            root / "annotations" / f"{name}.geojson",
            _qupath(shapes, name=lambda c: {"names": ["Animal", c], "color": [200, 0, 0]}),
        )
    return Truth(labels, ("Animal: cat", "Animal: dog"))


def qupath_some_unclassified(root: Path) -> Truth:
    items, labels = drawn(root)
    for k, (name, _, shapes) in enumerate(items):
        content = _qupath(shapes)
        if k == 0:
            del content["features"][0]["properties"]["classification"]
        dump(root / "annotations" / f"{name}.geojson", content)
    return Truth(labels, may_ask=True, must_ask=True)


def qupath_named_by_file(root: Path) -> Truth:
    items, labels = drawn(root)
    for name, _, shapes in items:
        dump(root / "geojson" / f"{name}.png.geojson", _qupath(shapes))
    return Truth(labels, CLASSES)


def geojson_parts_equal_names(root: Path) -> Truth:
    labels = {}
    for part, count, start in (("train", 3, 0), ("val", 2, 7)):
        items, found = drawn(root, part + "/images/{}.png", numbers(count), start)
        labels |= found
        for name, _, shapes in items:
            dump(root / part / "labels" / f"{name}.geojson", _qupath(shapes))
    return Truth(labels, CLASSES, {"train": 3, "val": 2})


def _via_shapes(outlines, attribute: str) -> list[dict[str, Any]]:
    return [
        {
            "shape_attributes": {
                "name": "polygon",
                "all_points_x": [p[0] for p in o],
                "all_points_y": [p[1] for p in o],
            },
            "region_attributes": {attribute: c, "note": ""},
        }
        for c, o in outlines
    ]


def _via_entries(root: Path, items, attribute: str, size: int | None = None) -> dict[str, Any]:
    entries = {}
    for name, path, outlines in items:
        stated = (root / path).stat().st_size if size is None else size
        regions = _via_shapes(outlines, attribute)
        entries[f"{name}.png{stated}"] = {"filename": f"{name}.png", "size": stated, "regions": regions}
    return entries


def via_dict(root: Path) -> Truth:
    """Version 1 numbers the regions."""
    items, labels = drawn(root)
    content = _via_entries(root, items, "name")
    for entry in content.values():
        entry["regions"] = {str(k): region for k, region in enumerate(entry["regions"])}
    dump(root / "via_region_data.json", content)
    return Truth(labels, CLASSES)


def via_project(root: Path) -> Truth:
    items, labels = drawn(root)
    content = _via_entries(root, items, "class", size=-1)
    dump(root / "via_project.json", {"_via_settings": {}, "_via_img_metadata": content, "_via_attributes": {}})
    return Truth(labels, CLASSES)


def via_other_files(root: Path) -> Truth:
    """The images are other files than those that were annotated; their height and width are not known."""
    items, labels = drawn(root)
    dump(root / "via_region_data.json", _via_entries(root, items, "class", size=123))
    return Truth(labels, CLASSES, must_ask=True)


def via_two_attributes(root: Path) -> Truth:
    items, labels = drawn(root)
    content = _via_entries(root, items, "colour")
    for entry in content.values():
        for region in entry["regions"]:
            region["region_attributes"]["quality"] = "good"
    dump(root / "via_region_data.json", content)
    return Truth(labels, CLASSES, must_ask=True)


def via_one_not_annotated(root: Path) -> Truth:
    items, labels = drawn(root)
    content = _via_entries(root, items, "class")
    save(root / "images" / "later.png", photo(filled(outlines(9))))
    content["later.png5"] = {"filename": "later.png", "size": 5, "regions": []}
    dump(root / "via_region_data.json", content)
    return Truth(labels, CLASSES)


def via_csv(root: Path) -> Truth:
    items, labels = drawn(root)
    rows = []
    for entry in _via_entries(root, items, "class").values():
        for k, region in enumerate(entry["regions"]):
            cells = [json.dumps(region[f"{what}_attributes"]).replace('"', '""') for what in ("shape", "region")]
            rows.append(f'{entry["filename"]},{entry["size"]},"{{}}",2,{k},"{cells[0]}","{cells[1]}"')
    head = "filename,file_size,file_attributes,region_count,region_id,region_shape_attributes,region_attributes"
    lines(root / "via_export_csv.csv", head, *rows)
    return Truth(labels, CLASSES)


def superannotate(root: Path) -> Truth:
    items, labels = drawn(root, "{}.png")
    for name, _, outlined in items:
        instances = [{"type": "polygon", "className": c, "points": flat(o)} for c, o in outlined]
        meta = {"name": f"{name}.png", "width": WIDTH, "height": HEIGHT}
        dump(root / f"{name}.png___objects.json", {"metadata": meta, "instances": instances})
    dump(root / "classes.json", [{"name": c, "color": "#00ffff"} for c in CLASSES])
    return Truth(labels, CLASSES)


def superannotate_pixels(root: Path) -> Truth:
    items, labels = drawn(root, "{}.png")
    for name, _, _outlined in items:
        instance = {"className": CLASSES[0], "parts": [{"color": "#000447"}]}
        dump(root / f"{name}.png___pixel.json", {"metadata": {"name": f"{name}.png"}, "instances": [instance]})
    return Truth(labels, must_ask=True)


def datumaro(root: Path) -> Truth:
    items, labels = drawn(root, "images/default/{}.png")
    listed = [
        {
            "id": name,
            "annotations": [
                {"type": "polygon", "label_id": CLASSES.index(c), "points": flat(o), "z_order": k}
                for k, (c, o) in enumerate(outlined)
            ],
            "image": {"path": f"{name}.png", "size": [HEIGHT, WIDTH]},
        }
        for name, _, outlined in items
    ]
    categories = {"label": {"labels": [{"name": c} for c in CLASSES]}}
    dump(root / "annotations" / "default.json", {"info": {}, "categories": categories, "items": listed})
    return Truth(labels, CLASSES)


def labelme_first_version(root: Path) -> Truth:
    items, labels = drawn(root, "Images/{}.png")
    for name, _, outlined in items:
        objects = "".join(
            f"<object><name>{c}</name><deleted>0</deleted><polygon>"
            + "".join(f"<pt><x>{x}</x><y>{y}</y></pt>" for x, y in o)
            + "</polygon></object>"
            for c, o in outlined
        )
        gone = "<object><name>gone</name><deleted>1</deleted><polygon><pt><x>1</x><y>1</y></pt></polygon></object>"
        lines(
            root / "Annotations" / f"{name}.xml",
            f"<annotation><filename>{name}.png</filename>{objects}{gone}</annotation>",
        )
    return Truth(labels, CLASSES)


def kaggle_run_lengths(root: Path) -> Truth:
    _items, labels = drawn(root)
    lines(root / "train.csv", "ImageId,EncodedPixels", "im0.png,29 8 70 8")
    return Truth(labels, must_ask=True)


def cvat_xml(root: Path) -> Truth:
    items, labels = drawn(root)
    rows = []
    for k, (name, _, shapes) in enumerate(items):
        inner = "".join(
            f'<polygon label="{c}" points="{";".join(f"{x:.5f},{y:.5f}" for x, y in o)}" z_order="0"></polygon>'
            for c, o in shapes
        )
        rows.append(f'<image id="{k}" name="{name}.png" width="{WIDTH}" height="{HEIGHT}">{inner}</image>')
    lines(
        root / "annotations.xml",
        '<?xml version="1.0" encoding="utf-8"?>',
        "<annotations><version>1.1</version>",
        "<meta><task><labels><label><name>cat</name><color>#ff0000</color></label><label><name>dog</name></label></labels></task></meta>",
        *rows,
        "</annotations>",
    )
    return Truth(labels, CLASSES)


def cvat_xml_masks(root: Path) -> Truth:
    items, labels = drawn(root)
    rows = []
    for k, (name, path, _) in enumerate(items):
        inner = ""
        for value, label in enumerate(CLASSES, start=1):
            r, c = np.nonzero(labels[path] == value)
            crop = (labels[path] == value)[r.min() : r.max() + 1, c.min() : c.max() + 1]
            inner += f'<mask label="{label}" rle="{", ".join(map(str, runs_of(crop.T)))}" left="{c.min()}" '
            inner += f'top="{r.min()}" width="{crop.shape[1]}" height="{crop.shape[0]}" z_order="0"></mask>'
        rows.append(f'<image id="{k}" name="images/{name}.png" width="{WIDTH}" height="{HEIGHT}">{inner}</image>')
    lines(root / "annotations.xml", "<annotations><version>1.1</version>", *rows, "</annotations>")
    return Truth(labels, CLASSES)


def label_studio_polygons(root: Path) -> Truth:
    items, labels = drawn(root)
    tasks = []
    for k, (name, _, shapes) in enumerate(items):
        result = [
            {
                "id": f"r{c}",
                "type": "polygonlabels",
                "from_name": "label",
                "to_name": "image",
                "original_width": WIDTH,
                "original_height": HEIGHT,
                "image_rotation": 0,
                "value": {
                    "points": [[x * 100 / WIDTH, y * 100 / HEIGHT] for x, y in o],
                    "closed": True,
                    "polygonlabels": [c],
                },
            }
            for c, o in shapes
        ]
        tasks.append(
            {
                "id": k,
                "annotations": [{"id": k, "was_cancelled": False, "result": result}],
                "data": {"image": f"/data/upload/1/3f2a9c1b-{name}.png"},
            }
        )
    dump(root / "project-1-at-2026.json", tasks)
    return Truth(labels, CLASSES)


def label_studio_names_with_prefix(root: Path) -> Truth:
    items, labels = drawn(root, "images/{}.png", [f"{k:08x}-im{k}" for k in range(4)])
    tasks = []
    for k, (name, _, shapes) in enumerate(items):
        result = [
            {
                "type": "polygonlabels",
                "from_name": "label",
                "to_name": "image",
                "original_width": WIDTH,
                "original_height": HEIGHT,
                "value": {"points": [[x * 100 / WIDTH, y * 100 / HEIGHT] for x, y in o], "polygonlabels": [c]},
            }
            for c, o in shapes
        ]
        tasks.append({"id": k, "annotations": [{"result": result}], "data": {"image": f"/data/upload/1/{name}.png"}})
    dump(root / "project.json", tasks)
    return Truth(labels, CLASSES)


def label_studio_min(root: Path) -> Truth:
    items, labels = drawn(root)
    tasks = [
        {
            "image": f"/data/local-files/?d=images/{n}.png",
            "id": k,
            "label": [
                {
                    "points": [[x * 100 / WIDTH, y * 100 / HEIGHT] for x, y in o],
                    "polygonlabels": [c],
                    "original_width": WIDTH,
                    "original_height": HEIGHT,
                }
                for c, o in s
            ],
        }
        for k, (n, _, s) in enumerate(items)
    ]
    dump(root / "min.json", tasks)
    return Truth(labels, CLASSES, may_ask=True)


def supervisely_polygons(root: Path) -> Truth:
    items, labels = drawn(root, "ds1/img/{}.jpg")
    for name, _, shapes in items:
        objects = [
            {
                "id": k,
                "classTitle": c,
                "geometryType": "polygon",
                "points": {"exterior": [list(p) for p in o], "interior": []},
            }
            for k, (c, o) in enumerate(shapes)
        ]
        dump(
            root / f"ds1/ann/{name}.jpg.json",
            {"size": {"height": HEIGHT, "width": WIDTH}, "tags": [], "objects": objects},
        )
    dump(root / "meta.json", {"classes": [{"title": c, "shape": "polygon", "color": "#FF0000"} for c in CLASSES]})
    return Truth(labels, CLASSES)


def supervisely_bitmaps(root: Path) -> Truth:
    items, labels = drawn(root, "ds1/img/{}.jpg")
    for name, path, _ in items:
        objects = []
        for value, label in enumerate(CLASSES, start=1):
            r, c = np.nonzero(labels[path] == value)
            crop = (labels[path] == value)[r.min() : r.max() + 1, c.min() : c.max() + 1]
            stream = io.BytesIO()
            Image.fromarray(crop.astype(np.uint8) * 255).convert("1").save(stream, "PNG")
            objects.append(
                {
                    "classTitle": label,
                    "geometryType": "bitmap",
                    "bitmap": {
                        "data": base64.b64encode(zlib.compress(stream.getvalue())).decode(),
                        "origin": [int(c.min()), int(r.min())],
                    },
                }
            )
        dump(root / f"ds1/ann/{name}.jpg.json", {"size": {"height": HEIGHT, "width": WIDTH}, "objects": objects})
    dump(root / "meta.json", {"classes": [{"title": c, "shape": "bitmap", "color": "#FF0000"} for c in CLASSES]})
    return Truth(labels, CLASSES)


def cityscapes_polygons(root: Path) -> Truth:
    items, labels = drawn(root, "leftImg8bit/train/ulm/{}_leftImg8bit.png", [f"ulm_{k:06d}_000019" for k in range(4)])
    for name, _, shapes in items:
        dump(
            root / f"gtFine/train/ulm/{name}_gtFine_polygons.json",
            {
                "imgHeight": HEIGHT,
                "imgWidth": WIDTH,
                "objects": [{"label": c, "polygon": [list(p) for p in o]} for c, o in shapes],
            },
        )
    return Truth(labels, CLASSES)


def aperio_xml(root: Path) -> Truth:
    items, labels = drawn(root, "Tissue Images/{}.tif", [f"TCGA-18-5592-01Z-{k}" for k in range(4)])
    found = {}
    for name, path, shapes in items:
        regions = "".join(
            f'<Region Id="{k}"><Vertices>'
            + "".join(f'<Vertex X="{x:.6f}" Y="{y:.6f}" Z="0"/>' for x, y in o)
            + "</Vertices></Region>"
            for k, (c, o) in enumerate(shapes)
        )
        lines(
            root / f"Annotations/{name}.xml",
            f'<Annotations><Annotation Id="1" Name=""><Regions>{regions}</Regions></Annotation></Annotations>',
        )
        found[path] = (labels[path] > 0).astype(np.uint8)
    return Truth(found)


def darwin(root: Path) -> Truth:
    items, labels = drawn(root)
    for name, _, shapes in items:
        dump(
            root / "annotations" / f"{name}.json",
            {
                "version": "2.0",
                "item": {"name": f"{name}.png", "slots": [{"width": WIDTH, "height": HEIGHT}]},
                "annotations": [
                    {"name": c, "polygon": {"paths": [[{"x": x, "y": y} for x, y in o]]}} for c, o in shapes
                ],
            },
        )
    return Truth(labels, CLASSES, may_ask=True)


def imagej_rois(root: Path) -> Truth:
    _, _labels = drawn(root)
    (root / "images" / "im0_RoiSet.zip").write_bytes(b"PK\x03\x04" + b"\0" * 40)
    return Truth(must_ask=True)


def labelbox_lines(root: Path) -> Truth:
    items, _labels = drawn(root)
    lines(
        root / "export.ndjson",
        *[json.dumps({"data_row": {"external_id": f"{n}.png"}, "projects": {}}) for n, _, _ in items],
    )
    return Truth(must_ask=True)


def hasty(root: Path) -> Truth:
    items, labels = drawn(root)
    dump(
        root / "hasty.json",
        {
            "project_name": "p",
            "export_format_version": "1.1",
            "label_classes": [{"class_name": c} for c in CLASSES],
            "images": [
                {
                    "image_name": f"{n}.png",
                    "width": WIDTH,
                    "height": HEIGHT,
                    "labels": [
                        {"class_name": c, "polygon": [list(p) for p in o], "bbox": [0, 0, 1, 1]} for c, o in s
                    ],
                }
                for n, _, s in items
            ],
        },
    )
    return Truth(labels, CLASSES, may_ask=True)


HELPERS = {
    "Truth",
    "outlines",
    "filled",
    "dump",
    "drawn",
    "flat",
    "coco",
    "runs_of",
    "lines",
    "numbers",
    "photo",
    "save",
    "even_odd",
}
KINDS: dict[str, Kind] = {
    name: function
    for name, function in globals().copy().items()
    if callable(function)
    and getattr(function, "__module__", "") == __name__
    and name not in HELPERS
    and not name.startswith("_")
}
