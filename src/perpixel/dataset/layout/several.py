"""Several mask files of one image: objects one by one, one file a class, or more objects under a number."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from perpixel.dataset.layout.class_folders import NO_CLASSES
from perpixel.dataset.layout.folder_tree import Folder
from perpixel.dataset.layout.matches import sample_of
from perpixel.dataset.layout.names import (
    INSTANCE_WORDS,
    MASK_WORDS,
    PICTURED_WORDS,
    SECOND_CHOICE,
    key_words,
    natural,
    stem,
)
from perpixel.dataset.sample import Finding, Sample, info
from perpixel.errors import Problem

GENERIC = (
    MASK_WORDS | INSTANCE_WORDS | {"object", "obj", "part", "piece", "cell", "nucleus", "polygon", "region", "roi"}
)
"""Words that name what a file is, not which class it shows."""
NO_CLASSES_SAID: Final = PICTURED_WORDS | NO_CLASSES
LACKING: Final = 0.25
"""The share of the images from which on classes without a file are taken for not shown."""


def class_of(mask: Path, sample: Sample) -> str:
    """What a mask file's name says beside the names of its image and its folders; empty for objects by number.

    >>> from pathlib import Path
    >>> sample = Sample("scan", Path("case1/images/scan.png"), group="case1")
    >>> names = "liver.png", "case1_tumor.png", "scan_l_eye.png", "mask_3.png", "0a1b.png", "b.png"
    >>> [class_of(Path(name), sample) for name in names]
    ['liver', 'tumor', 'l eye', '', '', '']
    """
    name = stem(mask.name).lower()
    for own in (sample.name, stem(sample.image.name), *sample.group.split("/")):
        name = re.sub(f"(?<![a-z]){re.escape(own.lower())}(?![a-z])", " ", name) if own else name
    words = [word for word in re.split(r"[\W_]+", name) if word and not word.isdigit() and word not in GENERIC]
    says = all(map(str.isalpha, words)) and any(len(word) > 1 for word in words)
    return " ".join(words) if says else ""


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
    if _lack_some(names, seen):
        classes = tuple(sorted(seen))
        return classes, [_with_absent(s, found, classes) for s, found in zip(samples, names, strict=True)], []
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


def _lack_some(names: Sequence[Sequence[str]], seen: Counter[str]) -> bool:
    """Whether files of classes are left out where an image does not show them: in many images, not in one."""
    lacking = sum(len(each) < len(seen) for each in names)
    are_classes = all(count > 1 and not set(name.split()) & NO_CLASSES_SAID for name, count in seen.items())
    are_single = all(all(each) and len({*each}) == len(each) for each in names)
    return are_classes and are_single and lacking > 1 and lacking >= LACKING * len(names)


def _with_absent(sample: Sample, names: Sequence[str], classes: Sequence[str]) -> Sample:
    masks = dict(zip(names, sample.masks, strict=True))
    absent = tuple(k for k, name in enumerate(classes) if name not in masks)
    return replace(sample, masks=tuple(masks[name] for name in classes if name in masks), absent=absent)


def told_absent(samples: Sequence[Sample]) -> list[Finding]:
    """What is said of classes that have no file in some images."""
    lacking = [sample for sample in samples if sample.absent]
    if not lacking:
        return []
    return [
        info(
            f"{len(lacking)} of {len(samples)} images have no mask file of some classes: these are not there.",
            "move the images out of the folder in which nobody has looked for them.",
            [f"{s.image.name}: {len(s.absent)} of {len(s.absent) + len(s.masks)} classes" for s in lacking],
        )
    ]


def told_merged(samples: Sequence[Sample]) -> Finding:
    """What is said of images with several numbered masks."""
    several = [sample for sample in samples if len(sample.masks) > 1]
    return info(
        f"{len(several)} image(s) [has|have] several numbered masks: each is an object, and they are merged.",
        "move those that do not count out of the folder.",
        [f"{sample.image.name}: {', '.join(mask.name for mask in sample.masks)}" for sample in several],
    )


def masks_of_one_image(image: Path, masks: Sequence[Path]) -> tuple[list[Path], list[Finding]]:
    """Of several masks beside one image the plainest, mask of mask and mask_old; all where none is plainer.

    >>> [m.name for m in masks_of_one_image(Path("a.png"), [Path("mask_old.png"), Path("mask.png")])[0]]
    ['mask.png']
    >>> [m.name for m in masks_of_one_image(Path("a.png"), [Path("mask-1.png"), Path("mask-0.png")])[0]]
    ['mask-0.png', 'mask-1.png']
    """
    masks = sorted(masks, key=lambda m: (len(m.name), m.name))
    names = [stem(mask.name) for mask in masks]
    is_plainer = all(re.match(rf"{re.escape(names[0])}(?![^\W_])", name) for name in names[1:])
    if not is_plainer and not any(SECOND_CHOICE & {*key_words(name)} for name in names):
        return masks, []
    told = info(
        f"{len(masks)} files may be the mask of {image}; {masks[0].name} is used.",
        "to use another one, list the pairs in a CSV file and name it in dataset.yaml (perpixel: 1, pairs: FILE).",
        [m.name for m in masks],
    )
    return masks[:1], [told]


def class_files(folder: Folder, masks: Sequence[Path]) -> list[Sample]:
    """Samples with a mask file for each class: 7_liver.png and 7_tumor.png of 7.png; none where the files are others.

    Most images have several masks that begin with their names, and what these say besides recurs from image to image.
    An image that lacks one is told by `by_class`.
    """
    by_stem = {natural(stem(image.name)): image for image in folder.images}
    found: dict[Path, list[Path]] = {image: [] for image in folder.images}
    for mask in masks:
        own = stem(mask.name)
        ends = reversed([end.start() for end in re.finditer(r"[\W_]", own)])
        name = next((begin for end in ends if (begin := natural(own[:end])) in by_stem), None)
        if name is None or len(by_stem) < len(folder.images):
            return []
        found[by_stem[name]].append(mask)
    samples = [sample_of(folder, image, tuple(of)) for image, of in found.items()]
    words = [[class_of(mask, sample) for mask in sample.masks] for sample in samples]
    if len(samples) < 2 or not all(all(each) for each in words) or 2 * sum(len(w) > 1 for w in words) < len(words):
        return []
    seen = Counter(word for each in words for word in set(each))
    is_pictured = any(set(word.split()) & NO_CLASSES_SAID for word in seen)
    recurs = all(2 * count > len(words) for count in seen.values()) or _lack_some(words, seen)
    return samples if recurs and not is_pictured and len(seen) > 1 else []


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
