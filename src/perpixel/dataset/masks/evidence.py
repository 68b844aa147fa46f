"""What the shapes in masks say of their values: borders, pieces, strokes, steps between two classes, numbers.

A value of a mask means nothing by itself. 255 is white, or no label; 7 is a class, or the seventh object. Where the
values alone leave two readings, a few masks are looked at.
"""

import warnings
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from perpixel.dataset.layout.inventory import MaskFacts, Page, painted_values
from perpixel.errors import DataError
from perpixel.files.read import open_image, read_mask
from perpixel.shapes import AnyArray, ImageArray

MOST_LOOKED_AT: Final = 12
LARGEST_SIDE: Final = 4096
"""Of a mask more is not looked at: its middle stands for it."""
STEP_PX: Final = 3
"""Pixels that far apart are compared across a border, which may be soft."""
HALF_RANGE: Final = 1 << 31
BY_CHANCE: Final = 0.001
"""Images look so different under other values with this probability where the values mean nothing."""
BETWEEN_OTHERS: Final = 0.02
"""Where one value lies between all others, this share of the contacts is of the others, and of its pixels inside."""
WIDEST: Final = 7
"""Such a line is narrower, in pixels; that of PASCAL VOC has 5."""
KEEPS_PLACE: Final = 0.5
"""How far the places of one value are spread, as a share of how far all are: below, a value has its place."""
FLAT: Final = 24
"""Gray levels that differ less within 3 × 3 pixels are a plateau, not a step from one class to another."""


