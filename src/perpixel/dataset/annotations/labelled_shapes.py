"""Outlines in one text file an image: LabelMe JSON and YOLO segments."""

import base64
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from PIL import Image

from perpixel.dataset.annotations.coco import scale_to, scaled
from perpixel.dataset.annotations.placing import NamedImages, nearest, placed_bitmap
from perpixel.dataset.layout.names import natural
from perpixel.dataset.sample import Drawn, Finding, Ring, Shape, ring, warning
from perpixel.errors import DataError, Problem
from perpixel.files.limits import MAX_PIXELS
from perpixel.files.parse import parse_yaml
from perpixel.files.read import read_header
from perpixel.files.whole_file import text_of
from perpixel.runtime.json_values import Json, JsonMapping, JsonObject
from perpixel.shapes import IGNORED, MAX_CLASSES

LABELLED_BACKGROUNDS = frozenset({"_background_", "background"})
IGNORED_NAMES = frozenset({"__ignore__", "ignore", "void"})
CIRCLE_CORNERS = 64
FARTHEST_SHARE = 1.5
"""Outlines may leave the image a little; a greater share of its size is a number of pixels."""


def is_labelme(data: Json) -> bool:
    """Whether parsed JSON is a LabelMe file."""
    return isinstance(data, dict) and isinstance(data.get("shapes"), list) and "imagePath" in data


def read_labelme(files: Mapping[Path, JsonObject], images: Sequence[Path]) -> Drawn:
    """Collect the shapes of LabelMe files; classes are their labels in the order of their names.

    Source: https://github.com/wkentaro/labelme (shape types polygon, rectangle and circle).
    """
    by_name = NamedImages(images)
    problems: list[Problem] = []
    odd: list[str] = []
    alone: list[str] = []
    drawn: dict[Path, list[tuple[str, Shape]]] = {}
    for path, data in files.items():
        image = by_name.of(path) or by_name.of(path, str(data["imagePath"]))
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
                area = _labelme_mask(shape, data) if shape.get("shape_type") == "mask" else None
                area = area or Shape(0, ((_labelme_ring(shape),),))
                found.append((str(shape["label"]), scaled(area, down, across)))
            except (KeyError, TypeError, ValueError, IndexError, AttributeError, OSError):
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
    classes = sorted((n for n in names if n.lower() not in LABELLED_BACKGROUNDS | IGNORED_NAMES), key=natural)
    value = {name: k for k, name in enumerate(classes, start=1)}
    value |= {n: 0 if n.lower() in LABELLED_BACKGROUNDS else IGNORED for n in names if n not in value}
    shapes_of = {image: tuple(replace(shape, value=value[n]) for n, shape in own) for image, own in drawn.items()}
    return Drawn(tuple(classes), shapes_of, tuple(problems))


def _labelme_mask(shape: JsonMapping, data: JsonMapping) -> Shape:
    """A painted area: a PNG of what lies in the box of its two points. Raises ValueError where it does not fit."""
    (left, top), _ = (map(round, point) for point in shape["points"])
    picture = Image.open(io.BytesIO(base64.b64decode(shape["mask"])))
    height, width = int(data["imageHeight"]), int(data["imageWidth"])
    if not 0 < height * width <= MAX_PIXELS or picture.width * picture.height > MAX_PIXELS:
        raise ValueError("too large")
    runs = placed_bitmap(np.array(picture.convert("L")) > 0, left, top, height, width)
    return Shape(0, runs=runs, height=height, width=width)


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
    by_name = NamedImages(images)
    found = {path: by_name.named(path.stem) for path in files}
    homes = {path: image for path, same in found.items() if (image := nearest(path, same)) is not None}
    lines = {path: _numbers(path) for path in homes}
    known = {path: rows for path, rows in lines.items() if rows is not None}
    if not any(known.values()):
        return None
    problems = _unclear(path.name for path, same in found.items() if len(same) > 1 and path not in homes)
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
    count = max((shape.value for own in shapes.values() for shape in own), default=0)
    names, short = _yolo_names(names_files, count)
    alone = [path.name for path, same in found.items() if not same and _numbers(path)]
    return Drawn(names, shapes, (*problems, *short), findings=_told_alone(alone))


def _told_alone(names: Sequence[str]) -> tuple[Finding, ...]:
    told = f"{len(names)} YOLO files belong to no image."
    return (warning(told, "add the images, or remove them.", names),) if names else ()


def _unclear(names: Iterable[str]) -> list[Problem]:
    listed = tuple(names)
    if not listed:
        return []
    what = f"{len(listed)} YOLO files may belong to several images of their name."
    return [Problem(what, "put each into the folder of its image, or under train/ and val/ as these.", listed)]


def _numbers(path: Path) -> list[list[float]] | None:
    """The lines of a file as numbers, the first of each a whole one; None where they are none."""
    try:
        rows = [[float(word) for word in line.split()] for line in text_of(path).splitlines() if line.strip()]
    except (OSError, ValueError):
        return None
    sound = all(math.isfinite(v) for row in rows for v in row) and all(
        row[0] >= 0 and row[0] == int(row[0]) for row in rows
    )
    return rows if sound and all(row[0] < 10_000 for row in rows) else None


def _yolo_names(files: Sequence[Path], count: int) -> tuple[tuple[str, ...], list[Problem]]:
    """The names of data.yaml, classes.txt or obj.names; a problem where they are fewer than the classes."""
    short = []
    for path in files:
        try:
            text = text_of(path, "utf-8-sig")
            plain = [line.strip() for line in text.splitlines() if line.strip()]
            names = plain if path.suffix.lower() in {".txt", ".names"} else parse_yaml(text, str(path))["names"]
        except (OSError, ValueError, TypeError, KeyError):
            continue
        listed = list(names) if isinstance(names, list) else []
        if isinstance(names, dict) and all(str(k).isdigit() and int(k) < MAX_CLASSES for k in names):
            numbered = {int(k): name for k, name in names.items()}
            listed = [numbered.get(k, f"class {k}") for k in range(max(numbered, default=-1) + 1)]
        if len(listed) >= count:
            return tuple(map(str, listed)), []
        if listed:
            what = (
                f"{path} names {len(listed)} class(es), and the labels have the number {count - 1}, counted from 0."
            )
            short.append(Problem(what, "add the names that are missing."))
    return tuple(f"class {k}" for k in range(count)), short
