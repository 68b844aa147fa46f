"""Which images that are alike as a whole are copies, and which show something else before one background.

A fixed camera, a petri dish, white padding or a corner without data make any two images correlate. So what differs
from the background that they have in common is compared.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from perpixel.audit.same_picture import FINE_SIDE, FinePicture, robust_fit, show_the_same
from perpixel.dataset.duplicates import ALIKE, SIDE, Groups, correlations, oriented, unit

Pair = tuple[int, int]

FEW: Final = 4
"""So many images that are alike are compared one by one; more have a background in common."""
LOOKED_AT: Final = 40
"""Of more images so many are compared with their background."""
SCENE_FROM: Final = 0.05
"""From this share of images that differ from the background on, they are one scene; below, copies of one image."""
RESIDUAL_ALIKE: Final = 0.5
"""Correlation of what differs from the background, from which two images may be copies. Independent ones have 0."""
PARTNERS: Final = 5
"""An image is compared with so many of those whose difference from the background is most like its own."""
MANY: Final = 1024
"""More images than this are compared at half the size, which bounds the memory."""
ROWS_AT_ONCE: Final = 512


@dataclass(frozen=True)
class Copies:
    """What was found.

    Args:
        pairs: Copies (i, j), i < j; enough to join all that are copies of each other.
        alike: Images that are alike as a whole and have no copy: they show different things before one background.
    """

    pairs: tuple[Pair, ...]
    alike: tuple[int, ...]


def confirmed(
    pairs: Sequence[Pair], thumbnails: NDArray[np.float32], read: Callable[[Sequence[int], int], list[FinePicture]]
) -> Copies:
    """Keep of near duplicates those that show the same.

    Args:
        pairs: As found by `near_duplicates`: all that are alike are joined by them.
        thumbnails: (N, SIDE, SIDE) of all images.
        read: Gives the fine pictures of some images, of so many pixels a side.
    """
    joined = Groups(len(thumbnails))
    for pair in pairs:
        joined.join(*pair)
    components: dict[int, list[int]] = defaultdict(list)
    for index in sorted({index for pair in pairs for index in pair}):
        components[joined.find(index)].append(index)
    found: list[Pair] = []
    for members in components.values():
        pictures = np.stack(read(members, FINE_SIDE if len(members) <= MANY else FINE_SIDE // 2))
        compare = _few if len(members) <= FEW else _many
        found += [(members[i], members[j]) for i, j in compare(thumbnails[members], pictures)]
    copied = {index for pair in found for index in pair}
    alike = {index for members in components.values() for index in members}
    return Copies(tuple(sorted(found)), tuple(sorted(alike - copied)))


def _few(thumbnails: NDArray[np.float32], pictures: NDArray[np.float32]) -> list[Pair]:
    """Compare each with each."""
    joined, found = Groups(len(pictures)), []
    for j in range(len(pictures)):
        for i in range(j):
            if not joined.together(i, j) and _are_copies(thumbnails[[i, j]], pictures[[i, j]]):
                joined.join(i, j)
                found.append((i, j))
    return found


def _are_copies(thumbnails: NDArray[np.float32], pictures: NDArray[np.float32]) -> bool:
    """Whether two show the same in one of the orientations in which they are alike."""
    return any(
        show_the_same(pictures[0], oriented(pictures[1:], orientation)[0])
        for orientation in range(8)
        if correlations(thumbnails[:1], oriented(thumbnails[1:], orientation))[0] > ALIKE
    )


def _many(thumbnails: NDArray[np.float32], pictures: NDArray[np.float32]) -> list[Pair]:
    """Compare with the background that all have in common, then by what differs from it."""
    pictures = _turned_alike(thumbnails, pictures)
    background: FinePicture = np.median(pictures, axis=0)
    chosen = np.unique(np.linspace(0, len(pictures) - 1, LOOKED_AT).round().astype(int))
    other = [int(index) for index in chosen if not show_the_same(background, pictures[index])]
    if len(other) < max(SCENE_FROM * len(chosen), 1):
        same = [index for index in range(len(pictures)) if index not in other]
        return [(same[0], index) for index in same[1:]]
    return _by_residuals(pictures, _residuals(pictures, background))


def _turned_alike(thumbnails: NDArray[np.float32], pictures: NDArray[np.float32]) -> NDArray[np.float32]:
    """All in the orientation of the first."""
    turns = np.stack([correlations(thumbnails[:1], oriented(thumbnails, orientation)) for orientation in range(8)])
    best = np.where(turns[0] > ALIKE, 0, turns.argmax(axis=0))
    return np.stack([oriented(picture[None], int(turn))[0] for picture, turn in zip(pictures, best, strict=True)])


def _residuals(pictures: NDArray[np.float32], background: FinePicture) -> NDArray[np.float32]:
    """What differs from the background, (N, SIDE, SIDE): neither brightness, nor shadows, nor a small shift."""
    from scipy import ndimage

    columns = np.stack([background, np.ones_like(background), *np.gradient(background)], axis=-1)
    sparse = columns[::2, ::2].reshape(-1, columns.shape[-1])
    side, boxes = len(background), len(background) // SIDE
    residuals = []
    for picture in pictures:
        rest = picture - columns @ robust_fit(sparse, picture[::2, ::2].ravel())
        rest = rest - ndimage.uniform_filter(rest, side // 8)
        residuals.append(rest.reshape(SIDE, boxes, SIDE, boxes).mean(axis=(1, 3)))
    return np.stack(residuals).astype(np.float32)


def _by_residuals(pictures: NDArray[np.float32], residuals: NDArray[np.float32]) -> list[Pair]:
    """Copies among images whose differences from the background correlate, in any orientation."""
    joined, found = Groups(len(pictures)), []
    upright = unit(residuals)
    for orientation in range(8):
        turned = unit(oriented(residuals, orientation))
        for start in range(0, len(pictures), ROWS_AT_ONCE):
            alike = upright[start : start + ROWS_AT_ONCE] @ turned.T
            for row, column in _partners(alike, start):
                if not joined.together(row, column) and show_the_same(
                    pictures[row], oriented(pictures[column : column + 1], orientation)[0]
                ):
                    joined.join(row, column)
                    found.append((row, column))
    return found


def _partners(alike: NDArray[np.float32], start: int) -> list[Pair]:
    """For each row, from `start` on, the later images that it may be a copy of."""
    pairs = []
    for row, values in enumerate(alike, start=start):
        later = np.argsort(-values[row + 1 :])[:PARTNERS] + row + 1
        pairs += [(row, int(column)) for column in later if values[column] > RESIDUAL_ALIKE]
    return pairs
