"""Progress on the terminal: a bar with the time left for whatever lasts; in a file or pipe, a line now and then."""

import logging
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from perpixel import api
from perpixel.cli.flags import with_flags
from perpixel.cli.wrapping import shown
from perpixel.language import say, translated

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

WORD_AFTER_SECONDS: Final = 1.0
SHOWN_AFTER_SECONDS: Final = 2.0
PLAIN_LINE_EVERY_SECONDS: Final = 60.0
BAR_COLUMNS: Final = 12


class Bars:
    """One bar a task on standard error, one after the other; it appears when the task lasts more than two seconds.

    Before the first task, libraries are loaded and files looked for: a word stands there meanwhile, as it does while
    nobody knows how long a task lasts. Where standard error is no terminal, a plain line a minute takes its place.
    """

    def __init__(self) -> None:
        self._task = ""
        self._start = 0.0
        self._printed = 0.0
        self._shown: tuple[Progress, TaskID] | None = None
        self._word = ""
        self._greeting = threading.Timer(WORD_AFTER_SECONDS, self._greet)
        self._greeting.daemon = True
        self._greeting.start()

    def __call__(self, task: str, done: float, total: float, note: str = "") -> None:
        """Show that `done` of `total` is done, with a short note behind."""
        if task != self._task:
            self.close()
            self._task, self._start = task, time.monotonic()
            self._printed = self._start
        if not api.speaks():
            return
        if not total:
            self._say_task()
            return
        if not sys.stderr.isatty():
            self._plainly(done / total if total else 0.0, note)
            return
        if self._shown is None and self._lasts() and done < total:
            self._shown = self._open()
        if self._shown is not None:
            progress, number = self._shown
            progress.update(number, completed=done, total=total, note=translated(note))

    def say_line(self, line: str) -> None:
        """Write a line that stays, above the bar if there is one."""
        self._wipe()
        line = shown(line, sys.stderr)
        if self._shown is None:
            print(line, file=sys.stderr, flush=True)
        else:
            self._shown[0].console.print(line, markup=False, highlight=False, soft_wrap=True)
        self._printed = time.monotonic()

    def close(self) -> None:
        """Take the bar off the terminal."""
        self._wipe()
        if self._shown is not None:
            self._shown[0].stop()
            self._shown = None

    def _greet(self) -> None:
        if not self._task and sys.stderr.isatty() and api.speaks():
            self._show_word(say("starting …"))

    def _say_task(self) -> None:
        """Name a task that may last long, and of which nobody knows how long."""
        word = say("{task} …", task=say(self._task))
        if sys.stderr.isatty():
            self._show_word(word)
        else:
            self.say_line(word)

    def _show_word(self, word: str) -> None:
        self._word = word
        print(word, end="\r", file=sys.stderr, flush=True)

    def _wipe(self) -> None:
        """Take the word off the terminal."""
        self._greeting.cancel()
        if self._word:
            print(" " * 2 * len(self._word), end="\r", file=sys.stderr, flush=True)  # Chinese is twice as wide
            self._word = ""

    def _lasts(self) -> bool:
        return time.monotonic() - self._start > SHOWN_AFTER_SECONDS

    def _plainly(self, share: float, note: str) -> None:
        now = time.monotonic()
        if now - self._printed < PLAIN_LINE_EVERY_SECONDS:
            return
        left = _clock((now - self._start) * (1 - share) / share) if share > 0 else "?"
        told = say("{task}: {share:.0%}, {left} left", task=say(self._task), share=share, left=left)
        self.say_line(told + (f"  {translated(note)}" if note else ""))

    def _open(self) -> "tuple[Progress, TaskID]":
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
        from rich.table import Column

        columns = (
            TextColumn("{task.description}"),
            BarColumn(bar_width=BAR_COLUMNS),
            TaskProgressColumn(),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}", table_column=Column(ratio=1, no_wrap=True, overflow="ellipsis")),
        )
        progress = Progress(*columns, console=Console(stderr=True), transient=True, expand=True)
        progress.start()
        return progress, progress.add_task(say(self._task), total=None, note="")


_open_bars: list[Bars] = []
"""The bars on the terminal now: notices are written above them."""


class Notices(logging.Handler):
    """Writes what the package reports while it works as lines of standard error."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write one notice."""
        line = with_flags(record.getMessage())
        if _open_bars:
            _open_bars[-1].say_line(line)
        else:
            print(shown(line, sys.stderr), file=sys.stderr, flush=True)


@contextmanager
def bars() -> Iterator[Bars]:
    """Bars for the length of a block.

    >>> with bars() as progress:
    ...     progress("reading", 3, 10)
    """
    shown = Bars()
    _open_bars.append(shown)
    try:
        yield shown
    finally:
        _open_bars.remove(shown)
        shown.close()


def _clock(seconds: float) -> str:
    """A duration as h:mm:ss.

    >>> _clock(75), _clock(3700)
    ('0:01:15', '1:01:40')
    """
    whole = round(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"
