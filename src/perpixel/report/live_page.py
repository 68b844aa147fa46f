"""The page of a training that still runs: it reloads itself, and grows with each validation."""

import math
import time
from pathlib import Path
from typing import Final

from perpixel.files.atomic import write_text
from perpixel.files.whole_file import content_of
from perpixel.language.choice import Language
from perpixel.report.page import rendered
from perpixel.report.run_page import run_facts, settings_text
from perpixel.report.svg_curves import training_curves
from perpixel.report.texts import texts
from perpixel.runtime.progress import Progress
from perpixel.store.run_folder import Run

RELOADED_EVERY_SECONDS: Final = 10
SHARE_OF_TIME: Final = 0.02
"""Of a training at most, for writing its page."""
LIVE_MARK: Final = 'data-state="live"'
"""In the page of a training that did not end."""


def is_live(page: Path) -> bool:
    """Whether a report is that of a training that did not end: one that runs, or was stopped."""
    try:
        return LIVE_MARK.encode() in content_of(page)
    except OSError:
        return False


class LivePage:
    """A progress that also writes report.html of the run after validations; it passes every call on.

    A page is left out where it would take more than `SHARE_OF_TIME` since the one before.

    Args:
        folder: The run folder, which may not exist yet.
        language: Of the page.
        progress: Gets every call, too.
    """

    def __init__(self, folder: Path, language: Language, progress: Progress) -> None:
        self._folder = folder
        self._language = language
        self._progress = progress
        self._written = 0
        self._rested = -math.inf
        self.logger = getattr(progress, "logger", None)
        """What a trainer tells after each validation, where the progress has it."""

    def __call__(self, task: str, done: float, total: float, note: str = "") -> None:
        """Take note of how far it is, and write the page after a validation, if it is time."""
        self._progress(task, done, total, note)
        start, history = time.monotonic(), self._folder / "history.csv"
        if task != "training" or start < self._rested or not history.is_file():
            return
        if (size := history.stat().st_size) != self._written:
            self._written = size
            self._write(refresh=RELOADED_EVERY_SECONDS)
            end = time.monotonic()
            self._rested = end + (end - start) / SHARE_OF_TIME

    def close(self) -> None:
        """Say that the training was interrupted, if anything was written of it."""
        if self._written:
            self._write(refresh=0)

    def _write(self, *, refresh: int) -> None:
        """Write the page as it stands; one that reloads itself so often, in seconds, or with 0 not at all."""
        run = Run.open(self._folder)
        words, history = texts(self._language), run.history()
        page = rendered(
            "live.html",
            words,
            self._language,
            title=run.data.resolve().stem,
            facts=run_facts(run, history, words),
            told=words["live"].format(seconds=refresh) if refresh else words["interrupted"],
            curves=training_curves(history, run.epochs(), words) if history else "",
            settings=settings_text(run, self._language),
            refresh=refresh,
        )
        write_text(run.report_path, page)
