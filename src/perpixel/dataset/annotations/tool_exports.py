"""Areas as tools write them: CVAT, Label Studio, Supervisely, Cityscapes, Aperio, V7, hasty, ilastik, Labkit."""

import base64
import io
import math
import re
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final
from urllib.parse import unquote

import numpy as np
from PIL import Image

from perpixel.dataset.annotations.annotated import Annotated, Outline, Polygons
from perpixel.dataset.annotations.brush_rle import decode_rle
from perpixel.dataset.annotations.coco import scale_to, scaled
from perpixel.dataset.annotations.ilastik import ilastik_labels
from perpixel.dataset.annotations.labelled_shapes import IGNORED_NAMES, LABELLED_BACKGROUNDS
from perpixel.dataset.annotations.labkit import labkit_labels, labkit_raster
from perpixel.dataset.annotations.placing import NamedImages, placed_bitmap, runs_of
from perpixel.dataset.annotations.plain_polygons import datumaro, encord, isat, labelme_xml, superannotate, xbd
from perpixel.dataset.annotations.via import ellipse, is_via, via_images, via_table
from perpixel.dataset.layout.names import natural
from perpixel.dataset.sample import Drawn, Shape, ring
from perpixel.errors import DataError, Problem
from perpixel.files.limits import MAX_PIXELS
from perpixel.files.parse import Element, parse_xml
from perpixel.files.whole_file import text_of
from perpixel.runtime.json_values import Json, JsonMapping
from perpixel.shapes import IGNORED

IMAGE_ENDING: Final = re.compile(r"\.(png|jpe?g|tiff?|bmp|webp|gif)(\?|$)", re.IGNORECASE)
UPLOADED: Final = re.compile(r"[0-9a-f]{8}-(.+)")
"""Label Studio puts a random word before the names of what is uploaded."""
PARTIAL: Final = frozenset({"ilastik", "Labkit", "Labkit with TIFF"})
"""Tools whose labels are strokes: what lies outside has none."""
OWN_ENDINGS: Final = frozenset({".ilp", ".labeling"})
"""Endings that no other program uses: such a file that cannot be read is told."""


def read_exports(
    files: Sequence[Path], parsed: Mapping[Path, Json], images: Sequence[Path]
) -> tuple[Drawn, str] | None:
    """Collect the areas of the first tool's format that any file has.

    Args:
        files: All files that are not images.
        parsed: The JSON of those that hold some.
        images: To be found by the names in the files, or by the files' own.

    Returns:
        What is drawn, and the tool's name; None where no file is such an export.
    """
    for tool, (ending, read) in FORMATS.items():
        found: dict[Path, list[Annotated]] = {}
        problems: list[Problem] = []
        for path in files:
            if path.suffix.lower() != ending:
                continue
            try:
                each = read(_xml(path) if ending == ".xml" else parsed.get(path), path, images)
            except DataError as error:
                problems += error.problems
                continue
            except (
                KeyError,
                TypeError,
                ValueError,
                AttributeError,
                IndexError,
                OverflowError,
                zlib.error,
                OSError,
            ) as error:
                problems.append(Problem(f"{path} is not sound {tool}: {error!r}.", "export it again."))
                continue
            if each is not None:
                found[path] = each
        if any(found.values()) or (problems and (found or ending in OWN_ENDINGS)):
            return replace(_drawn(found, images, problems), is_partial=tool in PARTIAL), tool
    return None


def _xml(path: Path) -> Element | None:
    try:
        return parse_xml(text_of(path, "utf-8-sig"), str(path))
    except (OSError, ValueError, DataError):
        return None


