"""Words of a command line that a reader copies."""

import re
import shlex
import sys
from typing import Final

_SPECIAL: Final = re.compile(r"[^\w@%+=:,./\\~-]")
_SPECIAL_IN_QUOTES: Final = re.compile(r'["$`\\!]')


def shell_word(word: object) -> str:
    """A path or another word as a shell takes it for one: in quotes where it needs them.

    >>> shell_word("my cells/new"), shell_word("runs/cells")
    ('"my cells/new"', 'runs/cells')
    """
    text = str(word)
    if text and _SPECIAL.search(text) is None:
        return text
    if sys.platform != "win32" and _SPECIAL_IN_QUOTES.search(text):
        return shlex.quote(text)
    return f'"{text}"'
