"""What to predict: files, folders, globs and lists, as a list of image files."""

import glob
from collections.abc import Sequence
from pathlib import Path

from perpixel.errors import DataError, Problem
from perpixel.files.ome_zarr import is_zarr
from perpixel.files.read import is_image
from perpixel.language.plain_text import is_plain


def expanded(inputs: Sequence[str]) -> list[Path]:
    """List the image files that are meant, each once, in the order given; within a folder or glob by name.

    Args:
        inputs: Files, folders (their images, not those of folders within) or globs (** goes into folders). The folder
            of a Zarr image is an image.

    Raises:
        DataError: An input stands for no image.
    """
    paths: dict[Path, None] = {}
    problems = []
    for each in inputs:
        try:
            found = _meant(each)
        except (OSError, ValueError) as error:  # no permission, too long a name, a byte that no name holds
            problems.append(Problem(f"{each} cannot be read: {error}.", fix="correct its name or its permissions."))
            continue
        if odd := tuple(str(path) for path in found if not is_plain(str(path))):
            what = (
                f"{len(odd)} file name(s) [is|are] not UTF-8, or [holds|hold] line breaks or other control "
                "characters."
            )
            problems.append(Problem(what, "rename them; the outputs would be called the same.", odd))
        if not found:
            what = "holds no image" if Path(each).is_dir() else "does not exist"
            problems.append(Problem(f"{each} {what}.", fix="give image files, folders with images, or globs."))
        paths |= dict.fromkeys(found)
    if problems:
        raise DataError.of(problems)
    return list(paths)


def _meant(given: str) -> list[Path]:
    path = Path(given)
    if is_zarr(path):
        return [path]
    if path.is_dir():
        return sorted(each for each in path.iterdir() if is_zarr(each) or (each.is_file() and is_image(each)))
    if path.exists():
        return [path]
    found = map(Path, glob.glob(given, recursive=True))
    return sorted(each for each in found if each.is_file() or is_zarr(each))
