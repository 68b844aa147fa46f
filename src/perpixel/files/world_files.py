"""World files next to images (a.tfw, a.pgw, a.jpgw, a.wld): where pixels lie; a .prj may name the system."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from perpixel.errors import DataError
from perpixel.files.open_image import GeoReference
from perpixel.files.whole_file import text_of

ENDINGS: Final = frozenset(
    f".{ending}" for ending in ("tfw", "tifw", "tiffw", "pgw", "pngw", "jgw", "jpgw", "jpegw", "bpw", "bmpw", "wld")
)
OF_PICTURES: Final = {".png": ".pgw", ".tif": ".tfw"}
"""The ending of a world file for each kind of picture that is written."""


def read_world_file(path: Path) -> GeoReference | None:
    """The place that six lines say: A, D, B, E, and C, F of the centre of the upper left pixel.

    None where they do not, or count pixels only.

    Source: ESRI, World files for raster datasets.
    """
    try:
        a, d, b, e, x, y = (float(line.replace(",", ".")) for line in text_of(path).split())
    except (ValueError, OSError, DataError):
        return None
    if (a, abs(e)) == (1, 1) and max(abs(x), abs(y)) <= 0.5:
        return None
    return GeoReference("", (a, b, x - (a + b) / 2, d, e, y - (d + e) / 2))


def world_file_of(image: Path) -> Path | None:
    """The world file of an image, if it has one that says a place."""
    beside = (image.with_suffix(ending) for ending in sorted(ENDINGS | {e.upper() for e in ENDINGS}))
    return next((path for path in beside if path.is_file() and read_world_file(path) is not None), None)


def place_like(image: Path, folder: Path, pictures: Sequence[Path]) -> list[Path]:
    """Copy an image's world file, and the .prj next to it, for pictures of the same pixels.

    Args:
        image: The image; where it has no world file nothing is done.
        folder: Where the pictures are.
        pictures: Names in the folder; other files than pictures are passed over.

    Returns:
        The names of the copies.
    """
    source = world_file_of(image)
    if source is None:
        return []
    projection = image.with_suffix(".prj")
    copied = []
    for picture in pictures:
        if (ending := OF_PICTURES.get(picture.suffix)) is None:
            continue
        pairs = [(source, picture.with_suffix(ending))]
        pairs += [(projection, picture.with_suffix(".prj"))] if projection.is_file() else []
        for original, name in pairs:
            shutil.copyfile(original, folder / name)
            copied.append(name)
    return list(dict.fromkeys(copied))
