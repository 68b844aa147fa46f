"""From a map of classes to numbered instances, in memory or from rows that come one after the other."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final, get_args

import numpy as np
from numpy.typing import NDArray

from perpixel.errors import SettingsError, did_you_mean
from perpixel.geometry.components import Region, Regions
from perpixel.geometry.histogram import byte_histogram
from perpixel.instances.separation import can_be_cut, parts_of, separated
from perpixel.runtime.choices import InstanceMethod
from perpixel.shapes import IGNORED, AnyArray, TargetArray

METHODS: Final[tuple[InstanceMethod, ...]] = get_args(InstanceMethod)


@dataclass(frozen=True)
class Instances:
    """The instances of one class map.

    Args:
        regions: What they are made of.
        numbers: The instance of each run of the regions: from 1 in the order of their first pixels, 0 for none.
        classes: By the value of a region, its class index.
    """

    regions: Regions
    numbers: NDArray[np.int64]
    classes: NDArray[np.int64]

    def __len__(self) -> int:
        return int(self.numbers.max(initial=0))

    def painted(self, top: int, height: int) -> NDArray[np.int64]:
        """Rows of the map with the number of each pixel's instance, (height, W); 0 for none."""
        return self.regions.painted(self.numbers, top, height)

    def class_indices(self) -> NDArray[np.int64]:
        """The class index of each instance, in the order of the numbers."""
        values = np.zeros(len(self) + 1, np.int64)
        counts = self.numbers > 0
        values[self.numbers[counts]] = self.classes[self.regions.values[counts]]
        return values[1:]

    def outlined(self, tolerance_px: float = 0) -> Iterator[tuple[int, Region]]:
        """Class index and outline of each instance, in the order of the numbers; see `Regions.outlined`."""
        for region in self.regions.outlined(self.numbers, tolerance_px):
            yield int(self.classes[region.value]), region


def find_instances(
    regions: Regions, how: InstanceMethod = "connected", *, skip: Sequence[int] = (), least_px: int = 0
) -> Instances:
    """The instances of a map whose connected components are known.

    Args:
        regions: All components of the map, of every class.
        how: One of `METHODS`.
        skip: Classes that have no instances, such as the background.
        least_px: Instances of fewer pixels do not count.

    Raises:
        SettingsError: There is no such method.
    """
    _refuse_unknown(how)
    if how == "connected":
        highest = int(max(regions.values.max(initial=0), 0))
        return Instances(regions, regions.numbers(tuple(skip), least_px), np.arange(highest + 1))
    parts, classes = separated(regions, regions.numbers(tuple(skip)))
    return Instances(parts, parts.numbers(least_px=least_px), classes)


def label(
    mask: AnyArray, how: InstanceMethod = "connected", *, skip: Sequence[int] = (), least_px: int = 0
) -> NDArray[np.int32]:
    """Number the instances of a mask in memory.

    Args:
        mask: (H, W) bool; or class indices, with IGNORED where there is no class.
        how: One of `METHODS`.
        skip: Classes that have no instances; False in a mask of bool never has.
        least_px: Instances of fewer pixels do not count.

    Returns:
        (H, W) int32: 0 outside, instances from 1 in the order of their first pixels.

    Raises:
        SettingsError: There is no such method.

    >>> label(np.array([[1, 1, 0, 1], [0, 0, 1, 1]], bool))
    array([[1, 1, 0, 2],
           [0, 0, 2, 2]], dtype=int32)
    """
    from scipy import ndimage

    _refuse_unknown(how)
    skipped = {0, *skip} if mask.dtype == bool else {IGNORED, *skip}
    numbers = np.zeros(mask.shape, np.int32)
    present = (
        np.flatnonzero(byte_histogram(mask.view(np.uint8))) if mask.dtype in (bool, np.uint8) else np.unique(mask)
    )
    for value in present:
        if int(value) not in skipped:
            components = ndimage.label(mask == value)[0]  # connected by their sides
            numbers += np.where(components, components + numbers.max(initial=0), 0).astype(np.int32)
    if how == "watershed":
        numbers = _cut(numbers)
    return _in_order(numbers, least_px)


def class_layers(target: TargetArray) -> list[TargetArray]:
    """Split a target into maps of class indices: one for multiclass labels, one for each multilabel class.

    Args:
        target: (H, W), or (K, H, W) in {0, 1}; IGNORED where unknown.

    Returns:
        (H, W) uint8 each; IGNORED where there is no class.
    """
    if target.ndim == 2:
        return [target]
    return [np.where(layer == 1, k, IGNORED).astype(np.uint8) for k, layer in enumerate(target)]


def label_layers(
    target: TargetArray, how: InstanceMethod = "connected", *, background: int | None = None, least_px: int = 0
) -> list[NDArray[np.int32]]:
    """Number the instances of a whole target, as `predict` writes them.

    Args:
        target: (H, W), or (K, H, W) in {0, 1}; IGNORED where unknown.
        how: One of `METHODS`.
        background: The class that has no instances, if there is one.
        least_px: Instances of fewer pixels do not count.

    Returns:
        (H, W) int32 for each of `class_layers`.
    """
    skip = () if background is None else (background,)
    return [label(layer, how, skip=skip, least_px=least_px) for layer in class_layers(target)]


def _cut(numbers: NDArray[np.int32]) -> NDArray[np.int32]:
    """Every component cut at its necks."""
    from scipy import ndimage

    cut, count = np.zeros_like(numbers), 0
    for number, box in enumerate(ndimage.find_objects(numbers), start=1):
        inside = numbers[box] == number
        parts = parts_of(inside) if can_be_cut(inside) else inside.astype(np.int64)
        cut[box][inside] = parts[inside] + count
        count += int(parts.max())
    return cut


def _in_order(numbers: NDArray[np.int32], least_px: int) -> NDArray[np.int32]:
    """Numbers from 1 in the order of their first pixels; instances that are too small are left out."""
    places = np.flatnonzero(numbers)
    inside = numbers.ravel()[places]
    pixels = np.bincount(inside, minlength=1)
    first = np.zeros(len(pixels), np.int64)
    first[inside[::-1]] = places[::-1]  # of equal numbers the last one written stays
    counted = np.flatnonzero((pixels > 0) & (pixels >= least_px))
    number = np.zeros(len(pixels), np.int32)
    number[counted[np.argsort(first[counted])]] = np.arange(1, len(counted) + 1)
    return number[numbers]


def _refuse_unknown(how: str) -> None:
    if how not in METHODS:
        raise SettingsError(f"there is no method {how} to find instances.", fix=did_you_mean(how, METHODS))
