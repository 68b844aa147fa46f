"""Which labelled images train, and which are held out to compare the new model with the old one.

An image keeps its part from round to round: what a model learned from never judges it, and what judges never trains.
"""

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from perpixel.files.atomic import write_text
from perpixel.files.csv_cells import CSV_ERRORS
from perpixel.files.parse import parse_json
from perpixel.files.whole_file import text_of

LEAST_LABELLED: Final = 6
"""Labelled images below which all of them train."""

LEAST_COMPARED: Final = 6
"""Held-out images that a decision needs: with five, all five are better by chance once in 2^5, more than 2.5 %."""

LEARNED_FROM: Final = ("train", "val")
HELD_OUT_FILE: Final = "held-out.json"


@dataclass(frozen=True)
class LabelledImage:
    """An image and what trains of its labels.

    Args:
        name: What people call it.
        path: The file.
        target: (H, W) class indices, 255 for none.
        digest: Of the file's content.
    """

    name: str
    path: Path
    target: NDArray[np.uint8]
    digest: str


def wanted(labelled: int) -> int:
    """How many of the labelled images are to be held out: a third until that is enough to decide, then a quarter.

    >>> [wanted(labelled) for labelled in (5, 6, 18, 24, 40)]
    [0, 2, 6, 6, 10]
    """
    if labelled < LEAST_LABELLED:
        return 0
    return max(min(labelled // 3, LEAST_COMPARED), labelled // 4)


def divided_images(
    images: Sequence[LabelledImage], rounds: Path, base: Path | None
) -> tuple[list[LabelledImage], list[LabelledImage]]:
    """The images that train, and those that are held out.

    Args:
        images: Everything that is labelled.
        rounds: The folder of the trainings before, ROUNDS/1 and so on.
        base: The model that every training starts from; what it learned from is not held out.
    """
    folders = sorted(rounds.glob("[0-9]*"))
    runs = [*(folder / "run" for folder in folders), *([base] if base else [])]
    learned = {digest for run in runs for digest in _learned_from(run)}
    kept = {digest for folder in folders for digest in _held_out_in(folder)} - learned
    new = [each.digest for each in images if each.digest not in learned | kept]
    more = wanted(len(images)) - sum(each.digest in kept for each in images)
    held_out = kept | set(new[1::2][: max(0, more)])
    return (
        [each for each in images if each.digest not in held_out],
        [each for each in images if each.digest in held_out],
    )


def save_held_out(folder: Path, images: Sequence[LabelledImage]) -> None:
    """Write down what a round holds out. Raises OutputError."""
    write_text(folder / HELD_OUT_FILE, json.dumps([each.digest for each in images]))


def _held_out_in(folder: Path) -> set[str]:
    path = folder / HELD_OUT_FILE
    try:
        return set(parse_json(text_of(path), str(path)))
    except (OSError, ValueError, TypeError):
        return set()


def _learned_from(run: Path) -> set[str]:
    """The digests of the images that a run trained or validated on; empty for a lone model file."""
    try:
        rows = csv.DictReader(text_of(run / "split.csv").splitlines())
        return {row["image_digest"] for row in rows if row["part"] in LEARNED_FROM}
    except (OSError, *CSV_ERRORS):
        return set()
