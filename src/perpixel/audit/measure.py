"""Measure one image and its mask."""

from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Final

import numpy as np
from numpy.typing import NDArray

from perpixel.dataset import Dataset, Sample
from perpixel.dataset.duplicates import Thumbnail, gray_thumbnail
from perpixel.files.open_image import without_data
from perpixel.files.pillow_images import decode
from perpixel.files.read import decode_picture, open_image
from perpixel.geometry.histogram import byte_histogram
from perpixel.labels.codec import as_channels
from perpixel.shapes import IGNORED, AnyArray

BARS: Final = 64
SAMPLED: Final = 256
"""Values taken evenly from an image of more than eight bits, for the histogram."""


@dataclass(frozen=True)
class Channels:
    """Figures of each channel, (C,)."""

    count: AnyArray  # pixels that count
    mean: AnyArray
    squares: AnyArray  # sum of squared distances from the mean
    least: AnyArray
    greatest: AnyArray


@dataclass(frozen=True)
class Measure:
    """The figures of one image and its mask; of its channels where they were asked for."""

    channels: Channels | None
    pixels: tuple[int, ...]  # (K + 1,) of each class, and ignored


class Intensities:
    """How the values of all images are spread; images are added from many threads."""

    def __init__(self, channels: int) -> None:
        self._lock = Lock()
        self._counts = np.zeros((channels, 256), np.int64)
        self._values: list[NDArray[np.float32]] = []

    def add_counts(self, counts: NDArray[np.int64]) -> None:
        """Add how often each value 0..255 occurs in each channel, (C, 256)."""
        with self._lock:
            self._counts += counts

    def add_values(self, values: NDArray[np.float32]) -> None:
        """Add some values (n, C) of an image."""
        with self._lock:
            self._values.append(values)

    def shares(self, least: AnyArray, greatest: AnyArray) -> tuple[tuple[float, ...], ...]:
        """BARS shares of the values of each channel between its least and its greatest."""
        values = np.concatenate([np.zeros((0, len(least)), np.float32), *self._values])
        shares = []
        for channel, (low, high) in enumerate(zip(least, greatest, strict=True)):
            edges = np.linspace(low, high if high > low else low + 1, BARS + 1)
            inside = values[np.isfinite(values[:, channel]), channel]
            bars = np.histogram(inside, edges)[0]
            bars = bars + np.histogram(np.arange(256), edges, weights=self._counts[channel])[0]
            shares.append(tuple(float(bar) for bar in bars / max(bars.sum(), 1)))
        return tuple(shares)


def measure(
    dataset: Dataset, sample: Sample, intensities: Intensities | None, *, least_side: int | None = None
) -> tuple[Measure, Thumbnail]:
    """Measure a sample and make it small.

    Args:
        dataset: Reads it.
        sample: Labelled or not.
        intensities: To which its values are added; None where those of its channels are not asked for.
        least_side: Make the thumbnail of a JPEG decoded to no more than sides of so many pixels need.

    Raises:
        DataError: It cannot be decoded.
    """
    pixels = _class_pixels(dataset, sample) if sample.is_labelled else ()
    picture = None if sample.box else decode_picture(sample.image, least_side)
    if picture is not None and picture.mode in ("L", "RGB"):
        thumbnail = gray_thumbnail(picture)
        if intensities is None:
            return Measure(None, pixels), thumbnail
        if picture.size != (sample.width, sample.height):  # decoded small
            picture = decode(sample.image)
        counts = np.array(picture.histogram(), np.int64).reshape(-1, 256)
        counts = np.repeat(counts, dataset.channels // len(counts), axis=0)  # gray among colour
        intensities.add_counts(counts)
        return Measure(_from_histograms(counts), pixels), thumbnail
    with open_image(sample.image, sample.page) as file:
        pixels_read = file.read(*sample.box) if sample.box else file.read()
        image, nodata = as_channels(pixels_read, dataset.channels), file.nodata
    flat = image.reshape(-1, image.shape[2])
    empty = without_data(image, nodata)
    if empty is not None:
        image = np.where(empty[..., None], np.float32(np.nan), image)
    if intensities is not None:
        shown = image.reshape(flat.shape)
        intensities.add_values(shown[:: max(len(flat) // SAMPLED, 1)][:SAMPLED].astype(np.float32))
    channels = None if intensities is None else _from_values(flat, nodata)
    return Measure(channels, pixels), gray_thumbnail(image)


def _from_histograms(counts: NDArray[np.int64]) -> Channels:
    value = np.arange(256.0)
    total = counts.sum(axis=1)
    mean = counts @ value / total
    squares = (counts * (value - mean[:, None]) ** 2).sum(axis=1)
    present = counts > 0
    least, greatest = present.argmax(axis=1).astype(float), 255.0 - present[:, ::-1].argmax(axis=1)
    return Channels(total, mean, squares, least, greatest)


def _from_values(flat: AnyArray, nodata: float | None) -> Channels:
    """The same figures of (pixels, C) values; NaN, infinities and pixels without data do not count."""
    valid = np.isfinite(flat) if flat.dtype.kind == "f" else np.ones(flat.shape, bool)
    if nodata is not None:
        valid &= flat != nodata
    count = valid.sum(axis=0)
    some = np.maximum(count, 1)
    mean = np.where(valid, flat, 0).sum(axis=0, dtype=np.float64) / some
    squares = np.square(np.where(valid, flat - mean, 0)).sum(axis=0)
    least, greatest = np.where(valid, flat, np.inf).min(axis=0), np.where(valid, flat, -np.inf).max(axis=0)
    return Channels(count, mean, squares, least, greatest)


def _class_pixels(dataset: Dataset, sample: Sample) -> tuple[int, ...]:
    """Pixels of each class, and of those ignored."""
    if sample.pixels is not None:
        return sample.pixels
    target, classes = dataset.target(sample), len(dataset.labels)
    if target.ndim == 3:
        return (*(int((band == 1).sum()) for band in target), int((target == IGNORED).any(axis=0).sum()))
    counts = byte_histogram(target).tolist()
    return (*counts[:classes], counts[IGNORED])


def pooled(measures: Sequence[Channels]) -> tuple[AnyArray, AnyArray, AnyArray]:
    """Merge counts, means and squared distances pair by pair.

    Source: Chan, Golub and LeVeque (1979), Updating Formulae and a Pairwise Algorithm, eq. 2.1.
    """
    count, mean, squares = np.zeros(1), np.zeros(1), np.zeros(1)
    for m in measures:
        both = np.maximum(count + m.count, 1)
        shift = m.mean - mean
        squares = squares + m.squares + shift**2 * count * m.count / both
        mean = mean + shift * m.count / both
        count = count + m.count
    return count, mean, squares
