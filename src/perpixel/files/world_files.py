"""World files next to images (a.tfw, a.pgw, a.jpgw, a.wld): where pixels lie; a .prj may name the system."""

import filecmp
import math
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
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

    None where they do not, count pixels only, or give pixels no size.

    Source: ESRI, World files for raster datasets.
    """
    try:
        a, d, b, e, x, y = (float(line.replace(",", ".")) for line in text_of(path).split())
    except (ValueError, OSError, DataError):
        return None
    if not all(map(math.isfinite, (a, d, b, e, x, y))) or a * e == b * d:
        return None
    if (a, abs(e)) == (1, 1) and max(abs(x), abs(y)) <= 0.5:
        return None
    return GeoReference("", (a, b, x - (a + b) / 2, d, e, y - (d + e) / 2))


def world_file_of(image: Path) -> Path | None:
    """The world file of an image, if it has one that says a place."""
    beside = (image.with_suffix(ending) for ending in sorted(ENDINGS | {e.upper() for e in ENDINGS}))
    return next((path for path in beside if path.is_file() and read_world_file(path) is not None), None)


@dataclass(frozen=True)
class PlaceFiles:
    """World files and .prj next to pictures of the same pixels as an image.

    Args:
        copies: What is to be written: the name in the folder, and the file of the image that it is a copy of.
        stale: Files there that would give the pictures another place than the image has.
        there: Files there that would be lost: these, and those in the way of the copies that say something else.
    """

    copies: Mapping[Path, Path]
    stale: tuple[Path, ...] = ()
    there: tuple[Path, ...] = ()

    def write(self, folder: Path) -> list[Path]:
        """Write the copies into a folder, and return their names."""
        for name, original in self.copies.items():
            shutil.copyfile(original, folder / name)
        return list(self.copies)

    def remove_stale(self) -> None:
        """Remove what would give the pictures another place."""
        for path in self.stale:
            path.unlink(missing_ok=True)


def place_files(image: Path, is_placed: bool, folder: Path, pictures: Sequence[Path]) -> PlaceFiles:
    """What gives pictures the place of an image.

    Args:
        image: The image.
        is_placed: Whether its world file counts.
        folder: Where the pictures will be.
        pictures: Names in the folder; other files than pictures are passed over.

    Raises:
        OSError: A file there cannot be read.
    """
    source = world_file_of(image) if is_placed else None
    projection = image.with_suffix(".prj")
    copies: dict[Path, Path] = {}
    stale: list[Path] = []
    for picture in pictures:
        if (ending := OF_PICTURES.get(picture.suffix)) is None:
            continue
        world, system = picture.with_suffix(ending), picture.with_suffix(".prj")
        is_found = (folder / world).is_file() and read_world_file(folder / world) is not None
        copies |= {world: source} if source is not None else {}
        copies |= {system: projection} if source is not None and projection.is_file() else {}
        beside = [folder / name for name in (world, system) if name not in copies and (folder / name).is_file()]
        stale += beside if is_found and folder.resolve() != image.parent.resolve() else []
    changed = [
        folder / name
        for name, original in copies.items()
        if (folder / name).exists() and not filecmp.cmp(folder / name, original, shallow=False)
    ]
    return PlaceFiles(copies, tuple(stale), (*changed, *stale))
