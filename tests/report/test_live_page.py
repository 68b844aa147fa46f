"""The page of a training that still runs."""

import shutil

import pytest

from perpixel.report import LivePage


@pytest.fixture
def running(cells_run, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(cells_run.folder, folder)
    (folder / "report.html").unlink(missing_ok=True)
    return folder


@pytest.mark.usefixtures("curves")
def test_a_validation_writes_a_page_that_reloads_itself(running):
    calls = []
    page = LivePage(running, "en", lambda *values: calls.append(values))
    page("measuring the data", 1, 2)
    assert not (running / "report.html").exists()
    page("training", 0.5, 1, "loss 0.1")
    text = (running / "report.html").read_text(encoding="utf-8")
    assert '<meta http-equiv="refresh" content="10">' in text
    assert "Training is running" in text
    assert "<svg" in text
    assert calls == [("measuring the data", 1, 2, ""), ("training", 0.5, 1, "loss 0.1")]


def test_nothing_new_writes_nothing(running):
    page = LivePage(running, "en", lambda *values: None)
    page("training", 0.5, 1)
    (running / "report.html").unlink()
    page("training", 0.6, 1)
    assert not (running / "report.html").exists()


def test_an_interrupted_training_reloads_no_more(running):
    page = LivePage(running, "zh", lambda *values: None)
    page("training", 0.5, 1)
    page.close()
    text = (running / "report.html").read_text(encoding="utf-8")
    assert "http-equiv" not in text
    assert "训练被中断" in text


def test_writing_takes_a_small_share_of_the_time(running, monkeypatch):
    clock = iter([0, 10, 509, 511, 512])  # it took 10 s, so none before 510 s: 2 %
    monkeypatch.setattr("perpixel.report.live_page.time.monotonic", lambda: next(clock))
    page, written = LivePage(running, "en", lambda *values: None), []
    for _ in range(3):
        page("training", 0.5, 1)
        written.append((running / "report.html").exists())
        (running / "report.html").unlink(missing_ok=True)
        with (running / "history.csv").open("a", encoding="utf-8") as history:
            history.write((running / "history.csv").read_text(encoding="utf-8").splitlines()[-1] + "\n")
    assert written == [True, False, True]
