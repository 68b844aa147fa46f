"""Small pictures for pages: an image, its truth and its prediction, as data URIs."""

import base64
import io
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from perpixel.files.write import labelled, picture
from perpixel.labels.labels import Labels
from perpixel.shapes import ImageArray, TargetArray

WIDTH_PX: Final = 360
LEAST_PX: Final = 180


def thumbnail(image: ImageArray) -> str:
    """Show an image (H, W, C) of any dtype."""
    return data_uri(_fitted(picture(image), Image.Resampling.BOX))


def overlaid(image: ImageArray, target: TargetArray, labels: Labels) -> str:
    """Show a target in the classes' colours over its image; ignored pixels are grey.

    Args:
        image: (H, W, C) of any dtype.
        target: (H, W) or (K, H, W) uint8.
        labels: The colours.
    """
    return data_uri(_fitted(labelled(picture(image), target, labels), Image.Resampling.BOX))


def data_uri(picture: Image.Image) -> str:
    """A picture as a JPEG inside a URI."""
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=85)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()


def _fitted(pixels: NDArray[np.uint8], reduce: Image.Resampling) -> Image.Image:
    """Reduced to the width of a column; very small ones are enlarged by whole pixels."""
    whole = Image.fromarray(pixels)
    side = max(whole.size)
    if side > WIDTH_PX:
        return whole.resize([max(1, round(length * WIDTH_PX / side)) for length in whole.size], reduce)
    if side < LEAST_PX:
        return whole.resize([length * (LEAST_PX // side) for length in whole.size], Image.Resampling.NEAREST)
    return whole
