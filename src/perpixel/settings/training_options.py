"""What training, planning and the learning-rate finder are asked for by name, written once.

The command line and the signatures of the Python functions are both made from these classes. An option is a setting
with a short name: its value goes into the tree of settings as it is, never as text.
"""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, Final, Literal, ParamSpec, TypedDict, TypeVar, get_args, get_type_hints

from perpixel.errors import SettingsError, did_you_mean
from perpixel.runtime.json_values import Json, JsonMapping, JsonObject
from perpixel.settings.renamed import RENAMED

P = ParamSpec("P")
T = TypeVar("T")


def _as_it_is(value: Json) -> Json:
    return value


@dataclass(frozen=True)
class Option:
    """A setting with a short name.

    Args:
        setting: Its dotted path.
        help: What it is, in a few words.
        least: The smallest value.
        stored: What the setting holds, from what is given.
        implied: Other settings that it decides, by their dotted paths.
    """

    setting: str
    help: str
    least: int | None = None
    stored: Callable[[Json], Json] = _as_it_is
    implied: JsonMapping = field(default_factory=dict)


class PlanOptions(TypedDict, total=False):
    """What a plan can be asked for; a training is asked for the same."""

    minutes: Annotated[float | None, Option("train.minutes", "budget in minutes; 10 without any budget")]
    steps: Annotated[int | None, Option("train.steps", "budget in optimiser steps")]
    epochs: Annotated[int | None, Option("train.epochs", "budget in epochs")]
    model: Annotated[str | None, Option("model.name", "a name of `perpixel models`")]
    encoder: Annotated[
        str | None, Option("model.encoder", 'a name of `perpixel models` or of timm; "none" for the plain network')
    ]
    seed: Annotated[int | None, Option("seed", "random seed of split, order and initial weights")]
    unlabelled: Annotated[
        str | None, Option("data.unlabelled", "value in the masks that nobody has labelled, such as 0 around strokes")
    ]
    duplicates: Annotated[
        Literal["group", "ignore"] | None,
        Option("data.duplicates", "what becomes of images that show the same: one subset, or taken for different"),
    ]
    fine_tune_from: Annotated[
        str | Path | None,
        Option(
            "model.fine_tune_from",
            "start from the weights of a run or model file",
            stored=lambda path: str(Path(path).resolve()),
        ),
    ]


class TrainOptions(PlanOptions, total=False):
    """What a training can be asked for."""

    folds: Annotated[
        int | None, Option("data.folds", "train one network per fold; predictions are averaged", least=2)
    ]
    gpus: Annotated[
        int | None, Option("train.devices", "GPUs of this machine", least=1, implied={"train.device": "cuda"})
    ]
    logger: Annotated[
        Literal["tensorboard", "wandb", "mlflow"] | None,
        Option("train.loggers", "also log curves and images there", stored=lambda name: [name]),
    ]


def options_of(kind: type) -> dict[str, tuple[Any, Option]]:
    """The type and the option of every name in a class of options."""
    hints = get_type_hints(kind, include_extras=True)
    return {name: get_args(hint) for name, hint in hints.items() if isinstance(get_args(hint)[-1], Option)}


OPTIONS: Final[dict[str, Option]] = {name: option for name, (_, option) in options_of(TrainOptions).items()}
"""Every option by its name."""


def options_tree(given: JsonMapping) -> JsonObject:
    """The settings that options stand for, as a tree; None asks for nothing.

    >>> options_tree({"minutes": 5.0, "model": "1e3", "gpus": 2, "seed": None})
    {'train': {'minutes': 5.0, 'devices': 2, 'device': 'cuda'}, 'model': {'name': '1e3'}}
    """
    tree: JsonObject = {}
    for name, value in given.items():
        if value is None:
            continue
        option = OPTIONS[name]
        for path, leaf in {option.setting: option.stored(value), **option.implied}.items():
            section, _, key = path.rpartition(".")
            (tree.setdefault(section, {}) if section else tree)[key] = leaf
    return tree


def with_options(function: Callable[P, T]) -> Callable[P, T]:
    """Show the options that a function takes as `**options: Unpack[…]` one by one, and refuse others.

    The docstring's line that begins with `**options:` becomes a line for each.
    """
    kind = get_args(function.__annotations__["options"])[0]
    options = options_of(kind)
    signature = inspect.signature(function)
    own = [each for each in signature.parameters.values() if each.kind is not inspect.Parameter.VAR_KEYWORD]
    named = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)
        for name, (annotation, _) in options.items()
    ]
    shown = signature.replace(parameters=[*own, *named])

    @wraps(function)
    def checked(*args: P.args, **kwargs: P.kwargs) -> T:
        if strangers := sorted(kwargs.keys() - shown.parameters.keys()):
            raise _unknown(function.__name__, strangers[0], list(shown.parameters))
        return function(*args, **kwargs)

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
        f"{indent}{name}: {option.help[0].upper()}{option.help[1:]} (`{option.setting}`)."
        for name, (_, option) in options.items()
    ]


def _unknown(verb: str, name: str, known: list[str]) -> SettingsError:
    by_setting = {option.setting: option_name for option_name, option in OPTIONS.items()}
    if name in RENAMED:
        section, _, key = RENAMED[name].rpartition(".")
        option = by_setting.get(RENAMED[name])
        fix = f"did you mean {option if option in known else f'settings={{{section!r}: {{{key!r}: …}}}}'}?"
    else:
        fix = did_you_mean(name, known)
    return SettingsError(f"{verb} takes no {name}.", fix=fix)
