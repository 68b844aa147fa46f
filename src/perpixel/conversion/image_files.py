"""Put an image into another folder: linked where that keeps its meaning, else copied or written again."""

import os
import shutil
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image

from perpixel.dataset.sample import Sample
from perpixel.files.atomic import cannot_write
from perpixel.files.read import read_header, read_image
from perpixel.files.tiff_writer import TiffLayout, write_tiff

PNG_CHANNELS: Final = (1, 3, 4)


def place_image(sample: Sample, folder: Path, final: Path) -> str:
    """Put the image of a sample into `folder`, under its name.

    A page of a stack, or a photograph that its EXIF tag turns, is written again as it is read, without loss. Any
    other file is linked, or copied where links are not possible.

    Args:
        sample: Whole, not a block of a raster.
        folder: Where to put it now.
        final: Where the folder will lie in the end, from which links count.

    Returns:
        The name of the file.

    Raises:
        DataError: The image cannot be read.
        OutputError: It cannot be written.
    """
    header = read_header(sample.image)
    if sample.image.is_dir() or header.pages > 1 or header.orientation != 1:
        return _written(sample, folder)
    name = sample.name + sample.image.suffix
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _link(sample.image.resolve(), folder / name, final.resolve())
    except OSError as error:
        raise cannot_write(folder / name, error) from error
    return name


def _link(source: Path, link: Path, seen_from: Path) -> None:
    try:
        link.symlink_to(os.path.relpath(source, seen_from))
    except (OSError, ValueError, NotImplementedError):  # no right to, no such thing here, or another drive
        shutil.copyfile(source, link)


def _written(sample: Sample, folder: Path) -> str:
    pixels = read_image(sample.image, sample.page)
    if pixels.dtype == np.uint8 and pixels.shape[2] in PNG_CHANNELS:
        path = folder / f"{sample.name}.png"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels).save(path)
        except OSError as error:
            raise cannot_write(path, error) from error
        return path.name
    path = folder / f"{sample.name}.tif"
    write_tiff(path, [pixels], TiffLayout.of(pixels))
    return path.name
