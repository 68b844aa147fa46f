"""Image, truth and prediction side by side, for images that are labelled in a data set."""

from collections.abc import Iterator
from contextlib import closing
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from perpixel.errors import SettingsError
from perpixel.files.write import labelled, write_png
from perpixel.prediction.job import Job
from perpixel.prediction.pieces import Piece
from perpixel.prediction.sinks import Background
from perpixel.shapes import TargetArray

if TYPE_CHECKING:
    from perpixel.dataset import Dataset

LARGEST_SIDE: Final = 2048
"""Pixels of a panel; of larger images every second pixel is shown, or every third, and so on."""
GAP_PX: Final = 8


def write_triptych(job: Job, path: Path, pieces: Iterator[Piece]) -> None:
    """The image, its true mask and the predicted one as a PNG; two panels where the image has no true mask.

    Of a stack the first page is shown.

    Raises:
        SettingsError: The data set has other classes.
    """
    step = -(-max(job.height, job.width) // LARGEST_SIDE)
    size = (-(-job.height // step), -(-job.width // step))
    shown = np.zeros((*size, 3), np.uint8)
    target = job.labels.empty_target(*size)
    with closing(Background(job.source)) as background:
        for piece in pieces:
            if piece.page:
                continue
            top, left = -piece.top % step, -piece.left % step
            part = np.s_[top::step, left::step]
            rows, columns = (slice(-(-start // step), -(-stop // step)) for start, stop in _sides(piece))
            shown[rows, columns] = background.under(piece)[part]
            target[..., rows, columns] = piece.target[(..., *part)]
    panels = [shown, labelled(shown, target, job.labels)]
    truth = _truth(job)
    if truth is not None:
        panels.insert(1, labelled(shown, truth[..., ::step, ::step], job.labels))
    gap = np.full((size[0], GAP_PX, 3), 255, np.uint8)
    write_png(path, np.concatenate([part for panel in panels for part in (gap, panel)][1:], axis=1))


def _sides(piece: Piece) -> list[tuple[int, int]]:
    return [(piece.top, piece.bottom), (piece.left, piece.right)]


def _truth(job: Job) -> TargetArray | None:
    """The true classes of the image, as the data set has them; None where it is not labelled there."""
    assert job.outputs.triptych is not None
    dataset = _dataset(job.outputs.triptych)
    if dataset.labels.names != job.labels.names:
        raise SettingsError(
            f"{job.outputs.triptych} has the classes {', '.join(dataset.labels.names)}; the model has "
            f"{', '.join(job.labels.names)}.",
            fix="give the data set that the model was trained on, or one with the same classes.",
        )
    source = job.source.resolve()
    sample = next((each for each in dataset.samples if each.image.resolve() == source), None)
    return None if sample is None else dataset.target(sample)


@lru_cache(maxsize=1)
def _dataset(folder: Path) -> "Dataset":
    """Scanned once for all images."""
    from perpixel.dataset import scan

    return scan(folder)
