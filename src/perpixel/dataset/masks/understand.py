"""Decide the classes and how the masks are read, from what the masks hold and what the user states."""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, NoReturn

from perpixel.dataset.annotations.tables import ClassTable, find_tables
from perpixel.dataset.layout.folder_tree import Tree
from perpixel.dataset.layout.inventory import MaskFacts, Page, look_at_masks, packed
from perpixel.dataset.layout.layouts import Layout
from perpixel.dataset.layout.names import stem
from perpixel.dataset.masks.class_layers import (
    WHAT,
    in_words,
    layer_count,
    refuse_copies_of_objects,
    understood_layers,
)
from perpixel.dataset.masks.classes import (
    Evidence,
    Reading,
    Understood,
    binary,
    infer,
    merged_objects,
    shown_colour,
)
from perpixel.dataset.masks.drawn_labels import understood_drawn
from perpixel.dataset.masks.evidence import Shapes
from perpixel.dataset.masks.hollow import hollow_masks
from perpixel.dataset.masks.model_conflicts import conflicts
from perpixel.dataset.masks.numbered import number_objects
from perpixel.dataset.masks.polarity import reversed_masks
from perpixel.dataset.masks.repeated import repeated_masks
from perpixel.dataset.masks.void import VOID_NAMES
from perpixel.dataset.overrides import NOTHING_STATED, Overrides
from perpixel.dataset.sample import Finding, Sample, info, warning
from perpixel.errors import DataError, Problem
from perpixel.labels.labels import Labels, Value
from perpixel.shapes import IGNORED

NUMBERED_BY_NAME: Final = re.compile(r".*_cp_masks|man_seg\d+")
"""Stems of files in which Cellpose and the Cell Tracking Challenge number objects."""
SAYS_CLASSES: Final = re.compile(r"class|semantic|sem_?seg|categor", re.IGNORECASE)
"""In the name of a folder of masks: their values are classes."""
BINARY: Final[frozenset[Reading]] = frozenset({"halves", "nonzero", "alpha"})
"""Readings that make background (0) and foreground (255) of whatever the masks hold."""

MOST_CLASSES_IN_PIECES: Final = 16
"""A piece of a mask with more values than these has smoothed borders; with fewer, but more than two, classes."""


@dataclass(frozen=True)
class Stated:
    """What the user says of the data, which overrules what would be inferred.

    Args:
        labels: The classes, by dataset.yaml or by a model.
        reading: How the masks are read, by dataset.yaml.
        ignored: All values that stand for no label, by dataset.yaml.
        overrides: The rest.
        is_model: Whether `labels` are those of a model, with which the data are compared.
        own_labels: The classes by dataset.yaml.
    """

    labels: Labels | None = None
    reading: Reading | None = None
    ignored: tuple[Value, ...] | None = None
    overrides: Overrides = NOTHING_STATED
    is_model: bool = False
    own_labels: Labels | None = None

    def with_ignored(self, labels: Labels) -> Labels:
        """The labels with what the user says that nobody has labelled."""
        more = [*self.overrides.unlabelled, *((self.ignored or ()) if self.is_model else ())]
        if labels.encoding == "colour":
            more = [value if isinstance(value, tuple) else (value,) * 3 for value in more]
        return replace(labels, ignored=tuple(dict.fromkeys([*labels.ignored, *more])))


@dataclass(frozen=True)
class Found:
    """What a folder holds, before its masks are understood.

    Args:
        tree: Its files.
        layout: Which are images, which masks.
        samples: Every image with its masks; of stacks every page.
        facts: Of every mask.
    """

    tree: Tree
    layout: Layout
    samples: Sequence[Sample]
    facts: Mapping[Page, MaskFacts]

    def shapes(self) -> Shapes:
        """A few masks to look at, with their images."""
        return Shapes.of(self.facts, self.images())

    def images(self) -> dict[Page, Page]:
        """The image, and its page, of each mask that is not turned against it."""
        return {(p, s.mask_page): (s.image, s.page) for s in self.samples for p in s.masks if s.mask_turn == 1}


