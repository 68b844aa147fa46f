"""Which values of masks stand for no label, and by which evidence."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from perpixel.dataset.layout.inventory import MaskFacts
from perpixel.dataset.masks.evidence import Shapes
from perpixel.dataset.sample import Finding, info, warning
from perpixel.errors import DataError

MOST_INDICES: Final = 64
"""Class indices lie below; larger values are levels of gray or codes."""
MOST_IGNORED: Final = 0.5
"""A share of the pixels beyond this is not left out without a question."""
ISLANDS: Final = 0.2
"""Of all meetings of values, the share between classes, up to which the classes are islands in a background."""
MAP: Final = 0.5
"""The same share, from which the classes fill a map."""
NO_BORDER: Final = 1.35
"""How much more images change across borders than elsewhere: below, nothing ends there. Retinal vessels 2.4, roofs in
a panchromatic image 1.7, membranes 1.6; training areas drawn into a satellite image 1.3."""
REAL_BORDER: Final = 1.5
"""Above, objects end there."""
STROKES_FROM: Final = 0.85
"""The share of the pixels from which 0 may lie around strokes."""
FAR: Final = 90
"""From here on a value beside classes that are counted from 0 or 1 may be a code for no label."""
MOST_CODES: Final = 3
"""So many codes stand beside classes at most: no data, clouds, shadows."""
SPARSE: Final = 0.95
"""The share of the pixels from which 0 may be what nobody has labelled."""
BETWEEN: Final = "it lies between all others, along their borders only"
VOID_NAMES: Final = frozenset(
    {"__ignore__", "ignore", "ignored", "void", "unlabeled", "unlabelled", "nodata", "no data"}
)


@dataclass(frozen=True)
class MaskValues:
    """What is known of the values of all masks.

    Args:
        counts: Pixels of each value.
        facts: Of every mask.
        named: Values that a class list names, and as what.
        shapes: A few masks to look at.
    """

    counts: Counter[int]
    facts: Sequence[MaskFacts]
    named: dict[int, str]
    shapes: Shapes

    def share(self, value: int) -> float:
        """Of all pixels, those with this value."""
        return self.counts[value] / max(sum(self.counts.values()), 1)


def unlabelled_values(
    seen: MaskValues, chosen: Iterable[int] | None, unlabelled: Sequence[int] = ()
) -> tuple[tuple[int, ...], list[Finding]]:
    """The values that stand for no label, and why.

    Args:
        seen: The values.
        chosen: What the user says that stands for no label; then nothing else does.
        unlabelled: What the user says that nobody has labelled; then other values may be ignored, too.

    Raises:
        DataError: A value may be a class or no label, and nothing tells which.
    """
    stated = {value: "so it is stated" for value in (*(chosen or ()), *unlabelled) if value in seen.counts}
    absent = [absent_value([str(v) for v in unlabelled if v not in stated])] if {*unlabelled} - {*stated} else []
    if chosen is not None:
        return tuple(stated), [*_told(seen, stated), *absent]
    why = stated | {
        value: "negative" for value in sorted(seen.counts) if value < 0 and value not in {*seen.named, *stated}
    }
    why |= {value: f"named {name!r}" for value, name in seen.named.items() if _is_void(value, name, seen)}
    nodata = {int(f.nodata) for f in seen.facts if f.nodata is not None and f.nodata.is_integer()}
    for value in sorted((nodata & set(seen.counts)) - set(why) - set(seen.named)):
        if len(set(seen.counts) - set(why) - {value}) >= 2 and (value or _is_outside(seen)):
            why[value] = "the rasters name it as nodata"
    rest = set(seen.counts) - set(why)
    for value in sorted({255, 65535} & rest - set(seen.named)):
        if len(rest) >= 3 and value == max(rest) and (reason := _why_greatest_is_no_class(seen, rest, value)):
            why[value] = reason
    _ask_for_code(seen, set(seen.counts) - set(why))
    if not why and not seen.named and (border := seen.shapes.border_value()) is not None:
        raise question(border, BETWEEN)
    if 0 in set(seen.counts) - set(why) - set(seen.named) and is_beside_strokes(seen, set(seen.counts) - set(why)):
        raise stroke_question(seen.share(0))
    return tuple(why), [*_told(seen, why), *absent]


def _ask_for_code(seen: MaskValues, rest: set[int]) -> None:
    """Raise DataError where a few values lie far from classes that are numbered one by one: 0, 1, 2 and 98, 99."""
    values = sorted(rest)
    count = next((k for k, value in enumerate(values) if value != values[0] + k), len(values))
    counted, codes = values[:count], values[count:]
    if len(counted) < 2 or counted[0] not in (0, 1) or not 1 <= len(codes) <= MOST_CODES:
        return
    if set(codes) <= {255, 65535} or {*codes} & {*seen.named} or codes[0] < max(FAR, 10 * counted[-1]):
        return
    if len(codes) == 1:
        raise question(codes[0], f"{codes[0]} stands beside {_listed(counted)}")
    raise _question_of_codes(codes, counted)


def absent_value(values: Sequence[str]) -> Finding:
    """The warning for values that are said to be unlabelled and are nowhere."""
    return warning(
        f"no mask holds {', '.join(values)}, of which it is said that nobody has labelled it.",
        "give the value that the masks have where nothing is labelled.",
    )


def _is_void(value: int, name: str, seen: MaskValues) -> bool:
    return value in seen.counts and (value == 255 or name == "__ignore__") and name.strip().lower() in VOID_NAMES


def is_beside_strokes(seen: MaskValues, values: set[int], least: float = STROKES_FROM) -> bool:
    """Whether classes are strokes on 0: two or more, sparse, apart, and ending where the images do not change.

    Args:
        seen: The values.
        values: Those that stand for a class, and 0.
        least: The share of the pixels from which 0 may lie around strokes.
    """
    if len(values) < 3 or seen.share(0) < least or seen.shapes.contact_share(0) > ISLANDS:
        return False
    return seen.shapes.border_contrast(0) <= NO_BORDER


def _told(seen: MaskValues, why: dict[int, str]) -> list[Finding]:
    if not why:
        return []
    return [
        info(
            f"{len(why)} value(s) in the masks [is|are] ignored ({sum(map(seen.share, why)):.1%} of the pixels).",
            fix="if they are classes, list them under classes in dataset.yaml, or write ignored: [] there.",
            examples=tuple(f"{value}: {reason}" for value, reason in why.items()),
        )
    ]


def _is_outside(seen: MaskValues) -> bool:
    """Whether 0, which rasters name as nodata, lies around a map of classes, and is not their background."""
    between_classes, contrast = seen.shapes.contact_share(0), seen.shapes.border_contrast(0)
    is_sparse = seen.share(0) >= SPARSE and contrast <= NO_BORDER
    if between_classes >= MAP or is_sparse:
        return True
    if between_classes <= ISLANDS and contrast >= REAL_BORDER:
        return False
    raise question(
        0,
        "the rasters name 0 as nodata, and it may as well be the background: "
        f"it covers {seen.share(0):.0%} of the pixels",
    )


def _why_greatest_is_no_class(seen: MaskValues, rest: set[int], value: int) -> str:
    """The reason why the greatest value of 8 or 16 bits stands for no label; empty where it is a class."""
    others = sorted(rest - {value})
    if is_even(sorted(rest), value) or others[-1] >= 254:
        return ""
    if others[-1] >= MOST_INDICES:
        raise question(value, f"{value} stands beside {_listed(others)}, which are no class indices")
    if seen.share(value) <= MOST_IGNORED:
        return "beside class indices it stands for no label"
    if _is_strewn(seen, others, value):
        return "it lies around strokes of all classes"
    raise question(value, f"{value} covers {seen.share(value):.0%} of the pixels, beside class indices")


def _is_strewn(seen: MaskValues, others: Sequence[int], value: int) -> bool:
    """Whether pieces of all classes, 0 among them, lie apart in it, and end where the images do not change."""
    is_apart = others[0] == 0 and seen.shapes.contact_share(value) <= ISLANDS
    return is_apart and not seen.shapes.border_contrast(value) > REAL_BORDER


def is_even(values: Sequence[int], greatest: int = 255) -> bool:
    """Whether values are the levels 0..255 of that many steps, to within rounding: gray levels, each a class.

    >>> is_even([0, 85, 170, 255]), is_even([0, 127, 255]), is_even([0, 1, 255])
    (True, True, False)
    """
    steps = len(values) - 1
    return steps >= 1 and all(abs(value - greatest * k / steps) <= 1 for k, value in enumerate(values))


def question(value: int, why: str) -> DataError:
    """The error that asks whether a value is a class."""
    return DataError(
        f"it is not clear whether the value {value} in the masks is a class: {why}.",
        fix=f"write a dataset.yaml into the folder with the lines 'perpixel: 1' and 'ignored: [{value}]' if the "
        "value stands for no label, or 'ignored: []' if it is a class.",
    )


def _question_of_codes(codes: Sequence[int], counted: Sequence[int]) -> DataError:
    """The error that asks whether several values are classes."""
    listed = ", ".join(map(str, codes))
    return DataError(
        f"it is not clear whether the values {listed} in the masks are classes: they stand beside "
        f"{_listed(counted)}.",
        fix=f"write a dataset.yaml into the folder with the lines 'perpixel: 1' and 'ignored: [{listed}]' with those "
        "that stand for no label, or 'ignored: []' if all are classes.",
    )


def stroke_question(share: float, value: str = "0") -> DataError:
    """The error that asks whether 0, or black, lies around strokes."""
    spelled = value if value == "0" else f'"{value}"'
    return DataError(
        f"it is not clear whether the value {value} in the masks is the background: it covers {share:.0%} of the "
        "pixels, the classes hardly touch each other, and the images do not change where they end: they look like "
        f"strokes, and {value} like what nobody has labelled.",
        fix=f"say unlabelled = {spelled} (as an option, or 'perpixel: 1' and 'unlabelled: {spelled}' in a "
        f"dataset.yaml in the folder) if nobody has labelled it; or write 'ignored: []' there if {value} is the "
        "background.",
    )


def _listed(values: Sequence[int]) -> str:
    return ", ".join(map(str, values[:6])) + (", …" if len(values) > 6 else "")
