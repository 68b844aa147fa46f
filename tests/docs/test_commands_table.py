"""The reference of the command line is made from the code, in both languages."""

import importlib.util
from pathlib import Path

import pytest
import typer

from perpixel.cli import app

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def module():
    spec = importlib.util.spec_from_file_location("commands_table", ROOT / "docs" / "commands_table.py")
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


@pytest.mark.parametrize(("language", "word"), [("en", "number of cross-validation folds"), ("zh", "交叉验证的折数")])
def test_every_command_and_option_is_there(module, language, word):
    text = module.reference(language)
    assert word in text
    for name, command in typer.main.get_command(app).commands.items():
        assert f"## perpixel {name}\n" in text
        assert all(flag in text for each in command.params for flag in each.opts if flag.startswith("--"))


def test_the_page_says_where_it_goes():
    for page in ("commands.md", "commands.zh.md"):
        assert "<!-- all commands -->" in (ROOT / "docs" / page).read_text(encoding="utf-8")
