"""Find images that show the same: exact copies, and copies turned, flipped, rescaled or recompressed."""

from collections.abc import Sequence
from hashlib import blake2b
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from perpixel.shapes import ImageArray

Thumbnail: TypeAlias = NDArray[np.float32]

SIDE: Final = 32
SMALL: Final = 8 * SIDE
"""Pictures with a smaller side are averaged in one step; larger ones are made small in two, which is quicker."""
COARSE_SIDE: Final = 8
ALIKE: Final = 0.99
"""Correlation of two thumbnails from which they are near duplicates. Different pictures of a kind stay below:
0.981 for retinas of two patients, 0.976 for neighbouring video frames of a moving car, 0.69 for slices of a stack."""
COARSE_ALIKE: Final = 0.97
FLAT: Final = 1e-3
"""Thumbnails whose spread is below this share of their mean hold no picture; they are compared by equality."""
ROWS_AT_ONCE: Final = 512


def gray_thumbnail(image: ImageArray | Image.Image) -> Thumbnail:
    """Average an (H, W, C) image, or an 8-bit picture, over its channels and over SIDE × SIDE boxes."""
    if not isinstance(image, Image.Image):
        image = Image.fromarray(gray(image))
    gap = 2.0 if min(image.size) >= SMALL else None
    small = np.asarray(image.resize((SIDE, SIDE), Image.Resampling.BOX, reducing_gap=gap), np.float32)
    mean: Thumbnail = small.reshape(SIDE, SIDE, -1).mean(axis=-1).astype(np.float32)
    return mean


def gray(image: ImageArray) -> NDArray[np.float32]:
    """The mean of the channels of an (H, W, C) image, (H, W); what is no number becomes the mean of the rest."""
    mean: NDArray[np.float32] = image.astype(np.float32).mean(axis=-1)
    unknown = ~np.isfinite(mean)
    if unknown.any():
        mean[unknown] = 0 if unknown.all() else mean[~unknown].mean(dtype=np.float64)
    return mean


def near_duplicates(thumbnails: NDArray[np.float32]) -> list[tuple[int, int]]:
    """Pairs of like pictures, in any of the eight orientations.

    Args:
        thumbnails: (N, SIDE, SIDE).

    Returns:
        Pairs (i, j), i < j, at most N − 1 of them: enough to join all that are alike.
    """
    count = len(thumbnails)
    joined = Groups(count)
    pairs = _equal(thumbnails, joined)
    pictures = np.flatnonzero(_are_pictures(thumbnails))
    if len(pictures) < 2:
        return pairs
    boxes = thumbnails.reshape(-1, COARSE_SIDE, SIDE // COARSE_SIDE, COARSE_SIDE, SIDE // COARSE_SIDE)
    coarse = boxes.mean(axis=(2, 4))[pictures]
    upright = unit(coarse)
    for orientation in range(8):
        turned = unit(oriented(coarse, orientation))
        for start in range(0, len(pictures), ROWS_AT_ONCE):
            rows = upright[start : start + ROWS_AT_ONCE]
            close = rows @ turned[start:].T > COARSE_ALIKE
            close[:, : len(rows)] = np.triu(close[:, : len(rows)], 1)  # each pair once
            some = np.flatnonzero(close.any(axis=1))
            for row, column in np.argwhere(close[some]):
                i, j = int(pictures[start + some[row]]), int(pictures[start + column])
                if not joined.together(i, j):
                    turned_back = oriented(thumbnails[j : j + 1], orientation)
                    if correlations(thumbnails[i : i + 1], turned_back)[0] > ALIKE:
                        joined.join(i, j)
                        pairs.append((i, j))
    return sorted(pairs)


def oriented(images: NDArray[np.float32], orientation: int) -> NDArray[np.float32]:
    """One of the eight quarter turns and flips (0: as it is) of (N, S, S) images."""
    turned = np.rot90(images, orientation % 4, (1, 2))
    return turned[:, :, ::-1] if orientation >= 4 else turned


def neighbours_alike(thumbnails: NDArray[np.float32], seed: int = 0) -> bool:
    """Whether images, in their order, look like their neighbours far more than like others: frames or slices.

    The median correlation of neighbours exceeds that of random pairs by 0.3 (retinas: 0.00, street scenes of
    one drive: 0.12, slices 50 nm apart: 0.52).
    """
    if len(thumbnails) < 8:
        return False
    starts = range(0, len(thumbnails) - 1, ROWS_AT_ONCE)
    blocks = (unit(thumbnails[start : start + ROWS_AT_ONCE + 1]) for start in starts)
    beside = np.concatenate([(block[:-1] * block[1:]).sum(axis=1) for block in blocks])
    first, second = np.random.default_rng(seed).integers(0, len(thumbnails), (2, 1000))
    apart = np.abs(first - second) > 2
    others = correlations(thumbnails[first[apart]], thumbnails[second[apart]])
    return bool(np.median(beside) - np.median(others) > 0.3)


class Groups:
    """Things that belong together, joined pair by pair (union-find)."""

    def __init__(self, count: int) -> None:
        self._parent = list(range(count))

    def find(self, index: int) -> int:
        """The group's representative: its least member."""
        while self._parent[index] != index:
            self._parent[index] = self._parent[self._parent[index]]
            index = self._parent[index]
        return index

    def join(self, first: int, second: int) -> None:
        """Put the groups of both together."""
        low, high = sorted((self.find(first), self.find(second)))
        self._parent[high] = low

    def together(self, first: int, second: int) -> bool:
        """Whether both are in one group."""
        return self.find(first) == self.find(second)


def _equal(thumbnails: NDArray[np.float32], joined: Groups) -> list[tuple[int, int]]:
    first_seen: dict[bytes, int] = {}
    pairs = []
    for index, thumbnail_ in enumerate(thumbnails):
        first = first_seen.setdefault(blake2b(thumbnail_.tobytes(), digest_size=16).digest(), index)
        if first != index:
            joined.join(first, index)
            pairs.append((first, index))
    return pairs


def unit(images: NDArray[np.float32]) -> NDArray[np.float32]:
    """(N, S·S) with mean 0 and length 1."""
    vectors = images.reshape(len(images), -1)
    vectors = vectors - vectors.mean(axis=1, keepdims=True)
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: NDArray[np.float32] = (vectors / np.maximum(length, 1e-12)).astype(np.float32)
    return unit


def correlations(first: NDArray[np.float32], second: NDArray[np.float32]) -> NDArray[np.float32]:
    """Of each of (N, S, S) with its counterpart, (N,)."""
    products: NDArray[np.float32] = (unit(first) * unit(second)).sum(axis=1)
    return products


def _are_pictures(images: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Which of (N, S, S) hold more than one even tone, (N,)."""
    pictured: NDArray[np.bool_] = images.std(axis=(1, 2)) > FLAT * np.abs(images).mean(axis=(1, 2))
    return pictured


def together(names: Sequence[str], pairs: Sequence[tuple[str, str]]) -> dict[str, str]:
    """For each name the first name of its group, joined by the pairs."""
    place = {name: index for index, name in enumerate(names)}
    groups = Groups(len(names))
    for first, second in pairs:
        if first in place and second in place:
            groups.join(place[first], place[second])
    return {name: names[groups.find(index)] for name, index in place.items()}