def understand(found: Found, stated: Stated) -> Understood:
    """The labels and the reading; what is stated overrules what is inferred.

    Raises:
        DataError: The masks hold no classes that could be told, or values unknown to the given labels.
    """
    given = None if stated.labels is None else stated.with_ignored(stated.labels)
    reading = stated.reading
    if given is not None and reading is None:
        reading = _reading_for(found, given)
    if found.layout.form == "drawn":
        return understood_drawn(found.layout, found.samples, stated.overrides.unlabelled, stated.ignored, given)
    understood = Understood(given, reading) if given is not None and reading is not None else _inferred(found, stated)
    understood = replace(understood, reading=reading or understood.reading)
    told = reversed_masks(found.facts, understood, found.images()) + hollow_masks(understood, found.shapes())
    told += repeated_masks(found.facts) if understood.reading != "classes" else []
    understood = replace(understood, findings=(*understood.findings, *told))
    if stated.labels is None:
        understood = replace(understood, findings=(*understood.findings, *_told_void(understood.labels)))
    if understood.reading in WHAT:
        _fit_layers(found, understood)
    if understood.reading == "values" or (understood.reading in WHAT and understood.labels.is_multilabel):
        problems = unknown_values(found.facts, understood.labels)
        if stated.is_model and not problems:
            problems = _read_otherwise(found, stated, understood.labels)
        if problems:
            raise DataError.of(problems)
    return understood


def _told_void(labels: Labels) -> list[Finding]:
    """Warn of classes whose names say that nobody has labelled them."""
    named = [
        f"{name}: {value}"
        for name, value in zip(labels.names, labels.values, strict=True)
        if name.strip("_ ").lower() in VOID_NAMES
    ]
    if not named:
        return []
    what = f"{len(named)} class(es) [is|are] named like pixels without a label, and [is|are] learnt like the others."
    return [warning(what, "state their values as ignored in dataset.yaml if nobody has labelled them.", named)]


def _fit_layers(found: Found, understood: Understood) -> None:
    """Raise DataError unless the masks have a layer for each class, under its name where it has a file."""
    labels, reading = understood.labels, understood.reading
    count = layer_count(labels)
    names = (
        labels.names
        if labels.is_multilabel
        else tuple(labels.names[labels.values.index(k)] for k in range(1, count + 1) if k in labels.values)
    )
    listed = found.layout.classes
    if reading == "classes" and listed and names not in (listed, in_words(listed)):
        raise DataError(
            f"the masks are of the classes {', '.join(listed)}, not of {', '.join(names)}.",
            fix="name the classes and their order as the files (or their folders) do.",
        )
    if reading == "classes":
        odd = [str(s.image) for s in found.samples if s.masks and len(s.masks) + len(s.absent) != count]
    elif reading == "channels":
        odd = [str(path) for (path, _), fact in found.facts.items() if fact.channels != count]
    else:
        odd = [str(path) for (path, _), fact in found.facts.items() if fact.pages < count]
    if odd:
        raise DataError(
            f"the masks of {len(odd)} images do not have {count} {WHAT[reading]}(s), one a class.",
            fix="list as many classes as there are.",
            examples=odd,
        )


def _read_otherwise(found: Found, stated: Stated, labels: Labels) -> list[Problem]:
    """Values that a model's labels ignore and the data by themselves have as a class."""
    try:
        own = stated.own_labels or _inferred(found, replace(stated, labels=None)).labels
    except DataError:  # not clear by itself, so that the model decides
        return []
    return conflicts(labels, stated.with_ignored(own), found.facts)


