"""Training batches as a pure function of (seed, step, slot): no state to save, the same on every machine.

Images are decoded once and kept, as they lie in the file, within a bounded part of memory.
"""

from collections import deque
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor

from perpixel.dataset import Dataset, Sample
from perpixel.labels.codec import Codec
from perpixel.settings.tree import AugmentSettings, TrainSettings
from perpixel.shapes import IGNORED, AnyArray, ImageArray, TargetArray
from perpixel.training.loading.augment import augment, window_hw

READ_AHEAD: Final = 4


@dataclass(frozen=True)
class Batch:
    """What a training step takes.

    Args:
        image: (N, C, H, W) float32.
        target: (N, H, W) int64 or (N, K, H, W) uint8.
        places: (N,) int64, which of the stored samples each view shows.
    """

    image: Tensor
    target: Tensor
    places: NDArray[np.int64]


class PixelStore:
    """Decoded samples at the working resolution, the first ones kept in memory up to a limit.

    Args:
        dataset: Where samples are read from.
        samples: The samples, addressed by their place.
        scale: Working resolution over native resolution, in (0, 1].
        limit_mb: Memory for decoded samples, in MiB; what does not fit is decoded each time.
        targets: By the name of a sample, instead of what its file holds.
    """

    def __init__(
        self,
        dataset: Dataset,
        samples: Sequence[Sample],
        scale: float,
        limit_mb: int,
        targets: Mapping[str, TargetArray] = MappingProxyType({}),
    ) -> None:
        self._dataset = dataset
        self._samples = tuple(samples)
        self._scale = scale
        self._targets = targets
        self._left = limit_mb * 2**20
        self._kept: dict[int, tuple[AnyArray, TargetArray]] = {}

    def __len__(self) -> int:
        return len(self._samples)

    def class_pixels(self) -> NDArray[np.int64]:
        """Labelled pixels (samples, K) of each class at native resolution; no rows where a sample's are not known."""
        counted = [sample.pixels[:-1] for sample in self._samples if sample.pixels is not None]
        return np.array(counted if len(counted) == len(self) else [], dtype=np.int64)

    def areas(self) -> list[float]:
        """Pixels of each sample at the working resolution; nothing is decoded for it."""
        return [sample.height * sample.width * self._scale**2 for sample in self._samples]

    def __getitem__(self, place: int) -> tuple[AnyArray, TargetArray]:
        """Image (C, H, W) in the file's dtype and target (H, W) or (K, H, W) uint8."""
        if place in self._kept:
            return self._kept[place]
        pixels = self._read(self._samples[place])
        size = pixels[0].nbytes + pixels[1].nbytes
        if size <= self._left:
            self._left -= size
            self._kept[place] = pixels
        return pixels

    def _read(self, sample: Sample) -> tuple[AnyArray, TargetArray]:
        pixels, target = self._dataset.labelled_image(sample)
        target = self._targets.get(sample.name, target)
        image = np.ascontiguousarray(pixels.transpose(2, 0, 1))
        if self._scale == 1:
            return image, target
        return resized(image, self._scale), resized_target(target, self._scale)


