"""Words of the command line that nobody means: an error with a way out, never a traceback."""

import os
import subprocess
import sys

import pytest

from generated import write_cells
from perpixel.cli import main
from perpixel.dataset import scan
from perpixel.errors import DataError, SettingsError
from perpixel.split import split

HUGE = "9" * 400


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["describe", "unet", "--size", "999999999x999999999"], "cannot be described: the height: 999999999"),
        (["describe", "unet", "--size", f"{HUGE}x3"], "cannot be described: the height: 9999999"),
        (["describe", "unet", "--classes", HUGE], "cannot be described: classes: 99999"),
        (["check", "x" * 5000], "xxx does not exist."),
    ],
)
def test_numbers_and_paths_that_nobody_has(words, told, capsys):
    assert main(words) == 1
    error = "".join(capsys.readouterr())  # what check finds is its answer
    assert told in error
    assert "Fix: " in error


def test_more_folds_than_images_are_refused(tmp_path):
    dataset = scan(write_cells(tmp_path / "data", count=4))
    with pytest.raises(DataError, match=r"4 labelled images cannot be divided into 10* folds.\nFix: .* at most 4"):
        split(dataset.samples, None, folds=10**300, fold=0)


def test_a_seed_below_zero_is_refused():
    from perpixel.prediction.ranking import rank_images

    with pytest.raises(SettingsError, match=r"a seed of -1 is below 0.\nFix: give a whole number"):
        rank_images(None, (), seed=-1)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (PermissionError(13, "Permission denied", "a.png"), "a.png cannot be used: Permission denied."),
        (MemoryError(), "the memory is not enough for this."),
        (OverflowError("int too large"), "a number is too large to compute with: int too large."),
        (ZeroDivisionError("a bug"), None),
    ],
)
def test_what_the_system_refuses_is_told_and_a_bug_is_none_of_it(monkeypatch, capsys, error, told):
    def failing(*_, **__):
        raise error

    monkeypatch.setattr("perpixel.api.check", failing)
    if told is None:
        with pytest.raises(type(error)):
            main(["check", "x"])
        return
    assert main(["check", "x"]) == 1
    assert capsys.readouterr().err.startswith(told)


@pytest.mark.skipif(os.name == "nt", reason="pipes of this system end otherwise")
def test_a_reader_that_has_enough_ends_the_output():
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-m", "perpixel", "recipes"]
    ended = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, check=False)
    os.close(writing)
    assert ended.stderr == b""
    assert ended.returncode == 1
