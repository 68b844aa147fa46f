"""COCO annotations: polygons and run lengths, compressed or not.

Source: https://cocodataset.org/#format-data and `rleFrString` in pycocotools' maskApi.c.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from perpixel.dataset.annotations.drawn_twice import drawn_twice
from perpixel.dataset.annotations.placing import NO_LABEL, NamedImages, nearest
from perpixel.dataset.layout.names import subset_named
from perpixel.dataset.sample import Drawn, Finding, Ring, Shape, info, ring, warning
from perpixel.errors import DataError, Problem
from perpixel.files.limits import MAX_PIXELS
from perpixel.files.parse import parse_json
from perpixel.files.read import read_header
from perpixel.files.whole_file import text_of
from perpixel.runtime.choices import Subset
from perpixel.runtime.json_values import Json, JsonObject
from perpixel.shapes import IGNORED

MOST_CROWDS: Final = 0.25
"""Of all annotations. Where more have iscrowd: 1, it only says that they are run lengths, as tools write masks."""


def is_coco(data: Json) -> bool:
    """Whether parsed JSON is a COCO file of objects."""
    if not isinstance(data, dict) or not all(
        isinstance(data.get(k), list) for k in ("images", "annotations", "categories")
    ):
        return False
    return not any(isinstance(a, dict) and "segments_info" in a for a in data["annotations"][:1])  # panoptic


def read_coco(files: Mapping[Path, JsonObject], images: Sequence[Path]) -> Drawn:
    """Collect the shapes of every image that the files list.

    Args:
        files: Parsed JSON by path; their categories are joined by name.
        images: All image files, found by the end of their paths or by their names.
    """
    problems: list[Problem] = []
    shapes: dict[Path, list[Shape]] = {}
    files, passed_over = _without_key_points(files)
    names = _categories(files)
    by_name = NamedImages(images)
    splits: dict[Path, Subset] = {}
    of_file: dict[Path, Mapping[Path, Sequence[Shape]]] = {}
    for path, data in files.items():
        try:
            before = {image: len(found) for image, found in shapes.items()}
            listed, found = _read_one(path, data, names, by_name, shapes)
            problems += [*found, *_assigned(path, listed, splits)]
            of_file[path] = {image: shapes[image][before.get(image, 0) :] for image in listed}
        except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError) as error:
            fix = "export the annotations again, at the size of their images or as polygons."
            reason = str(error) if isinstance(error, ValueError) else repr(error)
            problems.append(Problem(f"{path} is not sound COCO: {reason}.", fix))
    problems += drawn_twice(of_file)
    drawn = {image: tuple(found) for image, found in shapes.items()}
    findings = tuple(f for path, data in files.items() for f in (*_told_loose(path, data), *_told_crowds(path, data)))
    splits = splits if len(set(splits.values())) > 1 else {}
    return Drawn(tuple(names), drawn, tuple(problems), splits, findings=(*passed_over, *findings))


def _without_key_points(files: Mapping[Path, JsonObject]) -> tuple[Mapping[Path, JsonObject], list[Finding]]:
    """The files without those of key points (person_keypoints_val2017.json) whose images others list."""

    def listed(data: JsonObject) -> set[str]:
        return {str(entry.get("file_name")) for entry in data["images"] if isinstance(entry, dict)}

    points = {
        p: d for p, d in files.items() if any(isinstance(a, dict) and "keypoints" in a for a in d["annotations"])
    }
    kept = {path: data for path, data in files.items() if path not in points}
    others = {name for data in kept.values() for name in listed(data)}
    aside = [str(path) for path, data in points.items() if listed(data) <= others]
    if not aside:
        return files, []
    what = f"{len(aside)} files hold key points of images whose outlines others hold: they are not used."
    told = info(what, "move the others out of the folder to use them.", aside)
    return {path: data for path, data in files.items() if str(path) not in aside}, [told]


def _told_loose(path: Path, data: JsonObject) -> list[Finding]:
    """What is said of annotations whose image the file does not list."""
    listed = {str(entry.get("id")) for entry in data["images"] if isinstance(entry, dict)}
    loose = [
        str(a.get("id")) for a in data["annotations"] if isinstance(a, dict) and str(a.get("image_id")) not in listed
    ]
    if not loose:
        return []
    what = f"{len(loose)} of {len(data['annotations'])} annotations in {path} are of images that it does not list."
    return [warning(what, "export it again with all its images; they are not used.", loose)]


def _told_crowds(path: Path, data: JsonObject) -> list[Finding]:
    """What is said of crowds, whose regions have no label."""
    crowds = [str(a.get("id")) for a in _crowds(data)]
    if not crowds:
        return []
    what = f"{len(crowds)} of {len(data['annotations'])} annotations in {path} are crowds (iscrowd: 1)."
    fix = "write iscrowd: 0 there if each is an area of its class; as crowds they have no label outside the objects."
    return [info(what, fix, crowds)]


def _crowds(data: JsonObject) -> list[JsonObject]:
    """The annotations of regions that hold many objects and what lies between them."""
    annotations = [a for a in data["annotations"] if isinstance(a, dict)]
    crowds = [a for a in annotations if a.get("iscrowd") == 1]
    return crowds if len(crowds) <= MOST_CROWDS * len(annotations) else []


def _assigned(path: Path, images: Iterable[Path], splits: dict[Path, Subset]) -> list[Problem]:
    """Note the subset that a file's name says (instances_train.json) for the images that it lists."""
    part = subset_named(path.stem)
    if part is None:
        return []
    twice = tuple(image.name for image in images if splits.setdefault(image, part) != part)
    if not twice:
        return []
    what = f"{len(twice)} images that {path} lists for {part} are listed for another subset, too."
    return [Problem(what, "list each image in one of the files.", twice)]


