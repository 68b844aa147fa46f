"""Projects and exports of the VGG Image Annotator, versions 1 and 2.

A project names each image with the size of its file in bytes, and holds no height and width: that an image was
resized since shows in its bytes alone. So the outlines count only where the file is the one that was annotated.

Source: https://www.robots.ox.ac.uk/~vgg/software/via/ (attributes and shapes of via_region_data.json).
"""

import csv
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from perpixel.dataset.annotations.placing import NamedImages
from perpixel.dataset.layout.text_tables import decoded_text
from perpixel.dataset.sample import Ring, ring
from perpixel.errors import DataError
from perpixel.files.parse import parse_json
from perpixel.runtime.json_values import Json, JsonMapping

CLASS_ATTRIBUTES: Final = ("class", "label", "category", "type", "name", "object", "species")
"""Attributes of regions that name their class where they have several, the plainest first."""
CORNERS: Final = 64
UNKNOWN_SIZES: Final = frozenset({-1, 0})
"""What is written for images that were loaded by their address."""


@dataclass(frozen=True)
class ViaImage:
    """One image: its name, and its regions as class and outline; None for a region that is no area."""

    name: str
    regions: tuple[tuple[str, Ring | None], ...]


def is_via(data: Json) -> bool:
    """Whether parsed JSON is a project or an export of the VGG Image Annotator."""
    return bool(_entries(data))


def via_images(data: Json, path: Path, images: Sequence[Path]) -> list[ViaImage]:
    """The images that have regions; one without any is not annotated yet.

    Args:
        data: Parsed JSON that `is_via`.
        path: Its file, for messages.
        images: All image files.

    Raises:
        DataError: Images have other sizes in bytes than when they were annotated, or no attribute is the class.
        KeyError, TypeError, ValueError: The file is not sound.
    """
    entries = [entry for entry in _entries(data) if entry["regions"]]
    _refuse_other_files(entries, path, images)
    regions = {
        id(e): list(e["regions"].values() if isinstance(e["regions"], dict) else e["regions"]) for e in entries
    }
    attribute = _class_attribute([r.get("region_attributes") or {} for each in regions.values() for r in each], path)
    return [
        ViaImage(
            str(entry["filename"]),
            tuple(
                (_value((region.get("region_attributes") or {}).get(attribute)), _outline(region["shape_attributes"]))
                for region in regions[id(entry)]
            ),
        )
        for entry in entries
    ]


def via_table(path: Path) -> Json:
    """A CSV export as the JSON export has it; None for any other table. Raises ValueError and DataError."""
    rows = list(csv.DictReader(decoded_text(path).splitlines()))
    if not rows or "region_shape_attributes" not in rows[0] or rows[0].get("region_attributes") is None:
        return None
    entries: dict[str, dict[str, Json]] = {}
    for row in rows:
        size = row.get("file_size") or "-1"
        entry = entries.setdefault(row["filename"], {"filename": row["filename"], "size": int(size), "regions": []})
        shape = parse_json(row["region_shape_attributes"] or "{}", str(path))
        if shape:
            attributes = parse_json(row["region_attributes"] or "{}", str(path))
            entry["regions"].append({"shape_attributes": shape, "region_attributes": attributes})
    return entries


def _entries(data: Json) -> list[JsonMapping]:
    """What a project says of each image; nothing for other JSON."""
    if not isinstance(data, dict):
        return []
    found = data.get("_via_img_metadata", data)
    entries = list(found.values()) if isinstance(found, dict) else []
    return entries if all(isinstance(e, dict) and "filename" in e and "regions" in e for e in entries) else []


def _refuse_other_files(entries: Iterable[JsonMapping], path: Path, images: Sequence[Path]) -> None:
    by_name = NamedImages(images)
    other = []
    for entry in entries:
        image, stated = by_name.of(path, str(entry["filename"])), int(entry.get("size", -1))
        if image is not None and stated not in UNKNOWN_SIZES and image.stat().st_size != stated:
            other.append(f"{image.name}: {image.stat().st_size:,} bytes, and {stated:,} when it was annotated")
    if other:
        raise DataError(
            f"{len(other)} images are not the files that were annotated in {path}, which does not say their height "
            "and width: if they were resized or cut since, the outlines do not fit.",
            examples=other,
            fix="put the files there that were annotated; or write the size -1 for them if height and width are the "
            "same.",
        )


def _class_attribute(each: Sequence[Mapping[str, Json]], path: Path) -> str:
    """The attribute that names the class; empty where no region has any."""
    told = Counter(name for attributes in each for name, value in attributes.items() if _value(value))
    if len(told) < 2:
        return next(iter(told), "")
    plain = [name for word in CLASS_ATTRIBUTES for name in told if name.lower() == word]
    if plain and told[plain[0]] == max(told.values()):
        return plain[0]
    raise DataError(
        f"the regions in {path} have {len(told)} attributes, and it is not clear which is the class.",
        examples=[f"{name}: {count} regions" for name, count in told.most_common()],
        fix="call the attribute of the class 'class', and give it to all regions.",
    )


def _value(value: Json) -> str:
    """The text of an attribute; of ticked boxes the one that is ticked. Raises ValueError where several are."""
    if isinstance(value, dict):
        ticked = [str(name) for name, is_on in value.items() if is_on]
        if len(ticked) > 1:
            raise ValueError(f"a region of several classes: {', '.join(ticked)}")
        return ticked[0] if ticked else ""
    return "" if value is None else str(value).strip()


def _outline(shape: JsonMapping) -> Ring | None:
    """The outline of a region; None for points and lines."""
    match shape["name"]:
        case "polygon":
            points = list(zip(shape["all_points_x"], shape["all_points_y"], strict=True))
            return ring(points) if len(points) >= 3 else None
        case "rect":
            x, y, width, height = (float(shape[key]) for key in ("x", "y", "width", "height"))
            return ring([(x, y), (x + width, y), (x + width, y + height), (x, y + height)])
        case "circle":
            return ellipse(shape, float(shape["r"]), float(shape["r"]), 0.0)
        case "ellipse":
            return ellipse(shape, float(shape["rx"]), float(shape["ry"]), float(shape.get("theta", 0.0)))
    return None


def ellipse(shape: JsonMapping, across: float, down: float, turn: float) -> Ring:
    """An ellipse around `cx` and `cy` as corners: half axes in pixels, turned by radians."""
    corners = []
    for k in range(CORNERS):
        angle = 2 * math.pi * k / CORNERS
        x, y = across * math.cos(angle), down * math.sin(angle)
        corners.append((x * math.cos(turn) - y * math.sin(turn), x * math.sin(turn) + y * math.cos(turn)))
    return ring((float(shape["cx"]) + x, float(shape["cy"]) + y) for x, y in corners)
