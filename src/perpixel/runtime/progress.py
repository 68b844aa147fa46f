"""Progress on the terminal: a bar with the time left for whatever lasts, silence where nobody looks."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from perpixel.runtime.hardware import is_first_process

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

SHOWN_AFTER_SECONDS: Final = 2.0


class Bar:
    """One bar on standard error; it appears when the work lasts longer than two seconds."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._start = time.monotonic()
        self._shown: tuple[Progress, TaskID] | None = None

    def __call__(self, done: float, total: float, note: str = "") -> None:
        """Show that `done` of `total` is done, with a short note behind."""
        if self._shown is None and sys.stderr.isatty() and is_first_process() and self._lasts():
            self._shown = self._open()
        if self._shown is not None:
            progress, task = self._shown
            progress.update(task, completed=done, total=total, note=note)

    def close(self) -> None:
        """Take the bar off the terminal."""
        if self._shown is not None:
            self._shown[0].stop()

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
        return progress, progress.add_task(self._what, total=None, note="")


@contextmanager
def bar(what: str) -> Iterator[Bar]:
    """Open a bar for the length of a block.

    >>> with bar("reading") as show:
    ...     show(3, 10)
    """
    shown = Bar(what)
    try:
        yield shown
    finally:
        shown.close()
