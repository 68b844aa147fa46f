"""Walk a folder once: its files by folder, and what stands in the way of reading them."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from perpixel.dataset.layout.names import FolderPlace, folder_place, natural, titles_of
from perpixel.errors import Problem
from perpixel.files.read import is_image
from perpixel.language.plain_text import is_plain

NOT_DATA: Final = frozenset(
    {"__MACOSX", "__pycache__", "node_modules", "$RECYCLE.BIN", "System Volume Information", "lost+found"}
    | {"@eaDir", "#recycle", "@Recycle", "@Recently-Snapshot", "#snapshot"}  # of network drives
)
SIDECARS: Final = frozenset(
    f".{ending}" for ending in ("ovr", "msk", "rrd", "db", "ini", "lnk", "url", "part", "crdownload", "tmp")
)
"""Endings of what programs put next to images: overviews, validity masks, thumbnails, unfinished downloads."""
RAW: Final = frozenset(f".{e}" for e in "nef cr2 cr3 crw arw dng orf pef raf rw2 sr2 srw".split())  # noqa: SIM905
"""Endings of undeveloped photographs; they begin like a TIFF, which holds a small preview."""
MOST_LOOKED_INTO: Final = 100
"""Files without an image's ending whose first bytes are looked at, in one folder."""


@dataclass(frozen=True)
class Folder:
    """One folder with files, sorted by name with numbers by their value."""

    path: Path
    place: FolderPlace
    images: tuple[Path, ...]
    others: tuple[Path, ...]


@dataclass(frozen=True)
class Tree:
    """All folders under a root that hold files, and what cannot be read."""

    root: Path
    folders: tuple[Folder, ...]
    problems: tuple[Problem, ...] = field(default=())


def walk(root: Path) -> Tree:
    """List what lies under `root`; hidden files and folders are passed over, links followed."""
    closed: list[str] = []
    broken: list[str] = []
    garbled: list[str] = []
    folders: list[Folder] = []
    seen: set[str] = set()
    for name, children, files in os.walk(
        root, onerror=lambda error: closed.append(str(error.filename)), followlinks=True
    ):
        folder = Path(name)
        if os.path.realpath(name) in seen:  # a link back, or a second one to the same folder
            children.clear()
            continue
        seen.add(os.path.realpath(name))
        children[:] = sorted((c for c in children if c not in NOT_DATA and not c.startswith(".")), key=natural)
        garbled += [repr(os.fsencode(folder / child))[1:] for child in children if not is_plain(child)]
        children[:] = filter(is_plain, children)
        paths = []
        for file in sorted((f for f in files if not f.startswith(".")), key=natural):
            if not is_plain(file):
                garbled.append(repr(os.fsencode(folder / file))[1:])
            elif os.path.isfile(os.path.join(name, file)):
                paths.append(folder / file)
            elif not os.path.exists(os.path.join(name, file)):
                broken.append(str(folder / file))
        if paths:
            folders.append(_folder(root, folder, paths))
    return Tree(root, _placed(root, folders), tuple(_problems(closed, broken, garbled)))


def _placed(root: Path, folders: Sequence[Folder]) -> tuple[Folder, ...]:
    """The folders where the name of the whole data set counts for nothing."""
    paths = {folder.path: folder.path.relative_to(root).parts for folder in folders}
    titles = titles_of([paths[folder.path] for folder in folders if folder.images])
    return tuple(replace(f, place=folder_place(paths[f.path], titles)) if titles else f for f in folders)


def _folder(root: Path, path: Path, files: list[Path]) -> Folder:
    place = folder_place(path.relative_to(root).parts)
    images: list[Path] = []
    others: list[Path] = []
    names = {file.name for file in files}
    for number, file in enumerate(files):
        ending = file.suffix.lower()
        if ending in SIDECARS or ending in RAW or _is_cellpose(file):
            continue
        is_known = bool(file.suffix) or number < MOST_LOOKED_INTO
        is_labels = f"{file.name}.labels" in names  # of Labkit, which writes their names there
        (images if is_known and not is_labels and is_image(file) else others).append(file)
    return Folder(path, place, tuple(images), tuple(others))


def _is_cellpose(file: Path) -> bool:
    """Whether NAME_seg.npy is a pickled dictionary of Cellpose's, which stands next to the masks that it saves."""
    if not file.name.endswith("_seg.npy"):
        return False
    try:
        with file.open("rb") as opened:
            return b"|O" in opened.read(128)
    except OSError:
        return False


def _problems(closed: list[str], broken: list[str], garbled: list[str]) -> list[Problem]:
    problems = []
    if closed:
        problems.append(
            Problem(
                f"{len(closed)} folder(s) may not be read: permission denied.",
                "change their permissions (chmod u+rx).",
                tuple(closed),
            )
        )
    if broken:
        problems.append(
            Problem(
                f"{len(broken)} link(s) [leads|lead] nowhere.",
                "restore the files they point to, or remove the links.",
                tuple(broken),
            )
        )
    if garbled:
        problems.append(
            Problem(
                f"{len(garbled)} file name(s) [is|are] not UTF-8, or [holds|hold] line breaks or other "
                "control characters.",
                "rename them (convmv -f latin1 -t utf8 --notest for old encodings).",
                tuple(garbled),
            )
        )
    return problems
