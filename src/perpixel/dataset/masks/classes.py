"""Infer the classes from the values in the masks, and say by which rule."""

import colorsys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from perpixel.dataset.annotations.known_sets import KNOWN_SETS
from perpixel.dataset.annotations.tables import ClassTable
from perpixel.dataset.layout.inventory import MaskFacts, packed, total, unpacked
from perpixel.dataset.masks.evidence import Shapes
from perpixel.dataset.masks.mixtures import are_two_scales, ask_for_border, refuse_colours, refuse_mixtures
from perpixel.dataset.masks.refusals import MOST_INFERRED, empty_masks, one_class, smoothed, too_many
from perpixel.dataset.masks.void import (
    ISLANDS,
    MaskValues,
    absent_value,
    is_beside_strokes,
    is_even,
    stroke_question,
    unlabelled_values,
)
from perpixel.dataset.sample import Finding, info, warning
from perpixel.errors import DataError
from perpixel.labels.labels import DISTINCT_COLOURS, Colour, Encoding, Labels, Value
from perpixel.shapes import MAX_CLASSES

Reading: TypeAlias = Literal[
    "values", "halves", "nonzero", "alpha", "instances", "objects", "classes", "channels", "pages", "drawn"
]
"""How a mask becomes a target: by its values or colours; 0 or 255 with gray between, cut at 128; whatever is not 0;
the alpha, cut at 128; an instance map or one file an object, merged; one file, one channel or one page a class
(overlapping); outlines, filled."""

STEP_INSIDE: Final = 0.02
"""Of the pixels of a smoothed border, at most this share lies inside its own level."""
MOST_STEPS: Final = 0.5
"""Of all pixels, at most this share lies on smoothed borders."""
MOST_PLATEAU: Final = 0.05
"""Of the gray between black and white in lossy masks, at most this share lies where the gray hardly changes."""


@dataclass(frozen=True)
class Understood:
    """The labels, how the masks are read, and the rules that decided."""

    labels: Labels
    reading: Reading
    findings: tuple[Finding, ...] = ()
    is_partial: bool = False
    """Whether nobody has labelled what lies outside the drawn areas."""


@dataclass(frozen=True)
class Evidence:
    """All by which the meaning of values is decided.

    Args:
        facts: Of every mask, at least one.
        tables: Class lists found beside the data.
        folders: Names of all folders, in lower case, by which well-known data sets are recognised.
        images: Names of the images, for the same.
        shapes: A few masks to look at.
        ignored: What the user says that stands for no label; None where nothing is said.
        reading: How the user says that the masks are read.
        unlabelled: What the user says that nobody has labelled; other values may be ignored, too.
    """

    facts: Sequence[MaskFacts]
    tables: Sequence[ClassTable]
    folders: frozenset[str]
    images: Sequence[str]
    shapes: Shapes
    ignored: tuple[Value, ...] | None = None
    reading: Reading | None = None
    unlabelled: tuple[Value, ...] = ()


def infer(evidence: Evidence) -> Understood:
    """Infer the labels of masks with one value a pixel.

    Raises:
        DataError: The masks hold nothing, one value only, too many values, or JPEG noise; or it is not clear whether
            a value is a class.
    """
    facts = evidence.facts
    kinds = {fact.kind for fact in facts}
    is_open = evidence.reading is None
    are_black = all(fact.clear is not None and set(fact.values) == {0} for fact in facts)
    if is_open and are_black and any(fact.clear for fact in facts):
        return binary("alpha", info(*ALPHA_TOLD))
    if "channels" in kinds:
        return _channels(facts, evidence.tables)
    if any(fact.lossy for fact in facts):
        return _halves(facts, evidence.shapes)
    palettes = [fact.palette for fact in facts]
    if "colour" in kinds or not _agree(palettes):
        return _colours(evidence)
    if is_open and not any(palettes) and not evidence.unlabelled:
        if are_two_scales(facts):
            return binary("nonzero", info(*SCALES_TOLD))
        if not _is_named(total(facts), evidence.tables):
            if _are_steps(facts, evidence.shapes):
                return binary("halves", warning(*STEPS_TOLD))
            refuse_mixtures(facts, evidence.shapes)
    return _indices(evidence, "palette" if all(palettes) else "index")


ALPHA_TOLD: Final = (
    "the masks are black all over, and their alpha varies: what is opaque is taken for the foreground.",
    "write reading: values into dataset.yaml if the alpha means nothing.",
)
SCALES_TOLD: Final = (
    "some masks hold 0 and 1, others 0 and 255: whatever is not 0 is taken for the foreground.",
    "write reading: values and the classes into dataset.yaml if 1 and 255 differ.",
)
STEPS_TOLD: Final = (
    "the masks are smoothed: between 0 and 255 lie steps of gray, along borders only; they are cut at 128.",
    "save masks without smoothing; or write reading: values into dataset.yaml if each gray is a class.",
)


