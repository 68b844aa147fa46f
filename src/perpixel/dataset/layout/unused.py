"""What a layout leaves aside: a second mask of an image is asked about, other files are told."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Final

from perpixel.dataset.layout.folder_tree import Tree
from perpixel.dataset.layout.layouts import Layout
from perpixel.dataset.layout.names import LEGEND, MASK_WORDS, SECOND_CHOICE, key, key_words, stem
from perpixel.dataset.layout.pairs import FIRST_CHOICE, pair
from perpixel.dataset.sample import Finding, info, warning
from perpixel.errors import Problem

VERSIONS: Final = SECOND_CHOICE | FIRST_CHOICE | MASK_WORDS | {"new", "neu", "version", "rev", "fixed", "edited"}
"""In the name of a mask behind that of its image: another mask of this image, not the mask of another image."""

SMALL: Final = frozenset({"thumb", "thumbs", "thumbnail", "small", "lowres", "superpixels"})
"""In the name of a file next to images: made from them."""


def left_aside(layout: Layout, tree: Tree) -> tuple[list[Finding], list[Problem]]:
    """What is said of image files that are no image, no mask and no instance map of any sample, and are not told yet.

    Args:
        layout: As recognised.
        tree: All files.

    Returns:
        The findings; and the problem where an image has several masks, and no name says which counts.
    """
    used = {p for s in layout.samples for p in (s.image, *s.masks, *s.instances)}
    told = {example for finding in layout.findings for example in finding.problem.examples}
    told |= {example for problem in layout.problems for example in problem.examples}
    folders = {str(folder.path) for folder in tree.folders} & told | {f.path.name for f in tree.folders} & told
    left = [
        image
        for folder in tree.folders
        if not {str(folder.path), folder.path.name} & folders
        for image in folder.images
        if image not in used and not {image.name, str(image)} & told
    ]
    if not left:
        return [], []
    images = {mask: sample.image for sample in layout.samples for mask in sample.masks}
    problems = _second_images(images, left)
    findings: list[Finding] = []
    rest: list[Path] = []
    for home, files in groupby(left, key=lambda path: path.parent):
        masks = {mask: image for mask, image in images.items() if mask.parent == home}
        each = list(files)
        second = _second_masks(masks, each)
        asked = {other: mask for other, mask in second.items() if not _is_second_choice(other, mask)}
        problems += [_which(masks, asked)] if asked else []
        findings += [_told_second(masks, second)] if second and not asked else []
        legends = [file for file in each if file not in second and _is_legend(file)]
        rest += [file for file in each if file not in second] if not masks else legends
        stray = [file for file in each if masks and file not in second and file not in legends]
        findings += [_without_image(stray, len(masks) + len(each))] if stray else []
    return [*findings, *([_not_used(rest)] if rest else [])], problems


def _second_masks(masks: Mapping[Path, Path], left: Sequence[Path]) -> dict[Path, Path]:
    """Of files next to masks those that are named like an image that has its mask, and that mask.

    What half of the images have is a second mask of them, whatever its name says; a single one must be said to be of
    its image. Files of one name but for the ending are a problem of `pair`.
    """
    mask_of = {image: mask for mask, image in masks.items()}
    names = {stem(image.name) for image in mask_of}
    found: dict[Path, Path] = {}
    rest = [file for file in left if not _is_legend(file)]
    while rest and (pairs := _paired(list(mask_of), rest)):
        recurs = len(pairs) > 1 and 2 * len(pairs) >= len(mask_of)
        rest = [file for file in rest if file not in {other for _, other in pairs}]
        pairs = tuple((i, f) for i, f in pairs if recurs or _is_further(stem(f.name), stem(i.name), names))
        found |= {file: mask_of[image] for image, file in pairs}
    return {file: mask for file, mask in found.items() if stem(file.name) != stem(mask.name)}


def _is_legend(file: Path) -> bool:
    words = key_words(stem(file.name))
    return bool(words) and (words[0] in LEGEND or words[:2] in (["color", "key"], ["colour", "key"]))


def _is_further(mask: str, image: str, images: Collection[str]) -> bool:
    """Whether a mask is another one of this image, by its stem, and not of an image that is missing.

    >>> _is_further("b_v2", "b", ["a", "b"]), _is_further("a (1)", "a", ["a", "b"]), _is_further("a_x", "a", ["a"])
    (True, True, True)
    >>> _is_further("catfish", "cat", ["cat"]), _is_further("field_south", "field", ["field", "field_north"])
    (False, False)
    >>> _is_further("a (3)", "a", ["a", "a (2)"]), _is_further("5-1-pm", "5-1", ["5-1", "5-2"])
    (False, False)
    """
    at = re.search(rf"(?<![^\W_]){re.escape(image)}(?![^\W_])", mask)
    if at is None:
        own = set(key(image).split("_")) - {""}
        return bool(own) and own <= set(key_words(mask))
    rest = mask[: at.start()] + " " + mask[at.end() :]
    words = key_words(re.sub(r"\(\d+\)$", "", rest))
    others = [name for name in images if name != image and re.match(rf"{re.escape(image)}[\W_]", name)]
    is_numbered = image[-1:].isdigit() and any(
        name != image and re.sub(r"\d+", "0", name) == re.sub(r"\d+", "0", image) for name in images
    )
    if all(word in VERSIONS or re.fullmatch(r"v\d+", word) for word in words):
        return bool(words) or not others  # a copy where no words are left: a (1)
    return not (others or is_numbered)


def _second_images(images: Mapping[Path, Path], left: Sequence[Path]) -> list[Problem]:
    """Files next to images that are named like a mask which has its image: bands of one image, it may be."""
    examples = []
    for home, files in groupby(left, key=lambda path: path.parent):
        image_of = {mask: image for mask, image in images.items() if image.parent == home and mask.parent != home}
        every = [
            file
            for file in files
            if not set(key_words(stem(file.name))) & (SECOND_CHOICE | SMALL)
            and not re.search(r"\(\d+\)$", stem(file.name))
        ]
        found = _paired(every, list(image_of)) if every and image_of else ()
        if 2 * len(found) < len(image_of):
            continue
        examples += [f"{mask.name}: {image_of[mask].name} or {file.name}" for file, mask in found]
    if not examples:
        return []
    what = f"{len(examples)} mask(s) [has|have] several images, and the names do not say which counts."
    fix = "put the bands of one image into one file; or move all but one image of each mask out of the folder."
    return [Problem(what, fix, tuple(examples))]


def _paired(images: Sequence[Path], masks: Sequence[Path]) -> tuple[tuple[Path, Path], ...]:
    """Pairs by their names; one image and one mask are no pair by being alone."""
    pairs = pair(images, masks).pairs
    if len(images) == len(masks) == 1:
        return tuple((i, m) for i, m in pairs if stem(i.name) in stem(m.name) or stem(m.name) in stem(i.name))
    return pairs


def _is_second_choice(file: Path, taken: Path) -> bool:
    """Whether the names tell which of two masks counts."""
    own, other = set(key_words(stem(file.name))), set(key_words(stem(taken.name)))
    return bool((own - other) & SECOND_CHOICE or (other - own) & FIRST_CHOICE)


def _which(masks: Mapping[Path, Path], second: Mapping[Path, Path]) -> Problem:
    examples = tuple(f"{masks[mask].name}: {mask.name} or {file.name}" for file, mask in second.items())
    images, home = {masks[mask] for mask in second.values()}, next(iter(second)).parent
    return Problem(
        f"{len(images)} image(s) [has|have] several masks in {home}, and their names do not say which counts.",
        "move the others out of the folder, or list the pairs in a CSV file (columns image, mask) and name it in "
        "dataset.yaml (perpixel: 1, pairs: FILE).",
        examples,
    )


def _told_second(masks: Mapping[Path, Path], second: Mapping[Path, Path]) -> Finding:
    return info(
        f"{len(second)} files in {next(iter(second)).parent} are further masks of images that have one: they are not "
        "used.",
        "to use them instead, list the pairs in a CSV file (columns image, mask) and name it in "
        "dataset.yaml (perpixel: 1, pairs: FILE).",
        [f"{file.name}: {masks[mask].name} has {mask.name}" for file, mask in second.items()],
    )


def _without_image(stray: Sequence[Path], count: int) -> Finding:
    return warning(
        f"{len(stray)} of {count} masks in {stray[0].parent} belong to no image.",
        "add their images, or remove them.",
        [mask.name for mask in stray],
    )


def _not_used(files: Iterable[Path]) -> Finding:
    listed = [str(file) for file in files]
    return info(
        f"{len(listed)} image file(s) [is|are] neither an image nor a mask of the data: [it is|they are] not used.",
        "nothing to fix if they mean nothing; else name the folders in dataset.yaml (perpixel: 1, images: NAME, "
        "masks: NAME), or "
        "list the pairs in a CSV file there (pairs: FILE).",
        listed,
    )
