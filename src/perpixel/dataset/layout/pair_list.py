"""A CSV file that lists which mask belongs to which image, with optional part and group."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from perpixel.dataset.layout.folder_tree import Tree
from perpixel.dataset.layout.layouts import Layout, named_apart
from perpixel.dataset.layout.names import PARTS, stem
from perpixel.dataset.sample import Sample, info
from perpixel.errors import DataError, Problem, did_you_mean

COLUMNS: Final[dict[str, tuple[str, ...]]] = {
    "image": ("image", "images", "img", "image_path", "image_file", "image_filename", "filename", "file"),
    "mask": (
        "mask",
        "masks",
        "mask_path",
        "mask_file",
        "mask_filename",
        "label",
        "label_path",
        "annotation",
        "target",
    ),
    "split": ("split", "part", "set", "subset", "fold"),
    "group": ("group", "patient", "patient_id", "scene", "subject", "case", "site"),
}


def recognise_list(tree: Tree) -> Layout | None:
    """Recognise a CSV file in the root that has a column of images and one of masks."""
    for folder in tree.folders:
        if folder.path == tree.root:
            for path in folder.others:
                if path.suffix.lower() == ".csv" and _is_list(path):
                    return read_list(path)
    return None


def _is_list(path: Path) -> bool:
    try:
        return {"image", "mask"} <= set(_columns(path))
    except DataError:  # a table of something else
        return False


def read_list(path: Path) -> Layout:
    """Read the list; its paths count from its folder, a row without a mask is an unlabelled image.

    Raises:
        DataError: It cannot be read, or lacks a column.
    """
    columns = _columns(path)
    if missing := [name for name in ("image", "mask") if name not in columns]:
        raise DataError(
            f"{path} has no column {' and no column '.join(missing)}.",
            fix="name the columns in its first line: image,mask and, if wanted, split,group.",
        )
    rows = list(csv.DictReader(path.read_text(encoding="utf-8-sig").splitlines()))
    samples: list[Sample] = []
    lost: list[str] = []
    odd: list[str] = []
    for number, row in enumerate(rows, start=2):
        cell = {name: (row.get(column) or "").strip() for name, column in columns.items()}
        files = [_file(path.parent, cell[name]) for name in ("image", "mask") if cell[name]]
        lost += [f"line {number}: {file}" for file in files if not file.is_file()]
        part = PARTS.get(cell.get("split", "").lower())
        if cell.get("split") and part is None and not cell["split"].isdigit():  # a number of a fold is no split
            odd.append(f"line {number}: {cell['split']!r}, {did_you_mean(cell['split'], ('train', 'val', 'test'))}")
        if cell["image"] and all(file.is_file() for file in files):
            masks = tuple(files[1:])
            samples.append(
                Sample(stem(files[0].name), files[0], masks=masks, group=cell.get("group", ""), split=part)
            )
    problems = []
    if lost:
        problems.append(
            Problem(
                f"{len(lost)} file(s) that {path} lists do not exist.",
                "correct the paths; they count from the list's folder.",
                tuple(lost),
            )
        )
    if odd:
        problems.append(
            Problem(f"{len(odd)} row(s) of {path} name an unknown part.", "write train, val or test.", tuple(odd))
        )
    if not rows:
        problems.append(Problem(f"{path} lists no image.", "add a row for each image."))
    told = info(f"the pairs are those of {path.name}.", "remove or rename it to let perpixel find the pairs.")
    return Layout("values", named_apart(samples), (), (told,), tuple(problems))


def _file(folder: Path, name: str) -> Path:
    """The file of that name; one written on Windows separates folders by backslashes."""
    path = folder / name
    return folder / name.replace("\\", "/") if "\\" in name and not path.is_file() else path


def _columns(path: Path) -> Mapping[str, str]:
    """Our name of a column to the file's, for those that it has."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            header: Sequence[str] = next(csv.reader(file), [])
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(
            f"{path} cannot be read as CSV: {error}.", fix="save it as UTF-8 text with commas."
        ) from error
    low = {name.strip().lower(): name for name in header}
    return {
        ours: low[theirs] for ours, known in COLUMNS.items() if (theirs := next((k for k in known if k in low), None))
    }
