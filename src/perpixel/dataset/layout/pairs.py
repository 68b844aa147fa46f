"""Pair the images of a folder with their masks by names."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from typing import Final
from unicodedata import normalize

from perpixel.dataset.layout.affixes import by_affix
from perpixel.dataset.layout.names import file_role, key, key_words, natural, stem
from perpixel.errors import EXAMPLES_SHOWN, Problem

FIRST_CHOICE: Final = frozenset(
    {"semantic", "semseg", "trainids", "labeltrainids", "consensus", "final", "corrected"}
)
"""In the name of a mask: it counts where others of the same image do not say so."""

LONE_SHOWN: Final = 2
"""Masks without an image that are named among images without a mask."""


@dataclass(frozen=True)
class Pairs:
    """The images of one folder with their masks, and those left over."""

    pairs: tuple[tuple[Path, Path], ...]
    without_mask: tuple[Path, ...] = ()
    without_image: tuple[Path, ...] = ()
    problems: tuple[Problem, ...] = field(default=())


def pair(images: Sequence[Path], masks: Sequence[Path]) -> Pairs:
    """Pair images and masks by their names; each file is in one pair at most.

    By equal stems; by the image's whole name (a.jpg, a.jpg.png); by what is left of the stems without words like
    "mask"; by one constant affix; by numbers of any length (img_1, mask_001); else one image with one mask.
    """
    are_masks = set(masks)
    images = [i for i in images if i not in are_masks]
    masks = _first_choice(masks, len(images))
    problems = [*_collisions(images), *_collisions(masks)]
    pairs: list[tuple[Path, Path]] = []
    for step in (_by_stem, _by_file_name, _by_key, _by_affix, _by_number):
        taken = {path for both in pairs for path in both}
        pairs += step([i for i in images if i not in taken], [m for m in masks if m not in taken])
    if not pairs and len(images) == len(masks) == 1:
        pairs = [(images[0], masks[0])]
    taken = {path for both in pairs for path in both}
    order = {image: number for number, image in enumerate(images)}
    return Pairs(
        tuple(sorted(pairs, key=lambda both: order[both[0]])),
        tuple(image for image in images if image not in taken),
        tuple(mask for mask in masks if mask not in taken),
        tuple(problems),
    )


def plainest(masks: Sequence[Path]) -> list[Path]:
    """Of masks that have one name but for their words: no instance map, and class indices for training before others.

    >>> [m.name for m in plainest([Path("a_labelIds.png"), Path("a_instanceIds.png"), Path("a_labelTrainIds.png")])]
    ['a_labelTrainIds.png']
    """
    if len(masks) < 2:
        return list(masks)
    kept = [mask for mask in masks if file_role(stem(mask.name)) != "instance"]
    return [mask for mask in kept if "labeltrainids" in mask.name.lower()] or kept


def are_bands(pairs: Pairs) -> bool:
    """Whether most masks are named like several images, and like none of them alone: a.png and a_B02, a_B03, a_B04.

    >>> a, b = [Path(f"a_B{n}.png") for n in (2, 3, 4)], [Path(f"b_B{n}.png") for n in (2, 3, 4)]
    >>> are_bands(Pairs(((a[0], Path("a.png")), (b[0], Path("b.png"))), (*a[1:], *b[1:])))
    True
    >>> are_bands(Pairs(((Path("a_1.png"), Path("a_1.png")),), (Path("a_2.png"), Path("a_3.png"))))
    False
    """
    several = 0
    left = {f"_{key(stem(image.name))}_" for image in pairs.without_mask}
    for image, mask in pairs.pairs:
        own, taken = key(stem(mask.name)), key(stem(image.name))
        several += own != taken and f"_{own}_" in f"_{taken}_" and any(f"_{own}_" in name for name in left)
    return 2 * several > len(pairs.pairs)


def missing_masks(
    pairs: Pairs,
    images: Sequence[Path],
    masks: Sequence[Path],
    fix: str = "rename the mask to match, or move the unlabelled image out of the folder.",
) -> Problem:
    """What to say of images without a mask beside others that have one."""
    names = [mask.name for mask in masks]
    examples, named = [], set()
    for image in sorted(pairs.without_mask):
        close = get_close_matches(image.name, names, n=1, cutoff=0.5) if len(names) < 5000 else []
        examples.append(f"{image.name}: closest mask is {close[0]}" if close else str(image))
        named.update(close)
    lone = [f"{mask}: a mask without an image" for mask in pairs.without_image if mask.name not in named]
    place = EXAMPLES_SHOWN - LONE_SHOWN
    examples[place:place] = lone[:LONE_SHOWN]  # not behind many images, where nobody sees them
    return Problem(
        f"{masks[0].parent} has no mask for {len(pairs.without_mask)} of {len(images)} images in {images[0].parent}.",
        fix=fix,
        examples=tuple(examples),
    )


def _by_stem(images: Sequence[Path], masks: Sequence[Path]) -> list[tuple[Path, Path]]:
    stems = {stem(mask.name): mask for mask in masks}
    return _once((image, stems.get(stem(image.name))) for image in images)


def _by_file_name(images: Sequence[Path], masks: Sequence[Path]) -> list[tuple[Path, Path]]:
    stems = {stem(mask.name): mask for mask in masks}
    return _once((image, stems.get(normalize("NFC", image.name))) for image in images)


def _once(pairs: Iterable[tuple[Path, Path | None]]) -> list[tuple[Path, Path]]:
    """The pairs that have a mask, the first for each mask."""
    found: dict[Path, Path] = {}
    for image, mask in pairs:
        if mask is not None:
            found.setdefault(mask, image)
    return [(image, mask) for mask, image in found.items()]


def _by_affix(images: Sequence[Path], masks: Sequence[Path]) -> list[tuple[Path, Path]]:
    first, second = ({stem(path.name): path for path in paths} for paths in (images, masks))
    places = by_affix(list(first), list(second))
    images, masks = list(first.values()), list(second.values())
    return [(images[i], masks[m]) for i, m in places]


def _by_key(images: Iterable[Path], masks: Iterable[Path]) -> list[tuple[Path, Path]]:
    found: dict[str, tuple[list[Path], list[Path]]] = defaultdict(lambda: ([], []))
    for side, paths in enumerate((images, masks)):
        for path in paths:
            found[key(stem(path.name))][side].append(path)
    for _, candidates in found.values():
        candidates[:] = plainest(candidates)
    return [(i[0], m[0]) for i, m in found.values() if len(i) == len(m) == 1]


def _by_number(images: Sequence[Path], masks: Sequence[Path]) -> list[tuple[Path, Path]]:
    """Names that differ by words like "mask" and by zeros before numbers, where that pairs all of both sides."""
    first, second = ({natural(key(stem(path.name))): path for path in paths} for paths in (images, masks))
    is_whole = len(images) == len(first) and len(masks) == len(second) and first.keys() == second.keys()
    return [(image, second[name]) for name, image in first.items()] if is_whole else []


def _first_choice(masks: Sequence[Path], images: int) -> list[Path]:
    """The masks whose names say that they count, where others beside them do not: a.png, a_semantic.png."""
    said = [mask for mask in masks if FIRST_CHOICE & {*key_words(stem(mask.name))}]
    return said if images <= len(said) and said else list(masks)


def _collisions(files: Sequence[Path]) -> list[Problem]:
    by_stem: dict[str, list[str]] = defaultdict(list)
    for file in files:
        by_stem[stem(file.name)].append(file.name)
    same = tuple(" and ".join(names) for names in by_stem.values() if len(names) > 1)
    if not same:
        return []
    return [
        Problem(
            f"{len(same)} name(s) in {files[0].parent} [collides|collide] when the ending is dropped.",
            fix="rename or remove one of each, so that it is clear which mask belongs to which image.",
            examples=same,
        )
    ]
