"""Folders under names that say nothing, whose files have few values: Category_ids, parsing, colormaps."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from perpixel.dataset.layout.folder_tree import Folder
from perpixel.dataset.layout.inventory import mask_facts
from perpixel.dataset.layout.names import stem
from perpixel.errors import DataError, Problem
from perpixel.files.read import read_mask

MOST_VALUES: Final = 64
"""A file with more different values is a picture."""


def rivals_of_instances(images: Sequence[Folder], instances: Sequence[Folder]) -> list[Problem]:
    """Ask where the only masks by name number objects, and other folders with their names may hold the classes.

    Args:
        images: Folders that are not of masks.
        instances: Those of numbered objects.
    """
    stems = [{stem(file.name) for file in folder.images} for folder in instances]
    homes = {folder.path.parent for folder in instances}
    unnamed = [folder for folder in images if folder.place.role is None and folder.path.parent in homes]
    rivals = [f for f in unnamed if {stem(file.name) for file in f.images} in stems and holds_labels(f.images[0])]
    if not rivals or not any(folder.place.role == "image" for folder in images):
        return []
    return [
        Problem(
            f"the masks in {instances[0].path.name} number objects, and {len(rivals)} folders beside it may hold the "
            "classes.",
            f"name the right one in dataset.yaml (perpixel: 1, masks: {rivals[0].path.name}).",
            tuple(str(folder.path) for folder in (*rivals, *instances)),
        )
    ]


def without_pictured(images: Sequence[Folder]) -> list[Folder]:
    """Leave out what is no picture where a folder is called images: colormaps/ beside masks/ is of the masks."""
    if not any(folder.place.role == "image" for folder in images):
        return list(images)
    return [folder for folder in images if folder.place.role == "image" or not _are_labels(folder)]


def _are_labels(folder: Folder) -> bool:
    """Whether the first file and the last have few values."""
    return all(map(holds_labels, {folder.images[0], folder.images[-1]}))


def holds_labels(file: Path) -> bool:
    """Whether a file has few values, as masks have; one that cannot be read has not."""
    try:
        facts = mask_facts(read_mask(file))
    except DataError:
        return False
    return facts.kind != "channels" and not facts.lossy and 2 <= len(facts.values) <= MOST_VALUES
