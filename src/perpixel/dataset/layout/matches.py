"""Folders of images with their masks, also where the two stand at different depths."""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, Literal, TypeAlias

from perpixel.dataset.layout.class_folders import class_folders
from perpixel.dataset.layout.folder_tree import Folder
from perpixel.dataset.layout.names import DERIVED_WORDS, PICTURED_WORDS, SECOND_CHOICE, FolderPlace, key_words, stem
from perpixel.dataset.layout.pairs import FIRST_CHOICE, pair
from perpixel.dataset.sample import Finding, Sample, Shape
from perpixel.errors import Problem
from perpixel.runtime.choices import Subset

Form: TypeAlias = Literal["values", "objects", "classes", "drawn"]
"""How the masks of a sample are to be read: one file of values, one file an object, one file a class, outlines."""


FIRST: Final = frozenset({"1st", "1stho", "first", "gold", "fine"})
"""In the name of a folder of masks: it counts before others that are like it."""
SIZE: Final = re.compile(r"\d+(k|p|px|x\d+)")
"""A folder that says how many or how large its images are: 100k, 480p, 256x256."""
LATER: Final = frozenset({"2nd", "2ndho", "second", "silver", "coarse", "3rd", "third"})
"""It counts after others."""


@dataclass(frozen=True)
class Match:
    """A folder of images with what was found to be its masks.

    Args:
        folder: Of images.
        form: How the masks are to be read.
        samples: Its images, labelled or not.
        findings: What was decided.
        problems: What does not fit.
        classes: Where each class has a file of its own, their names.
        of: The folders of masks, where they stand at another depth.
    """

    folder: Folder
    form: Form
    samples: list[Sample]
    findings: list[Finding] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    classes: tuple[str, ...] = ()
    of: tuple[Folder, ...] = ()


def sample_of(
    folder: Folder, image: Path, masks: tuple[Path, ...], shapes: tuple[Shape, ...] | None = None
) -> Sample:
    """A sample of this folder, of unknown size."""
    group = "/".join(folder.place.where)
    return Sample(stem(image.name), image, masks=masks, shapes=shapes, group=group, split=folder.place.part)


def related(
    folders: Sequence[Folder], masks: Sequence[Folder], taken: set[Path]
) -> tuple[dict[Path, Match], list[Problem]]:
    """Masks at another depth (images/10k/train, labels/sem_seg/train), or parted where their images are not.

    They are those of one place that pair all images or are all paired, and that nobody else claims.
    """
    matches: dict[Path, Match] = {}
    problems: list[Problem] = []
    for folder in sorted(folders, key=lambda f: f.place.role != "image"):
        fitting = [
            (match, mask.place.where)
            for mask in masks
            if is_near(folder.place, mask.place) and (match := _whole_match(folder, mask, taken)) is not None
        ]
        fitting = [fit for fit in fitting if not _is_pictured(fit[1])] or fitting
        places = {where for _, where in fitting}
        if len(places) > 1 or (rival := _rival(folder, [m for m, _ in fitting], matches)):
            problems.append(_which(folder, masks, taken) if len(places) > 1 else _which_images(folder, rival))
        elif fitting:
            best = min((match for match, _ in fitting), key=lambda m: (-len(m.samples), *plainness(m.of[0])))
            same = [m for m, _ in fitting if _images_of(m) == _images_of(best)]
            if len(same) > 1 and (apart := _by_class(same)):
                matches[folder.path] = apart
                continue
            parted = [m for m, _ in fitting if not _images_of(m) & _images_of(best)]
            chosen = [best, *parted] if folder.place.part is None else [best]
            matches[folder.path] = replace(best, samples=[s for m in chosen for s in m.samples])
    return matches, [*problems, *_of_several_tasks(list(matches.values()))]


def _of_several_tasks(matches: Sequence[Match]) -> list[Problem]:
    """Ask where two folders of images have masks whose paths differ by more than theirs: drivable/ and sem_seg/."""
    tasks: dict[tuple[str, ...], Match] = {}
    for match in matches:
        for masks in match.of:
            tasks.setdefault(tuple(w for w in masks.place.where if w not in match.folder.place.where), match)
    if len(tasks) < 2:
        return []
    return [_one_of(min(tasks.values(), key=lambda m: m.folder.path).folder, [m.of[0].path for m in tasks.values()])]


def plainness(folder: Folder) -> tuple[bool, bool, bool, str]:
    """The rank of a folder of masks, the least first. In DRIVE mask/ is the field of view, manual/ the labels."""
    words = {word.lower() for word in folder.place.rest.split("_")} | {folder.place.variant.lower()}
    pictured = any(word in PICTURED_WORDS for name in words for word in name.replace("-", "_").split("_"))
    by_hand = any(re.match(r"manual\d*$", name) for name in words | {w for n in words for w in n.split("_")})
    derived = bool({name.lower() for word in words for name in word.split("_")} & DERIVED_WORDS)
    return not by_hand, pictured or derived, folder.place.rest != "", folder.path.name