def _categories(files: Mapping[Path, JsonObject]) -> list[str]:
    """Names in the order of their numbers, each once; what is no category is told when its file is read."""
    listed = [c for data in files.values() for c in data["categories"] if isinstance(c, dict) and "name" in c]
    numbered = sorted(listed, key=lambda c: c["id"] if isinstance(c.get("id"), int) else 0)
    return [name for name in dict.fromkeys(str(c["name"]) for c in numbered) if name != NO_LABEL]


def _read_one(
    path: Path, data: JsonObject, names: list[str], by_name: NamedImages, shapes: dict[Path, list[Shape]]
) -> tuple[list[Path], list[Problem]]:
    """Add the shapes of one file; give the images that it lists, and what is wrong."""
    index = {NO_LABEL: IGNORED} | {name: k for k, name in enumerate(names, start=1)}
    category = {c["id"]: index[str(c["name"])] for c in data["categories"]}
    place: dict[str, Path] = {}
    scale: dict[str, tuple[float, float]] = {}
    missing = []
    for entry in data["images"]:
        file = str(entry["file_name"])
        image = nearest(path, by_name.named(file))
        if image is not None:
            scale[str(entry["id"])] = scale_to(image, entry.get("height"), entry.get("width"))
            place[str(entry["id"])] = image
            shapes.setdefault(image, [])
        else:
            missing.append(file)
    boxes = 0
    crowds = {id(annotation) for annotation in _crowds(data)}
    for annotation in sorted(data["annotations"], key=lambda a: id(a) not in crowds):  # objects lie on crowds
        image = place.get(str(annotation["image_id"]))
        if image is None:
            continue
        value = IGNORED if id(annotation) in crowds else category[annotation["category_id"]]
        if shape := _shape(annotation, value):
            shapes[image].append(scaled(shape, *scale[str(annotation["image_id"])]))
        else:
            boxes += 1
    problems = []
    if missing:
        problems.append(
            Problem(
                f"{len(missing)} of {len(data['images'])} images listed in {path} are not here, or several are.",
                "put the images next to it, under the names that it gives.",
                tuple(missing),
            )
        )
    if boxes:
        problems.append(
            Problem(
                f"{boxes} of {len(data['annotations'])} annotations in {path} have no outline, only a box.",
                "export them with segmentations.",
            )
        )
    return list(place.values()), problems


