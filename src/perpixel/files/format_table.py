"""The formats of image files that can be read. The content decides what a file is, never its ending."""

import stat
from pathlib import Path
from typing import Final

from perpixel.files.image_format import Header, ImageFormat
from perpixel.files.npy import open_array
from perpixel.files.ome_zarr import is_zarr, open_zarr
from perpixel.files.open_image import damage_told, unreadable
from perpixel.files.picture_masks import picture_mask
from perpixel.files.pillow_images import open_picture, picture_header
from perpixel.files.tiff import open_tiff
from perpixel.files.tiff_masks import tiff_header, tiff_mask

IMAGE_FORMATS: Final[dict[str, ImageFormat]] = {
    "tiff": ImageFormat(
        endings=("tif", "tiff", "gtif", "gtiff"),
        starts=(b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"),
        open=open_tiff,
        header=tiff_header,
        mask=tiff_mask,
    ),
    "npy": ImageFormat(endings=("npy",), starts=(b"\x93NUMPY",), open=open_array),
    "picture": ImageFormat(
        endings=("png", "jpg", "jpeg", "jpe", "bmp", "webp", "gif", "ppm", "pgm", "pbm", "pnm", "jp2"),
        starts=(b"\x89PNG", b"\xff\xd8\xff", b"BM", b"RIFF", b"GIF8", b"\0\0\0\x0cjP", b"P4", b"P5", b"P6"),
        open=open_picture,
        header=lambda path: Header(*picture_header(path)),
        mask=picture_mask,
    ),
    "zarr": ImageFormat(endings=(), open=open_zarr, is_ours=is_zarr),
}
"""Every format by its name."""

LONGEST_START: Final = 12


def format_of(path: Path) -> str:
    """The name of the file's format. Raises DataError where it has none, or cannot be read."""
    try:
        mode = path.stat().st_mode
    except OSError:
        mode = stat.S_IFREG  # it is told where it is opened
    if stat.S_ISDIR(mode):
        for name, each in IMAGE_FORMATS.items():
            if each.is_ours is not None and each.is_ours(path):
                return name
    if not stat.S_ISREG(mode):  # opening a pipe would wait for someone to write into it
        raise unreadable(path, "it is a folder, a pipe or a device")
    with damage_told(path), path.open("rb") as file:
        start = file.read(LONGEST_START)
    if not start:
        raise unreadable(path, "it is empty")
    for name, each in IMAGE_FORMATS.items():
        if start.startswith(each.starts):
            return name
    raise unreadable(path, "its first bytes are not those of an image")
