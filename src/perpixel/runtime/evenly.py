"""A few of many, evenly taken."""

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


def evenly(items: Sequence[T], limit: int) -> Sequence[T]:
    """At most this many, evenly taken.

    >>> evenly("abcdefgh", 3)
    ['a', 'c', 'f']
    """
    return [items[i * len(items) // limit] for i in range(limit)] if len(items) > limit else items
