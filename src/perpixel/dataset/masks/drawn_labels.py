"""The classes of drawn labels, and whether what lies outside them is the background or has no label."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from perpixel.dataset.annotations.filling import fill, inside
from perpixel.dataset.annotations.labelled_shapes import LABELLED_BACKGROUNDS
from perpixel.dataset.layout.inventory import MaskFacts, gathered
from perpixel.dataset.layout.layouts import Layout
from perpixel.dataset.masks.classes import Understood, default_colours
from perpixel.dataset.masks.evidence import LARGEST_SIDE, MOST_LOOKED_AT, Shapes
from perpixel.dataset.masks.void import STROKES_FROM, MaskValues, absent_value, is_beside_strokes
from perpixel.dataset.sample import Finding, Sample, Shape, info
from perpixel.errors import DataError
from perpixel.labels.labels import Labels, Value
from perpixel.shapes import IGNORED

BACKGROUND: Final = "background"
PARTLY: Final = 0.5
"""The share of the pixels from which what lies outside drawn regions may have no label."""


def understood_drawn(
    layout: Layout,
    samples: Sequence[Sample],
    unlabelled: Sequence[Value],
    ignored: Sequence[Value] | None,
    given: Labels | None,
) -> Understood:
    """The labels of drawn areas; what lies outside them has the value 0.

    Args:
        layout: Names the classes; the value of the first is 1.
        samples: Images with their shapes.
        unlabelled: What the user says that nobody has labelled.
        ignored: All values that stand for no label, by dataset.yaml; None where it does not say.
        given: The labels by dataset.yaml or by a model.

    Raises:
        DataError: It is not clear whether the rest is the background, or it has no class among the given ones, or
            one class alone is left.
    """
    stated = 0 in unlabelled or 0 in (ignored or ())
    is_partial = stated or (ignored is None and layout.is_partial is True)
    if given is not None and not is_partial and given.names[0] in layout.classes:
        raise _no_background(given)
    if not is_partial and ignored is None:
        _ask_for_strokes(samples, are_regions=layout.is_partial is None)
    told = (_told_partial(is_stated=stated),) if is_partial else ()
    if absent := [str(value) for value in unlabelled if value != 0]:
        told = (*told, absent_value(absent))
    if given is not None:
        return Understood(given, "drawn", told, is_partial)
    used = {shape.value for sample in samples for shape in sample.shapes or ()}
    names = (*((BACKGROUND,) if 0 in used else ()), *layout.classes)
    if not is_partial or (len(names) < 2 and layout.problems):  # which are told then
        names = (BACKGROUND, *layout.classes)
        values = tuple(range(len(names)))
        return Understood(Labels("multiclass", names, values, default_colours(values)), "drawn", told)
    if len(names) < 2:
        raise _one_class(names)
    first = 0 if names[0] == BACKGROUND else 1  # black is the background's
    colours = default_colours(range(first, first + len(names)))
    labels = Labels("multiclass", names, _values(names, layout.order), colours, (0,))
    return Understood(labels, "drawn", told, is_partial)


def _values(names: Sequence[str], order: Sequence[str]) -> tuple[int, ...]:
    """A value for each name: its number in the tool, so that masks which it exports mean the same; else from 1 on.

    >>> _values(["background", "cell"], ["cell", "Background"]), _values(["a", "b"], [])
    ((2, 1), (1, 2))
    """
    numbers = {name.lower() if name.lower() in LABELLED_BACKGROUNDS else name: k for k, name in enumerate(order, 1)}
    numbers |= {BACKGROUND: numbers["_background_"]} if "_background_" in numbers else {}
    return tuple(numbers[name] for name in names) if {*names} <= {*numbers} else tuple(range(1, len(names) + 1))


def with_drawn(samples: Sequence[Sample], layout: Layout, understood: Understood) -> list[Sample]:
    """The samples with shapes of these labels' indices, and, where parts are labelled, the pixels of each class.

    Raises:
        DataError: A drawn class is none of the labels'.
    """
    samples = renumbered(samples, layout.classes, understood.labels)
    if not understood.is_partial:
        return samples
    labels = understood.labels

    def counted(sample: Sample) -> Sample:
        target = fill(sample.shapes or (), sample.height, sample.width, labels, rest=IGNORED)
        pixels = np.bincount(target.ravel(), minlength=IGNORED + 1)
        return replace(sample, is_partial=True, pixels=(*map(int, pixels[: len(labels)]), int(pixels[IGNORED])))

    drawn = [sample for sample in samples if sample.shapes is not None and not labels.is_multilabel]
    partial, _ = gathered(counted, drawn)
    return [partial.get(s) or (s if s.shapes is None else replace(s, is_partial=True)) for s in samples]


def renumbered(samples: Sequence[Sample], drawn: Sequence[str], labels: Labels) -> list[Sample]:
    """Give the shapes of drawn classes the indices that these labels have for the names.

    Raises:
        DataError: A drawn class is none of the labels'.
    """
    place = {name: k for k, name in enumerate(labels.names)}
    used = {shape.value for sample in samples for shape in sample.shapes or () if shape.value not in (0, IGNORED)}
    if odd := [drawn[value - 1] for value in sorted(used) if drawn[value - 1] not in place]:
        raise DataError(
            f"{len(odd)} drawn class(es) [is|are] none of the given ones.",
            fix=f"rename them; the classes are {', '.join(labels.names)}.",
            examples=odd,
        )

    def index(shape: Shape) -> Shape:
        return shape if shape.value in (0, IGNORED) else replace(shape, value=place[drawn[shape.value - 1]])

    return [s if s.shapes is None else replace(s, shapes=tuple(map(index, s.shapes))) for s in samples]


def _ask_for_strokes(samples: Sequence[Sample], *, are_regions: bool) -> None:
    """Raise DataError where what is drawn looks like strokes or like regions of a map, so that the rest has no label.

    Args:
        samples: Images with their shapes.
        are_regions: Whether outlines may be those of regions; else painted areas alone may be strokes.
    """
    small = [s for s in samples if s.shapes and max(s.height, s.width) <= LARGEST_SIDE]
    small = small if are_regions else [s for s in small if all(shape.runs for shape in s.shapes or ())]
    chosen = sorted(small, key=lambda s: -len({shape.value for shape in s.shapes or ()}))[:MOST_LOOKED_AT]
    if len({shape.value for sample in chosen for shape in sample.shapes or ()}) < 2:
        return
    drawn = {(sample.image, sample.page): _numbered(sample) for sample in chosen}
    counts: Counter[int] = Counter()
    facts = {}
    for page, array in drawn.items():
        found = {int(v): int(n) for v, n in zip(*np.unique(array, return_counts=True), strict=True)}
        facts[page] = MaskFacts(array.shape[0], array.shape[1], "index", found)
        counts.update(found)
    shapes = Shapes(facts, images={page: page for page in drawn}, drawn=drawn)
    seen = MaskValues(counts, list(facts.values()), {}, shapes)
    if is_beside_strokes(seen, set(counts), PARTLY if are_regions else STROKES_FROM):
        raise _stroke_question(seen.share(0))


def _numbered(sample: Sample) -> NDArray[np.int32]:
    """(H, W): 0 outside all areas, else one more than their class, the drawn background among them."""
    numbers = np.zeros((sample.height, sample.width), np.int32)
    for shape in sample.shapes or ():
        numbers[inside(shape, sample.height, sample.width)] = shape.value + 1
    return numbers


def _told_partial(*, is_stated: bool) -> Finding:
    why = "so it is stated" if is_stated else "the tool labels parts of images"
    return info(
        f"what lies outside the drawn areas is ignored: {why}.",
        "write ignored: [] into dataset.yaml if it is the background.",
    )


def _stroke_question(share: float) -> DataError:
    return DataError(
        f"it is not clear whether what lies outside the drawn areas is the background: it covers {share:.0%} of the "
        "pixels, the classes hardly touch each other, and the images do not change where they end: they look like "
        "strokes, and the rest like what nobody has labelled.",
        fix="say unlabelled = 0 (as an option, or 'perpixel: 1' and 'unlabelled: 0' in a dataset.yaml in the folder) "
        "if nobody has labelled it; or write 'ignored: []' there if it is the background.",
    )


def _one_class(names: Sequence[str]) -> DataError:
    return DataError(
        f"one class is drawn, {', '.join(names) or 'none'}, and the rest of the images has no label.",
        fix="draw the background, too: a network learns nothing from one class; or write ignored: [] into "
        "dataset.yaml if the rest is the background.",
    )


def _no_background(labels: Labels) -> DataError:
    return DataError(
        f"what lies outside the drawn areas has no class: the classes are {', '.join(labels.names)}.",
        fix="say unlabelled = 0 if nobody has labelled it; or use a model that has a background.",
    )
