"""The options of losses: read from their signatures, and checked before a training begins."""

import inspect
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, Literal, NamedTuple, get_args, get_origin

from torch import Tensor

from perpixel.errors import Problem, did_you_mean
from perpixel.runtime.json_values import Json, JsonMapping

NOT_OPTIONS: Final = ("logits", "target", "reduce")


class Range(NamedTuple):
    """Where the number of an option lies."""

    least: float
    most: float


@dataclass(frozen=True)
class LossTerm:
    """One loss of a weighted sum.

    Args:
        name: As in `LOSSES`.
        weight: What it is multiplied by, from 0 up.
        options: Its keyword arguments, such as {"alpha": 0.3, "beta": 0.7} of tversky.
    """

    name: str
    weight: float = 1.0
    options: JsonMapping = field(default_factory=dict)


def option_problems(term: LossTerm, function: Callable[..., Tensor]) -> Iterator[Problem]:
    """What is wrong with the options of a loss."""
    known = {name: each for name, each in inspect.signature(function).parameters.items() if name not in NOT_OPTIONS}
    for name, value in term.options.items():
        if name not in known:
            yield Problem(f"The loss {term.name!r} has no option {name!r}.", fix=did_you_mean(name, known))
        elif wanted := _wanted(known[name].annotation, value):
            yield Problem(
                f"The loss {term.name!r} has {name} = {value!r}, which is not {wanted}.",
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
