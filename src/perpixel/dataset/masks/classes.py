"""Infer the classes from the values in the masks, and say by which rule."""

import colorsys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from perpixel.dataset.annotations.tables import KNOWN_SETS, ClassTable
from perpixel.dataset.layout.inventory import MaskFacts, packed, total, unpacked
from perpixel.dataset.sample import Finding, info, warning
from perpixel.errors import DataError
from perpixel.labels.codec import DISTINCT_COLOURS, Colour, Encoding, Labels, Value
from perpixel.shapes import MAX_CLASSES

Reading: TypeAlias = Literal["values", "halves", "instances", "objects", "classes", "channels", "pages", "drawn"]
"""How a mask becomes a target: by its values or colours; 0 or 255 with JPEG noise between, cut at 128; an instance
map or one file an object, merged; one file, one channel or one page a class (overlapping); outlines, filled."""

MOST_INFERRED: Final = 64
"""More different values than this are not taken for classes without being told."""


@dataclass(frozen=True)
class Understood:
    """The labels, how the masks are read, and the rules that decided."""

    labels: Labels
    reading: Reading
    findings: tuple[Finding, ...] = ()


def infer(facts: Sequence[MaskFacts], tables: Sequence[ClassTable], folders: frozenset[str]) -> Understood:
    """Infer the labels of masks with one value a pixel.

    Args:
        facts: Of every mask, at least one.
        tables: Class lists found beside the data.
        folders: Names of all folders, in lower case, by which well-known data sets are recognised.

    Raises:
        DataError: The masks hold nothing, one value only, too many values, or JPEG noise.
    """
    kinds = {fact.kind for fact in facts}
    if "channels" in kinds:
        return _channels(facts, tables)
    if any(fact.lossy for fact in facts):
        return _halves(facts)
    palettes = [fact.palette for fact in facts]
    if "colour" in kinds or not _agree(palettes):
        return _colours(facts, tables)
    encoding: Encoding = "palette" if all(palettes) else "index"
    counts = total(facts)
    ignored, findings = _ignored(counts, facts)
    values = sorted(set(counts) - set(ignored))
    if not values or values in ([0], [255]):
        raise empty_masks(len(facts))
    if len(values) > MOST_INFERRED:
        raise too_many(values)
    table = {index: colour for palette in palettes for index, colour in palette.items()}
    names, void, told = _names(values, tables, folders, set(counts))
    findings += told
    kept = [value for value in values if value not in void]
    colours = tuple(unpacked(table[v]) for v in kept) if encoding == "palette" else default_colours(kept)
    labels = Labels("multiclass", tuple(names[v] for v in kept), tuple(kept), colours, (*ignored, *void), encoding)
    return Understood(labels, "values", tuple(findings))


def merged_objects(name: str = "object") -> Labels:
    """The labels of instance maps and of one file an object, merged into background and object."""
    return Labels("multiclass", ("background", name), (0, 255), default_colours([0, 255]))


def multilabel(names: Sequence[str], value: int = 255) -> Labels:
    """Labels of one mask a class, whose pixels hold `value` where the class is."""
    count = len(names)
    return Labels(
        "multilabel", tuple(names), (value,) * count, default_colours(list(range(1, count + 1))), encoding="files"
    )


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


def empty_masks(count: int) -> DataError:
    """The error for masks that hold one value only."""
    return DataError(
        f"all {count} masks are empty: every pixel has the same value.",
        fix="check that the masks were exported with their labels, and that they are the masks.",
    )


def too_many(values: Sequence[int], what: str = "values") -> DataError:
    """The error for masks whose values are hardly classes."""
    shown = [f"#{v:06X}" if what == "colours" else str(v) for v in values]
    return DataError(
        f"the masks hold {len(values):,} different {what}; at most {MOST_INFERRED} are taken for classes unasked.",
        fix="save masks without smoothing or lossy compression; or list the classes in dataset.yaml.",
        examples=shown,
    )


