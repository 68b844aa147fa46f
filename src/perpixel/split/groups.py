"""Which samples belong together: scenes, places, patients."""

import re
from collections.abc import Sequence

import numpy as np

from perpixel.dataset import Sample
from perpixel.errors import DataError
from perpixel.split.parts import PARTS


def groups_of(samples: Sequence[Sample], group_by: str | None = None) -> tuple[list[str], str] | None:
    """The group of each sample and where it comes from; None where nothing tells groups.

    Asked in this order: the pattern given; the folders (or the column) that the samples stand in; blocks on the
    earth for georeferenced images; scene names
    that several names begin with (`tile1_image_part_003`, `0016E5_07959`); left and right of one number
    (`Image_01L`). Folders and names count when they tell at least three groups, one for each part.

    Raises:
        DataError: `group_by` is no regular expression, or does not match every name.
    """
    names = [sample.name for sample in samples]
    if group_by is not None:
        return _by_pattern(names, group_by), "group_by"
    for groups, source in (
        ([sample.group for sample in samples], "folder"),
        (_places(samples), "place"),
        (_scenes(names), "name"),
        (_sides(names), "left and right"),
    ):
        if 3 <= len(set(groups)) < len(names):
            return groups, source
    return None


def _by_pattern(names: Sequence[str], pattern: str) -> list[str]:
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise DataError(
            f"group_by {pattern!r} is no regular expression: {error}.", fix=r"give one such as '^(tile\d+)_'."
        ) from error
    found = [compiled.search(name) for name in names]
    if unmatched := [name for name, match in zip(names, found, strict=True) if match is None]:
        raise DataError(
            f"group_by {pattern!r} does not match {len(unmatched)} of {len(names)} names.",
            fix=r"give a pattern that matches every name, such as '^(tile\d+)_'.",
            examples=unmatched,
        )
    return [match.group(1 if compiled.groups else 0) for match in found if match]


def _places(samples: Sequence[Sample]) -> list[str]:
    """Blocks on the earth, four images wide (two where four give too few); all in one where not all have a place."""
    bounds = [sample.bounds for sample in samples if sample.bounds is not None]
    if len(bounds) < len(samples):
        return [""] * len(samples)
    box = np.array(bounds)  # (N, 4)
    centre, extent = (box[:, :2] + box[:, 2:]) / 2, (box[:, 2:] - box[:, :2]).max(axis=0)
    for images_wide in (4, 2):
        cells = np.floor((centre - centre.min(axis=0)) / (images_wide * extent)).astype(int)
        groups = [f"block {row}, {column}" for column, row in cells]
        if len(set(groups)) >= len(PARTS):
            return groups
    return [""] * len(samples)


def _scenes(names: Sequence[str]) -> list[str]:
    """What a name begins with, up to a word with a number that is not the last word; else the whole name."""
    words = [re.split(r"[_\- ]+", name) for name in names]
    scenes = []
    for name, parts in zip(names, words, strict=True):
        end = next((k for k, word in enumerate(parts[:-1]) if re.search(r"\d", word)), None)
        scenes.append(name if end is None or not re.search(r"\d", parts[-1]) else "_".join(parts[: end + 1]))
    return scenes if len(set(scenes)) <= len(names) / 2 else list(names)


def _sides(names: Sequence[str]) -> list[str]:
    return [
        match[1] if (match := re.fullmatch(r"(.*\d)[_\- ]?(?:[LR]|left|right|OD|OS)", name)) else name
        for name in names
    ]
