"""Outlines in one text file an image: LabelMe JSON and YOLO segments."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from perpixel.dataset.annotations.coco import scale_to
from perpixel.dataset.layout.names import natural, stem
from perpixel.dataset.sample import Drawn, Ring, Shape, ring
from perpixel.errors import DataError, Problem
from perpixel.files.parse import parse_yaml
from perpixel.files.read import read_header
from perpixel.runtime.json_values import JsonMapping, JsonObject
from perpixel.shapes import IGNORED, MAX_CLASSES

BACKGROUND_NAMES = frozenset({"_background_", "background"})
IGNORED_NAMES = frozenset({"__ignore__", "ignore", "void"})
CIRCLE_CORNERS = 64
FARTHEST_SHARE = 1.5
"""Outlines may leave the image a little; a greater share of its size is a number of pixels."""


def _by_stem(images: Sequence[Path]) -> dict[str, list[Path]]:
    found: dict[str, list[Path]] = defaultdict(list)
    for image in images:
        found[stem(image.name)].append(image)
    return found


def image_near(path: Path, images: Sequence[Path]) -> Path:
    """Of images of one name that in whose path most folders are those of the annotation file.

    >>> image_near(Path("val/labels/0.txt"), [Path("train/images/0.png"), Path("val/images/0.png")]).parts[0]
    'val'
    """
    return max(images, key=lambda image: (image.parent == path.parent, len({*image.parts} & {*path.parts})))


def is_labelme(data: Any) -> bool:
    """Whether parsed JSON is a LabelMe file."""
    return isinstance(data, dict) and isinstance(data.get("shapes"), list) and "imagePath" in data


def read_labelme(files: Mapping[Path, JsonObject], images: Sequence[Path]) -> Drawn:
    """Collect the shapes of LabelMe files; classes are their labels in the order of their names.

    Source: https://github.com/wkentaro/labelme (shape types polygon, rectangle and circle).
    """
    by_stem = _by_stem(images)
    problems: list[Problem] = []
    odd: list[str] = []
    alone: list[str] = []
    drawn: dict[Path, list[tuple[str, tuple[Ring, ...]]]] = {}
    for path, data in files.items():
        named = stem(str(data["imagePath"]).replace("\\", "/").split("/")[-1])
        images_of = by_stem.get(stem(path.name)) or by_stem.get(named)
        image = image_near(path, images_of) if images_of else None
        if image is None:
            alone.append(path.name)
            continue
        found = drawn.setdefault(image, [])
        try:
            down, across = scale_to(image, data.get("imageHeight"), data.get("imageWidth"))
        except ValueError as error:
            problems.append(Problem(f"{path.name}: {error}.", "annotate the image as it is now."))
            continue
        for shape in data["shapes"]:
            try:
                outline = tuple((x * across, y * down) for x, y in _labelme_ring(shape))
                found.append((str(shape["label"]), (outline,)))
            except (KeyError, TypeError, ValueError, IndexError):
                odd.append(f"{path.name}: {shape.get('shape_type') if isinstance(shape, dict) else shape}")
    if odd:
        problems.append(
            Problem(
                f"{len(odd)} LabelMe shapes are no areas.",
                "draw polygons, rectangles or circles instead of them.",
                tuple(odd),
            )
        )
    if alone:
        problems.append(
            Problem(
                f"{len(alone)} LabelMe files belong to no image.", "add the images, or remove them.", tuple(alone)
            )
        )
    names = {name for shapes in drawn.values() for name, _ in shapes}
    classes = sorted((n for n in names if n.lower() not in BACKGROUND_NAMES | IGNORED_NAMES), key=natural)
    value = {name: k for k, name in enumerate(classes, start=1)}
    value |= {n: 0 if n.lower() in BACKGROUND_NAMES else IGNORED for n in names if n not in value}
    shapes_of = {image: tuple(Shape(value[n], (rings,)) for n, rings in shapes) for image, shapes in drawn.items()}
    return Drawn(tuple(classes), shapes_of, tuple(problems))


def _labelme_ring(shape: JsonMapping) -> Ring:
    points = ring(shape["points"])
    match shape.get("shape_type", "polygon"):
        case "polygon" if len(points) >= 3:
            return points
        case "rectangle":
            (x0, y0), (x1, y1) = points
            return (x0, y0), (x1, y0), (x1, y1), (x0, y1)
        case "circle":
            (x, y), edge = points
            radius = math.dist((x, y), edge)
            angles = (2 * math.pi * k / CIRCLE_CORNERS for k in range(CIRCLE_CORNERS))
            return tuple((x + radius * math.cos(a), y + radius * math.sin(a)) for a in angles)
    raise ValueError("no area")


def read_yolo(files: Sequence[Path], images: Sequence[Path], names_files: Sequence[Path]) -> Drawn | None:
    """Collect the outlines of YOLO segment files NAME.txt: a class number, then x y pairs as shares of the size.

    Returns:
        None where no text file with an image's name holds such lines.

    Source: https://docs.ultralytics.com/datasets/segment/
    """
    by_stem = _by_stem(images)
    homes = {path: image_near(path, images_of) for path in files if (images_of := by_stem.get(stem(path.name)))}
    lines = {path: _numbers(path) for path in homes}
    known = {path: rows for path, rows in lines.items() if rows is not None}
    if not any(known.values()):
        return None
    problems = []
    in_pixels = [path.name for path, rows in known.items() if any(v > FARTHEST_SHARE for r in rows for v in r[1:])]
    if in_pixels:
        problems.append(
            Problem(
                f"{len(in_pixels)} YOLO files hold pixels, not shares of the image's size.",
                "divide x by the width and y by the height.",
                tuple(in_pixels),
            )
        )
    boxes = [path.name for path, rows in known.items() if any(len(row) == 5 for row in rows)]
    odd = [
        path.name for path in lines if path not in known or any(len(r) < 5 or len(r) % 2 == 0 for r in known[path])
    ]
    if boxes:
        problems.append(
            Problem(
                f"{len(boxes)} YOLO files hold boxes, not outlines.",
                "export segments (class x1 y1 x2 y2 x3 y3 …).",
                tuple(boxes),
            )
        )
    if odd:
        problems.append(
            Problem(f"{len(odd)} YOLO files hold lines that are no outlines.", "export them again.", tuple(odd))
        )
    shapes: dict[Path, tuple[Shape, ...]] = {}
    for path, rows in known.items():
        image = homes[path]
        try:
            height, width = read_header(image).size
        except DataError:  # told with the images
            continue
        shapes[image] = tuple(
            Shape(
                int(row[0]) + 1,
                ((tuple((x * width, y * height) for x, y in zip(row[1::2], row[2::2], strict=True)),),),
            )
            for row in rows
            if len(row) >= 7 and len(row) % 2
        )
    count = max((shape.value for found in shapes.values() for shape in found), default=0)
    return Drawn(_yolo_names(names_files, count), shapes, tuple(problems))


def _numbers(path: Path) -> list[list[float]] | None:
    """The lines of a file as numbers, the first of each a whole one; None where they are none."""
    try:
        rows = [
            [float(word) for word in line.split()]
            for line in path.read_text(encoding="utf-8").splitlines()
            if line.strip()
        ]
    except (OSError, ValueError):
        return None
    sound = all(math.isfinite(v) for row in rows for v in row) and all(
        row[0] >= 0 and row[0] == int(row[0]) for row in rows
    )
    return rows if sound and all(row[0] < 10_000 for row in rows) else None


def _yolo_names(files: Sequence[Path], count: int) -> tuple[str, ...]:
    """The names of data.yaml, where they are at least as many as the classes that occur."""
    for path in files:
        try:
            text = path.read_text(encoding="utf-8-sig")
            plain = [line.strip() for line in text.splitlines() if line.strip()]
            names = plain if path.suffix.lower() == ".txt" else parse_yaml(text, str(path))["names"]
        except (OSError, ValueError, TypeError, KeyError):
            continue
        listed = list(names) if isinstance(names, list) else []
        if isinstance(names, dict) and all(str(k).isdigit() and int(k) < MAX_CLASSES for k in names):
            numbered = {int(k): name for k, name in names.items()}
            listed = [numbered.get(k, f"class {k}") for k in range(max(numbered, default=-1) + 1)]
        if len(listed) >= count:
            return tuple(map(str, listed))
    return tuple(f"class {k}" for k in range(count))
