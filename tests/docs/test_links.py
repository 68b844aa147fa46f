"""What the documentation points to exists, and what the code decides is told there."""

import importlib.util
import re
from pathlib import Path

import pytest
import yaml

from perpixel.planning.rules import RULES
from perpixel.settings.presets import PRESETS
from perpixel.settings.recipes import RECIPES
from perpixel.settings.tree import AugmentSettings, Settings

ROOT = Path(__file__).parents[2]
PAGES = sorted(page.relative_to(ROOT) for page in (*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")))
ENGLISH_ONLY = {"CHANGELOG.md", "SECURITY.md"}
FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ONLY_HERE = re.compile(r" *# .*$| +--language zh", re.MULTILINE)
LINK = re.compile(r"\]\((?!https?:)([^)#\s]+)(?:#[^)]*)?\)")


def module_of(name):
    """A script of docs/, which is no package."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "docs" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def has_chinese(page):
    """Whether the page has another beside it in Chinese, or needs none."""
    return page.name in ENGLISH_ONLY or page.with_suffix(".zh.md") in PAGES


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_every_link_and_picture_is_there(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    lost = [target for target in LINK.findall(text) if not (ROOT / page).parent.joinpath(target).exists()]
    assert not lost


@pytest.mark.parametrize("page", [each for each in PAGES if each.with_suffix(".zh.md") in PAGES], ids=str)
def test_the_chinese_page_has_the_chapters_tables_and_code_of_the_english_one(page):
    english, chinese = ((ROOT / each).read_text(encoding="utf-8") for each in (page, page.with_suffix(".zh.md")))
    assert [shape(each) for each in (english, chinese)] == [shape(english)] * 2


def shape(text):
    """Levels of the headings, rows of the tables, and all code without comments and languages."""
    outside = FENCED.sub("", text)
    code = [ONLY_HERE.sub("", body) for kind, body in FENCED.findall(text) if kind in ("sh", "python", "yaml")]
    return re.findall(r"^##+ ", outside, re.MULTILINE), len(re.findall(r"^\|", outside, re.MULTILINE)), code


def test_every_page_is_there_in_chinese():
    assert [str(page) for page in PAGES if ".zh" not in page.suffixes and not has_chinese(page)] == []


def test_lines_of_a_chinese_paragraph_are_joined_and_code_is_not():
    joined = module_of("chinese_lines").joined
    assert joined("划分之前，\n`a` 和\n缩放。\n\n- 一\n- 二\n") == "划分之前，`a` 和缩放。\n\n- 一\n- 二\n"
    assert joined("```text\n甲\n乙\n```\n丙\n丁") == "```text\n甲\n乙\n```\n丙丁"


def test_a_mark_stays_beside_the_code_that_it_follows():
    held = module_of("marks_beside_code").held
    assert held("（<code>log/</code>）。它") == '<span class="held">（<code>log/</code>）。</span>它'
    assert held("<code>a</code> or <code>b</code>.") == '<code>a</code> or <span class="held"><code>b</code>.</span>'
    assert held("<pre><code>a</code></pre>.") == "<pre><code>a</code></pre>."


def test_the_settings_say_in_chinese_what_they_are():
    assert "| `train.ema` | `0.0` | 权重滑动平均" in module_of("settings_table").table("zh")


def test_no_picture_is_left_over():
    text = "".join((ROOT / page).read_text(encoding="utf-8") for page in PAGES)
    assert [path.name for path in (ROOT / "docs" / "images").iterdir() if path.name not in text] == []


def test_every_rule_of_the_plan_is_told():
    text = (ROOT / "docs" / "decisions.md").read_text(encoding="utf-8")
    assert [key for key in RULES if f"`{key}`" not in text] == []


def test_every_recipe_has_its_walk():
    walks = "".join(page.read_text(encoding="utf-8") for page in (ROOT / "docs" / "walks").glob("*.md"))
    assert [name for name in RECIPES if f"--recipe {name}" not in walks] == []


def test_every_file_of_measurements_that_is_named_exists():
    text = "".join((ROOT / page).read_text(encoding="utf-8") for page in PAGES)
    assert [name for name in re.findall(r"benchmarks/\w+\.(?:md|py)", text) if not (ROOT / name).exists()] == []


def test_the_table_of_settings_has_all_of_them_with_their_defaults():
    rows = {key: default for key, default, _ in module_of("settings_table").rows_of(Settings)}
    assert rows["train.learning_rate"] == str(Settings.model_fields["train"].annotation().learning_rate)
    assert (rows["seed"], rows["model.encoder"], rows["augment.quarter_turns"]) == ("0", "auto", "true")
    sections = {name for name, field in Settings.model_fields.items() if hasattr(field.annotation, "model_fields")}
    within = {f"{name}.{key}" for name in sections for key in Settings.model_fields[name].annotation.model_fields}
    assert rows.keys() == within | (Settings.model_fields.keys() - sections)


def test_the_table_of_presets_is_that_of_the_code():
    lines = (ROOT / "docs" / "training.md").read_text("utf-8").splitlines()
    rows = [line.split("|")[1:-1] for line in lines if line.startswith("|")]
    head = next(row for row in rows if "`augment.`" in row[0])
    names = [cell.strip(" `") for cell in head[2:]]
    cells = {key[1]: row for row in rows if len(row) == len(head) and (key := re.match(r" `(\w+)`", row[0]))}
    for column, name in enumerate(names, start=2):
        assert {key: yaml.safe_load(row[column]) for key, row in cells.items()} == PRESETS[name]
    for key in PRESETS["aerial"].keys() - {"vertical_flip", "quarter_turns"}:
        assert yaml.safe_load(cells[key][1]) == AugmentSettings.model_fields[key].default