def _ignored(counts: Counter[int], facts: Sequence[MaskFacts]) -> tuple[tuple[Value, ...], list[Finding]]:
    """Values that stand for no label: negative ones, the raster's nodata, and 255 beside classes."""
    ignored: list[int] = sorted(value for value in counts if value < 0)
    why = [f"{value}: negative" for value in ignored]
    nodata = {int(fact.nodata) for fact in facts if fact.nodata is not None and fact.nodata == int(fact.nodata)}
    rest = set(counts) - set(ignored)
    for value in sorted(nodata & rest):
        if len(rest - {value}) >= 2:
            ignored.append(value)
            why.append(f"{value}: the rasters name it as nodata")
    rest = set(counts) - set(ignored)
    if 255 in rest and len(rest) >= 3 and max(rest - {255}) < 254:
        ignored.append(255)
        why.append("255: beside class indices it stands for no label")
    if not why:
        return (), []
    pixels = sum(counts[value] for value in ignored) / max(sum(counts.values()), 1)
    return tuple(ignored), [
        info(
            f"{len(ignored)} value(s) in the masks are ignored ({pixels:.1%} of the pixels).",
            fix="if they are classes, list them under classes in dataset.yaml.",
            examples=tuple(why),
        )
    ]


def _names(
    values: Sequence[int], tables: Sequence[ClassTable], folders: frozenset[str], seen: set[int]
) -> tuple[dict[int, str], tuple[int, ...], list[Finding]]:
    """A name for each value, values that turn out to be void, and where the names come from."""
    findings: list[Finding] = []
    for table in tables:
        if (named := table.for_values(values)) is not None:
            told = info(f"class names are those of {table.path.name}.", fix="edit them there.")
            return named, (), [*findings, told]
        findings.append(
            warning(
                f"{table.path.name} does not say which value is which class; its names are not used.",
                fix="give each class its value in dataset.yaml.",
                examples=tuple(e.name for e in table.entries),
            )
        )
    for known in KNOWN_SETS:
        if known.folders <= folders and seen <= set(known.names) | set(known.void):
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


def _agree(palettes: Sequence[object]) -> bool:
    """Whether every index has one colour in all palettes; files without a palette agree with all."""
    colours: dict[int, int] = {}
    for palette in palettes:
        assert hasattr(palette, "items")
        for index, colour in palette.items():
            if colours.setdefault(index, colour) != colour:
                return False
    return True


def _colours(facts: Sequence[MaskFacts], tables: Sequence[ClassTable]) -> Understood:
    """Masks of colours; palette and gray files among them count by the colours that they show."""
    counts: Counter[int] = Counter()
    for fact in facts:
        for value, pixels in fact.values.items():
            counts[shown_colour(fact, value)] += pixels
    colours = sorted(counts)
    findings: list[Finding] = []
    for table in tables:
        named = table.for_colours(set(counts))
        if named is not None:
            told = info(f"colours are named by {table.path.name}.", fix="edit them there.")
            labels = Labels(
                "multiclass",
                tuple(named.values()),
                tuple(unpacked(c) for c in named),
                tuple(unpacked(c) for c in named),
                encoding="colour",
            )
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
        raise too_many(colours, "colours")
    if len(colours) < 2:
        raise empty_masks(len(facts))
    as_values = tuple(unpacked(colour) for colour in colours)
    names = tuple("background" if c == 0 else f"#{c:06X}" for c in colours)
    return Understood(Labels("multiclass", names, as_values, as_values, (), "colour"), "values", tuple(findings))


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
    return Understood(multilabel(names, present[0]), "channels")


def _halves(facts: Sequence[MaskFacts]) -> Understood:
    """JPEG masks: 0 and 255 with noise around them are cut at 128; anything else is beyond repair."""
    counts = total(facts)
    pixels = sum(counts.values())
    clear = sum(n for value, n in counts.items() if value <= 32 or 223 <= value <= 255)
    has_both = any(value <= 32 for value in counts) and any(223 <= value <= 255 for value in counts)
    if any(fact.kind != "index" for fact in facts) or not has_both or clear < 0.9 * pixels:
        raise DataError(
            "the masks are JPEG files, whose compression has altered the class values.",
            fix="export the masks again as PNG.",
            examples=[f"{len(counts)} different values"],
        )
    noise = sum(n for value, n in counts.items() if value not in (0, 255))
    labels = Labels("multiclass", ("background", "foreground"), (0, 255), default_colours([0, 255]))
    told = warning(
        f"the masks are JPEG files; {noise:,} of {pixels:,} pixels are neither 0 nor 255, and are cut at 128.",
        "export the masks again as PNG.",
    )
    return Understood(labels, "halves", (told,))