def without_views(masks: Sequence[Folder]) -> list[Folder]:
    """Leave out mask/ everywhere if it stands beside manual/ somewhere: DRIVE's test images have the view alone."""
    beside: dict[tuple[tuple[str, ...], Subset | None], set[bool]] = defaultdict(set)
    views: dict[tuple[tuple[str, ...], Subset | None], set[str]] = defaultdict(set)
    for folder in masks:
        place, is_by_hand = (folder.place.where, folder.place.part), not plainness(folder)[0]
        beside[place].add(is_by_hand)
        views[place] |= set() if is_by_hand else {folder.path.name}
    names = {name for place, found in beside.items() if len(found) == 2 for name in views[place]}
    return [folder for folder in masks if folder.path.name not in names]


def _is_pictured(where: Sequence[str]) -> bool:
    """Whether a place is that of masks made from others, to be looked at or for another task."""
    return bool({word for name in where for word in key_words(name)} & (PICTURED_WORDS | DERIVED_WORDS))


def is_near(first: FolderPlace, second: FolderPlace) -> bool:
    """Whether two places are of one subset, or of any, and one lies along the path of the other."""
    one, other = ([name for name in place.where if not SIZE.fullmatch(name)] for place in (first, second))
    same_part = first.part == second.part or None in (first.part, second.part)
    return same_part and (_is_within(one, other) or _is_within(other, one))


def _is_within(few: Sequence[str], many: Sequence[str]) -> bool:
    """Whether the names occur in the others, in their order."""
    rest = iter(many)
    return all(name in rest for name in few)


def _whole_match(folder: Folder, masks: Folder, taken: set[Path]) -> Match | None:
    free = [mask for mask in masks.images if mask not in taken]
    pairs = pair(folder.images, free)
    if not pairs.pairs or pairs.problems or (pairs.without_mask and pairs.without_image):
        return None
    split = folder.place.part or masks.place.part
    samples = [replace(sample_of(folder, image, (mask,)), split=split) for image, mask in pairs.pairs]
    return Match(folder, "values", samples, of=(masks,))


def _by_class(matches: Sequence[Match]) -> Match | None:
    """One match of several with the same images, each of a folder of masks of one class: leftMask/, rightMask/."""
    homes = [folder for match in matches for folder in match.of]
    pairs = {match.of[0].path: [(s.image, s.masks[0]) for s in match.samples] for match in matches}
    ordered = class_folders(homes, pairs)
    if not ordered:
        return None
    masks = [dict(pairs[folder.path]) for folder in ordered]
    samples = [replace(s, masks=tuple(layer[s.image] for layer in masks)) for s in matches[0].samples]
    return replace(matches[0], form="classes", samples=samples, classes=tuple(f.place.rest for f in ordered))


def _images_of(match: Match) -> set[Path]:
    return {sample.image for sample in match.samples}


def _masks_of(match: Match) -> set[Path]:
    return {mask for sample in match.samples for mask in sample.masks}


def _rival(folder: Folder, fitting: Sequence[Match], matches: Mapping[Path, Match]) -> Folder | None:
    """Another folder of images of the same kind that has the same masks."""
    masks = {mask for match in fitting for mask in _masks_of(match)}
    kind = folder.place.role, folder.place.part
    others = (match for match in matches.values() if (match.folder.place.role, match.folder.place.part) == kind)
    return next((other.folder for other in others if _masks_of(other) & masks), None)


def _which(folder: Folder, masks: Sequence[Folder], taken: set[Path]) -> Problem:
    homes = [mask for mask in masks if is_near(folder.place, mask.place) and _whole_match(folder, mask, taken)]
    return _one_of(folder, [mask.path for mask in homes])


def which_of_equals(folder: Folder, best: Folder, others: Sequence[Folder]) -> list[Problem]:
    """Ask which masks count where nothing ranks one folder before another: mask-0 and mask-1, masks_A and masks_B.

    Args:
        folder: Of the images.
        best: The folder of masks that comes first by its name.
        others: The others that hold masks of the same images.
    """

    def words(masks: Folder) -> set[str]:
        return {*key_words(masks.place.rest)}

    equals = [other for other in others if plainness(other)[:3] == plainness(best)[:3]]
    equals = [other for other in equals if not (words(other) - words(best)) & (SECOND_CHOICE | LATER)]
    if not equals or not best.place.rest or words(best) & (FIRST_CHOICE | FIRST):
        return []
    return [_one_of(folder, [masks.path for masks in (best, *equals)])]


def _one_of(folder: Folder, masks: Sequence[Path]) -> Problem:
    *others, last = masks
    own = next((name for name in reversed(last.parts) if not any(name in path.parts for path in others)), last.name)
    return Problem(
        f"{len(masks)} folders may hold the masks of {folder.path}.",
        f"name the right one in dataset.yaml (perpixel: 1, masks: {own}, or its path).",
        tuple(map(str, masks)),
    )


def _which_images(folder: Folder, rival: Folder | None) -> Problem:
    assert rival is not None
    return Problem(
        f"{rival.path} and {folder.path} may both hold the images of the same masks.",
        f"name the right one in dataset.yaml (perpixel: 1, images: {folder.path.name}); bands of one image "
        "go into one file.",
    )
