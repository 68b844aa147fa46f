"""Whether the values of masks number objects one by one, or are classes."""

from collections.abc import Mapping
from typing import Final

from perpixel.dataset.layout.inventory import MaskFacts, Page
from perpixel.dataset.masks.evidence import Shapes
from perpixel.dataset.masks.tracked import PIECES, are_tracked
from perpixel.dataset.masks.void import ISLANDS
from perpixel.errors import DataError

FEW: Final = 5
"""Of fewer different values the numbers tell little: the second of three classes may lie in fewer images than the
first."""
MANY: Final = 20
"""So many classes, each in one piece, are asked about where nothing tells that they are classes."""
TOO_MANY: Final = 64
"""More values than this, each in one piece, are no classes."""
RECURS: Final = 0.8
"""Of the images, the share in which a class that is always there occurs."""
NUMBERS_FIX: Final = (
    "write a dataset.yaml into the folder with the lines 'perpixel: 1' and 'reading: instances' if they number "
    "objects, or 'reading: values' if they are classes."
)


def number_objects(facts: Mapping[Page, MaskFacts], shapes: Shapes, *, named_so: bool) -> bool:
    """Whether masks number objects: by their folder's name, or by how the numbers run in each image.

    Objects are numbered 1, 2, 3, … anew in each image, as many as there are; or a number occurs in one image only.
    Classes recur, with gaps, and each has its place where there are many.

    Raises:
        DataError: Values, each in one piece, may be either.
    """
    if any(fact.kind != "index" or fact.lossy for fact in facts.values()):
        return False
    values = {value for fact in facts.values() for value in fact.values}
    if len(values) < (2 if named_so else 3) or 0 not in values or min(values) < 0:
        return False
    inside = [numbers for fact in facts.values() if (numbers := set(fact.values) - {0})]
    if not named_so:
        _ask_of_lone(inside, shapes, len(values))
        if len(values) < MANY and are_tracked(shapes):
            raise _tracked(len(values))
    if (len(values) <= FEW or any(fact.palette for fact in facts.values())) and not named_so:
        _ask_of_few(inside, shapes, len(values))
        return False
    found, pieces = shapes.pieces()
    if pieces > PIECES * found:
        return False
    if named_so or len(values) > TOO_MANY:
        return True
    return _run_on(inside, shapes, len(values))


def _run_on(inside: list[set[int]], shapes: Shapes, count: int) -> bool:
    """Whether many values, each in one piece, number the objects of each mask."""
    if len(inside) < 3:
        return _in_few(inside, shapes, count)
    runs_on = all(max(numbers) == len(numbers) for numbers in inside)
    sizes = {len(numbers) for numbers in inside}
    if shapes.keep_places() or (not runs_on and _recurrence(inside) >= RECURS):
        return False
    if (runs_on and len(sizes) >= 3) or (count >= MANY and _recurrence(inside) <= 1.5 / len(inside)):
        return True
    if count >= MANY or (runs_on and len(sizes) == 2):
        raise _numbers_or_classes(count)
    _ask_of_few(inside, shapes, count)
    return False


def _ask_of_few(inside: list[set[int]], shapes: Shapes, count: int) -> None:
    """Raise DataError where a few values may be objects as well as classes: islands, numbered from 1 on in each mask.

    Classes keep to their places, or look different in the images; the number of an object says nothing of its look.
    """
    runs_on = all(max(numbers) == len(numbers) for numbers in inside)
    if not runs_on or len(inside) < 2 or max(map(len, inside)) < 2 or shapes.contact_share(0) > ISLANDS:
        return
    found, pieces = shapes.pieces()
    if pieces <= found and not shapes.keep_places(2) and not shapes.look_different():
        raise _numbers_or_classes(count)


def _ask_of_lone(inside: list[set[int]], shapes: Shapes, count: int) -> None:
    """Raise DataError where each number occurs in one mask only, in one piece: the number of an object, anywhere."""
    if len(inside) < 4 or count >= MANY or sum(map(len, inside)) > len(set().union(*inside)):
        return
    found, pieces = shapes.pieces()
    if pieces <= found:
        raise _numbers_or_classes(count)


def _in_few(inside: list[set[int]], shapes: Shapes, count: int) -> bool:
    """The same of one or two images, where only many numbers without a gap are objects."""
    runs_on = all(max(numbers) == len(numbers) for numbers in inside)
    if runs_on and count >= MANY:
        return True
    if count >= MANY or (runs_on and count >= 2 * FEW):
        raise _numbers_or_classes(count)
    _ask_of_few(inside, shapes, count)
    return False


def _recurrence(inside: list[set[int]]) -> float:
    """Of the images, the share that holds a value, on average over the values."""
    return sum(map(len, inside)) / len(set().union(*inside)) / len(inside)


def _tracked(count: int) -> DataError:
    return DataError(
        f"the masks hold {count} values, each in one piece; from image to image they move on as in a film, and "
        "several look alike: they may number objects one by one, or be classes.",
        fix=NUMBERS_FIX,
    )


def _numbers_or_classes(count: int) -> DataError:
    return DataError(
        f"the masks hold {count} values, each in one piece: they may number objects one by one, or be classes.",
        fix=NUMBERS_FIX,
    )
