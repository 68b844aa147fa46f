"""Polygons as SuperAnnotate, Datumaro, ISAT, Encord, the first LabelMe and the data set xBD write them.

Sources: https://doc.superannotate.com (vector projects), https://open-edge-platform.github.io/datumaro (the format
`datumaro`), https://github.com/CSAILVision/LabelMeAnnotationTool (annotation files),
https://github.com/yatengLG/ISAT_with_segment_anything (its JSON), https://docs.encord.com (label export),
https://xview2.org (labels of xBD).
"""

import re
from collections.abc import Sequence
from pathlib import Path

from perpixel.dataset.annotations.annotated import Annotated, Outline, Polygons
from perpixel.dataset.sample import Ring, ring
from perpixel.errors import DataError
from perpixel.runtime.json_values import Json, JsonMapping


def superannotate(data: Json, path: Path, _: Sequence[Path]) -> list[Annotated] | None:
    """NAME.png.json or NAME.png___objects.json of a vector project. Raises DataError for a pixel project."""
    if not isinstance(data, dict) or not isinstance(data.get("instances"), list) or "metadata" not in data:
        return None
    if any("parts" in item for item in data["instances"]):
        raise DataError(
            f"{path} belongs to a pixel project of SuperAnnotate, whose areas are colours in NAME.png___save.png.",
            fix="export the project as COCO.",
        )
    meta = data["metadata"]
    areas = tuple(_superannotate_area(item) for item in data["instances"])
    return [Annotated(str(meta.get("name", "")), areas, meta.get("height"), meta.get("width"))]


def _superannotate_area(item: JsonMapping) -> Outline:
    label = str(item.get("className") or "")
    if item.get("type") != "polygon":
        return Outline(label)
    rings = [_flat(item["points"]), *map(_flat, item.get("exclude") or [])]
    return Outline(label, (tuple(rings),))


def datumaro(data: Json, _: Path, __: Sequence[Path]) -> list[Annotated] | None:
    """annotations/SUBSET.json: polygons in the order of z_order; masks are none."""
    if not isinstance(data, dict) or not isinstance(data.get("items"), list) or "categories" not in data:
        return None
    names = [str(label["name"]) for label in data["categories"]["label"]["labels"]]
    found = []
    for item in data["items"]:
        image = item.get("image") or {}
        height, width = image.get("size") or (None, None)
        areas = sorted(item["annotations"], key=lambda a: a.get("z_order", 0))
        outlines = tuple(_datumaro_area(a, names) for a in areas if a.get("type") not in ("label", "caption"))
        found.append(Annotated(str(image.get("path") or item["id"]), outlines, height, width))
    return found


def _datumaro_area(item: JsonMapping, names: Sequence[str]) -> Outline:
    polygons: Polygons = ((_flat(item["points"]),),) if item["type"] == "polygon" else ()
    return Outline(names[item["label_id"]], polygons)


def labelme_xml(data: Json, path: Path, _: Sequence[Path]) -> list[Annotated] | None:
    """An XML file an image, with polygons of `pt`; none of VOC's boxes. Raises DataError where areas are painted."""
    if data is None or data.tag != "annotation" or data.find("object/polygon") is None:
        return None
    areas = []
    for item in data.iter("object"):
        if item.findtext("deleted", "0").strip() == "1":
            continue
        if item.find("segm") is not None:
            raise DataError(f"{path} holds painted areas.", fix="export the annotations as COCO or as masks.")
        points = [(float(p.findtext("x", "nan")), float(p.findtext("y", "nan"))) for p in item.iterfind("polygon/pt")]
        label = item.findtext("name", "").strip()
        areas.append(Outline(label, ((ring(points),),) if len(points) >= 3 else ()))
    height, width = (data.findtext(f"imagesize/n{side}") for side in ("rows", "cols"))
    size = (int(height), int(width)) if height and width else (None, None)
    return [Annotated(data.findtext("filename", "").strip(), tuple(areas), *size)]


def _flat(numbers: Sequence[float]) -> Ring:
    """An outline from x, y, x, y …; raises ValueError for fewer than three points."""
    if len(numbers) < 6 or len(numbers) % 2:
        raise ValueError(f"an outline of {len(numbers)} numbers")
    return ring(zip(numbers[::2], numbers[1::2], strict=True))


def isat(data: Json, _: Path, __: Sequence[Path]) -> list[Annotated] | None:
    """NAME.json of ISAT, the objects from the lowest layer up."""
    info = data.get("info") if isinstance(data, dict) else None
    if not isinstance(info, dict) or info.get("description") != "ISAT":
        return None
    objects = sorted(data["objects"], key=lambda item: float(item.get("layer") or 0))
    areas = (
        Outline(str(item["category"]).replace("__background__", "background"), ((ring(item["segmentation"]),),))
        for item in objects
    )
    return [Annotated(str(info["name"]), tuple(areas), info.get("height"), info.get("width"))]


def xbd(data: Json, _: Path, __: Sequence[Path]) -> list[Annotated] | None:
    """NAME.json of xBD: well-known text in pixels; the class is the damage where it is known, else what it is."""
    features = data.get("features") if isinstance(data, dict) else None
    if not isinstance(data, dict) or not isinstance(features, dict) or not isinstance(features.get("xy"), list):
        return None
    meta = data["metadata"]
    areas = []
    for item in features["xy"]:
        said = item["properties"]
        rings = [
            [corner.split()[:2] for corner in text.split(",")] for text in re.findall(r"\(([^()]+)\)", item["wkt"])
        ]
        outline = tuple(ring((float(x), float(y)) for x, y in each) for each in rings)
        is_area = item["wkt"].lstrip().startswith("POLYGON")
        areas.append(Outline(str(said.get("subtype") or said["feature_type"]), (outline,) if is_area else ()))
    return [Annotated(str(meta.get("img_name", "")), tuple(areas), meta.get("height"), meta.get("width"))]


def encord(data: Json, _: Path, __: Sequence[Path]) -> list[Annotated] | None:
    """A list of Encord's label rows, or one: corners in shares of the width and the height."""
    rows = data if isinstance(data, list) else [data]
    if not rows or not all(isinstance(row, dict) and isinstance(row.get("data_units"), dict) for row in rows):
        return None
    found = []
    for unit in (unit for row in rows for unit in row["data_units"].values()):
        height, width = unit["height"], unit["width"]
        areas = []
        for item in unit["labels"].get("objects", []):
            corners = item["polygon"] if isinstance(item.get("polygon"), dict) else {}
            points = [(corners[k]["x"] * width, corners[k]["y"] * height) for k in sorted(corners, key=int)]
            areas.append(Outline(str(item["name"]), ((ring(points),),) if len(points) >= 3 else ()))
        found.append(Annotated(str(unit["data_title"]), tuple(areas), height, width))
    return found