def binary(reading: Reading, *told: Finding) -> Understood:
    """Background and foreground, 0 and 255 once the masks are read so."""
    labels = Labels("multiclass", ("background", "foreground"), (0, 255), default_colours([0, 255]))
    return Understood(labels, reading, told)


def _indices(evidence: Evidence, encoding: Encoding) -> Understood:
    facts, counts = evidence.facts, total(evidence.facts)
    seen = MaskValues(counts, facts, _named(counts, evidence.tables), evidence.shapes)
    stated = None if evidence.ignored is None else [v for v in evidence.ignored if isinstance(v, int)]
    ignored, findings = unlabelled_values(seen, stated, [v for v in evidence.unlabelled if isinstance(v, int)])
    values = sorted(set(counts) - set(ignored))
    if len(values) == 1 and len(counts) > 1:
        raise one_class(values[0], ignored)
    if len(values) < 2:
        raise empty_masks(len(facts), {path.parent for path, _ in evidence.shapes.facts})
    if len(values) > MOST_INFERRED:
        raise too_many(values, facts=evidence.shapes.facts)
    table = {index: colour for fact in facts for index, colour in fact.palette.items()}
    names, void, told = _names(values, evidence, set(counts), table)
    findings += told
    kept = [value for value in values if value not in void]
    colours = tuple(unpacked(table[v]) for v in kept) if encoding == "palette" else default_colours(kept)
    labels = Labels("multiclass", tuple(names[v] for v in kept), tuple(kept), colours, (*ignored, *void), encoding)
    return Understood(labels, "values", tuple(findings))


def _named(counts: Counter[int], tables: Sequence[ClassTable]) -> dict[int, str]:
    """The names of a list that gives each value one, or each but 255."""
    for wanted in (set(counts), set(counts) - {255}):
        for table in tables:
            if wanted and (named := table.for_values(sorted(wanted))) is not None:
                return named
    return {}


def _is_named(counts: Counter[int], tables: Sequence[ClassTable]) -> bool:
    return any(table.for_values(sorted(counts)) is not None for table in tables)


def _are_steps(facts: Sequence[MaskFacts], shapes: Shapes) -> bool:
    """Whether gray between 0 and 255 is that of smoothed borders: several levels, none of which has an inside."""
    values = sorted({value for fact in facts for value in fact.values})
    between = values[1:-1]
    if len(between) < 3 or values[0] != 0 or values[-1] > 255 or values[-1] < 128 or is_even(values):
        return False
    inner = sum(shapes.interiors.get(value, (0, 0))[1] for value in between)
    pixels = sum(shapes.interiors.get(value, (0, 0))[0] for value in between)
    share = pixels / max(sum(count for count, _ in shapes.interiors.values()), 1)
    if inner > STEP_INSIDE * pixels or not 0 < share < MOST_STEPS:
        return False
    if values[-1] < 255:
        raise smoothed(len(values), values[-1])
    return True


def merged_objects(name: str = "object") -> Labels:
    """The labels of instance maps and of one file an object, merged into background and object."""
    return Labels("multiclass", ("background", name), (0, 255), default_colours([0, 255]))


def multilabel(names: Sequence[str], values: Sequence[int]) -> Labels:
    """Labels of one mask a class, whose pixels hold the class's value where it is."""
    shown = default_colours(list(range(1, len(names) + 1)))
    return Labels("multilabel", tuple(names), tuple(values), shown, encoding="files")


def default_colours(values: Sequence[int]) -> tuple[Colour, ...]:
    """Black for the value 0, then colours that are told apart, then hues at the golden angle.

    >>> default_colours([0, 255])
    ((0, 0, 0), (0, 114, 178))
    """
    colours: list[Colour] = []
    for value in values:
        number = len(colours) - (0 in values and value != 0)
        if value == 0:
            colours.append((0, 0, 0))
        elif number < len(DISTINCT_COLOURS):
            colours.append(DISTINCT_COLOURS[number])
        else:
            red, green, blue = colorsys.hsv_to_rgb(number * 0.618034 % 1, 0.65, 0.9)
            colours.append((round(red * 255), round(green * 255), round(blue * 255)))
    return tuple(colours)


