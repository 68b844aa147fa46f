"""Colours of the terminal; none where output goes elsewhere, or NO_COLOR is set."""

import os
import sys
from typing import Final, Protocol, TextIO, TypeAlias

RGB: TypeAlias = tuple[int, int, int]
NAMED: Final = {"red": "31", "green": "32", "yellow": "33", "blue": "34"}
DARKEST: Final = 90
"""Darker colours are lifted, so that black is seen on a black terminal."""


class Paint(Protocol):
    """Colours a text."""

    def __call__(self, text: str, colour: str | RGB | None = None, *, is_bold: bool = False) -> str:
        """The text in a colour by name or as (R, G, B)."""


def paint_for(stream: TextIO | None = None) -> Paint:
    """Colours for a stream, standard output by default, or none where it cannot show them.

    Source: https://no-color.org.
    """
    out = stream or sys.stdout
    is_shown = out.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    return painted if is_shown else unpainted


def painted(text: str, colour: str | RGB | None = None, *, is_bold: bool = False) -> str:
    r"""The text with the codes of a terminal.

    >>> painted("x", "red", is_bold=True)
    '\x1b[31;1mx\x1b[0m'
    """
    if isinstance(colour, tuple):
        lift = max(DARKEST - max(colour), 0)
        colour = colour[0] + lift, colour[1] + lift, colour[2] + lift
        codes = ["38;2;" + ";".join(map(str, colour))]
    else:
        codes = [] if colour is None else [NAMED[colour]]
    codes += ["1"] if is_bold else []
    return f"\x1b[{';'.join(codes)}m{text}\x1b[0m" if codes else text


def unpainted(text: str, colour: str | RGB | None = None, *, is_bold: bool = False) -> str:
    """The text as it is."""
    return text
