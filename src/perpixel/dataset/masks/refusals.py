"""What is said of masks whose values cannot be classes."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Final

from perpixel.dataset.layout.inventory import MaskFacts, Page
from perpixel.errors import DataError
from perpixel.labels.labels import Value

MOST_INFERRED: Final = 64
"""More different values than this are not taken for classes without being told."""


def empty_masks(count: int, homes: Iterable[Path] = ()) -> DataError:
    """The error for masks that hold one value only, which lie in these folders."""
    return DataError(
        f"all {count} masks are empty: every pixel has the same value.",
        fix="check that the masks were exported with their labels; if the labels lie in other folders, name these in "
        "dataset.yaml (perpixel: 1, images: NAME, masks: NAME).",
        examples=sorted({str(home) for home in homes}),
    )


def numbered_colours(colours: Sequence[int]) -> DataError:
    """The error for colours of which the blue numbers the objects of a class, as ADE20K has them."""
    return DataError(
        f"{len(colours)} colours differ from others by blue alone, which numbers something: red and green may be the "
        "class, and blue the number of an object.",
        fix="save masks of the classes (ADE20K: red // 10 * 256 + green); or list the classes in dataset.yaml if "
        "each colour is one.",
        examples=[f"#{colour:06X}" for colour in colours],
    )


def one_class(value: int, ignored: Sequence[Value]) -> DataError:
    """The error for masks that hold one class beside what nobody has labelled."""
    return DataError(
        f"the masks hold one class only, the value {value}; the others ({', '.join(map(str, ignored))}) are ignored.",
        fix="label a second class, the background, too: a network learns nothing from one; or write ignored: [] "
        "into dataset.yaml if the other values are classes.",
    )


def too_many(
    values: Sequence[int], what: str = "values", facts: Mapping[Page, MaskFacts] = MappingProxyType({})
) -> DataError:
    """The error for masks whose values are hardly classes; where few masks hold them, these are named."""
    rich = [str(path) for (path, _), fact in facts.items() if len(fact.values) > MOST_INFERRED]
    if rich and 2 * len(rich) < len(facts):
        return DataError(
            f"{len(rich)} of {len(facts)} masks look like pictures: each holds more than {MOST_INFERRED} different "
            "values.",
            fix="put the right masks in their place, or move them and their images out of the folder; or list the "
            "classes in dataset.yaml.",
            examples=rich,
        )
    shown = [f"#{v:06X}" if what == "colours" else str(v) for v in values]
    return DataError(
        f"the masks hold {len(values):,} different {what}; at most {MOST_INFERRED} are taken for classes unasked.",
        fix="save masks without smoothing or lossy compression; or list the classes in dataset.yaml.",
        examples=shown,
    )


def smoothed(count: int, greatest: int) -> DataError:
    """The error for masks with steps along the borders, between levels that are not 0 and 255."""
    return DataError(
        f"the masks hold {count} values up to {greatest}, most of which occur along borders only: they are smoothed.",
        fix="save masks without smoothing; or write reading: values into dataset.yaml if each value is a class.",
    )


def coloured_objects(colours: Sequence[int], count: int) -> DataError:
    """The error for masks that give each object a colour of its own."""
    return DataError(
        f"{len(colours)} of {count} colours occur in one mask only: they may be objects, each in its own colour.",
        fix="save masks of 0 and 255, or of objects numbered from 1; or list the classes in dataset.yaml if each "
        "colour is one.",
        examples=[f"#{colour:06X}" for colour in colours],
    )


def blended(colours: Sequence[int]) -> DataError:
    """The error for masks of colours with smoothed edges."""
    return DataError(
        f"{len(colours)} colours of the masks occur along borders only: the masks are smoothed.",
        fix="save masks without smoothing (nearest neighbour); or list the classes in dataset.yaml.",
        examples=[f"#{colour:06X}" for colour in colours],
    )
