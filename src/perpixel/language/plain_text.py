"""Text without what would steer a terminal."""

import re
from typing import Final

_STEERING: Final = re.compile(
    "[\\x00-\\x09\\x0b-\\x1f\\x7f-\\x9f\\u2028\\u2029\\u202a-\\u202e\\u2066-\\u2069\\ud800-\\udfff]"
)
"""Control characters but for the line break, those that turn the direction of writing, and what is no UTF-8."""


def printable(text: str) -> str:
    r"""The text with what would steer a terminal written out: escapes, bells, overwriting and turned-round letters.

    >>> print(printable("a\x1b[2Jb"))
    a\x1b[2Jb
    """
    return _STEERING.sub(lambda match: match[0].encode("unicode_escape", "surrogatepass").decode(), text)


def is_plain(name: str) -> bool:
    r"""Whether a name is UTF-8 and holds no line break and nothing else that would steer a terminal.

    >>> is_plain("a b.png"), is_plain("a\nb.png"), is_plain("\udcff.png")
    (True, False, False)
    """
    return "\n" not in name and _STEERING.search(name) is None
