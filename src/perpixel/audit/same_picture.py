"""Whether two pictures that are alike as a whole show the same everywhere, or something else in a part."""

from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from perpixel.dataset.duplicates import gray
from perpixel.shapes import AnyArray

FinePicture: TypeAlias = NDArray[np.float32]

FINE_SIDE: Final = 128
SMALLEST_PX: Final = 9
"""Connected pixels of a fine picture that make a difference: 3 × 3. Recompression alters single ones."""
LEAST_DIFFERENCE: Final = 0.04
"""Of the range of values, what two copies may differ by; a noisy pair may differ by four times its noise."""
MOST_DIFFERENCE: Final = 0.10
"""The same where the noise is strong."""
EDGE_SHARE: Final = 0.35
"""Of the step at an edge, what two copies may differ by there: they are never aligned to the pixel."""
CONSTANT: Final = 0.01
"""Values this near the least or the greatest, as a share of the range, are padding or no data where both have it."""
MARGIN: Final = 4
"""Pixels around it that count as well: resampling mixes them with what is empty."""
LARGEST_SHIFT: Final = 1 / 8
"""Of half the side, how far copies are moved at most in one round."""


def fine_picture(image: AnyArray, side: int = FINE_SIDE) -> FinePicture:
    """Average an (H, W, C) image over its channels and over side × side boxes; NaN becomes the mean of the rest."""
    whole = Image.fromarray(gray(image))
    return np.asarray(whole.resize((side, side), Image.Resampling.BOX, reducing_gap=2.0), np.float32)


def show_the_same(first: FinePicture, second: FinePicture) -> bool:
    """Whether two pictures (S, S) show the same: as they lie, or once the second is moved and enlarged a little.

    Brightness, contrast, gamma, compression and noise may differ. What both are empty of (padding, no data) does not
    count; a region of SMALLEST_PX pixels that differs is enough to tell them apart.
    """
    empty = _empty_in_both(first, second)
    first, second = _filled(first, empty), _filled(second, empty)
    used = ~empty
    if not _differ(first, second, used):
        return True
    moved, inside = _moved_onto(first, second, used)
    return not _differ(first, moved, used & inside)


def _empty_in_both(first: FinePicture, second: FinePicture) -> NDArray[np.bool_]:
    """Where both hold the same extreme value, with a margin around it."""
    from scipy import ndimage

    both = np.stack([first, second])
    empty = np.zeros(first.shape, bool)
    ends = (np.min, np.max)
    for end in sorted(ends, key=lambda end: _spread_near(both, float(end(both)), float(np.ptp(both)))):
        rest = both[:, ~empty]
        value, near = float(end(rest)), CONSTANT * float(np.ptp(rest))
        has = np.abs(both - value) <= near
        more = ndimage.binary_dilation(has.all(axis=0), np.ones((3, 3), bool), iterations=MARGIN)
        if has.mean(axis=(1, 2)).min() >= CONSTANT and (empty | more).mean() <= 1 - CONSTANT:
            empty |= more
    return empty


def _spread_near(pictures: NDArray[np.float32], value: float, span: float) -> float:
    """How much the values near one differ: padding and no data hardly do."""
    return float(pictures[np.abs(pictures - value) <= CONSTANT * span].std())


def _filled(picture: FinePicture, empty: NDArray[np.bool_]) -> FinePicture:
    return np.where(empty, np.median(picture[~empty]), picture) if empty.any() else picture


def _differ(first: FinePicture, second: FinePicture, used: NDArray[np.bool_]) -> bool:
    """Whether there is a region in which they differ by more than compression, noise and edges do."""
    from scipy import ndimage

    second = _toned_as(first, second, used)
    error = np.where(used, first - second, 0)
    low, high = np.percentile(first[used], [1, 99])
    span = max(float(high - low), 1e-9)
    noise = 1.4826 * float(np.median(np.abs(error[used])))
    steps = np.maximum(*(ndimage.maximum_filter(p, 3) - ndimage.minimum_filter(p, 3) for p in (first, second)))
    allowed = np.clip(4 * noise, LEAST_DIFFERENCE * span, MOST_DIFFERENCE * span) + EDGE_SHARE * steps
    regions, count = ndimage.label(np.abs(error) > allowed)
    return bool(count and np.bincount(regions.ravel())[1:].max() >= SMALLEST_PX)


