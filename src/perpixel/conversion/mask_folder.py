"""Images and class-index masks, with tables that say what is what.

images/         the labelled images, linked or copied          unlabelled/   the others
masks/          class indices: 8 bits with 255 ignored, 16 bits with 65535 ignored from 255 classes on;
                multilabel: a TIFF with a page a class of 0, 1 and 255
classes.csv     index, name, value (in these masks), colour, original (the value in the masks that were read)
manifest.csv    where each image comes from: its path from the data's folder, its page, its split and its group
pairs.csv       which file belongs to which, read back by way of dataset.yaml
"""

import csv
import io
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from perpixel.conversion.image_files import place_image
from perpixel.dataset import Dataset, Sample
from perpixel.dataset.description import FILE_NAME, save_description, spelled
from perpixel.dataset.layout.inventory import CountProgress, gathered
from perpixel.dataset.masks.classes import Reading
from perpixel.dataset.overrides import Overrides
from perpixel.errors import DataError
from perpixel.files.atomic import write_text
from perpixel.files.tiff_writer import TiffLayout, write_tiff
from perpixel.files.write import write_png
from perpixel.labels.labels import Labels
from perpixel.shapes import IGNORED, MAX_CLASSES, AnyArray, TargetArray

MARK: Final = "classes.csv"
"""The file by which a conversion is known."""
PAIRS: Final = "pairs.csv"
BOX: Final = ("top", "left", "height", "width")
IGNORED_16_BIT: Final = 65535


def write_mask_folder(dataset: Dataset, folder: Path, final: Path, progress: CountProgress | None = None) -> None:
    """Write the data set into `folder`, which will lie at `final`.

    Raises:
        DataError: An image or a mask cannot be read.
        OutputError: A file cannot be written.
    """

    def place(sample: Sample) -> tuple[str, str]:
        kind = "images" if sample.is_labelled else "unlabelled"
        image = f"{kind}/{place_image(sample, folder / kind, final / kind)}"
        return image, _write_mask(dataset, sample, folder) if sample.is_labelled else ""

    samples = [*dataset.samples, *dataset.unlabelled]
    results, problems = gathered(lambda index: place(samples[index]), range(len(samples)), progress)
    if problems:
        raise DataError.of(problems)
    placed = [(sample, *results[index]) for index, sample in enumerate(samples)]
    pairs = [(image, mask, sample.split or "", sample.group) for sample, image, mask in placed]
    write_table(folder / PAIRS, ("image", "mask", "split", "group"), pairs)
    manifest = [_origin(dataset.root, sample, mask) for sample, _, mask in placed if mask]
    write_table(folder / "manifest.csv", ("image", "page", *BOX, "mask", "split", "group"), manifest)
    write_classes(folder / MARK, dataset.labels)
    labels = as_indices(dataset.labels)
    reading: Reading = "pages" if labels.is_multilabel else "values"
    stated = Overrides(pairs=folder / PAIRS, mask_orientation="shown", duplicates=dataset.overrides.duplicates)
    save_description(folder / FILE_NAME, folder, labels, reading, stated)


def as_indices(labels: Labels) -> Labels:
    """The same classes, written as their indices (multiclass), or as 1 in a page of their own (multilabel)."""
    count = len(labels)
    ignored = (IGNORED if labels.is_multilabel else ignored_value(count),)
    if not labels.is_multilabel:
        return Labels("multiclass", labels.names, tuple(range(count)), labels.colours, ignored)
    return Labels("multilabel", labels.names, (1,) * count, labels.colours, ignored, "files")


def ignored_value(count: int) -> int:
    """What stands for no label in masks of that many classes."""
    return IGNORED if count < MAX_CLASSES else IGNORED_16_BIT


def index_mask(target: TargetArray, count: int) -> AnyArray:
    """An (H, W) target of `count` classes as it is written."""
    if count < MAX_CLASSES:
        return target
    wide: AnyArray = np.where(target == IGNORED, IGNORED_16_BIT, target.astype(np.uint16))
    return wide


def write_classes(path: Path, labels: Labels) -> None:
    """Write the table of the classes. Raises OutputError."""
    values = as_indices(labels).values
    rows = [
        (k, name, values[k], spelled(colour), spelled(value))
        for k, (name, colour, value) in enumerate(zip(labels.names, labels.colours, labels.values, strict=True))
    ]
    write_table(path, ("index", "name", "value", "colour", "original"), rows)


def write_table(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Write a CSV file. Raises OutputError."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    write_text(path, text.getvalue())


def _write_mask(dataset: Dataset, sample: Sample, folder: Path) -> str:
    target = dataset.target(sample)
    if target.ndim == 2:
        name = f"masks/{sample.name}.png"
        write_png(folder / name, index_mask(target, len(dataset.labels)))
        return name
    name = f"masks/{sample.name}.tif"
    count, height, width = target.shape
    write_tiff(folder / name, list(target), TiffLayout(height, width, 1, target.dtype, pages=count))
    return name


def _origin(root: Path, sample: Sample, mask: str) -> tuple[Any, ...]:
    try:
        image = sample.image.relative_to(root).as_posix()
    except ValueError:  # a list may name files elsewhere
        image = sample.image.as_posix()
    box = sample.box or ("",) * len(BOX)
    return (image, sample.page, *box, mask, sample.split or "", sample.group)
