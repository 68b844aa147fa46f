"""A folder is the old one or the new one, whenever somebody looks."""

import sys
from pathlib import Path

import pytest

from perpixel.errors import OutputError
from perpixel.files import atomic_folder
from perpixel.files.atomic_folder import folder_beside, give_name


@pytest.fixture
def old(tmp_path):
    path = tmp_path / "out"
    path.mkdir()
    (path / "a.txt").write_text("old", encoding="utf-8")
    return path


def replaced(path):
    with folder_beside(path) as folder:
        (folder / "sub").mkdir()
        (folder / "sub" / "b.txt").write_text("new", encoding="utf-8")
        give_name(folder, path)


def contents(folder):
    return {path.name: path.read_text(encoding="utf-8") for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("at_once", [True, False])
def test_the_new_folder_takes_the_place_of_the_old_and_nothing_else_is_left(old, monkeypatch, at_once):
    if not at_once:
        monkeypatch.setattr(atomic_folder, "_swapped", lambda *_: False)
    replaced(old)
    assert contents(old.parent) == {"b.txt": "new"}
    assert [path.name for path in old.parent.iterdir()] == ["out"]


@pytest.mark.skipif(sys.platform not in ("linux", "darwin"), reason="this system swaps no names")
def test_the_names_are_swapped_at_once(old, monkeypatch):
    """A kill between two renamings would leave nothing of that name."""

    def renamed(*_):
        raise AssertionError("it is renamed in two steps")

    monkeypatch.setattr(Path, "rename", renamed)
    replaced(old)
    assert contents(old) == {"b.txt": "new"}


def test_the_old_folder_comes_back_where_the_new_one_cannot_be_renamed(old, monkeypatch):
    monkeypatch.setattr(atomic_folder, "_swapped", lambda *_: False)
    rename = Path.rename

    def failing(path, target):
        if target == old and "former" not in path.name:
            raise OSError(28, "No space left on device")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", failing)
    with pytest.raises(OutputError, match=r"cannot write .*out: No space left on device"):
        replaced(old)
    assert contents(old) == {"a.txt": "old"}
    assert [path.name for path in old.parent.iterdir()] == ["out"]


def test_a_folder_that_did_not_become_whole_is_removed(old):
    with pytest.raises(KeyError), folder_beside(old):
        raise KeyError
    assert contents(old) == {"a.txt": "old"}
    assert [path.name for path in old.parent.iterdir()] == ["out"]