def _shape(annotation: JsonObject, value: int) -> Shape | None:
    segmentation = annotation.get("segmentation")
    if isinstance(segmentation, dict):
        height, width = map(int, segmentation["size"])
        counts = segmentation["counts"]
        if not 0 <= height * width <= MAX_PIXELS:
            raise ValueError(f"run lengths of {height} × {width} pixels")
        runs = decode_runs(counts) if isinstance(counts, str) else tuple(map(int, counts))
        if min(runs, default=0) < 0 or sum(runs) != height * width:
            raise ValueError(f"run lengths that do not fill {height} × {width}")
        return Shape(value, runs=runs, height=height, width=width)
    if not segmentation:
        return None
    return Shape(value, tuple((ring_of(flat),) for flat in segmentation))


def scale_to(image: Path, height: Json, width: Json) -> tuple[float, float]:
    """How much larger (down, across) an image is than its annotation file says.

    Raises:
        ValueError: The proportions differ, so that the image was cut or turned since.
    """
    if not (isinstance(height, int) and isinstance(width, int) and height > 0 and width > 0):
        return 1.0, 1.0
    try:
        size = read_header(image).size
    except DataError:  # told with the images
        return 1.0, 1.0
    if size == (height, width):
        return 1.0, 1.0
    down, across = size[0] / height, size[1] / width
    if abs(down * width - size[1]) > max(down, 1.0) and abs(across * height - size[0]) > max(across, 1.0):
        raise ValueError(f"{image.name} is {size[0]} × {size[1]}, and was {height} × {width} when it was annotated")
    return down, across


def scaled(shape: Shape, down: float, across: float) -> Shape:
    """The shape on an image of another size. Raises ValueError for run lengths, which count pixels."""
    if (down, across) == (1.0, 1.0):
        return shape
    if shape.runs:
        raise ValueError("run lengths that count the pixels of an image of another size")
    moved = tuple(
        tuple(tuple((x * across, y * down) for x, y in outline) for outline in rings) for rings in shape.polygons
    )
    return replace(shape, polygons=moved)


def ring_of(flat: Sequence[float]) -> Ring:
    """The points of a flat list x, y, x, y and so on.

    >>> ring_of([1, 2, 3, 4])
    ((1.0, 2.0), (3.0, 4.0))
    """
    return ring(zip(flat[::2], flat[1::2], strict=True))


def decode_runs(text: str) -> tuple[int, ...]:
    """Decode COCO's compressed run lengths: five bits a letter from "0" on, each third run on as a difference.

    >>> decode_runs("52203")  # 5 out, 2 in, 2 out, 2 + 0 in, 2 + 3 out
    (5, 2, 2, 2, 5)

    Raises:
        DataError: The text ends within a number, or holds other letters.
    """
    runs: list[int] = []
    number, shift = 0, 0
    for letter in text:
        bits = ord(letter) - 48
        if not 0 <= bits < 64:
            raise DataError(f"{letter!r} is no letter of COCO run lengths.", fix="export the annotations again.")
        number |= (bits & 0x1F) << shift
        shift += 5
        if not bits & 0x20:
            if bits & 0x10:
                number -= 1 << shift
            runs.append(number + (runs[-2] if len(runs) > 2 else 0))
            number, shift = 0, 0
    if shift:
        raise DataError("COCO run lengths end within a number.", fix="export the annotations again.")
    return tuple(runs)


def parse(path: Path) -> Json:
    """Parse a JSON file; None where it is none."""
    try:
        return parse_json(text_of(path, "utf-8-sig"), str(path))
    except (OSError, ValueError):
        return None
