"""PNG, JPEG, BMP, WebP, GIF and whatever else Pillow decodes; only the first frame."""

import warnings
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFile
from PIL.PngImagePlugin import PngImageFile

from perpixel.files.deep_png import deep_png_header, read_deep_png
from perpixel.files.open_image import OpenImage, check_size, damage_told
from perpixel.shapes import AnyArray

Image.MAX_IMAGE_PIXELS = None  # the limits are ours: files.limits, checked before decoding
ImageFile.LOAD_TRUNCATED_IMAGES = False
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\..*")  # damaged metadata beside sound pixels

ORIENTATION: Final = 0x0112
PNG_START: Final = b"\x89PNG\r\n\x1a\n"
UPRIGHT: Final = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What brings an EXIF orientation upright."""
TURNING: Final = frozenset({"exif", "xmp", "XML:com.adobe.xmp", "Raw profile type exif"})
"""Keys of Pillow's info in which an orientation may stand."""
LOSSY: Final = frozenset({"JPEG", "MPO", "JPEG2000"})


def open_picture(path: Path, _page: int = 0) -> OpenImage:
    """Open the first frame, see `decode`; a PNG of 16 bits keeps them."""
    with damage_told(path):
        pixels = _without_constant_alpha(path) if deep_png_header(path) else np.asarray(decode(path))
    pixels = pixels[..., None] if pixels.ndim == 2 else pixels
    height, width, channels = pixels.shape
    return OpenImage(
        path,
        height,
        width,
        channels,
        pixels.dtype,
        window=lambda top, left, h, w: pixels[top : top + h, left : left + w],
        closing=lambda: None,
    )


def _without_constant_alpha(path: Path) -> NDArray[np.uint16]:
    """A PNG of several channels of 16 bits; an alpha counts only where it varies."""
    pixels = read_deep_png(path)
    has_alpha = pixels.shape[2] in (2, 4)
    return pixels[..., :-1] if has_alpha and np.ptp(pixels[..., -1]) == 0 else pixels


def decode(path: Path, least_side: int | None = None) -> Image.Image:
    """Decode the first frame, upright by its EXIF orientation; palettes become RGB, a constant alpha is dropped.

    Args:
        path: The file.
        least_side: A JPEG may come out at a half, a quarter or an eighth of its size, with sides of at least so many
            pixels, in half the time: its blocks are averaged instead of decoded. All of the file is read even so.
    """
    with damage_told(path), Image.open(path) as image:
        check_size(path, image.height, image.width, _decoding_bytes(image))
        if least_side is not None:
            image.draft(None, (least_side, least_side))  # None: the mode stays
        plain = gray_or_colour(image)
        plain.load()
        turn = UPRIGHT.get(orientation_of(image))
        return plain if turn is None else plain.transpose(turn)


def _decoding_bytes(image: Image.Image) -> int:
    """What a pixel takes while it is decoded: Pillow's own, a copy to convert or turn, and the array."""
    bands = len(image.getbands())
    own = 4 if bands > 1 or image.mode in {"I", "F"} else 2 if image.mode.startswith("I;") else 1
    converted = 4 if bands != 3 or image.mode not in {"RGB"} else 0
    return own + (converted if bands > 1 or image.mode == "P" else 0) + (3 if bands > 1 or image.mode == "P" else own)


def orientation_of(image: Image.Image) -> int:
    """The EXIF orientation, 1..8 (1: as it lies)."""
    if image.format not in {"JPEG", "MPO", "TIFF", "WEBP", "PNG"}:
        return 1
    if isinstance(image, PngImageFile) and "exif" not in image.info and not _has_late_exif(image):
        return 1  # else Pillow would decode all pixels to look behind them
    if image.format == "JPEG" and not TURNING.intersection(image.info):
        return 1
    value = image.getexif().get(ORIENTATION, 1)
    return value if isinstance(value, int) and 1 <= value <= 8 else 1


def _has_late_exif(image: PngImageFile) -> bool:
    """Whether a PNG that is not decoded yet has an eXIf chunk behind its pixels; only chunk heads are read."""
    if image.fp is None:
        return False
    start = image.fp.tell()
    try:
        image.fp.seek(len(PNG_START))
        while len(head := image.fp.read(8)) == 8 and head[4:] != b"IEND":
            if head[4:] == b"eXIf":
                return True
            image.fp.seek(int.from_bytes(head[:4], "big") + 4, 1)
        return False
    finally:
        image.fp.seek(start)


