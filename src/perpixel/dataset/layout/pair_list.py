"""A CSV file that lists which mask belongs to which image, with optional part and group."""

from collections.abc import Mapping
from os.path import isfile  # False, too, for a name that no file can have
from pathlib import Path
from typing import Final
from unicodedata import normalize

from perpixel.dataset.layout.claims import listed_twice
from perpixel.dataset.layout.folder_tree import Tree
from perpixel.dataset.layout.layouts import Layout, named_apart
from perpixel.dataset.layout.names import SUBSET_OF_WORD, stem, subset_named
from perpixel.dataset.layout.text_tables import read_table
from perpixel.dataset.sample import Sample, info
from perpixel.errors import DataError, Problem, did_you_mean

COLUMNS: Final[dict[str, tuple[str, ...]]] = {
    "image": (
        "image",
        "images",
        "img",
        "image_path",
        "img_path",
        "image_file",
        "image_name",
        "image_filename",
        "filename",
        "file",
    ),
    "mask": (
        "mask",
        "masks",
        "mask_path",
        "mask_file",
        "mask_filename",
        "label",
        "label_path",
        "label_name",
        "label_file",
        "seg",
        "seg_path",
        "segmentation",
        "mask_name",
        "annotation",
        "target",
    ),
    "split": ("split", "part", "set", "subset", "phase", "partition", "fold"),
    "group": ("group", "patient", "patient_id", "scene", "subject", "case", "site"),
}


TABLES: Final = frozenset({".csv", ".tsv", ".txt"})


def recognise_list(tree: Tree) -> Layout | None:
    """Recognise a CSV file in the root that has a column of images and one of masks."""
    for folder in tree.folders:
        if folder.path == tree.root:
            for path in folder.others:
                if path.suffix.lower() in TABLES and is_list(path) and not _is_of_subset(path):
                    return read_list(path)
    return None


def is_list(path: Path) -> bool:
    """Whether a file is a table with a column of images and one of masks."""
    try:
        return {"image", "mask"} <= set(columns_of(path))
    except DataError:  # a table of something else
        return False


def _is_of_subset(path: Path) -> bool:
    """Whether it is one of several lists: train.csv and val.csv."""
    return subset_named(path.stem) is not None and "split" not in columns_of(path)


def read_list(path: Path) -> Layout:
    """Read the list; its paths count from its folder, a row without a mask is an unlabelled image.

    Raises:
        DataError: It cannot be read, or lacks a column.
    """
    columns = columns_of(path)
    if missing := [name for name in ("image", "mask") if name not in columns]:
        raise DataError(
            f"{path} has no column {' and no column '.join(missing)}.",
            fix="name the columns in its first line: image,mask and, if wanted, split,group.",
        )
    _, rows = read_table(path)
    samples: list[Sample] = []
    lost: list[str] = []
    odd: list[str] = []
    for number, row in enumerate(rows, start=2):
        cell = {name: (row.get(column) or "").strip() for name, column in columns.items()}
        files = [_file(path.parent, cell[name]) for name in ("image", "mask") if cell[name]]
        lost += [f"line {number}: {file}" for file in files if not isfile(file)]
        part = SUBSET_OF_WORD.get(cell.get("split", "").lower())
        if cell.get("split") and part is None and not cell["split"].isdigit():  # a number of a fold is no split
            odd.append(f"line {number}: {cell['split']!r}, {did_you_mean(cell['split'], ('train', 'val', 'test'))}")
        if cell["image"] and all(map(isfile, files)):
            masks = tuple(files[1:])
            samples.append(
                Sample(stem(files[0].name), files[0], masks=masks, group=cell.get("group", ""), split=part)
            )
    problems = listed_twice([(s.image, next(iter(s.masks), None)) for s in samples], path.name)
    if lost:
        problems.append(
            Problem(
                f"{len(lost)} file(s) that {path} lists [does|do] not exist.",
                "correct the paths; they count from the list's folder.",
                tuple(lost),
            )
        )
    if odd:
        problems.append(
            Problem(
                f"{len(odd)} row(s) of {path} [names|name] an unknown part.", "write train, val or test.", tuple(odd)
            )
        )
    if not rows:
        problems.append(Problem(f"{path} lists no image.", "add a row for each image."))
    told = info(f"the pairs are those of {path.name}.", "remove or rename it to let perpixel find the pairs.")
    return Layout("values", named_apart(samples), (), (told,), tuple(problems))


def _file(folder: Path, name: str) -> Path:
    """The file of that name; one written on Windows separates folders by backslashes."""
    ways = (name, name.replace("\\", "/"))
    paths = [folder / normalize(form, way) for form in ("NFC", "NFD") for way in ways]  # macOS writes é as two
    return next((path for path in [folder / name, *paths] if isfile(path)), folder / name)


def columns_of(path: Path) -> Mapping[str, str]:
    """Our name of a column to the file's, for those that it has."""
    header, _ = read_table(path)
    low = {name.strip().lower(): name for name in header}
    return {
        ours: low[theirs] for ours, known in COLUMNS.items() if (theirs := next((k for k in known if k in low), None))
    }