def _drawn(found: Mapping[Path, Sequence[Annotated]], images: Sequence[Path], problems: list[Problem]) -> Drawn:
    found, unnamed = _with_labels(found)
    names = {area.label for each in found.values() for of in each for area in of.areas}
    classes = sorted((n for n in names if n.lower() not in LABELLED_BACKGROUNDS | IGNORED_NAMES), key=natural)
    value = {name: k for k, name in enumerate(classes, start=1)}
    value |= {n: 0 if n.lower() in LABELLED_BACKGROUNDS else IGNORED for n in names if n not in value}
    shapes: dict[Path, list[Shape]] = {}
    missing, odd = [], []
    by_name = NamedImages(images)
    for path, each in found.items():
        for of in each:
            image = by_name.of(path, of.image) or by_name.of(path, _before_upload(of.image))
            if image is None:
                missing.append(of.image or path.name)
                continue
            own = shapes.setdefault(image, [])
            try:
                scale = scale_to(image, of.height, of.width)
                size = (
                    {}
                    if not any(area.runs for area in of.areas)
                    else {"height": of.height or 0, "width": of.width or 0}
                )
                for area in of.areas:
                    if area.polygons or area.runs:
                        shape = Shape(value[area.label], area.polygons, area.runs, page=area.page, **size)
                        own.append(scaled(shape, *scale))
                    else:
                        odd.append(f"{of.image or path.name}: {area.label}")
            except ValueError as error:
                problems.append(Problem(f"{path.name}: {error}.", "annotate the image as it is now."))
    if missing:
        what = f"{len(missing)} annotated images are not here, or several have their name."
        problems.append(Problem(what, "put them next to the annotations, or remove these.", tuple(missing)))
    if unnamed:
        what = f"{len(unnamed)} areas have no class, and others have one."
        problems.append(Problem(what, "give each its class.", tuple(unnamed)))
    if odd:
        what = f"{len(odd)} annotations are boxes, points or lines, which hold no area."
        problems.append(Problem(what, "draw polygons or masks instead, or remove them.", tuple(odd)))
    order = next((of.order for each in found.values() for of in each), ())
    return Drawn(tuple(classes), {i: tuple(own) for i, own in shapes.items()}, tuple(problems), order=order)


def _with_labels(found: Mapping[Path, Sequence[Annotated]]) -> tuple[dict[Path, list[Annotated]], list[str]]:
    """The same with the class "object" where no area has one; else where a class is missing."""
    bare = [of.image or path.name for path, each in found.items() for of in each for a in of.areas if not a.label]
    every = sum(len(of.areas) for each in found.values() for of in each)

    def named(area: Outline) -> Outline:
        return area if area.label else replace(area, label="object")

    both = {p: [replace(of, areas=tuple(map(named, of.areas))) for of in each] for p, each in found.items()}
    return both, bare if len(bare) < every else []


def _before_upload(name: str) -> str:
    matched = UPLOADED.fullmatch(name.replace("\\", "/").rsplit("/", 1)[-1])
    return matched[1] if matched else ""


def _pairs(points: Sequence[Sequence[float]]) -> Polygons:
    return ((ring(points),),) if len(points) >= 3 else ()


def _cvat(data: Json, _: Path, __: Sequence[Path]) -> list[Annotated] | None:
    """CVAT for images 1.1. Images without areas count as labelled: all background."""
    if data is None or data.tag != "annotations" or data.find("image") is None:
        return None
    found = []
    for image in data.iter("image"):
        height, width = int(image.get("height", 0)), int(image.get("width", 0))
        drawn = sorted((e for e in image if e.get("label")), key=lambda e: int(e.get("z_order", 0)))
        found.append(
            Annotated(image.get("name", ""), tuple(_cvat_area(e, height, width) for e in drawn), height, width)
        )
    return found


def _cvat_area(element: Element, height: int, width: int) -> Outline:
    label = element.get("label", "")
    if element.tag == "polygon":
        return Outline(
            label, _pairs([[float(v) for v in p.split(",")] for p in element.get("points", "").split(";")])
        )
    if element.tag == "ellipse":
        turn = math.radians(float(element.get("rotation", 0)))
        sizes = {key: float(element.get(key, "nan")) for key in ("cx", "cy", "rx", "ry")}
        return Outline(label, ((ellipse(sizes, sizes["rx"], sizes["ry"], turn),),))
    if element.tag == "mask":
        left, top, across, down = (int(float(element.get(key, 0))) for key in ("left", "top", "width", "height"))
        runs = [int(run) for run in element.get("rle", "").split(",")]
        if not 0 < height * width <= MAX_PIXELS or sum(runs) != across * down:
            raise ValueError(f"run lengths that do not fill {down} × {across}")
        bits = np.repeat(np.arange(len(runs)) % 2 == 1, runs).reshape(down, across)
        return Outline(label, runs=placed_bitmap(bits, left, top, height, width))
    return Outline(label)


