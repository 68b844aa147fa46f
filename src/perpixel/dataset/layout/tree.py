"""Walk a folder once: its files by folder, and what stands in the way of reading them."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from perpixel.dataset.layout.names import Place, natural, place_of
from perpixel.errors import Problem
from perpixel.files.read import is_image

NOT_DATA: Final = frozenset({"__MACOSX", "__pycache__", "node_modules", "$RECYCLE.BIN", "System Volume Information"})
MOST_LOOKED_INTO: Final = 100
"""Files without an image's ending whose first bytes are looked at, in one folder."""


@dataclass(frozen=True)
class Folder:
    """One folder with files, sorted by name with numbers by their value."""

    path: Path
    place: Place
    images: tuple[Path, ...]
    others: tuple[Path, ...]


@dataclass(frozen=True)
class Tree:
    """All folders under a root that hold files, and what cannot be read."""

    root: Path
    folders: tuple[Folder, ...]
    problems: tuple[Problem, ...] = field(default=())


def walk(root: Path) -> Tree:
    """List what lies under `root`; hidden files and folders are passed over, links to files are followed."""
    closed: list[str] = []
    broken: list[str] = []
    garbled: list[str] = []
    folders: list[Folder] = []
    for name, children, files in os.walk(root, onerror=lambda error: closed.append(str(error.filename))):
        children[:] = sorted((c for c in children if c not in NOT_DATA and not c.startswith(".")), key=natural)
        folder = Path(name)
        paths = []
        for file in sorted((f for f in files if not f.startswith(".")), key=natural):
            if not _is_utf8(file):
                garbled.append(repr(os.fsencode(folder / file))[1:])
            elif not (folder / file).exists():
                broken.append(str(folder / file))
            elif (folder / file).is_file():
                paths.append(folder / file)
        if paths:
            folders.append(_folder(root, folder, paths))
    return Tree(root, tuple(folders), tuple(_problems(closed, broken, garbled)))


def _folder(root: Path, path: Path, files: list[Path]) -> Folder:
    place = place_of(path.relative_to(root).parts)
    images: list[Path] = []
    others: list[Path] = []
    for number, file in enumerate(files):
        is_known = bool(file.suffix) or number < MOST_LOOKED_INTO
        (images if is_known and is_image(file) else others).append(file)
    return Folder(path, place, tuple(images), tuple(others))


def _problems(closed: list[str], broken: list[str], garbled: list[str]) -> list[Problem]:
    problems = []
    if closed:
        problems.append(
            Problem(
                f"{len(closed)} folder(s) may not be read: permission denied.",
                "mend their permissions (chmod u+rx).",
                tuple(closed),
            )
        )
    if broken:
        problems.append(
            Problem(
                f"{len(broken)} link(s) lead nowhere.",
                "restore the files they point to, or remove the links.",
                tuple(broken),
            )
        )
    if garbled:
        problems.append(
            Problem(
                f"{len(garbled)} file name(s) are not UTF-8.",
                "rename them (convmv -f latin1 -t utf8 --notest).",
                tuple(garbled),
            )
        )
    return problems


def _is_utf8(name: str) -> bool:
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
