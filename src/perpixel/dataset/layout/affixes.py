"""Pair names that differ by one constant beginning or ending, whatever it is: 7.jpg and 7_lab.png."""

import re
from collections import Counter
from collections.abc import Sequence
from typing import Final

from perpixel.dataset.layout.names import MASK_WORDS, PICTURED_WORDS, key_words, says_mask

VOTERS: Final = 30
"""Names that are compared with all others to find the affix."""
LEAST_SHARED: Final = 0.9
"""An affix counts if it explains this share of the images or of the masks."""

ENDINGS: Final = frozenset({".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp"})
"""Of an image, before the mask's own: a.jpg, a.jpg.png."""

Affix = tuple[str, str]


def by_affix(images: Sequence[str], masks: Sequence[str]) -> list[tuple[int, int]]:
    """Pair stems by a constant affix of the masks (7, 7_lab), of the images (7_0000, 7), or of both (7_sat, 7_road).

    Args:
        images: Stems, each once.
        masks: Likewise.

    Returns:
        (index of the image, index of its mask); nothing where no affix explains nearly all of one side.

    >>> by_affix(["a1", "a2"], ["a2_L", "a1_L"])
    [(0, 1), (1, 0)]
    >>> by_affix(["1", "2"], ["10", "20"])  # a digit more makes another number
    []
    >>> by_affix(["s_camera_7", "s_camera_8"], ["s_label_8", "s_label_7"])
    [(0, 1), (1, 0)]
    """
    if not images or not masks:
        return []
    outer, inner = _added(images, masks), _added(masks, images)
    ways = [_with(outer, images, masks), _turned(_with(inner, masks, images)), _ends(images, masks)]
    found = max(*ways, _words_exchanged(images, masks), key=len)
    return found if len(found) >= LEAST_SHARED * min(len(images), len(masks)) else []


def companions(stems: Sequence[str], paired: Sequence[str]) -> list[int]:
    """Those that are a paired name with a constant ending (7 and 7_superpixels): made from the images, not images."""
    affix = _added(paired, stems)
    return [] if affix is None else [other for _, other in _with(affix, paired, stems)]


def named_after(stems: Sequence[str]) -> list[tuple[int, int]]:
    """Pairs (image, mask) of one folder in which each mask is its image's name and a constant that says mask.

    >>> named_after(["seg_1", "seg_1_mask", "seg_2", "seg_2_mask"]), named_after(["a.jpg", "a"])
    ([(0, 1), (2, 3)], [(1, 0)])
    >>> named_after(["x_1", "x_2", "y_1", "y_2"]), named_after(["1", "1_thumb"])
    ([(0, 2), (1, 3)], [])
    """
    lettered = [index for index, name in enumerate(stems) if re.match(r"[yY][_\- ]", name)]
    if lettered:
        affix_free = {f"x{stems[index][1:]}".lower(): index for index in lettered}
        low = [name.lower() for name in stems]
        pairs = [(index, affix_free[name]) for index, name in enumerate(low) if name in affix_free]
        return pairs if 2 * len(pairs) == len(stems) else []
    affix = _added(stems, stems)
    if affix is None:
        return []
    says_mask = set(key_words(" ".join(affix))) & MASK_WORDS or affix[1].lower() in ENDINGS
    pairs = _with(affix, stems, stems) if says_mask else []
    return pairs if 2 * len(pairs) == len(stems) else []


def counterparts(stems: Sequence[str]) -> list[tuple[int, int]]:
    """Pairs of names of one folder that differ by one constant affix, whatever it says; all names are in one.

    >>> counterparts(["1", "1_a", "2", "2_a"]), counterparts(["1", "2", "3", "3_a"])
    ([(0, 1), (2, 3)], [])
    """
    affix = _added(stems, stems)
    pairs = _with(affix, stems, stems) if affix is not None else []
    return pairs if 2 * len(pairs) == len(stems) and len({i for both in pairs for i in both}) == len(stems) else []


def _added(shorter: Sequence[str], longer: Sequence[str]) -> Affix | None:
    """What most often stands before and behind a shorter name in a longer one."""
    votes: Counter[Affix] = Counter()
    for name in longer[:VOTERS]:
        for core in shorter:
            start = name.find(core)
            if start >= 0 and name != core:
                affix = name[:start], name[start + len(core) :]
                votes[affix] += _is_apart(*affix, core)
    best = max(votes.items(), key=lambda item: (item[1], -len("".join(item[0]))), default=None)
    return best[0] if best and best[1] else None


def _is_apart(before: str, behind: str, core: str) -> bool:
    """Whether the affix does not continue a number of the name."""
    runs_on = re.search(r"\d$", before) and core[:1].isdigit()
    return not runs_on and not (core[-1:].isdigit() and behind[:1].isdigit())


def _with(affix: Affix | None, shorter: Sequence[str], longer: Sequence[str]) -> list[tuple[int, int]]:
    if affix is None:
        return []
    place = {name: index for index, name in enumerate(longer)}
    names = ((index, affix[0] + core + affix[1]) for index, core in enumerate(shorter))
    return [(index, place[name]) for index, name in names if name in place]


def _turned(pairs: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    return sorted((second, first) for first, second in pairs)


def _ends(images: Sequence[str], masks: Sequence[str]) -> list[tuple[int, int]]:
    """Names that begin alike and end in one word for all images and another, which says mask, for all masks."""
    if len(images) < 2 or len(masks) < 2:
        return []
    image_end, mask_end = _common_end(images), _common_end(masks)
    if not set(key_words(mask_end)) & (MASK_WORDS - PICTURED_WORDS):
        return []
    cores = {name.removesuffix(mask_end): index for index, name in enumerate(masks)}
    found = ((index, name.removesuffix(image_end)) for index, name in enumerate(images))
    return [(index, cores[core]) for index, core in found if core in cores]


def _words_exchanged(images: Sequence[str], masks: Sequence[str]) -> list[tuple[int, int]]:
    """Names that differ by words which all images have, and others in their place, that say mask, in all masks."""
    first, second = ([re.split(r"[_\-. ]+", name) for name in names] for names in (images, masks))
    lengths = {len(words) for words in (*first, *second)}
    if len(images) < 2 or len(masks) < 2 or len(lengths) > 1:
        return []
    columns = [
        ({*ours}, {*theirs}) for ours, theirs in zip(zip(*first, strict=True), zip(*second, strict=True), strict=True)
    ]
    other = [k for k, (ours, theirs) in enumerate(columns) if len(ours) == len(theirs) == 1 and ours != theirs]
    if not any(says_mask(second[0][k]) for k in other):
        return []
    cores = {tuple(w for k, w in enumerate(words) if k not in other): index for index, words in enumerate(second)}
    left = [tuple(w for k, w in enumerate(words) if k not in other) for words in first]
    return [(index, cores[core]) for index, core in enumerate(left) if core in cores]


def _common_end(names: Sequence[str]) -> str:
    """The longest common ending that begins with a separator."""
    first, *others = names
    starts = [match.start() for match in re.finditer(r"[_\-. ]", first)]
    return next((first[at:] for at in starts if all(name.endswith(first[at:]) for name in others)), "")
