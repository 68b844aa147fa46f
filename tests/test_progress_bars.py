import io
import logging
import re
import sys

import pytest

from perpixel.cli import progress_bars as module
from perpixel.cli.progress_bars import bars
from perpixel.runtime.progress import shown_while


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


def test_a_word_stands_there_until_the_first_task(monkeypatch):
    written = Terminal()
    monkeypatch.setattr(sys, "stderr", written)
    monkeypatch.setattr(module, "WORD_AFTER_SECONDS", 0.0)
    with bars() as show:
        show._greeting.join()
        assert written.getvalue() == "starting …\r"
        show("reading", 1, 2)
        assert re.fullmatch(r"starting …\r +\r", written.getvalue())
    assert re.fullmatch(r"starting …\r +\r", written.getvalue())


@pytest.mark.parametrize(("stream", "told"), [(Terminal(), r"写报告 …\r +\r"), (io.StringIO(), r"写报告 …\n")])
def test_what_nobody_knows_the_length_of_is_named_at_once(monkeypatch, stream, told):
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setattr(module, "say", lambda words, **values: words.format(**values))
    monkeypatch.setattr(module, "SHOWN_AFTER_SECONDS", -1)
    with bars() as show, shown_while("写报告", show):
        assert stream.getvalue().startswith("写报告 …")
    assert re.fullmatch(told, stream.getvalue())


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


def test_a_file_gets_a_plain_line_now_and_then(monkeypatch):
    written = io.StringIO()
    monkeypatch.setattr(sys, "stderr", written)
    monkeypatch.setattr(module, "PLAIN_LINE_EVERY_SECONDS", 0)
    with bars() as show:
        show("training", 1, 4, "loss 0.5")
        module.Notices().emit(logging.makeLogRecord({"msg": "validation 1 of 2", "levelno": logging.INFO}))
    lines = written.getvalue().splitlines()
    assert lines[0].startswith("training: 25%, 0:00:0")
    assert lines[0].endswith("left  loss 0.5")
    assert lines[1] == "validation 1 of 2"


def test_the_time_left_is_seen_in_sixty_columns(monkeypatch):
    written = Terminal()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "60")
    monkeypatch.setattr(sys, "stderr", written)
    monkeypatch.setattr(module, "SHOWN_AFTER_SECONDS", -1)
    with bars() as show:
        show("training", 1, 4, "loss 0.5  IoU 0.712  1234 images/s and more than fits into the line")
        show("training", 2, 4, "loss 0.5  IoU 0.712  1234 images/s and more than fits into the line")
    assert re.search(r"\d:\d\d:\d\d|-:--:--", written.getvalue())
    assert "…" in written.getvalue()
