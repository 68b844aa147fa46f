"""What is said where a function is called with too few or too many values."""

import inspect
from collections.abc import Mapping, Sequence
from typing import Final

from perpixel.errors import SettingsError

ALSO: Final = {"predict": " For a mask in memory, without files: perpixel.load(run).predict(image)."}
"""What else may be meant, by the verb."""


def refuse_wrong_call(
    verb: str, signature: inspect.Signature, args: Sequence[object], names: Mapping[str, object]
) -> None:
    """Raise SettingsError where the values do not fit the signature, in place of Python's TypeError.

    Unknown names are left to `with_options`, which knows more about them.

    Args:
        verb: The function's name.
        signature: With the options that are shown one by one.
        args: The values without a name.
        names: The values by name.
    """
    by_place = [each for each in signature.parameters.values() if each.kind is each.POSITIONAL_OR_KEYWORD]
    needed = [each.name for each in by_place if each.default is each.empty]
    call = f"perpixel.{verb}({', '.join(needed)})"
    if len(args) > len(by_place):
        what = f"{verb} takes at most {len(by_place)} value(s) without a name, not {len(args)}."
        raise SettingsError(what, fix=f"write {call}, and what else is asked for as NAME=VALUE.")
    if twice := [each.name for each in by_place[: len(args)] if each.name in names]:
        raise SettingsError(f"{verb} is given {twice[0]} twice.", fix=f"write {call}, each value once.")
    if missing := [name for name in needed[len(args) :] if name not in names]:
        fix = f"write {call}.{ALSO.get(verb, '')}"
        raise SettingsError(f"{verb} needs {', '.join(missing)}, too.", fix=fix)