def _names(
    values: Sequence[int], evidence: Evidence, seen: set[int], palette: Mapping[int, int]
) -> tuple[dict[int, str], tuple[int, ...], list[Finding]]:
    """A name for each value, values that turn out to be void, and where the names come from."""
    findings: list[Finding] = []
    for table in evidence.tables:
        shown = {palette[value] for value in values if value in palette}
        if len(shown) == len(values) and (coloured := table.for_colours(shown)) is not None:
            told = info(f"class names are those of {table.path.name}, by the palette.", fix="edit them there.")
            return {value: coloured[palette[value]] for value in values}, (), [*findings, told]
        if (named := table.for_values(values)) is not None:
            others = [other for other in evidence.tables if other.for_values(values) not in (None, named)]
            findings += [_disagree(table, others)] if others else []
            return named, (), [*findings, _told_names(table, named, evidence)]
        findings.append(
            warning(
                f"{table.path.name} does not say which value is which class; its names are not used.",
                fix="give each class its value in dataset.yaml.",
                examples=tuple(e.name for e in table.entries),
            )
        )
    masks = [path.stem for path, _ in evidence.shapes.facts]
    listed = {name.lower() for table in evidence.tables for name in table.names}
    for known in KNOWN_SETS:
        if listed and not listed & {name.lower() for name in known.names.values()}:
            continue  # a list beside the data names other classes
        if known.fits(evidence.folders, evidence.images, masks) and seen <= set(known.names) | set(known.void):
            void = tuple(value for value in values if value in known.void)
            examples = tuple(f"{v}: {known.names.get(v, 'ignored')}" for v in sorted({*known.names, *known.void}))
            return (
                {v: known.names.get(v, "void") for v in values},
                void,
                [
                    *findings,
                    info(
                        f"recognised as {known.title} by its folders and values; its classes are named so.",
                        fix="edit the classes in dataset.yaml where this is another data set.",
                        examples=examples,
                    ),
                ],
            )
    if len(values) == 2 and values[0] == 0:
        return {0: "background", values[1]: "foreground"}, (), findings
    return {v: f"class {v}" for v in values}, (), findings


def _disagree(table: ClassTable, others: Sequence[ClassTable]) -> Finding:
    return warning(
        f"{len(others) + 1} class lists name the values differently: those of {table.path.name} are used.",
        fix="remove the lists that do not count, or list the classes in dataset.yaml.",
        examples=[other.path.name for other in others],
    )


def _told_names(table: ClassTable, named: Mapping[int, str], evidence: Evidence) -> Finding:
    """Where the names come from.

    Raises:
        DataError: A list without a background has names left over, and 0 lies around all classes.
    """
    counts = total(evidence.facts)
    shapes, greatest = evidence.shapes, max(named)
    is_around = counts[0] > sum(counts.values()) / 2 and shapes.contact_share(0) <= ISLANDS
    if not (table.is_uncertain and 0 in named and named[0] != "background" and is_around):
        return info(f"class names are those of {table.path.name}.", fix="edit them there.")
    if greatest < len(table.names) - 1:
        raise DataError(
            f"{table.path.name} names no background, and it is not clear whether 0 is {table.names[0]} or 1 is.",
            fix=f"write the line 'background' before the others in {table.path.name} if 0 is the background, or give "
            f"each class its number there: '0 {table.names[0]}'.",
            examples=table.names,
        )
    return warning(
        f"{table.path.name} names no background: its names are given to the values from 0 on.",
        fix=f"write the line 'background' before the others if 1 is {table.names[0]}.",
        examples=[f"{value}: {name}" for value, name in named.items()],
    )


def _agree(palettes: Sequence[object]) -> bool:
    """Whether every index has one colour in all palettes; files without a palette agree with all."""
    colours: dict[int, int] = {}
    for palette in palettes:
        assert hasattr(palette, "items")
        for index, colour in palette.items():
            if colours.setdefault(index, colour) != colour:
                return False
    return True


