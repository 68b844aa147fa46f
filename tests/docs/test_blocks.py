"""Every fenced block of README and docs is run, in order, page by page, in a folder like the reader's.

```sh calls the command line in this process; `make` and `pip` are only looked up. What cannot be run says why in a
line above it: <!-- not run: reason -->. ```yaml goes to the file that its first line names, or is checked. ```python
is run.
"""

import glob
import re
import shlex
import shutil
import tomllib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

import generated
import stroke_tools
from perpixel import api
from perpixel.api import catalogue, demo_verb
from perpixel.cli import main
from perpixel.dataset.description import is_description, load_description
from perpixel.diagnosis.diagnosis_result import Diagnosis
from perpixel.settings.recipes import with_recipe
from perpixel.settings.text import settings_from_file
from perpixel.settings.tree import request_from

ROOT = Path(__file__).parents[2]
PAGES = sorted(page.relative_to(ROOT) for page in (*ROOT.glob("README*.md"), *(ROOT / "docs").rglob("*.md")))
FENCE = re.compile(r"(<!-- not run: [^\n]+ -->\n)?^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SMALL = {"steps": 2, "batch_size": 2, "crop_hw": [32, 32], "validation_passes": 1, "precision": "32"}


@dataclass(frozen=True)
class Block:
    language: str
    text: str
    is_run: bool

    def commands(self):
        """The words of each line, its comment left out and its globs spread."""
        for line in self.text.replace("\\\n", " ").splitlines():
            words = shlex.split(line, comments=True)
            if words:
                yield [name for word in words for name in sorted(glob.glob(word)) or [word]]


def blocks(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    found = [Block(language, body, not reason) for reason, language, body in FENCE.findall(text)]
    assert text.count("\n```") == 2 * len(found), "a fence is open, or says something unknown"
    return found


PAGES_WITH = {
    language: [page for page in PAGES if any(block.language == language for block in blocks(page))]
    for language in ("sh", "python", "yaml")
}


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_every_block_is_of_a_language_that_is_run_or_is_text(page):
    assert {block.language for block in blocks(page)} <= {"", "text", "sh", "python", "yaml"}


@pytest.mark.parametrize("page", PAGES_WITH["sh"], ids=str)
def test_every_command_is_one(page, monkeypatch):
    """Its options are known, its recipe exists, its settings are sound; nothing is run."""
    asked = []
    verbs = (
        "check",
        "convert",
        "plan",
        "find_lr",
        "train",
        "evaluate",
        "compare",
        "predict",
        "export",
        "push",
        "demo",
        "serve",
        "annotate",
        "next_images",
        "prune",
    )
    monkeypatch.setattr(api, "doctor", lambda **_: Diagnosis({}, ()))
    monkeypatch.setattr(catalogue, "models", lambda: "")
    for home, names in ((api, verbs), (catalogue, ("describe",))):
        for name in names:
            note = lambda *given, _name=name, **named: asked.append((_name, named)) or Answer()  # noqa: E731
            monkeypatch.setattr(home, name, note)
    for block in blocks(page):
        for words in block.commands() if block.language == "sh" else ():
            place = words.index("--config") if "--config" in words else len(words)  # blocks before write that file
            follow([*words[:place], *words[place + 2 :]])
    for name, named in asked:
        if name == "train":
            request_from(with_recipe(named["recipe"], named["settings"]) if named["recipe"] else named["settings"])


class Answer(list):
    """What the command line may print of any answer."""

    folder, is_usable = Path("run"), True
    path, findings, dataset, audit, splits, page = Path("data"), (), None, None, (), None
    suggested, verdict = None, ""

    def table(self):
        return ""

    def outcome(self):
        return 2, 0.5


def follow(words):
    """Run one line of a shell block."""
    program, *rest = words
    if program == "perpixel":
        assert main(rest) == 0, words
    elif program == "torchrun":
        follow(rest[rest.index("perpixel") :])
    elif program == "tensorboard":
        assert rest == ["--logdir", rest[-1]], words
    elif program == "pytest":
        assert all((ROOT / word).exists() for word in rest if word.startswith("tests")), words
    elif program == "make":
        targets = re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
        assert set(rest) <= set(targets), words
    elif program == "pip":
        assert rest[0] == "install", words
        for word in rest:
            if found := re.fullmatch(r"(\.[\w./]*)(?:\[(.*)\])?", word):
                project = tomllib.loads((ROOT / found[1] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
                named = set((found[2] or "").split(",")) - {""}
                assert named <= set(project["optional-dependencies"]), words
    else:
        pytest.fail(f"a page has a command that is not known here: {words}")


@pytest.mark.parametrize("page", PAGES_WITH["yaml"], ids=str)
def test_every_yaml_is_sound(page, tmp_path):
    for block in blocks(page):
        if block.language == "yaml":
            file = tmp_path / "sound.yaml"
            file.write_text(block.text, encoding="utf-8")
            load_description(file) if is_description(file) else request_from(settings_from_file(file))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.torch.jit.load. is deprecated:DeprecationWarning")  # LibTorch's users need it
@pytest.mark.parametrize("page", sorted({*PAGES_WITH["sh"], *PAGES_WITH["python"]}), ids=str)
def test_every_page_can_be_followed(page, reader, cells_run):
    if page.name in ("scale.md", "scale.zh.md", "export.md", "export.zh.md"):  # goes on where the quick start ends
        shutil.copytree(cells_run.folder, "runs/cells")
    if page.name.startswith("strokes"):
        shutil.rmtree("cells")
        for name, strokes in stroke_tools.images(Path("cells"), count=6):
            generated.save(Path("cells", "masks", f"{name}.png"), strokes)
    names = {"image": np.zeros((40, 50, 3), np.uint8)}
    for block in blocks(page):
        if block.language == "yaml" and (file := re.match(r"# (\S+\.yaml)\n", block.text)):
            Path(file[1]).write_text(block.text, encoding="utf-8")
        elif block.language == "python":
            exec(compile(block.text, str(page), "exec"), names)
        elif block.language == "sh" and block.is_run:
            for words in block.commands():
                follow(words)


@pytest.fixture
def reader(tmp_path, monkeypatch):
    """A folder with what a reader has, and trainings of two steps whatever minutes are asked for."""
    monkeypatch.chdir(tmp_path)
    for folder in ("cells", "dsb2018", "farmland"):
        generated.write_cells(tmp_path / folder, count=10)
    generated.write_cells(tmp_path / "isbi2012", count=10)
    shutil.copytree(tmp_path / "cells" / "images", tmp_path / "isbi2012" / "test")
    generated.write_land(tmp_path / "oxford_pets")
    for name in "ab":
        generated.save(tmp_path / "new" / f"{name}.png", np.zeros((40, 50, 3), np.uint8))
    train = api.train

    def briefly(data, out=None, *, settings=None, recipe=None, minutes=None, **named):
        tree = dict(settings or {})
        tree["train"] = {
            **{k: v for k, v in tree.get("train", {}).items() if k not in ("minutes", "epochs")},
            **SMALL,
        }
        return train(data, out, settings=tree, recipe=recipe, **named)

    for home in (api, demo_verb):
        monkeypatch.setattr(home, "train", briefly)
    monkeypatch.setattr("perpixel.train", briefly)
    monkeypatch.setattr(demo_verb, "DEMO_DRAWINGS", 12)
