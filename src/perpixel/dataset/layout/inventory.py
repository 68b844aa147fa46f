"""Look at every mask once: its size and how often each value or colour occurs."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import chain
from os import cpu_count
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias, TypeVar

import numpy as np
from PIL import Image

from perpixel.errors import DataError, Problem
from perpixel.files.read import GeoReference, RawMask, read_mask
from perpixel.geometry.histogram import byte_histogram
from perpixel.shapes import AnyArray

Item = TypeVar("Item")
Result = TypeVar("Result")

ITEMS_AT_ONCE: Final = 16
"""Handed to a thread together: handing over takes as long as reading a header."""
OPAQUE_FROM: Final = 128
"""Alpha from which a pixel is seen."""
DARKEST: Final = 64
"""Red below is no colour to be looked at, but a number."""
MaskKind: TypeAlias = Literal["index", "colour", "channels"]
Page: TypeAlias = tuple[Path, int]
CountProgress: TypeAlias = Callable[[int, int], None]


@dataclass(frozen=True)
class MaskFacts:
    """What one mask file holds.

    Args:
        height: In pixels, turned by the file's own orientation tag.
        width: Likewise.
        kind: "index" (one channel, or three equal ones), "colour", or "channels" (one a class).
        values: Pixels of each value; colours as 0xRRGGBB. For "channels" the values over all of them.
        palette: The colour (0xRRGGBB) of each index that occurs, for palette files.
        lossy: Whether the format altered the values.
        nodata: The value that the file names as no data.
        channels: Of "channels", how many.
        georeference: For GeoTIFF.
        clear: Pixels that are transparent, where the file has an alpha; else None.
        pages: Pages in the file.
        orientation: The tag by which it was turned, 1..8.
    """

    height: int
    width: int
    kind: MaskKind
    values: Mapping[int, int]
    palette: Mapping[int, int] = field(default_factory=dict)
    lossy: bool = False
    nodata: float | None = None
    channels: int = 1
    georeference: GeoReference | None = None
    clear: int | None = None
    pages: int = 1
    orientation: int = 1


def look_at_masks(pages: Sequence[Page]) -> tuple[dict[Page, MaskFacts], list[Problem]]:
    """Read each mask once, on all cores; unreadable ones become problems."""
    return gathered(lambda page: mask_facts(read_mask(*page)), pages)


def gathered(
    function: Callable[[Item], Result], items: Sequence[Item], progress: CountProgress | None = None
) -> tuple[dict[Item, Result], list[Problem]]:
    """Call `function` on every item in threads (decoders release the interpreter's lock); collect its DataErrors."""
    results: dict[Item, Result] = {}
    problems: list[Problem] = []

    def attempt(item: Item) -> Result | DataError:
        try:
            return function(item)
        except DataError as error:
            return error

    workers = min(16, (cpu_count() or 1) + 1)
    at_once = max(min(len(items) // (8 * workers), ITEMS_AT_ONCE), 1)
    parts = [items[start : start + at_once] for start in range(0, len(items), at_once)]
    with ThreadPoolExecutor(workers) as pool:
        found = chain.from_iterable(pool.map(lambda part: [attempt(item) for item in part], parts))
        for done, (item, result) in enumerate(zip(items, found, strict=True), start=1):
            if isinstance(result, DataError):
                problems += result.problems
            else:
                results[item] = result
            if progress:
                progress(done, len(items))
    return results, merged(problems)


def merged(problems: Iterable[Problem]) -> list[Problem]:
    """Several problems of one kind (the same fix, more than one) as one with examples."""
    by_fix: dict[str, list[Problem]] = {}
    for problem in problems:
        by_fix.setdefault(problem.fix, []).append(problem)
    return [
        same[0]
        if len(same) == 1
        else Problem(f"{len(same)} files cannot be used as they are.", fix, tuple(p.what for p in same))
        for fix, same in by_fix.items()
    ]


def mask_facts(mask: RawMask) -> MaskFacts:
    """Count the values of a mask."""
    values, palette = painted_values(mask), mask.palette
    height, width = values.shape[:2]
    kind: MaskKind = "index"
    if values.ndim == 3:
        kind = "colour" if values.shape[2] == 3 and values.dtype == np.uint8 else "channels"
    counts = _colour_counts(values) if kind == "colour" else _value_counts(values)
    used = {v: packed(palette[v]) for v in counts if 0 <= v < 256} if palette is not None else {}
    channels = values.shape[2] if kind == "channels" else 1
    clear = None if mask.alpha is None else int((mask.alpha < OPAQUE_FROM).sum())
    return MaskFacts(
        height,
        width,
        kind,
        counts,
        used,
        mask.lossy,
        mask.nodata,
        channels,
        mask.georeference,
        clear,
        mask.pages,
        mask.orientation,
    )


def painted_values(mask: RawMask) -> AnyArray:
    """The values (H, W), colours (H, W, 3) or channels (H, W, C) of a mask as they are seen.

    Equal channels are one; a last channel that is full everywhere is an alpha; what is transparent is black.
    """
    values = mask.values
    if values.ndim == 3 and values.shape[2] in (2, 4) and _is_full(values[..., -1]):
        values = values[..., 0] if values.shape[2] == 2 else values[..., :-1]
    if mask.alpha is not None and mask.palette is None:
        is_clear = mask.alpha < OPAQUE_FROM
        values = np.where(is_clear[..., None] if values.ndim == 3 else is_clear, 0, values).astype(values.dtype)
    if values.ndim == 3 and (gray := one_gray(values)) is not None:
        return gray
    if values.ndim == 3 and values.shape[2] == 3 and _is_red(values):  # numbers of objects, as BBBC039 has them
        return values[..., 0]
    if values.ndim == 3 and values.shape[2] == 3 and values.dtype == np.uint16 and not (values % 257).any():
        return (values // 257).astype(np.uint8)
    return values


def _is_full(alpha: AnyArray) -> bool:
    return alpha.dtype.kind == "u" and bool((alpha == np.iinfo(alpha.dtype).max).all())


def _is_red(values: AnyArray) -> bool:
    """Whether small numbers stand in the first of three channels, and nothing in the others."""
    return not values[..., 1:].any() and int(values[..., 0].max(initial=0)) < DARKEST


def one_gray(values: AnyArray) -> AnyArray | None:
    """(H, W) of an (H, W, 3) picture whose three channels are equal; None of any other."""
    if values.shape[2] != 3:
        return None
    red = values[..., 0]
    return red if (red == values[..., 1]).all() and (red == values[..., 2]).all() else None


def packed(colour: Iterable[Any]) -> int:
    """One integer 0xRRGGBB of (R, G, B).

    >>> hex(packed((1, 2, 255)))
    '0x102ff'
    """
    red, green, blue = map(int, colour)
    return red << 16 | green << 8 | blue


def unpacked(colour: int) -> tuple[int, int, int]:
    """The inverse of `packed`."""
    return colour >> 16, colour >> 8 & 255, colour & 255


def _value_counts(values: AnyArray) -> dict[int, int]:
    if values.dtype == np.uint8:
        counts = byte_histogram(values)
    elif values.dtype == np.uint16:
        counts = np.bincount(values.ravel())
    else:
        found, counts = np.unique(values, return_counts=True)
        return {int(value): int(count) for value, count in zip(found, counts, strict=True)}
    return {int(value): int(counts[value]) for value in np.flatnonzero(counts)}


def _colour_counts(values: AnyArray) -> dict[int, int]:
    few = Image.fromarray(np.ascontiguousarray(values)).getcolors(4096)
    if few is not None:
        return {packed(colour): count for count, colour in few}  # type: ignore[arg-type]
    keys = (values[..., 0].astype(np.int32) << 16) | (values[..., 1].astype(np.int32) << 8) | values[..., 2]
    found, counts = np.unique(keys, return_counts=True)
    return {int(value): int(count) for value, count in zip(found, counts, strict=True)}


def total(facts: Iterable[MaskFacts]) -> Counter[int]:
    """Pixels of each value over all masks."""
    sums: Counter[int] = Counter()
    for fact in facts:
        sums.update(fact.values)
    return sums
