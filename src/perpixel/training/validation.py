"""Scores on whole images at native resolution, the way they will be predicted."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from perpixel.dataset import Dataset, Sample
from perpixel.labels.codec import Codec
from perpixel.losses import WeightedLoss
from perpixel.metrics import Counts, count
from perpixel.prediction import Predictor
from perpixel.shapes import IGNORED, TargetArray

MONITORED: Final = ("mean_iou", "mean_dice", "mean_accuracy", "pixel_accuracy", "frequency_weighted_iou")
"""The figures of `Counts` that `train.monitor` can name beside the loss; more is better."""


@dataclass(frozen=True)
class Validation:
    """Sums over all pixels of all validation images; those of several processes add.

    Args:
        losses: "loss" of the images and "loss_NAME" of its terms, each times the image's counted pixels.
        pixels: The counted pixels.
        counts: Right and wrong pixels.
    """

    losses: Mapping[str, float]
    pixels: int
    counts: Counts

    @property
    def scores(self) -> dict[str, float]:
        """Columns of the history; losses are means over images, weighted by their counted pixels, NaN without any."""
        losses = {name: total / self.pixels if self.pixels else math.nan for name, total in self.losses.items()}
        return losses | {name: float(getattr(self.counts, name)) for name in MONITORED}


def validate(predictor: Predictor, dataset: Dataset, samples: Iterable[Sample], loss: WeightedLoss) -> Validation:
    """Predict and score the samples one by one."""
    codec = predictor.codec
    total = Counts.zero(len(codec.labels), codec.labels.kind)
    losses, pixels = dict.fromkeys(["loss", *(f"loss_{name}" for name in loss.names)], 0.0), 0
    for sample in samples:
        image, target = dataset.labelled_image(sample)
        probabilities = predictor.probabilities(image, str(sample.image))
        prediction = codec.decode_array(probabilities)
        total = total + count(prediction, target, classes=len(codec.labels), kind=codec.labels.kind)
        counted = int((target != IGNORED).sum())
        for name, value in _losses_of(loss, probabilities, target, codec).items():
            losses[name] += counted * value
        pixels += counted
    return Validation(losses, pixels, total)


def _losses_of(
    loss: WeightedLoss, probabilities: NDArray[np.float32], target: TargetArray, codec: Codec
) -> dict[str, float]:
    """The loss of one image and its terms, from the logits that give its probabilities."""
    logits = torch.from_numpy(codec.labels.logits(probabilities))[None]
    terms = loss.terms(logits, codec.loss_target(torch.from_numpy(target)[None]))
    return {"loss": float(loss.total(terms)), **{f"loss_{name}": float(value) for name, value in terms.items()}}
