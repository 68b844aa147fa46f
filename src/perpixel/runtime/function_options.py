"""Options of named functions, such as losses and metrics: read from their signatures, and checked before they run."""

import inspect
import math
from collections.abc import Callable, Iterator
from typing import Annotated, Any, Literal, NamedTuple, get_args, get_origin

from perpixel.errors import Problem, did_you_mean
from perpixel.runtime.json_values import Json, JsonMapping


class Range(NamedTuple):
    """Where the number of an option lies."""

    least: float
    most: float


def option_problems(
    owner: str, options: JsonMapping, function: Callable[..., object], also: tuple[str, ...] = ()
) -> Iterator[Problem]:
    """What is wrong with the options of a function: its keyword-only arguments but `reduce`.

    Args:
        owner: Its name in settings, such as "tversky".
        options: Their values by name.
        function: Whose annotations say what they may be.
        also: Names that are known elsewhere, to suggest.
    """
    known = {
        name: each
        for name, each in inspect.signature(function).parameters.items()
        if each.kind is inspect.Parameter.KEYWORD_ONLY and name != "reduce"
    }
    for name, value in options.items():
        if name not in known:
            fix = did_you_mean(name, [*known, *also]) if known or also else f"leave {name} out."
            yield Problem(f"{owner!r} has no option {name!r}.", fix=fix)
        elif wanted := _wanted(known[name].annotation, value):
            yield Problem(
                f"{owner!r} has {name} = {value!r}, which is not {wanted}.",
                fix=f"give {wanted}, or leave it out for {known[name].default!r}.",
            )


def _wanted(annotation: Any, value: Json) -> str | None:
    """What an option must be, where the value is not; None where it is."""
    if annotation is bool:
        return None if isinstance(value, bool) else "true or false"
    if get_origin(annotation) is Literal:
        words = get_args(annotation)
        return None if value in words else f"one of {', '.join(words)}"
    if get_origin(annotation) is Annotated:  # a number within its range
        low, high = get_args(annotation)[1]
        is_right = not isinstance(value, bool) and isinstance(value, int | float) and low <= value <= high
        return None if is_right else f"a number {f'from {low:g} up' if high == math.inf else f'in {low:g}..{high:g}'}"
    if float in get_args(annotation) and isinstance(value, int | float) and not isinstance(value, bool):
        return None if 0 <= value <= 1 else "a number in 0..1"
    return None if value is None or isinstance(value, list | tuple) else "a list with a number for each class"