def _label_studio(data: Json, path: Path, __: Sequence[Path]) -> list[Annotated] | None:
    """Label Studio's JSON of polygons and brushes."""
    if not isinstance(data, list) or not data or not all(isinstance(t, dict) and "data" in t for t in data):
        return None
    if not all("annotations" in task or "completions" in task for task in data):
        return None
    found = []
    for task in data:
        done = [a for a in task.get("annotations") or task.get("completions") or [] if not a.get("was_cancelled")]
        if not done:
            continue
        if len(done) > 1:
            raise DataError(
                f"{path}: a task has {len(done)} annotations.", fix="export one annotation for each task."
            )
        texts = [unquote(v) for v in task["data"].values() if isinstance(v, str)]
        name = next((v for v in texts if IMAGE_ENDING.search(v)), "")
        results = [r for r in done[-1].get("result", []) if isinstance(r.get("value"), dict)]
        sizes = [(r["original_height"], r["original_width"]) for r in results if "original_height" in r]
        height, width = sizes[0] if sizes else (None, None)
        areas = tuple(_label_studio_area(r["value"], height, width) for r in results)
        found.append(Annotated(name.split("?d=")[-1].split("?")[0], areas, height, width))
    return found


def _label_studio_area(value: JsonMapping, height: int | None, width: int | None) -> Outline:
    label = next((v[0] for k, v in value.items() if k.endswith("labels") and v), "")
    if "points" in value and height and width:
        return Outline(label, _pairs([(x * width / 100, y * height / 100) for x, y in value["points"]]))
    if "rle" in value and height and width:
        return Outline(label, runs=runs_of(decode_rle(value["rle"], height, width)))
    return Outline(label)


def _supervisely(data: Json, _: Path, __: Sequence[Path]) -> list[Annotated] | None:
    if not isinstance(data, dict) or not isinstance(data.get("objects"), list) or "size" not in data:
        return None
    height, width = int(data["size"]["height"]), int(data["size"]["width"])
    return [Annotated("", tuple(_supervisely_area(o, height, width) for o in data["objects"]), height, width)]


def _supervisely_area(item: JsonMapping, height: int, width: int) -> Outline:
    label = str(item["classTitle"])
    if bitmap := item.get("bitmap"):
        picture = Image.open(io.BytesIO(zlib.decompress(base64.b64decode(bitmap["data"]))))
        mask = np.array(picture.convert("RGBA"))
        set_ = (
            mask[..., 3] > 0 if picture.mode in ("RGBA", "LA", "P") and mask[..., 3].min() < 255 else mask[..., 0] > 0
        )
        left, top = map(int, bitmap["origin"])
        return Outline(label, runs=placed_bitmap(set_, left, top, height, width))
    if item.get("geometryType") == "rectangle":
        (x0, y0), (x1, y1) = item["points"]["exterior"]
        return Outline(label, _pairs([(x0, y0), (x1, y0), (x1, y1), (x0, y1)]))
    if item.get("geometryType") != "polygon":
        return Outline(label)
    rings = [item["points"]["exterior"], *item["points"].get("interior", [])]
    return Outline(label, (tuple(map(ring, rings)),))