@dataclass(frozen=True)
class Shapes:
    """A few of the masks as arrays; each figure is worked out when it is asked for.

    Args:
        facts: Of all masks.
        pages: Which of them are looked at: those with most values, and others evenly taken.
        images: The image, and its page, that each mask belongs to.
        drawn: The masks themselves, where they are no files.
    """

    facts: Mapping[Page, MaskFacts]
    pages: tuple[Page, ...] = field(default=())
    images: Mapping[Page, Page] = field(default_factory=dict)
    drawn: Mapping[Page, AnyArray] = field(default_factory=dict)

    @classmethod
    def of(cls, facts: Mapping[Page, MaskFacts], images: Mapping[Page, Page] | None = None) -> "Shapes":
        """Choose which masks to look at; none is read yet."""
        richest = sorted(facts, key=lambda page: -len(facts[page].values))[:4]
        step = max(1, len(facts) // (MOST_LOOKED_AT - 4))
        pages = dict.fromkeys([*richest, *list(facts)[::step]])
        return cls(facts, tuple(pages)[:MOST_LOOKED_AT], images or {})

    @cached_property
    def arrays(self) -> tuple[AnyArray, ...]:
        """(H, W) of each: its values, or its colours as 0xRRGGBB."""
        return tuple(self._looked_at.values())

    @cached_property
    def _looked_at(self) -> dict[Page, AnyArray]:
        found = {page: middle(array) for page, array in self.drawn.items()}
        for page in self.pages:
            try:
                values = painted_values(read_mask(*page))
            except DataError:  # it is told where all masks are read
                continue
            if values.ndim == 3 and values.shape[2] == 3:
                values = values.astype(np.int64) @ np.array([1 << 16, 1 << 8, 1])
            if values.ndim == 2:
                found[page] = middle(values)
        return found

    @cached_property
    def interiors(self) -> dict[int, tuple[int, int]]:
        """Of each value its pixels, and those whose 3 × 3 neighbours all have it."""
        pixels: dict[int, int] = defaultdict(int)
        inner: dict[int, int] = defaultdict(int)
        for array in self.arrays:
            uniform = _extreme(array, np.maximum) == _extreme(array, np.minimum)
            for value, count in zip(*np.unique(array, return_counts=True), strict=True):
                pixels[int(value)] += int(count)
            for value, count in zip(*np.unique(array[uniform], return_counts=True), strict=True):
                inner[int(value)] += int(count)
        return {value: (count, inner[value]) for value, count in pixels.items()}

    @cached_property
    def contacts(self) -> dict[tuple[int, int], int]:
        """How often two values meet, side by side; the lesser comes first."""
        met: dict[tuple[int, int], int] = defaultdict(int)
        for array in self.arrays:
            for first, second in ((array[:, 1:], array[:, :-1]), (array[1:], array[:-1])):
                differs = first != second
                low, high = np.minimum(first, second)[differs], np.maximum(first, second)[differs]
                both = (low.astype(np.int64) << 32) + high + HALF_RANGE
                for pair, count in zip(*np.unique(both, return_counts=True), strict=True):
                    met[int(pair) >> 32, (int(pair) & 0xFFFFFFFF) - HALF_RANGE] += int(count)
        return dict(met)

    def contact_share(self, rest: int) -> float:
        """Of all meetings of values, the share that is not with `rest`: near 0 for islands, near 1 for a map."""
        every = sum(self.contacts.values())
        with_rest = sum(count for pair, count in self.contacts.items() if rest in pair)
        return 1 - with_rest / every if every else 0.0

    def border_value(self) -> int | None:
        """The value, not 0, that lies as a thin line between all others, at least three; None if none does."""
        from scipy import ndimage

        every = sum(self.contacts.values())
        for value in {v for pair in self.contacts for v in pair} - {0}:
            met = [(pair, count) for pair, count in self.contacts.items() if value in pair]
            if len(met) < 3 or sum(count for _, count in met) < (1 - BETWEEN_OTHERS) * every:
                continue
            wide = np.ones((WIDEST, WIDEST), bool)
            inner = sum(int(np.sum(ndimage.binary_erosion(np.equal(a, value), wide))) for a in self.arrays)
            if inner <= BETWEEN_OTHERS * self.interiors[value][0]:
                return value
        return None

    def border_contrast(self, rest: int) -> float:
        """How much more the images change across the borders of `rest` than elsewhere, as a ratio; NaN if unknown.

        An object ends where the image changes. A stroke, or an outline drawn well inside a field, ends anywhere: 1.
        """
        pictures = ((self._image(page, mask.shape), mask == rest) for page, mask in self._looked_at.items())
        return border_contrast((image, inside) for image, inside in pictures if image is not None)

    def look_different(self) -> bool:
        """Whether the images look different where values differ, by a one-way analysis of variance of their means."""
        from scipy.stats import f_oneway

        looks = ([mean for mean, _ in each] for each in self.looks().values())
        groups = [np.array(each) for each in looks if len(each) >= 2]
        if len(groups) < 2:
            return False
        with np.errstate(all="ignore"), warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)
            return bool((f_oneway(*groups, axis=0).pvalue < BY_CHANCE).any())

    def looks(self) -> dict[int, list[tuple[NDArray[np.float32], NDArray[np.float32]]]]:
        """Of each value but 0 the mean and the deviation (C,) of its pixels in each image that shows it.

        The mean is taken as its difference from where 0 is, so that lighting counts less.
        """
        looks: dict[int, list[tuple[NDArray[np.float32], NDArray[np.float32]]]] = defaultdict(list)
        for page, mask in self._looked_at.items():
            image = self.image_of(page, mask.shape)
            if image is None or not (mask == 0).any():
                continue
            image = np.nan_to_num(image, posinf=0, neginf=0)
            rest = image[mask == 0].mean(axis=0)
            for value in {*np.unique(mask).tolist()} - {0}:
                seen = image[mask == value]
                looks[value].append((seen.mean(axis=0) - rest, seen.std(axis=0)))
        return looks

    def _image(self, page: Page, size: tuple[int, ...]) -> NDArray[np.float32] | None:
        """The image of a mask, each channel with spread 1; None where it cannot be read or is of another size."""
        pixels = self.image_of(page, size)
        return None if pixels is None else spread_to_one(pixels)

    def image_of(self, page: Page, size: tuple[int, ...]) -> NDArray[np.float32] | None:
        """The image of a mask, or its middle, (H, W, C); None where it cannot be read or has another size."""
        if page not in self.images:
            return None
        try:
            with open_image(*self.images[page]) as file:
                fact = self.facts[page]
                if (file.height, file.width) != (fact.height, fact.width):
                    return None
                top, left = _corner((file.height, file.width))
                return file.read(top, left, *size).astype(np.float32)
        except DataError:
            return None

    def plateaus(self, least: int, greatest: int) -> float:
        """Of the gray pixels between two levels, the share in whose neighbourhood the gray hardly changes."""
        between = flat = 0
        for array in self.arrays:
            inside = (array > least) & (array < greatest)
            spread = _extreme(array, np.maximum).astype(np.int64) - _extreme(array, np.minimum)
            between += int(inside.sum())
            flat += int((inside & (spread <= FLAT)).sum())
        return flat / between if between else 0.0

    def pieces(self, values: Sequence[int] | None = None) -> tuple[int, int]:
        """How many values the four masks with most of them hold, 0 apart, and in how many pieces."""
        from scipy import ndimage

        found = pieces = 0
        for array in self.arrays[:4]:
            boxes = {int(v) for v in np.unique(array)} - {0}
            for value in sorted(boxes if values is None else boxes & set(values))[:100]:
                found += 1
                pieces += int(ndimage.label(array == value, np.ones((3, 3)))[1])
        return found, pieces

    def places(self) -> dict[int, NDArray[np.float64]]:
        """Of each value but 0 its centre in every mask that has it, (n, 2), in shares of the height and the width."""
        centres: dict[int, list[tuple[float, float]]] = defaultdict(list)
        for array in self.arrays:
            height, width = array.shape
            rows, columns = np.nonzero(array)
            values, inverse = np.unique(array[rows, columns], return_inverse=True)
            count = np.bincount(inverse)
            row, column = np.bincount(inverse, rows) / count, np.bincount(inverse, columns) / count
            for value, y, x in zip(values, row / height, column / width, strict=True):
                centres[int(value)].append((float(y), float(x)))
        return {value: np.array(centre) for value, centre in centres.items()}

    def keep_places(self, least: int = 3) -> bool:
        """Whether each of at least so many values keeps to its place in the images, down and across, as teeth do."""
        places = [centre for centre in self.places().values() if len(centre) >= 3]
        if len(places) < least:
            return False
        within = np.sqrt(np.mean([centre.var(axis=0) for centre in places], axis=0))
        every = np.concatenate(places).std(axis=0)
        return bool((within < KEEPS_PLACE * np.maximum(every, 1e-9)).all())


