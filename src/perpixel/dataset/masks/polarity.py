"""Single masks in which background and foreground have changed places."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from perpixel.dataset.layout.inventory import MaskFacts, Page, painted_values
from perpixel.dataset.masks.classes import Reading, Understood
from perpixel.dataset.masks.evidence import Shapes, middle, spread_to_one
from perpixel.dataset.sample import Finding, warning
from perpixel.errors import DataError
from perpixel.files.read import read_mask
from perpixel.shapes import AnyArray

MOST_TURNED: Final = 0.25
"""Of all masks; where more cover most of their image, both are usual."""
LEAST_MASKS: Final = 4
READINGS: Final[frozenset[Reading]] = frozenset({"values", "halves", "nonzero"})
FULL, EMPTY = 0.8, 0.2
"""Shares of the frame of an image that are covered in a reversed mask, and in the others."""
LOOKED_AT: Final = 8
MOST_LOOKED_AT: Final = 32
SIDE_COMPARED: Final = 128
"""Pixels a side that tell inside and outside apart as well as all of them."""
OF_ONE_MIND: Final = 0.75
"""The share of the images in which the foreground is brighter, or darker, if that tells anything."""


def reversed_masks(
    facts: Mapping[Page, MaskFacts], understood: Understood, images: Mapping[Page, Page]
) -> list[Finding]:
    """Warn of masks that look like the reverse of the others: they cover most of the image, its frame above all.

    The images are asked, too: where the foreground differs from the background in one direction, a mask in which it
    does so as well is of a large object.

    Args:
        facts: Of every mask.
        understood: Only two classes of one file have a reverse.
        images: The image, and its page, that each mask belongs to.
    """
    labels = understood.labels
    if len(labels) != 2 or labels.ignored or labels.values[0] != 0 or understood.reading not in READINGS:
        return []
    shares = {page: _covered(fact, understood.reading) for page, fact in facts.items()}
    suspects = _beyond_the_middle(shares)
    if not suspects:
        return []
    few = frozenset(suspects)
    others = [page for page in shares if page not in few]
    shapes = Shapes(facts, images=images)
    usual = [_look(page, shapes) for page in others[:: max(1, len(others) // LOOKED_AT)][:LOOKED_AT]]
    frame = float(np.median([frame for frame, _ in usual if frame is not None] or [np.nan]))
    if not (frame <= EMPTY or frame >= FULL):
        return []
    direction = _direction([contrast for _, contrast in usual if contrast is not None])
    looks = {page: _look(page, shapes) for page in _most_like_a_reverse(suspects, others, shares)}
    found = [page for page, look in looks.items() if _is_reverse(*look, covered=frame >= FULL, direction=direction)]
    if not found:
        return []
    return [
        warning(
            f"{len(found)} of {len(facts)} masks look like the reverse of the others: foreground and background have "
            "changed places.",
            "look at them in check.html; turn their values around if so, else nothing to fix.",
            [str(path) for path, _ in found],
        )
    ]


def _covered(fact: MaskFacts, reading: Reading) -> float:
    """The share of a mask that is foreground."""
    least = 128 if reading == "halves" else 1
    return sum(n for value, n in fact.values.items() if least <= value) / max(sum(fact.values.values()), 1)


def _beyond_the_middle(shares: Mapping[Page, float]) -> list[Page]:
    """The few masks that cover more than half where nearly all others cover less, or the other way round."""
    if len(shares) < LEAST_MASKS:
        return []
    large = [page for page, share in shares.items() if 1 / 2 < share < 1]
    small = [page for page, share in shares.items() if 0 < share <= 1 / 2]
    few, many = sorted((large, small), key=len)
    return few if few and len(few) <= MOST_TURNED * len(shares) and len(many) >= LEAST_MASKS - 1 else []


def _most_like_a_reverse(
    suspects: Sequence[Page], others: Sequence[Page], shares: Mapping[Page, float]
) -> Sequence[Page]:
    """Those that cover what the others leave uncovered, nearly; not so many that decoding them again takes long."""
    expected = 1 - float(np.median([shares[page] for page in others]))
    return sorted(suspects, key=lambda page: abs(shares[page] - expected))[:MOST_LOOKED_AT]


def _look(page: Page, shapes: Shapes) -> tuple[float | None, NDArray[np.float64] | None]:
    """How much of the frame a mask covers, and how the image inside it differs from outside, (C,)."""
    try:
        mask = painted_values(read_mask(*page)) != 0
    except DataError:  # told where all masks are read
        return None, None
    if mask.ndim != 2:
        return None, None
    frame = np.concatenate([mask[0], mask[-1], mask[:, 0], mask[:, -1]])
    mask = middle(mask)
    pixels = shapes.image_of(page, mask.shape)
    coarse = max(1, min(mask.shape) // SIDE_COMPARED)
    mask = mask[::coarse, ::coarse]
    if pixels is None or mask.all() or not mask.any():
        return float(frame.mean()), None
    pixels = np.nan_to_num(spread_to_one(pixels[::coarse, ::coarse]), posinf=0, neginf=0)
    return float(frame.mean()), (pixels[mask].mean(axis=0) - pixels[~mask].mean(axis=0)).astype(np.float64)


def _direction(contrasts: Sequence[AnyArray]) -> AnyArray | None:
    """How the foreground usually differs from the background; None where it does so in no one way."""
    if len(contrasts) < LEAST_MASKS - 1:
        return None
    mean: AnyArray = np.mean(contrasts, axis=0)
    agree = np.mean([float(contrast @ mean) > 0 for contrast in contrasts])
    return mean if agree >= OF_ONE_MIND else None


def _is_reverse(frame: float | None, contrast: AnyArray | None, *, covered: bool, direction: AnyArray | None) -> bool:
    """Whether a mask covers the frame as the others do not, and its image does not say that it is right."""
    if frame is None or (frame > EMPTY if covered else frame < FULL):
        return False
    return contrast is None or direction is None or float(contrast @ direction) < 0
