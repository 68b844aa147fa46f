"""Strokes of few images, divided into those that train and those that validate."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from perpixel.dataset.layout.folder import Dataset
from perpixel.dataset.layout.inventory import gathered
from perpixel.dataset.sample import Sample, info
from perpixel.dataset.stroke_pieces import pieces_held_out
from perpixel.errors import DataError
from perpixel.shapes import IGNORED

FEW_IMAGES: Final = 6
"""Labelled images from which whole ones validate."""
PARTLY: Final = 0.5
"""A set is partly labelled where fewer of its pixels have a label."""

OPTIMISTIC: Final = "Scores are on labelled pixels only: optimistic, since strokes avoid borders."
OPTIMISTIC_FIX: Final = "label a few images wholly, and score on these, for figures that hold for whole images."


def labelled_share(pixels: Sequence[int], ignored: int) -> float:
    """Of all pixels, those with a label; NaN where there are none."""
    every = sum(pixels) + ignored
    return sum(pixels) / every if every else float("nan")


def with_held_out_strokes(dataset: Dataset) -> Dataset:
    """Show each image twice where few images are partly labelled: for training, and for validation.

    Each has strokes of its own, connected pieces of a class; the other's are ignored.

    Raises:
        DataError: A mask cannot be read.
    """
    if not _is_for_it(dataset):
        return dataset
    targets, problems = gathered(dataset.target, dataset.samples)
    if problems:
        raise DataError.of(problems)
    count = len(dataset.labels)
    held = {sample: pieces_held_out(target, count) for sample, target in targets.items()}
    validating = sum((_pixels(targets[s], held[s], count) for s in targets), np.zeros(count + 1, np.int64))
    present = sum((np.array(s.pixels) for s in dataset.samples if s.pixels), np.zeros(count + 1, np.int64))
    if (validating[:-1] == 0)[present[:-1] > 0].any():  # a class in one piece
        return dataset
    samples = []
    for sample, target in targets.items():
        for part, chosen in (("train", ~held[sample]), ("val", held[sample])):
            pixels = _pixels(target, chosen, count)
            if pixels[:-1].any():
                shown = replace(sample, name=f"{sample.name}_{part}", strokes=part, split=part)  # type: ignore[arg-type]
                samples.append(replace(shown, pixels=tuple(map(int, pixels))))
    share = validating[:-1].sum() / max(present[:-1].sum(), 1)
    told = info(
        f"{len(targets)} partly labelled image(s) [is|are] too few to validate on whole ones: {share:.0%} of their "
        "labelled pixels, strokes of every class, are held out for validation, and each image is there twice.",
        f"label at least {FEW_IMAGES} images, or put images into train/ and val/.",
    )
    return replace(dataset, samples=tuple(samples), findings=(*dataset.findings, told))


def _is_for_it(dataset: Dataset) -> bool:
    samples = dataset.samples
    if not 0 < len(samples) < FEW_IMAGES or dataset.reading not in ("values", "drawn"):
        return False
    if any(s.split is not None or s.corner is not None or s.pixels is None for s in samples):
        return False
    return is_partly_labelled(samples)


def is_partly_labelled(samples: Sequence[Sample]) -> bool:
    """Whether most pixels of the masks have no label, where that was counted."""
    counted = [sample.pixels for sample in samples if sample.pixels is not None]
    known = sum(sum(pixels[:-1]) for pixels in counted)
    return bool(counted) and labelled_share([known], sum(pixels[-1] for pixels in counted)) < PARTLY


def _pixels(target: NDArray[np.uint8], chosen: NDArray[np.bool_], count: int) -> NDArray[np.int64]:
    """Pixels (K + 1,) of each class among the chosen ones, and last of all others."""
    inside = np.bincount(target[chosen], minlength=IGNORED + 1)[:count]
    return np.append(inside, target.size - inside.sum()).astype(np.int64)
