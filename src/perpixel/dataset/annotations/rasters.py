"""Georeferenced rasters: which is the label of which, and whether they lie in the same place."""

from pathlib import Path
from typing import Final

import numpy as np

from perpixel.dataset.layout.folder_tree import Tree
from perpixel.dataset.layout.layouts import Layout
from perpixel.dataset.layout.matches import sample_of
from perpixel.dataset.layout.unnamed_folders import holds_labels
from perpixel.dataset.sample import info
from perpixel.errors import DataError
from perpixel.files.read import GeoReference, Header, read_header, read_mask

FEW: Final = 3
"""So few numbers from 0 or 1 on are no heights."""
UNEVEN: Final = 0.05
"""From this share of the steps between neighbours on that are of more than 1, numbers are no heights."""


def recognise_rasters(tree: Tree) -> Layout | None:
    """Recognise folders of two georeferenced rasters on one grid, of which one has a single band of few values.

    Bytes are labels; a band of 16 or 32 bits, as GIS programs write, if its numbers are classes and no heights.
    """
    samples, findings = [], []
    for folder in tree.folders:
        if len(folder.images) != 2:
            continue
        try:
            headers = {path: read_header(path) for path in folder.images}
        except DataError:
            continue
        first, second = headers.values()
        if not _one_grid(first, second):
            continue
        bands = [path for path, header in headers.items() if header.channels == 1]
        labels = [path for path in bands if headers[path].dtype == "uint8"] or list(filter(_are_classes, bands))
        if len(labels) != 1:
            continue
        image = next(path for path in folder.images if path != labels[0])
        samples.append(sample_of(folder, image, (labels[0],)))
        findings.append(
            info(
                f"{labels[0].name} lies on the grid of {image.name} and has one band: it is taken for its labels.",
                fix="say otherwise in dataset.yaml.",
            )
        )
    return Layout("values", tuple(samples), (), tuple(findings)) if samples else None


def _are_classes(path: Path) -> bool:
    """Whether a band holds few whole numbers from 0 or 1 on, and its neighbours differ by more than 1: no heights."""
    if not holds_labels(path):
        return False
    mask = read_mask(path)
    known = mask.values != mask.nodata
    values = np.unique(mask.values[known])
    if mask.values.ndim > 2 or not len(values) or values[0] not in (0, 1):
        return False
    steps = [
        np.abs(np.diff(mask.values.astype(float), axis=axis))[
            known[1:] & known[:-1] if axis == 0 else known[:, 1:] & known[:, :-1]
        ]
        for axis in (0, 1)
    ]
    changes = np.concatenate(steps)
    changes = changes[changes > 0]
    return len(values) <= FEW or not len(changes) or bool((changes > 1).mean() > UNEVEN)


def elsewhere(
    image: GeoReference | None, size: tuple[int, int], mask: GeoReference | None, mask_size: tuple[int, int]
) -> str:
    """Why a georeferenced mask cannot be its image's; empty where it can. Sizes are (height, width) in pixels."""
    if image is None or mask is None:
        return ""
    left, low, right, high = image.bounds(*size)
    mask_left, mask_low, mask_right, mask_high = mask.bounds(*mask_size)
    if mask_left >= right or mask_right <= left or mask_low >= high or mask_high <= low:
        return "the label raster does not overlap its image"
    if image.crs_wkt and mask.crs_wkt and image.crs_wkt != mask.crs_wkt:
        return "the label raster is in another coordinate system than its image"
    pixel = abs(image.transform[0]) + abs(image.transform[1])
    if size != mask_size or max(abs(left - mask_left), abs(high - mask_high)) > pixel / 2:
        return "the label raster is on another grid than its image"
    return ""


def _one_grid(first: Header, second: Header) -> bool:
    references = first.georeference, second.georeference
    return (
        first.size == second.size
        and None not in references
        and not elsewhere(first.georeference, first.size, second.georeference, second.size)
    )
