"""Progress is a callback: whoever works calls it, and the command line makes a bar of it."""

from typing import Protocol


class Progress(Protocol):
    """Called as work goes on."""

    def __call__(self, task: str, done: float, total: float, note: str = "") -> None:
        """Take note of how far it is.

        Args:
            task: What is done, such as "training".
            done: How much of it.
            total: Of how much.
            note: What else is worth showing.
        """


def silent(task: str, done: float, total: float, note: str = "") -> None:
    """Show nothing."""
