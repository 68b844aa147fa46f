"""Several files of outlines of the same images that say nearly the same: versions, or what several people drew."""

from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from perpixel.dataset.annotations.filling import inside
from perpixel.dataset.sample import Shape
from perpixel.errors import DataError, Problem
from perpixel.files.read import read_header

LOOKED_AT: Final = 8
ALIKE: Final = 0.5
"""The intersection over union of what two files cover with their common classes, from which they are of one thing."""


def drawn_twice(of_file: Mapping[Path, Mapping[Path, Sequence[Shape]]]) -> list[Problem]:
    """Files of which two cover nearly the same in most of their common images.

    Args:
        of_file: Of each file the shapes of each image.
    """
    return [told for first, second in combinations(of_file, 2) if (told := _compared(first, second, of_file))]


def _compared(first: Path, second: Path, of_file: Mapping[Path, Mapping[Path, Sequence[Shape]]]) -> Problem | None:
    one, other = of_file[first], of_file[second]
    both = [image for image in one if one[image] and other.get(image)]
    chosen = both[:: max(1, len(both) // LOOKED_AT)][:LOOKED_AT]
    alike = [image for image in chosen if _are_alike(image, one[image], other[image])]
    if not alike or 2 * len(alike) <= len(chosen):
        return None
    return Problem(
        f"{first} and {second} hold nearly the same outlines of {len(both)} images: versions of them, or what two "
        "people drew.",
        "move the file that does not count out of the folder.",
        tuple(image.name for image in alike),
    )


def _are_alike(image: Path, first: Sequence[Shape], second: Sequence[Shape]) -> bool:
    try:
        height, width = read_header(image).size
    except DataError:  # told with the images
        return False
    common = {shape.value for shape in first} & {shape.value for shape in second}
    one, other = (_covered([s for s in shapes if s.value in common], height, width) for shapes in (first, second))
    return bool(one.any() and (one & other).sum() >= ALIKE * (one | other).sum())


def _covered(shapes: Sequence[Shape], height: int, width: int) -> NDArray[np.bool_]:
    area = np.zeros((height, width), bool)
    for shape in shapes:
        area |= inside(shape, height, width)
    return area
