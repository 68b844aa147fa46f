"""Masks whose values are no classes: smoothed between levels, or written at two scales."""

from collections import Counter
from collections.abc import Sequence
from typing import Final

from perpixel.dataset.layout.inventory import MaskFacts
from perpixel.dataset.masks.evidence import Shapes
from perpixel.dataset.masks.refusals import blended, coloured_objects, numbered_colours, smoothed
from perpixel.dataset.masks.void import BETWEEN, is_even
from perpixel.errors import DataError

MOST_LEVELS: Final = 20
"""Values that a mask of classes at one of two scales has at most."""
LEAST_STEPS: Final = 6
LEAST_COLOURS, LEAST_MASKS, ONCE = 8, 3, 0.8
"""From so many colours in so many masks on, of which this share occurs in one mask only, colours are objects'."""
INSIDE: Final = 0.02
"""Of the pixels of a step, at most this share lies inside its own level."""


def refuse_mixtures(facts: Sequence[MaskFacts], shapes: Shapes) -> None:
    """Raise DataError where most values are steps along borders, or some files hold multiples of others."""
    values = sorted({value for fact in facts for value in fact.values})
    seen = {value: shapes.interiors.get(value, (0, 0)) for value in values[1:-1]}
    steps = [value for value, (pixels, inner) in seen.items() if inner <= INSIDE * pixels]
    if len(steps) >= LEAST_STEPS and 2 * len(steps) >= len(values) and not is_even(values):
        raise smoothed(len(values), values[-1])
    sorts = {frozenset(fact.values) - {0} for fact in facts}
    if len(values) > 2 * MOST_LEVELS or len(sorts) < 2:
        return
    scale = next((s for s in (2, 17, 63, 64, 85, 100, 127, 128, 255, 257) if _is_scaled(sorts, s)), None)
    if scale is not None:
        raise DataError(
            f"some masks hold values that are {scale} times those of the others: they are written at two scales.",
            fix="write all masks with the same values.",
            examples=[", ".join(map(str, sorted(sort))) for sort in sorted(sorts, key=sorted)],
        )


def are_two_scales(facts: Sequence[MaskFacts]) -> bool:
    """Whether each mask holds 0 and 1, or 0 and 255, and several of both sorts are there."""
    sorts = Counter(next(iter(set(fact.values) - {0}), 0) for fact in facts if len(set(fact.values) - {0}) <= 1)
    every = {value for fact in facts for value in fact.values}
    return every == {0, 1, 255} and sorts.total() == len(facts) and min(sorts[1], sorts[255]) >= 2


def _is_scaled(sorts: set[frozenset[int]], scale: int) -> bool:
    """Whether each file holds small values, or their multiples, and several of both occur."""
    small = [sort for sort in sorts if sort and max(sort) < MOST_LEVELS]
    large = [sort for sort in sorts if sort and max(sort) >= MOST_LEVELS]
    known = set().union(*small) if small else set()
    told = set().union(*large) if large else set()
    return (
        len(known) >= 2
        and len(told) >= 2
        and known | told == set().union(*sorts)
        and told <= {scale * v for v in known}
    )


def refuse_colours(colours: Sequence[int], facts: Sequence[MaskFacts], shapes: Shapes) -> None:
    """Raise DataError where colours are those of smoothed edges, or of objects."""
    if blends := _blends(colours, facts, shapes):
        raise blended(blends)
    if counted := _counted_in_blue(colours):
        raise numbered_colours(counted)
    if once := _of_objects(facts):
        raise coloured_objects(once, len(colours))


def ask_for_border(shapes: Shapes) -> None:
    """Raise DataError where one colour lies between all others, as PASCAL VOC's does, which stands for no label."""
    value = shapes.border_value()
    if value is not None:
        raise DataError(
            f"it is not clear whether the colour #{value:06X} in the masks is a class: {BETWEEN}.",
            fix="write a dataset.yaml into the folder with the lines 'perpixel: 1' and 'ignored: "
            f"[\"#{value:06X}\"]' if it stands for no label, or 'ignored: []' if it is a class.",
        )


def _blends(colours: Sequence[int], facts: Sequence[MaskFacts], shapes: Shapes) -> list[int]:
    """Colours that occur along borders only, where there are several: those of smoothed edges."""
    if len(colours) < 5 or any(fact.kind != "colour" for fact in facts if len(fact.values) > 1):
        return []
    odd = [c for c in colours if shapes.interiors.get(c, (0, 0))[1] == 0]
    return odd if len(odd) >= 3 and len(odd) >= len(colours) / 2 else []


def _counted_in_blue(colours: Sequence[int]) -> list[int]:
    """Colours with the red and green of others, where red is of tens and the blues lie close: ADE20K's objects."""
    families: dict[int, list[int]] = {}
    for colour in sorted(colours):
        families.setdefault(colour >> 8, []).append(colour & 255)
    are_tens = all((base >> 8) % 10 == 0 for base in families)
    several = [base for base, blues in families.items() if len(blues) > 1]
    are_close = all(families[base][-1] - families[base][0] <= 4 * len(families[base]) for base in several)
    if not (are_tens and are_close and several and len(families) > 2):
        return []
    return [base << 8 | blue for base in several for blue in families[base]]


def _of_objects(facts: Sequence[MaskFacts]) -> list[int]:
    """Colours that occur in one mask only, where nearly all do: each is an object's, and none a class's."""
    masks = Counter(value for fact in facts if fact.kind == "colour" for value in fact.values if value)
    once = [colour for colour, count in masks.items() if count == 1]
    is_many = len(masks) >= LEAST_COLOURS and len(once) >= ONCE * len(masks)
    return sorted(once) if is_many and sum(fact.kind == "colour" for fact in facts) >= LEAST_MASKS else []