def _colours(evidence: Evidence) -> Understood:
    """Masks of colours; palette and gray files among them count by the colours that they show."""
    facts, tables = evidence.facts, evidence.tables
    counts: Counter[int] = Counter()
    for fact in facts:
        for value, pixels in fact.values.items():
            counts[shown_colour(fact, value)] += pixels
    colours = sorted(counts)
    findings: list[Finding] = []
    stated = {packed(v) if isinstance(v, tuple) else packed((v,) * 3) for v in evidence.unlabelled}
    stated |= {packed(v) for v in evidence.ignored or () if isinstance(v, tuple)}
    if absent := sorted(stated - set(colours)):
        findings.append(absent_value([f"#{colour:06X}" for colour in absent]))
    if evidence.ignored is None:
        _ask_for_strokes(counts, stated, evidence)
    for table in tables:
        named = table.for_colours(set(counts))
        if named is not None:
            told = info(f"colours are named by {table.path.name}.", fix="edit them there.")
            kept = {unpacked(colour): name for colour, name in named.items() if colour not in stated}
            ignored = tuple(unpacked(colour) for colour in named if colour in stated)
            labels = Labels("multiclass", tuple(kept.values()), tuple(kept), tuple(kept), ignored, "colour")
            return Understood(labels, "values", (*findings, told))
        findings.append(
            warning(
                f"{table.path.name} disagrees with the masks: {len(set(counts) - table.colours)} of their "
                f"{len(counts)} colours are not in it, and its names are not used.",
                fix="correct the colours there, or give them in dataset.yaml.",
                examples=tuple(f"#{c:06X}: {n:,} pixels" for c, n in counts.most_common() if c not in table.colours),
            )
        )
    if len(colours) > MOST_INFERRED:
        raise too_many(colours, "colours", evidence.shapes.facts)
    if len(colours) < 2:
        raise empty_masks(len(facts), {path.parent for path, _ in evidence.shapes.facts})
    if evidence.reading is None:
        refuse_colours(colours, facts, evidence.shapes)
    if evidence.reading is None and evidence.ignored is None and not stated:
        ask_for_border(evidence.shapes)
    ignored = tuple(unpacked(colour) for colour in colours if colour in stated)
    as_values = tuple(unpacked(colour) for colour in colours if colour not in stated)
    names = tuple("background" if c == (0, 0, 0) else f"#{packed(c):06X}" for c in as_values)
    return Understood(Labels("multiclass", names, as_values, as_values, ignored, "colour"), "values", tuple(findings))


def _ask_for_strokes(counts: Counter[int], stated: set[int], evidence: Evidence) -> None:
    """Raise DataError where colours look like strokes on black; a list that names black is believed, CVAT's is not.

    CVAT writes background:0,0,0 into every labelmap.txt.
    """
    tables = [t for t in evidence.tables if t.for_colours(set(counts)) is not None]
    is_told = any(0 in (t.for_colours(set(counts)) or {}) and t.path.name != "labelmap.txt" for t in tables)
    seen = MaskValues(counts, evidence.facts, {}, evidence.shapes)
    if 0 in counts and 0 not in stated and not is_told and is_beside_strokes(seen, set(counts) - stated):
        raise stroke_question(seen.share(0), "#000000")


def shown_colour(fact: MaskFacts, value: int) -> int:
    """The colour (0xRRGGBB) that a value of this mask shows as."""
    if fact.kind == "colour":
        return value
    return fact.palette.get(value, packed((value,) * 3) if 0 <= value <= 255 else value)


def _channels(facts: Sequence[MaskFacts], tables: Sequence[ClassTable]) -> Understood:
    """One channel a class: each holds 0 and one other value."""
    counts, depths = total(facts), {fact.channels for fact in facts}
    present = sorted(set(counts) - {0})
    if len(depths) != 1 or len(present) != 1 or present[0] not in range(1, 256):
        raise DataError(
            "masks with several channels must hold one class in each: 0 and one other value, equally many channels.",
            fix="save one channel a class (0 and 255), or one mask of class indices.",
            examples=[f"channels: {sorted(depths)}", f"values: {sorted(counts)[:8]}"],
        )
    count = depths.pop()
    names = next((t.names for t in tables if len(t.names) == count), tuple(f"class {k + 1}" for k in range(count)))
    if count > MAX_CLASSES:
        raise too_many(range(count), "channels")
    return Understood(multilabel(names, present * count), "channels")


def _halves(facts: Sequence[MaskFacts], shapes: Shapes) -> Understood:
    """Masks of a lossy format: 0 and 255 with noise around them are cut at 128; anything else is beyond repair."""
    counts = total(facts)
    pixels = sum(counts.values())
    clear = sum(n for value, n in counts.items() if value <= 32 or 223 <= value <= 255)
    has_both = any(value <= 32 for value in counts) and any(223 <= value <= 255 for value in counts)
    is_gray = all(fact.kind == "index" for fact in facts)
    if not is_gray or not has_both or clear < 0.9 * pixels or shapes.plateaus(32, 223) > MOST_PLATEAU:
        raise DataError(
            "the masks are JPEG files, whose compression has altered the class values.",
            fix="export the masks again as PNG.",
            examples=[f"{len(counts)} different values"],
        )
    noise = sum(n for value, n in counts.items() if value not in (0, 255))
    told = warning(
        f"the masks are JPEG files; {noise:,} of {pixels:,} pixels are neither 0 nor 255, and are cut at 128.",
        "export the masks again as PNG.",
    )
    return binary("halves", told)
