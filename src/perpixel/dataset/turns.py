"""How a mask has to be turned to lie as its image is read: told by tags, geography, size or borders, or asked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal, TypeAlias

import numpy as np

from perpixel.dataset.layout.inventory import MaskFacts, Page, painted_values
from perpixel.dataset.masks.evidence import border_contrast, spread_to_one
from perpixel.dataset.sample import Finding, Sample, info
from perpixel.errors import Problem
from perpixel.files.read import GeoReference, Header, read_image, read_mask, turned

MaskOrientation: TypeAlias = Literal["stored", "shown"]
"""Whether masks lie as the pixels of their images are stored, or as a viewer shows them, turned by the tag."""

LOOKED_AT: Final = 8
CLEARLY: Final = 1.3
"""How many times stronger the borders must be in one of two ways; right ones were 1.6 or more, wrong ones are 1."""


@dataclass(frozen=True)
class Turns:
    """Samples with their turns, and what is to be said of it."""

    samples: tuple[Sample, ...]
    problem: Problem | None = None
    finding: Finding | None = None


def with_turns(
    samples: Sequence[Sample],
    headers: Mapping[str, Header],
    facts: Mapping[Page, MaskFacts],
    stated: MaskOrientation | None,
) -> Turns:
    """Give each sample the turn that its mask needs.

    Args:
        samples: Their masks have the size of the image, as stored or as shown.
        headers: Of each sample's image, by the sample's name.
        facts: Of each page of a mask.
        stated: What the user says where it is open.
    """
    found, open_ones, seen = [], [], set()
    for sample in samples:
        header = headers[sample.name]
        pages = [facts[path, sample.mask_page] for path in sample.masks]
        turn = _mirroring(header.georeference, pages) if pages else 1
        if turn == 1 and pages and header.orientation != 1 and all(fact.orientation == 1 for fact in pages):
            fitting = _fitting(header, pages)
            if len(fitting) == 2:
                open_ones.append(sample.name)
            else:
                seen |= fitting
                turn = header.orientation if fitting == {"stored"} else 1
        found.append(sample if turn == sample.mask_turn else replace(sample, mask_turn=turn))
    if not open_ones:
        return Turns(tuple(found))
    unclear = [sample for sample in found if sample.name in set(open_ones)]
    way, reason = _decided(unclear, headers, seen, stated)
    names = tuple(sample.image.name for sample in unclear)
    if way is None:
        return Turns(tuple(found), problem=_question(names))
    done = {s.name: replace(s, mask_turn=headers[s.name].orientation if way == "stored" else 1) for s in unclear}
    told = info(
        f"{len(names)} image(s) [is|are] turned by [its|their] orientation tag; the masks are taken as {way}: "
        f"{reason}.",
        "look at the overlays; say mask_orientation: stored or shown in dataset.yaml where they are wrong.",
        names,
    )
    return Turns(tuple(done.get(sample.name, sample) for sample in found), finding=None if stated else told)


def _mirroring(image: GeoReference | None, masks: Sequence[MaskFacts]) -> int:
    """The EXIF orientation that mirrors a raster onto another of the same place, whose rows run the other way."""
    reference = masks[0].georeference
    if image is None or reference is None:
        return 1
    across, down = (image.transform[k] * reference.transform[k] < 0 for k in (0, 4))
    return {(False, False): 1, (True, False): 2, (True, True): 3, (False, True): 4}[across, down]


def _fitting(header: Header, pages: Sequence[MaskFacts]) -> set[MaskOrientation]:
    """The ways in which masks without a tag of their own have the size of their image."""
    sizes = {(fact.height, fact.width) for fact in pages}
    ways: tuple[tuple[MaskOrientation, tuple[int, int]], ...] = (
        ("stored", (header.height, header.width)),
        ("shown", header.size),
    )
    return {way for way, size in ways if sizes == {size}}


def _decided(
    samples: Sequence[Sample],
    headers: Mapping[str, Header],
    seen: set[MaskOrientation],
    stated: MaskOrientation | None,
) -> tuple[MaskOrientation | None, str]:
    """The way of all masks whose size tells nothing, and by what; None where that is open."""
    if stated is not None:
        return stated, "dataset.yaml says so"
    if len(seen) == 1:
        return next(iter(seen)), "as those of this folder whose size tells it"
    stored, shown = _contrasts(samples, headers)
    if stored > CLEARLY * shown:
        return "stored", f"so their borders lie where the images change, {stored / shown:.1f} times as clearly"
    if shown > CLEARLY * stored:
        return "shown", f"so their borders lie where the images change, {shown / stored:.1f} times as clearly"
    return None, ""


def _contrasts(samples: Sequence[Sample], headers: Mapping[str, Header]) -> tuple[float, float]:
    """How much more the images change across the borders of their masks than elsewhere, both ways; medians."""
    found: list[tuple[float, float]] = []
    for sample in samples[:: max(1, len(samples) // LOOKED_AT)]:
        image = spread_to_one(read_image(sample.image, sample.page))
        mask = painted_values(read_mask(sample.masks[0], sample.mask_page))
        flat = mask if mask.ndim == 2 else mask.astype(np.int64) @ (1 << 8 * np.arange(mask.shape[2]))
        ways = (turned(flat, headers[sample.name].orientation), flat)
        stored, shown = (border_contrast([(image, way)]) for way in ways)
        if np.isfinite(stored) and np.isfinite(shown):
            found.append((stored, shown))
    if not found:
        return 1.0, 1.0
    first, second = np.median(found, axis=0)
    return float(first), float(second)


def _question(names: tuple[str, ...]) -> Problem:
    return Problem(
        f"{len(names)} image(s) [is|are] turned by [its|their] orientation tag, and nothing tells whether the masks "
        "lie as the pixels are stored or as they are shown.",
        "say mask_orientation: stored or shown in dataset.yaml, or save the images upright without the tag.",
        names,
    )