def turned(pixels: AnyArray, orientation: int) -> AnyArray:
    """Apply an EXIF orientation (1..8) to (H, W) or (H, W, C).

    Source: Exif 2.3, tag 0x0112: what the first row and the first column show.

    >>> turned(np.array([[1, 2]]), 3)
    array([[2, 1]])
    """
    flips = {2: (1, -1), 3: (-1, -1), 4: (-1, 1), 5: (1, 1), 6: (-1, 1), 7: (-1, -1), 8: (1, -1)}
    if orientation not in flips:
        return pixels
    down, across = flips[orientation]
    pixels = pixels[::down, ::across]
    return pixels.swapaxes(0, 1) if orientation >= 5 else pixels


def gray_or_colour(image: Image.Image) -> Image.Image:
    """The same as gray (8, 16, 32 bit or float) or RGB, with an alpha only if it varies."""
    match image.mode:
        case "PA":
            image = image.convert("RGBA")
        case "P":  # one of its colours may be transparent, which is no channel of a picture
            image = image.convert("RGBA").convert("RGB") if "transparency" in image.info else image.convert("RGB")
        case "CMYK" | "YCbCr" | "LAB" | "HSV" | "RGBX" | "RGBa":
            image = image.convert("RGB")
        case "1":
            image = image.convert("L")
        case "La":
            image = image.convert("LA")
    if image.mode in {"RGBA", "LA"}:
        least, greatest = image.getchannel("A").getextrema()
        return image.convert(image.mode[:-1]) if least == greatest else image
    return image


def picture_header(path: Path) -> tuple[int, int, int, int, str]:
    """Height and width as they lie in the file, the EXIF orientation, then channels and dtype as opened.

    The pixels are decoded only where there is an alpha, which counts unless it is constant.
    """
    if (deep := deep_png_header(path)) is not None:
        height, width, channels = deep
        check_size(path, height, width, 8 * channels)
        channels = channels if channels == 3 else _without_constant_alpha(path).shape[2]
        return height, width, 1, channels, "uint16"
    with damage_told(path), Image.open(path) as image:
        check_size(path, image.height, image.width, _decoding_bytes(image))
        dtype = {"I": "float32", "F": "float32"}.get(image.mode, "uint16" if image.mode.startswith("I;") else "uint8")
        channels = 1 if len(image.getbands()) == 1 and image.mode != "P" else 3
        if "A" in image.mode or "transparency" in image.info:
            channels = len(gray_or_colour(image).getbands())
        return image.height, image.width, orientation_of(image), channels, dtype


class Indices(NamedTuple):
    """A mask as it is stored.

    Args:
        values: (H, W) or (H, W, C).
        alpha: (H, W) or None; at most 255, where a pixel is opaque.
        palette: (256, 3) or None.
        lossy: Whether the format altered the values.
        orientation: The tag by which it is to be turned, 1..8.
    """

    values: AnyArray
    alpha: AnyArray | None = None
    palette: NDArray[np.uint8] | None = None
    lossy: bool = False
    orientation: int = 1


def read_indices(path: Path) -> Indices:
    """Decode a mask as it lies: palette indices stay indices, nothing is turned."""
    if deep_png_header(path) is not None:
        pixels = read_deep_png(path)
        alpha = (pixels[..., -1] >> 8).astype(np.uint8) if pixels.shape[2] in (2, 4) else None
        pixels = pixels if alpha is None else pixels[..., :-1]
        return Indices(pixels[..., 0] if pixels.shape[2] == 1 else pixels, alpha)
    with damage_told(path), Image.open(path) as image:
        check_size(path, image.height, image.width, _decoding_bytes(image))
        lossy = image.format in LOSSY or (image.format == "WEBP" and _is_lossy_webp(path))
        orientation, palette = orientation_of(image), None
        if image.mode == "P":
            image.load()
            flat = np.array(image.getpalette("RGB") or [], np.uint8).reshape(-1, 3)
            palette = np.zeros((256, 3), np.uint8)
            palette[: len(flat)] = flat[:256]
        is_plain = image.mode in {"P", "1", "L", "I", "F"} or image.mode.startswith("I;")
        alpha = np.asarray(image.getchannel("A")) if image.mode in {"LA", "RGBA", "PA"} else None
        values = np.asarray(image if is_plain else image.convert("L" if image.mode == "LA" else "RGB"))
        values = np.where(values, 255, 0).astype(np.uint8) if values.dtype == bool else values
        return Indices(values, alpha, palette, lossy, orientation)


def _is_lossy_webp(path: Path) -> bool:
    """Whether a WebP file has a chunk of lossy pixels (VP8); only the heads of its chunks are read."""
    with path.open("rb") as file:
        file.seek(12)
        while len(head := file.read(8)) == 8:
            if head[:4] in (b"VP8 ", b"VP8L", b"ANMF"):
                return head[:4] != b"VP8L"
            length = int.from_bytes(head[4:], "little")
            file.seek(length + length % 2, 1)
    return False
