"""What every verb says of a call that cannot be: too few or too many values, or a package that is not there."""

import inspect
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from typing import Final, ParamSpec, TypeVar

from perpixel.api.whole_package import refusal_of
from perpixel.errors import SettingsError, did_you_mean

P = ParamSpec("P")
T = TypeVar("T")

ALSO: Final = {"predict": " For a mask in memory, without files: perpixel.load(run).predict(image)."}
"""What else may be meant, by the verb."""


def verb(function: Callable[P, T]) -> Callable[P, T]:
    """Let a function of the API refuse a wrong call, and one that perpixel-runtime cannot answer."""
    signature = inspect.signature(function)
    names = list(signature.parameters)
    knows_options = "options" in function.__annotations__  # then `with_options` says more about an unknown name

    @wraps(function)
    def refusing(*args: P.args, **kwargs: P.kwargs) -> T:
        if not knows_options and (strangers := sorted(kwargs.keys() - names)):
            what = f"{function.__name__} takes no {strangers[0]}."
            raise SettingsError(what, fix=did_you_mean(strangers[0], names))
        refuse_wrong_call(function.__name__, signature, args, kwargs)
        try:
            return function(*args, **kwargs)
        except ModuleNotFoundError as error:
            refusal = refusal_of(error)
            if refusal is None:
                raise
            raise refusal from error

    return refusing


def refuse_wrong_call(
    name: str, signature: inspect.Signature, args: Sequence[object], names: Mapping[str, object]
) -> None:
    """Raise SettingsError where the values do not fit the signature, in place of Python's TypeError.

    Unknown names are left to the caller.

    Args:
        name: The function's name.
        signature: With the options that are shown one by one.
        args: The values without a name.
        names: The values by name.
    """
    by_place = [each for each in signature.parameters.values() if each.kind is each.POSITIONAL_OR_KEYWORD]
    needed = [each.name for each in by_place if each.default is each.empty]
    call = f"perpixel.{name}({', '.join(needed)})"
    if len(args) > len(by_place):
        what = f"{name} takes at most {len(by_place)} value(s) without a name, not {len(args)}."
        raise SettingsError(what, fix=f"write {call}, and what else is asked for as NAME=VALUE.")
    if twice := [each.name for each in by_place[: len(args)] if each.name in names]:
        raise SettingsError(f"{name} is given {twice[0]} twice.", fix=f"write {call}, each value once.")
    if missing := [each for each in needed[len(args) :] if each not in names]:
        fix = f"write {call}.{ALSO.get(name, '')}"
        raise SettingsError(f"{name} needs {', '.join(missing)}, too.", fix=fix)
