"""Long lines on a terminal: broken at words, with an indent."""

import re
import shutil
import sys
from typing import Final

from perpixel.language import columns

_GAP: Final = re.compile(r" {2,}")
_WIDE: Final = "\u3000-\u9fff\uff00-\uffef"
_TOKEN: Final = re.compile(rf"[{_WIDE}]|[^\s{_WIDE}]+ ?| ")
"""Where a line may break: after a word, and between letters of Chinese."""


def shown(text: str) -> str:
    """The text as the terminal should show it; as it is where it goes to a file or another program."""
    return wrapped(text, shutil.get_terminal_size().columns) if sys.stdout.isatty() else text


def wrapped(text: str, width: int) -> str:
    """Break the lines that are wider than a terminal; prose in the last cell of a table gets lines of its own.

    >>> print(wrapped("train.scale  1  a whole reason in words", 18))
    train.scale  1
        a whole reason
        in words
    """
    return "\n".join(part for line in text.split("\n") for part in _lines(line, width))


def _lines(line: str, width: int) -> list[str]:
    if columns(line) <= width:
        return [line]
    body = line.lstrip()
    indent = len(line) - len(body)
    *cells, last = _GAP.split(body)
    if not cells:
        return _filled(body, width, indent, indent + 2)
    if " " not in last:  # a table of figures
        return [line]
    head = line[: -len(last)].rstrip()
    return [head, *_filled(last, width, indent + 4, indent + 4)]


def _filled(text: str, width: int, first: int, other: int) -> list[str]:
    lines = [" " * first]
    for token in _TOKEN.findall(text):
        if columns(lines[-1] + token.rstrip()) > width and lines[-1].strip():
            lines.append(" " * other)
        lines[-1] += token
    return [line.rstrip() for line in lines]