def _reading_for(found: Found, given: Labels) -> Reading:
    if found.layout.form != "values":
        return found.layout.form
    if given.is_multilabel or any(fact.kind == "channels" for fact in found.facts.values()):
        return "channels"
    known = {packed(v) if isinstance(v, tuple) else v for v in (*given.values, *given.ignored)}
    unknown = {v for fact in found.facts.values() for v in fact.values} - known
    if given.values != (0, 255) or not (unknown or any(fact.clear for fact in found.facts.values())):
        return "values"
    try:
        reading = _inferred(found, Stated()).reading
    except DataError:
        return "values"
    return reading if reading in {*BINARY, "instances"} else "values"


def _inferred(found: Found, stated: Stated) -> Understood:
    layout, facts = found.layout, found.facts
    if layout.form == "objects":
        _refuse_classes_in_objects(facts)
        refuse_copies_of_objects(found.samples)
        return Understood(merged_objects(), "objects")
    if layout.form == "classes":
        return understood_layers(layout.classes, _values_of_files(found), found.samples, "classes")
    if stated.reading == "instances":
        return Understood(merged_objects(), "instances")
    if stated.reading in BINARY:
        return binary(stated.reading)
    return _by_values(found, stated)


def _refuse_classes_in_objects(facts: Mapping[Page, MaskFacts]) -> None:
    """Several files an image are merged, so that none may hold classes of its own."""
    several = [f"{path}: {len(fact.values)} values" for (path, _), fact in facts.items() if _is_several(fact)]
    if several:
        raise DataError(
            f"{len(several)} of {len(facts)} mask files, of which several belong to one image, hold several classes.",
            examples=several,
            fix="merge the files of each image into one mask, or list the right ones in a CSV file (pairs: FILE).",
        )


def _is_several(fact: MaskFacts) -> bool:
    """Whether a file holds several classes, or is a picture; a gray one may have smoothed borders."""
    if fact.kind == "colour" and not fact.lossy:
        return len(fact.values) > 2
    return fact.kind == "index" and not fact.lossy and 2 < len(fact.values) <= MOST_CLASSES_IN_PIECES


def _by_values(found: Found, stated: Stated) -> Understood:
    tree, facts, shapes = found.tree, found.facts, found.shapes()
    tables = find_tables([f for folder in tree.folders for f in folder.others if len(folder.place.where) <= 1])
    present = sorted({value for fact in facts.values() for value in fact.values})
    named = {folder.path for folder in tree.folders if folder.place.role == "instance"}
    named_so = all(path.parent in named or NUMBERED_BY_NAME.fullmatch(path.stem) for path, _ in facts)
    if stated.reading is None and (several := _of_several_pages(found)):
        return _of_pages(found, several, tables)
    is_listed = _are_named(tables, facts, present) or all(SAYS_CLASSES.search(path.parent.name) for path, _ in facts)
    unlabelled = stated.overrides.unlabelled
    is_open = stated.reading is None and not unlabelled
    if is_open and not is_listed and number_objects(facts, shapes, named_so=named_so):
        told = info(
            "the masks number the objects one by one; they are merged into background and object.",
            "if their values are classes, list these in dataset.yaml, or write reading: values there.",
        )
        return Understood(merged_objects(), "instances", (told,))
    folders = frozenset(part.lower() for f in tree.folders for part in f.path.relative_to(tree.root).parts)
    images = [stem(sample.image.name) for sample in found.samples if sample.is_labelled]
    evidence = Evidence(
        list(facts.values()), tables, folders, images, shapes, stated.ignored, stated.reading, unlabelled
    )
    inferred = infer(evidence)
    if inferred.reading != "channels" or stated.reading is not None:
        return inferred
    values = [v for v in inferred.labels.values if isinstance(v, int)]
    return understood_layers(inferred.labels.names, values, found.samples, "channels")


def _are_named(tables: Sequence[ClassTable], facts: Mapping[Page, MaskFacts], present: Sequence[int]) -> bool:
    """Whether a class list names the values, or the colours of their palette."""
    palette = {colour for fact in facts.values() for colour in fact.palette.values()}
    return any(t.for_values(present) is not None or (palette and t.for_colours(palette) is not None) for t in tables)