def _cityscapes(data: Json, path: Path, images: Sequence[Path]) -> list[Annotated] | None:
    """Polygons of Cityscapes; NAME_gtFine_polygons.json goes with NAME_leftImg8bit.png."""
    if not isinstance(data, dict) or not {"imgHeight", "imgWidth", "objects"} <= set(data):
        return None
    areas = tuple(Outline(str(o["label"]), _pairs(o["polygon"])) for o in data["objects"] if not o.get("deleted"))
    scene = path.stem.removesuffix("_polygons").rpartition("_")[0]
    named = [i.name for i in images if i.stem in (f"{scene}_leftImg8bit", scene)]
    return [Annotated(named[0] if len(named) == 1 else "", areas, data["imgHeight"], data["imgWidth"])]


def _aperio(data: Json, _: Path, __: Sequence[Path]) -> list[Annotated] | None:
    """Aperio ImageScope, as MoNuSeg has it. Regions are of the class of their layer, if it has a name.

    MoNuSAC names the class as an attribute; one called Description, which every layer has, is none.
    """
    if data is None or data.tag != "Annotations" or data.find("Annotation") is None:
        return None
    areas = []
    for layer in data.iter("Annotation"):
        said = (attribute.get("Name", "") for attribute in layer.iterfind("Attributes/Attribute"))
        label = layer.get("Name") or next((name for name in said if name not in ("", "Description")), "")
        for region in layer.iter("Region"):
            points = [(float(v.get("X", "nan")), float(v.get("Y", "nan"))) for v in region.iter("Vertex")]
            areas.append(Outline(label, _pairs(points)))
    return [Annotated("", tuple(areas))]


def _darwin(data: Json, _: Path, __: Sequence[Path]) -> list[Annotated] | None:
    """V7 Darwin 2. The paths of a polygon are its parts and holes: what an even number of them holds is outside."""
    if not isinstance(data, dict) or not isinstance(data.get("item"), dict) or "annotations" not in data:
        return None
    areas = []
    for item in data["annotations"]:
        paths = (item.get("polygon") or {}).get("paths", [])
        rings = tuple(ring((p["x"], p["y"]) for p in path) for path in paths)
        areas.append(Outline(str(item["name"]), (rings,) if rings else ()))
    return [Annotated(str(data["item"]["name"]), tuple(areas))]


def _hasty(data: Json, _: Path, __: Sequence[Path]) -> list[Annotated] | None:
    if not isinstance(data, dict) or not isinstance(data.get("images"), list) or "label_classes" not in data:
        return None
    return [
        Annotated(
            str(image["image_name"]),
            tuple(Outline(str(label["class_name"]), _pairs(label.get("polygon") or [])) for label in image["labels"]),
            image.get("height"),
            image.get("width"),
        )
        for image in data["images"]
    ]


def _via(data: Json, path: Path, images: Sequence[Path]) -> list[Annotated] | None:
    """The VGG Image Annotator's JSON, or its CSV."""
    data = via_table(path) if path.suffix.lower() == ".csv" else data
    if not is_via(data):
        return None
    return [
        Annotated(of.name, tuple(Outline(label, ((outline,),) if outline else ()) for label, outline in of.regions))
        for of in via_images(data, path, images)
    ]


Reader = Callable[[Json, Path, Sequence[Path]], list[Annotated] | None]
FORMATS: Final[dict[str, tuple[str, Reader]]] = {
    "Label Studio": (".json", _label_studio),
    "Supervisely": (".json", _supervisely),
    "Cityscapes": (".json", _cityscapes),
    "Darwin": (".json", _darwin),
    "hasty": (".json", _hasty),
    "VGG Image Annotator": (".json", _via),
    "VGG Image Annotator's CSV": (".csv", _via),
    "SuperAnnotate": (".json", superannotate),
    "Datumaro": (".json", datumaro),
    "ISAT": (".json", isat),
    "xBD": (".json", xbd),
    "Encord": (".json", encord),
    "CVAT": (".xml", _cvat),
    "LabelMe's XML": (".xml", labelme_xml),
    "Aperio": (".xml", _aperio),
    "ilastik": (".ilp", ilastik_labels),
    "Labkit": (".labeling", labkit_labels),
    "Labkit with TIFF": (".labels", labkit_raster),
}
"""Each with the ending of its files; a reader gives None for a file that is none of its own."""
