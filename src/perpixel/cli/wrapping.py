"""Long lines on a terminal: broken at words, with an indent."""

import re
import shutil
import sys
from itertools import groupby
from typing import Final, TextIO

from perpixel.language import columns, say

_GAP: Final = re.compile(r" {2,}")
RIGHT_FROM: Final = 5
"""Cells of a line from which it is one of a table of figures."""
WIDEST_FIGURE: Final = 20
"""Columns of the last cell of such a line; a longer one is prose."""
_COLOUR: Final = re.compile(r"\x1b\[[0-9;]*m")
_WIDE: Final = "\u3000-\u9fff\uff00-\uffef"
_LETTER: Final = re.compile(f"[{_WIDE}]")
_PIECE: Final = re.compile(r"[^-_./\\]+[-_./\\]?|[-_./\\]")
_CLOSING: Final = "，。；：、！？）》”…"
"""What begins no line."""
_TOKEN: Final = re.compile(rf"（?[{_WIDE}][{_CLOSING}]*|[^\s{_WIDE}]+ ?| ")
"""Where a line may break: after a word, and between letters of Chinese."""


def shown(text: str, stream: TextIO | None = None) -> str:
    """The text as the terminal should show it; as it is where it goes to a file or another program.

    Args:
        text: Lines.
        stream: Where it goes; None for standard output.
    """
    return wrapped(text, shutil.get_terminal_size().columns) if (stream or sys.stdout).isatty() else text


def wrapped(text: str, width: int) -> str:
    """Break the lines that are wider than a terminal; prose in the last cell of a table gets lines of its own.

    Escape sequences of colours take no place.

    >>> print(wrapped("train.scale  1  a whole reason in words", 18))
    train.scale  1
        a whole reason
        in words
    """
    parts: list[str] = []
    for is_table, lines in groupby(text.split("\n"), _is_of_figures):
        told = list(lines)
        if parts[-1:] == told[:1] == [""]:  # a table that was broken has ended with a blank line
            told = told[1:]
        parts += _blocks(told, width) if is_table else [part for line in told for part in _lines(line, width)]
    return "\n".join(parts)


def _is_of_figures(line: str) -> bool:
    """Whether a line belongs to a table whose columns are parted by blanks, with no prose in it."""
    *_, last = cells = _GAP.split(line)
    return len(cells) >= RIGHT_FROM and not line.startswith(" ") and _columns(last) <= WIDEST_FIGURE


def _blocks(lines: list[str], width: int) -> list[str]:
    r"""A table as it is where it fits; else its columns below each other, each time behind the first one.

    >>> print("\n".join(_blocks(["name  one  two  three  four", "a       1    2      3     4"], 22)))
    name  one  two  three
    a       1    2      3
    <BLANKLINE>
    name  four
    a        4
    <BLANKLINE>
    """
    rows = [_GAP.split(line.rstrip()) for line in lines]
    if max(map(columns, lines)) <= width or len({len(row) for row in rows}) > 1:
        return lines
    widths = [max(map(columns, column)) for column in zip(*rows, strict=True)]
    are_left = [len(set(starts)) == 1 for starts in zip(*map(_starts, lines), strict=True)]
    blocks: list[list[int]] = [[]]
    for place in range(1, len(widths)):
        taken = widths[0] + sum(2 + widths[each] for each in [*blocks[-1], place])
        if blocks[-1] and taken > width:
            blocks.append([])
        blocks[-1].append(place)
    told = []
    for block in blocks:
        told.append("")
        for first, *figures in rows:
            cells = [_padded(figures[place - 1], widths[place], are_left[place]) for place in block]
            told.append("  ".join([_padded(first, widths[0], True), *cells]).rstrip())
    return [*told[1:], ""]


def _starts(line: str) -> list[int]:
    """The column where each cell begins."""
    return [0, *(_columns(line[: gap.end()]) for gap in _GAP.finditer(line.rstrip()))]


def _padded(cell: str, width: int, is_left: bool) -> str:
    spare = " " * (width - _columns(cell))
    return cell + spare if is_left else spare + cell


def _columns(text: str) -> int:
    """Columns on a terminal, without the sequences that colour it."""
    return columns(_COLOUR.sub("", text))


def _lines(line: str, width: int) -> list[str]:
    is_command = _COLOUR.sub("", line).startswith(f"{say('Next: ')}perpixel ")
    if _columns(line) <= width or is_command:  # which is copied whole
        return [line]
    body = line.lstrip()
    indent = len(line) - len(body)
    *cells, last = _GAP.split(body)
    if not cells:
        return filled(body, width, indent, indent + 2)
    head = line[: -len(last)]
    hang = _columns(head)
    if " " not in last and not _LETTER.search(last):  # a figure, or a name: it is broken at its marks
        return filled(last, width, hang, hang, _PIECE, head) if hang <= width // 2 else [line]
    if hang <= width // 4:  # its text stands beside it
        return filled(last, width, hang, hang, head=head)
    return [head.rstrip(), *filled(last, width, indent + 4, indent + 4)]


def filled(
    text: str, width: int, first: int, other: int, token: re.Pattern[str] = _TOKEN, head: str = ""
) -> list[str]:
    """Lines of a text that are no wider than a terminal.

    Args:
        text: On one line.
        width: Columns of the terminal.
        first: Indent of the first line.
        other: Indent of the others.
        token: What stays together, unless it is wider than a line; a path breaks at its marks then.
        head: What the first line begins with, in place of its indent.
    """
    lines = [head or " " * first]
    room = width - max(first, other)
    for whole in token.findall(text):
        for part in [whole] if _columns(whole.rstrip()) <= room else _parts(whole, room):
            if _columns(lines[-1] + part.rstrip()) > width and lines[-1].strip(" -") and lines[-1] != head:
                lines.append(" " * other)
            lines[-1] += part
    return [line.rstrip() for line in lines]


def _parts(path: str, room: int) -> list[str]:
    """A path in parts that fit, split at its marks, and a name that is wider than a line where the line ends."""
    room = max(room, 1)
    return [piece[start : start + room] for piece in _PIECE.findall(path) for start in range(0, len(piece), room)]
