"""Progress is a callback: whoever works calls it, and the command line makes a bar of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol


class Progress(Protocol):
    """Called as work goes on."""

    def __call__(self, task: str, done: float, total: float, note: str = "") -> None:
        """Take note of how far it is.

        Args:
            task: What is done, such as "training".
            done: How much of it.
            total: Of how much; 0 where nobody knows how long it lasts.
            note: What else is worth showing.
        """


def silent(task: str, done: float, total: float, note: str = "") -> None:
    """Show nothing."""


@contextmanager
def shown_while(task: str, progress: Progress) -> Iterator[None]:
    """Say that something is done for the length of a block, where nobody knows how long it lasts."""
    progress(task, 0, 0)
    yield
    progress(task, 1, 1)
