"""One image scored in every way: pixels, outlines, instances, membranes."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from perpixel.dataset import Sample
from perpixel.errors import DataError
from perpixel.instances import METHODS, label_layers
from perpixel.labels.labels import Labels
from perpixel.metrics import (
    Counts,
    InstanceCounts,
    MembraneScores,
    ThresholdCurves,
    contour_distances,
    count,
    count_boundary,
    count_instances,
    membrane_scores,
)
from perpixel.metrics.metric_table import METRICS, metrics_of
from perpixel.runtime.choices import InstanceMethod
from perpixel.shapes import IGNORED, AnyArray, TargetArray

CONTOUR_SCORES: Final = metrics_of("contour")
TOLERANCE: Final = 0.0075
"""Of boundary F1: a share of the image's diagonal, at least one pixel, as Csurka et al. (2013) take it."""
FALSE_POSITIVE_RATES: Final = np.linspace(0, 1, 101)
"""Where the ROC curve of a single image is kept."""
LARGEST_PX: Final = 1 << 22
"""Distances, instances and membranes are measured in images of up to four million pixels."""


@dataclass(frozen=True, eq=False)
class ImageScore:
    """One image and what was right and wrong in it; None is what was not measured.

    Args:
        sample: The image.
        counts: Right and wrong pixels.
        boundary: Those near an outline.
        contours: (K, 3) float64, `CONTOUR_SCORES` of each class; NaN for the background of two classes.
        instances: By the method that finds the predicted ones, see `perpixel.instances.METHODS`.
        membranes: V_rand and V_info.
        auc: (K,) float64, the area under this image's ROC curve; NaN where a class has all pixels or none.
        roc: (K, 101) float64, the true positive rate of this image at `FALSE_POSITIVE_RATES`.
    """

    sample: Sample
    counts: Counts
    boundary: Counts | None = None
    contours: NDArray[np.float64] | None = None
    instances: Mapping[str, InstanceCounts] | None = None
    membranes: MembraneScores | None = None
    auc: NDArray[np.float64] | None = None
    roc: NDArray[np.float64] | None = None


@dataclass(frozen=True, eq=False)
class ImageAnswer:
    """What a model said of an image, and what is true.

    Args:
        sample: The image.
        labels: The classes.
        probabilities: (K, H, W) float32 in 0..1.
        prediction: (H, W) or (K, H, W) uint8.
        target: Likewise, with IGNORED.

    Raises:
        DataError: Sizes differ, or a probability is no number.
    """

    sample: Sample
    labels: Labels
    probabilities: NDArray[np.float32]
    prediction: TargetArray
    target: TargetArray

    def __post_init__(self) -> None:
        if self.prediction.shape != self.target.shape:
            raise DataError(
                f"The prediction of {self.sample.image} is {_shape(self.prediction)} and its truth "
                f"{_shape(self.target)}.",
                fix="save the mask in the size of its image.",
            )
        if not np.isfinite(self.probabilities).all():
            raise DataError(
                f"The model gives NaN instead of probabilities for {self.sample.image}.",
                fix="train again with a lower learning rate, and look for NaN in the image.",
            )

    @property
    def is_small(self) -> bool:
        """Whether the slower scores are measured."""
        return math.prod(self.target.shape[-2:]) <= LARGEST_PX


def pixel_score(answer: ImageAnswer) -> ImageScore:
    """Count right and wrong pixels, nothing else."""
    labels = answer.labels
    return ImageScore(answer.sample, count(answer.prediction, answer.target, classes=len(labels), kind=labels.kind))


def with_curves(score: ImageScore, curves: ThresholdCurves, *, roc: bool) -> ImageScore:
    """A score with the area under the ROC curves of its image, and these curves where asked for."""
    drawn = curves.true_positive_rates(FALSE_POSITIVE_RATES) if roc else None
    return replace(score, auc=curves.auc, roc=drawn)


def full_score(
    answer: ImageAnswer, instances: Sequence[NDArray[np.int32]] | None, *, inside: int | None, contours: bool
) -> ImageScore:
    """Score an image in every way.

    Args:
        answer: Prediction and truth.
        instances: (H, W) the true instances for each layer of the target, if they are known.
        inside: The class between membranes, to score these; None leaves them out.
        contours: Whether to measure distances between contours, the slowest score.
    """
    labels, small = answer.labels, answer.is_small
    return ImageScore(
        answer.sample,
        count(answer.prediction, answer.target, classes=len(labels), kind=labels.kind),
        count_boundary(answer.prediction, answer.target, classes=len(labels)),
        _contours(answer) if contours and small else None,
        _instances(answer, instances) if instances is not None and small else None,
        membrane_scores(answer.probabilities[inside], answer.target == inside)
        if inside is not None and small
        else None,
    )


def _contours(answer: ImageAnswer) -> NDArray[np.float64]:
    labels, target = answer.labels, answer.target
    scores = np.full((len(labels), len(CONTOUR_SCORES)), np.nan)
    skipped = labels.background if len(labels) == 2 else None
    tolerance = max(1.0, TOLERANCE * float(np.hypot(*target.shape[-2:])))
    for k in range(len(labels)):
        said, true = (labels.class_mask(array, k) for array in _known(answer))
        if k != skipped and (said.any() or true.any()):
            found = contour_distances(said, true)
            scores[k] = [METRICS[score].compute(found, tolerance) for score in CONTOUR_SCORES]
    return scores


def predicted_instances(answer: ImageAnswer, how: InstanceMethod) -> list[NDArray[np.int32]]:
    """The instances of the whole prediction, (H, W) int32 for each layer: what `predict` writes."""
    return label_layers(answer.prediction, how, background=answer.labels.background)


def _instances(answer: ImageAnswer, true: Sequence[NDArray[np.int32]]) -> Mapping[str, InstanceCounts] | None:
    """Predicted instances against true ones, both without the pixels that have no label."""
    if not answer.labels.is_multilabel and answer.labels.background is None:
        return None
    known = [layer != IGNORED for layer in np.reshape(answer.target, (-1, *answer.target.shape[-2:]))]
    truth = [np.where(here, each, 0) for here, each in zip(known, true, strict=True)]
    counts: dict[str, InstanceCounts] = {}
    for how in METHODS:
        found = [np.where(here, each, 0) for here, each in zip(known, predicted_instances(answer, how), strict=True)]
        pairs = [count_instances(*pair) for pair in zip(found, truth, strict=True)]
        counts[how] = sum(pairs[1:], start=pairs[0])
    return counts


def _known(answer: ImageAnswer) -> tuple[TargetArray, TargetArray]:
    """Prediction and truth, IGNORED in both where the truth is."""
    said: TargetArray = np.where(answer.target == IGNORED, np.uint8(IGNORED), answer.prediction)
    return said, answer.target


def _shape(array: AnyArray) -> str:
    return " × ".join(map(str, array.shape))
