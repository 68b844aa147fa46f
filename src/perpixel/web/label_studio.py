"""Label Studio's format of masks and predictions; a mask is written as `brush_rle` says."""

import hashlib
from dataclasses import dataclass
from typing import Final

import numpy as np

from perpixel.dataset.annotations.brush_rle import decode_rle, encode_rle
from perpixel.errors import DataError
from perpixel.files.parse import parse_xml
from perpixel.labels.labels import Labels
from perpixel.runtime.json_values import Json, JsonObject
from perpixel.shapes import IGNORED, TargetArray

MOST_CONFIG: Final = 2**20


@dataclass(frozen=True)
class BrushTag:
    """The tag of a labelling interface that takes masks: its name, what it labels, and the names of its labels."""

    from_name: str
    to_name: str
    names: tuple[str, ...]


def brush_tag(config: str) -> BrushTag:
    """Find the tag for masks in a labelling interface.

    Raises:
        DataError: There is none, or the interface is no XML.
    """
    fix = 'add <BrushLabels name="…" toName="…"> with the classes of the model.'
    if len(config) > MOST_CONFIG or "<!" in config:
        raise DataError("the labelling interface is too long, or declares entities.", fix=fix)
    try:
        root = parse_xml(config, "the labelling configuration")
    except ValueError as error:
        raise DataError(f"the labelling interface is no XML: {error}.", fix=fix) from None
    for tag in root.iter("BrushLabels"):
        names = tuple(label.get("value", "") for label in tag.iter("Label"))
        return BrushTag(tag.get("name", ""), tag.get("toName", ""), names)
    raise DataError("the labelling interface has no BrushLabels.", fix=fix)


def brush_results(target: TargetArray, labels: Labels, tag: BrushTag) -> list[JsonObject]:
    """A prediction as Label Studio's results: a mask for each class that the interface knows and the image has.

    Args:
        target: (H, W) class indices, or (K, H, W) in {0, 1}.
        labels: The classes; the background is left out.
        tag: Where masks go.
    """
    height, width = target.shape[-2:]
    results = []
    for k, name in enumerate(labels.names):
        mask = labels.class_mask(target, k)
        if k == labels.background or name not in tag.names or not mask.any():
            continue
        results.append(
            {
                "id": hashlib.blake2b(f"{name}{mask.tobytes()!r}".encode(), digest_size=5).hexdigest(),
                "type": "brushlabels",
                "from_name": tag.from_name,
                "to_name": tag.to_name,
                "original_width": width,
                "original_height": height,
                "image_rotation": 0,
                "value": {"format": "rle", "rle": encode_rle(mask), "brushlabels": [name]},
            }
        )
    return results


def target_of(results: Json, labels: Labels, shape: tuple[int, int]) -> TargetArray:
    """The masks of an annotation as a target: (H, W) class indices, IGNORED where nothing was painted.

    Raises:
        DataError: A mask cannot be read.
    """
    target = np.full(shape, IGNORED, np.uint8)
    for result in results if isinstance(results, list) else []:
        value = result.get("value") if isinstance(result, dict) else None
        if not isinstance(value, dict):
            continue
        names = value.get("brushlabels")
        if isinstance(names, list) and len(names) == 1 and names[0] in labels.names:
            target[decode_rle(value.get("rle"), *shape)] = labels.names.index(names[0])
    return target
