"""What is wrong with a setting, in a sentence, and how to correct it."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from inspect import isclass
from typing import Any, Final, get_args

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from perpixel.errors import Problem, did_you_mean
from perpixel.settings.named import MonitorSettings
from perpixel.settings.renamed import RENAMED, RENAMED_VALUES

WRONG_TOLD: Final = {
    "int": "{0}: {1} = {2} is no whole number.",
    "int_parsing_size": "{0}: {1} = {2} is too large a number.",
    "float": "{0}: {1} = {2} is no number.",
    "finite": "{0}: {1} = {2} is no finite number.",
    "greater_than": "{0}: {1} = {2} is not above {3}.",
    "greater_than_equal": "{0}: {1} = {2} is below {3}.",
    "less_than": "{0}: {1} = {2} is not below {3}.",
    "less_than_equal": "{0}: {1} = {2} is above {3}.",
    "bool": "{0}: {1} = {2} is neither true nor false.",
    "literal": "{0}: {1} = {2} is none of {3}.",
    "string": "{0}: {1} = {2} is no text.",
    "tuple": "{0}: {1} = {2} is no list.",
    "too": "{0}: {1} = {2} holds more than {3} values.",
    "dict": "{0}: {1} = {2} is no mapping of keys to values.",
    "model": "{0}: {1} = {2} is no mapping of keys to values.",
    "missing": "{0}: {1} is missing.",
    "invalid": "{0}: {1} is a key that is no text.",
    "single": "{0}: {1} = {2} is neither a number nor a text.",
    "value": "{0}: {1} is refused: {3}.",
}
"""What is wrong, by the kind of error that pydantic names, or by the first word of that."""
MENDED_TOLD: Final = {
    "bool": "set {0} to true or false.",
    "string": "give {0} as text, in quotes.",
    "tuple": "write {0} as a list: [value, value].",
    "too": "leave {1} values in {0}.",
    "dict": "give {0} as KEY: VALUE pairs.",
    "model": "give {0} as KEY: VALUE pairs.",
    "missing": "give {0} a value.",
    "invalid": "put the key in quotes.",
    "single": "give {0} a number or a text.",
    "value": "change {0} as it says.",
}
"""How to mend it, where that is not the range of a number or one of several words."""
_NUMBERS: Final = ("int", "float", "finite", "greater", "less")
_SINGLE: Final = ("bool", "int", "float", "str")
"""What pydantic puts behind the place of a value that may be of several types."""
_KEY: Final = "[key]"
"""The same, where a key is wrong."""
_MOST_LETTERS: Final = 60


def problems_of(errors: Iterable[Any], source: str, tree: type[BaseModel], known: Sequence[str]) -> list[Problem]:
    """The problems of the settings, each once.

    Args:
        errors: As pydantic describes them.
        source: What to call the mapping that holds the settings.
        tree: The class of the whole tree.
        known: The dotted paths of all settings.
    """
    meant = [each for each in errors if not (each["loc"][-1:] == ("str",) and isinstance(each["input"], Mapping))]
    return list(dict.fromkeys(_problem(each, source, tree, known) for each in meant))


def _problem(error: Any, source: str, tree: type[BaseModel], known: Sequence[str]) -> Problem:
    *loc, last = [part for part in error["loc"] if part != MonitorSettings.__name__] or ["a setting"]
    kind = "single" if last in _SINGLE else "invalid" if last == _KEY else error["type"]
    loc += [] if last in {*_SINGLE, _KEY} else [last]
    path = ".".join(map(str, loc))
    if kind == "extra_forbidden":
        return Problem(f"{source}: unknown key {path}.", fix=_closest_key(path, known))
    family, limit = kind.partition("_")[0], _limit(error)
    what = WRONG_TOLD[kind if kind in WRONG_TOLD else family].format(source, path, _shown(error), limit)
    if family == "literal":
        return Problem(what, fix=_closest_word(_shown(error), limit.split(", ")))
    if family in _NUMBERS:
        return Problem(what, fix=_number_asked_for(path, _field(tree, loc), is_whole=family == "int"))
    if "can be the budget" in limit:
        return Problem(what, fix="give only one of them.")
    return Problem(what, fix=MENDED_TOLD[family].format(path, limit))


def _shown(error: Any) -> str:
    """The value that is wrong, in a few letters."""
    text = str(error.get("ctx", {}).get("given", error["input"]))
    return (text or '""') if len(text) <= _MOST_LETTERS else f"{text[:_MOST_LETTERS]}…"


def _limit(error: Any) -> str:
    """What the value goes beyond, what there is to choose from, or what else a check of ours says."""
    found = error.get("ctx", {})
    limit = found.get("max_length", next(iter(found.values()), ""))
    if error["type"] == "literal_error":
        return ", ".join(re.findall("'(.*?)'", limit))
    return f"{limit:,.12g}" if isinstance(limit, int | float) else str(limit)


def _field(tree: type[BaseModel], loc: Sequence[str | int]) -> FieldInfo | None:
    """The field of a setting, or of the tuple that it is a part of."""
    field, part = None, tree
    for name in loc:
        if isinstance(name, str) and name in part.model_fields:
            field = part.model_fields[name]
            part = field.annotation if isclass(field.annotation) and issubclass(field.annotation, BaseModel) else part
        elif not isinstance(name, int):
            return None
    return field


def _parts(annotation: Any) -> Iterator[Any]:
    """A type and all that it is made of, limits among them."""
    yield annotation
    for each in getattr(annotation, "metadata", ()):  # of pydantic's Field
        yield from _parts(each)
    for each in get_args(annotation):
        yield from _parts(each)


def _number_asked_for(path: str, field: FieldInfo | None, *, is_whole: bool) -> str:
    is_whole = is_whole or (field is not None and int in _parts(field.annotation))
    return f"set {path} to a {'whole number' if is_whole else 'number'}{_range(field)}."


def _range(field: FieldInfo | None) -> str:
    """The limits of a field, in words: ` from 0 to 1`; empty where it has none."""
    words = {Ge: " from {}", Gt: " above {}", Le: " to {}", Lt: ", below {}"}
    parts = [] if field is None else [*_parts(field), *_parts(field.annotation)]
    limits = {type(each): getattr(each, type(each).__name__.lower()) for each in parts if type(each) in words}
    up = " up" if Ge in limits and not {Le, Lt} & limits.keys() else ""
    return "".join(words[kind].format(f"{limits[kind]:,.12g}") for kind in words if kind in limits) + up


def _closest_word(word: str, known: Sequence[str]) -> str:
    renamed = RENAMED_VALUES.get(word)
    return f"did you mean {renamed}?" if renamed in known else did_you_mean(word, known)


def _closest_key(path: str, known: Sequence[str]) -> str:
    """The closest known key; a right name in the wrong section is found by its last part."""
    by_name = RENAMED | {key.rpartition(".")[2]: key for key in known}
    last = path.rpartition(".")[2]
    if last in by_name:
        return f"did you mean {by_name[last]}?"
    sections = {key.partition(".")[0] for key in known} - {*known} if last == path else set()
    return did_you_mean(path, [*known, *sections])
