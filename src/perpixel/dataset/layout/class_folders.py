"""Folders of masks next to each other, road_masks/ and house_masks/: a class each, or readings of one thing."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from perpixel.dataset.layout.folder_tree import Folder
from perpixel.dataset.layout.inventory import painted_values
from perpixel.dataset.layout.names import PICTURED_WORDS
from perpixel.errors import DataError
from perpixel.files.read import read_mask

NO_CLASSES: Final = frozenset(
    {"binary", "old", "new", "final", "raw", "copy", "backup", "orig", "original", "first"}
    | {"second", "annotator", "rater", "reader", "observer", "expert", "user", "prediction", "predictions", "pred"}
    | {"result", "results", "overlay", "boundary", "edge", "edges", "contour", "weights", "weight"}
)
"""Words of other versions of a mask, or of what is made from it."""
LOOKED_AT: Final = 8
ALIKE: Final = 0.5
"""Masks that share this much of what they cover are readings of the same thing."""


def class_folders(folders: Sequence[Folder], pairs: Mapping[Path, Sequence[tuple[Path, Path]]]) -> list[Folder]:
    """The folders road_masks/ and house_masks/, if each is of a class of its own: binary, and hardly overlapping.

    Folders that overlap are several readings of the same, of which one is to be chosen; none is given then.
    """
    words = {folder.path: folder.place.rest.lower().replace("-", "_") for folder in folders}
    named = [
        f for f in folders if words[f.path] and not set(words[f.path].split("_")) & (PICTURED_WORDS | NO_CLASSES)
    ]
    if len(named) < 2 or len(named) < len(folders) or len({*words.values()}) < len(folders):
        return []
    layers = [dict(pairs[folder.path]) for folder in named]
    images = [image for image in layers[0] if all(image in layer for layer in layers)]
    together = np.zeros(2)
    for image in images[:: max(1, len(images) // LOOKED_AT)]:
        try:
            masks = [painted_values(read_mask(layer[image])) for layer in layers]
        except DataError:  # told where all masks are read
            return []
        if len({mask.shape for mask in masks}) > 1 or any(m.ndim > 2 or len(np.unique(m)) > 2 for m in masks):
            return []
        depth = np.sum([mask != 0 for mask in masks], axis=0)
        together += (depth > 1).sum(), (depth > 0).sum()
    return sorted(named, key=lambda f: words[f.path]) if together[0] < ALIKE * together[1] else []
