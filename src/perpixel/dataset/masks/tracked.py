"""Numbers of objects that are followed through a film: they keep their number, their place and their size."""

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations, pairwise
from pathlib import Path
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from perpixel.dataset.layout.inventory import Page
from perpixel.dataset.layout.names import stem
from perpixel.dataset.masks.evidence import KEEPS_PLACE, Shapes
from perpixel.dataset.masks.void import ISLANDS

Track: TypeAlias = Sequence[NDArray[np.float64] | None]
"""Of one number in each frame its row, column and √area in pixels; None where it is not seen."""

FEWEST: Final = 4
"""So many masks in a row are a film, or a stack."""
LOOKED_AT: Final = 8
"""Frames of a film that are looked at, one after the other."""
FILMS: Final = 3
PIECES: Final = 1.2
"""Objects have one number each: more pieces to a value, and the values are classes."""
GOES_ON: Final = 1.0
"""The mean square step over the variance: 2 where each image is another scene, near 0 where places move on."""
SAME_SIZE: Final = 0.04
"""From image to image the side of an organ of other patients changes by 0.1 of itself, that of an object by less."""
ALIKE: Final = 0.5
"""Looks that differ by less than this share of how the pixels in them do are alike."""
OF_CONTRAST: Final = 0.2
"""So are those that differ by less than this share of how the values stand out from 0."""
SEEN_IN: Final = 0.5
"""Of the frames, the share in which a number that is followed is seen."""


def are_tracked(shapes: Shapes) -> bool:
    """Whether numbers may be those of objects that are followed through a film, and not of classes.

    In a film each number lies in one piece, apart from others; its place and size move on from frame to frame, and at
    least half of the numbers have another that looks like them. Numbers with a place of their own in several films
    are classes.

    Args:
        shapes: Of all masks, in the order of their names.
    """
    if shapes.contact_share(0) > ISLANDS:  # what has been looked at already tells
        return False
    films = _films(shapes.facts)
    seen = [replace(shapes, pages=tuple(film[:LOOKED_AT])) for film in films[:FILMS]]
    return bool(seen) and not _recur_in_place(shapes, films) and all(map(_is_followed, seen))


def _films(pages: Mapping[Page, object]) -> list[list[Page]]:
    """Masks whose names differ by their last number, in its order, and pages of a stack; the longest first."""
    films: dict[tuple[Path, str], list[tuple[int, Page]]] = defaultdict(list)
    for path, page in pages:
        named = re.fullmatch(r"(.*?)(\d+)(\D*)", stem(path.name))
        films[path, ""].append((page, (path, page)))
        if named:
            films[path.parent, f"{named[1]}#{named[3]}"].append((int(named[2]), (path, page)))
    ordered = [[page for _, page in sorted(film)] for film in films.values() if len(film) >= FEWEST]
    return sorted(ordered, key=len, reverse=True)


def _is_followed(film: Shapes) -> bool:
    found, pieces = film.pieces()
    if len(film.arrays) < FEWEST or pieces > PIECES * found or film.contact_share(0) > ISLANDS:
        return False
    tracks = _tracks(film)
    lasting = [track for track in tracks.values() if sum(at is not None for at in track) >= SEEN_IN * len(track)]
    is_lasting = len(lasting) >= 2 and 2 * len(lasting) >= len(tracks)
    return is_lasting and _go_on(lasting) and _look_alike(film)


def _tracks(film: Shapes) -> dict[int, Track]:
    """Where each number is in each frame."""
    frames = [{int(v): np.argwhere(mask == v) for v in np.unique(mask) if v} for mask in film.arrays]
    return {
        value: [
            np.array([*at.mean(axis=0), len(at) ** 0.5]) if (at := frame.get(value)) is not None else None
            for frame in frames
        ]
        for value in {v for frame in frames for v in frame}
    }


def _go_on(tracks: Sequence[Track]) -> bool:
    """Whether places move on, by von Neumann's ratio, or are kept while sizes stay as they are.

    Source: von Neumann (1941), Distribution of the ratio of the mean square successive difference to the variance.
    """
    seen = [np.array([at for at in track if at is not None]) for track in tracks]
    both = [(a, b) for t in tracks for a, b in pairwise(t) if a is not None and b is not None]
    if not both:
        return False
    steps = np.array([b - a for a, b in both])
    within = np.mean([each[:, :2].var(axis=0).sum() for each in seen])
    apart = np.concatenate(seen)[:, :2].var(axis=0).sum()
    changes = np.median(np.abs(steps[:, 2])) / np.median(np.concatenate(seen)[:, 2])
    moves_on = np.square(steps[:, :2]).mean(axis=0).sum() < GOES_ON * within
    return bool(moves_on or (changes < SAME_SIZE and within < KEEPS_PLACE**2 * apart))


def _look_alike(film: Shapes) -> bool:
    """Whether at least half of the numbers have another that looks like them in the images."""
    looks = film.looks()
    if len(looks) < 2:
        return False
    means = {value: np.mean([mean for mean, _ in each], axis=0) for value, each in looks.items()}
    spread = np.mean([spread for each in looks.values() for _, spread in each], axis=0)
    most = np.maximum(ALIKE * spread, OF_CONTRAST * np.abs(np.mean([*means.values()], axis=0)))
    alike = {v for a, b in combinations(means, 2) if (np.abs(means[a] - means[b]) <= most).all() for v in (a, b)}
    return len(alike) >= max(2, len(means) / 2)


def _recur_in_place(shapes: Shapes, films: Sequence[Sequence[Page]]) -> bool:
    """Whether numbers have their place from film to film, as organs have in patients."""
    if len(films) < FEWEST:
        return False
    return replace(shapes, pages=tuple(film[len(film) // 2] for film in films[:LOOKED_AT])).keep_places(2)
