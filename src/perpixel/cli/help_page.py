"""The help of a command: in the language that is spoken, in plain words, and no wider than the terminal."""

import inspect
import re
from collections.abc import Sequence
from typing import Any, Final

from perpixel.cli.wrapping import filled
from perpixel.language import columns, say

WIDEST_NAME: Final = 30
"""Columns of an option with its value, from which its help begins on a line of its own."""
NARROWEST_HELP: Final = 32
"""Columns that are left to the help of an option."""
VALUES: Final = {"int": "N", "integer": "N", "float": "NUMBER", "str": "TEXT", "path": "PATH"}
"""What stands for a value, by the type that the parser names, in whichever of its versions."""
_KIND: Final = re.compile(r" (?:<(?:list\[)?(\w+)\]?(?: range)?>|(INTEGER|FLOAT)(?: RANGE)?)$")
_ARGUMENT: Final = re.compile(r"\{([^}]+)\}(\.\.\.)?")
_EXTRA: Final = re.compile(r" *\[([^\[\]]*)\]$")
_RANGE: Final = re.compile(r"(?:(\d+)<=)?x(?:>=(\d+)|<=(\d+))")
_CHOICE: Final = re.compile(r"[^|]+\|?")


def dress_help(command: Any) -> None:
    """Give a command, and those under it, this help.

    Args:
        command: Of the parser, a group for example.
    """
    for holder, names in ((command, ("help", "epilog")), *((each, ("help",)) for each in command.params)):
        for name in names:
            if text := getattr(holder, name, None):
                setattr(holder, name, _said(inspect.cleandoc(text)))
    command.short_help = (command.help or "").partition("\n\n")[0]  # whole: else the parser cuts it
    for each in getattr(command, "commands", {}).values():
        dress_help(each)
    command.context_class = _context_class(command.context_class)


def _said(text: str) -> str:
    """Paragraph by paragraph, each on one line."""
    return "\n\n".join(say(" ".join(paragraph.split())) for paragraph in text.split("\n\n"))


def _context_class(base: Any) -> Any:
    """The parser's context that lays its help out as here."""

    class Formatter(base.formatter_class):  # type: ignore[misc] # the parser's own, which differs by version
        def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
            self.write_lines(f"{prefix or say('Usage: ')}{prog} {_usage(args)}", 4)

        def write_heading(self, heading: str) -> None:
            self.is_of_arguments = heading in {"Arguments", say("Arguments")}
            self.write(f"{say('{heading}:', heading=say(heading))}\n")

        def write_text(self, text: str) -> None:
            self.write("\n\n".join("\n".join(filled(each, self.width, 2, 2)) for each in text.split("\n\n")) + "\n")

        def write_dl(self, rows: Sequence[tuple[str, str]], *_: Any, **__: Any) -> None:
            told = [(_name(name, self.is_of_arguments), _help(text, self.is_of_arguments)) for name, text in rows]
            widest = min(WIDEST_NAME, self.width - NARROWEST_HELP)
            start = 4 + min(widest, max(columns(name) for name, _ in told))
            for name, text in told:
                self.write("\n".join(_row(name, text, start, self.width)) + "\n")

        def write_lines(self, text: str, indent: int) -> None:
            self.write("\n".join(filled(text, self.width, 0, indent)) + "\n")

    return type("Context", (base,), {"formatter_class": Formatter})


def _usage(arguments: str) -> str:
    """What follows the name of a command.

    >>> _usage("[OPTIONS] {run} {INPUT...}... [data]")
    '[OPTIONS] RUN INPUT... [DATA]'
    """
    named = _ARGUMENT.sub(lambda found: found[1] + (found[2] or "" if "..." not in found[1] else ""), arguments)
    return re.sub(r"OPTIONS|COMMAND|ARGS", lambda found: say(found[0]), named.upper())


def _name(name: str, is_argument: bool) -> str:
    """An option with its value, or an argument.

    >>> _name("--folds <int range>", False), _name("data <path>", True)
    ('--folds N', 'DATA')
    """
    if is_argument:
        return _KIND.sub("", name).upper()
    return _KIND.sub(lambda found: " " + VALUES.get((found[1] or found[2]).lower(), found[0].strip()), name)


def _help(text: str, is_argument: bool) -> str:
    """The help of an option, with its default and range in words; that an argument is needed stands in the usage.

    >>> _help("images to list  [default: 10; x>=1]", False), _help("drawings  [10<=x<=99]", False)
    ('images to list (default: 10; at least 1)', 'drawings (10 to 99)')
    >>> _help("a run folder  [required]", True)
    'a run folder'
    """
    found = _EXTRA.search(text)
    extras = [each for each in found[1].split("; ") if not (is_argument and each == "required")] if found else []
    about = say(text[: found.start()] if found else text)
    return say("{help} ({extras})", help=about, extras=say("; ").join(map(_extra, extras))) if extras else about


def _extra(text: str) -> str:
    if limits := _RANGE.fullmatch(text):
        least, most = limits[1] or limits[2], limits[3]
        if least and most:
            return say("{least} to {most}", least=least, most=most)
        return say("at least {least}", least=least) if least else say("at most {most}", most=most)
    name, colon, value = text.partition(": ")
    return say("{name}: {value}", name=say(name), value=value) if colon else say(text)


def _row(name: str, text: str, start: int, width: int) -> list[str]:
    """A name, and from a column on its help, beside it or below."""
    lines = filled(name, width, 2, 6, _CHOICE)
    if columns(name) + 4 > start:
        return [*lines, *filled(text, width, start, start)]
    return filled(text, width, start, start, head=lines[0].ljust(start))
