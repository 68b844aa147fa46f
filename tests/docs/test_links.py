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
LINK = re.compile(r"\]\((?!https?:)([^)#\s]+)(?:#[^)]*)?\)")


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_every_link_and_picture_is_there(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    lost = [target for target in LINK.findall(text) if not (ROOT / page).parent.joinpath(target).exists()]
    assert not lost


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
    spec = importlib.util.spec_from_file_location("settings_table", ROOT / "docs" / "settings_table.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    rows = {key: default for key, default, _ in module.rows_of(Settings)}
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
