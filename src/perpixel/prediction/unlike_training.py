"""What an image has in common with those that a model was trained on: channels, dtype and the size of its values."""

from typing import Final

import numpy as np

from perpixel.labels.codec import Codec
from perpixel.shapes import AnyArray

MANY_TIMES: Final = 5
"""A file of 12 bits in the place of one of 16 is 16 times as dark; day and night of one camera differ less."""
LEAST_OF_8_BIT: Final = 1 / 50
"""An image of 8 bits is of no other bit depth, and its model may have the statistics of public weights; but values as
small may be 0 and 1."""
LOOKED_AT_PX: Final = 65_536


def unlike_training(image: AnyArray, codec: Codec, name: str) -> dict[str, str]:
    """Say what a model takes and was hardly trained on.

    Args:
        image: (H, W, C), or a part of it.
        codec: Of the model.
        name: What to call the image.

    Returns:
        Sentences by their kind: "gray" where one channel stands for three, "scale" where the values and their spread
        are both many times smaller or larger than those of the training images, as 12-bit values among 16-bit ones.

    Raises:
        DataError: Another number of channels, or another dtype.
    """
    taken = codec.as_trained(image, name)
    said = {}
    if image.shape[2] < taken.shape[2]:
        said["gray"] = f"{name} is gray, and the model takes colour: its channel is repeated, as training does."
    factor = _times(taken, codec)
    least, most = (LEAST_OF_8_BIT, np.inf) if codec.dtype == "uint8" else (1 / MANY_TIMES, MANY_TIMES)
    if factor >= most or 0 < factor <= least:
        said["scale"] = (
            f"the values of {name} are about {factor:.2g} times those of the training images: "
            "it may have another bit depth or unit, and what is found in it may be wrong."
        )
    return said


def _times(image: AnyArray, codec: Codec) -> float:
    """How many times larger values and spread are than in training, by the nearer of both; 1 where they disagree."""
    height, width = image.shape[:2]
    step = max(1, round((height * width / LOOKED_AT_PX) ** 0.5))
    pixels = image[::step, ::step].reshape(-1, image.shape[2]).astype(np.float64)
    pixels = pixels[np.isfinite(pixels).all(axis=1)]
    if not len(pixels) or not (spread := pixels.std(axis=0)).all():
        return 1.0
    mean, std = np.array(codec.mean), np.array(codec.std)
    spreads = float(np.median(spread / std))
    sizes = float(np.median(np.hypot(pixels.mean(axis=0), spread) / np.hypot(mean, std)))
    if (spreads > 1) != (sizes > 1):
        return 1.0
    return min(spreads, sizes) if spreads > 1 else max(spreads, sizes)
