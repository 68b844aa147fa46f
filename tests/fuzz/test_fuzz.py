"""Whatever a file holds, reading it ends in a result or in a perpixel error."""

import pytest

from fuzz.cases import BYTES, SECONDS, SUBJECTS, in_fresh_process, run_cases

pytest.importorskip("resource", reason="this system sets no limits to a process")


def ends_well(cases, folder):
    """No case failed, each subject was met, and not everything was refused, which would show little."""
    outcome = in_fresh_process(run_cases, 0, cases, 0, folder)
    print(outcome)
    assert not outcome.failures, str(outcome)
    assert {name for name, *_ in SUBJECTS} < set(outcome.cases)
    assert sum(outcome.cases.values()) == cases
    assert all(outcome.refused[name] > 0 for name, *_ in SUBJECTS)
    assert sum(outcome.refused.values()) < 0.9 * sum(outcome.calls.values())
    assert outcome.slowest[0] < SECONDS


@pytest.mark.long
def test_damaged_files_are_read_or_refused(tmp_path):
    """So many that each subject is met; more of them are slow."""
    ends_well(600, tmp_path)


@pytest.mark.slow
def test_a_hundred_thousand_damaged_files_are_read_or_refused(tmp_path):
    ends_well(100_000, tmp_path)


@pytest.mark.parametrize(
    ("deed", "told"),
    [
        ("raise KeyError('x')", "KeyError: 'x'"),
        ("import os; os.kill(os.getpid(), 9)", "the process ended with -9"),
        (f"b = bytearray({BYTES} + 2**28)", "MemoryError"),
    ],
)
def test_what_goes_wrong_is_told_with_its_case(tmp_path, monkeypatch, deed, told):
    """The harness is able to fail."""
    monkeypatch.setattr("fuzz.cases.case_of", lambda number, *_: ("it", [lambda: exec(deed if number == 8 else "0")]))
    (tmp_path / "saved").mkdir()  # these cases damage nothing
    outcome = run_cases(7, 4, seed=0, folder=tmp_path)
    ((number, name, text),) = outcome.failures
    assert (number, name) == (8, "it")
    assert told in text
    assert outcome.cases["it"] == 4
