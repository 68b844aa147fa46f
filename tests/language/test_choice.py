"""Which language is spoken."""

import pytest

import perpixel
from perpixel.cli import main
from perpixel.cli.spoken import spoken_language
from perpixel.errors import SettingsError
from perpixel.language import current, language_of
from perpixel.settings.tree import request_from
from perpixel.store.run_folder import Run

CHINA = {"LANG": "zh_CN.UTF-8"}


@pytest.fixture
def chinese_run(tmp_path):
    (tmp_path / "settings.yaml").write_text("data: x\nsettings:\n  seed: 0\n  language: zh\n", encoding="utf-8")
    return str(tmp_path)


def test_the_system_decides_unless_somebody_asks():
    assert spoken_language(["check", "data"], CHINA) == "zh"
    assert spoken_language(["check", "data"], {"LANG": "de_DE.UTF-8"}) == "en"
    assert spoken_language(["check", "data", "--language", "en"], CHINA) == "en"
    assert spoken_language(["--language=zh", "check", "data"], {"LANG": "C"}) == "zh"


def test_a_run_keeps_its_language(chinese_run):
    assert spoken_language(["evaluate", chinese_run], {"LANG": "C"}) == "zh"
    assert spoken_language(["evaluate", chinese_run, "--language", "en"], {"LANG": "C"}) == "en"


def test_what_a_run_writes_is_what_is_looked_for(tmp_path):
    Run.create(tmp_path / "run", tmp_path, request_from({"language": "zh"}))
    assert spoken_language(["evaluate", str(tmp_path / "run")], {"LANG": "C"}) == "zh"
    Run.create(tmp_path / "other", tmp_path, request_from({}))
    assert spoken_language(["evaluate", str(tmp_path / "other")], CHINA) == "zh"


def test_a_damaged_run_decides_nothing(tmp_path):
    (tmp_path / "settings.yaml").write_bytes(b"\xff\xfe")
    assert spoken_language(["evaluate", str(tmp_path)], CHINA) == "zh"


def test_variables_go_by_their_order_and_windows_has_names_of_its_own(monkeypatch):
    assert language_of({"LC_ALL": "en_US", "LANG": "zh_CN"}) == "en"
    monkeypatch.setattr("locale.getlocale", lambda: ("Chinese (Simplified)_China", "936"))
    assert language_of({}) == "zh"


def test_python_speaks_the_language_of_the_system_unless_somebody_chose(monkeypatch):
    monkeypatch.setenv("LC_ALL", "zh_CN.UTF-8")
    with pytest.raises(SettingsError, match="没有语言 klingon") as raised:
        perpixel.use_language("klingon")
    assert raised.value._render_traceback_()[0].startswith("SettingsError: 没有语言 klingon")
    perpixel.use_language("en")
    try:
        assert str(raised.value).startswith("there is no language klingon")
        assert main(["check", "no-such-folder", "--language", "zh"]) == 1
        assert current() == "en"
    finally:
        perpixel.use_language(None)
    assert current() == "zh"


@pytest.mark.parametrize("language", ["fr", 5, True, ["en"]])
def test_what_is_no_language_is_refused(language):
    with pytest.raises(SettingsError, match=r"there is no language [\s\S]*Fix: choose one of en, zh"):
        perpixel.use_language(language)


def test_errors_help_and_wrong_usage_speak_the_language(capsys):
    assert main(["--language", "zh", "check", "no-such-folder"]) == 1
    assert "no-such-folder 不存在。" in capsys.readouterr().out
    assert main(["train", "no-such-folder", "--language", "zh", "--minutes", "1"]) == 1
    assert "修正：" in capsys.readouterr().err
    assert main(["train", "x", "--language=zh", "--epoch", "3"]) == 2
    assert "没有选项 --epoch" in capsys.readouterr().err
    assert main(["train", "--help", "--language", "zh"]) == 0
    said = capsys.readouterr().out
    assert "图像与掩膜所在的文件夹，或一个 dataset.yaml" in said
    assert "选项：" in said
    assert "显示此说明并退出" in said
    assert current() == "en"
