"""Whether the labels of a model and those of the data read the same masks alike."""

from collections.abc import Mapping
from typing import Final

from perpixel.dataset.layout.inventory import MaskFacts, Page, packed
from perpixel.dataset.masks.classes import shown_colour
from perpixel.errors import Problem
from perpixel.labels.labels import PLAIN_NAME, Labels, Value

BY_VALUE: Final = ("index", "palette", "colour")


def conflicts(model: Labels, own: Labels, facts: Mapping[Page, MaskFacts]) -> list[Problem]:
    """Values that the model ignores and the data have as a class, and names that belong to other values.

    Args:
        model: By which the masks are to be read.
        own: By which they would be read without a model.
        facts: Of the masks.
    """
    if model.encoding not in BY_VALUE or own.encoding not in BY_VALUE:
        return []
    return [*_dropped(model, own, facts), *_exchanged(model, own)]


def _dropped(model: Labels, own: Labels, facts: Mapping[Page, MaskFacts]) -> list[Problem]:
    ignored = {_key(value) for value in model.ignored}
    classes = {_key(value): name for name, value in zip(own.names, own.values, strict=True)}
    found = []
    for value in sorted(ignored & classes.keys()):
        pixels = sum(_pixels(fact, value, model) for fact in facts.values())
        if not pixels:
            continue
        shown = f"#{value:06X}" if model.encoding == "colour" else str(value)
        known = ", ".join(f"{name} = {_spelled(v)}" for name, v in zip(model.names, model.values, strict=True))
        found.append(
            Problem(
                f"the model ignores the value {shown} in masks, and in these data it is the class {classes[value]} "
                f"({pixels:,} pixels), which would not be counted.",
                f"write the masks with the model's values ({known}); or state ignored: [{shown}] in a dataset.yaml "
                "if the value stands for no label here, too.",
            )
        )
    return found


def _exchanged(model: Labels, own: Labels) -> list[Problem]:
    """The same names with other values: each class would be scored as another."""
    names = {name for name in own.names if not PLAIN_NAME.match(name.lower())}
    theirs, ours = (dict(zip(each.names, map(_key, each.values), strict=True)) for each in (model, own))
    moved = [name for name in ours if name in names and name in theirs and theirs[name] != ours[name]]
    if not moved or not {ours[name] for name in moved} & set(theirs.values()):
        return []
    return [
        Problem(
            f"{len(moved)} class(es) [has|have] another value in these data than in the model's masks, and would be "
            "scored as other classes.",
            "write the masks with the model's values, or correct the class list of the data.",
            tuple(f"{name}: {ours[name]} here, {theirs[name]} in the model" for name in moved),
        )
    ]


def _pixels(fact: MaskFacts, value: int, labels: Labels) -> int:
    if labels.encoding != "colour":
        return fact.values.get(value, 0)
    return sum(count for each, count in fact.values.items() if shown_colour(fact, each) == value)


def _key(value: Value) -> int:
    return packed(value) if isinstance(value, tuple) else value


def _spelled(value: Value) -> str:
    return f"#{packed(value):06X}" if isinstance(value, tuple) else str(value)
