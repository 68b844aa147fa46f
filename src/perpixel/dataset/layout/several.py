"""Several mask files of one image: objects one by one, one file a class, or more objects under a number."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from perpixel.dataset.layout.class_folders import NO_CLASSES
from perpixel.dataset.layout.folder_tree import Folder
from perpixel.dataset.layout.matches import sample_of
from perpixel.dataset.layout.names import INSTANCE_WORDS, MASK_WORDS, PICTURED_WORDS, stem
from perpixel.dataset.sample import Sample
from perpixel.errors import Problem

GENERIC = (
    MASK_WORDS | INSTANCE_WORDS | {"object", "obj", "part", "piece", "cell", "nucleus", "polygon", "region", "roi"}
)
"""Words that name what a file is, not which class it shows."""


def class_of(mask: Path, sample: Sample) -> str:
    """What a mask file's name says beside the names of its image and its folders; empty for objects by number.

    >>> from pathlib import Path
    >>> sample = Sample("scan", Path("case1/images/scan.png"), group="case1")
    >>> [class_of(Path(name), sample) for name in ("liver.png", "case1_tumor.png", "mask_3.png", "0a1b.png", "b.png")]
    ['liver', 'tumor', '', '', '']
    """
    name = stem(mask.name).lower()
    for own in (sample.name, stem(sample.image.name), *sample.group.split("/")):
        name = name.replace(own.lower(), " ") if own else name
    words = [word for word in re.split(r"[\W_]+", name) if word and not word.isdigit() and word not in GENERIC]
    return " ".join(words) if all(word.isalpha() and len(word) > 1 for word in words) else ""


def mask_files_by_class(samples: Sequence[Sample]) -> tuple[tuple[str, ...], list[Sample], list[Problem]]:
    """Read files as classes where the same names recur from image to image: liver.png and tumor.png of each.

    Args:
        samples: Each with several mask files.

    Returns:
        The classes, the samples with a mask for each class in their order, and what speaks against it; no classes
        where the files are objects.
    """
    names = [[class_of(mask, sample) for mask in sample.masks] for sample in samples]
    seen = Counter(name for each in names for name in set(each) if name)
    classes = tuple(sorted(name for name, count in seen.items() if count > 1 and 2 * count > len(samples)))
    if len(classes) < 2:
        return (), list(samples), []
    unclear = [
        f"{sample.image}: {', '.join(mask.name for mask in sample.masks)}"
        for sample, found in zip(samples, names, strict=True)
        if sorted(found) != list(classes)
    ]
    if unclear:
        told = (
            f"the mask files of {len(unclear)} of {len(samples)} images are not one for each of {', '.join(classes)}."
        )
        return (
            classes,
            [],
            [Problem(told, "give each image one file a class; an empty one where it is not.", (*unclear,))],
        )
    ordered = [
        replace(sample, masks=tuple(mask for _, mask in sorted(zip(found, sample.masks, strict=True))))
        for sample, found in zip(samples, names, strict=True)
    ]
    return classes, ordered, []


def class_files(folder: Folder, masks: Sequence[Path]) -> list[Sample]:
    """Samples with a mask file for each class: 7_liver.png and 7_tumor.png of 7.png; none where the files are others.

    Most images have several masks that begin with their names, and what these say besides recurs from image to image.
    An image that lacks one is told by `by_class`.
    """
    by_stem = {stem(image.name): image for image in folder.images}
    found: dict[str, list[Path]] = {name: [] for name in by_stem}
    for mask in masks:
        own = stem(mask.name)
        ends = reversed([end.start() for end in re.finditer(r"[\W_]", own)])
        name = next((own[:end] for end in ends if own[:end] in by_stem), None)
        if name is None:
            return []
        found[name].append(mask)
    samples = [sample_of(folder, image, tuple(found[name])) for name, image in by_stem.items()]
    words = [[class_of(mask, sample) for mask in sample.masks] for sample in samples]
    if len(samples) < 2 or not all(all(each) for each in words) or 2 * sum(len(w) > 1 for w in words) < len(words):
        return []
    kinds = {word for each in words for word in each}
    is_pictured = any(set(word.split()) & (PICTURED_WORDS | NO_CLASSES) for word in kinds)
    recurs = all(2 * sum(word in each for each in words) > len(words) for word in kinds)
    return samples if recurs and not is_pictured and len(kinds) > 1 else []


def with_numbered(samples: Sequence[Sample], left: Sequence[Path]) -> tuple[list[Sample], list[Path]]:
    """Give masks that are left over to the image whose mask has their name without a number: a_mask_1 to a_mask.

    A number in brackets, "a (1)", is that of a copy, and left. So is one behind a digit, and one by which other
    images are told apart: those are masks of images that are missing.

    >>> from pathlib import Path
    >>> sample = Sample("a", Path("a.png"), masks=(Path("a_mask.png"),))
    >>> found, left = with_numbered([sample], [Path("a_mask_1.png"), Path("a_mask_x.png")])
    >>> [mask.name for mask in found[0].masks], [mask.name for mask in left]
    (['a_mask.png', 'a_mask_1.png'], ['a_mask_x.png'])
    >>> others = [Sample(name, Path(f"{name}.png"), masks=(Path(f"{name}.png"),)) for name in ("1", "s", "s_1")]
    >>> [mask.name for mask in with_numbered(others, [Path("10.png"), Path("s_2.png")])[1]]
    ['10.png', 's_2.png']
    """
    images = {sample.name: stem(sample.image.name) for sample in samples}
    numbered_names = {base for sample in samples for base in _bases([stem(sample.image.name), *_stems(sample)])}
    home = {(mask.parent, stem(mask.name)): sample.name for sample in samples for mask in sample.masks}
    more: dict[str, list[Path]] = {}
    rest: list[Path] = []
    for mask in left:
        base = next(iter(_bases([stem(mask.name)])), None)
        name = home.get((mask.parent, base)) if base is not None else None
        if name is None or base in numbered_names or images[name] in numbered_names:
            rest.append(mask)
        else:
            more.setdefault(name, []).append(mask)
    return [replace(s, masks=(*s.masks, *more.get(s.name, ()))) for s in samples], rest


def _stems(sample: Sample) -> list[str]:
    return [stem(mask.name) for mask in sample.masks]


def _bases(stems: Sequence[str]) -> list[str]:
    """What stands before the number at the end of each, where that is no digit."""
    found = (re.fullmatch(r"(.*?\D)[_\-.]* ?\d+", name) for name in stems)
    bases = [match[1].rstrip("_-. ") for match in found if match]
    return [base for base in bases if base and not base[-1].isdigit()]