def _corner(size: tuple[int, int]) -> tuple[int, int]:
    """Row and column from which the middle of a large mask is looked at."""
    return max(0, (size[0] - LARGEST_SIDE) // 2), max(0, (size[1] - LARGEST_SIDE) // 2)


def middle(values: AnyArray) -> AnyArray:
    """What is looked at of a mask: its middle where it is large."""
    top, left = _corner((values.shape[0], values.shape[1]))
    return values[top : top + LARGEST_SIDE, left : left + LARGEST_SIDE]


def border_contrast(pictures: Iterable[tuple[NDArray[np.float32], AnyArray]]) -> float:
    """How much more images (H, W, C) change where masks (H, W) do than elsewhere, as a ratio; NaN if unknown."""
    across, elsewhere = np.zeros(2), np.zeros(2)
    for image, mask in pictures:
        for axis in (0, 1):
            differs = _apart(mask, axis, np.not_equal)
            change = np.abs(_apart(image, axis, np.subtract)).mean(axis=-1)
            change = np.where(np.isfinite(change), change, 0)
            across += change[differs].sum(), differs.sum()
            elsewhere += change[~differs].sum(), (~differs).sum()
    if not across[1] or not elsewhere[0]:
        return float("nan")
    return float(across[0] / across[1] / (elsewhere[0] / elsewhere[1]))


def spread_to_one(pixels: ImageArray) -> NDArray[np.float32]:
    """An image (H, W, C) with standard deviation 1 in each channel; NaN counts nowhere."""
    pixels = pixels.astype(np.float32)
    with np.errstate(all="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        spread = np.nanstd(pixels, axis=(0, 1))
    return (pixels / np.where(spread > 0, spread, 1)).astype(np.float32)


def _apart(array: AnyArray, axis: int, compare: np.ufunc) -> AnyArray:
    """Compare each pixel with the one `STEP_PX` further down or to the right."""
    before = [slice(None)] * array.ndim
    behind = [slice(None)] * array.ndim
    before[axis], behind[axis] = slice(None, -STEP_PX), slice(STEP_PX, None)
    result: AnyArray = compare(array[tuple(behind)], array[tuple(before)])
    return result


def _extreme(array: AnyArray, choose: np.ufunc) -> AnyArray:
    """The greatest (or least) of the 3 × 3 neighbours of each pixel, the border repeated."""
    padded = np.pad(array, 1, "edge")
    across = choose(choose(padded[:, :-2], padded[:, 1:-1]), padded[:, 2:])
    result: AnyArray = choose(choose(across[:-2], across[1:-1]), across[2:])
    return result
