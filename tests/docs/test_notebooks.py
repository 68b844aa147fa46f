"""The notebooks of examples/: executed, in both languages, one for each of the five systems, and they run."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import perpixel
from perpixel.errors import SettingsError
from perpixel.settings.recipes import RECIPES

EXAMPLES = Path(__file__).parents[2] / "examples"
NOTEBOOKS = sorted(EXAMPLES.glob("*.ipynb"))


def cells(path, kind):
    """The text of the cells of a kind."""
    notebook = json.loads(path.read_text(encoding="utf-8"))
    return ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == kind]


def test_each_of_the_five_systems_has_its_notebook():
    written = "".join(text for path in NOTEBOOKS for text in cells(path, "code"))
    assert [name for name in RECIPES if f'recipe="{name}"' not in written] == []
    assert len(NOTEBOOKS) == 5


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_says_first_what_one_learns_and_is_executed(path):
    first = cells(path, "markdown")[0]
    assert "**What you learn.**" in first
    assert "**您将学到：**" in first
    notebook = json.loads(path.read_text(encoding="utf-8"))
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    assert [each for cell in code for each in cell["outputs"] if each["output_type"] == "error"] == []
    assert sum("text/html" in each.get("data", {}) for cell in code for each in cell["outputs"]) >= 3


@pytest.mark.long
def test_the_smallest_notebook_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {}
    smaller = {"STEPS = 10": "STEPS = 1", "count=16, side=96": "count=8, side=32", "[96, 96]": "[32, 32]"}
    for text in cells(EXAMPLES / "shapes.ipynb", "code"):
        small = text.replace('"validation_passes": 3', '"validation_passes": 1')
        for usual, less in smaller.items():
            small = small.replace(usual, less)
        if "evaluate" not in small:  # which the tests of evaluation do
            exec(compile(small, "shapes.ipynb", "exec"), names)
    assert names["STEPS"] == 1
    assert names["found"].mask.shape == (6, 32, 32)


def test_runs_that_are_no_list_are_refused_in_a_sentence():
    with pytest.raises(SettingsError, match=r"takes a list of runs\.\nFix: write compare\(\[first, second\]\)"):
        perpixel.compare("runs/a", "runs/b")


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_notebook_runs_in_jupyter(path, tmp_path):
    for each in (path, EXAMPLES / "run_notebooks.py"):
        shutil.copy(each, tmp_path)
    done = subprocess.run(
        [sys.executable, str(tmp_path / "run_notebooks.py"), path.stem],
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert f"{path.stem}: done" in done.stdout
