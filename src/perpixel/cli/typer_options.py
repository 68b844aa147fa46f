"""Options on the command line, made from those that the Python functions take."""

import inspect
from collections.abc import Callable, Sequence
from functools import wraps
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Final, ParamSpec, TypeVar, Union, get_args, get_origin, get_type_hints

import typer

from perpixel.runtime.choices import ThresholdWord
from perpixel.runtime.json_values import Json, JsonMapping, JsonObject
from perpixel.settings.options import Option
from perpixel.settings.training_options import PlanOptions, TrainOptions, options_tree

P = ParamSpec("P")
T = TypeVar("T")

FLAGS: Final = {"fine_tune_from": "--from", "simplify_px": "--simplify", "least_px": "--least", "target": "--for"}
"""Where a flag is called otherwise than the option of the Python function."""
VARIABLES: Final = {"token": "PERPIXEL_TOKEN"}
"""Where an option can be given by a variable of the environment."""


def _threshold(text: str) -> float | ThresholdWord:
    """The value of --threshold."""
    words: dict[str, ThresholdWord] = {"calibrated": "calibrated", "argmax": "argmax"}
    try:
        return words[text] if text in words else float(text)
    except ValueError:
        raise typer.BadParameter(f"--threshold {text} is neither calibrated, argmax nor a number") from None


READERS: Final[dict[str, Callable[[str], Json]]] = {"threshold": _threshold}
"""How the text of an option that takes words or a number becomes its value."""


class _Sources(PlanOptions, total=False):
    recipe: Annotated[str | None, typer.Option(help="a name of `perpixel recipes`; other options override it")]
    config: Annotated[Path | None, typer.Option(help="a YAML file of settings")]
    set_: Annotated[list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="any setting, as YAML")]


class PlanArguments(_Sources, total=False):
    """The options of `plan` and `find-lr`."""


class TrainArguments(TrainOptions, _Sources, total=False):
    """The options of `train`."""


def with_typer_options(function: Callable[P, T]) -> Callable[P, T]:
    """Give a command that takes `**asked: Unpack[…]` an option for each name that it lacks, after its own."""
    kind = get_args(function.__annotations__["asked"])[0]
    signature = inspect.signature(function)
    own = [each for each in signature.parameters.values() if each.kind is not inspect.Parameter.VAR_KEYWORD]
    named = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
        for name, hint in get_type_hints(kind, include_extras=True).items()
        if name not in signature.parameters
        for annotation, default in [_for_typer(name, hint)]
    ]

    @wraps(function)
    def command(*args: P.args, **kwargs: P.kwargs) -> T:
        return function(*args, **kwargs)

    command.__signature__ = signature.replace(parameters=[*own, *named])  # type: ignore[attr-defined] # read by typer
    return command


def request(asked: JsonMapping) -> JsonObject:
    """What the API is asked for: the recipe, and the file of settings, under the options, under --set."""
    from perpixel.settings.text import assign, settings_from_file
    from perpixel.settings.tree import over

    given = dict(asked)
    recipe, config, assignments = (given.pop(name, None) for name in ("recipe", "config", "set_"))
    if [given.get(budget) for budget in ("minutes", "steps", "epochs")].count(None) < 2:
        raise typer.BadParameter("give only one of --minutes, --steps and --epochs")
    tree = over(settings_from_file(config) if config else {}, options_tree(given))
    return {"recipe": recipe, "settings": assign(tree, assignments or [])}


def _for_typer(name: str, hint: Any) -> tuple[Any, Json]:
    """The annotation and the default that typer reads."""
    kind, *rest = get_args(hint)
    if not isinstance(option := rest[-1], Option):
        return hint, None
    flag = f"--{name.replace('_', '-')}"
    flags = [FLAGS[name]] if name in FLAGS else [flag] if kind is bool else []  # else typer would add --no-…
    kind, default = _one_type(kind, option.default)
    shown = typer.Option(
        *flags,
        metavar=option.metavar,
        min=option.least,
        max=option.most,
        help=option.help,
        show_default=bool(default),
        parser=READERS.get(name),
        envvar=VARIABLES.get(name),
    )
    return Annotated[kind, shown], default


def _one_type(kind: Any, default: Json) -> tuple[Any, Json]:
    """Typer reads one type, or none given; a list for any sequence, and text for words or numbers."""
    kinds = [each for each in get_args(kind) if each is not type(None)]
    if Sequence in (get_origin(kind), *map(get_origin, kinds)):
        return list[str] | None, None
    if Path in kinds:
        return Path | None, default
    if get_origin(kind) in (Union, UnionType) and len(kinds) > 1:
        return str | None, default
    return kind, default
