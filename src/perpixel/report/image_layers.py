"""Pictures in layers: the image once, and truth, prediction and errors as transparent masks that can be faded."""

import base64
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from perpixel.files.write import picture
from perpixel.labels.labels import Labels
from perpixel.shapes import IGNORED, ImageArray, TargetArray

MISSED: Final = (230, 97, 0)
INVENTED: Final = (26, 133, 255)
CONFUSED: Final = (211, 95, 183)
UNCOUNTED: Final = (128, 128, 128)
ERROR_COLOURS: Final = {"missed": MISSED, "invented": INVENTED, "confused": CONFUSED, "ignored": UNCOUNTED}
"""By kind: the truth alone, the prediction alone, both but not the same class, no label. Told apart by all eyes."""

ALL_PX: Final = 9_000_000
"""Pixels of all the pictures of a page, which keeps it well under 10 MB."""
DARK: Final = 48
SPARE_COLOURS: Final = ((204, 121, 167), (0, 158, 115), (86, 180, 233), (240, 228, 66))
LEAST_PX: Final = 160
"""Smaller pictures are enlarged by whole pixels."""


@dataclass(frozen=True)
class Shown:
    """One image as it is shown.

    Args:
        name: Of the image.
        note: Beside the name, such as its score.
        image: JPEG as a URI.
        layers: Name of the text and PNG as a URI, in their order.
        width: Of the picture in pixels.
        height: Likewise.
        reduced: Whether the file is larger.
    """

    name: str
    note: str
    image: str
    layers: tuple[tuple[str, str], ...]
    width: int
    height: int
    reduced: bool


class Painter:
    """Makes the pictures of a page, of which there will be so many.

    Args:
        labels: Their colours.
        pictures: How many images will be shown; the fewer, the larger.
    """

    def __init__(self, labels: Labels, pictures: int) -> None:
        self._labels = labels
        self._most_px = ALL_PX / max(pictures, 1)

    def shown(
        self, name: str, note: str, image: ImageArray, masks: dict[str, TargetArray], *, errors: bool = False
    ) -> Shown:
        """Show an image (H, W, C) with its masks (H, W) or (K, H, W), and what differs between the first two."""
        height, width = image.shape[:2]
        size = self._size(height, width)
        palette = [(0, 0, 0), *page_colours(self._labels)]
        layers = [(key, encoded_png(class_places(mask, self._labels), palette, size)) for key, mask in masks.items()]
        if errors:
            prediction, target = masks["prediction"], masks["truth"]
            colours = [(0, 0, 0), *ERROR_COLOURS.values()]
            layers.append(("errors", encoded_png(error_kinds(prediction, target, self._labels), colours, size)))
        return Shown(name, note, encoded_jpeg(picture(image), size), tuple(layers), *size, reduced=size[0] < width)

    def _size(self, height: int, width: int) -> tuple[int, int]:
        return reduced_size(height, width, self._most_px)


def reduced_size(height: int, width: int, most_px: float) -> tuple[int, int]:
    """Width and height of a picture of at most so many pixels; small ones are enlarged by whole pixels.

    >>> reduced_size(1000, 2000, 500_000), reduced_size(40, 50, 500_000)
    ((1000, 500), (150, 120))
    """
    share = min(1.0, math.sqrt(most_px / (height * width)))
    if max(height, width) < LEAST_PX:
        share = float(LEAST_PX // max(height, width))
    return max(1, round(width * share)), max(1, round(height * share))


def page_colours(labels: Labels) -> list[tuple[int, int, int]]:
    """The colour of each class on a page: its own, but a foreground class that is nearly black gets one that is seen.

    >>> page_colours(Labels("multiclass", ("cat", "dog"), (0, 1), ((0, 0, 0), (230, 159, 0))))
    [(204, 121, 167), (230, 159, 0)]
    """
    free = iter([each for each in SPARE_COLOURS if each not in labels.colours] * len(labels))
    foreground = set(labels.foreground_classes)
    return [
        next(free) if k in foreground and max(colour) < DARK else colour for k, colour in enumerate(labels.colours)
    ]


def class_places(mask: TargetArray, labels: Labels) -> NDArray[np.uint8]:
    """Which colour each pixel (H, W) gets: 0 none, k + 1 that of class k; of multilabel classes the last."""
    places = np.zeros(mask.shape[-2:], np.uint8)
    for k in labels.foreground_classes:
        places[labels.class_mask(mask, k)] = k + 1
    return places


def error_kinds(prediction: TargetArray, target: TargetArray, labels: Labels) -> NDArray[np.uint8]:
    """0 where the prediction is right, else the place of the kind in `ERROR_COLOURS` from 1; (H, W).

    >>> labels = Labels("multiclass", ("no", "a", "b"), (0, 1, 2), ((0, 0, 0),) * 3)
    >>> error_kinds(np.array([[0, 0, 1, 2, 1]], np.uint8), np.array([[0, 1, 0, 1, 255]], np.uint8), labels)
    array([[0, 1, 2, 3, 4]], dtype=uint8)
    """
    if labels.is_multilabel:
        missed, invented = ((prediction == 0) & (target == 1)).any(0), ((prediction == 1) & (target == 0)).any(0)
        confused, ignored = missed & invented, (target == IGNORED).any(0)
    else:
        wrong, none = prediction != target, labels.background
        missed, invented = (
            (np.zeros_like(wrong),) * 2 if none is None else (wrong & (prediction == none), wrong & (target == none))
        )
        confused, ignored = wrong & ~missed & ~invented, target == IGNORED
    kinds: NDArray[np.uint8] = np.select([ignored, confused, missed, invented], [4, 3, 1, 2], 0).astype(np.uint8)
    return kinds


def encoded_jpeg(pixels: NDArray[np.uint8], size: tuple[int, int]) -> str:
    """A picture (H, W, 3) at a width and height, as a JPEG in a URI."""
    enlarged = size[0] > pixels.shape[1]
    drawn = Image.fromarray(pixels).resize(size, Image.Resampling.NEAREST if enlarged else Image.Resampling.BOX)
    buffer = io.BytesIO()
    drawn.save(buffer, "JPEG", quality=82)
    return _uri("jpeg", buffer)


def encoded_png(
    places: NDArray[np.uint8], colours: Sequence[tuple[int, int, int]], size: tuple[int, int] | None = None
) -> str:
    """Places in a table of colours (H, W), the first of which is transparent, as a PNG in a URI."""
    drawn = Image.fromarray(places)
    if size is not None:
        drawn = drawn.resize(size, Image.Resampling.NEAREST)
    drawn.putpalette(np.array(colours, np.uint8).tobytes())
    buffer = io.BytesIO()
    drawn.save(buffer, "PNG", transparency=0, optimize=True)
    return _uri("png", buffer)


def _uri(kind: str, buffer: io.BytesIO) -> str:
    return f"data:image/{kind};base64," + base64.b64encode(buffer.getvalue()).decode()
