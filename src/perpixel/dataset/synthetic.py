"""Synthetic shapes: data that need no download, with six classes that may overlap.

A white-on-black drawing of a triangle, a ring, a filled circle, a mesh square, a filled square and a plus sign, each
at a random place and of a random size. Where shapes overlap, a pixel belongs to all of them.
"""

from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from perpixel.files.atomic import replacing
from perpixel.shapes import TargetArray

SHAPES: Final = ("filled square", "filled circle", "triangle", "ring", "mesh square", "plus")


SIZES: Final[dict[str, tuple[float, float]]] = {
    "filled square": (1.6, 0.8),
    "filled circle": (1.0, 0.625),
    "triangle": (1.6, 1.0),
    "ring": (1.0, 0.7),
    "mesh square": (1.6, 1.0),
    "plus": (1.6, 1.2),
}
"""Times a random size, by shape: as drawn by default, and as in the tutorial on U-Net."""


def drawing(
    draw: np.random.Generator, side: int = 192, *, small: bool = False
) -> tuple[NDArray[np.uint8], TargetArray]:
    """One drawing and its masks.

    Args:
        draw: Source of randomness.
        side: Height and width in pixels, at least 64.
        small: Shapes of the tutorial's sizes, about half as large.

    Returns:
        Image (side, side, 3) uint8 of 0 and 255; target (6, side, side) uint8 of 0 and 1, in the order of SHAPES.
    """
    y, x = np.mgrid[:side, :side]

    def place(shape: str) -> tuple[NDArray[np.int64], NDArray[np.int64], int]:
        """Rows and columns as seen from a random centre, and a random size in pixels."""
        centre = draw.integers(round(0.1 * side), round(0.9 * side), 2)
        zoom = SIZES[shape][small]
        return y - centre[0], x - centre[1], round(side * draw.uniform(0.06, 0.12) * zoom)

    def square(dy: NDArray[np.int64], dx: NDArray[np.int64], half: int) -> NDArray[np.bool_]:
        return (np.abs(dy) <= half) & (np.abs(dx) <= half)

    dy, dx, size = place("filled square")
    filled_square = square(dy, dx, size // 2)
    dy, dx, size = place("filled circle")
    filled_circle = dy**2 + dx**2 <= (0.8 * size) ** 2
    dy, dx, size = place("triangle")
    triangle = square(dy, dx, size // 2) & (dy >= dx)
    dy, dx, size = place("ring")
    ring = (dy**2 + dx**2 <= size**2) & (dy**2 + dx**2 >= (0.7 * size) ** 2)
    dy, dx, size = place("mesh square")
    mesh_square = square(dy, dx, size // 2)
    mesh = mesh_square & ((dy % 3 == 0) | (dx % 3 == 0))
    dy, dx, size = place("plus")
    plus = square(dy, dx, size // 2) & ((np.abs(dy) <= 1) | (np.abs(dx) <= 1))

    ink = filled_square | filled_circle | triangle | ring | mesh | plus
    image = np.repeat((ink * np.uint8(255))[..., None], 3, axis=2)
    target = np.stack([filled_square, filled_circle, triangle, ring, mesh_square, plus]).astype(np.uint8)
    return image, target


def write_shapes(folder: Path, count: int, seed: int = 0, side: int = 192, *, small: bool = False) -> None:
    """Write drawings as `images/NAME.png` and `masks/SHAPE/NAME.png` (0 and 255).

    Args:
        folder: Made where it is missing; files of the same names are replaced.
        count: Number of drawings.
        seed: The same seed gives the same drawings.
        side: Height and width in pixels.
        small: See `drawing`.
    """
    from PIL import Image

    for number in range(count):
        image, target = drawing(np.random.default_rng([seed, number]), side, small=small)
        name = f"drawing_{number:04d}.png"
        pictures = {folder / "images" / name: image}
        pictures |= {
            folder / "masks" / shape / name: mask * np.uint8(255) for shape, mask in zip(SHAPES, target, strict=True)
        }
        for path, pixels in pictures.items():
            with replacing(path) as temporary:
                Image.fromarray(pixels).save(temporary)