class Batches:
    """Random views of the stored samples.

    An epoch shows each image once for every crop that its area holds, in a new order each time. A share of the
    views, `class_balanced_fraction`, is drawn otherwise: first a class, the rarer the more often, then one of the
    images that hold it, then one of its pixels, about which the view is centred. Another share,
    `hard_example_fraction`, shows each image by its crops times the share of it that is answered wrongly, once that
    is known.

    Args:
        store: The samples.
        codec: Normalises the images.
        train: `batch_size`, `crop_hw`, `class_balanced_fraction`, `hard_example_fraction` and `labelled_crops` are
            used.
        transforms: The augmentation.
        seed: Decides order, places and transforms.
    """

    def __init__(
        self, store: PixelStore, codec: Codec, train: TrainSettings, transforms: AugmentSettings, seed: int
    ) -> None:
        self._store = store
        self._codec = codec
        self._crop_hw = train.crop_hw
        self._batch_size = train.batch_size
        self._transforms = transforms
        self._seed = seed
        crop_area = train.crop_hw[0] * train.crop_hw[1]
        crops = [max(1, round(area / crop_area)) for area in store.areas()]
        self._crops = np.array(crops)
        self._places = np.repeat(np.arange(len(store)), crops)
        self._class_pixels = store.class_pixels()
        self._class_balanced_fraction = train.class_balanced_fraction if self._class_pixels.size else 0.0
        self._hard_example_fraction = train.hard_example_fraction
        self._labelled_crops = train.labelled_crops

    @property
    def steps_per_epoch(self) -> int:
        """Steps in which every crop's worth of every image is seen about once, at least 1."""
        return max(1, round(len(self._places) / self._batch_size))

    def __call__(
        self, step: int, slots: Sequence[int] | None = None, errors: NDArray[np.float64] | None = None
    ) -> Batch:
        """The batch of a step, from 0 on.

        Args:
            step: Which.
            slots: Those of this process; all of them by default.
            errors: (samples,) the share of each that is answered wrongly, 0..1; None where that is not known.
        """
        slots = range(self._batch_size) if slots is None else slots
        draws = [np.random.default_rng([self._seed, step, slot]) for slot in slots]
        first = step * self._batch_size
        shown = [self._shown(first + slot, draw, errors) for slot, draw in zip(slots, draws, strict=True)]
        windows = [self._window(place, rare, draw) for (place, rare), draw in zip(shown, draws, strict=True)]
        image = self._codec.normalise(torch.from_numpy(np.stack([image for image, _ in windows])))
        target = torch.from_numpy(np.stack([target for _, target in windows]))
        image, target = augment(image, target, self._crop_hw, self._transforms, draws)
        target = self._codec.loss_target(target)
        return Batch(image, target, np.array([place for place, _ in shown], dtype=np.int64))

    def _shown(
        self, position: int, draw: np.random.Generator, errors: NDArray[np.float64] | None
    ) -> tuple[int, int | None]:
        """Which sample a view shows, and the class that it is centred on, if any."""
        chance = draw.random()
        if chance < self._class_balanced_fraction:
            rare = self._rare_class(draw)
            return int(draw.choice(np.flatnonzero(self._class_pixels[:, rare]))), rare
        if (
            chance < self._class_balanced_fraction + self._hard_example_fraction
            and errors is not None
            and errors.any()
        ):
            hardness = self._crops * errors
            return int(draw.choice(len(hardness), p=hardness / hardness.sum())), None
        return self._place(position), None

    def _place(self, position: int) -> int:
        epoch, rest = divmod(position, len(self._places))
        order = np.random.default_rng([self._seed, epoch]).permutation(self._places)
        return int(order[rest])

    def _window(self, place: int, rare: int | None, draw: np.random.Generator) -> tuple[AnyArray, TargetArray]:
        """A window about a random crop; beyond the border the image is mirrored and the target IGNORED."""
        image, target = self._store[place]
        centre = None if rare is None else _pixel_of(target, rare, draw)
        if centre is None and self._labelled_crops:
            centre = _labelled_pixel(target, self._crop_hw, draw)
        sizes = window_hw(self._crop_hw, self._transforms)
        starts = []
        for axis, (length, crop, size) in enumerate(zip(image.shape[1:], self._crop_hw, sizes, strict=True)):
            if length <= crop:  # anywhere: a network that never sees a border at the window's edge errs there
                start = int(draw.integers(length - crop, 1))
            elif centre is None:
                start = int(draw.integers(length - crop + 1))
            else:
                start = min(max(centre[axis] - crop // 2, 0), length - crop)
            starts.append(start - (size - crop) // 2)
        return cut(image, starts, sizes, mirror=True), cut(target, starts, sizes, mirror=False)

    def _rare_class(self, draw: np.random.Generator) -> int:
        """A class that occurs, drawn by one over the square root of its pixels."""
        pixels = self._class_pixels.sum(0)
        chances = np.where(pixels > 0, 1 / np.sqrt(np.maximum(pixels, 1)), 0.0)
        return int(draw.choice(len(pixels), p=chances / chances.sum()))


def _pixel_of(target: TargetArray, wanted: int, draw: np.random.Generator) -> tuple[int, int] | None:
    """Row and column of a random pixel of a class; None where resampling left none of them."""
    places = np.flatnonzero(target == wanted if target.ndim == 2 else target[wanted] == 1)
    if not places.size:
        return None
    row, column = divmod(int(draw.choice(places)), target.shape[-1])
    return row, column


def _labelled_pixel(
    target: TargetArray, crop_hw: tuple[int, int], draw: np.random.Generator
) -> tuple[int, int] | None:
    """Row and column near a labelled pixel, of the classes that the image shows alike; None where it shows none.

    The pixel lies anywhere in the middle half of the view, so that labels are not seen at its centre alone.
    """
    if target.ndim == 2:
        present = np.flatnonzero(np.bincount(target.ravel(), minlength=IGNORED + 1)[:IGNORED])
    else:
        present = np.flatnonzero((target == 1).any(axis=(1, 2)))
    if not present.size:
        return None
    pixel = _pixel_of(target, int(draw.choice(present)), draw)
    if pixel is None:
        return None
    row, column = (
        int(place + draw.integers(-(side // 4), side // 4 + 1)) for place, side in zip(pixel, crop_hw, strict=True)
    )
    return row, column


def batches_ahead(make: Callable[[int], Batch], first: int) -> Generator[Batch]:
    """Batches from step `first` on, without end, a few of them made beforehand by a thread.

    It computes alone: two teams of threads on the same cores would sleep and wake where one team spins.
    """
    with ThreadPoolExecutor(1, "batches", torch.set_num_threads, (1,)) as pool:
        waiting: deque[Future[Batch]] = deque(pool.submit(make, first + i) for i in range(READ_AHEAD))
        step = first + READ_AHEAD
        try:
            while True:
                batch = waiting.popleft().result()
                waiting.append(pool.submit(make, step))
                step += 1
                yield batch
        finally:
            for future in waiting:
                future.cancel()


def cut(array: AnyArray, starts: Sequence[int], sizes: Sequence[int], *, mirror: bool) -> AnyArray:
    """A window of the last two axes that may reach beyond them.

    Args:
        array: (..., H, W).
        starts: First row and first column, negative allowed; the window meets the array.
        sizes: Rows and columns.
        mirror: Beyond the border repeat the array mirrored; otherwise put IGNORED.
    """
    inside, beyond = [], []
    for start, size, length in zip(starts, sizes, array.shape[-2:], strict=True):
        low, high = max(start, 0), min(start + size, length)
        inside.append(slice(low, high))
        beyond.append((low - start, start + size - high))
    where: Any = (..., *inside)
    window: ImageArray = array[where]
    if beyond == [(0, 0), (0, 0)]:
        return window
    margins = [(0, 0)] * (array.ndim - 2) + beyond
    return np.pad(window, margins, "symmetric") if mirror else np.pad(window, margins, constant_values=IGNORED)


def resized(image: AnyArray, scale: float) -> AnyArray:
    """Image (C, H, W) resampled with antialiasing, in its own dtype."""
    size = [max(1, round(length * scale)) for length in image.shape[1:]]
    as_float = torch.from_numpy(image.astype(np.float32))[None]
    small = F.interpolate(as_float, size, mode="bilinear", antialias=True, align_corners=False)[0].numpy()
    return (small.round() if image.dtype.kind in "ui" else small).astype(image.dtype)


def resized_target(target: TargetArray, scale: float) -> TargetArray:
    """Target (H, W) or (K, H, W) resampled by nearest neighbour: no new values."""
    layers = torch.from_numpy(target.reshape(-1, *target.shape[-2:]))[None]
    size = [max(1, round(length * scale)) for length in target.shape[-2:]]
    small: TargetArray = F.interpolate(layers, size, mode="nearest-exact")[0].numpy()
    return small.reshape(*target.shape[:-2], *size)
