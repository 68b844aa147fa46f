"""What `perpixel doctor` finds, and what its text must not hold."""

import getpass
import json
import tempfile
from pathlib import Path

import pytest

import perpixel
from perpixel.cli import main
from perpixel.diagnosis import self_test
from perpixel.diagnosis.diagnosis_result import Diagnosis, diagnose


@pytest.mark.long
def test_everything_that_is_installed_works_here(capsys):
    assert main(["doctor", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [each["name"] for each in told["checks"]][:3] == [
        "train four steps",
        "resume from step 2",
        "predict with PyTorch",
    ]
    assert all(each["error"] is None for each in told["checks"])
    assert told["facts"].keys() >= {"perpixel", "Python", "processor", "precision", "threads", "extras", "weights",
                                    "memory", "disk"}  # fmt: skip


def test_the_text_names_no_path_and_no_user(monkeypatch):
    def fails(folder):
        raise FileNotFoundError(f"no {folder / 'data'} and no {Path.home() / 'secret'}")

    monkeypatch.setattr(self_test, "_train", fails)
    monkeypatch.setattr("perpixel.diagnosis.diagnosis_result.checks", lambda folder: {"it": lambda: fails(folder)})
    answer = diagnose()
    text = str(answer)
    for hidden in (tempfile.gettempdir(), str(Path.home()), str(Path.cwd())):
        assert hidden not in text
    assert f"/{getpass.getuser()}/" not in text
    assert "it: fails: FileNotFoundError: no …/data and no ~/secret" in text
    assert not answer.is_well
    assert answer.headline == "0 of 1 self-tests work"


def test_what_fails_is_told_in_the_exit_code(monkeypatch, capsys):
    def broken(**_):
        return Diagnosis({"perpixel": "1"}, (perpixel.diagnosis.SelfCheck("train four steps", 0.1, "KeyError: x"),))

    monkeypatch.setattr("perpixel.diagnosis.diagnose", broken)
    assert main(["doctor"]) == 1
    assert "train four steps: fails: KeyError: x" in capsys.readouterr().out


def test_it_speaks_chinese(capsys):
    assert main(["doctor", "--no-self-test", "--language", "zh"]) == 0
    said = capsys.readouterr().out
    assert "处理器：" in said
    assert "线程：" in said


def test_a_resume_that_ends_otherwise_is_found(tmp_path, monkeypatch):
    listed = self_test.checks(tmp_path)
    listed["train four steps"]()

    def other(folder, asked):
        (folder / "checkpoints" / "last.safetensors").write_bytes(b"x")

    monkeypatch.setattr(self_test, "resume_run", other)
    try:
        listed["resume from step 2"]()
    except AssertionError as error:
        assert "other weights" in self_test.told(error, tmp_path)  # noqa: PT017
    else:
        raise AssertionError("nothing was found")
