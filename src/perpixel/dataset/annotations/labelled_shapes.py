"""Outlines in one text file an image: LabelMe JSON and YOLO segments."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from perpixel.dataset.layout.names import natural, stem
from perpixel.dataset.sample import Drawn, Ring, Shape, ring
from perpixel.errors import DataError, Problem
from perpixel.files.parse import parse_yaml
from perpixel.files.read import read_header
from perpixel.shapes import IGNORED

BACKGROUND_NAMES = frozenset({"_background_", "background"})
IGNORED_NAMES = frozenset({"__ignore__", "ignore", "void"})
CIRCLE_CORNERS = 64


def is_labelme(data: Any) -> bool:
    """Whether parsed JSON is a LabelMe file."""
    return isinstance(data, dict) and isinstance(data.get("shapes"), list) and "imagePath" in data


def read_labelme(files: Mapping[Path, dict[str, Any]], images: Sequence[Path]) -> Drawn:
    """Collect the shapes of LabelMe files; classes are their labels in the order of their names.

    Source: https://github.com/wkentaro/labelme (shape types polygon, rectangle and circle).
    """
    by_stem = {stem(image.name): image for image in images}
    problems: list[Problem] = []
    odd: list[str] = []
    alone: list[str] = []
    drawn: dict[Path, list[tuple[str, tuple[Ring, ...]]]] = {}
    for path, data in files.items():
        image = by_stem.get(stem(path.name)) or by_stem.get(
            stem(str(data["imagePath"]).replace("\\", "/").split("/")[-1])
        )
        if image is None:
            alone.append(path.name)
            continue
        found = drawn.setdefault(image, [])
        for shape in data["shapes"]:
            try:
                found.append((str(shape["label"]), (_labelme_ring(shape),)))
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


def _labelme_ring(shape: Mapping[str, Any]) -> Ring:
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
    by_stem = {stem(image.name): image for image in images}
    lines = {path: _numbers(path) for path in files if stem(path.name) in by_stem}
    known = {path: rows for path, rows in lines.items() if rows is not None}
    if not any(known.values()):
        return None
    problems = []
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
        image = by_stem[stem(path.name)]
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
            names = parse_yaml(path.read_text(encoding="utf-8"), str(path))["names"]
        except (OSError, ValueError, TypeError, KeyError):
            continue
        listed = list(names.values()) if isinstance(names, dict) else list(names) if isinstance(names, list) else []
        if len(listed) >= count:
            return tuple(map(str, listed))
    return tuple(f"class {k}" for k in range(count))
