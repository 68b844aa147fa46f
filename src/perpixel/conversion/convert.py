"""One folder in, one plain folder out: written next to its place and renamed when it is whole."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from perpixel.conversion.mask_folder import MARK, write_mask_folder
from perpixel.conversion.outline_folders import write_coco_folder, write_geojson_folder, write_yolo_folder
from perpixel.dataset import Dataset
from perpixel.dataset.layout.inventory import CountProgress
from perpixel.errors import OutputError
from perpixel.files.atomic_folder import folder_beside, give_name
from perpixel.language import counted, say
from perpixel.results import Result
from perpixel.runtime.choices import ConvertedTo
from perpixel.runtime.json_values import JsonObject

FORMATS: Final[dict[ConvertedTo, Callable[[Dataset, Path, Path, CountProgress | None], None]]] = {
    "masks": write_mask_folder,
    "coco": write_coco_folder,
    "yolo": write_yolo_folder,
    "geojson": write_geojson_folder,
}
"""Each writes a data set into a new folder that will be renamed: (dataset, folder, its name in the end, progress)."""


@dataclass(frozen=True, repr=False)
class Converted(Result):
    """A data set in another form, as it was written.

    Args:
        folder: Where it lies.
        labelled: Number of labelled images.
        unlabelled: Number of the others.
    """

    folder: Path
    labelled: int
    unlabelled: int

    @property
    def headline(self) -> str:
        """What was written, and where."""
        images = [counted(self.labelled, "labelled image")]
        if self.unlabelled:
            images.append(counted(self.unlabelled, "unlabelled image"))
        return say("{images} converted: {folder}", images=say(" and ").join(images), folder=self.folder)

    def to_dict(self) -> JsonObject:
        """Folder and numbers of images."""
        numbers = {"labelled": self.labelled, "unlabelled": self.unlabelled}
        return {"schema": 1, "folder": str(self.folder), **numbers}


def write_conversion(
    dataset: Dataset,
    out: Path,
    to: ConvertedTo = "masks",
    *,
    overwrite: bool = False,
    progress: CountProgress | None = None,
) -> Converted:
    """Write a data set in another form.

    Args:
        dataset: As `scan` understood it; rasters whole.
        out: The new folder.
        to: A key of FORMATS.
        overwrite: Replace an earlier conversion in `out`.
        progress: Called with (done, total) images.

    Raises:
        OutputError: `out` holds something, or lies in the data, or cannot be written.
        DataError: An image or a mask cannot be read.
    """
    refuse_occupied_conversion(dataset.root, out, overwrite=overwrite)
    with folder_beside(out) as folder:
        FORMATS[to](dataset, folder, out, progress)
        give_name(folder, out)
    return Converted(out, len(dataset.samples), len(dataset.unlabelled))


def refuse_occupied_conversion(root: Path, out: Path, *, overwrite: bool) -> None:
    """Raise OutputError unless a conversion of `root` may be written to `out`: it is new, empty, or replaceable."""
    if out.resolve().is_relative_to(root.resolve()) or root.resolve().is_relative_to(out.resolve()):
        raise OutputError(
            f"{out} and the data in {root} lie in each other: the next look at the data would find the copies.",
            fix="choose a folder next to the data.",
        )
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    if not (out / MARK).is_file():
        raise OutputError(f"{out} exists and holds no conversion.", fix="choose a new or empty folder.")
    if not overwrite:
        raise OutputError(f"{out} already holds a conversion.", fix="choose another folder, or ask to overwrite it.")
