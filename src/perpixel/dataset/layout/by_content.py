"""Tell masks from images by their pixels, where no name does: few values on one side, many on the other."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Final

from perpixel.dataset.layout.affixes import counterparts
from perpixel.dataset.layout.folder_tree import Folder, Tree
from perpixel.dataset.layout.inventory import look_at_masks
from perpixel.dataset.layout.layouts import Layout, named_apart
from perpixel.dataset.layout.matches import is_near, sample_of
from perpixel.dataset.layout.names import FolderPlace, key_words, stem
from perpixel.dataset.layout.pairs import pair
from perpixel.dataset.sample import Sample, warning
from perpixel.errors import Problem

MOST_VALUES: Final = 64
"""A mask has at most so many values or colours, an image more."""
LOOKED_AT: Final = 3
MOST_FOLDERS: Final = 60
NO_LABELS: Final = frozenset(
    {"prediction", "predictions", "predicted", "pred", "preds", "result", "results", "inference", "depth"}
    | {"depths", "disparity", "disp", "flow", "edge", "edges", "contour", "contours", "overlay"}
    | {"overlays", "heatmap", "heatmaps", "saliency", "attention", "thumbnail", "thumbnails", "normals", "boundary"}
    | {"outline", "outlines", "boundaries", "border", "borders"}
)
"""What folders are called whose files have few values and are no labels."""


def recognise_by_content(tree: Tree) -> Layout | None:
    """Recognise two folders of equal names, or two halves of a folder, of which one holds masks by its pixels."""
    folders = [folder for folder in tree.folders if folder.images and folder.place.role != "instance"]
    if not folders or len(folders) > MOST_FOLDERS:
        return None
    samples = [sample for folder in folders for sample in _halves(folder)]
    told = "each mask lies next to its image"
    problems: list[Problem] = []
    if not samples:
        samples, problems, told = _between(folders)
    if not samples and not problems:
        return None
    finding = warning(
        f"no name says which files are masks; by their pixels, of which masks have few values, {told}.",
        "name the folders in dataset.yaml (perpixel: 1, images: NAME, masks: NAME) if this is not so.",
        [f"{sample.image}: {sample.masks[0]}" for sample in samples],
    )
    return Layout("values", named_apart(samples), (), (finding,), tuple(problems))


def _halves(folder: Folder) -> list[Sample]:
    """Images and masks of one folder: a.jpg and a.png, or a.jpg and a_1st.png."""
    if folder.place.role == "mask":
        return []
    by_stem: dict[str, list[Path]] = defaultdict(list)
    for file in folder.images:
        by_stem[stem(file.name)].append(file)
    pairs = [tuple(files) for files in by_stem.values() if len(files) == 2]
    if len(pairs) < len(by_stem) or len({tuple(f.suffix.lower() for f in sorted(p)) for p in pairs}) > 1:
        places = counterparts([stem(file.name) for file in folder.images])
        pairs = [(folder.images[first], folder.images[second]) for first, second in places]
    if len(pairs) < 2 or 2 * len(pairs) < len(folder.images):
        return []
    first, second = ([pair[side] for pair in pairs] for side in (0, 1))
    if _are_masks(tuple(first)) and _are_images(tuple(second)):
        first, second = second, first
    elif not (_are_images(tuple(first)) and _are_masks(tuple(second))):
        return []
    return [sample_of(folder, image, (mask,)) for image, mask in zip(first, second, strict=True)]


def _between(folders: Sequence[Folder]) -> tuple[list[Sample], list[Problem], str]:
    """The samples of folders that pair with one other, what is unclear, and how it is said."""
    found: dict[Path, list[tuple[Folder, Folder, tuple[tuple[Path, Path], ...]]]] = defaultdict(list)
    for images in folders:
        for masks in folders:
            if images is masks or images.place.role == "mask" or masks.place.role == "image" or _is_other(masks):
                continue
            if not is_near(_site(images), _site(masks)):
                continue
            pairs = pair(images.images, masks.images)
            whole = len(pairs.pairs) >= 2 and not pairs.problems and not (pairs.without_mask and pairs.without_image)
            if whole and _are_masks(masks.images) and _are_images(images.images):
                found[masks.path].append((images, masks, pairs.pairs))
    claims: dict[Path, set[str]] = defaultdict(set)
    for path, each in found.items():
        for images, _, _ in each:
            claims[images.path].add(str(path))
    unclear = [names for names in claims.values() if len(names) > 1]
    unclear += [{str(images.path) for images, _, _ in each} for each in found.values() if len(each) > 1]
    if unclear:
        what = "several folders may hold the images, or the masks, of the same names."
        examples = tuple(sorted(set().union(*unclear)))
        return (
            [],
            [
                Problem(
                    what, "name the right ones in dataset.yaml (perpixel: 1, images: NAME, masks: NAME).", examples
                )
            ],
            "",
        )
    samples = [
        replace(sample_of(images, image, (mask,)), split=images.place.part or masks.place.part)
        for each in found.values()
        for images, masks, pairs in each
        for image, mask in pairs
    ]
    names = ", ".join(dict.fromkeys(Path(path).name for path in found))
    return samples, [], f"those in {names} are masks"


def _site(folder: Folder) -> FolderPlace:
    """Where a folder stands, without its own name, which says nothing."""
    place = folder.place
    return replace(place, where=place.where[:-1]) if place.where[-1:] == (folder.path.name,) else place


def _is_other(folder: Folder) -> bool:
    return any(word in NO_LABELS for part in (folder.path.name, folder.place.variant) for word in key_words(part))


@cache
def _are_masks(files: tuple[Path, ...]) -> bool:
    """Whether the first few hold few values, more than one among them all, and are not lossy."""
    facts, problems = look_at_masks([(file, 0) for file in files[:: max(1, len(files) // LOOKED_AT)][:LOOKED_AT]])
    values = {value for fact in facts.values() for value in fact.values}
    return not problems and 2 <= len(values) <= MOST_VALUES and not any(fact.lossy for fact in facts.values())


@cache
def _are_images(files: tuple[Path, ...]) -> bool:
    """Whether each of the first few holds many values."""
    facts, problems = look_at_masks([(file, 0) for file in files[:: max(1, len(files) // LOOKED_AT)][:LOOKED_AT]])
    return not problems and all(len(fact.values) > MOST_VALUES for fact in facts.values())
