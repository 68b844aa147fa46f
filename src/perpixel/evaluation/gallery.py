"""What a report shows: some images with what was predicted of them, so that nothing is predicted twice."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from perpixel.dataset import Dataset, Sample, scan
from perpixel.dataset.overrides import stated_by
from perpixel.evaluation.image_score import ImageAnswer
from perpixel.labels.labels import Labels
from perpixel.metrics import Counts
from perpixel.prediction import Predictor
from perpixel.results import MAX_PICTURES
from perpixel.shapes import TargetArray
from perpixel.split import Split
from perpixel.store.run_folder import Run

MAX_GALLERY_IMAGES = 6
"""Images under one heading."""


def ranking_score(counts: Counts, labels: Labels) -> float:
    """What the lowest and the highest images are chosen by: NaN for an image that is not among them.

    With one class beside background its IoU, among the images whose truth has it; else the mean IoU.

    Args:
        counts: Of one image.
        labels: The classes.
    """
    k = labels.lone_foreground
    if k is None:
        return float(counts.mean_iou)
    is_there = counts.true_positive[k] + counts.false_negative[k] > 0
    return float(counts.iou[k]) if is_there else math.nan


@dataclass(frozen=True, eq=False)
class PredictedSample:
    """An image and what was predicted of it.

    Args:
        sample: The image.
        prediction: (H, W) or (K, H, W) uint8.
        score: Its `ranking_score`; None where it was not scored.
    """

    sample: Sample
    prediction: TargetArray
    score: float | None = None


@dataclass(frozen=True, eq=False)
class Gallery:
    """The images that a report shows.

    Args:
        dataset: Where they are from.
        headings: "lowest" `ranking_score`, or "validation_images"; and "unlabelled".
    """

    dataset: Dataset
    headings: Mapping[str, Sequence[PredictedSample]]


@dataclass
class Lowest:
    """Keeps the predictions of the lowest scores, which an evaluation draws, and forgets the others."""

    kept: tuple[PredictedSample, ...] = ()

    def add(self, answer: ImageAnswer, score: float) -> None:
        """Take the next image; without a defined score it is not shown, and of equal ones the first stays."""
        if math.isnan(score):
            return
        taken = PredictedSample(answer.sample, answer.prediction, score)
        self.kept = tuple(sorted((*self.kept, taken), key=lambda each: each.score or 0.0)[:MAX_PICTURES])


@dataclass(frozen=True, eq=False)
class ComparedSample:
    """An image and what each of several models predicted of it.

    Args:
        sample: The image.
        predictions: (H, W) or (K, H, W) uint8, one a model.
        scores: Mean IoU, one a model.
    """

    sample: Sample
    predictions: tuple[TargetArray, ...]
    scores: tuple[float, ...]

    @property
    def gap(self) -> float:
        """The highest score minus the lowest; -1 where one is undefined."""
        gap = max(self.scores) - min(self.scores)
        return -1.0 if any(map(math.isnan, self.scores)) else gap


@dataclass
class FurthestApart:
    """Keeps the predictions of the images on which models differ most, and forgets the others."""

    kept: tuple[ComparedSample, ...] = ()

    def add(self, each: ComparedSample) -> None:
        """Take the next image; of equal ones the first stays."""
        self.kept = tuple(sorted((*self.kept, each), key=lambda one: -one.gap)[:MAX_GALLERY_IMAGES])


def unlabelled_of(dataset: Dataset, predictor: Predictor) -> dict[str, Sequence[PredictedSample]]:
    """The first images without a mask, under their heading."""
    return {"unlabelled": _predicted(dataset, predictor, dataset.unlabelled)}


def preview(run: Run, predictor: Predictor) -> Gallery:
    """What the report of a run shows before anything is evaluated: validation images. Raises DataError."""
    dataset = scan(run.data, predictor.codec.labels, overrides=stated_by(run.settings.data))
    validation = Split.load(run.split_path, dataset.samples).part("val")
    predictor.is_on_own_data = True
    shown = {"validation_images": _predicted(dataset, predictor, validation)}
    return Gallery(dataset, shown | unlabelled_of(dataset, predictor))


def _predicted(dataset: Dataset, predictor: Predictor, samples: Sequence[Sample]) -> list[PredictedSample]:
    return [
        PredictedSample(each, predictor.target(dataset.image(each), str(each.image)))
        for each in samples[:MAX_GALLERY_IMAGES]
    ]
