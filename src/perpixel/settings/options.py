"""What a verb is asked for by name, written once: the signature in Python and the command line are made from it."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import wraps
from typing import Any, Final, ParamSpec, TypeVar, get_args, get_type_hints

from perpixel.errors import SettingsError, did_you_mean
from perpixel.runtime.json_values import Json, JsonMapping
from perpixel.settings.renamed import RENAMED

_SETTINGS_ELSEWHERE: Final = ("overrides", "config", "cfg", "params", "hparams", "kwargs", "options")
"""What other programs call the mapping of settings."""

P = ParamSpec("P")
T = TypeVar("T")


def _as_it_is(value: Json) -> Json:
    return value


@dataclass(frozen=True)
class Option:
    """An option of a verb, in the annotation of its name: `Annotated[type, Option(…)]`.

    Args:
        setting: The dotted path of the setting that it gives; empty where it is none.
        help: What it is, in a few words.
        more: What the reference of the Python function adds.
        least: The smallest value.
        most: The largest value.
        default: Its value where it is not given.
        metavar: What the command line calls the value.
        stored: What the setting holds, from what is given.
        implied: Other settings that it decides, by their dotted paths.
    """

    setting: str = ""
    help: str = ""
    more: str = ""
    least: int | None = None
    most: int | None = None
    default: Json = None
    metavar: str | None = None
    stored: Callable[[Json], Json] = _as_it_is
    implied: JsonMapping = field(default_factory=dict)


def options_of(kind: type) -> dict[str, tuple[Any, Option]]:
    """The type and the option of every name in a class of options."""
    hints = get_type_hints(kind, include_extras=True)
    return {name: get_args(hint) for name, hint in hints.items() if isinstance(get_args(hint)[-1], Option)}


def with_options(function: Callable[P, T]) -> Callable[P, T]:
    """Show the options that a function takes as `**options: Unpack[…]` one by one, and refuse others.

    The function gets all of them: what is not given by its default. The docstring's line that begins with
    `**options:` becomes a line for each.
    """
    kind = get_args(function.__annotations__["options"])[0]
    options = options_of(kind)
    signature = inspect.signature(function)
    own = [each for each in signature.parameters.values() if each.kind is not inspect.Parameter.VAR_KEYWORD]
    named = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=option.default, annotation=annotation)
        for name, (annotation, option) in options.items()
    ]
    shown = signature.replace(parameters=[*own, *named])
    defaults = {name: option.default for name, (_, option) in options.items()}

    @wraps(function)
    def checked(*args: P.args, **kwargs: P.kwargs) -> T:
        if strangers := sorted(kwargs.keys() - shown.parameters.keys()):
            raise _unknown(function.__name__, strangers[0], options, list(shown.parameters))
        return function(*args, **defaults | kwargs)

    checked.__signature__ = shown  # type: ignore[attr-defined] # read by inspect, help and the documentation
    checked.__doc__ = "\n".join(
        line
        for each in (function.__doc__ or "").splitlines()
        for line in (_documented(each, options) if each.lstrip().startswith("**options:") else [each])
    )
    return checked


def _documented(line: str, options: Mapping[str, tuple[Any, Option]]) -> list[str]:
    indent = line[: len(line) - len(line.lstrip())]
    return [
        f"{indent}{name}: {_sentence(option.help + (option.setting and f' (`{option.setting}`)'))}"
        f"{option.more and ' ' + _sentence(option.more)}"
        for name, (_, option) in options.items()
    ]


def _sentence(words: str) -> str:
    return f"{words[0].upper()}{words[1:]}."


def _unknown(verb: str, name: str, options: Mapping[str, tuple[Any, Option]], known: list[str]) -> SettingsError:
    what = f"{verb} takes no {name}."
    if "settings" not in known:
        return SettingsError(what, fix=did_you_mean(name, known))
    if name in _SETTINGS_ELSEWHERE:
        return SettingsError(what, fix=did_you_mean("settings", known))
    from perpixel.settings.tree import Request, setting_names  # loads pydantic

    by_name = RENAMED | {path.rpartition(".")[2]: path for path in setting_names(Request)}
    if name not in by_name:
        return SettingsError(what, fix=did_you_mean(name, known))
    by_setting = {option.setting: option_name for option_name, (_, option) in options.items()}
    section, _, key = by_name[name].rpartition(".")
    nested = f"settings={{{section!r}: {{{key!r}: …}}}}"
    return SettingsError(what, fix=f"did you mean {by_setting.get(by_name[name], nested)}?")