def _toned_as(first: FinePicture, second: FinePicture, used: NDArray[np.bool_]) -> FinePicture:
    """The second with the brightness, contrast and gamma of the first: a cubic, fitted without outliers."""
    scaled = (second - second[used].mean()) / max(float(second[used].std()), 1e-9)
    powers = np.stack([scaled**k for k in range(4)], axis=-1)
    factors = robust_fit(powers[used], first[used])
    toned: FinePicture = (powers @ factors).astype(np.float32)
    return toned


def robust_fit(columns: AnyArray, wanted: AnyArray, rounds: int = 3) -> NDArray[np.float64]:
    """Least squares, weighted anew so that outliers count little (Cauchy weights), (N, P) and (N,) to (P,)."""
    weights = np.ones(len(wanted))
    factors: NDArray[np.float64] = np.zeros(columns.shape[1])
    for _ in range(rounds):
        factors = np.asarray(np.linalg.lstsq(columns * weights[:, None], wanted * weights, rcond=None)[0], np.float64)
        error = wanted - columns @ factors
        spread = 1.4826 * np.median(np.abs(error)) + 1e-9
        weights = np.sqrt(1 / (1 + (error / (3 * spread)) ** 2))
    return factors


def _moved_onto(
    first: FinePicture, second: FinePicture, used: NDArray[np.bool_]
) -> tuple[FinePicture, NDArray[np.bool_]]:
    """The second, moved, turned and enlarged a little onto the first; and where it has pixels.

    Source: Lucas and Kanade (1981), An Iterative Image Registration Technique: the motion explains the difference to
    first order; affine, from coarse to fine.
    """
    from scipy import ndimage

    matrix, offset = np.eye(2), np.zeros(2)
    for sigma in (4.0, 4.0, 2.0, 1.0):
        moved = ndimage.affine_transform(second, matrix, offset, order=1, mode="nearest")
        sparse = [ndimage.gaussian_filter(picture, sigma)[::2, ::2] for picture in (first, moved)]
        step, turn = _motion(sparse[0], sparse[1], used[::2, ::2])
        if not max(np.abs(step).max(), np.abs(turn).max()) < LARGEST_SHIFT:
            break
        side = (len(first) - 1) / 2
        change = np.eye(2) + turn
        shift = step * side - turn @ np.array([side, side])
        matrix, offset = matrix @ change, matrix @ shift + offset
    moved = ndimage.affine_transform(second, matrix, offset, order=1, mode="nearest")
    inside = ndimage.affine_transform(np.ones_like(second), matrix, offset, order=1, mode="constant") > 0.999
    return (moved, inside) if inside.mean() > 1 / 2 else (second, np.ones_like(inside))


def _motion(
    first: FinePicture, second: FinePicture, used: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """How the second is to move (2,) and to deform (2, 2), in half sides, to come to lie on the first."""
    side = (len(first) - 1) / 2
    down, across = (np.mgrid[: len(first), : len(first)] - side) / side
    slope_down, slope_across = np.gradient(second) * np.array(side)
    columns = np.stack(
        [second, np.ones_like(second), slope_down, slope_across]
        + [slope * place for slope in (slope_down, slope_across) for place in (down, across)],
        axis=-1,
    )
    margin = len(first) // 16
    inner = np.zeros(first.shape, bool)
    inner[margin:-margin, margin:-margin] = True
    where = inner & used if (inner & used).sum() > len(first) else inner
    gain, _, *motion = robust_fit(columns[where], first[where])
    gain = gain if abs(gain) > 1e-3 else 1.0
    return np.array(motion[:2]) / gain, np.array(motion[2:]).reshape(2, 2) / gain
