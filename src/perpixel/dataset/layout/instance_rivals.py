"""Folders beside numbered objects that may hold the classes, under names that say nothing: Category_ids, parsing."""

from collections.abc import Sequence
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
    rivals = [f for f in unnamed if {stem(file.name) for file in f.images} in stems and _holds_labels(f)]
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


def _holds_labels(folder: Folder) -> bool:
    """Whether the first file has few values."""
    try:
        facts = mask_facts(read_mask(folder.images[0]))
    except DataError:
        return False
    return facts.kind != "channels" and not facts.lossy and 2 <= len(facts.values) <= MOST_VALUES
