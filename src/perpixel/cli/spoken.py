"""The language of the command line: its option at every command, and its mistakes in that language."""

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, Final, ParamSpec, TypeVar

import typer

from perpixel.language import LANGUAGES, language_of, translated
from perpixel.language.choice import Language

P = ParamSpec("P")
T = TypeVar("T")

FLAG: Final = "--language"
KEPT: Final = re.compile(r"^  language: (en|zh)$", re.MULTILINE)
"""The line of a run's settings.yaml; found without loading what reads YAML."""
LanguageOption = Annotated[
    Language | None,
    typer.Option(
        FLAG, help="language of texts and pages; by default that of the run, else of the system", show_default=False
    ),
]


def spoken_language(words: Sequence[str], environment: Mapping[str, str]) -> Language:
    """The language that a command line asks for, else that of the run it names, else that of the system."""
    for place, word in enumerate(words):
        named = word.removeprefix(f"{FLAG}=") if word.startswith(f"{FLAG}=") else ""
        if word == FLAG and place + 1 < len(words):
            named = words[place + 1]
        for language in LANGUAGES:
            if named == language:
                return language
    return next((kept for kept in map(_kept, words) if kept), None) or language_of(environment)


def with_language(function: Callable[P, T]) -> Callable[P, T]:
    """Give a command the option --language, which `spoken_language` has read already."""
    signature = inspect.signature(function)
    option = inspect.Parameter("language", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=LanguageOption)

    @wraps(function)
    def command(*args: P.args, **kwargs: P.kwargs) -> T:
        kwargs.pop("language", None)
        return function(*args, **kwargs)

    command.__signature__ = signature.replace(  # type: ignore[attr-defined] # read by typer
        parameters=[*signature.parameters.values(), option]
    )
    return command


def usage_error(error: Any) -> str:
    """What a mistake in the command line reads like."""
    lines = [] if error.ctx is None else [error.ctx.get_usage()]
    message = re.sub(
        r"(?<=Missing argument ')\w+", lambda found: found[0].upper(), error.format_message()
    )  # as in usage
    return "\n".join([*lines, translated(f"error: {message}")])


def _kept(word: str) -> Language | None:
    path = Path(word) / "settings.yaml"
    try:
        found = KEPT.search(path.read_text(encoding="utf-8")) if path.is_file() else None
    except (OSError, ValueError):
        return None
    return None if found is None else next(each for each in LANGUAGES if each == found[1])
