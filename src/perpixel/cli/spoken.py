"""The language of the command line: its option at every command, and its help in that language."""

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, Final, ParamSpec, TypeVar

import typer

from perpixel.language import LANGUAGES, language_of, say, translated
from perpixel.language.choice import Language

P = ParamSpec("P")
T = TypeVar("T")

FLAG: Final = "--language"
KEPT: Final = re.compile(r"^  language: (en|zh)$", re.MULTILINE)
"""The line of a run's settings.yaml; found without loading what reads YAML."""
LanguageOption = Annotated[
    Language | None,
    typer.Option(FLAG, help="of texts and pages; else that of the run, else that of the system", show_default=False),
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


def translate_help(command: Any) -> None:
    """Put the help of a command, of its options and of the commands under it into the language that is spoken."""
    for holder, names in (
        (command, ("help", "short_help", "epilog")),
        *((each, ("help",)) for each in command.params),
    ):
        for name in names:
            if text := getattr(holder, name, None):
                setattr(holder, name, _said(inspect.cleandoc(text)))
    for each in getattr(command, "commands", {}).values():
        translate_help(each)
    command.context_class = _context_class(command.context_class)


def _said(text: str) -> str:
    """Paragraph by paragraph, each on one line."""
    return "\n\n".join(say(" ".join(paragraph.split())) for paragraph in text.split("\n\n"))


def _context_class(base: Any) -> Any:
    """The parser's context whose headings of the help are translated."""

    class Formatter(base.formatter_class):  # type: ignore[misc] # the parser's own, which differs by version
        def write_heading(self, heading: str) -> None:
            super().write_heading(say(heading))
            self.buffer[-1] = self.buffer[-1].replace(":", "：")

        def write_dl(self, rows: Sequence[tuple[str, str]], *args: Any, **kwargs: Any) -> None:
            said = [(name, say(text).replace("[required]", say("[required]"))) for name, text in rows]
            super().write_dl(said, *args, **kwargs)

        def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
            super().write_usage(prog, args, prefix or say("Usage: "))

    return type("Context", (base,), {"formatter_class": Formatter})


def usage_error(error: Any) -> str:
    """What a mistake in the command line reads like."""
    lines = [] if error.ctx is None else [error.ctx.get_usage()]
    return "\n".join([*lines, translated(f"error: {error.format_message()}")])


def _kept(word: str) -> Language | None:
    path = Path(word) / "settings.yaml"
    try:
        found = KEPT.search(path.read_text(encoding="utf-8")) if path.is_file() else None
    except (OSError, ValueError):
        return None
    return None if found is None else next(each for each in LANGUAGES if each == found[1])
