"""Small generated folders of images and masks, in every layout and encoding."""

from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image

HEIGHT, WIDTH = 24, 32
COLOURS = ((0, 0, 0), (200, 30, 60), (20, 180, 90), (40, 60, 220))


def drawing(seed: int, classes: int = 3, height: int = HEIGHT, width: int = WIDTH) -> NDArray[np.uint8]:
    """An multiclass target (H, W): a disc of each class but 0, at random places; every class occurs."""
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[:height, :width]
    target = np.zeros((height, width), np.uint8)
    for k in range(1, classes):
        row, column = random.integers(3, height - 3), random.integers(3, width - 3)
        target[(rows - row) ** 2 + (columns - column) ** 2 < 20] = k
    target[0, :classes] = range(classes)
    return target


def photograph(target: NDArray[Any], seed: int = 0, channels: int = 3, dtype: str = "uint8") -> NDArray[Any]:
    """An image (H, W, C) in which the classes differ in brightness, with noise."""
    random = np.random.default_rng(seed + 1000)
    bright = 60 + 50 * np.minimum(target, 3).astype(float)[..., None]
    return np.clip(bright + random.normal(0, 20, (*target.shape, channels)), 0, 255).astype(dtype)


def save(path: Path, pixels: NDArray[Any], **options: Any) -> Path:
    """Write (H, W) or (H, W, C) pixels in the format of the ending."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = pixels[..., 0] if pixels.ndim == 3 and pixels.shape[2] == 1 else pixels
    if path.suffix == ".npy":
        np.save(path, pixels)
    elif path.suffix in {".tif", ".tiff", ".gtif"}:
        tifffile.imwrite(path, pixels, **options)
    else:
        Image.fromarray(pixels).save(path, **options)
    return path


def save_palette(path: Path, indices: NDArray[np.uint8], colours: tuple[tuple[int, ...], ...] = COLOURS) -> Path:
    """Write a palette PNG."""
    path.parent.mkdir(parents=True, exist_ok=True)
    picture = Image.fromarray(indices).convert("L")
    picture = Image.frombytes("P", picture.size, indices.tobytes())
    picture.putpalette([value for colour in colours for value in colour])
    picture.save(path)
    return path


def pairs(
    root: Path, count: int = 4, images: str = "images", masks: str = "masks", *, scale: int = 1, classes: int = 3
) -> list[NDArray[np.uint8]]:
    """Write images/a0.png … and masks/a0.png … with the class indices times `scale`; return the targets."""
    targets = [drawing(seed, classes) for seed in range(count)]
    for number, target in enumerate(targets):
        save(root / images / f"a{number}.png", photograph(target, number))
        save(root / masks / f"a{number}.png", (target * scale).astype(np.uint8))
    return targets
