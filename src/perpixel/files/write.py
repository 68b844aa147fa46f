"""Write masks, probabilities and overlays held in memory; every file appears whole or not at all.

Large TIFF files are written a row of blocks at a time by `perpixel.files.tiff_writer`.
"""

from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from perpixel.errors import OutputError
from perpixel.files.atomic import replacing
from perpixel.files.tiff_writer import TiffLayout, write_tiff
from perpixel.labels.labels import Labels
from perpixel.shapes import IGNORED, AnyArray, ImageArray, MaskArray, TargetArray

TIFF_ENDINGS: Final = (".tif", ".tiff")
IGNORED_GREY: Final = 128


def mask_paths(path: Path, labels: Labels) -> list[Path]:
    """The files that a mask takes: one, or for multilabel labels one in a folder of each class's name."""
    if not labels.is_multilabel:
        return [path]
    return [path.parent / name.replace("/", "_") / path.name for name in labels.names]


def write_mask(path: Path, mask: MaskArray, labels: Labels) -> list[Path]:
    """Write a mask in the encoding of the training masks.

    Args:
        path: OUT/STEM.png, or .tif. Multilabel labels are written to OUT/CLASS/STEM.png.
        mask: As `perpixel.labels.codec.mask_of` gives it: (H, W), (H, W, 3), or (K, H, W) for multilabel labels.
        labels: Their encoding decides between grey values, palette and colours.

    Returns:
        What was written.

    Raises:
        OutputError: The values do not fit the format, or the file cannot be written.
    """
    paths = mask_paths(path, labels)
    for each, part in zip(paths, mask if labels.is_multilabel else [mask], strict=True):
        if path.suffix.lower() in TIFF_ENDINGS:
            colours = palette(labels) if labels.encoding == "palette" else None
            write_tiff(each, [part], TiffLayout.of(part, colours=colours))
        else:
            write_png(each, part, palette(labels) if labels.encoding == "palette" else None)
    return paths


def write_png(path: Path, mask: MaskArray, colours: NDArray[np.uint8] | None = None) -> None:
    """Write an (H, W) or (H, W, 3) array of 8 bits, or (H, W) of 16, as a PNG.

    Args:
        path: Ends in .png.
        mask: The pixels.
        colours: (256, 3) palette.

    Raises:
        OutputError: Values that a PNG does not hold; the file cannot be written.
    """
    if mask.dtype not in (np.uint8, np.uint16):
        raise OutputError(
            f"{path} cannot hold the values {mask.min()} to {mask.max()}: PNG has 8 and 16 bits.",
            fix="write TIFF, or class indices (`index`).",
        )
    with Image.fromarray(np.ascontiguousarray(mask)) as image:
        if colours is not None:
            image.putpalette(colours.tobytes())
        with replacing(path) as temporary:
            image.save(temporary, format="PNG")


def quantised(probabilities: NDArray[np.float32], dtype: str) -> AnyArray:
    """Probabilities in 0..1 as "uint8" (times 255), "uint16" (times 65535) or "float32".

    >>> quantised(np.array([0, 0.5, 1], np.float32), "uint8").tolist()
    [0, 128, 255]
    """
    if dtype == "float32":
        return probabilities
    whole: AnyArray = np.rint(probabilities * np.iinfo(dtype).max).astype(dtype)
    return whole


def overlay(image: NDArray[np.uint8], target: TargetArray, labels: Labels, opacity: float = 0.5) -> NDArray[np.uint8]:
    """Lay the classes' colours over an image; where several classes overlap, the last one shows.

    Args:
        image: (H, W, 3).
        target: (H, W) class indices, or (K, H, W) in {0, 1}. Background and IGNORED show the image alone.
        labels: The classes' colours.
        opacity: Of the colours, in 0..1.
    """
    result = image.copy()
    for k in labels.foreground_classes:
        has_class = labels.class_mask(target, k)
        mixed = (1 - opacity) * image[has_class] + opacity * np.array(labels.colours[k])
        result[has_class] = np.rint(mixed).astype(np.uint8)
    return result


def labelled(shown: NDArray[np.uint8], target: TargetArray, labels: Labels) -> NDArray[np.uint8]:
    """Lay the classes' colours over a picture (H, W, 3); ignored pixels are grey."""
    drawn = overlay(shown, target, labels, opacity=0.6)
    ignored = target == IGNORED if target.ndim == 2 else (target == IGNORED).any(0)
    drawn[ignored] = IGNORED_GREY
    return drawn


def picture(image: ImageArray, limits: tuple[float, float] | None = None) -> NDArray[np.uint8]:
    """Show any image (H, W, C) as (H, W, 3) uint8: its first three channels, or the first alone as grey.

    uint8 stays as it is; other dtypes are stretched between the limits, by default their own `contrast`.
    """
    shown = _shown(image)
    if shown.dtype == np.uint8:
        return np.ascontiguousarray(shown)
    low, high = limits or contrast(image)
    values = np.nan_to_num(shown.astype(np.float32), nan=low)
    stretched: NDArray[np.uint8] = np.clip((values - low) / (high - low) * 255, 0, 255).astype(np.uint8)
    return stretched


def contrast(image: ImageArray) -> tuple[float, float]:
    """The 2nd and the 98th percentile of the channels that `picture` shows; apart from each other."""
    values = _shown(image).astype(np.float32)
    finite = values[np.isfinite(values)]
    low, high = np.percentile(finite, (2, 98)) if finite.size else (0.0, 1.0)
    return float(low), float(max(high, low + 1e-6))


def palette(labels: Labels) -> NDArray[np.uint8]:
    """(256, 3) colours by the value of a mask's pixel; black where no class has the value, white for IGNORED."""
    table = np.zeros((256, 3), np.uint8)
    table[IGNORED] = 255
    for value, colour in zip(labels.values, labels.colours, strict=True):
        if isinstance(value, int) and 0 <= value < 256:
            table[value] = colour
    return table


def _shown(image: ImageArray) -> AnyArray:
    return image[..., :3] if image.shape[2] >= 3 else image[..., :1].repeat(3, axis=2)
