import io
import sys

import pytest

from perpixel.cli import progress_bars as module
from perpixel.cli.progress_bars import bars


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_nothing_is_shown_where_nobody_looks(monkeypatch):
    written = io.StringIO()
    monkeypatch.setattr(sys, "stderr", written)
    monkeypatch.setattr(module, "SHOWN_AFTER_SECONDS", -1)
    with bars() as show:
        show("training", 1, 2)
    assert written.getvalue() == ""


def test_short_work_shows_no_bar(monkeypatch):
    written = Terminal()
    monkeypatch.setattr(sys, "stderr", written)
    monkeypatch.setattr(module, "SHOWN_AFTER_SECONDS", 3600)
    with bars() as show:
        show("training", 1, 2)
    assert written.getvalue() == ""


def test_long_work_shows_what_is_done_and_a_note(monkeypatch):
    written = Terminal()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setattr(sys, "stderr", written)
    monkeypatch.setattr(module, "SHOWN_AFTER_SECONDS", -1)
    with bars() as show:
        show("training", 1, 4, "loss 0.5")
        show("training", 2, 4, "loss 0.4")
    assert "training" in written.getvalue()
    assert "50%" in written.getvalue()
    assert "loss 0.4" in written.getvalue()


def test_an_error_takes_the_bar_away_and_goes_on(monkeypatch):
    written = Terminal()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", written)
    monkeypatch.setattr(module, "SHOWN_AFTER_SECONDS", -1)

    def fail():
        with bars() as show:
            show("training", 1, 2)
            raise ValueError("halt")

    with pytest.raises(ValueError, match="halt"):
        fail()
    assert written.getvalue().endswith(
        ("\x1b[?25h", "\x1b[1A\x1b[2K", "\r\x1b[2K", "\x1b[2K")
    )  # cursor shown, line gone


def test_each_task_has_its_bar(monkeypatch):
    written = Terminal()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setattr(sys, "stderr", written)
    monkeypatch.setattr(module, "SHOWN_AFTER_SECONDS", -1)
    with bars() as show:
        show("measuring", 1, 2)
        show("training", 1, 4)
    assert "measuring" in written.getvalue()
    assert "training" in written.getvalue()
