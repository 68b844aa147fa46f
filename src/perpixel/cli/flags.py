"""What messages call an argument of the Python functions, as the command line calls it."""

import re
from typing import Final

FLAGS_OF_ARGUMENTS: Final = {
    "existing='replace'": "--overwrite",
    "existing='skip'": "--resume",
    "images": "--images",
    "index": "--index",
    "minutes=30": "--minutes 30",
    "out": "--out",
    "overwrite": "--overwrite",
    "resume": "--resume",
}
"""A message names an argument between backquotes; words that are not here stay as they are."""


def with_flags(message: str) -> str:
    """A message with the flags of the arguments that it names.

    >>> with_flags("choose another `out`, or replace it with `overwrite`; see `nvidia-smi`.")
    'choose another --out, or replace it with --overwrite; see `nvidia-smi`.'
    """
    return re.sub(r"`([^`]+)`", lambda found: FLAGS_OF_ARGUMENTS.get(found[1], found[0]), message)
