"""Progress on the terminal: a bar with the time left for whatever lasts, silence where nobody looks."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from perpixel import api

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

SHOWN_AFTER_SECONDS: Final = 2.0


class Bars:
    """One bar a task on standard error, one after the other; it appears when the task lasts more than two seconds."""

    def __init__(self) -> None:
        self._task = ""
        self._start = 0.0
        self._shown: tuple[Progress, TaskID] | None = None

    def __call__(self, task: str, done: float, total: float, note: str = "") -> None:
        """Show that `done` of `total` is done, with a short note behind."""
        if task != self._task:
            self.close()
            self._task, self._start = task, time.monotonic()
        if self._shown is None and self._lasts() and sys.stderr.isatty() and api.speaks():
            self._shown = self._open()
        if self._shown is not None:
            progress, number = self._shown
            progress.update(number, completed=done, total=total, note=note)

    def close(self) -> None:
        """Take the bar off the terminal."""
        if self._shown is not None:
            self._shown[0].stop()
            self._shown = None

    def _lasts(self) -> bool:
        return time.monotonic() - self._start > SHOWN_AFTER_SECONDS

    def _open(self) -> "tuple[Progress, TaskID]":
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
        )
        progress = Progress(*columns, console=Console(stderr=True), transient=True)
        progress.start()
        return progress, progress.add_task(self._task, total=None, note="")


@contextmanager
def bars() -> Iterator[Bars]:
    """Bars for the length of a block.

    >>> with bars() as progress:
    ...     progress("reading", 3, 10)
    """
    shown = Bars()
    try:
        yield shown
    finally:
        shown.close()