def _values_of_files(found: Found) -> list[int]:
    """Of each class its value in its files, which hold 0 and one other.

    Raises:
        DataError: A file holds several.
    """
    values: dict[int, int] = {}
    odd = []
    _refuse_empty_beside_absent(found)
    for sample in found.samples:
        present = [k for k in range(len(sample.masks) + len(sample.absent)) if k not in sample.absent]
        for k, path in zip(present, sample.masks, strict=True):
            inside = set(found.facts[path, sample.mask_page].values) - {0}
            odd += [f"{path}: {', '.join(map(str, sorted(inside)[:6]))}"] if len(inside) > 1 else []
            values[k] = max(values.get(k, 0), *inside, 0)
    if odd:
        raise DataError(
            f"{len(odd)} mask(s) of one class [holds|hold] several values beside 0.",
            fix="save each class's mask with 0 and one other value, without smoothing.",
            examples=odd,
        )
    return [value or IGNORED for _, value in sorted(values.items())]


def _refuse_empty_beside_absent(found: Found) -> None:
    """Raise DataError where some classes have an empty file in images that do not show them, and others have none."""
    lacking = [sample for sample in found.samples if sample.absent]
    empty = [str(path) for (path, _), fact in found.facts.items() if set(fact.values) == {0}]
    if lacking and empty:
        raise DataError(
            f"{len(lacking)} images have no mask file of some classes, and {len(empty)} mask files are empty: it is "
            "not clear whether a class without a file is not there, or nobody has looked.",
            fix="give each image one file a class; an empty one where it is not.",
            examples=[*[str(sample.image) for sample in lacking[:2]], *empty],
        )


def _of_several_pages(found: Found) -> list[Page]:
    """The masks with several pages whose images have one."""
    pages = Counter(sample.image for sample in found.samples)
    return [
        (path, found.facts[path, sample.mask_page].pages)
        for sample in found.samples
        for path in sample.masks
        if pages[sample.image] == 1 and found.facts[path, sample.mask_page].pages > 1
    ]


def _of_pages(found: Found, several: Sequence[Page], tables: Sequence[ClassTable]) -> Understood:
    """A page a class, where all masks have equally many, each of 0 and one value, and no pixel has two.

    Args:
        found: The masks.
        several: Those with several pages, and how many.
        tables: Class lists, for the names.

    Raises:
        DataError: Which class a page holds is not known.
    """
    counts = {count for _, count in several}
    if len(counts) == 1 and len(several) == len(found.facts) and (count := counts.pop()) <= MOST_CLASSES_IN_PIECES:
        looked, problems = look_at_masks([(path, page) for path, _ in several for page in range(count)])
        if not problems and all(len(set(fact.values) - {0}) <= 1 for fact in looked.values()):
            names = next((t.names for t in tables if len(t.names) == count), None)
            names = names or tuple(f"class {k + 1}" for k in range(count))
            understood = understood_layers(names, [IGNORED] * count, found.samples, "pages")
            if not understood.labels.is_multilabel:
                return understood
    return _refused_pages(several)


def _refused_pages(several: Sequence[Page]) -> NoReturn:
    raise DataError(
        f"{len(several)} masks have several pages, and their images one.",
        fix="write a dataset.yaml into the folder that lists the classes, one a page, with the line 'reading: "
        "pages'; or 'reading: values' if the first page holds all classes.",
        examples=[str(path) for path, _ in several],
    )


def with_counts(sample: Sample, facts: Mapping[Page, MaskFacts], understood: Understood) -> Sample:
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


def unknown_values(facts: Mapping[Page, MaskFacts], labels: Labels) -> list[Problem]:
    """Masks with values or colours that belong to none of the classes (or, for multilabel ones, beside 0)."""
    known = {packed(v) if isinstance(v, tuple) else v for v in (*labels.values, *labels.ignored)}
    known |= {0} if labels.is_multilabel else set()
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
