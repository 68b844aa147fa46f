"""A STAC item beside the exports of georeferenced runs: what the model is, where it was trained, what it maps.

Source: STAC 1.1 and its Machine Learning Model extension 1.5 (stac-extensions/mlm).
"""

import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from perpixel.dataset import scan
from perpixel.dataset.overrides import stated_by
from perpixel.errors import PerpixelError
from perpixel.exporting.source import ExportSource
from perpixel.files.read import read_header
from perpixel.runtime.evenly import evenly
from perpixel.runtime.json_values import JsonObject

ITEM: Final = "item.json"
MLM: Final = "https://stac-extensions.github.io/mlm/v1.5.2/schema.json"
CLASSIFICATION: Final = "https://stac-extensions.github.io/classification/v1.1.0/schema.json"
MOST_HEADERS: Final = 1000
"""The place is told from at most so many images of the run's data, evenly taken."""

MEDIA_TYPES: Final = {
    ".onnx": "application/octet-stream; application=onnx",
    ".pt": "application/octet-stream; application=pytorch",
    ".xml": "application/xml",
    ".html": "text/html",
}

Box = tuple[float, float, float, float]


def write_stac_item(source: ExportSource, models: Sequence[str], folder: Path) -> None:
    """Write item.json where the run's images are georeferenced.

    Args:
        source: With the final card.
        models: The names of the model files; the first is the model's asset.
        folder: Of the export.
    """
    box = _box(source)
    if box is not None:
        text = json.dumps(stac_item(source, models, box), indent=2, ensure_ascii=False)
        (folder / ITEM).write_text(text + "\n", encoding="utf-8")


def stac_item(source: ExportSource, models: Sequence[str], box: Box) -> JsonObject:
    """The item.

    Args:
        source: With the final card.
        models: The names of the model files.
        box: (west, south, east, north) of the run's images, in degrees.
    """
    west, south, east, north = box
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    assets: JsonObject = {"card": {"href": "./card.json", "type": "application/json", "roles": ["metadata"]}}
    for place, name in enumerate(models):
        media = MEDIA_TYPES.get(Path(name).suffix, "application/octet-stream")
        assets["model" if place == 0 else Path(name).name] = {
            "href": f"./{name}",
            "type": media,
            "roles": ["mlm:model", "data"],
            "mlm:artifact_type": Path(name).suffix.lstrip("."),
        }
    return {
        "type": "Feature",
        "stac_version": "1.1.0",
        "stac_extensions": [MLM, CLASSIFICATION],
        "id": _plain(source.run.folder.name),
        "geometry": {"type": "Polygon", "coordinates": [ring]},
        "bbox": list(box),
        "properties": {"datetime": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"), **_properties(source)},
        "links": [],
        "assets": assets,
    }


def _properties(source: ExportSource) -> JsonObject:
    card = source.card
    labels, codec, model = card.codec.labels, card.codec, card.model
    architecture = " on ".join(str(part) for part in (model["name"], model["encoder"]) if part)
    is_pretrained = "licence" in card.weights
    shape: JsonObject = {"dim_order": ["batch", "channel", "height", "width"]}
    image = {"shape": [-1, codec.channels, -1, -1], **shape, "data_type": codec.dtype}
    result = {
        "shape": [-1, len(labels), -1, -1],
        "dim_order": ["batch", "class", "height", "width"],
        "data_type": "float32",
    }
    classes = [
        {"value": k, "name": _plain(name), "description": name, "color_hint": "{:02X}{:02X}{:02X}".format(*colour)}
        for k, (name, colour) in enumerate(zip(labels.names, labels.colours, strict=True))
    ]
    tasks = ["semantic-segmentation"]
    return {
        "description": f"Segments {', '.join(labels.names)}; raw pixels to probabilities.",
        "mlm:name": f"model {_plain(source.run.folder.name)}",
        "mlm:architecture": architecture,
        "mlm:framework": "ONNX" if card.target in ("onnx", "huggingface", "deepness") else card.target,
        "mlm:tasks": tasks,
        "mlm:total_parameters": sum(
            weights.numel() for network in source.networks for weights in network.parameters()
        ),
        "mlm:pretrained": is_pretrained,
        "mlm:pretrained_source": "ImageNet" if is_pretrained else None,
        "mlm:input": [{"name": "image", "bands": [], "input": image}],
        "mlm:output": [
            {"name": "probabilities", "tasks": tasks, "result": result, "classification:classes": classes}
        ],
    }


def _box(source: ExportSource) -> Box | None:
    """The box around the run's images in degrees (WGS 84); None where none tells its place."""
    try:
        stated = stated_by(source.run.settings.data)
        samples = scan(source.run.data, source.card.codec.labels, overrides=stated).samples
        paths = [sample.image for sample in evenly(samples, MOST_HEADERS)]
    except PerpixelError:  # the data are gone: the images of the proof are there
        paths = [Path(each.name) for each in source.images]
    boxes = [box for path in paths if (box := _box_of(path)) is not None]
    if not boxes:
        return None
    west, south, east, north = zip(*boxes, strict=True)
    return min(west), min(south), max(east), max(north)


def _box_of(path: Path) -> Box | None:
    header = read_header(path)
    place = header.georeference
    if place is None or not place.crs_wkt:
        return None
    from rasterio.crs import CRS  # it has read the CRS, so it is there
    from rasterio.warp import transform_bounds

    crs = CRS.from_wkt(place.crs_wkt)
    west, south, east, north = transform_bounds(crs, "EPSG:4326", *place.bounds(header.height, header.width))
    return round(west, 7), round(south, 7), round(east, 7), round(north, 7)


def _plain(name: str) -> str:
    """Letters, digits, hyphens and underscores, as identifiers of STAC are."""
    return re.sub(r"[^0-9A-Za-z_-]+", "-", name).strip("-_") or "unnamed"
