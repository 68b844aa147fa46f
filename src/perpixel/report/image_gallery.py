"""Pictures of an evaluation, taken while it predicts, so that the report predicts nothing again."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from perpixel.dataset import Dataset
from perpixel.evaluation.gallery import MAX_GALLERY_IMAGES, ranking_score
from perpixel.evaluation.image_score import ImageAnswer
from perpixel.files.write import picture
from perpixel.labels.labels import Labels
from perpixel.metrics import count
from perpixel.report.densest_window import densest_window
from perpixel.report.image_layers import (
    ALL_PX,
    ERROR_COLOURS,
    UNCOUNTED,
    Shown,
    class_places,
    encoded_jpeg,
    encoded_png,
    error_kinds,
    page_colours,
    reduced_size,
)
from perpixel.shapes import IGNORED, AnyArray, TargetArray

MOST_PICTURES: Final = 200
"""Of the images with the lowest scores and the few highest; the others stand in the table alone."""
CROP_PX: Final = 128
CROPS_OF_A_CLASS: Final = 4
CROP_CLASSES: Final = 12
PAIRS_COLOURED: Final = 6
PAIR_COLOURS: Final = ((230, 97, 0), (26, 133, 255), (211, 95, 183), (254, 204, 17), (0, 158, 115), (148, 103, 189))
OTHER: Final = (90, 90, 90)

Pair = tuple[int, int]
"""A true class and the one that was predicted for it."""


@dataclass(frozen=True)
class _Taken:
    """One picture: the image as JPEG, and what is true and predicted at its size."""

    name: str
    score: float
    image: str
    truth: NDArray[np.uint8]
    prediction: NDArray[np.uint8]
    kinds: NDArray[np.uint8]
    reduced: bool
    note: str = ""


class ImageGallery:
    """Takes a picture of every image that is evaluated, and of the places where each class is worst."""

    def __init__(self) -> None:
        self._taken: list[_Taken] = []
        self._crops: dict[int, list[tuple[int, _Taken]]] = {}

    def add(self, dataset: Dataset, answer: ImageAnswer, total: int) -> None:
        """Take the pictures of one image.

        Args:
            dataset: Has the image.
            answer: What is true and predicted.
            total: How many images there will be; the fewer, the larger are their pictures.
        """
        sample, prediction = answer.sample, answer.prediction
        labels, image, target = dataset.labels, dataset.image(sample), dataset.target(sample)
        score = ranking_score(count(prediction, target, classes=len(labels), kind=labels.kind), labels)
        most_px = ALL_PX / 2 / min(max(total, 1), MOST_PICTURES)
        self._taken.append(_taken(sample.name, score, image, target, prediction, labels, most_px))
        self._taken.sort(key=lambda each: (not each.score <= 2, each.score))  # NaN last
        self._forget_one()
        for k in range(min(len(labels), CROP_CLASSES)):
            self._add_crop(k, sample.name, image, (target, prediction), labels)

    def shots(self, labels: Labels, pairs: Sequence[Pair]) -> list[Shown]:
        """The pictures, the lowest score first; errors in the colours of the pairs of classes."""
        return [_shown(each, labels, pairs) for each in self._taken]

    def crops(self, labels: Labels, pairs: Sequence[Pair]) -> list[tuple[str, list[Shown]]]:
        """(name of the class, pictures of the places with most of its errors), of classes that have errors."""
        return [
            (labels.names[k], [_shown(taken, labels, pairs) for _, taken in crops])
            for k, crops in sorted(self._crops.items())
        ]

    def _forget_one(self) -> None:
        """Keep the lowest and the highest scores: drop an image that is in no order, else one in the middle."""
        if len(self._taken) <= MOST_PICTURES:
            return
        in_order = sum(not math.isnan(each.score) for each in self._taken)
        del self._taken[-1 if in_order < len(self._taken) else -1 - MAX_GALLERY_IMAGES]

    def _add_crop(
        self, k: int, name: str, image: AnyArray, masks: tuple[TargetArray, TargetArray], labels: Labels
    ) -> None:
        found = densest_window(_wrong(*masks, labels, k), CROP_PX)
        crops = self._crops.get(k, [])
        if found is None or (len(crops) == CROPS_OF_A_CLASS and found[0] <= crops[-1][0]):
            return
        errors, rows, columns = found
        target, prediction = (mask[..., rows, columns] for mask in masks)
        note = f"{errors:,} px"
        taken = _taken(name, 0.0, image[rows, columns], target, prediction, labels, CROP_PX**2, note)
        self._crops[k] = sorted([*crops, (errors, taken)], key=lambda each: -each[0])[:CROPS_OF_A_CLASS]


def confused_pairs(confusion: NDArray[np.int64] | None) -> list[Pair]:
    """The pairs of classes that are confused most, by pixels, of a table (true, predicted).

    >>> confused_pairs(np.array([[9, 0, 4], [1, 9, 0], [0, 0, 9]]))
    [(0, 2), (1, 0)]
    """
    if confusion is None:
        return []
    wrong = confusion.copy()
    np.fill_diagonal(wrong, 0)
    order = np.argsort(-wrong, axis=None, kind="stable")[:PAIRS_COLOURED]
    found = [(int(place // len(wrong)), int(place % len(wrong))) for place in order]
    return [pair for pair in found if wrong[pair]]


def _taken(  # noqa: PLR0913, PLR0917 # what a picture is made of
    name: str,
    score: float,
    image: AnyArray,
    target: TargetArray,
    prediction: TargetArray,
    labels: Labels,
    most_px: float,
    note: str = "",
) -> _Taken:
    size = reduced_size(image.shape[0], image.shape[1], most_px)
    kinds = error_kinds(prediction, target, labels)
    truth, predicted = (_classes(mask, labels) for mask in (target, prediction))
    small = [_nearest(each, size) for each in (truth, predicted, kinds)]
    jpeg = encoded_jpeg(picture(image), size)
    return _Taken(name, score, jpeg, small[0], small[1], small[2], reduced=size[0] < image.shape[1], note=note)


def _classes(mask: TargetArray, labels: Labels) -> NDArray[np.uint8]:
    """Class k as k + 1 (H, W), nothing as 0; of multilabel classes the last."""
    if labels.is_multilabel:
        return class_places(mask, labels)
    places: NDArray[np.uint8] = np.where(mask == IGNORED, 0, mask + 1).astype(np.uint8)
    return places


def _nearest(mask: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    """Width and height `size`; the nearest pixel of each."""
    rows = (np.arange(size[1]) * mask.shape[0] / size[1]).astype(int)
    columns = (np.arange(size[0]) * mask.shape[1] / size[0]).astype(int)
    nearest: NDArray[np.uint8] = mask[rows[:, None], columns]
    return nearest


def _shown(taken: _Taken, labels: Labels, pairs: Sequence[Pair]) -> Shown:
    colours = [(0, 0, 0), *page_colours(labels)]
    hidden = None if labels.is_multilabel or labels.background is None else labels.background + 1
    layers = []
    for key, places in (("truth", taken.truth), ("prediction", taken.prediction)):
        seen = places if hidden is None else np.where(places == hidden, 0, places).astype(np.uint8)
        layers.append((key, encoded_png(seen, colours)))
    if pairs:
        errors = np.where(taken.kinds == 4, len(pairs) + 2, np.where(taken.kinds > 0, len(pairs) + 1, 0))
        for place, (true, predicted) in enumerate(pairs, 1):
            errors[(taken.truth == true + 1) & (taken.prediction == predicted + 1)] = place
        shown = [(0, 0, 0), *PAIR_COLOURS[: len(pairs)], OTHER, UNCOUNTED]
        layers.append(("errors", encoded_png(errors.astype(np.uint8), shown)))
    else:
        layers.append(("errors", encoded_png(taken.kinds, [(0, 0, 0), *ERROR_COLOURS.values()])))
    height, width = taken.truth.shape
    note = taken.note or ("" if np.isnan(taken.score) else f"{taken.score:.3f}")
    return Shown(taken.name, note, taken.image, tuple(layers), width, height, reduced=taken.reduced)


def _wrong(target: TargetArray, prediction: TargetArray, labels: Labels, k: int) -> NDArray[np.bool_]:
    """Where the prediction of class k differs from the truth (H, W)."""
    ignored = (target == IGNORED).any(0) if labels.is_multilabel else target == IGNORED
    wrong: NDArray[np.bool_] = (labels.class_mask(target, k) != labels.class_mask(prediction, k)) & ~ignored
    return wrong
