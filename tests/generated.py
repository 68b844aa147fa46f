"""Small data sets, labels and settings that several tests share; everything is decided by a seed."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from perpixel.labels.codec import Codec
from perpixel.labels.labels import Labels
from perpixel.runtime.race import Race
from perpixel.settings.tree import Request, request_from

SIZES = ((24, 32), (32, 32), (40, 28), (32, 24), (28, 36), (36, 36), (24, 24), (40, 40))
"""Heights and widths that the generated images take in turn."""

TINY = {
    "model": {"encoder": None, "options": {"width": 4, "depth": 2}},
    "data": {"validation_fraction": 0.2, "test_fraction": 0.2},
    "train": {
        "steps": 4,
        "batch_size": 2,
        "learning_rate": 2e-3,
        "crop_hw": [32, 32],
        "scale": 1.0,
        "validation_passes": 2,
        "precision": "32",
        "memory_format": "channels_last",
    },
}
"""A training that lasts well under a second."""

TINY_OPTIONS = (
    *("--set", "model.encoder=null", "--set", "model.options.width=4", "--set", "model.options.depth=2"),
    *("--set", "train.batch_size=2", "--set", "train.crop_hw=[32,32]", "--set", "train.validation_passes=2"),
    *("--set", "train.precision=32", "--set", "data.validation_fraction=0.2", "--set", "data.test_fraction=0.2"),
)
"""The same for the command line, without the budget."""

NAMES = ("ground", "water", "forest")
COLOURS = ((0, 0, 0), (0, 0, 200), (0, 160, 0))


def tiny_settings(**train):
    """The settings of TINY, with some keys of `train` changed."""
    return request_from({**TINY, "train": {**TINY["train"], **train}})


@dataclass(frozen=True)
class PlayedTimings:
    """A machine whose speed is told, see `perpixel.planning.timings`."""

    pixels: Callable[[Request], float] = lambda settings: 0.0
    precision: Race | None = None
    memory_format: Race | None = None
    number_of_threads: Race | None = None

    def precisions(self, settings):
        return self.precision

    def threads(self, settings):
        return self.number_of_threads

    def memory_formats(self, settings):
        return self.memory_format


def binary_labels(**more):
    return Labels("multiclass", ("background", "cell"), (0, 255), ((0, 0, 0), (0, 114, 178)), **more)


def exclusive_labels(values=(0, 1, 2), encoding="index", **more):
    return Labels("multiclass", NAMES, values, COLOURS, encoding=encoding, **more)


def overlapping_labels():
    return Labels("multilabel", ("disc", "bar"), (255, 255), ((200, 0, 0), (0, 0, 200)), encoding="files")


def codec_for(labels, channels=3, dtype="uint8", **more):
    return Codec(labels, dtype, (100.0,) * channels, (50.0,) * channels, **more)


def disc(height, width, draw):
    """A random disc inside (H, W), as bool."""
    y, x = np.mgrid[:height, :width]
    centre = draw.uniform(0.3, 0.7, 2) * (height, width)
    return (y - centre[0]) ** 2 + (x - centre[1]) ** 2 < (draw.uniform(0.2, 0.35) * min(height, width)) ** 2


def picture_of(target, draw, channels=3):
    """An image (H, W, channels) uint8 in which every class of the target (H, W) has its own grey, and noise."""
    grey = 40 + 60 * np.minimum(target, 3).astype(float)
    noisy = grey[..., None] + draw.normal(0, 15, (*target.shape, channels))
    return np.clip(noisy, 0, 255).astype(np.uint8)


def save(path, pixels):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels[..., 0] if pixels.ndim == 3 and pixels.shape[2] == 1 else pixels).save(path)


def write_cells(folder: Path, count=8, seed=0, channels=3):
    """images/ and masks/ of 0 and 255: discs, of several sizes."""
    for number in range(count):
        draw = np.random.default_rng([seed, number])
        target = disc(*SIZES[number % len(SIZES)], draw).astype(np.uint8)
        save(folder / "images" / f"cell_{number}.png", picture_of(target, draw, channels))
        save(folder / "masks" / f"cell_{number}.png", target * np.uint8(255))
    return folder


def write_land(folder: Path, count=8, seed=0):
    """images/ and masks/ of three classes 0, 1, 2 with a few pixels 255, which stand for no label."""
    for number in range(count):
        draw = np.random.default_rng([seed, number])
        height, width = SIZES[number % len(SIZES)]
        target = disc(height, width, draw).astype(np.uint8)
        target[: height // 3] = 2
        image = picture_of(target, draw)
        target[-2:] = 255
        save(folder / "images" / f"land_{number}.png", image)
        save(folder / "masks" / f"land_{number}.png", target)
    return folder


def write_overlapping(folder: Path, count=8, seed=0):
    """images/ and masks/disc, masks/bar of 0 and 255, which overlap."""
    for number in range(count):
        draw = np.random.default_rng([seed, number])
        height, width = SIZES[number % len(SIZES)]
        shapes = {"disc": disc(height, width, draw), "bar": np.zeros((height, width), bool)}
        shapes["bar"][height // 2 : height // 2 + 5] = True
        save(folder / "images" / f"shape_{number}.png", picture_of(sum(shapes.values()), draw))
        for name, mask in shapes.items():
            save(folder / "masks" / name / f"shape_{number}.png", mask * np.uint8(255))
    return folder


def contents(folder: Path):
    """Every file under a folder with its bytes, to tell that nothing was changed."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}
