"""The pictures of the page on formats are those that the script draws, and each layout is understood as drawn."""

import re
import sys
from pathlib import Path

import numpy as np
import pytest

from folder_kinds import photo, save, shapes
from perpixel.dataset import scan

DOCS = Path(__file__).parents[2] / "docs"
sys.path.insert(0, str(DOCS))
import format_pictures  # noqa: E402

DRAWN_AS_MASKS = re.compile(r"(?:\.*[dimso] [^|:]+\|?)+")
PICTURED = {name: tree for name, tree in format_pictures.LAYOUTS.items() if DRAWN_AS_MASKS.fullmatch(tree)}


def test_the_pictures_are_those_of_the_script_and_stand_on_both_pages():
    drawn = dict(format_pictures.pictures())
    stored = [path for kind in ("encoding", "layout") for path in (DOCS / "images").glob(f"{kind}-*.svg")]
    assert {path.name: path.read_text(encoding="utf-8") for path in stored} == drawn
    for page in ("formats.md", "formats.zh.md"):
        text = (DOCS / page).read_text(encoding="utf-8")
        assert [name for name in drawn if f"images/{name})" not in text] == []


@pytest.mark.parametrize("name", PICTURED)
def test_a_layout_is_understood_as_drawn(tmp_path, name):
    images = _built(tmp_path, PICTURED[name])
    dataset = scan(tmp_path)
    assert {sample.image for sample in dataset.samples} == images
    assert {sample.image.name for sample in dataset.unlabelled} == ({"z.png"} if name == "unlabelled-test" else set())


def _built(root, tree):
    """Write what the picture shows; the labelled images."""
    images, path = set(), []
    numbers = np.arange(1, 36, dtype=np.uint8).reshape(5, 7).repeat(8, 0).repeat(8, 1)
    for line in tree.split("|"):
        depth = len(line) - len(line.lstrip("."))
        kind, name = line[depth:].split(" ", 1)
        path = [*path[:depth], name]
        file, target = root.joinpath(*path), shapes(ord(name[0]), 2)
        if kind == "i":
            save(file, photo(numbers if "o " in tree else target))
            images |= {file} if name != "z.png" else set()
        elif kind == "o":
            save(file, numbers)
        elif kind != "d":
            save(file, 255 * np.roll(target, 9 * (kind == "s"), 1))
    return images
