"""What is wrong with a setting, in a sentence, and how to correct it."""

import re
from collections.abc import Iterator, Sequence
from inspect import isclass
from typing import Any, Final, get_args

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from perpixel.errors import Problem, did_you_mean
from perpixel.settings.renamed import RENAMED, RENAMED_VALUES

_WHOLE: Final = ("int_parsing", "int_type", "int_from_float", "int_parsing_size")
_NUMBERS: Final = ("float_", "finite_number", "greater_than", "less_than")


def problem_of(error: Any, source: str, tree: type[BaseModel], known: Sequence[str]) -> Problem:
    """The problem of one setting.

    Args:
        error: As pydantic describes it.
        source: What to call the mapping that holds the setting.
        tree: The class of the whole tree.
        known: The dotted paths of all settings.
    """
    path = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        return Problem(f"{source}: unknown key {path}.", fix=_closest_key(path, known))
    value = "" if isinstance(error["input"], dict | BaseModel) else f" = {error['input']}"
    message = error["msg"].removeprefix("Value error, ")
    what = f"{source}: {path}{value}: {message[0].lower()}{message[1:]}."
    return Problem(what, fix=_fix(error, path, tree))


def _fix(error: Any, path: str, tree: type[BaseModel]) -> str:
    kind = error["type"]
    if kind == "literal_error":
        given = str(error["ctx"].get("given", error["input"]))
        return _closest_word(given, re.findall("'(.*?)'", error["ctx"]["expected"]))
    if kind in _WHOLE or kind.startswith(_NUMBERS):
        field = _field(tree, error["loc"])
        is_whole = kind in _WHOLE or (field is not None and int in _parts(field.annotation))
        return f"set {path} to a {'whole number' if is_whole else 'number'}{_range(field)}."
    if kind.startswith("bool"):
        return f"set {path} to true or false."
    if kind == "value_error":
        budget = "can be the budget" in error["msg"]
        return "give only one of them." if budget else f"change {path} as it says."
    return f"give {path} a value of that kind."


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
    return f"did you mean {by_name[last]}?" if last in by_name else did_you_mean(path, known)
