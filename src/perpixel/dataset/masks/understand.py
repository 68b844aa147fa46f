"""Decide the classes and how the masks are read, from what the masks hold and what the user states."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

import numpy as np

from perpixel.dataset.annotations.tables import find_tables
from perpixel.dataset.layout.inventory import MaskFacts, Page, packed
from perpixel.dataset.layout.layouts import Layout
from perpixel.dataset.layout.tree import Tree
from perpixel.dataset.masks.classes import (
    Reading,
    Understood,
    default_colours,
    infer,
    merged_objects,
    multilabel,
    shown_colour,
)
from perpixel.dataset.sample import Sample, Shape, info
from perpixel.errors import DataError, Problem
from perpixel.files.read import read_mask
from perpixel.labels.codec import Labels
from perpixel.shapes import IGNORED

OBJECTS_FROM: Final = 20
"""Different values from which masks may be instance maps, if their folder's name does not say so."""


def understand(
    tree: Tree, layout: Layout, facts: Mapping[Page, MaskFacts], given: Labels | None, reading: Reading | None
) -> Understood:
    """The labels and the reading; `given` and `reading` overrule what is inferred.

    Raises:
        DataError: The masks hold no classes that could be told, or values unknown to the given labels.
    """
    if given is not None and reading is None:
        reading = _reading_for(layout, facts, given)
    understood = (
        Understood(given, reading) if given is not None and reading is not None else _inferred(tree, layout, facts)
    )
    understood = replace(understood, reading=reading or understood.reading)
    if understood.reading in ("values", "halves", "classes", "channels", "pages"):
        problems = unknown_values(facts, understood.labels)
        if problems:
            raise DataError.of(problems)
    return understood


def _reading_for(layout: Layout, facts: Mapping[Page, MaskFacts], given: Labels) -> Reading:
    if layout.form != "values":
        return layout.form
    if given.kind == "multilabel":
        return "channels"
    if any(fact.lossy for fact in facts.values()):
        return "halves"
    known = {packed(v) if isinstance(v, tuple) else v for v in (*given.values, *given.ignored)}
    unknown = {v for fact in facts.values() for v in fact.values} - known
    return "instances" if len(given) == 2 and unknown and is_instance_map(facts) else "values"


def _inferred(tree: Tree, layout: Layout, facts: Mapping[Page, MaskFacts]) -> Understood:
    if layout.form == "drawn":
        names = ("background", *layout.classes)
        values = tuple(range(len(names)))
        return Understood(Labels("multiclass", names, values, default_colours(values)), "drawn")
    if layout.form == "objects":
        return Understood(merged_objects(), "objects")
    if layout.form == "classes":
        value = max((v for fact in facts.values() for v in fact.values), default=255)
        return Understood(multilabel(layout.classes, value or 255), "classes")
    named = {folder.path for folder in tree.folders if folder.place.role == "instance"}
    if is_instance_map(facts, 2 if all(path.parent in named for path, _ in facts) else OBJECTS_FROM):
        told = info(
            "the masks number the objects one by one; they are merged into background and object.",
            "if their values are classes, list these in dataset.yaml.",
        )
        return Understood(merged_objects(), "instances", (told,))
    files = [file for folder in tree.folders for file in folder.others if len(folder.place.where) <= 1]
    folders = frozenset(part.lower() for f in tree.folders for part in f.path.relative_to(tree.root).parts)
    return infer(list(facts.values()), find_tables(files), folders)


def is_instance_map(facts: Mapping[Page, MaskFacts], least: int = OBJECTS_FROM) -> bool:
    """Whether masks number objects: at least so many values, 0 among them, and nearly every other in a single piece.

    Judged on the four masks with most values.
    """
    if any(fact.kind != "index" or fact.palette or fact.lossy for fact in facts.values()):
        return False
    values = {value for fact in facts.values() for value in fact.values}
    if len(values) < least or 0 not in values:
        return False
    from scipy import ndimage

    pieces = objects = 0
    for page in sorted(facts, key=lambda page: -len(facts[page].values))[:4]:
        mask = read_mask(*page).values
        for value in [value for value in facts[page].values if value][:100]:
            objects += 1
            pieces += int(ndimage.label(mask == value, np.ones((3, 3)))[1])
    return pieces <= 1.2 * objects


def counted(sample: Sample, facts: Mapping[Page, MaskFacts], understood: Understood) -> Sample:
    """The sample with its class counts, where its one mask holds them as they are."""
    if understood.reading != "values" or len(sample.masks) != 1:
        return sample
    labels, fact = understood.labels, facts[sample.masks[0], sample.mask_page]
    place = {packed(v) if isinstance(v, tuple) else v: k for k, v in enumerate(labels.values)}
    pixels = [0] * (len(labels) + 1)
    for value, count in fact.values.items():
        shown = shown_colour(fact, value) if labels.encoding == "colour" else value
        pixels[place.get(shown, len(labels))] += count
    return replace(sample, pixels=tuple(pixels))


def renumbered(samples: Sequence[Sample], drawn: Sequence[str], labels: Labels) -> list[Sample]:
    """Give the shapes of drawn classes the indices that these labels have for the names.

    Raises:
        DataError: A drawn class is none of the labels'.
    """
    place = {name: k for k, name in enumerate(labels.names)}
    used = {shape.value for sample in samples for shape in sample.shapes or () if shape.value not in (0, IGNORED)}
    if odd := [drawn[value - 1] for value in sorted(used) if drawn[value - 1] not in place]:
        raise DataError(
            f"{len(odd)} drawn class(es) are none of the given ones.",
            fix=f"rename them; the classes are {', '.join(labels.names)}.",
            examples=odd,
        )

    def index(shape: Shape) -> Shape:
        return shape if shape.value in (0, IGNORED) else replace(shape, value=place[drawn[shape.value - 1]])

    return [s if s.shapes is None else replace(s, shapes=tuple(map(index, s.shapes))) for s in samples]


def unknown_values(facts: Mapping[Page, MaskFacts], labels: Labels) -> list[Problem]:
    """Masks with values or colours that belong to none of the classes (or, for multilabel ones, beside 0)."""
    known = {packed(v) if isinstance(v, tuple) else v for v in (*labels.values, *labels.ignored)}
    known |= {0} if labels.kind == "multilabel" else set()
    examples = []
    for (path, _), fact in facts.items():
        shown = {v: shown_colour(fact, v) if labels.encoding == "colour" else v for v in fact.values}
        odd = {value: fact.values[value] for value in fact.values if shown[value] not in known}
        if odd and not fact.lossy:
            spelled = [f"#{shown[v]:06X}" if labels.encoding == "colour" else str(v) for v in odd]
            examples.append(f"{path}: {', '.join(spelled[:5])} ({sum(odd.values()):,} pixels)")
    if not examples:
        return []
    classes = ", ".join(f"{name} = {value}" for name, value in zip(labels.names, labels.values, strict=True))
    return [
        Problem(
            f"{len(examples)} of {len(facts)} masks hold values that belong to no class.",
            fix=f"relabel them, or name them in dataset.yaml; the classes are {classes}.",
            examples=tuple(examples),
        )
    ]
